"""Indicators over NumPy arrays, oldest value first, NaN until there are enough bars.

The classic ones are TA-Lib's (https://ta-lib.org/functions), imported at first use.
"""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from trader.strategy.bars import Bars
from trader.strategy.signals import BoolArray, FloatArray
from trader.strategy.sparing import numba
from trader.strategy.ta import talib

Values = npt.NDArray[np.floating[Any]] | npt.NDArray[np.integer[Any]]

# Two averages of a price that stands still (a stock locked at its circuit limit) differ by rounding only;
# a billionth is far below a tick of any price and far above what rounding leaves.
_SAME = 1e-9

_WORTH_COMPILING = 20_000  # rows: below this Numba's import takes longer than the loop


# -- averages -------------------------------------------------------------------------------------------


def sma(values: Values, period: int) -> FloatArray:
    """Mean of the last ``period`` values."""
    return _array(talib().SMA(_floats(values), period))


def ema(values: Values, period: int) -> FloatArray:
    """Exponential average; the newest value weighs 2 / (period + 1). Begins with a simple average."""
    return _array(talib().EMA(_floats(values), period))


def wma(values: Values, period: int) -> FloatArray:
    """Mean of the last ``period`` values with weights 1 … period, the newest heaviest."""
    return _array(talib().WMA(_floats(values), period))


# -- momentum and range ---------------------------------------------------------------------------------


def rsi(values: Values, period: int = 14) -> FloatArray:
    """Wilder's relative strength index, 0 to 100 (New Concepts in Technical Trading Systems, 1978).

    NaN after ``10 × period`` values without any change: a market that stands still has no strength, and
    TA-Lib's answer for it, 0, would read as oversold and the next tick as a recovery.
    """
    floats = _floats(values)
    result = _array(talib().RSI(floats, period))
    rows = np.arange(len(floats))
    changed = np.zeros(len(floats), dtype=np.int64)
    np.maximum.accumulate(np.where(floats[1:] != floats[:-1], rows[1:], 0), out=changed[1:])
    result[rows - changed >= 10 * period] = np.nan
    return result


def macd(
    values: Values, fast: int = 12, slow: int = 26, signal: int = 9
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The MACD line (fast EMA less slow EMA), its signal line, and the difference of the two."""
    line, average, histogram = talib().MACD(_floats(values), fast, slow, signal)
    return _array(line), _array(average), _array(histogram)


def bbands(
    values: Values, period: int = 20, deviations: float = 2.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bollinger's upper band, middle (simple average) and lower band."""
    upper, middle, lower = talib().BBANDS(_floats(values), period, deviations, deviations)
    return _array(upper), _array(middle), _array(lower)


def true_range(bars: Bars) -> FloatArray:
    """Wilder's: the bar's range, widened to the previous close. The first bar's is its own range."""
    result = bars.high - bars.low
    result[1:] = np.maximum(bars.high[1:], bars.close[:-1]) - np.minimum(bars.low[1:], bars.close[:-1])
    return result


def atr(bars: Bars, period: int = 14) -> FloatArray:
    """Wilder's average true range, in rupees."""
    return _array(talib().ATR(bars.high, bars.low, bars.close, period))


def adx(bars: Bars, period: int = 14) -> FloatArray:
    """Wilder's average directional index: how much of a trend, 0 to 100, whichever way."""
    return _array(talib().ADX(bars.high, bars.low, bars.close, period))


def stdev(values: Values, period: int) -> FloatArray:
    """Standard deviation of the last ``period`` values, dividing by ``period``."""
    return _array(talib().STDDEV(_floats(values), period, 1.0))


def zscore(values: Values, period: int) -> FloatArray:
    """How many standard deviations the value is from the mean of the last ``period``, itself included; they
    divide by ``period``, so the bands of ``bbands`` are at plus and minus ``deviations``. NaN where none of
    them differs from the others.

    Summed anew for every row, not run on from one to the next as TA-Lib does: a row comes out the same
    whatever came before its window, and a market that stands still has a deviation of nothing, not of what
    rounding left.
    """
    floats = _floats(values)
    rows = len(floats) - period + 1
    result = np.full(len(floats), np.nan)
    if rows < 1:
        return result
    mean = sum((floats[n : n + rows] for n in range(period)), np.zeros(rows)) / period
    square = np.zeros(rows)
    for n in range(period):
        square += (floats[n : n + rows] - mean) ** 2
    deviation = np.sqrt(square / period)
    moved = highest(floats, period)[period - 1 :] > lowest(floats, period)[period - 1 :]
    np.divide(floats[period - 1 :] - mean, deviation, out=result[period - 1 :], where=moved)
    return result


def rate_of_change(values: Values, period: int) -> FloatArray:
    """Percent against ``period`` values ago."""
    return _array(talib().ROC(_floats(values), period))


# -- trend ----------------------------------------------------------------------------------------------


def supertrend(bars: Bars, period: int = 10, width: float = 3.0) -> tuple[FloatArray, FloatArray]:
    """Seban's trailing band and the direction it stands for: 1 with the band below the price, -1 above.

    Bands are (high + low) / 2 ± ``width`` × ATR(``period``); the lower one only rises while closes stay
    above it, the upper one only falls while they stay below, and the direction turns on the first close
    beyond the band that is in force (TradingView's ta.supertrend, with the sign the other way round). Until
    one of the two is broken nobody knows the direction: it is 0 then, and the band NaN.
    """
    ranges = atr(bars, period)
    middle = (bars.high + bars.low) / 2
    lower, upper, close = middle - width * ranges, middle + width * ranges, _floats(bars.close)
    line, direction = np.full(len(bars), np.nan), np.zeros(len(bars))
    if len(bars) > _WORTH_COMPILING:
        _supertrend_compiled()(lower, upper, close, line, direction)
        return line, direction
    lines, directions = line.tolist(), direction.tolist()  # plain lists are three times as fast here
    _supertrend(lower.tolist(), upper.tolist(), close.tolist(), lines, directions)
    return np.array(lines), np.array(directions)


def _supertrend(lower: Any, upper: Any, close: Any, line: Any, direction: Any) -> None:
    """Plain loops for Numba, and for the few hundred rows of a live window without it. The first bands are
    NaN, with which every comparison is False."""
    floor = ceiling = previous = np.nan
    way = 0.0
    for n in range(len(close)):
        low, high, price = lower[n], upper[n], close[n]
        if not (low <= floor and previous >= floor):
            floor = low
        if not (high >= ceiling and previous <= ceiling):
            ceiling = high
        if price > ceiling and way <= 0.0:
            way = 1.0
        elif price < floor and way >= 0.0:
            way = -1.0
        if way != 0.0:
            line[n] = floor if way > 0.0 else ceiling
        direction[n] = way
        previous = price


@cache
def _supertrend_compiled() -> Any:
    return numba().njit(cache=True)(_supertrend)


# -- channels and crossings -----------------------------------------------------------------------------


def highest(values: Values, period: int) -> FloatArray:
    """Highest of the last ``period`` values, this one included."""
    floats = _floats(values)
    return floats.copy() if period == 1 else _array(talib().MAX(floats, period))


def lowest(values: Values, period: int) -> FloatArray:
    """Lowest of the last ``period`` values, this one included."""
    floats = _floats(values)
    return floats.copy() if period == 1 else _array(talib().MIN(floats, period))


def channel_high(bars: Bars, period: int) -> FloatArray:
    """Donchian's upper line: the highest high of the ``period`` bars before this one. Without this one, or
    no close could ever be above it."""
    return _previous(highest(bars.high, period))


def channel_low(bars: Bars, period: int) -> FloatArray:
    """Donchian's lower line: the lowest low of the ``period`` bars before this one."""
    return _previous(lowest(bars.low, period))


def crossed_above(a: Values | float, b: Values | float) -> BoolArray:
    """Where ``a`` is above ``b`` and on the bar before was not. Either may be one number. False on the first
    bar, and where any of the four values is NaN."""
    a, b = _paired(a, b)
    if len(a) > _WORTH_COMPILING:
        found = np.empty(len(a), dtype=np.bool_)
        _crossings_compiled()(_floats(a), _floats(b), _SAME, found)
        return found
    gap, same = a - b, _SAME * np.maximum(np.abs(a), np.abs(b))
    result = np.zeros(len(gap), dtype=np.bool_)
    np.logical_and((gap > same)[1:], (gap <= same)[:-1], out=result[1:])
    return result


def crossed_below(a: Values | float, b: Values | float) -> BoolArray:
    """Where ``a`` is below ``b`` and on the bar before was not; else as ``crossed_above``."""
    return crossed_above(b, a)


def _crossings(a: Any, b: Any, same: float, found: Any) -> None:
    """A plain loop for Numba: once over years of bars, without the eight arrays NumPy would make."""
    was_not = False
    for n in range(len(found)):
        gap = a[n] - b[n]
        limit = same * max(abs(a[n]), abs(b[n]))
        found[n] = was_not and gap > limit
        was_not = gap <= limit


@cache
def _crossings_compiled() -> Any:
    compiled = numba().njit(nogil=True)(_crossings)
    with contextlib.suppress(RuntimeError):  # no folder that Numba may write to: compiled in every process
        compiled.enable_caching()
    return compiled


# -- arrays ---------------------------------------------------------------------------------------------


def _floats(values: Values) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)  # what TA-Lib takes; no copy where it already is


def _array(result: Any) -> FloatArray:
    array: FloatArray = result
    return array


def _previous(values: FloatArray) -> FloatArray:
    result = np.full(len(values), np.nan)
    result[1:] = values[:-1]
    return result


def _paired(a: Values | float, b: Values | float) -> tuple[FloatArray, FloatArray]:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.ndim == 1 and a.shape == b.shape:
        return np.asarray(a, np.float64), np.asarray(b, np.float64)  # nearly always
    left, right = np.atleast_1d(np.asarray(a, np.float64)), np.atleast_1d(np.asarray(b, np.float64))
    if left.shape != right.shape and 1 not in (left.size, right.size):
        raise ValueError(f"Expected arrays of the same length, were {left.size} and {right.size} values")
    paired = np.broadcast_arrays(left, right)
    return paired[0], paired[1]
