"""The whole desk as its owner has it: the real process, the chat it talks in, and the ledger it leaves.

The local Bot API server runs in the test's own event loop; the desk is a subprocess that polls it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from sandbox.botapi import BotApiServer, ShownMessage
from tests.service.sessions import ROOT, Ledger, environment

T = TypeVar("T")

OWNER, VIEWER, STRANGER, GROUP = 4711, 4712, 6666, -100_200_300
TOKEN = "7012345678:e2e-sandbox_0123456789-abcdefghijklm"  # noqa: S105 - opens nothing but the test's server
PATIENCE = 60.0  # seconds; the machine may be busy
STOPS_WITHIN = 8.0  # what a process that is told to stop promises
OPEN_ORDERS = "state NOT IN ('DENIED', 'FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED', 'NOT_PLACED')"
OPEN_POSITIONS = "positions WHERE quantity != 0"
EIGHT = "RELIANCE,TCS,INFY,SBIN,ITC,LT,HDFCBANK,ICICIBANK"
BUSY_DAY = {
    "MARKET": "simulated",
    "CLOCK_START": "2026-11-23T09:30",
    "REPLAY_SPEED": "120",
    # Limits that stay out of the way.
    "RISK_CAPITAL": "10000000",
    "RISK_MAX_DAILY_LOSS": "1000000",
    "RISK_MAX_DAILY_LOSS_PCT": "50",
    "RISK_MAX_DRAWDOWN_PCT": "90",
    "RISK_MAX_ORDER_VALUE": "400000",
    "RISK_MAX_OPEN_POSITIONS": "50",
    "RISK_MAX_TRADES_PER_DAY": "10000",
    "RISK_LOSS_STREAK": "1000",
}


class TelegramDesk:
    """One data folder, one chat server, and one process at a time."""

    def __init__(self, folder: Path, server: BotApiServer, **settings: str) -> None:
        self.folder, self.server = folder, server
        self.ledger = Ledger(folder / "data" / "munim.db")
        self.settings = {**BUSY_DAY, **settings}
        self._process: asyncio.subprocess.Process | None = None

    # -- the process

    async def start(self) -> None:
        """Up, and listening to Telegram."""
        env = environment(
            self.folder / "data",
            TELEGRAM_BOT_TOKEN=TOKEN,
            TELEGRAM_OWNER_IDS=str(OWNER),
            TELEGRAM_VIEWER_IDS=str(VIEWER),
            TELEGRAM_API_URL=self.server.base_url,
            **self.settings,
        )
        with (self.folder / "stderr.txt").open("ab") as complaints:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(ROOT / "bot.py"),
                env=env,
                cwd=self.folder,
                stdout=complaints,
                stderr=complaints,
            )
        polls = self.server.count("getUpdates")
        await self.eventually(lambda: self.server.count("getUpdates") > polls or self._has_ended())
        assert not self._has_ended(), self.said()

    def _has_ended(self) -> bool:
        return self._process is None or self._process.returncode is not None

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        async with asyncio.timeout(STOPS_WITHIN):
            return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL: a power cut, as far as the process can tell."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def said(self) -> str:
        return (self.folder / "stderr.txt").read_text()

    # -- the chat

    async def ask(self, text: str, *, user: int = OWNER) -> ShownMessage:
        """Type a command and wait for its answer; that it was audited is part of having been answered."""
        mark = self.mark(user)
        return await self.answer(self.server.say(user, text), mark, user=user)

    async def press(self, shown: ShownMessage, label: str, *, lagging: bool = False) -> ShownMessage:
        """The owner presses a button and sees what comes of it: the same message, or one below."""
        mark = self.mark(OWNER)
        update = self.server.press(shown.message_id, label, lagging=lagging)
        return await self.answer(update, mark, edited=shown)

    def mark(self, user: int) -> int:
        """Messages after this one are news."""
        return max((shown.message_id for shown in self.server.messages(user)), default=0)

    async def answer(
        self, update: int, mark: int, *, user: int = OWNER, edited: ShownMessage | None = None
    ) -> ShownMessage:
        """The message with the outcome that the audit has of this update."""
        outcome = await self.eventually(lambda: self.audit(update)[1])

        def find() -> ShownMessage | None:
            for shown in self.server.replies(user):
                fresh = shown.message_id > mark or shown is edited
                if fresh and shown.text.startswith(outcome):
                    return shown
            return None

        return await self.see(find)

    async def see(self, find: Callable[[], T | None]) -> T:
        """Wait for the chat to show something."""
        found = await self.server.wait_for(find, PATIENCE)
        assert found is not None
        return found

    async def alert(self, part: str, since: int = 0) -> ShownMessage:
        """A message to the owner that contains this."""
        return await self.see(
            lambda: next(
                (m for m in self.server.replies(OWNER) if m.message_id > since and part in m.text), None
            )
        )

    async def trading(self) -> None:
        """ACTIVE, whatever was before."""
        if self.latch()[0] != "ACTIVE":
            await self.press(await self.ask("/resume"), "Resume")
        assert self.latch()[0] == "ACTIVE"

    async def busy(self) -> None:
        """A strategy trades on eight symbols."""
        await self.trading()
        if not self.count("strategy_instances WHERE status = 'RUNNING' AND symbols LIKE '%ICICIBANK%'"):
            shown = await self.ask(f"/start_strategy ema_crossover {EIGHT} 5s stop=0.3 target=0.3")
            assert shown.text.startswith("Started ema_crossover"), shown.text

    async def holding(self) -> None:
        """Busy, with something to lose."""
        await self.busy()
        await self.eventually(lambda: self.count(OPEN_POSITIONS) >= 2)

    async def flat(self) -> ShownMessage:
        """/kill, and its report."""
        mark = self.mark(OWNER)
        assert (await self.ask("/kill")).text.startswith("HALTED at")
        return await self.alert("FLAT verified", since=mark)

    # -- the ledger

    async def eventually(self, condition: Callable[[], T]) -> T:
        """The first truthy value; the ledger has no way of telling that it changed."""
        async with asyncio.timeout(PATIENCE):
            while not (value := condition()):  # noqa: ASYNC110 - a file has no event to wait for
                await asyncio.sleep(0.03)
            return value

    def count(self, what: str, *values: object) -> int:
        """``what`` is what follows FROM; 0 before there is a ledger."""
        return int(str(self.ledger.rows(f"SELECT count(*) FROM {what}", *values)[0][0]))  # noqa: S608 - our own words

    def audit(self, update: int) -> tuple[str, str]:
        """Verdict and outcome of an update; empty while it has none."""
        rows = self.ledger.rows("SELECT verdict, outcome FROM audit_log WHERE source_id = ?", f"tg:{update}")
        return (str(rows[0][0]), str(rows[0][1])) if rows else ("", "")

    def latch(self) -> tuple[str, str]:
        """Mode and code; a ledger without a latch is of a desk that was never stopped."""
        rows = self.ledger.rows("SELECT mode, code FROM latches ORDER BY serial DESC LIMIT 1")
        return (str(rows[0][0]), str(rows[0][1])) if rows else ("ACTIVE", "")

    def undelivered(self) -> list[str]:
        return [
            str(title)
            for (title,) in self.ledger.rows(
                "SELECT title FROM alerts WHERE alert_id NOT IN (SELECT alert_id FROM alert_deliveries)"
            )
        ]

    # -- the secret

    def leaks(self) -> list[str]:
        """Where the bot's token can be read by anybody who should not."""
        secret = TOKEN.partition(":")[2]
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        places = [str(path) for path in files if secret.encode() in path.read_bytes()]
        texts = [shown.text for chat in (OWNER, VIEWER) for shown in self.server.replies(chat)]
        return places + [text for text in texts if secret in text]


@contextlib.asynccontextmanager
async def telegram_desk(folder: Path, **settings: str) -> AsyncIterator[TelegramDesk]:
    """A desk that is up; killed at the end if the test has left it running."""
    async with BotApiServer(token=TOKEN) as server:
        server.names = {OWNER: "Asha", VIEWER: "Ravi", STRANGER: "Mallory"}
        desk = TelegramDesk(folder, server, **settings)
        await desk.start()
        try:
            yield desk
        finally:
            await desk.kill()


def tables(shown: ShownMessage) -> list[str]:
    """What a message shows in a <pre>. Entities count UTF-16 units; so does this."""
    units = shown.text.encode("utf-16-le")
    spans = [(e["offset"], e["length"]) for e in shown.entities if e["type"] == "pre"]
    return [units[2 * start : 2 * (start + length)].decode("utf-16-le") for start, length in spans]
