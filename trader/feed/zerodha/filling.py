"""Filling the cache's gaps from Kite."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np

from trader.domain.errors import BrokerUnavailable
from trader.domain.instrument import Instrument, InstrumentKey, Segment
from trader.domain.market import Interval
from trader.domain.times import IST, ist
from trader.feed.bars import Grid
from trader.feed.cleaning import moment
from trader.feed.zerodha.candles import CandleCache, Known
from trader.feed.zerodha.columns import Candles
from trader.feed.zerodha.gaps import Run, beside, chunks, missing, trading_days
from trader.feed.zerodha.ports import KITE_INTERVALS, KiteData
from trader.market.calendar import Calendar, Venue, venue_of

log = logging.getLogger(__name__)

_SETTLED = timedelta(hours=3)  # after the close: the last candles and the day's own are corrected until then
_MAY_CHANGE = timedelta(seconds=60)  # the newest candle does for some seconds (kite.md 8)
_PAUSES = (1.0, 3.0)  # seconds before a read that failed is tried again
_NEAR = 10  # days: a complete day so near a gap is asked for in the same request
# Past prices are adjusted before the opening of the ex-date (kite.trade/forum 52411), after a demerger some
# days later (52601): so many days before a gap are compared.
_COMPARED = timedelta(days=14)
_ADJUSTED = 0.001  # relative; a bonus of 1 in 100 moves past prices by a hundredth


@dataclass(frozen=True, slots=True)
class Filled:
    """``fresh``: the candles of days that are not over, which the cache has in part. ``candles``: all that
    came; ``anew``: the past was fetched again, for Kite had adjusted its prices."""

    fresh: Candles
    requests: int = 0
    candles: int = 0
    anew: bool = False


class _OtherPrices(Exception):
    """Kite's candles of a day differ from those in the cache: they were adjusted since."""


class GapFiller:
    """Limits of rate are kept by ``data``."""

    def __init__(
        self,
        data: KiteData,
        cache: CandleCache,
        calendar: Calendar,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._data = data
        self._cache = cache
        self._calendar = calendar
        self._now = now
        self._sleep = sleep
        self._grids = {venue: Grid(calendar, venue) for venue in Venue}
        self._turns: defaultdict[tuple[InstrumentKey, Interval], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def fill(
        self,
        instrument: Instrument,
        interval: Interval,
        run: Run,
        asked: Callable[[], None] = lambda: None,
    ) -> Filled:
        """Fetch what the cache lacks of ``run``; ``asked`` is called after each request. What came is kept
        request by request, so a fill that failed goes on where it stopped. BrokerError, FeedError."""
        key = instrument.key
        async with self._turns[key, interval]:
            try:
                return await self._fill(instrument, interval, run, asked)
            except _OtherPrices:
                log.warning("Kite has adjusted the past prices of %s: fetching its candles anew", key)
                await asyncio.to_thread(self._cache.forget, key, interval)
            again = await self._fill(instrument, interval, run, asked)
            return Filled(again.fresh, again.requests, again.candles, anew=True)

    async def plan(self, instrument: Instrument, interval: Interval, run: Run) -> int:
        """How many requests ``fill`` will take, if no prices were adjusted."""
        known = await asyncio.to_thread(self._cache.known, instrument.key, interval)
        return len(list(self._requests(instrument, interval, run, known)))

    async def _fill(
        self, instrument: Instrument, interval: Interval, run: Run, asked: Callable[[], None]
    ) -> Filled:
        known = await asyncio.to_thread(self._cache.known, instrument.key, interval)
        fresh, requests, count = Candles.none(), 0, 0
        for request in self._requests(instrument, interval, run, known):
            now = ist(self._now())
            came = await self._ask(instrument, interval, request, now)
            await self._expect_same(instrument.key, interval, came, known)
            await self._keep(instrument, interval, request, came, known, now)
            venue = venue_of(instrument)
            under_way = [day for day in self._days(request, venue) if not self._settled(day, venue, now)]
            fresh = fresh.joined(came.where(came.on(under_way)))
            requests += 1
            count += len(came)
            asked()
        return Filled(fresh, requests, count)

    def _requests(self, instrument: Instrument, interval: Interval, run: Run, known: Known) -> Iterator[Run]:
        """The gaps, each with complete days beside it: in those the prices are compared."""
        gaps = missing(self._calendar, venue_of(instrument), run, known.complete, ist(self._now()))
        for gap in gaps:
            first, last = gap
            for day in beside(gap, known.complete):
                if day is None:
                    continue
                if gap.distance(day) > _NEAR:
                    yield Run(day, day)
                elif day < first:
                    first = max(day - _COMPARED, min(known.complete))
                else:
                    last = day
            yield from chunks(Run(first, last), KITE_INTERVALS[interval][1])

    async def _ask(self, instrument: Instrument, interval: Interval, request: Run, now: datetime) -> Candles:
        """Kite's candles of whole days, up to now."""
        start = datetime.combine(request.first, time(), IST)
        end = min(datetime.combine(request.last, time(23, 59, 59), IST), now.replace(microsecond=0))
        contract = instrument.segment in (Segment.FUTURES, Segment.OPTIONS)
        word = KITE_INTERVALS[interval][0]
        for pause in (*_PAUSES, None):
            try:
                rows = await self._data.historical(instrument.token, start, end, word, oi=contract)
                break
            except BrokerUnavailable as e:
                if pause is None:
                    raise
                log.info("Candles of %s: %s Trying again.", instrument.key, e)
                await self._sleep(pause)
        return Candles.of(rows)

    async def _expect_same(self, key: InstrumentKey, interval: Interval, came: Candles, known: Known) -> None:
        """Kite adjusts past prices for splits, bonuses and the like: old and new ones must not mix."""
        checked = came.traded_days() & known.complete
        if not checked:
            return
        old = await asyncio.to_thread(self._cache.read, key, interval, min(checked), max(checked))
        for day in checked:
            before, after = old.where(old.on([day])), came.where(came.on([day]))
            _, mine, theirs = np.intersect1d(before.at, after.at, return_indices=True)
            if len(mine) and abs(float(np.median(after.close[theirs] / before.close[mine])) - 1) > _ADJUSTED:
                raise _OtherPrices

    async def _keep(
        self,
        instrument: Instrument,
        interval: Interval,
        request: Run,
        came: Candles,
        known: Known,
        now: datetime,
    ) -> None:
        """Candles that are closed and will not change; of settled days that they are complete. A day without
        a candle is believed when Kite had none on two days."""
        venue, traded, today = venue_of(instrument), came.traded_days(), now.date()
        settled = [day for day in self._days(request, venue) if self._settled(day, venue, now)]
        silent = [day for day in settled if day not in traded and day not in known.complete]
        empty = {day: known.empty.get(day, today) for day in silent}
        complete = {day for day in settled if day in traded or empty.get(day, today) < today}
        limit = now - _MAY_CHANGE
        over = [self._closes(moment(at), interval, venue) <= limit for at in came.at.tolist()]
        candles = came.where(np.array(over, dtype=np.bool_))
        await asyncio.to_thread(self._cache.keep, instrument.key, interval, candles, complete, empty)

    def _days(self, request: Run, venue: Venue) -> list[date]:
        return list(trading_days(self._calendar, venue, request))

    def _settled(self, day: date, venue: Venue, now: datetime) -> bool:
        return self._grids[venue].hours(day).ends + _SETTLED <= now

    def _closes(self, start: datetime, interval: Interval, venue: Venue) -> datetime:
        """When a candle is over; one outside the session after its own length."""
        grid = self._grids[venue]
        if interval is Interval.D1:
            return grid.hours(start.date()).ends
        bucket = grid.bucket(start, interval)
        return bucket[1] if bucket is not None else start + interval.length
