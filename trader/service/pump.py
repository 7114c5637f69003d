"""Plays a feed to the desk at its pace: the paper exchange sees each moment first, then the desk.

The next moment is shown when everything the last one caused has settled, so a day replays to the same
decisions however busy the machine is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from trader.desk.events import BarClosed, ClockTicked, RangePassed, TicksArrived
from trader.domain.errors import MunimError
from trader.domain.market import Bar, Tick
from trader.feed.aggregator import Aggregator
from trader.feed.port import BarBatch, Batch, Feed, Silence, TickBatch
from trader.market.calendar import Calendar
from trader.service.clock import MarketClock
from trader.service.desk_service import DeskService
from trader.service.schedule import Schedule, first_close, midnight

log = logging.getLogger(__name__)

_SHARE = 0.02  # seconds the market may keep the event loop to itself
_JUMP = timedelta(minutes=2)  # a silence longer than this is a night, not a pause: nobody waits through it
_MOMENT = timedelta(microseconds=1)


class PaperMarket(Protocol):
    """The paper exchange, as the market reaches it."""

    async def on_ticks(self, ticks: Sequence[Tick]) -> None: ...

    async def on_range(self, bar: Bar) -> None: ...

    async def on_bar_closed(self, bar: Bar) -> None: ...

    async def on_time(self, now: datetime) -> None: ...

    async def end_of_day(self, day: date) -> None: ...


@dataclass(slots=True)
class Played:
    """How much was shown, and how long showing it took."""

    ticks: int = 0
    bars: int = 0
    seconds: float = 0.0


class Pump:
    """``held`` makes the market move only while somebody waits for it (``run_until``): a script's market.

    ``every_minute`` is awaited with the market time once a market minute, ``before_next`` after every
    moment has settled. The jobs of ``schedule`` run at their own times: a night is passed over from one to
    the next.
    """

    def __init__(
        self,
        service: DeskService,
        feed: Feed,
        floor: PaperMarket,
        clock: MarketClock,
        aggregator: Aggregator,
        calendar: Calendar,
        *,
        schedule: Schedule | None = None,
        held: bool = False,
        every_minute: Callable[[datetime], Awaitable[None]] | None = None,
        before_next: Callable[[], Awaitable[None]] | None = None,
        bars_wait: timedelta = timedelta(0),
        live: bool = False,
    ) -> None:
        self._service = service
        self._feed = feed
        self._floor = floor
        self._clock = clock
        self._aggregator = aggregator
        self._calendar = calendar
        self._schedule = schedule
        self._every_minute = every_minute
        self._before_next = before_next
        self._bars_wait = bars_wait  # how late a live tick of a closed bar may still come
        self._live = live  # the clock moves by itself, and has passed a batch when it comes
        self._held_until: datetime | None = clock.now() if held else None
        self._next = clock.now()  # when the batch that is held back begins
        self._released = asyncio.Event()
        self._standing = asyncio.Event()  # held back at the next batch, or ended
        self._ended = asyncio.Event()
        self._stopping = asyncio.Event()
        self._due = time.monotonic()
        self._ended_days: set[date] = set()
        self._minute: datetime | None = None
        self.played = Played()

    # -- playing ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Play the feed to its end or to ``stop``; a simulated market has no end. Begun again after a fault
        it goes on from the clock's time."""
        self._ended.clear()
        try:
            await self._play()
        finally:
            self._ended.set()
            self._standing.set()

    async def _play(self) -> None:
        batches = self._feed.batches(self._clock.now())
        try:
            if await self._play_all(batches):
                await self._pass_evening()
        finally:
            if isinstance(batches, AsyncGenerator):
                await batches.aclose()  # a live one keeps what it has recorded

    async def _play_all(self, batches: AsyncIterator[Batch]) -> bool:
        """Whether it came to its end."""
        yielded = 0.0
        async for batch in batches:
            begins, ends = _begins(batch), _ends(batch)
            await self._run_jobs(begins, ends)
            await self._wait_for_release(begins, ends)
            await self._keep_pace(begins)
            if self._stopping.is_set():
                return False
            began = time.perf_counter()
            await self._safely(self._show(batch))
            self.played.seconds += time.perf_counter() - began
            if began - yielded > _SHARE:
                yielded = began
                await asyncio.sleep(0)  # a market at full speed would never let the chat speak
        return True

    async def stop(self) -> None:
        """Show no further moment. Returns when the present one has settled: nothing trades after that."""
        self._stopping.set()
        self._released.set()
        await self._ended.wait()

    async def _safely(self, showing: Coroutine[Any, Any, None]) -> None:
        """A moment the paper exchange could not write down halts the desk; the market goes on, and what was
        not filled in that moment is filled in a later one."""
        try:
            await showing
        except MunimError as e:
            log.exception("the paper exchange failed")
            self._service.fault(self._clock.now(), "exchange_failed", f"The paper exchange failed: {e}")
            await self._service.settle()

    async def _show(self, batch: Batch) -> None:
        match batch:
            case TickBatch():
                await self._show_ticks(batch)
            case BarBatch():
                await self._show_bars(batch)
            case Silence(at=at):
                await self._pass_time(at)

    async def _show_ticks(self, batch: TickBatch) -> None:
        self._clock.advance(batch.at)
        await self._floor.on_ticks(batch.ticks)
        self._service.put(TicksArrived(batch.at, batch.ticks))
        self._put_bars(batch.at, self._aggregator.on_ticks(batch.ticks))
        self.played.ticks += len(batch.ticks)
        await self._pass_time(batch.at)

    async def _show_bars(self, batch: BarBatch) -> None:
        """Candles as they happened: the open, then the range, then the close."""
        opens = [Tick(bar.key, batch.start, bar.open) for bar in batch.bars]
        await self._show_prices(batch.start, opens)
        await self._keep_pace(batch.end)
        passed = batch.last_chance or batch.end
        self._clock.advance(passed)
        for bar in batch.bars:
            await self._floor.on_range(bar)
            self._service.put(RangePassed(passed, bar))
            await self._service.settle()
            await self._floor.on_bar_closed(bar)
        if batch.last_chance is not None:
            await self._show_prices(passed, [Tick(bar.key, passed, bar.close) for bar in batch.bars])
            for bar in batch.bars:
                await self._floor.on_bar_closed(bar)
            self._clock.advance(batch.end)
        closes = [Tick(bar.key, batch.end, bar.close) for bar in batch.bars]
        self._service.put(TicksArrived(batch.end, closes))
        for bar in batch.bars:
            self._put_bars(batch.end, self._aggregator.on_bar(bar))
        self.played.bars += len(batch.bars)
        await self._pass_time(batch.end)

    async def _show_prices(self, at: datetime, ticks: list[Tick]) -> None:
        self._clock.advance(at)
        await self._floor.on_ticks(ticks)
        self._service.put(TicksArrived(at, ticks))
        await self._pass_time(at)

    async def _pass_time(self, at: datetime) -> None:
        self._clock.advance(at)
        await self._floor.on_time(at)
        self._put_bars(at, self._aggregator.on_time(at - self._bars_wait))
        await self._end_day(at)
        self._service.put(ClockTicked(at))
        await self._settle()
        minute = at.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute = minute
            if self._every_minute is not None:
                await self._every_minute(at)

    async def _settle(self) -> None:
        await self._service.settle()
        if self._before_next is not None:
            await self._before_next()

    def _put_bars(self, at: datetime, bars: Iterable[Bar]) -> None:
        for bar in bars:
            self._service.put(BarClosed(at, bar))

    async def _end_day(self, at: datetime) -> None:
        """Once after each close: the exchange forgets its day orders."""
        session = self._calendar.session(at.date())
        if session is not None and at >= session.closes_at and at.date() not in self._ended_days:
            self._ended_days = {at.date()}
            await self._floor.end_of_day(at.date())

    # -- the day's jobs --------------------------------------------------------------------------

    async def _run_jobs(self, begins: datetime, ends: datetime) -> None:
        """What is due before a moment that begins and ends then, each job at its own time."""
        while self._schedule is not None and not self._stopping.is_set():
            due, now = self._schedule.next_due(), self._clock.now()
            at = None if due is None else self._job_at(due, begins, ends)
            if due is None or at is None:
                return
            await self._wait_for_release(at, at)
            await self._keep_pace(at)
            # The owner may have closed the day while the market stood.
            if not self._stopping.is_set() and self._schedule.next_due() == due:
                await self._safely(self._run_job(self._schedule, max(due, now)))

    def _job_at(self, due: datetime, begins: datetime, ends: datetime) -> datetime | None:
        """The moment at which a job that is due then runs before what begins and ends so; None: not yet."""
        now = self._clock.now()
        if self._live:
            return now if due <= now else None
        # What a start finds overdue is caught up when the market moves on from where it stood.
        at = max(due, now + _MOMENT)
        return at if at <= (ends if due <= now else begins) else None

    async def _run_job(self, schedule: Schedule, at: datetime) -> None:
        """The desk hears of the time first: the checklist is of the new day, not of the last one."""
        try:
            await self._pass_time(at)
        finally:
            await schedule.run_due(at)
        await self._settle()

    async def _pass_evening(self) -> None:
        """A recording that lasts to a close has an evening behind it; one that breaks off before has none."""
        day = self._clock.now().date()
        if self._calendar.is_trading_day(day) and self._clock.now() >= first_close(self._calendar, day):
            evening = midnight(self._calendar, day)
            await self._run_jobs(evening, evening)

    # -- pace ------------------------------------------------------------------------------------

    async def _keep_pace(self, at: datetime) -> None:
        speed = self._clock.speed
        passing = at - self._clock.now()
        # A night is passed over in no time, and the pace begins anew behind it.
        if speed is None or passing > _JUMP or passing <= timedelta(0):
            return
        self._due += passing.total_seconds() / speed
        ahead = self._due - time.monotonic()
        if ahead > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ahead):
                    await self._stopping.wait()
        elif ahead < -1.0:
            self._due = time.monotonic()  # too far behind to catch up: the market slows down instead

    # -- a held market ---------------------------------------------------------------------------

    async def _wait_for_release(self, begins: datetime, ends: datetime) -> None:
        """A candle is shown whole or not at all, so it is held back until it may be over."""
        self._next = begins
        while not self._stopping.is_set() and self._held_until is not None and ends > self._held_until:
            self._released.clear()
            self._standing.set()
            await self._released.wait()
            self._due = time.monotonic()

    async def run_until(self, at: datetime) -> datetime:
        """Let a held market run until ``at``; one that runs by itself is only waited for. The market time
        then; earlier than asked where the recording ends."""
        if self._held_until is None:
            reached = asyncio.ensure_future(self._clock.sleep_until(at))
            ended = asyncio.ensure_future(self._ended.wait())
            await asyncio.wait({reached, ended}, return_when=asyncio.FIRST_COMPLETED)
            for task in (reached, ended):
                task.cancel()
            return self._clock.now()
        if not self.ended:
            self._held_until = max(at, self._held_until)
            self._standing.clear()
            self._released.set()
            await self._standing.wait()
        if not self.ended:
            self._clock.advance(min(self._held_until, self._next))  # nothing trades before what is held back
        return self._clock.now()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()


def _begins(batch: Batch) -> datetime:
    return batch.start if isinstance(batch, BarBatch) else batch.at


def _ends(batch: Batch) -> datetime:
    return batch.end if isinstance(batch, BarBatch) else batch.at
