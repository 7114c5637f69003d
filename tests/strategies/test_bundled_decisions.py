"""What the bundled strategies do, on markets small enough to follow by eye."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from strategies.breakout import Breakout
from strategies.ema_crossover import EmaCrossover
from strategies.rsi_mean_reversion import RsiMeanReversion
from trader.domain.errors import InvalidInput
from trader.domain.market import Interval
from trader.strategy import Bars
from trader.strategy.options import parse_settings


def market(*closes: float) -> Bars:
    """Bars of one rupee's reach around each close."""
    close = np.array(closes, dtype=float)
    start = np.arange(len(close), dtype=np.int64) * 60_000_000
    return Bars.of_arrays(
        "NSE:X", Interval.M1, start, close, close + 0.5, close - 0.5, close, np.ones(len(close))
    )


def rows(array) -> list[int]:
    return np.flatnonzero(array).tolist()


def legs(*levels: float, bars: int = 40) -> list[float]:
    """Straight lines from level to level."""
    pairs = pairwise(levels)
    return [price for a, b in pairs for price in np.linspace(a, b, bars, endpoint=False)]


def test_ema_crossover_turns_with_the_trend():
    signals = EmaCrossover(fast=3, slow=8).evaluate(market(*legs(150, 100, 150, 100)))
    (up,), (down,) = rows(signals.enter_long), rows(signals.enter_short)
    assert 40 < up < 50  # soon after the bottom
    assert 80 < down < 90  # soon after the top
    assert rows(signals.exit_short) == [up]
    assert rows(signals.exit_long) == [down]


def test_rsi_buys_the_recovery_and_leaves_at_the_middle():
    signals = RsiMeanReversion(period=5).evaluate(market(*legs(100, 103, 60, 90, bars=30)))
    enter, leave = rows(signals.enter_long), rows(signals.exit_long)
    assert 60 <= enter[-1] < leave[-1] < 75
    falling = range(31, 60)
    assert not set(enter) & set(falling)  # not while it still falls


def test_rsi_sells_the_fall_from_the_top_short():
    signals = RsiMeanReversion(period=5).evaluate(market(*legs(100, 97, 140, 110, bars=30)))
    enter, leave = rows(signals.enter_short), rows(signals.exit_short)
    assert 60 <= enter[-1] < leave[-1] < 75
    assert not set(enter) & set(range(31, 60))


def test_breakout_enters_on_a_close_beyond_the_channel_and_leaves_by_the_shorter_one():
    quiet = [100.0] * 10
    bars = market(*quiet, 100.5, 101.0, 103, 104, 105, 104.6, 103.5, 103.4, 98.0)
    signals = Breakout(channel=5, exit_channel=3).evaluate(bars)
    assert rows(signals.enter_long) == [12, 13, 14]  # 100.5 touches the line of 100.5: not above
    assert rows(signals.enter_short) == [18]
    assert rows(signals.exit_long) == [18]


def test_breakout_without_an_exit_channel_leaves_on_the_reversal_only():
    bars = market(*[100.0] * 10, 103, 98, 97)
    signals = Breakout(channel=5, exit_channel=0).evaluate(bars)
    assert rows(signals.exit_long) == rows(signals.enter_short) != []
    assert rows(signals.exit_short) == rows(signals.enter_long) != []


@pytest.mark.parametrize(
    ("strategy", "texts", "sentence"),
    [
        (EmaCrossover, {"fast": "30", "slow": "20"}, "fast is 30: expected less than slow, 20"),
        (RsiMeanReversion, {"middle": "45", "oversold": "45"}, "middle is 45: expected between 45 and 70"),
        (Breakout, {"exit_channel": "30"}, "exit_channel is 30: expected at most channel, 20"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(strategy, texts, sentence):
    with pytest.raises(InvalidInput) as caught:
        parse_settings(strategy, texts)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("strategy", [EmaCrossover, RsiMeanReversion, Breakout])
def test_every_bundled_strategy_explains_itself(strategy):
    assert 20 < len(strategy.describe()) <= 110
    assert all(param.help and param.span != "any number" for param in strategy.params().values())


@pytest.mark.parametrize("strategy", [EmaCrossover, RsiMeanReversion, Breakout])
def test_a_market_that_stands_still_asks_for_nothing(strategy):
    locked = market(*[100.0 + n % 3 for n in range(60)], *[101.1] * 600)
    signals = strategy().evaluate(locked)
    for array in (signals.enter_long, signals.enter_short):
        assert not array[150:].any()
