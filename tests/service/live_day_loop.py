"""An event loop whose hours pass at once where everybody waits, with real sockets and real threads in it.

Both ends of every socket live in the loop, so when nothing can be read nothing is under way, except what a
thread was given to do: while one has work, time stands. So a busy machine makes a day longer to watch, and
changes nothing of what happens in it.
"""

from __future__ import annotations

import asyncio
import queue
import re
import selectors
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import aiosqlite.core
import pytest

T = TypeVar("T")

# Of a pool, of aiosqlite, and the one that watches the loop.
WAITS_FOR_JOBS = re.compile(r".*_\d+|.*\(_connection_worker_thread\)|watchdog")
AT_WORK = 0.05  # real seconds between two looks while a thread has work


class _Selector(selectors.DefaultSelector):
    loop: DayLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if (ready := super().select(0)) or (timeout is not None and timeout <= 0):
            return ready
        if self.loop.at_work:
            return super().select(AT_WORK)
        if timeout is None:  # nobody waits for a time: a signal, or the last thread's end
            return super().select(AT_WORK)
        self.loop.passed += max(timeout, self.loop.stride)
        return []


class DayLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.passed = 0.0
        self.stride = 0.0  # hours without an event may pass in steps of so many seconds, not in every second
        self.at_work = 0  # jobs given to threads and not back yet
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self.passed

    def given(self) -> None:
        self.at_work += 1

    def back(self) -> None:
        self.at_work -= 1


@contextmanager
def _counted(day: DayLoop) -> Iterator[None]:
    """Every answer of a pool that the loop waits for, every job of an SQLite connection's thread, and
    every other thread while it lives."""
    wrap, begin = asyncio.wrap_future, threading.Thread.start

    def beginning(thread: threading.Thread) -> None:
        if not WAITS_FOR_JOBS.fullmatch(thread.name):
            run = thread.run

            def running() -> None:
                try:
                    run()
                finally:
                    with suppress(RuntimeError):  # it outlived the loop
                        day.call_soon_threadsafe(day.back)

            thread.run = running  # type: ignore[method-assign] # for this one
            day.given()
        begin(thread)

    def wrapping(job: Future[T], *, loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Future[T]:
        answer = wrap(job, loop=loop)
        day.given()
        answer.add_done_callback(lambda _: day.back())  # in the loop, behind whoever waits for it
        return answer

    class Jobs(queue.SimpleQueue[Any]):
        def put_nowait(self, item: Any) -> None:
            future = item[0]
            if future is not None:
                day.given()
                future.add_done_callback(lambda _: day.back())
            super().put_nowait(item)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "wrap_future", wrapping)
        patch.setattr(asyncio.futures, "wrap_future", wrapping)
        patch.setattr(threading.Thread, "start", beginning)
        patch.setattr(aiosqlite.core, "SimpleQueue", Jobs)
        yield


def run_day(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=DayLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, DayLoop)
        with _counted(loop):
            return runner.run(work)
