"""What a day's clock brings by itself: the broker's square-off, the end of stops, the end of day orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from trader.domain.times import IST, ist
from trader.market.calendar import Calendar
from trader.market.phases import Phase, Venue

_TRADING = (
    Phase.OPEN,
    Phase.AUCTION_REFERENCE,
    Phase.AUCTION,
    Phase.AUCTION_LIMIT,
    Phase.AUCTION_MATCHING,
)


class Act(StrEnum):
    SQUAREOFF = "square-off"
    STOPS_END = "stops end"
    EXPIRY = "expiry"
    AUCTION_END = "auction end"  # the expiry of what goes through the closing auction


class Due(NamedTuple):
    at: datetime
    act: Act
    venue: Venue


class Agenda:
    """``next`` is the only thing looked at while nothing is due."""

    def __init__(self, calendar: Calendar, squareoff: bool) -> None:
        self._calendar = calendar
        self._squareoff = squareoff
        self._day = date.min
        self._left: list[Due] = []
        self.next = datetime.min.replace(tzinfo=IST)

    def due(self, now: datetime) -> Sequence[Due]:
        """What is to be done by ``now``, in order; it stays due until it is ``done``. All of it can be done
        twice: after a restart the past of the day is due again."""
        today = ist(now).date()
        left = self._of(today) if today > self._day else self._left
        missed = [due for due in left if due.at <= now]
        return list({(due.act, due.venue): due for due in missed}.values())  # each once, however late

    def done(self, now: datetime) -> None:
        """What was due by ``now`` is done."""
        today = ist(now).date()
        if today > self._day:
            self._day, self._left = today, self._of(today)
        self._left = [due for due in self._left if due.at > now]
        midnight = datetime.combine(self._day + timedelta(days=1), time(), IST)
        self.next = self._left[0].at if self._left else midnight

    def _of(self, day: date) -> list[Due]:
        """All of a day. On a closed day there is only the square-off: the owner may have closed it late."""
        found = []
        for venue in Venue:
            deadlines = self._calendar.deadlines(day, venue)
            ends = self._trading_ends(day, venue)
            if self._squareoff:
                found += [Due(at, Act.SQUAREOFF, venue) for at in _every_minute(deadlines.broker_at, ends)]
            if deadlines.stops_end is not None:
                found.append(Due(deadlines.stops_end, Act.STOPS_END, venue))
            if ends is not None:
                act = Act.EXPIRY if deadlines.stops_end is None else Act.AUCTION_END
                found.append(Due(ends, act, venue))
        return sorted(found, key=lambda due: due.at)

    def _trading_ends(self, day: date, venue: Venue) -> datetime | None:
        """When the last order of the day can have traded: the close, or the end of the closing auction."""
        phases = self._calendar.phases(day, venue)
        last = max((n for n, (_, phase) in enumerate(phases) if phase in _TRADING), default=None)
        return None if last is None else phases[last + 1][0]


def _every_minute(begin: datetime, end: datetime | None) -> Iterator[datetime]:
    """From ``begin`` on, for the broker looks again until all is closed; once where there is no end."""
    at = begin
    while at == begin or (end is not None and at < end):
        yield at
        at += timedelta(minutes=1)
