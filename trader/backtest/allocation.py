"""How much of the capital each strategy of a portfolio gets, and how alike they are."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trader.backtest.report.daily import daily, day_of
from trader.backtest.result import Result
from trader.backtest.spec import Leg, Spec
from trader.domain.errors import InvalidInput, UnknownName

Array = NDArray[np.float64]

METHODS: Final[Mapping[str, str]] = {
    "equal": "the same share each",
    "inverse_volatility": "less to what swings more",
    "kelly": "a quarter of the growth-optimal share, the rest stays cash",
    "risk_parity": "each adds the same risk (skfolio)",
    "hrp": "hierarchical risk parity: alike strategies share one place (skfolio)",
    "max_sharpe": "best mean for its risk, with shrunk estimates (skfolio)",
}
CAP = 0.5  # of the capital for one strategy, at most
KELLY_FRACTION = 0.25  # full Kelly bets its estimates, which are the best of what was searched
LEAST_DAYS = 30
_STILL = 1e-9


@dataclass(frozen=True, slots=True)
class Returns:
    """``table``: a row for each day, a column for each name; the day's profit as a share of the capital, the
    strategy having all of it. ``day`` counts days since 1970."""

    names: tuple[str, ...]
    day: NDArray[np.int64]
    table: Array

    @property
    def correlation(self) -> Array:
        """NaN beside a strategy that never moved."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Array = np.atleast_2d(np.corrcoef(self.table, rowvar=False))
        return found

    def until(self, row: int, length: int | None = None) -> Returns:
        """The days before ``row``, at most ``length`` of them."""
        first = 0 if length is None else max(0, row - length)
        return Returns(self.names, self.day[first:row], self.table[first:row])


def standalone(run: Callable[[Spec], Result], spec: Spec) -> Returns:
    """Every leg tested by itself, valued at each day's close: neither shares nor limits of the portfolio
    blur what it is worth."""
    results = [run(replace(spec, legs=(leg,))) for leg in spec.legs]
    capital = float(spec.limits.capital)
    curves = [daily(result.at, result.equity, capital) for result in results]
    days = np.unique(np.concatenate([curve.day for curve in curves]))
    table = np.zeros((len(days), len(curves)))
    for column, curve in enumerate(curves):
        table[np.searchsorted(days, curve.day), column] = curve.rupees / capital
    return Returns(tuple(leg.name for leg in spec.legs), days, table)


def realised(result: Result) -> Returns:
    """From one Result of the whole portfolio: the profit of each leg's trades after charges, on the day of
    their exit. For reports; a leg that holds overnight looks calmer here than it is."""
    capital = float(result.spec.limits.capital)
    days = np.unique(day_of(result.at))
    table = np.zeros((len(days), len(result.spec.legs)))
    trades = result.trades
    rows = np.clip(np.searchsorted(days, day_of(trades["exit_at"])), 0, max(0, len(days) - 1))
    np.add.at(table, (rows, trades["leg"]), (trades["pnl"] - trades["charges"]) / capital)
    return Returns(tuple(leg.name for leg in result.spec.legs), days, table)


@dataclass(frozen=True, slots=True)
class Weights:
    """Shares of the capital, none negative, none above the cap; with ``cash`` they sum to 1. ``notes`` are
    sentences on what could not be done as asked."""

    method: str
    names: tuple[str, ...]
    shares: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @property
    def cash(self) -> float:
        return max(0.0, 1.0 - sum(self.shares))

    def of(self, name: str) -> float:
        return dict(zip(self.names, self.shares, strict=True))[name]


def weigh(
    returns: Returns, method: str = "equal", *, cap: float = CAP, fraction: float = KELLY_FRACTION
) -> Weights:
    """``cap`` holds for every strategy; where there are too few to use all the capital under it, the rest is
    cash. Too few days, or strategies that never traded, are answered with less ambition and a note."""
    name = method.strip().casefold().replace(" ", "_").replace("-", "_")
    if name not in METHODS:
        raise UnknownName("method of allocation", method, METHODS)
    if not 0.0 < cap <= 1.0:
        raise InvalidInput(f"Expected a cap above 0 and at most 1, was {cap:g}")
    if not 0.0 < fraction <= 1.0:
        raise InvalidInput(f"Expected a fraction of Kelly above 0 and at most 1, was {fraction:g}")
    count, days = len(returns.names), len(returns.table)
    equal = np.full(count, 1.0 / count)
    if name == "equal":
        return _weights(name, returns, capped(equal, cap), [])
    if days < LEAST_DAYS:
        note = f"Only {days} days, {LEAST_DAYS} are asked for {name}: equal shares instead."
        return _weights(name, returns, capped(equal, cap), [note])
    moving = returns.table.std(axis=0) > _STILL
    notes = [
        f"{n} never traded and gets nothing." for n, m in zip(returns.names, moving, strict=True) if not m
    ]
    if not moving.any():
        return _weights(name, returns, np.zeros(count), notes)
    shares = np.zeros(count)
    shares[moving], more = _shares(name, returns.table[:, moving], cap, fraction)
    return _weights(name, returns, shares, [*notes, *more])


def _weights(method: str, returns: Returns, shares: Array, notes: Sequence[str]) -> Weights:
    return Weights(method, returns.names, tuple(float(max(0.0, s)) for s in shares), tuple(notes))


def _shares(name: str, table: Array, cap: float, fraction: float) -> tuple[Array, list[str]]:
    calm = 1.0 / table.std(axis=0, ddof=1)
    if name == "inverse_volatility" or (table.shape[1] == 1 and name != "kelly"):
        return capped(calm / calm.sum(), cap), []
    if name == "kelly":
        return _kelly(table, cap, fraction)
    if cap * table.shape[1] <= 1.0:  # the cap alone decides
        return np.full(table.shape[1], cap), []
    try:
        return capped(_optimised(name, table, cap), cap), []
    except ValueError as e:  # skfolio's own refusals, such as every mean below zero
        reason = str(e).split(". ")[0]
        note = f"{name} found no answer ({reason}): inverse volatility instead."
        return capped(calm / calm.sum(), cap), [note]


def _kelly(table: Array, cap: float, fraction: float) -> tuple[Array, list[str]]:
    """Growth-optimal shares for small returns: the inverse covariance times the mean (Thorp 2006)."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(table)
    wanted = fraction * np.linalg.solve(covariance, table.mean(axis=0))
    best: Array = np.clip(wanted, 0.0, cap)
    total = float(best.sum())
    if total <= 0.0:
        return best, ["No strategy gained enough to bet on: Kelly keeps everything in cash."]
    return best / max(1.0, total), []


def _optimised(name: str, table: Array, cap: float) -> Array:
    from skfolio.moments import LedoitWolf, ShrunkMu
    from skfolio.optimization import HierarchicalRiskParity, MeanRisk, ObjectiveFunction, RiskBudgeting
    from skfolio.prior import EmpiricalPrior

    prior = EmpiricalPrior(mu_estimator=ShrunkMu(), covariance_estimator=LedoitWolf())
    models = {
        "risk_parity": lambda: RiskBudgeting(max_weights=cap, prior_estimator=prior),
        "hrp": lambda: HierarchicalRiskParity(max_weights=cap, prior_estimator=prior),
        "max_sharpe": lambda: MeanRisk(
            objective_function=ObjectiveFunction.MAXIMIZE_RATIO, max_weights=cap, prior_estimator=prior
        ),
    }
    model = models[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # twins make a covariance singular; it mends that itself and says so
        model.fit(table)
    found: Array = np.clip(np.asarray(model.weights_, dtype=np.float64), 0.0, None)
    return found


def capped(shares: Array, cap: float) -> Array:
    """``shares`` scaled to sum to 1, what is above ``cap`` given to the others in proportion; where all
    are at the cap the sum stays below 1."""
    if not shares.sum() > 0:
        return np.zeros_like(shares)
    found = shares / shares.sum()
    found[found < _STILL] = 0.0  # below that, giving in proportion divides by what is hardly there
    for _ in range(len(found)):
        over = found > cap + 1e-12
        if not over.any():
            break
        spare = float((found[over] - cap).sum())
        found[over] = cap
        under = found < cap - 1e-12
        if not under.any() or not found[under].sum() > 0:
            break
        found[under] *= 1.0 + spare / found[under].sum()
    within: Array = np.minimum(found, cap)
    return within


@dataclass(frozen=True, slots=True)
class Rebalanced:
    """``returns``: the portfolio's, for the days on which there were weights; ``weights`` by their first
    row of ``day``."""

    day: NDArray[np.int64]
    returns: Array
    weights: tuple[tuple[int, Weights], ...]


def rebalanced(
    returns: Returns,
    method: str,
    *,
    every: int = 21,
    lookback: int = 126,
    cap: float = CAP,
    fraction: float = KELLY_FRACTION,
) -> Rebalanced:
    """What the method would have earned: every ``every`` days the shares are set anew from the ``lookback``
    days before, never from the days they are then held."""
    if every < 1 or lookback < LEAST_DAYS:
        raise InvalidInput(
            f"Expected at least a day to hold and {LEAST_DAYS} to look back, were {every} and {lookback}"
        )
    if len(returns.table) <= lookback:
        raise InvalidInput(f"Expected more than {lookback} days to rebalance on, were {len(returns.table)}")
    made: list[Array] = []
    chosen: list[tuple[int, Weights]] = []
    for row in range(lookback, len(returns.table), every):
        weights = weigh(returns.until(row, lookback), method, cap=cap, fraction=fraction)
        made.append(returns.table[row : row + every] @ np.array(weights.shares))
        chosen.append((row - lookback, weights))
    return Rebalanced(returns.day[lookback:], np.concatenate(made), tuple(chosen))


def apply(weights: Weights, spec: Spec) -> Spec:
    """``spec`` with each leg trading its share of the capital; legs without a share are left out.

    A leg's share becomes its ``risk`` (and a fixed ``quantity``) times the share. Where the limit on one
    position's value binds before the risk does, the risk is first brought down to it, or the share would
    change nothing."""
    legs = tuple(
        _shared(leg, weights.of(leg.name), spec) for leg in spec.legs if weights.of(leg.name) > _STILL
    )
    if not legs:
        raise InvalidInput("No strategy got a share of the capital, so there is nothing to test")
    return replace(spec, legs=legs)


def _shared(leg: Leg, share: float, spec: Spec) -> Leg:
    settings = dict(leg.settings)
    limits = spec.limits
    most = min(limits.max_position_value, limits.max_order_value) / limits.capital
    risk = min(float(settings["risk"]), float(settings["stop"]) * float(most)) * share
    settings["risk"] = f"{max(0.01, math.floor(risk * 1e4) / 1e4):g}"
    if int(settings["quantity"]):
        settings["quantity"] = str(max(1, math.floor(int(settings["quantity"]) * share)))
    return replace(leg, settings=tuple(sorted(settings.items())))
