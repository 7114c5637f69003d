"""Between the sockets and whoever consumes: ticks may be conflated, order updates never."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick


class TickInbox:
    """Iterate for lists of everything that came since the last list; one consumer.

    While the consumer keeps up it sees every tick. Once more than ``room`` wait, only the newest of each
    instrument is kept, in order of arrival. Memory is bounded by ``room`` or twice the number of instruments,
    whichever is more, and one frame.
    """

    def __init__(self, room: int) -> None:
        self._room = self._limit = room
        self._waiting: list[Tick] = []
        self._some = asyncio.Event()
        self._closed = False
        self.conflated = 0  # ticks overwritten by newer ones

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, ticks: list[Tick]) -> None:
        self._waiting += ticks
        if len(self._waiting) > self._limit:
            self._conflate()
        self._some.set()

    def close(self) -> None:
        """What waits can still be taken; then the iteration ends."""
        self._closed = True
        self._some.set()

    def __aiter__(self) -> TickInbox:
        return self

    async def __anext__(self) -> list[Tick]:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._some.clear()
            await self._some.wait()
        taken, self._waiting = self._waiting, []
        self._limit = self._room
        return taken

    def _conflate(self) -> None:
        newest: dict[InstrumentKey, Tick] = {}
        for tick in reversed(self._waiting):
            kept = newest.setdefault(tick.key, tick)
            # Volume is the day's so far: a newest packet without any (ltp mode) does not unmake it.
            if not kept.volume and tick.volume and kept.at.date() == tick.at.date():
                newest[tick.key] = kept._replace(volume=tick.volume)
        self.conflated += len(self._waiting) - len(newest)
        self._waiting = list(reversed(newest.values()))
        self._limit = max(self._room, 2 * len(newest))


class OrderInbox:
    """Iterate for order updates, each exactly as it came, in order, none ever dropped. ``alarm`` is called
    with the number waiting when it passes ``alarm_at``, and again at every doubling."""

    def __init__(self, alarm: Callable[[int], None], alarm_at: int = 1000) -> None:
        self._alarm = alarm
        self._alarm_at = self._next_alarm = alarm_at
        self._waiting: deque[dict[str, Any]] = deque()
        self._some = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, row: dict[str, Any]) -> None:
        self._waiting.append(row)
        self._some.set()
        if len(self._waiting) >= self._next_alarm:
            self._next_alarm *= 2
            self._alarm(len(self._waiting))

    def close(self) -> None:
        """What waits can still be taken; then the iteration ends."""
        self._closed = True
        self._some.set()

    def __aiter__(self) -> OrderInbox:
        return self

    async def __anext__(self) -> dict[str, Any]:
        while not self._waiting:
            self._next_alarm = self._alarm_at
            if self._closed:
                raise StopAsyncIteration
            self._some.clear()
            await self._some.wait()
        return self._waiting.popleft()
