"""Time and chance, given from outside so that a day of outages is tested in a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class StreamTime(Protocol):
    def now(self) -> datetime:
        """Aware; dates what carries no time of its own."""
        ...

    def monotonic(self) -> float:
        """Seconds, never stepped by anybody: silence and waits are measured with it."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class LoopTime:
    """The event loop's own seconds, with a clock for the dates."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Backoff:
    """Waits that double up to ``most`` seconds, each shortened by up to half by chance, so that the three
    connections, and everybody else's after a broker's outage, do not come back in step."""

    def __init__(self, dice: Callable[[], float], first: float = 1.0, most: float = 30.0) -> None:
        self._dice = dice  # like random.random: 0 <= x < 1
        self._first = first
        self._most = most
        self._tries = 0

    def next(self, at_least: float = 0.0) -> float:
        """Seconds to wait before the next try."""
        # The exponent is bounded, or a week of outage overflows a float.
        whole = min(self._most, self._first * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return max(at_least, whole * (0.5 + self._dice() / 2))

    def reset(self) -> None:
        self._tries = 0


async def within(time: StreamTime, seconds: float, work: Awaitable[T], what: str) -> T:
    """The result of ``work``, or TimeoutError after ``seconds`` of ``time``."""
    task = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(time.sleep(seconds))
    try:
        await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
    finally:
        task.cancel()
        alarm.cancel()
        await asyncio.gather(task, alarm, return_exceptions=True)
    raise TimeoutError(f"{what} took more than {seconds:.0f} s")
