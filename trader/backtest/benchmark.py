"""What holding the tested symbols all the while would have made, in equal parts."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import correlation, linear_regression

import numpy as np
from numpy.typing import NDArray

from trader.backtest.report.daily import Daily, daily
from trader.backtest.report.drawdown import Drawdown, deepest
from trader.backtest.report.growth import NAN, TRADING_DAYS, Growth, growth
from trader.backtest.result import Result
from trader.domain.instrument import symbol_of

_STILL = 1e-12


@dataclass(frozen=True, slots=True)
class Benchmark:
    """``beta`` and ``correlation`` are of the daily returns on the benchmark's; ``alpha`` is what the days
    made beyond beta times the benchmark's, a year. NaN without deviation, or with fewer than three days."""

    symbols: int
    growth: Growth
    drawdown: Drawdown | None
    beta: float
    alpha: float
    correlation: float


def buy_and_hold(result: Result) -> NDArray[np.float64]:
    """Rupees at each of ``result.at``: the capital in equal parts, each put into its symbol at the symbol's
    first close and left there, fractions of a share allowed, without charges and dividends. A part is cash
    until then; a symbol without any close takes no part."""
    capital = float(result.spec.limits.capital)
    close = _closes(result)
    if not close.size:
        return np.full(len(result.at), capital)
    priced = np.isfinite(close)
    first = close[priced.argmax(axis=0), np.arange(close.shape[1])]
    growths = np.where(priced, close / first, 1.0)
    equity: NDArray[np.float64] = capital * growths.mean(axis=1)
    return equity


def benchmark(result: Result, own: Daily, risk_free: float = 0.0) -> Benchmark:
    """Against ``own``, the days of the result."""
    capital = float(result.spec.limits.capital)
    equity = buy_and_hold(result)
    held = daily(result.at, equity, capital)
    beta, alpha, correlation = _against(own.returns, held.returns)
    return Benchmark(
        symbols=_closes(result).shape[1] if len(result.at) else 0,
        growth=growth(held, risk_free),
        drawdown=deepest(result.at, equity, capital),
        beta=beta,
        alpha=alpha,
        correlation=correlation,
    )


def _closes(result: Result) -> NDArray[np.float64]:
    """Columns of the symbols that were tested and ever had a close; a Result may hold others beside them."""
    tested = {symbol_of(key) for leg in result.spec.legs for key in leg.symbols}
    columns = np.array([symbol_of(name) in tested for name in result.symbols], dtype=np.bool_)
    if not columns.any():
        columns[:] = True
    close = result.close[:, columns]
    known: NDArray[np.float64] = close[:, np.isfinite(close).any(axis=0)]
    return known


def _against(own: NDArray[np.float64], held: NDArray[np.float64]) -> tuple[float, float, float]:
    both = np.isfinite(own) & np.isfinite(held)
    own, held = own[both], held[both]
    if len(own) < 3 or not own.std() > _STILL or not held.std() > _STILL:
        return NAN, NAN, NAN
    line = linear_regression(held.tolist(), own.tolist())
    return line.slope, line.intercept * TRADING_DAYS, correlation(held.tolist(), own.tolist())
