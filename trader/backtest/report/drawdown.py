"""How far equity fell from its highest, and how long until it was there again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from trader.backtest.report.daily import day_of
from trader.strategy.bars import moment


@dataclass(frozen=True, slots=True)
class Drawdown:
    """``share`` of the peak, positive, and the ``rupees`` that is. ``recovered_at`` is None while the peak is
    not reached again; ``days`` are calendar days from the peak to the recovery, or to the end."""

    share: float
    rupees: float
    peak_at: datetime
    trough_at: datetime
    recovered_at: datetime | None
    days: int


def depth(equity: NDArray[np.float64], capital: float) -> NDArray[np.float64]:
    """Share below the highest so far at each moment, zero or negative. The capital is the first peak, so a
    loss on the first candle counts."""
    peak = np.maximum(np.maximum.accumulate(equity), capital) if len(equity) else equity
    below: NDArray[np.float64] = equity / peak - 1.0
    return below


def drawdowns(
    at: NDArray[np.int64], equity: NDArray[np.float64], capital: float
) -> Sequence[Drawdown]:
    """Every one, in the order of time; from a peak to the next time it is reached."""
    below = depth(equity, capital)
    under = np.concatenate(([False], below < 0, [False]))
    edges = np.flatnonzero(np.diff(under.astype(np.int8)))
    return [
        _between(at, equity, below, capital, int(first), int(after))
        for first, after in zip(edges[::2], edges[1::2], strict=True)
    ]


def deepest(found: Sequence[Drawdown]) -> Drawdown | None:
    return max(found, key=lambda one: one.share, default=None)


def longest(found: Sequence[Drawdown]) -> Drawdown | None:
    return max(found, key=lambda one: one.days, default=None)


def _between(
    at: NDArray[np.int64],
    equity: NDArray[np.float64],
    below: NDArray[np.float64],
    capital: float,
    first: int,
    after: int,
) -> Drawdown:
    """Moments ``first`` up to ``after`` are under water; before the first moment stands the capital."""
    trough = first + int(np.argmin(below[first:after]))
    peak = max(first - 1, 0)
    back = after if after < len(at) else None
    high = capital if first == 0 else max(capital, float(equity[peak]))
    last = back if back is not None else len(at) - 1
    day = day_of(at[[peak, last]])
    return Drawdown(
        share=-float(below[trough]),
        rupees=high - float(equity[trough]),
        peak_at=moment(int(at[peak])),
        trough_at=moment(int(at[trough])),
        recovered_at=None if back is None else moment(int(at[back])),
        days=int(day[1] - day[0]),
    )
