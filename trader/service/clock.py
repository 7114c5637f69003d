"""Market time, stepped by the feed that is played to us."""

from __future__ import annotations

import asyncio
import heapq
from datetime import datetime
from itertools import count


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
