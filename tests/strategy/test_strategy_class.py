from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest

from trader.domain.errors import InvalidInput, StrategyFault, UnknownName
from trader.strategy import Bars, Holding, Param, Signal, Signals, Strategy, Tick


class Sample(Strategy):
    """Buys on every bar.

    More words.
    """

    period = Param(9, low=2, high=50)
    factor = Param(1.5)
    eager = Param(False)

    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=bars.close > 0)


class Settled(Sample):
    period = 5  # type: ignore[assignment]  # a subclass may settle a value for good
    extra = Param("x")


def test_values_are_given_by_keyword_and_the_rest_are_defaults():
    sample = Sample(period=4, factor=2)
    assert (sample.period, sample.factor, sample.eager) == (4, 2.0, False)
    assert sample.values() == {"period": 4, "factor": 2.0, "eager": False}
    assert repr(sample) == "Sample(period=4, factor=2.0, eager=False)"


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(
        UnknownName, match=r"No parameter of sample is called 'perod'\. Did you mean period\?"
    ):
        Sample(perod=4)


def test_every_wrong_value_is_named_at_once():
    with pytest.raises(InvalidInput) as caught:
        Sample(period=1, factor="x")
    assert str(caught.value) == "period is 1: expected 2 to 50; factor is x: expected a number"


def test_values_cannot_be_changed_afterwards():
    sample = Sample()
    with pytest.raises(AttributeError, match="period is fixed"):
        sample.period = 3


def test_a_subclass_inherits_parameters_and_may_settle_them():
    assert list(Settled.params()) == ["factor", "eager", "extra"]
    assert Settled().period == 5
    with pytest.raises(UnknownName):
        Settled(period=4)


def test_a_fresh_copy_has_the_same_values_and_no_memory():
    sample = Sample(period=4)
    sample.seen = 1
    copy = sample.fresh()
    assert copy.values() == sample.values()
    assert not hasattr(copy, "seen")


def test_a_strategy_survives_the_way_to_another_process():
    assert pickle.loads(pickle.dumps(Sample(period=4))).values() == Sample(period=4).values()  # noqa: S301 - our own bytes


def test_the_summary_is_the_docstrings_first_line():
    assert Sample.describe() == "Buys on every bar."
    assert Settled.describe() == ""


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("EmaCrossover", "ema_crossover"),
        ("RSIMeanReversion", "rsi_mean_reversion"),
        ("Breakout", "breakout"),
        ("Ema200Trend", "ema200_trend"),
    ],
)
def test_the_name_derives_from_the_class(class_name, name):
    assert type(class_name, (Strategy,), {}).name == name


def test_a_given_name_wins_and_is_not_inherited():
    class Given(Sample):
        name = "my_own"

    class Child(Given):
        pass

    assert (Given.name, Child.name) == ("my_own", "child")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "Not Good"}, "small letters"),
        ({"name": 5}, "small letters"),
        ({"name": Param(5)}, "cannot have a Param called name: the name is taken"),
        ({"on_error": "panic"}, "'close' or 'keep'"),
        ({"values": Param(1)}, "the name is taken"),
        ({"_hidden": Param(1)}, "the name is taken"),
    ],
)
def test_a_class_that_cannot_work_is_refused_at_import(body, words):
    with pytest.raises(TypeError, match=words):
        type("Broken", (Strategy,), body)


@pytest.mark.parametrize(
    ("params", "warmup"),
    [({}, 100), ({"n": Param(3)}, 100), ({"n": Param(21), "m": Param(9)}, 525), ({"n": Param(400.0)}, 100)],
)
def test_warmup_grows_with_the_longest_period(params, warmup):
    assert type("Sized", (Strategy,), params)().warmup == warmup


def test_values_that_do_not_fit_together_are_refused_with_the_authors_sentence():
    class Pair(Strategy):
        low = Param(1)
        high = Param(2)

        def check(self) -> str | None:
            return None if self.low < self.high else "low must be less than high"

    assert Pair().values() == {"low": 1, "high": 2}
    with pytest.raises(InvalidInput, match="low must be less than high"):
        Pair(low=3)


# -- what goes wrong inside ----------------------------------------------------------------------------


class Leaver(Strategy):
    def signals(self, bars: Bars) -> Signals:
        sys.exit("no data today")

    def on_tick(self, tick: Tick, holding: Holding) -> Signal | None:
        raise SystemExit(3)


class LeavingPair(Strategy):
    together = 2

    def joint_signals(self, bars: Sequence[Bars]) -> Sequence[Signals]:
        sys.exit("no data today")


def test_an_exit_ends_the_strategy_and_not_the_desk(make_bars):
    bars, tick = make_bars(5), Tick("NSE:SBIN", None, 500.0)
    with pytest.raises(StrategyFault, match=r"leaver raised SystemExit: no data today \(test_strategy_class"):
        Leaver().evaluate(bars)
    with pytest.raises(StrategyFault, match="leaver raised SystemExit: 3"):
        Leaver().evaluate_tick(tick)
    with pytest.raises(StrategyFault, match="leaving_pair raised SystemExit: no data today"):
        LeavingPair().evaluate_joint([bars, bars])


class Answers(Strategy):
    answer: ClassVar[object] = None

    def signals(self, bars: Bars) -> Signals:
        return self.answer() if callable(self.answer) else self.answer

    on_tick = signals


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "answers raised TypeError: Expected Signals as the answer, was None"),
        (
            lambda: Signals(enter_long=np.zeros(3, bool)),
            "Expected enter_long with one row for each of 5 bars, was 3",
        ),
        (lambda: Signals(exit_short=np.zeros((5, 2), bool)), "one row for each of 5 bars, was 5 × 2"),
        (lambda: Signals(enter_long=np.ones(5)), "Expected enter_long as an array of booleans.*float64"),
        (lambda: Signals(enter_long=True), "one row for each of 5 bars, was a single value"),
        (
            lambda: 1 / 0,
            r"answers raised ZeroDivisionError: division by zero \(test_strategy_class.py, line \d+\)",
        ),
    ],
)
def test_whatever_signals_does_wrong_is_one_strategy_fault(make_bars, answer, words):
    strategy = type(
        "Answers", (Answers,), {"answer": staticmethod(answer) if answer else None, "name": "answers"}
    )()
    with pytest.raises(StrategyFault, match=words) as caught:
        strategy.evaluate(make_bars(5))
    assert caught.value.__cause__ is not None


def test_whatever_on_tick_does_wrong_is_a_strategy_fault_too():
    tick = Tick("NSE:SBIN", None, 500.0)

    class Bad(Strategy):
        def on_tick(self, tick: Tick, holding: Holding) -> Signal | None:
            return "buy"  # type: ignore[return-value]  # what is tested

    with pytest.raises(StrategyFault, match="bad raised TypeError: Expected Signal as the answer, was 'buy'"):
        Bad().evaluate_tick(tick)
    assert Sample().evaluate_tick(tick) == Signal()


def test_it_is_known_which_strategies_decide_on_bars_and_which_on_ticks():
    class Ticker(Strategy):
        def on_tick(self, tick: Tick, holding: Holding) -> Signal | None:
            return Signal(enter_long=holding.quantity == 0)

    assert (Sample.decides_on_bars(), Sample.decides_on_ticks()) == (True, False)
    assert (Ticker.decides_on_bars(), Ticker.decides_on_ticks()) == (False, True)
    assert Ticker().evaluate_tick(Tick("NSE:SBIN", None, 500.0), Holding()).enter_long


# -- signals -------------------------------------------------------------------------------------------


def test_the_last_row_is_the_newest_bars_signal():
    signals = Signals(enter_long=np.array([True, False]), exit_short=np.array([False, True]))
    assert signals.last() == Signal(exit_short=True)
    assert signals.last().any


def test_nothing_is_asked_for_where_nothing_is_given():
    assert not Signals().last().any
    assert not Signals(enter_long=np.zeros(0, bool)).last().any


def test_a_pandas_series_is_as_good_as_an_array(make_bars):
    frame = make_bars(5).frame
    signals = Signals(enter_long=frame.close > 0)
    signals.check(5)
    assert type(signals.enter_long) is np.ndarray
    assert signals.last().enter_long
