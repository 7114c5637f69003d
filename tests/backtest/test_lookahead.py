"""Strategies that cheat, forget or break are caught; honest ones pass."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import pytest

from trader.backtest.lookahead import check
from trader.backtest.madeup import made_up, otherwise, ticks
from trader.backtest.verdict import Finding, Grade, Verdict
from trader.domain.errors import InvalidInput
from trader.domain.market import Interval
from trader.strategy import Bars, Param, Signal, Signals, Strategy, crossed_above, ema, rsi, sma
from trader.strategy.catalogue import Catalogue

BUNDLED = Catalogue.discover(Path(__file__).resolve().parents[2] / "strategies")


@pytest.mark.parametrize("interval", [Interval.M1, Interval.M15])
@pytest.mark.parametrize("name", BUNDLED.names())
def test_every_bundled_strategy_passes(name, interval):
    verdict = check(BUNDLED.get(name), interval=interval)
    assert [line for line in verdict.lines(200) if not line.startswith("✓")] == []


# -- the future -----------------------------------------------------------------------------------------


class Rolled(Strategy):
    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=crossed_above(np.roll(bars.close, -1), sma(bars.close, 20)))


class NextClose(Strategy):
    """Peeks only where there is something to peek at, so its last row is always honest."""

    def signals(self, bars: Bars) -> Signals:
        later = np.append(bars.close[1:], bars.close[-1:])
        return Signals(enter_long=later > bars.close * 1.002)


class WholeMean(Strategy):
    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=crossed_above(bars.close, bars.close.mean()))


class Centred(Strategy):
    def signals(self, bars: Bars) -> Signals:
        smooth = bars.frame.close.rolling(9, center=True, min_periods=1).mean()
        return Signals(enter_long=crossed_above(bars.close, smooth.to_numpy()))


class DaysHigh(Strategy):
    """Sells at the high of a day that is not over."""

    def signals(self, bars: Bars) -> Signals:
        frame = bars.frame
        top = frame.high.groupby(bars.day).transform("max")
        return Signals(enter_short=frame.high == top)


class Backfilled(Strategy):
    def signals(self, bars: Bars) -> Signals:
        mean = bars.frame.close.rolling(20).mean().shift(-5).bfill()
        return Signals(enter_long=bars.frame.close < mean)


class RarePeek(Strategy):
    """Looks three bars ahead on one bar in some hundred."""

    def signals(self, bars: Bars) -> Signals:
        ahead = np.concatenate([bars.close[3:], np.full(min(3, len(bars)), np.inf)])
        return Signals(enter_long=(ahead > bars.close * 1.004) & (bars.minute % 60 == 7))


class LengthWise(Strategy):
    """Knows when the data ends."""

    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=np.arange(len(bars)) == len(bars) - 10)


class JointPeek(Strategy):
    together = 2

    def joint_signals(self, bars):
        first, second = bars
        return Signals(enter_long=first.close > np.roll(second.close, -1)), Signals()


CHEATS = [Rolled, NextClose, WholeMean, Centred, DaysHigh, Backfilled, RarePeek, LengthWise, JointPeek]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("cheat", CHEATS, ids=lambda kind: kind.name)
def test_whoever_looks_ahead_is_refused(cheat, seed):
    verdict = check(cheat, seed=seed)
    assert verdict.grade is Grade.FAIL
    assert [finding.title for finding in verdict.of(Grade.FAIL)] == ["Look-ahead"]
    assert "is another once later bars are known" in verdict.sentence


def test_a_look_ahead_is_named_with_its_column_and_bar():
    assert check(WholeMean).sentence.startswith("Look-ahead: enter_long of the bar of ")


# -- memory ---------------------------------------------------------------------------------------------


class Counting(Strategy):
    calls = 0

    def signals(self, bars: Bars) -> Signals:
        self.calls += 1
        return Signals(enter_long=np.arange(len(bars)) % (self.calls + 1) == 0)


class Shared(Strategy):
    """Its memory is the class's, so a fresh object remembers, too."""

    seen = count()

    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=np.full(len(bars), next(self.seen) % 3 == 0))


class Chance(Strategy):
    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=np.random.default_rng().random(len(bars)) < 0.1)


class Latched(Strategy):
    """Remembers the highest close it was ever shown."""

    top = 0.0

    def signals(self, bars: Bars) -> Signals:
        self.top = max(self.top, float(bars.close.max()))
        return Signals(enter_long=bars.close > self.top * 0.999)


@pytest.mark.parametrize("kind", [Counting, Shared, Chance, Latched], ids=lambda kind: kind.name)
def test_whoever_remembers_is_refused(kind):
    assert "Memory" in [finding.title for finding in check(kind).of(Grade.FAIL)]


# -- warm-up --------------------------------------------------------------------------------------------


class Forgetful(Strategy):
    """An RSI with far too short a window."""

    period = Param(14, low=2, high=100)
    warmup = 20

    def signals(self, bars: Bars) -> Signals:
        strength = rsi(bars.close, self.period)
        return Signals(enter_long=crossed_above(strength, 30), exit_long=crossed_above(strength, 50))


class FromTheFirst(Strategy):
    """Measures from wherever its bars begin."""

    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=bars.close > bars.close[0] * 1.001)


class NoWarmup(Strategy):
    period = Param(14, low=2, high=100)

    @property
    def warmup(self) -> int:
        return self.period // 0

    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=crossed_above(bars.close, ema(bars.close, self.period)))


def test_a_window_too_short_is_told_with_one_that_would_do():
    (finding,) = check(Forgetful).of(Grade.WARN)
    assert finding.title == "Warm-up"
    suggested = int(finding.text.partition("A warmup of ")[2].partition(" would do")[0].replace(",", ""))

    class Remembering(Forgetful):
        warmup = suggested

    assert check(Remembering).grade is Grade.OK


def test_where_no_window_is_long_enough_that_is_told():
    (finding,) = check(FromTheFirst).of(Grade.WARN)
    assert "No longer window helped" in finding.text


def test_a_warm_up_that_raises_is_the_strategys_fault():
    verdict = check(NoWarmup)
    assert verdict.of(Grade.FAIL)[0].text.startswith("asking for it raised ZeroDivisionError")


# -- code -----------------------------------------------------------------------------------------------


class Breaks(Strategy):
    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=bars.close > bars.close[30])  # there are not always thirty


class BreaksAtExtremes(Strategy):
    length = Param(10, low=0, high=50)

    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=crossed_above(bars.close, sma(bars.close, 20 // self.length + 2)))


class Silent(Strategy):
    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=bars.close < 0)


class WrongShape(Strategy):
    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=bars.close[1:] > bars.close[:-1])


class LoudTicks(Strategy):
    def on_tick(self, tick, holding):
        return Signal(enter_long=1 // (tick.volume - tick.volume) > 0)


@pytest.mark.parametrize(
    ("kind", "grade", "title", "words"),
    [
        (Breaks, Grade.FAIL, "Code", "on a single bar: breaks raised IndexError"),
        (WrongShape, Grade.FAIL, "Code", "Expected enter_long with one row for each"),
        (LoudTicks, Grade.FAIL, "Code", "loud_ticks raised ZeroDivisionError"),
        (BreaksAtExtremes, Grade.WARN, "Parameters", "with length=0: breaks_at_extremes raised ZeroDivision"),
        (Silent, Grade.WARN, "Signals", "none on 1,494 bars of 1m: it would never enter."),
    ],
)
def test_what_breaks_is_told_in_its_own_words(kind, grade, title, words):
    told = [finding for finding in check(kind).findings if finding.title == title and finding.grade is grade]
    assert [words in finding.text for finding in told] == [True]


def test_the_settings_checked_are_the_ones_given():
    assert check(BreaksAtExtremes, {"length": "5"}).grade is Grade.WARN
    with pytest.raises(InvalidInput, match="length is 99"):
        check(BreaksAtExtremes, {"length": "99"})


def test_candles_given_are_the_ones_used():
    bars = made_up(Interval.M5, 900, seed=4)[0]
    verdict = check(BUNDLED.get("ema_crossover"), bars=[bars])
    assert f"on {len(bars)} bars." in " ".join(f.text for f in verdict.findings)
    with pytest.raises(InvalidInput, match="Expected bars of 2 for pair_reversion, were of 1"):
        check(BUNDLED.get("pair_reversion"), bars=[bars])


def test_too_few_candles_for_a_comparison_are_told():
    bars = made_up(Interval.M1, 300)[0]
    (finding,) = check(BUNDLED.get("ema_crossover"), bars=[bars]).of(Grade.WARN)
    assert finding.text.startswith("of 525 bars not compared")


def test_a_check_comes_out_the_same_every_time():
    def told(verdict: Verdict) -> list[str]:
        return [
            line for f in verdict.findings if f.title not in ("Time", "Future", "Warm-up") for line in f.text
        ]

    assert told(check(Forgetful)) == told(check(Forgetful))


# -- words and made-up markets --------------------------------------------------------------------------


def test_a_verdict_fits_a_phone():
    verdict = check(Rolled)
    lines = verdict.lines()
    assert max(map(len, lines)) <= 34
    assert lines[0].startswith("✗ Look-ahead: ")
    assert [line for line in lines if line[0] not in "✓!✗ "] == []


def test_the_sentence_is_the_worst_of_it():
    good, bad = Finding(Grade.OK, "Time", "fast."), Finding(Grade.WARN, "Warm-up", "short.")
    assert Verdict("x", [good]).sentence.startswith("Checked: ")
    assert Verdict("x", [good, bad]).sentence == "Warm-up: short."


@pytest.mark.parametrize("interval", [Interval.S5, Interval.M1, Interval.H1, Interval.D1])
def test_made_up_bars_are_bars(interval):
    first, second = made_up(interval, 2_000, symbols=2, seed=3)
    assert len(first) > 1_900
    assert not np.array_equal(first.start, second.start)  # each lacks some
    for bars in (first, second):
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()
        assert (bars.minute >= 555).all()
        assert (bars.minute < 930).all()
        assert np.allclose(bars.close * 20, np.round(bars.close * 20))


def test_another_future_leaves_the_past_alone():
    bars = made_up(Interval.M1, 500)[0]
    other = otherwise(bars, 200, 1)
    assert np.array_equal(other.table[:, :200], bars.table[:, :200])
    assert (other.close[200:] != bars.close[200:]).mean() > 0.9
    assert (other.high >= other.low).all()


def test_made_up_ticks_run_through_the_bars():
    bars = made_up(Interval.M1, 400)[0]
    seen = list(ticks(bars))
    assert len(seen) == 4 * len(bars)
    assert [tick.last for tick in seen[3::4]] == bars.close.tolist()
    assert {tick.last for tick in seen} == set(bars.table[:4].ravel().tolist())
