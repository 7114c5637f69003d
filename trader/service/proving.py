"""A strategy is checked before it is started for the first time: with these parameters, on this interval, as
its file is now. What came of it is kept in the ledger, so a second start waits for nothing."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trader import VERSION
from trader.desk.commands import StartStrategy
from trader.desk.owner import DEFAULT_INTERVAL
from trader.domain.errors import CommitFailed
from trader.domain.market import Interval
from trader.domain.records import StrategyInstance
from trader.strategy.catalogue import Catalogue
from trader.strategy.options import parse_settings
from trader.strategy.strategy import Strategy

if TYPE_CHECKING:
    from trader.backtest.verdict import Verdict

log = logging.getLogger(__name__)

PROOF = "proof:"  # settings under which a strategy's verdicts are kept, its name behind it
CODE = "code:"  # settings under which the file is noted that a strategy was started from
_KEPT = 8  # verdicts of each strategy, the newest
_WITHIN = 30.0  # seconds; a check takes less than one, so this is code that does not come back
_OFF = ("off", "no", "0", "false")


@dataclass(frozen=True, slots=True)
class Proof:
    """``text`` is for the owner; empty when nothing is to be said. A refused start is not put to the desk."""

    command: StartStrategy
    text: str = ""
    refused: bool = False
    fault: str = ""  # of one that is refused, without what came of it


class Proving:
    """``read`` and ``write`` are the ledger's settings. Made right after the catalogue, whose files it reads:
    the code that runs is what they were then."""

    def __init__(
        self,
        catalogue: Catalogue,
        read: Callable[[str], Awaitable[str | None]],
        write: Callable[[str, str], Awaitable[None]],
        *,
        within: float = _WITHIN,
    ) -> None:
        self._catalogue = catalogue
        self._read = read
        self._write = write
        self._within = within
        self._codes = {name: _code(kind) for name, kind in catalogue.strategies.items()}
        self._one = asyncio.Lock()  # at a time

    async def prove(self, command: StartStrategy) -> Proof:
        """What the desk would refuse anyway is left to the desk, which says it better."""
        wanted, settings = _asked(command)
        command = replace(command, settings=settings)
        try:
            kind = self._catalogue.get(command.strategy)
            interval = Interval.parse(command.interval) if command.interval else DEFAULT_INTERVAL
            configured = parse_settings(kind, settings)
        except (Exception, SystemExit) as e:
            log.debug("not checked: %s", e)  # the author's code among them; the desk guards against it
            return Proof(command)
        if not wanted:
            return Proof(command, "Not checked, as you asked.")
        params = [f"{name}={value}" for name, value in configured.settings if name in kind.params()]
        async with self._one:
            return await self._proof(command, kind, interval, params)

    async def _proof(
        self, command: StartStrategy, kind: type[Strategy], interval: Interval, params: list[str]
    ) -> Proof:
        code = self._codes[kind.name]
        digest = hashlib.sha256("\n".join([VERSION, code, interval, *params]).encode()).hexdigest()[:16]
        kept = await self._kept(kind.name)
        if code and digest in kept:
            grade, sentence = kept[digest]
            return _proof(command, grade, "" if grade == "OK" else sentence)
        try:
            verdict = await _in_a_thread(lambda: _check(kind, command, interval), self._within)
        except TimeoutError:
            sentence = f"Its check did not end within {self._within:g} s; live it would hold up the desk."
            return _proof(command, "FAIL", sentence)
        except Exception as e:
            log.exception("checking %s failed", kind.name)
            return Proof(command, f"Not checked: the check itself failed, {type(e).__name__}: {e}.")
        grade, sentence = verdict.grade.name, verdict.sentence
        if code:
            kept[digest] = (grade, sentence)
            newest = dict(list(kept.items())[-_KEPT:])
            with contextlib.suppress(CommitFailed):  # the desk says so itself; it will be checked again
                await self._write(f"{PROOF}{kind.name}", json.dumps(newest, ensure_ascii=False))
        return _proof(command, grade, sentence)

    async def _kept(self, name: str) -> dict[str, tuple[str, str]]:
        text = await self._read(f"{PROOF}{name}")
        return {digest: (grade, said) for digest, (grade, said) in json.loads(text or "{}").items()}

    async def edited(self, instance: StrategyInstance) -> Proof | None:
        """Of one that goes on after a restart: what a check says of its file, if that is another than the one
        it was started from. None where it is the same, or was never noted."""
        code = self._codes.get(instance.strategy, "")
        noted = await self._read(f"{CODE}{instance.strategy}")
        if not code or not noted or noted == code:
            return None
        symbols = tuple(str(key) for key in instance.symbols)
        settings = dict(instance.settings)
        command = StartStrategy(instance.strategy, symbols, instance.interval.value, settings)
        return await self.prove(command)

    async def note(self, strategy: str) -> None:
        """What runs from now on is what its file is now."""
        code = self._codes.get(strategy, "")
        if code and await self._read(f"{CODE}{strategy}") != code:
            with contextlib.suppress(CommitFailed):  # the desk says so itself
                await self._write(f"{CODE}{strategy}", code)


def without_check(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings that are the strategy's: ``check=off`` is for here."""
    return {name: value for name, value in settings.items() if name.strip().casefold() != "check"}


def _asked(command: StartStrategy) -> tuple[bool, dict[str, str]]:
    """Whether the check is wanted, and the settings without the word for it."""
    settings = dict(command.settings)
    words = [settings.pop(name) for name in list(settings) if name.strip().casefold() == "check"]
    return not any(word.strip().casefold() in _OFF for word in words), settings


def _proof(command: StartStrategy, grade: str, sentence: str) -> Proof:
    if grade != "FAIL":
        return Proof(command, sentence)
    again = "Nothing was started. Mend it, or say check=off to start it all the same."
    return Proof(command, f"{command.strategy} is refused. {sentence}\n{again}", refused=True, fault=sentence)


def _check(kind: type[Strategy], command: StartStrategy, interval: Interval) -> Verdict:
    from trader.backtest.lookahead import check  # late: nobody has started a strategy yet

    return check(kind, command.settings, interval=interval)


async def _in_a_thread(work: Callable[[], Verdict], seconds: float) -> Verdict:
    """A thread of its own, which does not keep the process from ending when an author's loop never does."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Verdict] = loop.create_future()

    def tell(put: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if done.done() else put())

    def run() -> None:
        try:
            verdict = work()
        except BaseException as e:  # whatever it is, whoever waits must hear of it
            fault = e if isinstance(e, Exception) else RuntimeError(f"{type(e).__name__}: {e}")
            tell(lambda: done.set_exception(fault))
        else:
            tell(lambda: done.set_result(verdict))

    threading.Thread(target=run, name="check", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await done


def _code(kind: type[Strategy]) -> str:
    """A hash of the file it was read from; empty where there is none, which is then checked every time."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    except OSError:
        return ""
