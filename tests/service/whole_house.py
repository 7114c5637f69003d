"""A whole house in the test's own process: the desk, the paper exchange and a held simulated market."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from storage.memory import MemoryLedger
from storage.paper import MemoryPaperJournal
from tests.service.sessions import ROOT
from trader.desk.commands import Command
from trader.desk.effects import Answer
from trader.service.opening import House, open_house
from trader.service.settings import Settings, read_settings
from trader.strategy.catalogue import Catalogue

SETTINGS = read_settings({"REPLAY_SPEED": "max", "CLOCK_START": "2026-11-23T09:20"})
MINUTE = timedelta(minutes=1)


@dataclass
class Running:
    house: House
    store: MemoryLedger
    journal: MemoryPaperJournal
    alerts: int = 0

    async def ask(self, command: Command, source: str) -> Answer:
        return await self.house.front.ask(command, source_id=source, actor="test")

    async def wait(self, length: timedelta) -> None:
        await self.house.front.wait(until=self.house.clock.now() + length)

    async def orders(self) -> list[str]:
        return [f"{o.purpose} {o.state}" for o in await self.store.orders()]


@asynccontextmanager
async def running(
    store: MemoryLedger | None = None,
    journal: MemoryPaperJournal | None = None,
    settings: Settings = SETTINGS,
) -> AsyncIterator[Running]:
    store, journal = store or MemoryLedger(), journal or MemoryPaperJournal()
    await store.open()
    desk = Running(None, store, journal)  # type: ignore[arg-type] # made two lines below, its alerts need it

    def count() -> None:
        desk.alerts += 1

    desk.house = await open_house(
        settings, store, journal, Catalogue.discover(ROOT / "strategies"), held=True, on_alert=count
    )
    tasks = [asyncio.create_task(desk.house.service.run()), asyncio.create_task(desk.house.pump.run())]
    await desk.house.service.settle()
    try:
        yield desk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
