"""The trading day's indicators, the z-score and the Supertrend, against their definitions written out."""

from __future__ import annotations

import numpy as np
import pytest
import talib

from trader.domain.market import Interval
from trader.strategy import (
    Bars,
    atr,
    bbands,
    first_of_day,
    indicators,
    opening_range,
    supertrend,
    vwap,
    vwap_deviation,
    zscore,
)

NAN = float("nan")


@pytest.fixture(scope="module")
def bars(make_bars):
    return make_bars(1_700, seed=5)


def day(opens: int, *rows: tuple[float, float, float, float], number: int = 0, volume: float = 10.0) -> Bars:
    """One bar a minute from ``opens`` (minutes since midnight)."""
    start = ((number * 1440 + opens - 330 + np.arange(len(rows))) * 60_000_000).astype(np.int64)
    columns = [np.array(column, dtype=float) for column in zip(*rows, strict=True)]
    return Bars.of_arrays("NSE:X", Interval.M1, start, *columns, np.full(len(rows), volume))


def joined(*days: Bars) -> Bars:
    start = np.concatenate([one.start for one in days])
    return Bars.of_arrays("NSE:X", Interval.M1, start, *np.concatenate([one.table for one in days], axis=1))


def flat(*prices: float) -> list[tuple[float, float, float, float]]:
    return [(price, price + 1, price - 1, price) for price in prices]


# -- z-score --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [2, 5, 20])
def test_the_zscore_is_the_distance_from_the_mean_in_deviations(bars, period):
    close = bars.close
    expected = np.full(len(close), NAN)
    for n in range(period - 1, len(close)):
        window = close[n + 1 - period : n + 1]
        if window.min() < window.max():
            expected[n] = (close[n] - window.mean()) / window.std()
    np.testing.assert_allclose(zscore(close, period), expected, rtol=1e-7, atol=1e-7)


def test_bollingers_bands_are_at_plus_and_minus_the_deviations(bars):
    score = zscore(bars.close, 20)
    upper, middle, lower = bbands(bars.close, 20, 2.0)
    moving = ~np.isnan(score) & (upper - lower > 1e-3)
    assert moving.sum() > 1_000
    bands = (bars.close - middle)[moving] / (upper - middle)[moving] * 2
    np.testing.assert_allclose(score[moving], bands, rtol=1e-4, atol=1e-4)


def test_a_zscore_comes_out_the_same_to_the_last_bit_whatever_came_before(bars):
    whole = zscore(bars.close, 20)
    for begin in (1, 333, 1_000):
        np.testing.assert_array_equal(zscore(bars.close[begin:], 20)[19:], whole[begin + 19 :])


def test_a_market_that_stands_still_has_no_zscore():
    values = np.array([100.1] * 30 + [100.15])
    assert np.isnan(zscore(values, 10)[:30]).all()
    assert zscore(values, 10)[30] == pytest.approx(3.0)


# -- the day --------------------------------------------------------------------------------------------


def test_the_opening_range_is_known_once_it_is_over():
    bars = joined(
        day(555, *flat(100, 104, 97, 120, 90)),
        day(555, *flat(50, 51), number=1),
        day(558, *flat(70, 71), number=2),
    )
    high, low = opening_range(bars, 3)
    np.testing.assert_array_equal(high, [NAN, NAN, NAN, 105, 105, NAN, NAN, NAN, NAN])
    np.testing.assert_array_equal(low, [NAN, NAN, NAN, 96, 96, NAN, NAN, NAN, NAN])


def test_an_evening_session_has_no_opening_range():
    high, low = opening_range(day(1080, *flat(100, 101, 102, 103)), 2)
    assert np.isnan(high).all()
    assert np.isnan(low).all()
    evening, _ = opening_range(day(1080, *flat(100, 101, 102, 103)), 2, opens=1080)
    np.testing.assert_array_equal(evening, [NAN, NAN, 102, 102])


def test_the_first_of_a_day_comes_once_a_day():
    bars = joined(day(555, *flat(1, 5, 1, 6)), day(555, *flat(7, 8), number=1), day(555, *flat(1), number=2))
    assert np.flatnonzero(first_of_day(bars, bars.close > 4)).tolist() == [1, 4]


def test_the_deviation_around_the_vwap_weighs_by_volume(bars):
    typical, volume = (bars.high + bars.low + bars.close) / 3, bars.volume
    expected = np.full(len(bars), NAN)
    for n in range(len(bars)):
        today = slice(int(np.flatnonzero(bars.day == bars.day[n])[0]), n + 1)
        if volume[today].sum() > 0:
            mean = np.average(typical[today], weights=volume[today])
            expected[n] = np.sqrt(np.average((typical[today] - mean) ** 2, weights=volume[today]))
    np.testing.assert_allclose(vwap_deviation(bars), expected, rtol=1e-6, atol=1e-6)


def test_vwaps_of_a_day_come_out_the_same_to_the_last_bit_whatever_days_there_were(bars):
    begin = int(np.flatnonzero(np.diff(bars.day))[1]) + 1
    for indicator in (vwap, vwap_deviation):
        np.testing.assert_array_equal(indicator(bars[begin:]), indicator(bars)[begin:])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_bars_make_no_error(bars, count):
    few = bars[:count]
    for array in (*opening_range(few, 5), vwap_deviation(few), *supertrend(few), zscore(few.close, 5)):
        assert len(array) == count


# -- Supertrend -----------------------------------------------------------------------------------------


def definition(bars: Bars, period: int, width: float) -> tuple[np.ndarray, np.ndarray]:
    """As TradingView's manual words it, beginning when a band breaks; ATR is TA-Lib's."""
    ranges = talib.ATR(bars.high, bars.low, bars.close, period)
    upper, lower = (bars.high + bars.low) / 2 + width * ranges, (bars.high + bars.low) / 2 - width * ranges
    line, direction = np.full(len(bars), NAN), np.zeros(len(bars))
    for n in range(period, len(bars)):
        if n > period:
            if not (lower[n] > lower[n - 1] or bars.close[n - 1] < lower[n - 1]):
                lower[n] = lower[n - 1]
            if not (upper[n] < upper[n - 1] or bars.close[n - 1] > upper[n - 1]):
                upper[n] = upper[n - 1]
        before = direction[n - 1]
        if before <= 0 and bars.close[n] > upper[n]:
            direction[n] = 1
        elif before >= 0 and bars.close[n] < lower[n]:
            direction[n] = -1
        else:
            direction[n] = before
        line[n] = {1: lower[n], -1: upper[n], 0: NAN}[int(direction[n])]
    return line, direction


@pytest.mark.parametrize(("period", "width"), [(10, 3.0), (7, 1.0), (21, 2.0)])
def test_the_supertrend_follows_its_definition(bars, period, width):
    line, direction = definition(bars, period, width)
    assert {-1.0, 0.0, 1.0} == set(direction)
    np.testing.assert_array_equal(supertrend(bars, period, width)[1], direction)
    np.testing.assert_allclose(supertrend(bars, period, width)[0], line, rtol=1e-12)


def test_the_band_only_tightens_while_the_trend_lasts(bars):
    line, direction = supertrend(bars)
    same = (direction[1:] == direction[:-1]) & (direction[1:] != 0)
    assert (np.diff(line)[same & (direction[1:] > 0)] >= 0).all()
    assert (np.diff(line)[same & (direction[1:] < 0)] <= 0).all()
    held = direction != 0
    assert ((bars.close - line)[held] * direction[held] >= 0).all()
    assert np.isnan(atr(bars, 10)[:10]).all()


def test_compiled_and_plain_supertrends_are_the_same_to_the_last_bit(bars, monkeypatch):
    plain = supertrend(bars)
    monkeypatch.setattr(indicators, "_WORTH_COMPILING", 100)
    for ours, theirs in zip(plain, supertrend(bars), strict=True):
        np.testing.assert_array_equal(ours, theirs)
