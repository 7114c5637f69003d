"""What a strategy is written with; ``docs/strategies.md`` shows how. Strategies import from here only."""

from trader.domain.market import Interval, Tick
from trader.strategy.bars import Bars
from trader.strategy.indicators import (
    adx,
    atr,
    bbands,
    channel_high,
    channel_low,
    crossed_above,
    crossed_below,
    ema,
    highest,
    lowest,
    macd,
    rate_of_change,
    rsi,
    sma,
    stdev,
    supertrend,
    true_range,
    wma,
    zscore,
)
from trader.strategy.param import Param
from trader.strategy.session import first_of_day, opening_range, vwap, vwap_deviation
from trader.strategy.signals import BoolArray, FloatArray, Signal, Signals
from trader.strategy.strategy import Holding, Strategy

__all__ = [
    "Bars",
    "BoolArray",
    "FloatArray",
    "Holding",
    "Interval",
    "Param",
    "Signal",
    "Signals",
    "Strategy",
    "Tick",
    "adx",
    "atr",
    "bbands",
    "channel_high",
    "channel_low",
    "crossed_above",
    "crossed_below",
    "ema",
    "first_of_day",
    "highest",
    "lowest",
    "macd",
    "opening_range",
    "rate_of_change",
    "rsi",
    "sma",
    "stdev",
    "supertrend",
    "true_range",
    "vwap",
    "vwap_deviation",
    "wma",
    "zscore",
]
