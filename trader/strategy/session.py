"""Indicators of the trading day: they begin anew with each, and NaN is what is not known yet.

All need the day from its first bar: a strategy that uses one says ``sessions = 1``.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from trader.strategy.bars import Bars
from trader.strategy.signals import BoolArray, FloatArray


def vwap(bars: Bars) -> FloatArray:
    """Volume-weighted mean of (high + low + close) / 3 since the session's first bar; NaN while nothing has
    traded."""
    traded = _session_sums(bars, bars.volume)
    worth = _session_sums(bars, bars.volume * _typical(bars))
    return _ratio(worth, traded)


def vwap_deviation(bars: Bars) -> FloatArray:
    """Volume-weighted standard deviation, in rupees, of (high + low + close) / 3 around ``vwap``, since the
    session's first bar: the square root of Σ v·p² / Σ v less the square of the mean. NaN while nothing has
    traded."""
    begins = _session_rows(bars)
    typical = _typical(bars)
    # From the session's first price: a square of the whole price would drown the spread in rounding.
    moved = typical - np.repeat(typical[begins], np.diff(begins, append=len(bars)))
    traded = _session_sums(bars, bars.volume)
    mean = _ratio(_session_sums(bars, bars.volume * moved), traded)
    square = _ratio(_session_sums(bars, bars.volume * moved**2), traded)
    spread: FloatArray = np.sqrt(np.maximum(square - mean**2, 0.0))
    return spread


def opening_range(bars: Bars, minutes: int, opens: int = 555) -> tuple[FloatArray, FloatArray]:
    """Highest high and lowest low of the bars that open in the day's first ``minutes``, counted from the
    minute of the day at which the market ``opens``. NaN until they are over, and all day without such bars
    (an evening session, a listing in the afternoon)."""
    begins, minute = _session_rows(bars), bars.minute
    if not len(bars):
        return np.empty(0), np.empty(0)
    inside = (minute >= opens) & (minute < opens + minutes)
    length = np.diff(begins, append=len(bars))
    high = np.repeat(np.maximum.reduceat(np.where(inside, bars.high, -np.inf), begins), length)
    low = np.repeat(np.minimum.reduceat(np.where(inside, bars.low, np.inf), begins), length)
    known = (minute >= opens + minutes) & np.isfinite(high)
    return np.where(known, high, np.nan), np.where(known, low, np.nan)


def first_of_day(bars: Bars, condition: BoolArray) -> BoolArray:
    """``condition`` where it holds for the first time in its trading day."""
    so_far = _session_sums(bars, np.asarray(condition, dtype=np.float64))
    first: BoolArray = condition & (so_far == 1.0)
    return first


def _session_rows(bars: Bars) -> npt.NDArray[np.intp]:
    """The row of each trading day's first bar."""
    return np.flatnonzero(np.diff(bars.day, prepend=-1))


def _session_sums(bars: Bars, values: FloatArray) -> FloatArray:
    """Running sums that begin anew with each trading day. Day by day, so that they come out the same to the
    last bit whatever days there are before."""
    sums = np.empty(len(values))
    for begin, end in pairwise([*_session_rows(bars), len(values)]):
        np.cumsum(values[begin:end], out=sums[begin:end])
    return sums


def _typical(bars: Bars) -> FloatArray:
    price: FloatArray = (bars.high + bars.low + bars.close) / 3
    return price


def _ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    """NaN where ``b`` is not above zero."""
    result = np.full(len(a), np.nan)
    np.divide(a, b, out=result, where=b > 0)
    return result
