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
        nothing = np.full(len(began), np.nan)
        returns: NDArray[np.float64] = np.divide(self.rupees, began, out=nothing, where=began > 0)
        return returns

    @property
    def dates(self) -> list[date]:
        return [date_of(int(day)) for day in self.day]


def daily(at: NDArray[np.int64], equity: NDArray[np.float64], capital: float) -> Daily:
    """``at`` ascending, microseconds since 1970 UTC."""
    if not len(at):
        return Daily(at, equity, capital)
    first, final = (int(day) for day in day_of(at[[0, -1]]))
    days = np.arange(first, final + 1)
    # Where each midnight falls: ten times as fast as dividing every moment by the length of a day.
    after = np.searchsorted(at, ((days + 1) * 1440 - IST_MINUTES) * MINUTE)
    traded = np.diff(after, prepend=0) > 0
    return Daily(days[traded], equity[after[traded] - 1], capital)


def day_of(at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days since 1970 on the exchange's calendar."""
    days: NDArray[np.int64] = (at // MINUTE + IST_MINUTES) // 1440
    return days


def date_of(day: int) -> date:
    return date.fromordinal(EPOCH + day)
