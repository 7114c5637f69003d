"""Strategies that see several symbols: the same bars of all, live and in a backtest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.pair_reversion import PairReversion
from trader.backtest.madeup import made_up
from trader.domain.errors import StrategyFault
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.strategy import Bars, Signals, Strategy
from trader.strategy.catalogue import Catalogue
from trader.strategy.joint import JointWindow, aligned, decide

A, B, C = (InstrumentKey(f"NSE:{name}") for name in "ABC")


def bars_of(key: InstrumentKey, minutes: Sequence[int], prices: Sequence[float] | None = None) -> Bars:
    price = np.array(prices if prices is not None else [100.0 + m for m in minutes])
    start = np.array(minutes, dtype=np.int64) * 60_000_000
    return Bars.of_arrays(key, Interval.M1, start, price, price, price, price, np.ones(len(price)))


class Dearer(Strategy):
    """Long whichever of two is the dearer one."""

    together = 2

    def joint_signals(self, bars: Sequence[Bars]) -> Sequence[Signals]:
        first, second = bars
        assert first.start.tolist() == second.start.tolist()
        above = first.close > second.close
        return Signals(enter_long=above), Signals(enter_long=~above)


def test_only_bars_that_all_have_are_shown():
    (first, second), (rows, others) = aligned([bars_of(A, [1, 2, 4, 5]), bars_of(B, [2, 3, 4, 6])])
    assert first.start.tolist() == second.start.tolist() == [120_000_000, 240_000_000]
    assert (rows.tolist(), others.tolist()) == ([1, 2], [0, 2])
    assert first.close.tolist() == [102.0, 104.0]


def test_signals_come_back_on_each_symbols_own_rows():
    first, second = decide(Dearer(), [bars_of(A, [1, 2, 4], [9, 9, 5]), bars_of(B, [2, 3, 4], [8, 8, 8])])
    assert first.enter_long.tolist() == [False, True, False]
    assert second.enter_long.tolist() == [False, False, True]
    assert first.exit_long is None


def test_a_joint_window_waits_for_the_last_of_a_start():
    window = JointWindow((A, B, C), Interval.M1, 10)
    a, b, c = (bars_of(key, range(5)) for key in (A, B, C))
    assert [window.append(bar) for bar in (b[0], a[0], c[0])] == [False, False, True]
    assert [window.append(bar) for bar in (a[1], c[1])] == [False, False]
    # B has no second bar: that start is left out, and nothing of it comes later.
    assert [window.append(bar) for bar in (c[2], b[2], a[2])] == [False, False, True]
    assert [one.key for one in window.bars] == [A, B, C]
    assert {tuple(one.start.tolist()) for one in window.bars} == {(0, 120_000_000)}
    assert [window.append(bar) for bar in (a[2], b[2], c[2])] == [False, False, False]
    assert len(window) == 2


@given(st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=2, max_size=3), st.integers(1, 60))
def test_a_window_holds_what_a_backtest_sees(minutes, capacity):
    keys = (A, B, C)[: len(minutes)]
    data = [bars_of(key, sorted(own)) for key, own in zip(keys, minutes, strict=True)]
    window = JointWindow(keys, Interval.M1, capacity)
    everything = sorted(
        (bar for bars in data for bar in (bars[n] for n in range(len(bars)))), key=lambda b: b[2]
    )
    moments = [bar.start for bar in everything if window.append(bar)]
    common, _ = aligned(data)
    assert len(moments) == len(common[0])
    for live, tested in zip(window.bars, common, strict=True):
        np.testing.assert_array_equal(live.start, tested.start[-capacity:])
        np.testing.assert_array_equal(live.table, tested.table[:, -capacity:])


@pytest.mark.parametrize("seed", [1, 2])
def test_the_pair_decides_live_as_in_a_backtest(seed):
    strategy = PairReversion()
    data = made_up(Interval.M1, 1_500, symbols=2, seed=seed)
    tested = decide(strategy, data)
    window = JointWindow([b.key for b in data], Interval.M1, strategy.bars_needed(Interval.M1))
    where = [{int(at): n for n, at in enumerate(bars.start)} for bars in data]
    asked = 0
    for bar in sorted((bars[n] for bars in data for n in range(len(bars))), key=lambda bar: bar.start):
        if not window.append(bar):
            continue
        at = int(window.bars[0].start[-1])
        for symbol, signals in enumerate(strategy.evaluate_joint(window.bars)):
            row = where[symbol][at]
            for column in ("enter_long", "exit_long", "enter_short", "exit_short"):
                said = bool(getattr(tested[symbol], column)[row])
                assert getattr(signals.last(), column) == said, (column, row)
                asked += said and column.startswith("enter")
    assert asked > 10


def test_the_pair_buys_what_fell_behind_and_shorts_the_other():
    minutes = range(60)
    steady = [100.0 + 0.05 * (m % 2) for m in minutes]
    falling = [*steady[:40], *(98.0 - 0.01 * m for m in range(6)), *steady[46:]]
    a, b = bars_of(A, minutes, falling), bars_of(B, minutes, [100.0 + 0.05 * (m % 3) for m in minutes])
    first, second = decide(PairReversion(lookback=20, give_up=10.0), [a, b])
    assert np.flatnonzero(first.enter_long).tolist() == np.flatnonzero(second.enter_short).tolist() == [40]
    assert first.exit_long[46]
    assert second.exit_short[46]
    mirrored = decide(PairReversion(lookback=20, give_up=10.0), [b, a])
    np.testing.assert_array_equal(mirrored[0].enter_short, second.enter_short)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda bars: [Signals()], "Expected Signals for each of 2 symbols, were 1"),
        (lambda bars: [Signals(), None], "Expected Signals as the answer, was None"),
        (lambda bars: Signals(), "TypeError"),
        (lambda bars: [Signals(), Signals(enter_long=np.ones(1, bool))], "one row for each of 3 bars"),
        (lambda bars: 1 // 0, "ZeroDivisionError"),
    ],
)
def test_a_joint_answer_of_the_wrong_kind_is_a_strategy_fault(answer, words):
    class Wrong(Strategy):
        together = 2

        def joint_signals(self, bars):
            return answer(bars)

    with pytest.raises(StrategyFault, match=words):
        decide(Wrong(), [bars_of(A, range(3)), bars_of(B, range(3))])


@pytest.mark.parametrize(
    "body", [{"together": 2}, {"together": 1, "joint_signals": Dearer.joint_signals},
             {"joint_signals": Dearer.joint_signals}],
)  # fmt: skip
def test_a_class_says_how_many_it_sees_and_how_it_decides_on_them_or_neither(body):
    with pytest.raises(TypeError, match="with joint_signals and together = 2 or more"):
        type("Half", (Strategy,), body)


def test_a_pair_decides_on_bars_and_is_found(tmp_path):
    assert Dearer.decides_on_bars()
    (tmp_path / "dearer.py").write_text(
        "from trader.strategy import Signals, Strategy\n"
        "class Dearer(Strategy):\n"
        "    together = 2\n"
        "    def joint_signals(self, bars):\n"
        "        return Signals(), Signals()\n"
    )
    assert Catalogue.discover(tmp_path).faults == {}


@pytest.mark.parametrize(
    ("interval", "bars"), [(Interval.S5, 4_801), (Interval.M1, 401), (Interval.M5, 81), (Interval.D1, 8)]
)
def test_a_window_holds_whole_sessions_whatever_the_interval(interval, bars):
    class OfTheDay(Strategy):
        sessions = 1
        warmup = 8  # type: ignore[assignment]  # a constant will do here

    assert OfTheDay().bars_needed(interval) == bars
    assert Dearer().bars_needed(interval) == 100
