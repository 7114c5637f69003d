"""When the exchange trades, day by day.

Dated tables decide for the years they cover; in other years every weekday is a trading day. A recording knows
better than a table that has no row for its year: ``with_sessions`` takes its word.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from trader.domain.times import IST, ist
from trader.market import tables

_DAY = timedelta(days=1)


class Phase(StrEnum):
    CLOSED = "closed"
    PREOPEN = "pre-open"  # orders may be collected, nothing trades continuously
    OPEN = "open"


class Session(NamedTuple):
    """Continuous trading of one day; ``closes_at`` is exclusive."""

    opens_at: datetime
    closes_at: datetime


class _Hours(NamedTuple):
    since: date
    preopen: timedelta  # its length
    opens: time
    closes: time


class _Deadlines(NamedTuple):
    since: date
    entries: timedelta  # before the close
    squareoff: timedelta


_Dated = TypeVar("_Dated", _Hours, _Deadlines)


class Calendar:
    """The cash market's days and hours. Answers are cached per day: a phase costs one look-up."""

    def __init__(
        self,
        hours: Iterable[_Hours],
        deadlines: Iterable[_Deadlines],
        holidays: Iterable[date] = (),
        sessions: Iterable[Session] = (),
    ) -> None:
        self._hours = sorted(hours)
        self._deadlines = sorted(deadlines)
        self._closed = frozenset(holidays)
        self._special = {s.opens_at.date(): s for s in sessions}
        self._cache: dict[date, Session | None] = {}

    @classmethod
    def load(cls) -> Calendar:
        """The calendar of the tables that ship with Munim."""
        table = tables.read("calendar")
        return cls(
            hours=[
                _Hours(r["from"], _between(r["preopen"], r["open"]), r["open"], r["close"])
                for r in table["hours"]
            ],
            deadlines=[
                _Deadlines(r["from"], timedelta(minutes=r["entries_end"]), timedelta(minutes=r["squareoff"]))
                for r in table["squareoff"]
            ],
            holidays=[day for year in table["year"] for day in year["holidays"]],
            sessions=[_special(row) for row in table["session"]],
        )

    def with_sessions(self, sessions: Iterable[Session | date], closed: Iterable[date] = ()) -> Calendar:
        """The same calendar, corrected by what a recording shows.

        A date among ``sessions`` traded at the usual hours, a Session at its own; days in ``closed`` did not.
        """
        proven = [s if isinstance(s, Session) else self._usual(s) for s in sessions]
        days = {s.opens_at.date() for s in proven}
        shut = (self._closed | frozenset(closed)) - days
        kept = [s for day, s in self._special.items() if day not in days and day not in shut]
        return Calendar(self._hours, self._deadlines, shut, [*kept, *proven])

    def is_trading_day(self, day: date) -> bool:
        return self.session(day) is not None

    def session(self, day: date) -> Session | None:
        """Opening and closing time of ``day``, or None when nothing trades."""
        try:
            return self._cache[day]
        except KeyError:
            found = self._cache[day] = self._find(day)
            return found

    def phase(self, at: datetime) -> Phase:
        at = ist(at)
        session = self.session(at.date())
        if session is None or at >= session.closes_at:
            return Phase.CLOSED
        if at >= session.opens_at:
            return Phase.OPEN
        preopen = _row(self._hours, at.date()).preopen
        return Phase.PREOPEN if at >= session.opens_at - preopen else Phase.CLOSED

    def next_open(self, at: datetime) -> datetime:
        """The first opening strictly after ``at``."""
        at = ist(at)
        session = self.session(at.date())
        if session is not None and at < session.opens_at:
            return session.opens_at
        return self._of(self.next_trading_day(at.date())).opens_at

    def next_trading_day(self, day: date) -> date:
        """The first trading day after ``day``."""
        day += _DAY
        while self.session(day) is None:
            day += _DAY
        return day

    def previous_trading_day(self, day: date) -> date:
        """The last trading day before ``day``."""
        day -= _DAY
        while self.session(day) is None:
            day -= _DAY
        return day

    def squareoff_at(self, day: date) -> datetime:
        """When Munim leaves its own MIS positions, ahead of the broker. A closed day answers as if open."""
        session = self._of(day)
        return max(session.opens_at, session.closes_at - _row(self._deadlines, day).squareoff)

    def entries_until(self, day: date) -> datetime:
        """From when on no MIS position is opened any more."""
        session = self._of(day)
        return max(session.opens_at, session.closes_at - _row(self._deadlines, day).entries)

    def describe(self, at: datetime) -> str:
        """``open until 15:30``, ``pre-open; opens 09:15``, ``closed; opens Mon 23 Nov 09:15``."""
        at = ist(at)
        phase = self.phase(at)
        if phase is Phase.OPEN:
            return f"open until {self._of(at.date()).closes_at:%H:%M}"
        opens = self.next_open(at)
        if phase is Phase.PREOPEN:
            return f"pre-open; opens {opens:%H:%M}"
        return f"closed; opens {opens:%a} {opens.day} {opens:%b %H:%M}"

    def _of(self, day: date) -> Session:
        return self.session(day) or self._usual(day)

    def _usual(self, day: date) -> Session:
        hours = _row(self._hours, day)
        return Session(
            datetime.combine(day, hours.opens, IST),
            datetime.combine(day, hours.closes, IST),
        )

    def _find(self, day: date) -> Session | None:
        special = self._special.get(day)
        if special is not None:
            return special
        return None if day.weekday() >= 5 or day in self._closed else self._usual(day)


def _special(row: dict[str, Any]) -> Session:
    return Session(
        datetime.combine(row["day"], row["open"], IST),
        datetime.combine(row["day"], row["close"], IST),
    )


def _between(begin: time, end: time) -> timedelta:
    return datetime.combine(date.min, end) - datetime.combine(date.min, begin)


def _row(rows: list[_Dated], day: date) -> _Dated:
    return rows[max(bisect_right(rows, day, key=lambda row: row.since) - 1, 0)]
