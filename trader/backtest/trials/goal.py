"""What a search is after: one figure of a Result (``metrics.NUMBERS``), and others kept within bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trader.backtest.metrics import FEW_TRADES, NUMBERS, numbers
from trader.backtest.report.daily import daily
from trader.backtest.result import Result
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.money import rupees

_STILL = 1e-12  # a deviation below this is rounding
_LESS_IS_BETTER: Final = frozenset(
    {"max_drawdown", "drawdown_days", "volatility", "charges", "charges_share", "loss_streak", "turnover"}
)
# Shares of 1 in the figures; people type and read percents.
_SHARES: Final = frozenset(
    {
        "return",
        "cagr",
        "volatility",
        "max_drawdown",
        "days_up",
        "win_rate",
        "charges_share",
        "in_market",
        "average_gross",
    }
)
_RUPEES: Final = frozenset(
    {"net", "worst_day", "best_day", "expectancy", "charges", "best_trade", "worst_trade", "turnover"}
)
_ALSO: Final[Mapping[str, str]] = {"drawdown": "max_drawdown", "profit": "net", "pf": "profit_factor"}
_BOUND = re.compile(r"\s*([a-z_]+)\s*(>=|<=|>|<)\s*(-?[0-9]*\.?[0-9]+)\s*(%?)\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Facts:
    """``figures`` by the names of NUMBERS, only those that are defined and finite; ``returns`` one for each
    trading day, a share of the equity it began with."""

    figures: Mapping[str, float]
    returns: NDArray[np.float64]

    @classmethod
    def of(cls, result: Result) -> Facts:
        found = {name: value for name, value in numbers(result).items() if math.isfinite(value)}
        return cls(found, daily_returns(result))

    @property
    def sharpe_daily(self) -> float:
        return sharpe_daily(self.returns)


def daily_returns(result: Result) -> NDArray[np.float64]:
    """Zero once all equity is gone: what was lost cannot be lost again."""
    returns = daily(result.at, result.equity, float(result.spec.limits.capital)).returns
    return np.nan_to_num(returns, nan=0.0)


def sharpe_daily(returns: NDArray[np.float64]) -> float:
    """Not annualised; NaN without deviation."""
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    return float(returns.mean()) / deviation if deviation > _STILL else math.nan


@dataclass(frozen=True, slots=True)
class Constraint:
    """``trades>=30``. ``bound`` is in the figure's own unit: the share 0.1 for a typed ``drawdown<=10``."""

    name: str
    least: bool  # a lower bound
    bound: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        found = _BOUND.fullmatch(text)
        if found is None:
            raise InvalidInput(f"{text!r}: expected a bound as in trades>=30 or drawdown<=10")
        name = figure_name(found[1])
        if found[4] and name not in _SHARES:
            raise InvalidInput(f"{text!r}: {name} is no share, expected it without %")
        bound = float(found[3])
        return cls(name, found[2].startswith(">"), bound / 100 if name in _SHARES else bound)

    def breach(self, figures: Mapping[str, float]) -> float:
        """How far outside, as a share of the bound: above 0 breaks it. What is not defined breaks it too."""
        value = figures.get(self.name)
        if value is None:
            return 1.0
        return (self.bound - value if self.least else value - self.bound) / (abs(self.bound) or 1.0)

    def __str__(self) -> str:
        return f"{self.name}{'>=' if self.least else '<='}{figure_text(self.name, self.bound)}"


@dataclass(frozen=True, slots=True)
class Goal:
    objective: str = "sharpe"
    constraints: tuple[Constraint, ...] = (Constraint("trades", True, FEW_TRADES),)

    @classmethod
    def parse(cls, objective: str = "sharpe", constraints: Iterable[str] = ()) -> Goal:
        """At least thirty trades are asked unless a lower bound on trades is given."""
        given = tuple(Constraint.parse(text) for text in constraints)
        if not any(one.name == "trades" and one.least for one in given):
            given = (Constraint("trades", True, FEW_TRADES), *given)
        return cls(figure_name(objective), given)

    @property
    def higher(self) -> bool:
        """Whether more of it is better."""
        return self.objective not in _LESS_IS_BETTER

    def value(self, figures: Mapping[str, float]) -> float:
        """NaN where the objective is not defined, or has no bound because nothing was lost."""
        return figures.get(self.objective, math.nan)

    def better(self, one: float, other: float) -> bool:
        return one > other if self.higher else one < other

    def text(self, value: float) -> str:
        return figure_text(self.objective, value)

    def __str__(self) -> str:
        return " ".join([self.objective, *map(str, self.constraints)])


def figure_name(typed: str) -> str:
    """UnknownName with a suggestion."""
    folded = typed.strip().casefold().replace("-", "_").replace(" ", "_")
    folded = _ALSO.get(folded, folded)
    if folded not in NUMBERS:
        raise UnknownName("figure of a backtest", typed, [*NUMBERS, *_ALSO])
    return folded


def figure_text(name: str, value: float) -> str:
    """Shares as percents, rupees as rupees; figures above a thousand without decimals."""
    if not math.isfinite(value):
        return "–"
    if name in _SHARES:
        return f"{100 * value:.4g}%"
    if name in _RUPEES:
        return rupees(value, paise=abs(value) < 1000 and value != int(value))
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"
