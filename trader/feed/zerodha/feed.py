"""The live market of Zerodha as the desk's feed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from trader.domain.errors import MunimError, UnknownName
from trader.domain.instrument import Instrument, InstrumentKey, Segment, instrument_key
from trader.domain.market import Bar, Interval, Tick
from trader.domain.times import ist
from trader.feed.port import Batch, Silence, TickBatch
from trader.feed.zerodha.candles import CandleCache
from trader.feed.zerodha.history import CandleHistory
from trader.feed.zerodha.leaps import Leaps
from trader.feed.zerodha.ports import KiteData, TickStream
from trader.feed.zerodha.recorder import TickRecorder
from trader.feed.zerodha.skew import Skew
from trader.feed.zerodha.universe import DailyInstruments
from trader.market.calendar import Calendar
from trader.market.dump import FEWEST_ROWS
from trader.market.instruments import Instruments

log = logging.getLogger(__name__)

INDICES = tuple(instrument_key(name) for name in ("NIFTY 50", "NIFTY BANK", "INDIA VIX"))
_PULSE = 1.0  # seconds


class ZerodhaFeed:
    """``load`` before ``batches``. The stream is opened and closed by its owner; the feed only subscribes.

    The indices of ``INDICES`` are always subscribed, where the list has them. The day's list of instruments
    is renewed by itself while ``batches`` runs.
    """

    name = "zerodha"

    def __init__(
        self,
        stream: TickStream,
        history: CandleHistory,
        daily: DailyInstruments,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        recorder: TickRecorder | None = None,
        on_universe: Callable[[Instruments], None] | None = None,
        on_skew: Callable[[timedelta], None] | None = None,
    ) -> None:
        """``on_universe`` is called on the loop with each new list, after the subscriptions have followed;
        ``on_skew`` as of ``Skew``."""
        self._stream = stream
        self._history = history
        self._daily = daily
        self._now = now
        self._sleep = sleep
        self.recorder = recorder  # what it wrote and lost is for the status page
        self._on_universe = on_universe
        self._wanted: dict[InstrumentKey, None] = dict.fromkeys(INDICES)  # in the order they were asked for
        self._tokens: dict[InstrumentKey, int] = {}  # of those subscribed
        self._leaps = Leaps(self._segment)
        self._skew = None if on_skew is None else Skew(on_skew)
        self._refreshing: asyncio.Task[None] | None = None

    @classmethod
    def under(
        cls,
        data_dir: Path,
        data: KiteData,
        stream: TickStream,
        calendar: Calendar,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        record: bool = True,
        fewest: int = FEWEST_ROWS,
        on_universe: Callable[[Instruments], None] | None = None,
    ) -> ZerodhaFeed:
        """With candles, instruments and recordings in their folders of ``data_dir`` (docs/data.md).
        ``fewest``: instruments that a whole list has at least; a rehearsal's market is smaller."""
        daily = DailyInstruments(data, data_dir / "instruments", calendar, now, fewest=fewest)
        cache = CandleCache(data_dir / "candles")
        history = CandleHistory(data, cache, daily.instruments, calendar, now, sleep)
        recorder = TickRecorder(data_dir / "recordings") if record else None
        return cls(stream, history, daily, now=now, sleep=sleep, recorder=recorder, on_universe=on_universe)

    @property
    def starts_at(self) -> datetime:
        return ist(self._now())

    async def load(self) -> Instruments:
        """Read the instruments, today's if they can be had, else the newest there are: ``require_fresh`` of
        what comes back tells. MunimError: none at all."""
        universe = await self._daily.load()
        self._follow(universe)
        return universe

    # -- instruments ----------------------------------------------------------------------------------

    def universe(self) -> Instruments:
        """All there are, as of the newest list read; InstrumentsStale before ``load``."""
        return self._daily.instruments()

    def instruments(self) -> Sequence[Instrument]:
        """Those subscribed: Kite's list has 90,000."""
        universe = self.universe()
        return [found for key in self._tokens if (found := universe.get(key)) is not None]

    def watch(self, keys: Iterable[InstrumentKey]) -> None:
        """Subscribe these as well; before there is a list, as soon as there is. One that the list lacks stops
        no other: the rest are subscribed, then UnknownName is raised. InvalidInput: more than Kite streams;
        then none of these is subscribed."""
        new = [key for key in dict.fromkeys(keys) if key not in self._wanted]
        if not self._daily.read:
            self._wanted.update(dict.fromkeys(new))
            return
        universe = self.universe()
        found = {key: token for key in new if (token := _token(universe, key)) is not None}
        self._subscribe(found)
        self._wanted.update(dict.fromkeys(found))
        for key in new:
            if key not in found:
                universe.find(key)  # its error names the nearest
                raise UnknownName("instrument of today's list", key, found)

    def _subscribe(self, tokens: dict[InstrumentKey, int]) -> None:
        if tokens:
            self._stream.subscribe({token: key for key, token in tokens.items()})
            self._tokens.update(tokens)

    def _follow(self, universe: Instruments) -> None:
        """Tokens as this list has them: they may change overnight. What it lacks, like an expired contract,
        gets no prices, until a later list has it again."""
        tokens = {key: _token(universe, key) for key in self._wanted}
        old = [key for key, token in self._tokens.items() if tokens[key] != token]
        self._stream.unsubscribe([self._tokens.pop(key) for key in old])
        lacking = [key for key, token in tokens.items() if token is None]
        if lacking:
            log.warning("Not in the list of instruments, and without prices: %s", ", ".join(lacking))
        self._subscribe({k: token for k, token in tokens.items() if token and k not in self._tokens})
        if self._on_universe is not None:
            self._on_universe(universe)

    async def _refresh(self) -> None:
        try:
            if await self._daily.refresh():
                self._follow(self._daily.instruments())
        except MunimError as e:
            log.warning("The list of instruments was not renewed: %s", e)
        except Exception:  # the market goes on without a new list; live trading asks for its freshness
            log.exception("The list of instruments was not renewed")

    # -- ticks ----------------------------------------------------------------------------------------

    async def batches(self, since: datetime) -> AsyncGenerator[Batch, None]:
        """What arrived together, dated by our clock, never back; ticks keep their exchange time, and those
        whose price cannot be meant are recorded only. A Silence in each second in which nothing came. Ends
        when the stream is closed. Close it (``aclosing``), or the last ticks are recorded only when Python
        gets round to it."""
        at = ist(since)
        arriving, pulse = self._arriving(), self._pulse()
        quiet = True
        try:
            while True:
                first: set[asyncio.Future[Any]] = {arriving, pulse}
                await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
                at = max(at, ist(self._now()))
                if arriving.done():
                    ticks = arriving.result()
                    if ticks is None:
                        return
                    arriving = self._arriving()
                    if ticks:
                        if self.recorder is not None:
                            self.recorder.put(ticks, at)
                        if self._skew is not None:
                            self._skew.put(ticks, at)
                        if believable := self._leaps.believable(ticks, at):
                            quiet = False
                            yield TickBatch(at, believable)
                if pulse.done():
                    pulse.result()
                    pulse = self._pulse()
                    self._every_second(at)
                    if quiet:
                        yield Silence(at)
                    quiet = True
        finally:
            await self._end(arriving, pulse)

    async def history(
        self, key: InstrumentKey, interval: Interval, count: int, before: datetime
    ) -> list[Bar]:
        """As the port says, from the cache and Kite; none of intervals below a minute, which Kite has not.
        BrokerError, FeedError: it cannot be had now."""
        return await self._history.bars(key, interval, count, before)

    def _arriving(self) -> asyncio.Future[list[Tick] | None]:
        return asyncio.ensure_future(self._next())

    async def _next(self) -> list[Tick] | None:
        return await anext(self._stream.ticks, None)

    def _pulse(self) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._sleep(_PULSE))

    def _every_second(self, at: datetime) -> None:
        if self.recorder is not None:
            self.recorder.put((), at)
        if self._daily.due() and (self._refreshing is None or self._refreshing.done()):
            self._refreshing = asyncio.create_task(self._refresh(), name="instruments")

    def _segment(self, key: InstrumentKey) -> Segment:
        found = self.universe().get(key) if self._daily.read else None
        return Segment.EQUITY if found is None else found.segment

    async def _end(self, *waiting: asyncio.Future[Any]) -> None:
        tasks = [*waiting, *([self._refreshing] if self._refreshing is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.recorder is not None:
            await self.recorder.close()


def _token(universe: Instruments, key: InstrumentKey) -> int | None:
    """None where the list lacks it, and where two instruments claim its token: whose ticks would they be?"""
    found = universe.get(key)
    if found is None:
        return None
    owner = universe.by_token(found.token)
    return found.token if owner is not None and owner.key == key else None
