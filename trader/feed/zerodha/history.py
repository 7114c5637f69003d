"""Candles from before a moment: from the cache, and from Kite what the cache lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Bar, Interval
from trader.domain.times import ist
from trader.feed.bars import Grid
from trader.feed.cleaning import micros, moment
from trader.feed.zerodha.candles import CandleCache
from trader.feed.zerodha.columns import Candles
from trader.feed.zerodha.filling import GapFiller
from trader.feed.zerodha.gaps import Run, trading_days
from trader.feed.zerodha.ports import KITE_INTERVALS, KiteData
from trader.market.calendar import Calendar, Venue, venue_of
from trader.market.instruments import Instruments

_DAY = timedelta(days=1)
_MAY_LAG = timedelta(seconds=10)
_LAG = 2.0  # seconds to wait for a candle that lags
_UNTRADED = 10  # trading days without a candle: before them the instrument was not listed
_EARLIEST = date(2000, 1, 1)


class CandleHistory:
    """``instruments`` gives the day's list, which has the tokens."""

    def __init__(
        self,
        data: KiteData,
        cache: CandleCache,
        instruments: Callable[[], Instruments],
        calendar: Calendar,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._filler = GapFiller(data, cache, calendar, now, sleep)
        self._cache = cache
        self._instruments = instruments
        self._calendar = calendar
        self._now = now
        self._sleep = sleep
        self._grids = {venue: Grid(calendar, venue) for venue in Venue}

    async def bars(self, key: InstrumentKey, interval: Interval, count: int, before: datetime) -> list[Bar]:
        """The last ``count`` closed bars with ``end <= before``, oldest first; fewer where there are none.
        Intervals below a minute have none. UnknownName, BrokerError, FeedError: they cannot be had."""
        if count <= 0 or interval not in KITE_INTERVALS:
            return []
        instrument = listed(self._instruments(), key)
        grid = self._grids[venue_of(instrument)]
        before = min(ist(before), ist(self._now()))
        run = Run(self._days_back(grid, before.date(), interval, count), before.date())
        filled = await self._filler.fill(instrument, interval, run)
        if self._lags(filled.fresh, instrument, interval, before):
            await self._sleep(_LAG)
            filled = await self._filler.fill(instrument, interval, run)
        while True:
            kept = await asyncio.to_thread(self._cache.read, key, interval, *run)
            candles = kept.joined(filled.fresh)
            bars = _closed(candles, key, interval, grid, before, count)
            if len(bars) >= count or not self._goes_on(instrument, candles, run):
                return bars
            wider = Run(max(_EARLIEST, run.first - run.days * _DAY), run.first - _DAY)
            await self._filler.fill(instrument, interval, wider)
            run = Run(wider.first, run.last)

    def _days_back(self, grid: Grid, last: date, interval: Interval, count: int) -> date:
        """The trading day that holds the ``count``-th bar before ``last``, had there been trades in every
        one. ``last`` counts for nothing: it may have just begun."""
        day = last
        while count > 0 and day > _EARLIEST:
            day = self._calendar.previous_trading_day(day)
            hours = grid.hours(day)
            count -= 1 if interval is Interval.D1 else -((hours.begins - hours.ends) // interval.length)
        return day

    def _goes_on(self, instrument: Instrument, candles: Candles, run: Run) -> bool:
        """Whether there may be candles from before ``run``."""
        if not len(candles) or run.first <= _EARLIEST:
            return False
        oldest = moment(int(candles.at[0])).date()
        silent = trading_days(self._calendar, venue_of(instrument), Run(run.first, oldest - _DAY))
        return sum(1 for _ in silent) < _UNTRADED

    def _lags(self, fresh: Candles, instrument: Instrument, interval: Interval, before: datetime) -> bool:
        """Whether a candle that closed just now is not there yet."""
        venue, day = venue_of(instrument), before.date()
        if interval is Interval.D1 or self._calendar.session(day, venue) is None:
            return False
        hours = self._grids[venue].hours(day)
        until = min(before, hours.ends)
        closed_at = until - (until - hours.anchor) % interval.length if until < hours.ends else hours.ends
        if closed_at <= hours.begins or before - closed_at >= _MAY_LAG:
            return False
        return not len(fresh) or int(fresh.at[-1]) < micros(closed_at - interval.length)


def listed(instruments: Instruments, key: InstrumentKey) -> Instrument:
    """UnknownName for one that the day's list lacks, as it lacks expired contracts: Kite keeps no candles of
    those. InvalidInput: it has another name."""
    found = instruments.get(key)
    if found is None:
        near = instruments.find(key)  # its error names the nearest
        raise InvalidInput(f"Kite does not list {key}, but {near.key}.")
    return found


def _closed(
    candles: Candles, key: InstrumentKey, interval: Interval, grid: Grid, before: datetime, count: int
) -> list[Bar]:
    """The last ``count`` bars closed by ``before``. As in our own bars, what traded outside continuous
    trading is in none, and a day's bar begins with its session (Kite dates it 00:00)."""
    found: list[Bar] = []
    for row in range(len(candles) - 1, -1, -1):
        start = moment(int(candles.at[row]))
        hours = grid.hours(start.date())
        if interval is Interval.D1:
            start = hours.begins
        elif not hours.begins <= start < hours.ends:
            continue
        opening, high, low, close = (float(column[row]) for column in candles.columns[1:5])
        bar = Bar(key, interval, start, opening, high, low, close, int(candles.volume[row]))
        if grid.end_of(bar) <= before:
            found.append(bar)
            if len(found) == count:
                break
    found.reverse()
    return found
