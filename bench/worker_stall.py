"""What a running search costs the trading loop: how late its timers are, without and with a worker beside it.

The whole desk trades a simulated market; the search is asked for as chat asks for it. Delays are of a timer
of two milliseconds: what it is late is what something else held the loop, or the core, for."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from bench.ours import ROOT, machine, verdict
from storage.memory import MemoryLedger
from storage.paper import MemoryPaperJournal
from trader.desk.commands import StartStrategy
from trader.service.opening import House, open_house
from trader.service.research import JobState
from trader.service.settings import read_settings
from trader.strategy.catalogue import Catalogue

SECONDS = 20.0
TIMER = 0.002
PLANTED = 0.05
MOST_P99, MOST = 0.005, 0.1
SYMBOLS = ("RELIANCE", "TCS", "INFY", "HDFCBANK", "SBIN")
SEARCH = "ema_crossover RELIANCE,TCS 1m 90d fast=3:24:1 slow=25:140:1 sampler=grid"


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds, sorted; each with when it was, from the beginning."""

    late: list[tuple[float, float]]

    @property
    def longest(self) -> float:
        return self.late[-1][0]

    @property
    def p99(self) -> float:
        return self.late[int(len(self.late) * 0.99)][0]

    def __str__(self) -> str:
        most = ", ".join(f"{late * 1e3:.0f} ms at {at:.1f} s" for late, at in self.late[:-4:-1])
        return f"p99 {self.p99 * 1e3:6.2f} ms, longest {self.longest * 1e3:6.2f} ms ({most})"


async def delays(seconds: float) -> Delays:
    late = []
    first = time.perf_counter()
    while (began := time.perf_counter()) < first + seconds:
        await asyncio.sleep(TIMER)
        late.append((max(time.perf_counter() - began - TIMER, 0.0), began - first))
    return Delays(sorted(late))


async def opened(folder: str) -> House:
    settings = read_settings({"REPLAY_SPEED": "60", "CLOCK_START": "2026-11-23T09:20", "DATA_DIR": folder})
    store = MemoryLedger()
    await store.open()
    catalogue = Catalogue.discover(ROOT / "strategies")
    return await open_house(
        settings, store, MemoryPaperJournal(), catalogue, held=False, on_alert=lambda: None
    )


async def measure(folder: str) -> None:
    house = await opened(folder)
    tasks = [asyncio.create_task(house.service.run()), asyncio.create_task(house.pump.run())]
    await house.service.settle()
    start = StartStrategy("ema_crossover", SYMBOLS, "1m")
    await house.front.ask(start, source_id="bench:1", actor="bench")
    planted = asyncio.create_task(delays(0.5))
    await asyncio.sleep(0.1)
    time.sleep(PLANTED)  # noqa: ASYNC251 the stall that must be seen
    seen = (await planted).longest
    before = await delays(SECONDS)
    watched = asyncio.create_task(delays(SECONDS))
    await asyncio.sleep(0)
    asked = time.perf_counter()
    job = await house.front.studies().optimize(SEARCH.split())
    asking = time.perf_counter() - asked
    await watched
    during = watched.result()
    state, done, text, pid = job.state, job.done, job.text, job.process.pid if job.process else None
    nice = os.getpriority(os.PRIO_PROCESS, pid) if pid else None
    house.studies.cancel(job.number)
    after = await delays(SECONDS / 2)
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks)
    await house.close()
    print(f"the trading loop beside a worker ({machine()}), timer of {TIMER * 1e3:g} ms, {SECONDS:g} s each")
    print(f"  the search: {SEARCH}; {state} with {done} tried ({text}), nice {nice}")
    print(f"  before           {before}")
    print(f"  beside a search  {during}   (asking for it took {asking * 1e3:.1f} ms)")
    print(f"  after            {after}")
    print(f"  a planted stall of {PLANTED * 1e3:g} ms was seen as {seen * 1e3:.1f} ms")
    print(verdict("the worker ran all the time", state is JobState.RUNNING))
    print(verdict(f"p99 beside it at most {MOST_P99 * 1e3:g} ms", during.p99 <= MOST_P99))
    print(verdict(f"longest beside it at most {MOST * 1e3:g} ms", during.longest <= MOST))


def main() -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(measure(folder))


if __name__ == "__main__":
    main()
