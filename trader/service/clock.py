"""Market time: stepped by the feed that is played to us, or the wall's."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Protocol

from trader.domain.times import IST
from trader.ports.clock import Clock

log = logging.getLogger(__name__)


class MarketClock(Clock, Protocol):
    def advance(self, at: datetime) -> None:
        """The feed has come to ``at``."""
        ...


class SteppedClock:
    """The time of the last batch shown. Simulated and replayed markets move it, never the wall."""

    def __init__(self, start: datetime, speed: float | None) -> None:
        self._now = start
        self._speed = speed
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> datetime:
        return self._now

    @property
    def speed(self) -> float | None:
        return self._speed

    def advance(self, at: datetime) -> None:
        """Move on to ``at``; never back."""
        if at > self._now:
            self._now = at
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep_until(self, at: datetime) -> None:
        if at <= self._now:
            return
        sleeper = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (at, next(self._order), sleeper))
        await sleeper


WAITED_FOR = timedelta(minutes=2)  # by so much the machine's clock may be behind ours


def _wall() -> datetime:
    return datetime.now(IST)


class WallClock:
    """The world's time; or, to rehearse another hour, ``start`` and the event loop's seconds since: nobody
    steps those, and a test whose loop passes the hours at once has its whole day in a minute.

    When the machine's clock is set back by up to two minutes, ours goes on at half its pace until the two
    agree: whatever waits for a moment, an exit to be tried again or a kill to be proven, would else wait
    for it a second time. One set back further was wrong altogether (a machine that took UTC for its own
    zone): waiting for it would cost the trading day, so it is believed at once, and the log says so.
    """

    speed = 1.0

    def __init__(
        self,
        start: datetime | None = None,
        *,
        wall: Callable[[], datetime] = _wall,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._wall = wall
        self._seconds = seconds if start is None else asyncio.get_running_loop().time
        self._began = self._seconds()
        self._last = wall()

    def now(self) -> datetime:
        if self._start is not None:
            return self._start + timedelta(seconds=self._seconds() - self._began)
        wall, seconds = self._wall(), self._seconds()
        if self._last - wall > WAITED_FOR:
            log.warning("the machine's clock was set back from %s to %s", self._last, wall)
            least = wall
        else:
            least = self._last + timedelta(seconds=(seconds - self._began) / 2)
        self._last, self._began = max(wall, least), seconds
        return self._last

    def advance(self, at: datetime) -> None:
        """It moves by itself."""

    async def sleep_until(self, at: datetime) -> None:
        """At half its pace that takes longer than it seems."""
        while (left := (at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - nothing tells of a moment
            await asyncio.sleep(left)
