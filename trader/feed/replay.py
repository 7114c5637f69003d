"""A recorded market, played back in its own time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trader.domain.errors import FeedError, UnknownName
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Bar, Interval, Tick
from trader.domain.times import IST, ist
from trader.feed import files
from trader.feed.bars import BarBuilder, Grids, divides, merged
from trader.feed.cleaning import Series, clean, in_session, micros, moment, recorded_calendar
from trader.feed.files import Floats, Ints
from trader.feed.port import BarBatch, Batch, Silence, TickBatch
from trader.feed.selection import select
from trader.market.calendar import Calendar, venue_of
from trader.market.symbols import instrument_of

_CHUNK = 20_000  # ticks made at a time


class ReplayMarket:
    """Candles of one interval, or ticks. ``calendar`` is the given one corrected by the recording: use it for
    the whole desk. ``flaws`` counts what was wrong with the rows (see ``cleaning``)."""

    name = "replay"

    def __init__(
        self,
        series: Sequence[Series],
        interval: Interval | None,
        calendar: Calendar,
        flaws: dict[str, int],
        first: date | None = None,
        last: date | None = None,
    ) -> None:
        self.interval = interval  # None: ticks
        self.calendar = calendar
        self.flaws = flaws
        self._series = {one.instrument.key: one for one in sorted(series, key=lambda s: s.instrument.key)}
        self._grids = Grids(calendar, lambda key: venue_of(self._series[key].instrument))
        recorded = sorted({day for one in series for day in one.days})
        self._days = [d for d in recorded if (first is None or d >= first) and (last is None or d <= last)]
        if not self._days:
            span = f"{recorded[0]} to {recorded[-1]}" if recorded else "nothing usable"
            raise FeedError(f"Expected rows from {first or 'any day'} to {last or 'any day'}, found {span}")

    @classmethod
    def from_path(cls, path: str | Path, calendar: Calendar | None = None) -> ReplayMarket:
        """Read the files of ``path`` (see ``selection.select``); FeedError says what is wrong."""
        chosen = select(path)
        flaws: Counter[str] = Counter()
        rows: dict[InstrumentKey, list[files.Rows]] = {}
        kinds: dict[str, Path] = {}
        interval: Interval | None = None
        for file in chosen.files:
            contents = files.read(file, flaws)
            interval = contents.interval
            kinds.setdefault(str(interval) if interval else "ticks", file)
            if len(kinds) > 1:
                found = " and ".join(f"{kind} in {where.name}" for kind, where in kinds.items())
                raise FeedError(f"Expected candles of one interval, or ticks, found {found}; name one kind")
            for part in contents.rows:
                rows.setdefault(instrument_of(part.symbol).key, []).append(part)
        cleaned = [
            series
            for parts in rows.values()
            if (series := clean(files.Rows.joined(parts), interval, flaws)) is not None
        ]
        corrected = recorded_calendar(cleaned, interval, calendar or Calendar.load())
        kept = in_session(cleaned, interval, corrected, flaws)
        return cls(kept, interval, corrected, dict(sorted((+flaws).items())), chosen.first, chosen.last)

    @property
    def starts_at(self) -> datetime:
        return moment(min(int(at) for at in self._first_rows(self._days[0])))

    @property
    def ends_at(self) -> datetime:
        """When the last venue closes on the last day: nothing comes after it."""
        return self.closes(self._days[-1])

    def instruments(self) -> Sequence[Instrument]:
        return [one.instrument for one in self._series.values()]

    def watch(self, keys: Iterable[InstrumentKey]) -> None:
        """Everything is shown already."""

    async def batches(self, since: datetime) -> AsyncIterator[Batch]:
        """Each day's rows and a Silence when its last venue closes; a Silence at a day's first row jumps over
        the night. Candles that began before ``since`` are left out, and days that the owner closed. Ends with
        the recording."""
        since = ist(since)
        for day in self._days:
            closes = self.closes(day)
            if closes <= since or not self.calendar.is_trading_day(day):
                continue
            begins = moment(min(int(at) for at in self._first_rows(day)))
            if since < begins:
                yield Silence(begins)
            rows = self._tick_batches(day, since) if self.interval is None else self._bar_batches(day, since)
            for batch in rows:
                yield batch
            yield Silence(closes)

    @property
    def days(self) -> Sequence[date]:
        """Those played, oldest first."""
        return [day for day in self._days if self.calendar.is_trading_day(day)]

    def series(self, key: InstrumentKey) -> Series:
        return self._series[key]

    def table(self, day: date) -> DayTable:
        """The candles of a day as columns. Only of a recording of candles."""
        assert self.interval is not None  # noqa: S101 the caller's part; this tells mypy
        rows = {key: (s, s.days[day]) for key, s in self._series.items() if day in s.days}
        ends = {key: self._grids.of(key).hours(day).ends for key in rows}
        return DayTable(rows, self.interval, ends, self._batch)

    async def history(
        self, key: InstrumentKey, interval: Interval, count: int, before: datetime
    ) -> list[Bar]:
        """As the port says, of every recorded day, replayed or not. FeedError when the recorded candles
        do not divide the interval asked for."""
        series = self._series.get(key)
        if series is None:
            raise UnknownName("symbol of the recording", key, self._series)
        if self.interval is not None and not divides(self.interval, interval):
            raise FeedError(
                f"Expected a candle interval made of {self.interval} candles, which is what the recording of "
                f"{series.instrument.symbol} holds, was asked for {interval}"
            )
        before = ist(before)
        days = list(series.days)
        position = bisect_right(days, before.date())
        found: list[Bar] = []
        while len(found) < count and position > 0:
            position -= 1
            found[:0] = self._day_bars(series, days[position], interval, before)
        return found[-count:] if count > 0 else []

    def closes(self, day: date) -> datetime:
        """The last close of ``day``; of a day that the owner closed, its end."""
        session = self.calendar.session(day)
        return session.closes_at if session else datetime.combine(day + timedelta(days=1), time(), IST)

    def _first_rows(self, day: date) -> Iterator[int]:
        return (int(s.at[s.days[day].start]) for s in self._series.values() if day in s.days)

    def _day_bars(self, series: Series, day: date, interval: Interval, before: datetime) -> list[Bar]:
        """The bars of one day closed by ``before``."""
        where, grid = series.days[day], self._grids.of(series.instrument.key)
        if self.interval is None:
            builder = BarBuilder(series.instrument.key, interval, grid)
            until = where.start + int(np.searchsorted(series.at[where], micros(before)))
            ticks = _ticks(series, slice(where.start, until))
            closed = [bar for tick in ticks if (bar := builder.add(tick)) is not None]
            last = builder.close_due(before)
            return [*closed, last] if last else closed
        starts = [moment(at) for at in series.at[where].tolist()]
        bars = [b for b in _bars(series, where, self.interval, starts) if grid.end_of(b) <= before]
        return bars if interval is self.interval else merged(bars, interval, grid, before)

    def _bar_batches(self, day: date, since: datetime) -> Iterator[BarBatch]:
        assert self.interval is not None  # noqa: S101 the caller asked; this tells mypy
        rows = [(s, s.days[day]) for s in self._series.values() if day in s.days]
        times = np.unique(np.concatenate([s.at[where] for s, where in rows]))
        starts = [moment(at) for at in times.tolist()]
        grouped: list[list[Bar]] = [[] for _ in starts]
        for series, where in rows:
            slots = np.searchsorted(times, series.at[where]).tolist()
            bars = _bars(series, where, self.interval, [starts[i] for i in slots])
            for slot, bar in zip(slots, bars, strict=True):
                grouped[slot].append(bar)
        length = self.interval.length
        closes = {s.instrument.key: self._grids.of(s.instrument.key).hours(day).ends for s, _ in rows}
        for start, group in zip(starts, grouped, strict=True):
            if start >= since:  # candles cut short by their venue's close come with the longest among them
                yield self._batch(start, min(start + length, max(closes[bar.key] for bar in group)), group)

    def _batch(self, start: datetime, end: datetime, bars: list[Bar]) -> BarBatch:
        venues = {venue_of(self._series[bar.key].instrument) for bar in bars}
        return BarBatch(start, end, bars, self.calendar.last_chance(start, end, venues))

    def _tick_batches(self, day: date, since: datetime) -> Iterator[TickBatch]:
        """The day's ticks from ``since`` on, those of one second together."""
        parts = [(s, s.days[day]) for s in self._series.values() if day in s.days]
        at = np.concatenate([s.at[where] for s, where in parts])
        order = np.argsort(at, kind="stable")  # inside one instant: by instrument, as recorded
        order = order[np.searchsorted(at[order], micros(since)) :]
        seconds = at[order] // 1_000_000
        cuts = np.flatnonzero(np.diff(seconds)) + 1
        begin = 0
        while begin < len(order):
            # a chunk ends between two seconds
            later = cuts[np.searchsorted(cuts, begin + _CHUNK) :]
            end = int(later[0]) if len(later) else len(order)
            ticks = _chunk(parts, order[begin:end])
            inner = cuts[(cuts > begin) & (cuts < end)] - begin
            for i, j in zip([0, *inner.tolist()], [*inner.tolist(), len(ticks)], strict=True):
                yield TickBatch(ticks[j - 1].at, ticks[i:j])
            begin = end


class DayTable:
    """A day's candles of several instruments on one row of opening times (``at``, microseconds since 1970
    UTC). ``rows`` says at which of them an instrument has its candles."""

    def __init__(
        self,
        series: dict[InstrumentKey, tuple[Series, slice]],
        interval: Interval,
        ends: dict[InstrumentKey, datetime],
        batch: Callable[[datetime, datetime, list[Bar]], BarBatch],
    ) -> None:
        self.interval = interval
        self._batch = batch
        self._series = series
        self._ends = ends
        times = [s.at[where] for s, where in series.values()]
        self.at = np.unique(np.concatenate(times)) if len(times) > 1 else times[0]
        self.rows = {key: np.searchsorted(self.at, s.at[where]) for key, (s, where) in series.items()}
        self._listed: dict[InstrumentKey, list[tuple[float, float, float, float, int]]] = {}
        self._tables: dict[InstrumentKey, Floats] = {}
        self.times: list[int] = self.at.tolist()  # as ``at``; quicker to look a single one up in
        self.places: dict[InstrumentKey, list[int]] = {key: rows.tolist() for key, rows in self.rows.items()}

    def __len__(self) -> int:
        return len(self.at)

    def prices(self, key: InstrumentKey) -> tuple[Floats, ...]:
        """Open, high, low, close of its own candles."""
        series, where = self._series[key]
        return tuple(column[where] for column in series.prices)

    def rows_where(self, key: InstrumentKey, flags: npt.NDArray[np.bool_]) -> Ints:
        """The rows of its candles that are flagged; ``flags`` has one for each of the whole recording."""
        _, where = self._series[key]
        found: Ints = self.rows[key][flags[where]]
        return found

    def columns(self, key: InstrumentKey, first: int, last: int) -> tuple[Ints, Floats]:
        """Its candles of the rows ``first`` to before ``last``, as Bars has them: start, and table (5, n)."""
        series, where = self._series[key]
        if key not in self._tables:
            self._tables[key] = np.vstack([column[where] for column in (*series.prices, series.volume)])
        places = self.places[key]
        low, high = bisect_left(places, first), bisect_left(places, last)
        return series.at[where.start + low : where.start + high], self._tables[key][:, low:high]

    def _columns_of(self, key: InstrumentKey) -> list[tuple[float, float, float, float, int]]:
        """Its candles of the day as plain numbers: all at once, for one by one they cost far more."""
        if key not in self._listed:
            series, where = self._series[key]
            prices = (column[where].tolist() for column in series.prices)
            self._listed[key] = list(zip(*prices, series.volume[where].tolist(), strict=True))
        return self._listed[key]

    def batch(self, row: int) -> BarBatch:
        """The candles that open at ``at[row]``."""
        start = moment(self.times[row])
        bars = []
        for key, places in self.places.items():
            place = bisect_left(places, row)
            if place < len(places) and places[place] == row:
                bars.append(Bar(key, self.interval, start, *self._columns_of(key)[place]))
        latest = max(self._ends[bar.key] for bar in bars)
        return self._batch(start, min(start + self.interval.length, latest), bars)


def _bars(series: Series, where: slice, interval: Interval, starts: list[datetime]) -> Iterator[Bar]:
    columns = [p[where].tolist() for p in series.prices]
    volume = series.volume[where].tolist()
    return map(Bar._make, zip(repeat(series.instrument.key), repeat(interval), starts, *columns, volume))


def _ticks(series: Series, where: slice) -> Iterator[Tick]:
    last, bid, ask = (p[where].tolist() for p in series.prices)
    times = map(moment, series.at[where].tolist())
    columns = zip(repeat(series.instrument.key), times, last, series.volume[where].tolist(), bid, ask)
    return map(Tick._make, columns)


def _chunk(
    parts: Sequence[tuple[Series, slice]], positions: np.ndarray[tuple[int], np.dtype[np.intp]]
) -> list[Tick]:
    """The ticks at ``positions`` of the parts laid end to end, in that order."""
    offset = 0
    made: list[tuple[int, Tick]] = []
    for series, where in parts:
        length = where.stop - where.start
        ranks = np.flatnonzero((positions >= offset) & (positions < offset + length))
        if len(ranks):
            # positions of one part rise with the ranks, so its ticks lie between the first and the last
            low, high = int(positions[ranks[0]]) - offset, int(positions[ranks[-1]]) - offset + 1
            ticks = _ticks(series, slice(where.start + low, where.start + high))
            made += zip(ranks.tolist(), ticks, strict=True)
        offset += length
    made.sort(key=lambda pair: pair[0])
    return [tick for _, tick in made]
