"""How much of a search's best result is luck: what trying many settings makes of noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trader.backtest.result import Result
from trader.backtest.search import Found
from trader.backtest.trials.evaluate import Evaluate
from trader.backtest.trials.goal import Goal, daily_returns, sharpe_daily
from trader.backtest.trials.tried import Tried
from trader.domain.money import rupees
from trader.domain.times import date_text

EULER: Final = 0.5772156649015329
SURE = 0.95  # a deflated Sharpe ratio below this is not told from luck, at the usual level of significance
OVERFITTED = 0.5  # the best of one half is then below the middle of the other as often as a coin falls
LEAST_PLATEAU = 0.5  # of the best value that its neighbours keep
LEAST_KEPT = 0.5  # of the objective on days not seen
_SAMPLE = 100  # trials run again for their daily returns
_BLOCKS = 10  # of the days, for the combinatorial halves: 252 of them
_LEAST_DAYS = 40
_RISING = 0.25  # deviations of all values, between the border and two steps inside

_NORMAL = NormalDist()

Matrix = NDArray[np.float64]


def expected_best(trials: float, variance: float) -> float:
    """The Sharpe ratio that the best of ``trials`` independent ones without any edge is expected to have;
    ``variance`` is that of the trials' ratios. Same units as the ratios (Bailey & López de Prado 2014)."""
    if trials <= 1.0:
        return 0.0
    one, two = _NORMAL.inv_cdf(1.0 - 1.0 / trials), _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - EULER) * one + EULER * two)


def deflated_sharpe(
    sharpe: float, days: int, *, skew: float, kurtosis: float, trials: float, variance: float
) -> float:
    """Probability that the true Sharpe ratio is above zero, ``sharpe`` being the best of ``trials``.

    Bailey & López de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40 (2014). ``sharpe``
    and ``variance`` are not annualised, ``kurtosis`` is 3 for the normal distribution. NaN when undefined."""
    spread = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if days < 2 or not spread > 0 or not math.isfinite(sharpe):
        return math.nan
    above = sharpe - expected_best(trials, variance)
    return _NORMAL.cdf(above * math.sqrt(days - 1) / math.sqrt(spread))


def independent(returns: Matrix) -> float:
    """How many independent trials the columns are worth: the mean correlation is taken off (appendix 3 of the
    same article). Neighbouring settings trade nearly alike, and are not tried twice."""
    count = returns.shape[1]
    moving = returns[:, returns.std(axis=0) > 0]
    if moving.shape[1] < 2:
        return float(min(count, 1))
    correlation = np.corrcoef(moving, rowvar=False)
    pairs = moving.shape[1] * (moving.shape[1] - 1)
    mean: float = min(1.0, max(0.0, float(correlation.sum() - moving.shape[1]) / pairs))
    return mean + (1.0 - mean) * float(count)


def overfitting_probability(returns: Matrix, blocks: int = _BLOCKS) -> float:
    """How often the settings best in one half of the days are below the middle of all in the other half, over
    all ways to halve the days in blocks (CSCV; Bailey, Borwein, López de Prado & Zhu, Journal of
    Computational Finance 20, 2017). ``returns``: a row for each day, a column for each trial. NaN with too
    few of either."""
    days, count = returns.shape
    if count < 4 or days < 2 * blocks:
        return math.nan
    edges = np.linspace(0, days, blocks + 1).astype(int)
    sums = np.array([returns[a:b].sum(axis=0) for a, b in itertools.pairwise(edges)])
    squares = np.array([(returns[a:b] ** 2).sum(axis=0) for a, b in itertools.pairwise(edges)])
    lengths = np.diff(edges)
    below = 0
    halves = list(itertools.combinations(range(blocks), blocks // 2))
    for half in halves:
        inside = np.zeros(blocks, dtype=bool)
        inside[list(half)] = True
        best = int(np.argmax(_sharpes(sums[inside], squares[inside], lengths[inside])))
        other = _sharpes(sums[~inside], squares[~inside], lengths[~inside])
        rank = (np.sum(other < other[best]) + 0.5 * np.sum(other == other[best])) / count
        below += rank <= 0.5
    return below / len(halves)


def _sharpes(sums: Matrix, squares: Matrix, lengths: NDArray[np.int64]) -> Matrix:
    """Of the joined blocks, one for each column; 0 without deviation."""
    days = lengths.sum()
    mean = sums.sum(axis=0) / days
    deviation = np.sqrt(np.maximum(squares.sum(axis=0) / days - mean**2, 0.0))
    found: Matrix = np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 1e-12)
    return found


@dataclass(frozen=True, slots=True)
class Plateau:
    """How the neighbours of the best do, one step away in every direction. ``kept``: their median value over
    the best's; NaN when it cannot be said."""

    neighbours: int  # that were tried
    median: float
    worst: float
    kept: float


def plateau(found: Found) -> Plateau | None:
    """None when nothing was best, or too few of its neighbours were tried."""
    best = found.best
    if best is None:
        return None
    known = {one.point: one for one in found.tried}
    values = [known[point].value for point in found.space.neighbours(best.point) if point in known]
    values = [value for value in values if math.isfinite(value)]
    if len(values) < 2:
        return None
    median = float(np.median(values))
    worst = min(values) if found.goal.higher else max(values)
    kept = math.nan
    if best.value > 0 and (found.goal.higher or median > 0):
        kept = median / best.value if found.goal.higher else best.value / median
    return Plateau(len(values), median, worst, kept)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``deflated``: probability that the best has any edge at all, after so many trials. ``overfitted``: of
    CSCV. ``warnings`` are sentences to show; none means that nothing here speaks against it."""

    deflated: float
    luck: float  # Sharpe ratio a year, that the best of as many trials of noise would show
    trials: int
    independent: float
    overfitted: float
    plateau: Plateau | None
    warnings: tuple[str, ...]


def judge(found: Found, evaluate: Evaluate, *, seed: int = 1, value_unseen: float | None = None) -> Verdict:
    """Runs a sample of the trials again for their daily returns. ``value_unseen``: the objective on held-out
    days, when there were any."""
    best = found.best
    if best is None:
        nothing = ("No settings kept the bounds, so there is nothing to judge.",)
        return Verdict(math.nan, math.nan, len(found.tried), math.nan, math.nan, None, nothing)
    sampled = _sampled(found, best, seed)
    returns = _returns(found, evaluate, sampled)
    own = returns[:, 0]
    many = independent(returns) * len(found.tried) / len(sampled)
    ratios = np.array([one.sharpe_daily for one in found.tried])
    ratios = ratios[np.isfinite(ratios)]
    variance = float(ratios.var(ddof=1)) if len(ratios) > 1 else 0.0
    sharpe = sharpe_daily(own)
    skew, kurtosis = moments(own)
    deflated = deflated_sharpe(sharpe, len(own), skew=skew, kurtosis=kurtosis, trials=many, variance=variance)
    flat = plateau(found)
    overfitted = overfitting_probability(returns)
    luck = expected_best(many, variance) * math.sqrt(252)
    words = (
        *_loss_words(best, held_out=value_unseen is not None),
        *_deflated_words(deflated, luck, sharpe, len(found.tried), len(own)),
        *_overfitted_words(overfitted),
        *_plateau_words(flat),
        *_border_words(found, best),
        *_halted_words(evaluate(found.space.settings(best.point), found.span)),
        *_unseen_words(found.goal, best.value, value_unseen),
    )
    return Verdict(deflated, luck, len(found.tried), many, overfitted, flat, words)


def _sampled(found: Found, best: Tried, seed: int) -> list[Tried]:
    """The best first, then others drawn without looking at how they did."""
    others = [one for one in found.tried if one.defined and one.point != best.point]
    if len(others) >= _SAMPLE:
        picked = np.random.default_rng(seed).choice(len(others), _SAMPLE - 1, replace=False)
        others = [others[i] for i in sorted(picked)]
    return [best, *others]


def _returns(found: Found, evaluate: Evaluate, sampled: Sequence[Tried]) -> Matrix:
    columns = [daily_returns(evaluate(found.space.settings(one.point), found.span)) for one in sampled]
    shortest = min(map(len, columns))
    return np.column_stack([column[:shortest] for column in columns])


def moments(returns: Matrix) -> tuple[float, float]:
    """Skew and kurtosis (of the normal distribution: 0 and 3)."""
    if len(returns) < 2 or returns.std() < 1e-12:
        return 0.0, 3.0
    scores = (returns - returns.mean()) / returns.std()
    return float((scores**3).mean()), float((scores**4).mean())


def _loss_words(best: Tried, *, held_out: bool) -> list[str]:
    """With days held out, on the others: the result is of all days, and may be a gain."""
    net = best.figures.get("net", 0.0)
    where = " on the days searched" if held_out else ""
    return [f"Even the best lost {rupees(-net, paise=False)} after charges{where}."] if net < 0 else []


def _halted_words(result: Result) -> list[str]:
    if not result.halted:
        return []
    day = f" on {date_text(result.halted_on)}" if result.halted_on else ""
    return [
        f"The limit {result.halted} ended the best's trading{day}: the days after it are not in its figures."
    ]


def _deflated_words(deflated: float, luck: float, sharpe: float, trials: int, days: int) -> list[str]:
    if days < _LEAST_DAYS:
        return [f"Only {days} trading days: too few to tell an edge from luck."]
    if math.isnan(deflated) or deflated >= SURE:
        return []
    return [
        f"After {trials} trials the best is likely luck: noise alone would show a Sharpe ratio of "
        f"{luck:.2f}, this has {sharpe * math.sqrt(252):.2f}. Its edge is real with a probability of "
        f"{deflated:.0%}, {SURE:.0%} is asked."
    ]


def _overfitted_words(probability: float) -> list[str]:
    if math.isnan(probability) or probability < OVERFITTED:
        return []
    return [
        f"What was best in one half of the days was below the middle in the other half {probability:.0%} of "
        "the time: the choice of settings is worth nothing."
    ]


def _plateau_words(flat: Plateau | None) -> list[str]:
    if flat is None or math.isnan(flat.kept) or flat.kept >= LEAST_PLATEAU:
        return []
    return [
        f"The best stands alone: settings one step away keep {max(0.0, flat.kept):.0%} of it, so it is a "
        "peak of noise rather than a plateau."
    ]


def _border_words(found: Found, best: Tried) -> list[str]:
    """Where the figure still rises at the border of what was searched, the optimum lies outside."""
    spread = float(np.std([one.value for one in found.tried if one.defined]))
    at = []
    for number, axis in enumerate(found.space.axes):
        last = len(axis.texts) - 1
        if not axis.numeric or last < 2 or best.point[number] not in (0, last):
            continue
        inner = 2 if best.point[number] == 0 else last - 2
        outside, inside = (_mean_at(found, number, place) for place in (best.point[number], inner))
        if abs(outside - inside) > _RISING * spread and found.goal.better(outside, inside):
            at.append(f"{axis.name}={axis.texts[best.point[number]]}")
    if not at:
        return []
    return [
        f"The best lies at the border of the search ({', '.join(at)}) and rises towards it: widen the range."
    ]


def _mean_at(found: Found, axis: int, place: int) -> float:
    values = [one.value for one in found.tried if one.defined and one.point[axis] == place]
    return float(np.mean(values)) if values else math.nan


def _unseen_words(goal: Goal, seen: float, unseen: float | None) -> list[str]:
    if unseen is None:
        return []
    name = goal.objective
    if math.isnan(unseen):
        return [f"On the days held out {name} is not defined: too few trades."]
    if goal.higher and (unseen <= 0 < seen or (seen > 0 and unseen < LEAST_KEPT * seen)):
        return [f"On the days held out {name} fell from {goal.text(seen)} to {goal.text(unseen)}."]
    if not goal.higher and unseen > seen / LEAST_KEPT:
        return [f"On the days held out {name} grew from {goal.text(seen)} to {goal.text(unseen)}."]
    return []
