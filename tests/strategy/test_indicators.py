"""Each indicator against its definition written out in plain Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.market import Interval
from trader.strategy import (
    Bars,
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
    true_range,
    vwap,
    wma,
)

NAN = float("nan")
PERIODS = [2, 5, 14]


@pytest.fixture(scope="module")
def bars(make_bars):
    return make_bars(900, seed=3)


def rolling(values, period, function):
    rows = range(len(values))
    return np.array([function(values[n + 1 - period : n + 1]) if n + 1 >= period else NAN for n in rows])


def recursive(values, seed, weight, at):
    """NaN before ``at``, ``seed`` there, and from then on a step of ``weight`` towards each value."""
    result = np.full(len(values), NAN)
    result[at] = seed
    for n in range(at + 1, len(values)):
        result[n] = result[n - 1] + weight * (values[n] - result[n - 1])
    return result


@pytest.mark.parametrize("period", PERIODS)
def test_window_indicators_follow_their_definitions(bars, period):
    close = bars.close
    weights = np.arange(1, period + 1)
    expected = {
        sma: rolling(close, period, np.mean),
        wma: rolling(close, period, lambda v: np.sum(v * weights) / weights.sum()),
        stdev: rolling(close, period, np.std),
        highest: rolling(close, period, np.max),
        lowest: rolling(close, period, np.min),
    }
    for indicator, values in expected.items():
        np.testing.assert_allclose(indicator(close, period), values, rtol=1e-9, atol=1e-4)
    ago = np.concatenate([np.full(period, NAN), close[:-period]])
    np.testing.assert_allclose(rate_of_change(close, period), (close / ago - 1) * 100, atol=1e-9)


@pytest.mark.parametrize("period", PERIODS)
def test_recursive_indicators_follow_their_definitions(bars, period):
    close = bars.close
    average = recursive(close, close[:period].mean(), 2 / (period + 1), period - 1)
    np.testing.assert_allclose(ema(close, period), average, rtol=1e-12)

    ranges = true_range(bars)
    wilder = recursive(ranges, ranges[1 : period + 1].mean(), 1 / period, period)
    np.testing.assert_allclose(atr(bars, period), wilder, rtol=1e-9)

    moves = np.diff(close, prepend=close[0])
    up, down = np.maximum(moves, 0), np.maximum(-moves, 0)
    gain = recursive(up, up[1 : period + 1].mean(), 1 / period, period)
    loss = recursive(down, down[1 : period + 1].mean(), 1 / period, period)
    known = ~np.isnan(rsi(close, period))
    np.testing.assert_allclose(rsi(close, period)[known], (100 * gain / (gain + loss))[known], atol=1e-9)


def test_the_compound_indicators_are_talibs(bars):
    for ours, theirs in zip(macd(bars.close), talib.MACD(bars.close), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(bbands(bars.close, 20, 2.5), talib.BBANDS(bars.close, 20, 2.5, 2.5), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(adx(bars, 14), talib.ADX(bars.high, bars.low, bars.close, 14))


def test_true_range_reaches_to_the_previous_close():
    bars = simple([(10, 11, 9, 10), (15, 16, 14, 15), (12, 13, 11, 12)])
    assert true_range(bars).tolist() == [2, 6, 4]


def test_vwap_begins_anew_every_day(bars):
    result = vwap(bars)
    typical = (bars.high + bars.low + bars.close) / 3
    for day in set(bars.day.tolist()):
        rows = np.flatnonzero(bars.day == day)
        for row in rows[1::50]:
            today = slice(rows[0], row + 1)
            expected = np.sum(typical[today] * bars.volume[today]) / np.sum(bars.volume[today])
            assert result[row] == pytest.approx(expected)


def test_vwap_is_unknown_until_something_trades():
    bars = simple([(10, 11, 9, 10), (10, 11, 9, 10)], volume=[0, 5])
    assert np.isnan(vwap(bars)[0])
    assert vwap(bars)[1] == 10


@pytest.mark.parametrize("period", [1, 2, 20])
def test_a_channel_is_that_of_the_bars_before(bars, period):
    high, low = channel_high(bars, period), channel_low(bars, period)
    assert np.isnan(high[:period]).all()
    for n in range(period, len(bars)):
        assert high[n] == bars.high[n - period : n].max()
        assert low[n] == bars.low[n - period : n].min()


# -- crossings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "above", "below"),
    [
        ([1, 3], [2, 2], [False, True], [False, False]),
        ([3, 1], [2, 2], [False, False], [False, True]),
        ([2, 3], [2, 2], [False, True], [False, False]),  # from touching, it crosses
        ([1, 2, 3], [2, 2, 2], [False, False, True], [False] * 3),
        ([3, 3], [2, 2], [False, False], [False, False]),  # above all along
        ([NAN, 3], [2, 2], [False, False], [False, False]),
        ([1, 3], [NAN, 2], [False, False], [False, False]),
        ([1, NAN, 3], [2, 2, 2], [False] * 3, [False] * 3),
        ([25, 35], 30, [False, True], [False, False]),
        (30, [35, 25], [False, True], [False, False]),
        ([3], [2], [False], [False]),
        ([], [], [], []),
    ],
)
def test_crossings(a, b, above, below):
    a, b = (np.array(v, dtype=float) if isinstance(v, list) else v for v in (a, b))
    assert crossed_above(a, b).tolist() == above
    assert crossed_below(a, b).tolist() == below


def test_rounding_is_no_crossing():
    price = np.full(4, 101.1)
    noise = price + np.array([0.0, 1e-12, -1e-12, 2e-12])
    assert not crossed_above(noise, price).any()
    assert not crossed_below(noise, price).any()


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=40))
def test_a_crossing_is_a_change_of_order_and_both_ways_mirror(pairs):
    a, b = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    expected = [False] + [a[n] > b[n] and a[n - 1] <= b[n - 1] for n in range(1, len(a))]
    assert crossed_above(a, b).tolist() == expected
    assert crossed_below(b, a).tolist() == expected


def test_arrays_of_different_lengths_cannot_cross():
    with pytest.raises(ValueError, match="same length, were 3 and 2 values"):
        crossed_above(np.zeros(3), np.zeros(2))


# -- standing still, too short, start-up ---------------------------------------------------------------


def test_a_market_that_stands_still_has_no_rsi():
    moving = 100 + np.cumsum(np.resize([0.05, -0.1, 0.15], 60))
    locked = np.full(500, moving[-1])
    strength = rsi(np.concatenate([moving, locked, [moving[-1] + 0.05]]), 14)
    assert not np.isnan(strength[14 : 60 + 100]).any()
    assert np.isnan(strength[60 + 140 : -1]).all()
    # TA-Lib alone calls it 0, so that the first tick up would cross every oversold line.
    assert not crossed_above(strength, 30).any() or not crossed_above(strength, 30)[-1]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_bars_give_nan_and_no_error(make_bars, count):
    bars = make_bars(5)[:count]
    results = [
        *(f(bars.close, 14) for f in (sma, ema, wma, rsi, stdev, rate_of_change, highest, lowest)),
        *(f(bars, 14) for f in (atr, adx, channel_high, channel_low)),
        *macd(bars.close),
        *bbands(bars.close),
    ]
    assert all(len(result) == count and np.isnan(result).all() for result in results)
    assert len(vwap(bars)) == len(true_range(bars)) == count


def test_a_pandas_column_is_taken_too(bars):
    np.testing.assert_array_equal(ema(bars.frame.close, 9), ema(bars.close, 9))


def said_by(program):
    """In a process of its own."""
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def test_the_kit_starts_without_the_heavy_libraries():
    program = "import sys, trader.strategy; print({'talib', 'pandas', 'pyarrow'} & sys.modules.keys())"
    assert said_by(program) == "set()"


USES = """
import sys
import numpy as np
from trader.strategy import Bars, adx, bbands, ema, macd, rsi
values = np.linspace(100, 120, 60) + np.sin(np.arange(60))
firsts = [ema(values, 9)[-1], rsi(values, 14)[-1], macd(values)[0][-1], bbands(values, 20, 2.0)[1][-1]]
"""


def test_the_classic_indicators_do_without_pandas():
    assert said_by(USES + "print({'pandas', 'polars', 'talib'} & sys.modules.keys())") == "set()"


def test_a_strategy_that_imports_talib_or_pandas_itself_gets_them_whole():
    program = (
        USES
        + """
import pandas, talib
theirs = pandas.Series(values)
whole = talib.EMA(theirs, 9)
assert isinstance(whole, pandas.Series) and whole.iloc[-1] == firsts[0]
assert ema(values, 9)[-1] == firsts[0]
assert [type(finder).__name__ for finder in sys.meta_path].count("Without") == 0
print("whole")
"""
    )
    assert said_by(program) == "whole"


def test_another_thread_finds_pandas_while_talib_is_imported():
    program = """
import sys, threading
from trader.strategy.sparing import Without
finder = Without(["pandas"])
sys.meta_path.insert(0, finder)
found = []
thread = threading.Thread(target=lambda: found.append(__import__("pandas").__name__))
thread.start(); thread.join()
try:
    sys.modules.pop("pandas"); __import__("pandas")
except ModuleNotFoundError as missing:
    found.append(missing.name)
print(found)
"""
    assert said_by(program) == "['pandas', 'pandas']"


def simple(rows, volume=None):
    columns = np.array(rows, dtype=float).T
    start = np.arange(len(rows), dtype=np.int64) * 60_000_000
    return Bars.of_arrays("NSE:X", Interval.M1, start, *columns, volume or [1] * len(rows))


def test_numba_starts_without_scipy_and_finds_it_when_matrices_are_multiplied():
    program = """
import sys
import numpy as np
from trader.strategy.sparing import numba
compiled = numba()
early = "scipy" in sys.modules
product = compiled.njit(lambda a, b: np.dot(a, b))(np.eye(3), np.full((3, 3), 2.0))
print(early, product.sum(), "scipy.linalg.cython_blas" in sys.modules)
"""
    assert said_by(program) == "False 18.0 True"
