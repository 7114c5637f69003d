"""A curve of equity seen once a day: what yearly figures are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

MINUTE = 60_000_000  # microseconds
IST_MINUTES = 330  # ahead of UTC, all year
EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Daily:
    """``day`` counts days since 1970 on the exchange's calendar, ``equity`` is the last one of each day, in
    rupees; ``capital`` what the first day began with."""

    day: NDArray[np.int64]
    equity: NDArray[np.float64]
    capital: float

    def __len__(self) -> int:
        return len(self.day)

    @property
    def before(self) -> NDArray[np.float64]:
        """Equity at the beginning of each day: the evening before."""
        return np.concatenate(([self.capital], self.equity[:-1]))[: len(self.day)]

    @property
    def rupees(self) -> NDArray[np.float64]:
        """What each day made."""
        return self.equity - self.before

    @property
    def returns(self) -> NDArray[np.float64]:
        """Each day's rupees as a share of the equity it began with; NaN once that is gone."""
        began = self.before
        return np.divide(self.rupees, began, out=np.full(len(began), np.nan), where=began > 0)

    @property
    def dates(self) -> list[date]:
        return [date_of(int(day)) for day in self.day]


def daily(at: NDArray[np.int64], equity: NDArray[np.float64], capital: float) -> Daily:
    """``at`` ascending, microseconds since 1970 UTC."""
    days = day_of(at)
    last = np.flatnonzero(np.diff(days, append=days[-1:] + 1))
    return Daily(days[last], equity[last], capital)


def day_of(at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days since 1970 on the exchange's calendar."""
    days: NDArray[np.int64] = (at // MINUTE + IST_MINUTES) // 1440
    return days


def date_of(day: int) -> date:
    return date.fromordinal(EPOCH + day)
