"""Bars out of ticks, and larger bars out of smaller ones.

Bars align from the session's opening (a 1h bar starts 09:15, 10:15 …; a day's bar is its session) and the
last one ends with the continuous trading of the instrument's venue, so its real end may come before
``Bar.end``. What trades outside it is in no bar, as in Kite's candles: nor is the price of the closing
auction. A bar is given out once, closed for ever; minutes without a trade have none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from trader.domain.errors import FeedError
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval, Tick
from trader.domain.times import IST
from trader.market.calendar import Calendar, Session, Venue

_NEVER = datetime(1, 1, 2, tzinfo=IST)
_OPENS, _CLOSES = time(9, 15), time(15, 30)
_FIRST_MINUTE = timedelta(minutes=1)


class Hours(NamedTuple):
    """Where a day's bars are laid: from ``anchor`` on, inside ``[begins, ends)``."""

    anchor: datetime
    begins: datetime
    ends: datetime


class Grid:
    """A venue's hours as bars need them, cached per day as long as the calendar says the same.

    Without a calendar every day is 09:15 to 15:30. A tick on a day the calendar holds closed proves a session
    nobody announced: its bars run over the whole day, aligned as usual.
    """

    def __init__(self, calendar: Calendar | None = None, venue: Venue = Venue.STOCK) -> None:
        self._calendar = calendar
        self._venue = venue
        self._days: dict[date, tuple[Session | None, Hours]] = {}

    def hours(self, day: date) -> Hours:
        session = self._calendar.session(day, self._venue) if self._calendar is not None else None
        known = self._days.get(day)
        if known is not None and known[0] == session:
            return known[1]
        hours = self._lay(day, session)
        self._days[day] = session, hours
        return hours

    def bucket(self, at: datetime, interval: Interval) -> tuple[datetime, datetime] | None:
        """Start and real end of the bar that ``at`` (in IST) belongs to; None outside the session."""
        hours = self.hours(at.date())
        if not hours.begins <= at < hours.ends:
            return None
        if interval is Interval.D1:
            return hours.begins, hours.ends
        length = interval.length
        start = hours.anchor + (at - hours.anchor) // length * length
        return max(start, hours.begins), min(start + length, hours.ends)

    def end_of(self, bar: Bar) -> datetime:
        """When ``bar`` really closes: at its end, or with the session."""
        ends = self.hours(bar.start.date()).ends
        return ends if bar.interval is Interval.D1 else min(bar.end, ends)

    def _lay(self, day: date, session: Session | None) -> Hours:
        if session is not None:
            return Hours(session.opens_at, session.opens_at, session.closes_at)
        usual = datetime.combine(day, _OPENS, IST)
        if self._calendar is None:
            return Hours(usual, usual, datetime.combine(day, _CLOSES, IST))
        midnight = datetime.combine(day, time(), IST)
        return Hours(usual, midnight, midnight + timedelta(days=1))


class Grids:
    """Each instrument's grid by its venue. Without ``venue`` all are plain stocks."""

    def __init__(
        self, calendar: Calendar | None = None, venue: Callable[[InstrumentKey], Venue] | None = None
    ) -> None:
        self._venue = venue
        self._by_venue = {one: Grid(calendar, one) for one in Venue}
        self._by_key: dict[InstrumentKey, Grid] = {}

    def of(self, key: InstrumentKey) -> Grid:
        """``venue`` is asked once for each key."""
        found = self._by_key.get(key)
        if found is None:
            venue = Venue.STOCK if self._venue is None else self._venue(key)
            found = self._by_key[key] = self._by_venue[venue]
        return found

    def end_of(self, bar: Bar) -> datetime:
        """As ``Grid.end_of``, by the bar's own venue."""
        return self.of(bar.key).end_of(bar)


class _Forming:
    """A bar that is being made, or the last one given out."""

    def __init__(self, key: InstrumentKey, interval: Interval, grid: Grid | None) -> None:
        self.key = key
        self.interval = interval
        self._grid = grid or Grid()
        self._forming = False
        self._start = self._end = _NEVER
        self._open = self._high = self._low = self._close = 0.0
        self._volume = 0

    def close_due(self, now: datetime) -> Bar | None:
        """The forming bar, if its time is over, whatever never came of it."""
        return self._give() if self._forming and self._end <= now else None

    def _give(self) -> Bar:
        self._forming = False
        return Bar(
            self.key, self.interval, self._start,
            self._open, self._high, self._low, self._close, self._volume,
        )  # fmt: skip


class BarBuilder(_Forming):
    """One instrument's ticks into its bars of one interval.

    Exchange time rules. A tick older than the current bar changes no price; inside the bar, high and low take
    every tick, open and close the earliest and the latest by time. Volume is the growth of the day's
    cumulative counter: a step back is ignored, and a day first seen after its opening minute starts counting
    there. Prices that are not positive numbers are dropped. Ticks carry IST times.
    """

    def __init__(self, key: InstrumentKey, interval: Interval, grid: Grid | None = None) -> None:
        super().__init__(key, interval, grid)
        self._open_at = self._close_at = _NEVER
        self._day = date.min
        self._base = 0  # where counting began, when a tick after the opening minute began it
        self._base_at: datetime | None = None  # that tick's time, while its bar forms
        self._counted = 0  # the day's cumulative volume that is in some bar, or in none for good

    def add(self, tick: Tick) -> Bar | None:
        """Take a tick in; the bar it closes, if it begins a later one (or comes after the session)."""
        at, last = tick.at, tick.last
        if not last > 0:  # NaN fails here too
            return None
        if at < self._end:
            if self._forming:
                if at >= self._start:
                    self._take_price(at, last)
                    self._take_volume(tick.volume)
                    if self._base_at is not None and at <= self._base_at:
                        self._rebase(at, tick.volume)
                elif at.date() == self._day:
                    self._take_volume(tick.volume)
            return None
        closed = self._give() if self._forming else None
        bucket = self._grid.bucket(at, self.interval)
        self._base_at = None
        self._enter_day(at, tick.volume, in_session=bucket is not None)
        if bucket is not None:
            self._start, self._end = bucket
            self._forming = True
            self._open = self._high = self._low = self._close = last
            self._open_at = self._close_at = at
            self._volume = 0
            self._take_volume(tick.volume)
        return closed

    def _take_price(self, at: datetime, last: float) -> None:
        if last > self._high:
            self._high = last
        elif last < self._low:
            self._low = last
        if at >= self._close_at:
            self._close, self._close_at = last, at
        elif at < self._open_at:
            self._open, self._open_at = last, at

    def _take_volume(self, cumulative: int) -> None:
        if cumulative > self._counted:
            self._volume += cumulative - self._counted
            self._counted = cumulative

    def _enter_day(self, at: datetime, cumulative: int, *, in_session: bool) -> None:
        day = at.date()
        if day != self._day:
            # Everything traded up to a first tick in the opening minute belongs to that minute; what traded
            # before a later first tick was never seen as bars and must not be booked as one.
            self._day = day
            if in_session and self._opening_minute(at):
                self._counted = 0
            else:
                self._counted = self._base = cumulative
                self._base_at = at if in_session else None
        elif not in_session:
            self._counted = max(self._counted, cumulative)

    def _rebase(self, at: datetime, cumulative: int) -> None:
        """A tick from before the one that began the day's count: count from it instead."""
        base = 0 if self._opening_minute(at) else min(cumulative, self._base)
        self._volume += self._base - base
        self._base = base
        self._base_at = at if base else None

    def _opening_minute(self, at: datetime) -> bool:
        return at < self._grid.hours(at.date()).begins + _FIRST_MINUTE


class BarMerger(_Forming):
    """One instrument's closed bars of ``base`` into bars of a larger ``interval``; FeedError when the one
    does not divide the other."""

    def __init__(
        self, key: InstrumentKey, base: Interval, interval: Interval, grid: Grid | None = None
    ) -> None:
        if not divides(base, interval):
            raise FeedError(
                f"{interval} candles cannot be made of {base} candles; ask for a multiple of {base}"
            )
        super().__init__(key, interval, grid)
        self.base = base
        self._seen = _NEVER

    def add(self, bar: Bar) -> list[Bar]:
        """Take the next base bar in; what it closes: nothing, the bar before it, its own, or both. A repeated
        or older bar is ignored."""
        start = bar.start
        if start <= self._seen:
            return []
        self._seen = start
        closed: list[Bar] = []
        if start >= self._end:
            if self._forming:
                closed.append(self._give())
            bucket = self._grid.bucket(start, self.interval)
            if bucket is None:
                return closed
            self._start, self._end = bucket
            self._forming = True
            _, _, _, self._open, self._high, self._low, self._close, self._volume = bar
        elif self._forming:
            self._high = max(self._high, bar.high)
            self._low = min(self._low, bar.low)
            self._close = bar.close
            self._volume += bar.volume
        if self._forming and start + self.base.length >= self._end:
            closed.append(self._give())
        return closed


def divides(base: Interval, interval: Interval) -> bool:
    """Whether ``interval`` can be made of whole ``base`` bars; a session can be made of any."""
    return interval is Interval.D1 or (base is not Interval.D1 and interval.seconds % base.seconds == 0)


def merged(bars: Sequence[Bar], interval: Interval, grid: Grid, until: datetime) -> list[Bar]:
    """``bars`` (of one instrument and interval, oldest first) as bars of ``interval`` closed by ``until``."""
    if not bars:
        return []
    merger = BarMerger(bars[0].key, bars[0].interval, interval, grid)
    closed = [done for bar in bars for done in merger.add(bar)]
    last = merger.close_due(until)
    return [*closed, last] if last else closed
