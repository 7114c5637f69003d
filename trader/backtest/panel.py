"""Candles of several instruments on one axis of time.

A row is one moment at which a candle of any of them begins. An instrument without a candle there (its own
calendar, a gap, a halt) has zeros in the row, and nothing of it happens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Instrument, InstrumentKey, symbol_of
from trader.domain.market import Interval
from trader.feed.cleaning import days_of
from trader.market.calendar import Calendar
from trader.market.phases import Phase, Venue, venue_of
from trader.strategy.bars import Bars, micros, moment

OPEN, ENTRIES, STOPS, SQUARE, BROKER, STOPS_END = 1, 2, 4, 8, 16, 32  # compiled.fields
_LAST_ENTRY = 10 * 60 * 1_000_000  # trader.desk.checks.market.LAST_ENTRY
_DAY = 86_400_000_000
_IST = 19_800_000_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MOST = 2_000_000_000  # what a cell holds


@dataclass(frozen=True, slots=True)
class Timetable:
    """``days``: (days, 5): first row, row after the last, day of settlement, close of the last venue, first
    row in which an hour of the day asks for something (square-off, the end of stops).
    ``flags``: (rows, venues, 3), what each venue allows at a row's beginning, at its end, and inside it.
    ``venues``: their order; ``ends``: when each row's candles have closed; ``inside``: when what passes
    inside them is shown, at their end but for a last chance to leave (``Calendar.last_chance``)."""

    dates: Sequence[date]
    days: NDArray[np.int64]
    flags: NDArray[np.uint8]
    venues: Sequence[Venue]
    ends: NDArray[np.int64]
    inside: NDArray[np.int64]


class Panel:
    """``keys`` in order; ``bars`` what of each instrument's candles lies in its sessions; ``rows[key]`` the
    row of each of them. ``cells``: (rows, instruments, 4) in hundredths or ten-thousandths of a rupee:
    ``multiple`` makes ten-thousandths of them. ``last``: (rows, instruments) the closes in the same units,
    where there is no candle that of the last one before, 0 where there was none."""

    def __init__(
        self,
        data: Mapping[InstrumentKey, Bars],
        instruments: Mapping[InstrumentKey, Instrument],
        calendar: Calendar,
    ) -> None:
        self.keys = sorted(data)
        self.interval = _one_interval(data)
        self.length = self.interval.seconds * 1_000_000
        self.warnings: list[str] = []
        venues = {key: venue_of(instruments[key]) for key in self.keys}
        self.bars = {key: self._in_session(data[key], venues[key], calendar) for key in self.keys}
        starts = [self.bars[key].start for key in self.keys]
        self.start: NDArray[np.int64] = _axis(starts)
        if not len(self.start):
            raise InvalidInput("Expected candles inside trading sessions, were none")
        self.rows = {
            key: np.searchsorted(self.start, own).astype(np.int32)
            for key, own in zip(self.keys, starts, strict=True)
        }
        self.multiple, self.cells = self._lay()
        self.last = np.rint(np.nan_to_num(self.closes) * (10_000 // self.multiple)).astype(np.int32)
        self.timetable = self._timetable(venues, calendar)
        self.previous = self._previous()
        self.spans = np.stack([self.start, self.timetable.ends, self.timetable.inside], axis=1)
        self.memo: dict[Any, Any] = {}  # what is computed from a panel once, by those who do

    @property
    def count(self) -> int:
        """Candles."""
        return sum(len(bars) for bars in self.bars.values())

    def row_of(self, day: date, *, end: bool = False) -> int:
        """The first row of the first trading day from ``day`` on; with ``end`` the row after the last one."""
        at = (day.toordinal() - _EPOCH_DAY + end) * _DAY - _IST
        return int(np.searchsorted(self.start, at))

    @cached_property
    def closes(self) -> NDArray[np.float64]:
        """(rows, instruments), forward filled, NaN before an instrument's first candle."""
        close = np.full((len(self.start), len(self.keys)), np.nan)
        for n, key in enumerate(self.keys):
            rows = self.rows[key]
            if not len(rows):
                continue
            last = np.zeros(len(self.start), dtype=np.int64)
            last[rows] = np.arange(len(rows))
            np.maximum.accumulate(last, out=last)
            close[rows[0] :, n] = self.bars[key].close[last[rows[0] :]]
        close.flags.writeable = False
        return close

    @cached_property
    def hash(self) -> str:
        """Of the instruments, times and prices."""
        digest = hashlib.blake2b(" ".join([*self.keys, self.interval]).encode(), digest_size=16)
        for array in (self.start, self.cells):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()

    # -- making ------------------------------------------------------------------------------------------

    def _in_session(self, bars: Bars, venue: Venue, calendar: Calendar) -> Bars:
        """Without candles outside the venue's sessions: the replay shows none of them."""
        keep = np.zeros(len(bars), dtype=np.bool_)
        for day, where in days_of(bars.start).items():
            session = calendar.session(day, venue)
            if session is not None:
                at = bars.start[where]
                keep[where] = (at >= micros(session.opens_at)) & (at < micros(session.closes_at))
        left = int(len(keep) - keep.sum())
        if not left:
            return bars
        self.warnings.append(f"{symbol_of(bars.key)}: {left} candles outside its sessions are left out")
        return Bars(bars.key, bars.interval, bars.start[keep], np.ascontiguousarray(bars.table[:, keep]))

    def _lay(self) -> tuple[int, NDArray[np.int32]]:
        multiple = 100
        for bars in self.bars.values():
            paise = bars.table[:4] * 100
            if np.abs(paise - np.rint(paise)).max(initial=0.0) > 1e-4:
                multiple = 1
        cells = np.zeros((len(self.start), len(self.keys), 4), dtype=np.int32)
        for n, key in enumerate(self.keys):
            exact = self.bars[key].table[:4] * (10_000 // multiple)
            whole = np.rint(exact)
            if whole.max(initial=0.0) > _MOST:
                raise InvalidInput(f"{symbol_of(key)} has prices above ₹{_MOST * multiple // 10_000}")
            if np.abs(exact - whole).max(initial=0.0) > 1e-3:
                self.warnings.append(f"{symbol_of(key)}: prices are rounded to four decimals")
            cells[self.rows[key], n] = whole.T
        return multiple, cells

    def _previous(self) -> NDArray[np.int32]:
        """(days, instruments): the row of the last candle before each day, or -1."""
        first = self.timetable.days[:, 0]
        previous = np.full((len(first), len(self.keys)), -1, dtype=np.int32)
        for n, key in enumerate(self.keys):
            place = np.searchsorted(self.rows[key], first) - 1
            known = place >= 0
            previous[known, n] = self.rows[key][place[known]]
        return previous

    def _timetable(self, of: Mapping[InstrumentKey, Venue], calendar: Calendar) -> Timetable:
        venues = sorted(set(of.values()))
        present = np.zeros((len(self.start), len(venues)), dtype=np.bool_)
        for key in self.keys:
            present[self.rows[key], venues.index(of[key])] = True
        spans = list(days_of(self.start).items())
        dates = [day for day, _ in spans]
        days = np.zeros((len(spans), 5), dtype=np.int64)
        ends = self.start + self.length
        inside = np.empty_like(ends)
        flags = np.zeros((len(self.start), len(venues), 3), dtype=np.uint8)
        ordinals = np.array([day.toordinal() for day in dates])
        for n, (day, where) in enumerate(spans):
            settles = int(np.searchsorted(ordinals, calendar.settles_on(day).toordinal()))
            session = calendar.session(day)
            closes = micros(session.closes_at) if session else 0
            days[n] = where.start, where.stop, settles, closes, where.stop
            last = np.zeros(where.stop - where.start, dtype=np.int64)
            for v, venue in enumerate(venues):
                own = calendar.session(day, venue)
                if own is not None:
                    np.maximum(last, np.where(present[where, v], micros(own.closes_at), 0), out=last)
            ends[where] = np.minimum(ends[where], last)
            inside[where] = self._inside(where, ends, present, venues, calendar)
            for v, venue in enumerate(venues):
                for side, at in enumerate((self.start[where], ends[where], inside[where])):
                    flags[where, v, side] = _flags(at, day, venue, calendar)
            late = np.flatnonzero((flags[where] & (SQUARE | BROKER | STOPS_END)).any(axis=(1, 2)))
            if len(late):
                days[n, 4] = where.start + late[0]
        return Timetable(dates, days, flags, venues, ends, inside)

    def _inside(
        self,
        where: slice,
        ends: NDArray[np.int64],
        present: NDArray[np.bool_],
        venues: Sequence[Venue],
        calendar: Calendar,
    ) -> NDArray[np.int64]:
        """Of a day's rows. Only those are looked at that hold some venue's square-off."""
        found = ends[where].copy()
        day = moment(int(self.start[where.start])).date()
        for v, venue in enumerate(venues):
            own = micros(calendar.deadlines(day, venue).squareoff_at)
            holds = (self.start[where] < own) & (own < ends[where]) & present[where, v]
            for row in np.flatnonzero(holds) + where.start:
                here = [other for n, other in enumerate(venues) if present[row, n]]
                chance = calendar.last_chance(moment(int(self.start[row])), moment(int(ends[row])), here)
                if chance is not None:
                    found[row - where.start] = micros(chance)
        return found


def _flags(at: NDArray[np.int64], day: date, venue: Venue, calendar: Calendar) -> NDArray[np.uint8]:
    """What the venue allows at these times of a day, as bits."""
    found = np.zeros(len(at), dtype=np.uint8)
    phases = [(micros(begin), phase) for begin, phase in calendar.phases(day, venue)]
    for n, (begin, phase) in enumerate(phases):
        if phase is Phase.OPEN:
            end = phases[n + 1][0] if n + 1 < len(phases) else begin
            found[(at >= begin) & (at < end)] |= OPEN
    deadlines = calendar.deadlines(day, venue)
    session = calendar.session(day, venue)
    found[at < micros(deadlines.entries_until)] |= ENTRIES
    if session is not None:
        found[micros(session.closes_at) - at >= _LAST_ENTRY] |= STOPS
    found[at >= micros(deadlines.squareoff_at)] |= SQUARE
    found[at >= micros(deadlines.broker_at)] |= BROKER
    if deadlines.stops_end is not None:
        found[at >= micros(deadlines.stops_end)] |= STOPS_END
    return found


def _one_interval(data: Mapping[InstrumentKey, Bars]) -> Interval:
    if not data:
        raise InvalidInput("Expected candles of at least one instrument, were none")
    intervals = {bars.interval for bars in data.values()}
    if len(intervals) > 1:
        raise InvalidInput(f"Expected candles of one interval, were {', '.join(sorted(intervals))}")
    return intervals.pop()


def _axis(starts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """All beginnings, once each."""
    first = starts[0]
    if all(len(own) == len(first) and np.array_equal(own, first) for own in starts[1:]):
        return np.array(first)
    return np.unique(np.concatenate(list(starts)))
