"""Live sees a window, a backtest sees years: the bundled strategies must decide the same on both, and must
never look ahead. Checked on real candles and on seeded ones."""

from __future__ import annotations

import numpy as np
import pytest
from real_bars import real_bars

from strategies.bollinger_reversion import BollingerReversion
from strategies.breakout import Breakout
from strategies.ema_crossover import EmaCrossover
from strategies.macd_crossover import MacdCrossover
from strategies.opening_range_breakout import OpeningRangeBreakout
from strategies.rsi_mean_reversion import RsiMeanReversion
from strategies.supertrend import Supertrend
from strategies.vwap_reversion import VwapReversion
from trader.strategy import Bars, Param, Signal, Signals, Strategy, crossed_above, rsi
from trader.strategy.window import BarWindow

BUNDLED = [
    EmaCrossover(),
    EmaCrossover(fast=20, slow=50),
    RsiMeanReversion(),
    RsiMeanReversion(period=2),
    Breakout(),
    Breakout(channel=55, exit_channel=0),
    OpeningRangeBreakout(),
    OpeningRangeBreakout(minutes=60),
    VwapReversion(),
    VwapReversion(deviations=1.0),
    Supertrend(),
    Supertrend(period=21, width=2.0),
    MacdCrossover(),
    MacdCrossover(fast=5, slow=35, signal=5),
    BollingerReversion(),
    BollingerReversion(period=50, deviations=1.5),
]
SOURCES = ["SBIN", "TCS", "seed 1", "seed 2"]
LONGEST_PREFIX = 1_000


@pytest.fixture(params=SOURCES)
def market(request, make_bars) -> Bars:
    kind, _, seed = request.param.partition(" ")
    return make_bars(3_000, int(seed)) if kind == "seed" else real_bars(kind)[:4_000]


def row(signals: Signals, n: int) -> Signal:
    columns = (signals.enter_long, signals.exit_long, signals.enter_short, signals.exit_short)
    return Signal(*(column is not None and bool(column[n]) for column in columns))


def telling(signals: Signals, length: int) -> set[int]:
    """The rows on which it changes its mind, those before them, and some between."""
    turns = {n for n in range(1, length) if row(signals, n) != row(signals, n - 1)}
    return turns | {n - 1 for n in turns} | set(range(0, length, 29))


@pytest.mark.parametrize("strategy", BUNDLED, ids=repr)
def test_no_strategy_looks_ahead(strategy, market):
    """The last row of every prefix is that row of the whole."""
    whole = strategy.evaluate(market[:LONGEST_PREFIX])
    for n in telling(whole, LONGEST_PREFIX):
        assert strategy.evaluate(market[: n + 1]).last() == row(whole, n), n


@pytest.mark.parametrize("strategy", BUNDLED, ids=repr)
def test_the_warm_window_decides_as_the_whole_history_does(strategy, market):
    whole = strategy.evaluate(market)
    window = BarWindow(market.key, market.interval, strategy.bars_needed(market.interval))
    asked, compared = 0, telling(whole, len(market))
    for n in range(len(market)):
        window.append(market[n])
        if n in compared:
            assert strategy.evaluate(window.bars).last() == row(whole, n), n
            asked += row(whole, n).any
    assert asked > 20  # or nothing was compared


def test_the_strategies_on_trial_do_decide_something(market):
    for strategy in BUNDLED:
        signals = strategy.evaluate(market)
        counts = [signals.enter_long.sum(), signals.enter_short.sum()]
        assert min(counts) > 2, strategy


# -- the checks can fail -------------------------------------------------------------------------------


class Peeking(Strategy):
    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=bars.close > np.mean(bars.close))  # the mean of the future, too


class Forgetful(Strategy):
    """An RSI with the customary five periods of warm-up."""

    period = Param(14)
    warmup = 70

    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=crossed_above(rsi(bars.close, self.period), 30))


def test_looking_ahead_is_noticed(make_bars):
    bars = make_bars(300)
    whole = Peeking().evaluate(bars)
    assert any(Peeking().evaluate(bars[: n + 1]).last() != row(whole, n) for n in range(300))


def test_five_periods_of_warmup_would_not_do():
    bars, strategy = real_bars("HDFCBANK"), Forgetful()
    whole = strategy.evaluate(bars)
    rows = range(strategy.warmup, len(bars))
    wrong = sum(strategy.signals(bars[n + 1 - strategy.warmup : n + 1]).last() != row(whole, n) for n in rows)
    assert wrong > 0
