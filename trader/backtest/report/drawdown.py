"""How far equity fell from its highest, and how long until it was there again."""

from __future__ import annotations

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


def deepest(at: NDArray[np.int64], equity: NDArray[np.float64], capital: float) -> Drawdown | None:
    """The worst alone, the first of equal ones."""
    below = depth(equity, capital)
    trough = int(np.argmin(below)) if len(below) else 0
    if not len(below) or below[trough] >= 0.0:
        return None
    dry = np.flatnonzero(below[:trough] >= 0.0)
    back = np.flatnonzero(below[trough:] >= 0.0)
    first = int(dry[-1]) + 1 if len(dry) else 0
    after = trough + int(back[0]) if len(back) else len(below)
    return _fall(at, equity, below, capital, first, after)


def drawdowns(at: NDArray[np.int64], equity: NDArray[np.float64], capital: float) -> Drawdowns:
    """Every one from a peak to the next time it is reached."""
    below = depth(equity, capital)
    under = np.concatenate(([False], below < 0, [False]))
    edges = np.flatnonzero(np.diff(under.astype(np.int8)))
    return Drawdowns(at, equity, capital, below, edges[::2], edges[1::2])


@dataclass(frozen=True, slots=True)
class Drawdowns:
    """Kept as indexes: a long curve has thousands, of which a report names a few. Moments ``first[n]`` up to
    ``after[n]`` are under water."""

    at: NDArray[np.int64]
    equity: NDArray[np.float64]
    capital: float
    below: NDArray[np.float64]
    first: NDArray[np.int64]
    after: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)

    def deepest(self, most: int) -> list[Drawdown]:
        """The worst first."""
        if not len(self):
            return []
        # The stretches between two drawdowns are reduced too and dropped: their minimum is zero.
        edges = np.column_stack((self.first, self.after)).ravel()
        worst = np.minimum.reduceat(self.below, edges[edges < len(self.below)])[::2]
        return [self._between(int(n)) for n in np.argsort(worst, kind="stable")[:most]]

    def longest(self) -> Drawdown | None:
        """By the time from peak to recovery, or to the end."""
        if not len(self):
            return None
        peak = self.at[np.maximum(self.first - 1, 0)]
        end = self.at[np.minimum(self.after, len(self.at) - 1)]
        return self._between(int(np.argmax(end - peak)))

    def _between(self, n: int) -> Drawdown:
        first, after = int(self.first[n]), int(self.after[n])
        return _fall(self.at, self.equity, self.below, self.capital, first, after)


def _fall(
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
    high = capital if first == 0 else max(capital, float(equity[peak]))
    recovered = after < len(at)
    day = day_of(at[[peak, after if recovered else len(at) - 1]])
    return Drawdown(
        share=-float(below[trough]),
        rupees=high - float(equity[trough]),
        peak_at=moment(int(at[peak])),
        trough_at=moment(int(at[trough])),
        recovered_at=moment(int(at[after])) if recovered else None,
        days=int(day[1] - day[0]),
    )
