from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from made import CAPITAL, SYMBOLS, curve, made_result, made_spec

from trader.backtest.benchmark import buy_and_hold
from trader.backtest.metrics import metrics
from trader.backtest.result import Result

NAN = math.nan


def closes(*columns: list[float]) -> Result:
    close = np.array(columns).T
    symbols = SYMBOLS[: len(columns)]
    return replace(curve([CAPITAL] * len(close)), symbols=symbols, close=close, spec=made_spec(symbols))


@pytest.mark.parametrize(
    ("columns", "equity"),
    [
        ([[100, 110, 120]], [1.0, 1.1, 1.2]),
        ([[100, 110, 120], [50, 50, 40]], [1.0, 1.05, 1.0]),  # equal rupees, not equal shares
        ([[100, 110, 120], [NAN, 50, 60]], [1.0, 1.05, 1.2]),  # cash until its first close
        ([[100, 110, 120], [NAN, NAN, NAN]], [1.0, 1.1, 1.2]),  # never priced: takes no part
        ([[NAN, NAN, NAN]], [1.0, 1.0, 1.0]),
    ],
    ids=["one", "two", "one begins late", "one never", "none"],
)
def test_the_capital_is_put_in_equal_parts_and_left(columns: list[list[float]], equity: list[float]) -> None:
    assert buy_and_hold(closes(*columns)) == pytest.approx(np.array(equity) * CAPITAL)


def test_candles_that_were_loaded_but_not_tested_are_not_held() -> None:
    result = closes([100, 110, 120], [50, 5, 1])
    only = replace(result, symbols=("RELIANCE", "INFY"), spec=made_spec(SYMBOLS[:1]))
    assert buy_and_hold(only) == pytest.approx(np.array([1.0, 1.1, 1.2]) * CAPITAL)
    assert metrics(only).benchmark.symbols == 1


def test_no_candles_hold_nothing() -> None:
    assert len(buy_and_hold(curve([]))) == 0


def test_holding_is_measured_like_the_strategy() -> None:
    result = closes([100, 90, 99, 120])
    held = metrics(result).benchmark
    assert held.growth.total == pytest.approx(0.2)
    assert held.drawdown is not None
    assert held.drawdown.share == pytest.approx(0.1)
    assert held.symbols == 1
    assert math.isnan(held.beta)  # a strategy that did nothing has no relation to anything


def test_beta_and_alpha_are_recovered_from_a_made_relation() -> None:
    random = np.random.default_rng(4)
    market = random.normal(0.0, 0.01, 300)
    own = 0.5 * market + 0.0004
    result = replace(
        curve(list(CAPITAL * np.cumprod(1 + own))), close=100 * np.cumprod(1 + market).reshape(-1, 1)
    )
    held = metrics(result).benchmark
    # The first day is not the benchmark's: it buys at the first close.
    assert held.beta == pytest.approx(0.5, abs=0.01)
    assert held.alpha == pytest.approx(0.0004 * 252, rel=0.05)
    assert held.correlation == pytest.approx(1.0, abs=0.01)


def test_a_made_years_benchmark_is_the_mean_of_its_symbols() -> None:
    result = made_result(6, symbols=SYMBOLS)
    growths = result.close[-1] / result.close[0]
    assert metrics(result).benchmark.growth.total == pytest.approx(growths.mean() - 1)
