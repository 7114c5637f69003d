"""A live desk with its owner's phone, its broker and its market, through a trading day of one process.

Everything is real: the service as ``bot.run`` starts it, on its SQLite ledger; Telegram and Kite by socket;
the kiteconnect package in its threads. Local are the two servers, and the clock (``live_day_loop``).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import bot
from sandbox.botapi import BotApiServer, ShownMessage
from sandbox.kite import Call, KiteServer, Pace
from sandbox.kite.orders import Order
from sandbox.kite.steering import Steering
from sandbox.kite.totp import code_at
from tests.service.live_day_loop import DayLoop
from tests.service.sessions import Ledger
from trader.domain.times import IST
from trader.service.clock import WallClock
from trader.service.settings import read_settings

T = TypeVar("T")

OWNER = 4711
BOT_TOKEN = "7012345678:day-sandbox_0123456789-abcdefghijklm"  # noqa: S105 - opens nothing but the test's server
PATIENCE = 300.0  # market seconds
TRADED = ("NSE:RELIANCE", "NSE:ITC", "NSE:SBIN", "NSE:INFY", "NSE:NIFTY 50")
EVERY, QUIETLY = 1.0, 6.0  # market seconds between two prices
HEARTBEAT = 2.0
STRIDE = 5.0  # of the quiet hours; half of the silence a stream is allowed


class LiveDay:
    def __init__(self, folder: Path, phone: BotApiServer, kite: KiteServer, clock: WallClock) -> None:
        self.folder, self.phone, self.kite, self.clock = folder, phone, kite, clock
        self.prices = Steering(kite.market, TRADED)
        self.ledger = Ledger(folder / "munim.db")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, DayLoop)
        self._loop = loop
        self.desk: asyncio.Task[int] | None = None

    # -- the clock -------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.clock.now()

    def at(self, clock: str) -> datetime:
        hour, minute = clock.split(":")
        return self.now().replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)

    async def until(self, clock: str, *, quietly: bool = False) -> None:
        """``quietly``: nothing is going to happen before."""
        self._loop.stride = STRIDE if quietly else 0.0
        await asyncio.sleep((self.at(clock) - self.now()).total_seconds())
        self._loop.stride = 0.0

    async def trade(self) -> None:
        """The market, for ever."""
        while True:
            self.prices.step()
            await asyncio.sleep(QUIETLY if self._loop.stride else EVERY)

    async def eventually(self, condition: Callable[[], T], within: float = PATIENCE) -> T:
        """The first truthy value; what it looks at has no event to wait for."""
        async with asyncio.timeout(within):
            while not (value := condition()):
                assert self.desk is not None
                assert not self.desk.done(), self.chat()
                await asyncio.sleep(0.1)
        return value

    # -- the desk --------------------------------------------------------------------------------

    def settings(self) -> dict[str, str]:
        client = self.kite.client
        return {
            "MARKET": "zerodha",
            "TRADING": "live",
            "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
            "TELEGRAM_OWNER_IDS": str(OWNER),
            "TELEGRAM_API_URL": self.phone.base_url,
            "KITE_API_KEY": client.api_key,
            "KITE_API_SECRET": client.api_secret,
            "KITE_USER_ID": client.user_id,
            "KITE_PASSWORD": client.password,
            "KITE_TOTP_SECRET": client.totp_secret,
            "KITE_API_URL": self.kite.url,
            "KITE_LOGIN_URL": self.kite.url,
            "KITE_STREAM_URL": self.kite.stream_url,
            "OWNER_TOTP_SECRET": client.totp_secret,
            "DATA_DIR": str(self.folder),
        }

    def start(self) -> None:
        self.desk = asyncio.create_task(bot.run(read_settings(self.settings()), clock=self.clock))

    async def stop(self) -> int:
        """As systemd or Docker stop it; the exit code."""
        assert self.desk is not None
        assert not self.desk.done()  # its handler of the signal stands
        os.kill(os.getpid(), signal.SIGTERM)
        return await self.desk

    # -- the phone -------------------------------------------------------------------------------

    def chat(self) -> str:
        return "\n\n".join(shown.text for shown in self.phone.messages(OWNER))

    def mark(self) -> int:
        return max((shown.message_id for shown in self.phone.messages(OWNER)), default=0)

    async def hears(self, part: str, since: int = 0, within: float = PATIENCE) -> ShownMessage:
        """A message of the bot's with this in it."""

        def find() -> ShownMessage | None:
            told = (m for m in self.phone.replies(OWNER) if m.message_id > since and part in m.text)
            return next(told, None)

        try:
            found = await self.eventually(find, within)
        except TimeoutError:
            raise AssertionError(f"Nobody said {part!r} by {self.now()}:\n\n{self.chat()}") from None
        assert found is not None
        return found

    async def asks(self, text: str, part: str) -> ShownMessage:
        """The owner types; the answer with this in it."""
        mark = self.mark()
        self.phone.say(OWNER, text)
        return await self.hears(part, mark)

    async def presses(self, shown: ShownMessage, label: str, part: str) -> ShownMessage:
        """The answer comes in the same message or below it."""
        mark = shown.message_id - 1
        self.phone.press(shown.message_id, label)
        return await self.hears(part, mark)

    def code(self) -> str:
        """What the owner's authenticator shows; the world's clock counts for it."""
        return code_at(self.kite.client.totp_secret, datetime.now(IST))

    def next_code(self, used: str) -> str:
        """The step's behind it, which is taken too."""
        secret, now = self.kite.client.totp_secret, datetime.now(IST)
        coming = code_at(secret, now + timedelta(seconds=30))
        return coming if coming != used else code_at(secret, now + timedelta(seconds=60))

    # -- the broker ------------------------------------------------------------------------------

    def orders(self, symbol: str, *, tagged: bool | None = None) -> list[Order]:
        """Of the broker's book, oldest first; ``tagged``: only those the desk sent, or only others."""
        found = [o for o in self.kite.exchange.orders.values() if o.listing.symbol == symbol]
        return [o for o in found if tagged is None or (o.tag is not None) is tagged]

    def held(self, symbol: str, product: str = "MIS") -> int:
        position = self.kite.account.positions.get((f"NSE:{symbol}", product))
        return 0 if position is None else position.quantity

    def called(self, name: str, order: Order | None = None) -> list[Call]:
        calls = self.kite.called(name)
        return [c for c in calls if order is None or c.path.get("order_id") == order.order_id]

    async def order(self, symbol: str, number: int, condition: Callable[[Order], bool]) -> Order:
        """The desk's ``number``-th order in ``symbol``, when it is so."""

        def find() -> Order | None:
            ours = self.orders(symbol, tagged=True)
            return ours[number] if len(ours) > number and condition(ours[number]) else None

        found = await self.eventually(find)
        assert found is not None
        return found


async def _keep_time(kite: KiteServer) -> None:
    """The exchange looks at the clock often while something is due, and seldom while nothing is."""
    while True:
        await asyncio.sleep(0.05 if kite.world.agenda.next_due is not None else 0.5)
        kite.settle()


@asynccontextmanager
async def live_day(folder: Path, began: datetime, cash: float) -> AsyncIterator[LiveDay]:
    clock = WallClock(began)
    async with (
        BotApiServer(token=BOT_TOKEN) as phone,
        KiteServer(clock.now, cash=cash, heartbeat=HEARTBEAT, pulse=None) as kite,
    ):
        kite.exchange.pace = Pace.realistic()
        day = LiveDay(folder, phone, kite, clock)
        moving = [asyncio.create_task(_keep_time(kite)), asyncio.create_task(day.trade())]
        try:
            yield day
        finally:
            if day.desk is not None:
                day.desk.cancel()
                await asyncio.gather(day.desk, return_exceptions=True)
            for task in moving:
                task.cancel()
            await asyncio.gather(*moving, return_exceptions=True)
