"""On which days the exchange trades and settles, and at what hours.

Dated tables decide for the years they cover; in other years every weekday is a trading day. The owner's
closures come on top. A recording knows better than a table without a row for its year: ``with_sessions``
takes its word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any

from trader.domain.times import IST, ist
from trader.market import tables
from trader.market.days import Days, Special
from trader.market.hours import Hours
from trader.market.phases import Day, Deadlines, Moment, Phase, Session, Starts, Venue, merged, venue_of

__all__ = ["Calendar", "Deadlines", "Phase", "Session", "Venue", "venue_of"]

_DAY = timedelta(days=1)
_NOTHING = (datetime.min.replace(tzinfo=IST), datetime.min.replace(tzinfo=IST), "")  # since, until, text
_PREOPEN = (Phase.PREOPEN, Phase.PREOPEN_LIMIT, Phase.MATCHING)
_AUCTION = (Phase.AUCTION_REFERENCE, Phase.AUCTION, Phase.AUCTION_LIMIT, Phase.AUCTION_MATCHING)


class Calendar:
    """One object is shared by the whole house; answers are cached, so that a phase costs one look-up."""

    def __init__(self, hours: Hours, days: Days, closures: Mapping[date, str] | None = None) -> None:
        self._hours = hours
        self._days = days
        self._closures = dict(closures or {})
        self._cache: dict[tuple[date, Venue | None], Day] = {}
        self._deadlines: dict[tuple[date, Venue], Deadlines] = {}
        self._described: tuple[datetime, datetime, str] = _NOTHING
        self._moments: dict[Venue, Moment] = {}

    @classmethod
    def load(cls) -> Calendar:
        """The calendar of the table that ships with Munim."""
        return cls.read(tables.read("calendar"))

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Calendar:
        """From a parsed ``calendar.toml``; SettingsError lists what is wrong in it."""
        return cls(Hours(table), Days.read(table))

    def with_sessions(self, sessions: Iterable[Session | date], closed: Iterable[date] = ()) -> Calendar:
        """The same calendar, corrected by what a recording shows; the owner's closures are kept.

        A date among ``sessions`` traded at the usual hours, a Session at its own, whatever the instrument;
        days in ``closed`` did not trade.
        """
        proven: dict[date, Special] = {}
        for one in sessions:
            day, parts = (one.opens_at.date(), (one,)) if isinstance(one, Session) else (one, ())
            proven[day] = Special(self.special(day), parts)
        shut = {day: self.why_closed(day) or "nothing recorded" for day in closed if day not in proven}
        known = self._days
        days = Days(
            known.years,
            {**known.holidays, **shut},
            known.settlement,
            {day: special for day, special in known.specials.items() if day not in shut} | proven,
        )
        closures = {day: why for day, why in self._closures.items() if day not in proven}
        return Calendar(self._hours, days, closures)

    # -- days ------------------------------------------------------------------------------------------

    def covers(self, year: int) -> bool:
        """Whether the table knows the holidays of ``year``; else every weekday counts as a trading day."""
        return year in self._days.years

    def is_trading_day(self, day: date) -> bool:
        return self._day(day, None).session is not None

    def why_closed(self, day: date) -> str:
        """``Guru Nanak Jayanti``, ``Saturday``, the owner's reason; empty on a trading day."""
        if self.is_trading_day(day):
            return ""
        return self._days.holidays.get(day) or self._closures.get(day) or f"{day:%A}"

    def special(self, day: date) -> str:
        """``Union Budget``, ``Muhurat``; empty on an ordinary day."""
        special = self._days.specials.get(day)
        return special.name if special is not None and day not in self._closures else ""

    def holidays(self, year: int) -> Sequence[tuple[date, str]]:
        """The weekdays of ``year`` on which nothing trades, by date, without the owner's closures."""
        named = self._days.holidays.items()
        return sorted(
            (day, name) for day, name in named if day.year == year and day not in self._days.specials
        )

    def next_trading_day(self, day: date) -> date:
        """The first trading day after ``day``."""
        day += _DAY
        while not self.is_trading_day(day):
            day += _DAY
        return day

    def previous_trading_day(self, day: date) -> date:
        """The last trading day before ``day``."""
        day -= _DAY
        while not self.is_trading_day(day):
            day -= _DAY
        return day

    def ends_week(self, day: date) -> bool:
        """Whether ``day`` is the last trading day of its ISO week, Monday to Sunday."""
        return (
            self.is_trading_day(day) and self.next_trading_day(day).isocalendar()[:2] != day.isocalendar()[:2]
        )

    # -- settlement ------------------------------------------------------------------------------------

    def is_settlement_day(self, day: date) -> bool:
        """Whether shares and money move: a weekday that trades and on which the banks work.

        Weekend sessions and Muhurat trade without settling.
        """
        if day.weekday() >= 5 or day in self._days.settlement or day in self._days.holidays:
            return False
        return self.is_trading_day(day)

    def settles_on(self, day: date) -> date:
        """When shares traded on ``day`` are settled: T+1 (T+2 before 27 Jan 2023), in settlement days."""
        for _ in range(self._hours.settlement_days(day)):
            day += _DAY
            while not self.is_settlement_day(day):
                day += _DAY
        return day

    # -- the owner's word ------------------------------------------------------------------------------

    def close(self, day: date, reason: str) -> None:
        """The exchange stays closed on ``day``: a mourning, an election announced at short notice."""
        self._closures[day] = reason.strip() or "closed by the owner"
        self._forget()

    def reopen(self, day: date) -> None:
        """Take back ``close``. What the table holds closed stays closed."""
        self._closures.pop(day, None)
        self._forget()

    def closures(self) -> Mapping[date, str]:
        """The owner's closures with their reasons: a live view."""
        return MappingProxyType(self._closures)

    # -- hours -----------------------------------------------------------------------------------------

    def session(self, day: date, venue: Venue | None = None) -> Session | None:
        """Opening and closing time of ``day``, or None when nothing trades.

        Without a venue from the earliest opening to the latest close of any. A day in two parts (the drills
        of 2024) answers from the first opening to the last close.
        """
        return self._day(day, venue).session

    def phase(self, at: datetime, venue: Venue | None = None) -> Phase:
        """Without a venue OPEN while any venue trades continuously, else the phase of STOCK."""
        at = ist(at)
        return self._day(at.date(), venue).phase(at)

    def moment(self, at: datetime, venue: Venue) -> Moment:
        """All that is asked of the clock for one order, in one look-up."""
        found = self._moments.get(venue)
        if found is None or not found.since <= at < found.until:
            at = ist(at)
            found = self._moments[venue] = Moment(
                at,
                self._changes_after(at),
                self.phase(at, venue),
                self.session(at.date(), venue),
                self.deadlines(at.date(), venue),
                self.describe(at),
            )
        return found

    def phases(self, day: date, venue: Venue) -> Sequence[tuple[datetime, Phase]]:
        """Each phase's start in order, the last one CLOSED; empty on a closed day."""
        found = self._day(day, venue)
        return tuple(zip(found.starts, found.phases[1:], strict=True))

    def deadlines(self, day: date, venue: Venue) -> Deadlines:
        """The day's last times for intraday positions. A closed day answers as if open."""
        try:
            return self._deadlines[day, venue]
        except KeyError:
            found = self._deadlines[day, venue] = self._find_deadlines(day, venue)
            return found

    def last_chance(self, start: datetime, end: datetime, venues: Iterable[Venue]) -> datetime | None:
        """The own square-off that a candle from ``start`` to ``end`` of these venues holds, if no candle
        begins behind it before the broker's square-off or the end of continuous trading; the latest one."""
        found = None
        for venue in venues:
            own = self.deadlines(start.date(), venue).squareoff_at
            if start < own < end and end >= self._too_late(own, venue) and (found is None or own > found):
                found = own
        return found

    def _too_late(self, own: datetime, venue: Venue) -> datetime:
        """From when on the broker closes, or nobody can: never where nothing trades at ``own``."""
        day = self._day(own.date(), venue)
        if day.phase(own) is not Phase.OPEN:
            return datetime.max.replace(tzinfo=IST)
        return min(self.deadlines(own.date(), venue).broker_at, day.next_start(own))

    def _find_deadlines(self, day: date, venue: Venue) -> Deadlines:
        special = self._days.specials.get(day)
        if special is None or not special.parts:
            return self._hours.deadlines(day, venue)
        session = Session(special.parts[0].opens_at, special.parts[-1].closes_at)
        return self._hours.special_deadlines(session, venue, special.broker_at)

    def next_open(self, at: datetime) -> datetime:
        """The first opening of any venue strictly after ``at``."""
        at = ist(at)
        day = at.date()
        while True:
            found = self._day(day, None)
            for start, phase in zip(found.starts, found.phases[1:], strict=True):
                if phase is Phase.OPEN and start > at:
                    return start
            day = self.next_trading_day(day)

    def describe(self, at: datetime) -> str:
        """In at most 34 columns: ``open until 15:15, F&O 15:40``, ``auction; stocks 15:30, F&O 15:40``,
        ``F&O open until 15:40``, ``pre-open; opens 09:15``, ``closed; opens Mon 23 Nov 09:15``."""
        at = ist(at)
        since, until, text = self._described
        if not since <= at < until:
            text = self._text(at)
            self._described = at, self._changes_after(at), text
        return text

    def _text(self, at: datetime) -> str:
        if self.phase(at) is Phase.OPEN:
            return self._open_text(at)
        opens = self.next_open(at)
        phase = self.phase(at, Venue.STOCK)
        if phase in _PREOPEN:
            return f"pre-open; opens {opens:%H:%M}"
        word = "post-close" if phase is Phase.POST_CLOSE else "closed"
        return f"{word}; opens {opens:%a} {opens.day} {opens:%b %H:%M}"

    def _open_text(self, at: datetime) -> str:
        """Who trades until when: closing-auction stocks leave first, derivatives last."""
        auction, stock, futures = (
            self._open_until(at, venue) for venue in (Venue.AUCTION_STOCK, Venue.STOCK, Venue.DERIVATIVE)
        )
        if auction:
            return f"open until {auction}" + (f", F&O {futures}" if futures != auction else "")
        if stock:
            word = "auction; stocks" if self.phase(at, Venue.AUCTION_STOCK) in _AUCTION else "stocks until"
            return f"{word} {stock}, F&O {futures}"
        return f"F&O open until {futures}"

    def _open_until(self, at: datetime, venue: Venue) -> str:
        """``15:30``: when the present continuous trading ends; empty when there is none."""
        day = self._day(at.date(), venue)
        return f"{day.next_start(at):%H:%M}" if day.phase(at) is Phase.OPEN else ""

    def _changes_after(self, at: datetime) -> datetime:
        """Until when nothing changes at any venue; at the latest midnight."""
        starts = [start for venue in Venue for start in self._day(at.date(), venue).starts if start > at]
        return min(starts, default=datetime.combine(at.date() + _DAY, time(), IST))

    # -- the caches ------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._cache.clear()
        self._deadlines.clear()
        self._moments.clear()
        self._described = _NOTHING

    def _day(self, day: date, venue: Venue | None) -> Day:
        try:
            return self._cache[day, venue]
        except KeyError:
            found = self._cache[day, venue] = Day.of(self._starts(day, venue))
            return found

    def _starts(self, day: date, venue: Venue | None) -> Starts:
        if venue is None:
            return merged({venue: self._starts(day, venue) for venue in Venue})
        special = self._days.specials.get(day)
        if day in self._closures or (special is None and (day.weekday() >= 5 or day in self._days.holidays)):
            return ()
        if special is not None and special.parts:
            return self._hours.special(special.parts, venue)
        return self._hours.usual(day, venue)
