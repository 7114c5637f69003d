"""The dated rows of ``tables/calendar.toml`` that give a day its hours, deadlines and settlement cycle.

A row holds for its venues from its day until their next row; days before the first row use the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, TypeVar

from trader.domain.errors import SettingsError
from trader.domain.times import IST
from trader.market.phases import Deadlines, Phase, Session, Starts, Venue

AHEAD_OF_BROKER = timedelta(minutes=5)  # at least; the broker may act early and bills each of its orders
_SPECIAL_PREOPEN = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class _Timetable:
    """A venue's usual day."""

    since: date
    venue: Venue
    starts: tuple[tuple[time, Phase], ...]

    @property
    def has_preopen(self) -> bool:
        return self.starts[0][1] is not Phase.OPEN

    @property
    def continuous(self) -> tuple[time, time]:
        return next((begin, end) for (begin, phase), (end, _) in pairwise(self.starts) if phase is Phase.OPEN)


@dataclass(frozen=True, slots=True)
class _Limits:
    """A venue's usual deadlines."""

    since: date
    venue: Venue
    entries_until: time
    squareoff_at: time
    broker_at: time
    stops_end: time | None


_Row = TypeVar("_Row", _Timetable, _Limits)


class Hours:
    """The rows, checked: SettingsError lists everything in them that cannot be meant."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._timetables = _grouped(_timetables(table))
        self._limits = _grouped(_limits(table))
        self._cycles: list[tuple[date, int]] = sorted((r["from"], r["days"]) for r in table["settlement"])
        faults = [*self._missing(), *self._timetable_faults()]
        faults = faults or [*self._limit_faults()]  # deadlines are judged against sound timetables only
        if faults:
            raise SettingsError(faults)

    def usual(self, day: date, venue: Venue) -> Starts:
        row = _row(self._timetables[venue], day)
        return tuple((datetime.combine(day, begin, IST), phase) for begin, phase in row.starts)

    def special(self, parts: Sequence[Session], venue: Venue) -> Starts:
        """A day with hours of its own: each part after a pre-open of 15 minutes, no auction."""
        preopen = _row(self._timetables[venue], parts[0].opens_at.date()).has_preopen
        starts: list[tuple[datetime, Phase]] = []
        for part in parts:
            if preopen:
                starts.append((part.opens_at - _SPECIAL_PREOPEN, Phase.PREOPEN))
            starts += [(part.opens_at, Phase.OPEN), (part.closes_at, Phase.CLOSED)]
        return tuple(starts)

    def deadlines(self, day: date, venue: Venue) -> Deadlines:
        """Of a usual ``day``."""
        row = _row(self._limits[venue], day)
        return Deadlines(
            datetime.combine(day, row.entries_until, IST),
            datetime.combine(day, row.squareoff_at, IST),
            datetime.combine(day, row.broker_at, IST),
            None if row.stops_end is None else datetime.combine(day, row.stops_end, IST),
        )

    def special_deadlines(self, session: Session, venue: Venue, broker_at: datetime | None) -> Deadlines:
        """The usual ones, moved so that they are as far from ``session``'s close as usual, or so that the
        broker's falls on ``broker_at`` where that is known; never outside the session. Without an auction
        stops live to the close."""
        day = session.opens_at.date()
        usual = self.deadlines(day, venue)
        closes = datetime.combine(day, _row(self._timetables[venue], day).continuous[1], IST)
        moved = broker_at - usual.broker_at if broker_at is not None else session.closes_at - closes
        entries, squareoff, broker = (
            min(max(session.opens_at, deadline + moved), session.closes_at)
            for deadline in (usual.entries_until, usual.squareoff_at, usual.broker_at)
        )
        return Deadlines(entries, squareoff, broker, None)

    def settlement_days(self, day: date) -> int:
        """How many settlement days after ``day`` its trades settle: 1 for T+1."""
        return next((days for since, days in reversed(self._cycles) if since <= day), self._cycles[0][1])

    def _missing(self) -> Iterator[str]:
        for name, rows in (("phases", self._timetables), ("deadlines", self._limits)):
            for venue in Venue:
                if venue not in rows:
                    yield f"calendar.toml: [[{name}]] has no row for {venue.value!r}; every venue needs one"

    def _timetable_faults(self) -> Iterator[str]:
        for row in _all(self._timetables):
            where = f"calendar.toml: phases of {row.venue} from {row.since}"
            times = [begin for begin, _ in row.starts]
            if any(later <= earlier for earlier, later in pairwise(times)):
                yield f"{where}: expected rising times, were {', '.join(f'{t:%H:%M}' for t in times)}"
            names = [phase for _, phase in row.starts]
            if names.count(Phase.OPEN) != 1 or names[-1] is not Phase.CLOSED:
                yield f"{where}: expected 'open' once and 'closed' last, were {', '.join(names)}"

    def _limit_faults(self) -> Iterator[str]:
        for row in _all(self._limits):
            where = f"calendar.toml: deadlines of {row.venue} from {row.since}"
            usual = self.deadlines(row.since, row.venue)
            if usual.broker_at - usual.squareoff_at < AHEAD_OF_BROKER:
                yield (
                    f"{where}: the own square-off at {row.squareoff_at:%H:%M} must come at least 5 minutes "
                    f"before the broker's at {row.broker_at:%H:%M}"
                )
            if usual.entries_until >= usual.squareoff_at:
                yield (
                    f"{where}: entries must end before the own square-off at {row.squareoff_at:%H:%M}, "
                    f"not at {row.entries_until:%H:%M}"
                )
        for venue in Venue:
            for day in sorted({*map(_since, self._timetables[venue]), *map(_since, self._limits[venue])}):
                opens, closes = _row(self._timetables[venue], day).continuous
                limits = _row(self._limits[venue], day)
                if not opens <= limits.entries_until < limits.broker_at <= closes:
                    yield (
                        f"calendar.toml: {venue} trades {opens:%H:%M} to {closes:%H:%M} from {day}, and a "
                        "deadline lies outside; give [[deadlines]] a row from that day"
                    )


def _timetables(table: Mapping[str, Any]) -> Iterator[_Timetable]:
    for row in table["phases"]:
        starts = tuple((begin, Phase(name)) for begin, name in row["times"])
        for venue in row["venues"]:
            yield _Timetable(row["from"], Venue(venue), starts)


def _limits(table: Mapping[str, Any]) -> Iterator[_Limits]:
    for row in table["deadlines"]:
        own = row["entries_until"], row["squareoff_at"]
        for venue in row["venues"]:
            yield _Limits(row["from"], Venue(venue), *own, row["broker_at"], row.get("stops_end"))


def _grouped(rows: Iterable[_Row]) -> dict[Venue, list[_Row]]:
    """By venue, each venue's in the order of their days."""
    grouped: dict[Venue, list[_Row]] = {}
    for row in rows:
        grouped.setdefault(row.venue, []).append(row)
    for of_venue in grouped.values():
        of_venue.sort(key=_since)
    return grouped


def _since(row: _Timetable | _Limits) -> date:
    return row.since


def _all(rows: Mapping[Venue, Sequence[_Row]]) -> Iterator[_Row]:
    return (row for of_venue in rows.values() for row in of_venue)


def _row(rows: Sequence[_Row], day: date) -> _Row:
    return next((row for row in reversed(rows) if row.since <= day), rows[0])
