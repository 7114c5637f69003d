"""Requests held back until a limit has room for them, the most urgent first.

Zerodha counts by the calendar second of its own clock (kite.md 10), whose phase nobody here knows. So a
request is taken to count from when it is sent until one whole window after its answer: by then it cannot
stand in the same second or minute as anything sent later, wherever those begin.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from trader.broker.zerodha.stream.pacing import StreamTime, within

SPREAD = 0.75  # seconds after which an unanswered request is taken to have been counted
HAIR = 0.01  # seconds by which two clocks may differ in pace over a window


class NoRoom(Exception):
    """The caller's patience ended before its turn."""


class Priority(IntEnum):
    """The lower, the sooner. What frees risk goes before what takes it."""

    KILL = 0
    EXIT = 1
    STOP = 2
    ENTRY = 3
    DATA = 4


@dataclass(slots=True, eq=False)
class Slot:
    begun: float
    ended: float | None = None

    def counts_until(self, seconds: float) -> float:
        latest = self.begun + SPREAD
        return seconds + HAIR + (latest if self.ended is None else min(self.ended, latest))


class Window:
    """At most so many requests in any ``seconds``: ``most`` for the urgent, fewer for those it names."""

    def __init__(self, seconds: float, most: int, lower: Mapping[Priority, int] | None = None) -> None:
        self._seconds = seconds
        self._most = {priority: (lower or {}).get(priority, most) for priority in Priority}
        self._slots: deque[Slot] = deque()

    def free_at(self, priority: Priority, now: float) -> float:
        """When one more fits; ``now`` when it does already."""
        most = self._most[priority]
        if len(self._slots) < most:
            return now
        ends = sorted(slot.counts_until(self._seconds) for slot in self._slots)
        self._forget(now)
        return max(now, ends[len(ends) - most])

    def take(self, slot: Slot) -> None:
        self._slots.append(slot)

    def _forget(self, now: float) -> None:
        while self._slots and self._slots[0].counts_until(self._seconds) <= now:
            self._slots.popleft()


@dataclass(slots=True, eq=False)
class _Waiter:
    priority: Priority
    windows: tuple[Window, ...]
    turn: asyncio.Future[Slot]


@dataclass(slots=True)
class Gate:
    time: StreamTime
    _waiting: list[_Waiter] = field(default_factory=list)  # most urgent first, then as they came
    _alarm: asyncio.Task[None] | None = None

    def turn(self, priority: Priority, windows: Sequence[Window], patience: float | None = None) -> Turn:
        """``async with`` this while the request is under way. NoRoom: not within ``patience`` seconds."""
        return Turn(self, priority, windows, patience)

    def at_once(self, priority: Priority, windows: Iterable[Window]) -> Slot | None:
        """The turn of one before whom nobody waits and for whom there is room."""
        if self._waiting:
            return None
        now = self.time.monotonic()
        if any(window.free_at(priority, now) > now for window in windows):
            return None
        return _taken(windows, now)

    async def in_turn(self, priority: Priority, windows: Iterable[Window], patience: float | None) -> Slot:
        waiter = _Waiter(priority, tuple(windows), asyncio.get_running_loop().create_future())
        self._enqueue(waiter)
        self._serve()
        try:
            if waiter.turn.done() or patience is None:
                return await waiter.turn
            return await within(self.time, patience, waiter.turn, "Its turn")
        except TimeoutError:
            raise NoRoom from None
        finally:
            self._leave(waiter)

    def end(self, slot: Slot) -> None:
        slot.ended = self.time.monotonic()
        if self._waiting:
            self._serve()

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    # -- within

    def _enqueue(self, waiter: _Waiter) -> None:
        place = len(self._waiting)
        while place and self._waiting[place - 1].priority > waiter.priority:
            place -= 1
        self._waiting.insert(place, waiter)

    def _leave(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:  # it gave up: those behind it may have room
            self._waiting.remove(waiter)
            self._serve()

    def _serve(self) -> None:
        """Nobody passes one who waits for the same room and is more urgent or came sooner."""
        now, wake, claimed = self.time.monotonic(), None, set[int]()
        self._waiting = [waiter for waiter in self._waiting if not waiter.turn.done()]
        for waiter in list(self._waiting):
            names = {id(window) for window in waiter.windows}
            at = max((window.free_at(waiter.priority, now) for window in waiter.windows), default=now)
            if at > now:
                wake = at if wake is None else min(wake, at)
            if at > now or names & claimed:
                claimed |= names
                continue
            self._waiting.remove(waiter)
            waiter.turn.set_result(_taken(waiter.windows, now))
        self._ring_at(wake)

    def _ring_at(self, at: float | None) -> None:
        if self._alarm is not None and self._alarm is not asyncio.current_task():
            self._alarm.cancel()
        self._alarm = None if at is None else asyncio.create_task(self._ring(at))

    async def _ring(self, at: float) -> None:
        await self.time.sleep(max(0.0, at - self.time.monotonic()))
        self._serve()


class Turn:
    """A class rather than a generator: what every order passes on its way out is kept short."""

    __slots__ = ("_asked", "_gate", "_slot")

    def __init__(
        self, gate: Gate, priority: Priority, windows: Sequence[Window], patience: float | None
    ) -> None:
        self._gate = gate
        self._asked = (priority, windows, patience)

    async def __aenter__(self) -> None:
        priority, windows, patience = self._asked
        slot = self._gate.at_once(priority, windows)
        self._slot = await self._gate.in_turn(priority, windows, patience) if slot is None else slot

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or not issubclass(kind, asyncio.CancelledError):
            self._gate.end(self._slot)
        # One that was cancelled goes on without its caller and is counted at some later moment.


def _taken(windows: Iterable[Window], now: float) -> Slot:
    slot = Slot(now)
    for window in windows:
        window.take(slot)
    return slot
