"""What the bundled strategies do, on markets small enough to follow by eye."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from strategies.bollinger_reversion import BollingerReversion
from strategies.breakout import Breakout
from strategies.ema_crossover import EmaCrossover
from strategies.macd_crossover import MacdCrossover
from strategies.opening_range_breakout import OpeningRangeBreakout
from strategies.pair_reversion import PairReversion
from strategies.rsi_mean_reversion import RsiMeanReversion
from strategies.supertrend import Supertrend
from strategies.tick_imbalance import TickImbalance
from strategies.vwap_reversion import VwapReversion
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.strategy import Bars, Holding, Signal, Tick
from trader.strategy.options import parse_settings

OPEN = 225  # minutes from 05:30, where 1970 begins in India, to 09:15


def market(*closes: float, opens: int = 0) -> Bars:
    """Bars of one rupee's reach around each close, a minute each."""
    close = np.array(closes, dtype=float)
    start = (np.arange(len(close), dtype=np.int64) + opens) * 60_000_000
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


def test_macd_turns_with_momentum_before_the_price_does():
    prices = [100.0] * 60 + [100 + 0.02 * n * n for n in range(30)] + [118 + 2.0 * n**0.5 for n in range(60)]
    signals = MacdCrossover().evaluate(market(*prices))
    assert rows(signals.enter_long)[0] in range(60, 64)  # momentum gathers
    assert rows(signals.enter_short)[0] in range(88, 110)  # and goes, while the price still rises
    assert rows(signals.exit_long) == rows(signals.enter_short)


def test_supertrend_turns_when_the_band_breaks_and_not_before():
    prices = [*legs(100, 130, bars=60), *legs(130, 128, bars=10), *legs(128, 100, bars=40)]
    signals = Supertrend(period=5, width=3).evaluate(market(*prices))
    (down,) = rows(signals.enter_short)
    assert 70 < down < 80  # the dip of two rupees was nothing
    assert rows(signals.exit_long) == [down]


def test_bollinger_buys_the_way_back_and_leaves_at_the_average():
    quiet = [100.0 + 0.2 * (n % 2) for n in range(30)]
    signals = BollingerReversion(period=10).evaluate(market(*quiet, 97, 96.5, 98, 99, 100, 100.2, 100))
    assert rows(signals.enter_long) == [32]  # 98 is back inside
    assert rows(signals.exit_long)[-1] == 34
    assert rows(signals.enter_short) == []


def test_the_opening_range_is_traded_once_a_day_each_way_until_its_hour():
    opening = [100, 101, 99, 100, 100]
    bars = market(*opening, 100, 102, 103, 101, 102, 98, 97, 102, opens=OPEN)
    signals = OpeningRangeBreakout(minutes=5, until=570).evaluate(bars)
    assert rows(signals.enter_long) == [6]  # 102 is above 101.5; 103 and the second 102 are not the first
    assert rows(signals.enter_short) == [10]
    assert rows(signals.exit_long) == [10, 11]
    assert rows(signals.exit_short) == [6, 7, 9, 12]
    late = OpeningRangeBreakout(minutes=5, until=561).evaluate(bars)
    assert (rows(late.enter_long), rows(late.enter_short)) == ([6], [])


def test_the_opening_ranges_exit_is_its_other_end():
    bars = market(100, 101, 99, 100, 100, 102, 101, 99, 98, opens=OPEN)
    signals = OpeningRangeBreakout(minutes=5).evaluate(bars)
    assert rows(signals.exit_long) == [8]  # back inside is not enough


def test_vwap_reversion_buys_the_way_back_within_its_hours():
    prices = [100.0, 100.2] * 20 + [97, 96, 97.5, 99, 100.5] + [100.0] * 5
    signals = VwapReversion(settle=5).evaluate(market(*prices, opens=OPEN))
    (entry,) = rows(signals.enter_long)
    assert 41 <= entry <= 43
    assert signals.exit_long[44]
    assert not signals.exit_long[40:43].any()
    assert rows(VwapReversion(settle=60).evaluate(market(*prices, opens=OPEN)).enter_long) == []
    assert rows(VwapReversion(settle=5).evaluate(market(*prices, opens=OPEN + 360)).enter_long) == []


# -- ticks ----------------------------------------------------------------------------------------------


def stream(*moves: tuple[float, int], opens: str = "2026-11-23T09:15:00+05:30") -> list[Tick]:
    """A tick a second: the price, and what was traded for it."""
    at, traded = datetime.fromisoformat(opens).astimezone(IST), 0
    found = []
    for second, (price, shares) in enumerate(moves):
        traded += shares
        found.append(Tick(InstrumentKey("NSE:X"), at + timedelta(seconds=second), price, traded))
    return found


def test_tick_imbalance_goes_with_the_volume_that_moves_the_price():
    quiet = [(100.0 + 0.05 * (n % 2), 100) for n in range(30)]
    rush = [(100.1 + 0.05 * n, 500) for n in range(10)]
    back = [(100.5 - 0.05 * n, 500) for n in range(20)]
    strategy, holding = TickImbalance(span=10), Holding()
    said: list[tuple[int, Signal]] = []
    for second, tick in enumerate(stream(*quiet, *rush, *back)):
        signal = strategy.evaluate_tick(tick, holding)
        if signal.enter_long and not holding.quantity:
            holding = Holding(10, tick.last)
            said.append((second, signal))
        elif signal.exit_long and holding.quantity > 0:
            holding = Holding()
            said.append((second, signal))
    (into, _), (out, _) = said
    assert 32 <= into < 40 < out < 55


def test_ticks_that_do_not_move_belong_to_the_last_that_did():
    strategy = TickImbalance(span=5)
    ticks = stream((100.0, 10), (100.05, 10), *[(100.05, 10)] * 8)
    assert [strategy.evaluate_tick(tick).enter_long for tick in ticks][-1]


def test_another_day_begins_anew():
    strategy = TickImbalance(span=5)
    for tick in stream(*[(100.0 + 0.05 * n, 10) for n in range(10)]):
        last = strategy.evaluate_tick(tick)
    assert last.enter_long
    tomorrow = stream(*[(101.0, 10)] * 5, opens="2026-11-25T09:15:00+05:30")
    assert not any(strategy.evaluate_tick(tick).any for tick in tomorrow)


# -- all of them ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "texts", "sentence"),
    [
        (EmaCrossover, {"fast": "30", "slow": "20"}, "fast is 30: expected less than slow, 20"),
        (RsiMeanReversion, {"middle": "45", "oversold": "45"}, "middle is 45: expected between 45 and 70"),
        (Breakout, {"exit_channel": "30"}, "exit_channel is 30: expected at most channel, 20"),
        (MacdCrossover, {"fast": "30"}, "fast is 30: expected less than slow, 26"),
        (
            OpeningRangeBreakout,
            {"minutes": "60", "until": "600"},
            "until is 10:00: expected 10:15, where the range ends, or later",
        ),
        (
            PairReversion,
            {"enter": "4"},
            "enter is 4: expected between leave, 0, and give_up, 4",
        ),
        (TickImbalance, {"enter": "0.2", "leave": "0.3"}, "leave is 0.3: expected less than enter, 0.2"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(strategy, texts, sentence):
    with pytest.raises(InvalidInput) as caught:
        parse_settings(strategy, texts)
    assert str(caught.value) == sentence


ON_BARS = [
    EmaCrossover,
    RsiMeanReversion,
    Breakout,
    MacdCrossover,
    Supertrend,
    BollingerReversion,
    OpeningRangeBreakout,
    VwapReversion,
]


@pytest.mark.parametrize("strategy", [*ON_BARS, PairReversion, TickImbalance])
def test_every_bundled_strategy_explains_itself(strategy):
    assert 20 < len(strategy.describe()) <= 110
    assert all(param.help and param.span != "any number" for param in strategy.params().values())


@pytest.mark.parametrize("strategy", ON_BARS)
def test_a_market_that_stands_still_asks_for_nothing(strategy):
    locked = market(*[100.0 + n % 3 for n in range(60)], *[101.1] * 600)
    signals = strategy().evaluate(locked)
    for array in (signals.enter_long, signals.enter_short):
        assert not array[150:].any()
