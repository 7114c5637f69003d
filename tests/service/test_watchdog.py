"""An event loop that does not come round is noticed by a thread, named, and halts the desk (faults.md 40)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from trader.service.watchdog import BLOCKED, Watchdog

LOOK = 0.005


class Pen:
    """A loop under a watchdog, what is told of it, and whether the process would have ended."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.heard = asyncio.Event()
        self.ended = threading.Event()
        self.dog = Watchdog(self.hears, look=LOOK, end=self.ended.set)

    def hears(self, how: str) -> None:
        self.told.append(how)
        self.heard.set()

    async def blocked_by(self, block: Callable[[Pen], None]) -> None:
        watching = asyncio.create_task(self.dog.run())
        await asyncio.sleep(0)
        block(self)
        async with asyncio.timeout(60):
            await self.heard.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def a_strategy_that_is_slow(pen: Pen) -> None:
    while not pen.dog._where:
        time.sleep(LOOK)


def a_strategy_that_does_not_come_back(pen: Pen) -> None:
    while not pen.ended.is_set():
        pass


async def test_a_blocked_loop_is_told_with_the_place_where_it_stood(caplog: pytest.LogCaptureFixture) -> None:
    pen = Pen()
    await pen.blocked_by(a_strategy_that_is_slow)
    assert pen.told[0].startswith("It stood still for ")
    assert "in test_watchdog.py, line " in pen.told[0]
    assert "a_strategy_that_is_slow" in caplog.text


async def test_one_that_does_not_come_back_ends_the_process(caplog: pytest.LogCaptureFixture) -> None:
    pen = Pen()
    await pen.blocked_by(a_strategy_that_does_not_come_back)
    assert pen.ended.is_set()
    assert "starts HALTED" in caplog.text


async def test_a_loop_that_turns_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    watching = asyncio.create_task(Watchdog(told.append, look=20 * LOOK).run())
    await asyncio.sleep(2 * BLOCKED * 20 * LOOK)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert (told, caplog.text) == ([], "")
