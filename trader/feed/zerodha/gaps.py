"""Which days have to be asked for, and how they fit into requests.

A gap is a trading day that was never answered in full. Minutes without a candle inside a day are none: in
them nothing traded. Requests begin and end with days, so none of their borders can cut a day in two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from trader.market.calendar import Calendar, Venue

_DAY = timedelta(days=1)


class Run(NamedTuple):
    """Days from ``first`` to ``last``, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def distance(self, day: date) -> int:
        """Days from here to ``day``, which lies outside."""
        return max((self.first - day).days, (day - self.last).days)


def missing(
    calendar: Calendar, venue: Venue, run: Run, complete: Collection[date], now: datetime
) -> Sequence[Run]:
    """The gaps of ``run`` that have begun by ``now``: neighbours are joined across nights and holidays, but
    not across a complete day."""
    found: list[Run] = []
    joins = False
    for day in trading_days(calendar, venue, run):
        session = calendar.session(day, venue)
        if session is None or session.opens_at >= now:
            continue
        if day in complete:
            joins = False
        elif joins:
            found[-1] = Run(found[-1].first, day)
        else:
            found.append(Run(day, day))
            joins = True
    return found


def trading_days(calendar: Calendar, venue: Venue, run: Run) -> Iterator[date]:
    """Special sessions on weekends are in; holidays and the owner's closures are not."""
    for number in range(run.first.toordinal(), run.last.toordinal() + 1):
        day = date.fromordinal(number)
        if calendar.session(day, venue) is not None:
            yield day


def chunks(run: Run, most_days: int) -> Iterator[Run]:
    """Oldest first, each of at most ``most_days`` days."""
    first = run.first
    while first <= run.last:
        last = min(run.last, first + (most_days - 1) * _DAY)
        yield Run(first, last)
        first = last + _DAY


def beside(run: Run, complete: Collection[date]) -> tuple[date | None, date | None]:
    """The nearest complete day before and after ``run``."""
    before = max((day for day in complete if day < run.first), default=None)
    after = min((day for day in complete if day > run.last), default=None)
    return before, after
