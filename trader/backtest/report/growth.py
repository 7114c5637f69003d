"""How fast a curve grew, and how roughly. Yearly figures take a year as 252 trading days."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from trader.backtest.report.daily import Daily, date_of

TRADING_DAYS = (
    252  # NSE held 246 to 250 sessions a year from 2019 to 2024; 252 is what everybody annualises by
)
NAN = float("nan")
_STILL = 1e-12  # a deviation below this is rounding


@dataclass(frozen=True, slots=True)
class Period:
    """What one day or one month made: rupees, and as a share of the equity it began with."""

    first: date
    rupees: float
    share: float


@dataclass(frozen=True, slots=True)
class Growth:
    """Shares, not percents. NaN where a figure is not defined: a ratio without deviation, a year without a
    day. A ratio over no loss at all is infinite when something was gained."""

    start: float  # rupees
    end: float
    total: float  # (end - start) / start
    cagr: float
    volatility: float  # a year
    sharpe: float
    sortino: float
    tail: float  # mean of the worst 5% of days (conditional value at risk), positive
    days: int
    days_up: float  # share of days that gained
    best_day: Period | None
    worst_day: Period | None

    @property
    def rupees(self) -> float:
        return self.end - self.start


def _worst_mean(returns: NDArray[np.float64], share: float) -> float:
    """Mean loss of the worst ``share`` of the days, positive; a part of a day counts in part. The same as
    skfolio.measures.cvar, which takes three seconds to import (tests hold the two together)."""
    count = share * len(returns)
    whole = math.ceil(count) - 1
    ordered = np.sort(returns)
    return float(-ordered[:whole].sum() - ordered[whole] * (count - whole)) / count


def growth(daily: Daily, risk_free: float = 0.0) -> Growth:
    """``risk_free`` is a yearly rate as a share: 0.065 for 6.5%."""
    returns = daily.returns[np.isfinite(daily.returns)]
    end = float(daily.equity[-1]) if len(daily) else daily.capital
    total = end / daily.capital - 1.0
    a_day = (1.0 + risk_free) ** (1.0 / TRADING_DAYS) - 1.0
    excess = returns - a_day
    many = len(returns) > 1
    mean = float(excess.mean()) if many else NAN
    deviation = float(excess.std(ddof=1)) if many else NAN
    # Over all days, good ones as zeros, as Sortino has it: dividing by the bad days alone flatters.
    downside = float(np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2))) if many else NAN
    year = math.sqrt(TRADING_DAYS)
    return Growth(
        start=daily.capital,
        end=end,
        total=total,
        cagr=annual(total, len(daily)),
        volatility=deviation * year,
        sharpe=NAN if not deviation > _STILL else mean / deviation * year,
        sortino=ratio(mean, downside) * year,
        tail=_worst_mean(returns, 0.05) if many else NAN,
        days=len(daily),
        days_up=float((daily.rupees > 0).mean()) if len(daily) else NAN,
        best_day=_day(daily, int(np.argmax(daily.rupees))) if len(daily) else None,
        worst_day=_day(daily, int(np.argmin(daily.rupees))) if len(daily) else None,
    )


def annual(total: float, days: int) -> float:
    """The yearly rate that compounds to ``total`` over ``days`` trading days; everything lost is -1."""
    if days < 1:
        return NAN
    if total <= -1.0:
        return -1.0
    # A good single day, compounded for a year, is beyond a double.
    power = math.log1p(total) * TRADING_DAYS / days
    return math.expm1(power) if power < 700 else math.inf


def months(daily: Daily) -> tuple[Period, ...]:
    """What each calendar month made, the sum of its days."""
    made = []
    before = daily.capital
    numbered = enumerate(daily.dates)
    for (year, month), rows in groupby(numbered, key=lambda row: (row[1].year, row[1].month)):
        last = [n for n, _ in rows][-1]
        end = float(daily.equity[last])
        made.append(Period(date(year, month, 1), end - before, end / before - 1.0 if before > 0 else NAN))
        before = end
    return tuple(made)


def ratio(above: float, below: float) -> float:
    """Infinite where nothing stands against a gain, NaN where nothing stands against nothing."""
    if math.isnan(above) or math.isnan(below):
        return NAN
    if below > _STILL:
        return above / below
    return math.inf if above > _STILL else NAN


def _day(daily: Daily, n: int) -> Period:
    return Period(date_of(int(daily.day[n])), float(daily.rupees[n]), float(daily.returns[n]))
