"""Backtests and searches as chat asks for them: what was typed made into work, and what came of it found
again."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import InstrumentKey
from trader.domain.times import date_text
from trader.service.research import Job, Research
from trader.service.settings import Market, Settings
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from trader.backtest.asked import Asked
    from trader.backtest.report.entry import Comparison
    from trader.backtest.shelf import Listing
    from trader.backtest.spec import Spec
    from trader.backtest.work import Hunt

BACKTEST = "/backtest NAME SYMBOLS [INTERVAL] [90d | DAY..DAY] [key=value …]"
OPTIMIZE = "/optimize NAME SYMBOLS [INTERVAL] [90d] fast=5:20:1 … [goal=sharpe] [trials=100]"
WALKFORWARD = "/walkforward NAME SYMBOLS [INTERVAL] [1y] fast=5:20:3 … [train=120] [test=20]"
MONTECARLO = "/montecarlo NUMBER [runs=2000] [order=bootstrap|shuffle | noise=20] [seed=1]"
SHELF = "backtests"
CANDLES = "candles"
_KINDS = {"backtest": "test", "optimize": "search", "walkforward": "walk forward"}
_NAMED = 3  # symbols in a job's title

# Puts the candles of a spec, from a day on, into the cache, where a market can be asked for them.
Fetch = Callable[["Spec", "date | None"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Studies:
    """``key_of`` finds an instrument as typed, InvalidInput for one that cannot be traded; ``now`` is the
    market's time, which ``90d`` counts back from. ``defaults``: the desk's, of options that nobody gives."""

    settings: Settings
    catalogue: Catalogue
    key_of: Callable[[str], InstrumentKey]
    now: Callable[[], datetime]
    research: Research
    defaults: dict[str, str]
    fetch: Fetch | None = None

    async def backtest(self, words: Sequence[str]) -> Job:
        """Raises InvalidInput, UnknownName, FeedError before anything is begun."""
        return await self._begin(words, BACKTEST, "backtest")

    async def optimize(self, words: Sequence[str]) -> Job:
        return await self._begin(words, OPTIMIZE, "optimize")

    async def walkforward(self, words: Sequence[str]) -> Job:
        return await self._begin(words, WALKFORWARD, "walkforward")

    async def montecarlo(self, words: Sequence[str]) -> Job:
        """Of a kept result, as ``Shelf.find`` takes it. Raises InvalidInput, UnknownName."""
        await asyncio.to_thread(importlib.import_module, "trader.backtest.luck")
        from trader.backtest.luck import luck_of
        from trader.backtest.shelf import Shelf
        from trader.backtest.work import Work

        word, luck, own = luck_of(words, MONTECARLO)
        shelf = Shelf(self.folder)
        name = await asyncio.to_thread(shelf.find, word)
        entry = await asyncio.to_thread(shelf.entry, name)
        work = Work({}, {}, str(self._strategies()), str(self.folder), line=name, luck=luck)
        about = ", ".join([name, *(f"{key}={value}" for key, value in own.items())])
        return self.research.submit(f"Monte Carlo of {entry.title}", work.written(), None, about)

    async def _begin(self, words: Sequence[str], usage: str, command: str) -> Job:
        search = command != "backtest"
        # A tenth of a second of imports, which the market need not wait for.
        await asyncio.to_thread(importlib.import_module, "trader.backtest.work")
        from trader.backtest.asked import OPTIMIZING, RULES, SHELL, WALKING, again, asked, only
        from trader.backtest.work import hunt_of, spec_of, warm_from, work_for

        wanted = asked(words, self.now().date(), usage)
        if self.settings.market is Market.REPLAY and wanted.last is None:
            # The recording goes on behind the desk's day: 90d would be all of that, too.
            wanted = replace(wanted, last=max(wanted.first, self.now().date()))
        if "data" in wanted.own:
            raise InvalidInput("data= is for the shell; here the candles are this desk's market's.")
        if shell := [name for name in SHELL if name in wanted.own]:
            raise InvalidInput(f"{shell[0]}= is for the shell: python bot.py {command}.")
        meant = {"backtest": RULES, "optimize": OPTIMIZING, "walkforward": WALKING}[command]
        only(wanted.own, meant, usage)
        spec = spec_of(
            wanted, self.catalogue, self.key_of, self.settings.limits,
            float(self.settings.paper.slippage_bps), self.defaults, ranged=search,
        )  # fmt: skip
        hunt = hunt_of(wanted) if search else None
        if hunt is not None:
            await asyncio.to_thread(importlib.import_module, "trader.backtest.trials.goal")
            self._check_search(wanted, hunt)
        line = " ".join([command, *again(words, wanted)])
        work = work_for(spec, self._source(), self._strategies(), self.folder, hunt, line)
        if command == "walkforward":
            await asyncio.to_thread(importlib.import_module, "trader.backtest.walking")
            from trader.backtest.walking import windows_of

            work = replace(work, windows=windows_of(wanted))
        prepare = None if self.fetch is None else partial(self.fetch, spec, warm_from(spec, self.catalogue))
        about = _about(wanted, _KINDS[command])
        return self.research.submit(_title(wanted), work.written(), prepare, about)

    def _strategies(self) -> Path:
        if self.catalogue.folder is None:
            raise InvalidInput("These strategies come from no folder, so a worker could not find them.")
        return self.catalogue.folder

    def _check_search(self, wanted: Asked, hunt: Hunt) -> None:
        """What is wrong with it is said at once, not by the worker when its turn has come."""
        from trader.backtest.space import Space
        from trader.backtest.trials.goal import Goal
        from trader.backtest.trials.samplers import SAMPLERS

        if hunt.sampler and hunt.sampler.strip().casefold() not in SAMPLERS:
            raise UnknownName("sampler", hunt.sampler, SAMPLERS)
        Goal.parse(hunt.goal, hunt.bounds)
        Space.parse(self.catalogue.get(wanted.strategy), wanted.settings, self.defaults)

    def _source(self) -> dict[str, object]:
        from trader.backtest.candles import Source
        from trader.feed.selection import absolute

        match self.settings.market:
            case Market.REPLAY:
                return Source(absolute(self.settings.replay_path)).written()
            case Market.ZERODHA:
                return Source(absolute(str(self.settings.data_dir / CANDLES))).written()
            case Market.SIMULATED:
                return Source(seed=self.settings.seed, until=self.now()).written()

    # -- what runs -------------------------------------------------------------------------------

    def follow(self, job: Job) -> AsyncIterator[Job]:
        return self.research.follow(job)

    def jobs(self) -> Sequence[Job]:
        return self.research.jobs()

    def cancel(self, number: int) -> Job:
        return self.research.cancel(number)

    # -- what was kept ---------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        return self.settings.data_dir.resolve() / SHELF

    async def kept(self) -> Listing:
        from trader.backtest.shelf import Shelf

        return await asyncio.to_thread(Shelf(self.folder).list)

    async def compare(self, ids: Sequence[str]) -> Comparison:
        """Each as ``Shelf.find`` takes it. InvalidInput, UnknownName for what is not there."""
        from trader.backtest.shelf import Shelf

        shelf = Shelf(self.folder)
        return await asyncio.to_thread(lambda: shelf.compare([shelf.find(id) for id in ids]))

    async def picture(self, path: str) -> bytes:
        return await asyncio.to_thread(Path(path).read_bytes)


def _title(wanted: Asked) -> str:
    more = len(wanted.symbols) - _NAMED
    named = ", ".join(wanted.symbols[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{wanted.strategy} {named} {wanted.interval}"


def _about(wanted: Asked, kind: str) -> str:
    """What tells two jobs of one title apart."""
    last = f" to {date_text(wanted.last)}" if wanted.last is not None else ""
    settings = [f"{name}={value}" for name, value in {**wanted.settings, **wanted.own}.items()]
    return ", ".join([f"{kind} from {date_text(wanted.first)}{last}", *settings])
