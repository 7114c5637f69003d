"""A task that dies halts the desk, is told, and begins again: never silence (faults.md 72)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from storage.memory import MemoryLedger
from storage.paper import MemoryPaperJournal
from tests.service.live_day_loop import run_day
from tests.service.sessions import ROOT
from tests.service.whole_house import MINUTE, SETTINGS, Running
from trader.desk.commands import Kill, StartStrategy
from trader.feed.port import Batch, Feed
from trader.service.lasting import FIRST, MOST, lasting
from trader.service.opening import open_house
from trader.strategy.catalogue import Catalogue


class Life:
    """Seconds that pass when somebody sleeps; a work that lives as long as each of ``lives``, and dies."""

    def __init__(self, *lives: float) -> None:
        self.lives = list(lives)
        self.began: list[float] = []
        self.told: list[str] = []
        self.loop = asyncio.get_running_loop()

    async def work(self) -> None:
        self.began.append(round(self.loop.time(), 3))
        if self.lives:
            await asyncio.sleep(self.lives.pop(0))
            raise KeyError("a token that is nobody's business")

    async def passes(self) -> list[float]:
        await lasting("market", self.work, self.told.append)
        return [round(at - self.began[0], 3) for at in self.began]


def test_it_begins_again_in_ever_longer_pauses_and_soon_after_a_long_life() -> None:
    async def run() -> None:
        life = Life(0, 0, 0, 2 * MOST, 0)
        first = [0.0, FIRST, 3 * FIRST, 7 * FIRST]
        assert await life.passes() == [*first, first[-1] + 2 * MOST + FIRST, first[-1] + 2 * MOST + 3 * FIRST]
        assert life.told == ["The market task died: KeyError. It begins again."] * 5

    run_day(run())


class Stumbling:
    """A feed that raises once, in the middle of its market."""

    def __init__(self, feed: Feed, at: datetime) -> None:
        self._feed, self._at = feed, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    async def batches(self, since: datetime) -> AsyncIterator[Batch]:
        async for batch in self._feed.batches(since):
            if getattr(batch, "at", since) > self._at > since:
                raise ZeroDivisionError
            yield batch


async def test_a_market_whose_task_died_goes_on_and_a_kill_is_reported() -> None:
    store, journal = MemoryLedger(), MemoryPaperJournal()
    await store.open()
    house = await open_house(
        SETTINGS, store, journal, Catalogue.discover(ROOT / "strategies"), held=True, on_alert=lambda: None
    )
    desk, told = Running(house, store, journal), []

    def died(what: str) -> None:
        told.append(what)
        house.service.fault(house.clock.now(), "task_died", what)

    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    began = house.clock.now()
    house.pump._feed = Stumbling(house.pump._feed, began + 20 * MINUTE)  # type: ignore[assignment] # all of a Feed
    tasks = [
        asyncio.create_task(house.service.run()),
        asyncio.create_task(lasting("market", house.pump.run, died, sleep=at_once)),
    ]
    try:
        await house.service.settle()
        await desk.ask(StartStrategy("ema_crossover", ("TCS", "SBIN"), "1m"), "1")
        while not told:
            await desk.wait(MINUTE)
        assert house.clock.now() - began < 21 * MINUTE
        assert house.front.view().positions, "something is held when it happens"
        while house.pump.ended:  # noqa: ASYNC110 - nothing tells that it has begun again
            await asyncio.sleep(0)
        await desk.wait(MINUTE)
        assert house.front.view().latch.code == "task_died"
        assert (await desk.ask(Kill(), "2")).ok
        await desk.wait(2 * MINUTE)
        assert house.clock.now() - began > timedelta(minutes=22)
        titles = [one.alert.title for one in await store.pending_alerts(["somebody"])]
        assert "HALTED: something around the desk broke" in titles
        assert any(title.startswith("FLAT verified") for title in titles)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
