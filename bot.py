"""Munim's composition root and command line.

    python bot.py            run the desk (settings from the environment and .env)
    python bot.py doctor     what would be in its way; the owner's one-time codes
    python bot.py rehearse   practise the live desk against a local broker
    python bot.py download   fetch candles: RELIANCE,INFY 5m 2026-01-01 2026-11-20
    python bot.py backtest   test a strategy: ema_crossover RELIANCE 5m 90d fast=9 slow=21
    python bot.py optimize   search its settings: ema_crossover RELIANCE 5m 1y fast=5:20:1
    python bot.py check      may it be believed: ema_crossover
    python bot.py walkforward, montecarlo, portfolio, parity, backtests: docs/optimise.md, docs/backtest.md
    python bot.py --version

Nothing is decided here: the parts are made, joined, started, and stopped in order.
"""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":
    # Ctrl-C while the modules below are loaded: nothing has begun yet. Raised into an import, it comes out
    # as whatever the import makes of it, with a trace.
    signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))

import argparse
import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trader import VERSION
from trader.domain.errors import InvalidInput, MunimError, UnknownName
from trader.domain.times import IST
from trader.service import logs
from trader.service.lasting import lasting
from trader.service.lock import FileLock
from trader.service.settings import Market, Settings, read_settings
from trader.service.watchdog import Watchdog

if TYPE_CHECKING:
    from handlers.chat import Chat
    from handlers.registry import Command
    from trader.broker.paper.journal import PaperJournal
    from trader.ports.store import Store
    from trader.service.clock import MarketClock
    from trader.service.opening import House

log = logging.getLogger("munim")

HERE = Path(__file__).resolve().parent
# A process told to stop is gone within 8 seconds, for containers are killed after 10; of these, besides the
# HANG_UP of handlers/chat.py:
KILL_HURRY = 2.0  # seconds a kill under way gets for its report
ALERTS_HURRY = 2.0  # seconds the last alerts get; what does not leave is sent after the next start
WORDLESS = ("run", "doctor", "rehearse")
WORDED = ("download", "export")
# Of trader.service.shell, which is not loaded to say so.
STUDIES = (
    "backtest",
    "optimize",
    "walkforward",
    "montecarlo",
    "portfolio",
    "check",
    "parity",
    "backtests",
)
MEND = "The other strategies go on. Mended, this one is read at the next start."
# A data folder that cannot be written is not in their way.
READING = ("doctor", "export", "check", "parity", "backtests")
KILL_PATIENCE = timedelta(minutes=3)  # of market time a script's end waits for a kill's report


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    try:
        code = _ran(words)
        if sys.stdout is not None:  # closed by whoever runs it
            sys.stdout.flush()  # or the interpreter meets, at its end, a reader that left, and complains
    except MunimError as e:
        print(e, file=sys.stderr)  # noqa: T201 - the command line's own answer
        return 2
    except BrokenPipeError:  # who reads the answer has seen enough: backtests all | head
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # or the interpreter complains at its end
        return 128 + signal.SIGPIPE
    except OSError as e:
        print(f"{e.filename or 'The disk'}: {e.strerror}. Is DATA_DIR right?", file=sys.stderr)  # noqa: T201 - the same
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _ran(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bot.py", add_help=False, allow_abbrev=False)
    parser.add_argument("command", nargs="?", default="run")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--version", action="version", version=f"Munim {VERSION}")
    if {"-h", "--help"} & set(words) or words[:1] == ["help"]:
        print(_help(words), flush=True)  # noqa: T201 - the command line's own answer
        return 0
    given, strange = parser.parse_known_args(words)
    _meant(given.command, given.words, strange)
    settings = read_settings(*_environment())
    work: Callable[[Settings], Coroutine[Any, Any, int]] = run
    if given.command == "rehearse":
        work = _rehearse
    elif given.command == "download":
        work = partial(_download, words=given.words)
    _log(settings, given.command)
    if given.command in STUDIES:  # they only read, so a running desk is not in their way
        return _study(settings, given.command, given.words)
    if given.command == "doctor":  # the same
        return asyncio.run(_doctor(settings))
    if given.command == "export":
        return asyncio.run(_export(settings, given.words))
    with contextlib.ExitStack() as locks:
        locks.enter_context(FileLock.of_folder(settings.data_dir))
        if (elsewhere := _ledger_file(settings)) is not None:
            locks.enter_context(FileLock.of_ledger(elsewhere))
        return asyncio.run(work(settings))


def _log(settings: Settings, command: str) -> None:
    try:
        # Who only looks makes no folder where one was misspelt.
        made = command not in READING or settings.data_dir.exists()
        to_file = made and not settings.bot_token
        logs.configure(settings.data_dir / "logs" if to_file else None, settings.secrets)
    except OSError:
        if command not in READING or not settings.data_dir.is_dir():
            raise
        logs.configure(None, settings.secrets)


def _help(words: Sequence[str]) -> str:
    from trader.service.shell import help_of
    from trader.service.usage import ALL, OF

    asked = next((word for word in words if word in OF or word in STUDIES), "")
    return help_of(asked) if asked in STUDIES else OF.get(asked, ALL)


def _meant(command: str, words: Sequence[str], strange: Sequence[str]) -> None:
    """InvalidInput for what is passed over nowhere else."""
    if command not in (*WORDLESS, *WORDED, *STUDIES):
        raise UnknownName("command", command, (*WORDLESS, *WORDED, *STUDIES), ordered=True)
    if command in WORDLESS and (more := [*words, *strange]):
        raise InvalidInput(f"Expected nothing after {command}, was {more[0]!r}. See bot.py --help")
    if strange:
        raise InvalidInput(f"Expected settings as in fast=9, was {strange[0]!r}. See bot.py {command} --help")


def _environment() -> tuple[Mapping[str, str], Collection[str]]:
    """The environment, and .env for what it does not say; and what stands in .env."""
    from dotenv import dotenv_values

    filed = {name: value or "" for name, value in dotenv_values(HERE / ".env").items()}
    return {**filed, **os.environ}, filed.keys()


def _study(settings: Settings, command: str, words: Sequence[str]) -> int:
    from trader.service import shell
    from trader.strategy.catalogue import Catalogue

    with contextlib.redirect_stdout(sys.stderr):  # what a strategy prints is not the answer
        catalogue = Catalogue.discover(HERE / "strategies")
    return shell.COMMANDS[command](settings, catalogue, words)


async def _doctor(settings: Settings) -> int:
    from trader.service.doctor import examined
    from trader.service.pairing import new_secret, shown_once

    async def ledger() -> str:
        store, _ = _records(settings)
        standing = getattr(store, "standing", None)
        return await standing() if standing else "none: this replay starts from nothing every time"

    faults = 0
    async for found in examined(settings, HERE / ".env", ledger):
        print(found, flush=True)  # noqa: T201 - the command line's own answer
        faults += found.fine is False
    if settings.market is Market.ZERODHA and sys.stdout.isatty():  # not into a file or a host's log
        owner = str(settings.owner_totp)
        print(shown_once(owner, settings.data_dir) if owner else new_secret())  # noqa: T201 - the same
    end = "Nothing is in the way." if not faults else f"To be mended: {faults}."
    print(end)  # noqa: T201 - the same
    return 1 if faults else 0


async def _download(settings: Settings, words: Sequence[str]) -> int:
    from trader.service.downloading import fetch, meant

    meant(settings, words)  # before the ledger is made for what cannot be
    store, _ = _records(settings)
    await store.open()
    try:
        print(await fetch(settings, store, words))  # noqa: T201 - the command line's own answer
    finally:
        await store.close()
    return 0


async def _export(settings: Settings, words: Sequence[str]) -> int:
    from storage.exports import fills_csv, trades_csv
    from storage.ledger import SqlLedger
    from trader.service.exporting import Export, export

    asked = Export.meant(words, datetime.now(IST).date())
    store, _ = _records(settings)
    if not isinstance(store, SqlLedger):
        raise InvalidInput("A replay without DATABASE_URL keeps no records.")
    await store.open_to_read()
    try:
        text, said = await export(store, asked, {"fills": fills_csv, "trades": trades_csv})
    finally:
        await store.close()
    if asked.path is None:
        print(text, end="")  # noqa: T201 - the command line's own answer
    print(said, file=sys.stderr)  # noqa: T201 - the same
    return 0


async def _rehearse(settings: Settings) -> int:
    from rehearsal.rehearse import rehearse

    async def practise(local: Settings, commands: Sequence[Command], clock: MarketClock) -> int:
        local.data_dir.mkdir(parents=True, exist_ok=True)
        return await run(local, commands, clock)

    return await rehearse(settings, practise)


async def run(settings: Settings, commands: Sequence[Command] = (), clock: MarketClock | None = None) -> int:
    """Open the ledger, the desk and the chat, until asked to stop or the input ends. ``commands`` join the
    usual ones. ``clock``: of a broker in this process, to be the live desk's too."""
    from handlers.chat import Chat
    from handlers.recipients import welcome
    from trader.service.opening import open_house
    from trader.strategy.catalogue import Catalogue

    store, journal = _records(settings)
    await store.open()
    try:
        catalogue = Catalogue.discover(HERE / "strategies")
        for file, fault in catalogue.faults.items():
            log.warning("strategies/%s is not used: %s", file, fault)
        chat = Chat(settings, commands)
        await welcome(store, chat.recipients, datetime.now(IST))
        house = await open_house(
            settings,
            store,
            journal,
            catalogue,
            held=settings.speed is None and chat.scripted,
            on_alert=chat.wake,
            before_next=chat.told if chat.scripted else None,
            clock=clock,
        )
        chat.join(house)
        for file, fault in catalogue.faults.items():
            await house.front.tell(f"strategies/{file} is not used", f"{fault}\n{MEND}")
        await _live(house, chat)
    finally:
        await store.close()
    return 0


async def _live(house: House, chat: Chat) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    tasks = [
        _lasting(house, "service", house.service.run),
        _lasting(house, "market", house.pump.run),
        _lasting(house, "notifier", chat.notifier.run),
        _lasting(house, "watchdog", Watchdog(partial(_blocked, house)).run),
        _lasting(house, "check", house.front.look_at_edited),
    ]
    if house.kite is not None:
        tasks += [
            _lasting(house, "zerodha", house.kite.keep),
            _lasting(house, "orders", house.kite.follow),
        ]
    try:
        await house.service.settle()
        await chat.converse(house, stop)
        await _finish_kill(house, None if not stop.is_set() else KILL_HURRY)
        await house.close()
        await chat.last_words(ALERTS_HURRY if stop.is_set() else None)
        await chat.farewell(house)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _blocked(house: House, how: str) -> None:
    house.service.fault(house.clock.now(), "loop_blocked", how)


def _lasting(house: House, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    def died(what: str) -> None:
        house.service.fault(house.clock.now(), "task_died", what)

    return asyncio.create_task(lasting(name, work, died), name=name)


async def _finish_kill(house: House, seconds: float | None) -> None:
    """A script that ends with /kill still gets its report."""
    until = house.clock.now() + KILL_PATIENCE
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while house.service.busy and house.clock.now() < until and not house.pump.ended:
                await house.pump.run_until(house.clock.now() + timedelta(seconds=1))


def _ledger_file(settings: Settings) -> Path | None:
    """Of a ledger outside the data folder."""
    if not settings.database_url:
        return None
    from storage.engines import database_url, sqlite_path

    return sqlite_path(database_url(settings.database_url))


def _records(settings: Settings) -> tuple[Store, PaperJournal]:
    """The ledger and the paper exchange's journal."""
    if settings.market is Market.REPLAY and not settings.database_url:
        # A replay starts from nothing every time, or it would not come out the same; with a DATABASE_URL
        # it is kept, and goes on where it stopped.
        from storage.memory import MemoryLedger
        from storage.paper import MemoryPaperJournal

        return MemoryLedger(), MemoryPaperJournal()
    from storage.engines import sqlite_url
    from storage.ledger import SqlLedger
    from storage.paper import SqlPaperJournal

    ledger = SqlLedger(settings.database_url or sqlite_url(settings.data_dir / "munim.db"))
    return ledger, SqlPaperJournal(ledger)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
