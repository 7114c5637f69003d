"""A live desk does not trade on yesterday's list of instruments."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sandbox.kite import KiteServer
from storage.memory import MemoryLedger
from trader.desk.commands import Command, Disarm
from trader.desk.effects import Answer
from trader.domain.times import IST
from trader.market.calendar import Calendar
from trader.service.kite import KiteHouse
from trader.service.settings import read_settings

MONDAY = datetime(2026, 11, 23, 9, 20, tzinfo=IST)
WEDNESDAY = datetime(2026, 11, 25, 9, 6, tzinfo=IST)  # Tuesday is a holiday


class Desk:
    """Takes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Command] = []

    def put(self, event: object) -> None:
        del event

    async def ask(self, command: Command, *, source_id: str, actor: str) -> Answer:
        del actor
        self.asked.append(command)
        return Answer(source_id, True, "")


class Clock:
    speed = 1.0

    def __init__(self) -> None:
        self.at = MONDAY

    def now(self) -> datetime:
        return self.at

    def advance(self, at: datetime) -> None:
        del at

    async def sleep_until(self, at: datetime) -> None:
        del at


async def test_a_list_that_is_not_the_days_disarms_the_desk_once(tmp_path: Path) -> None:
    clock, desk, told = Clock(), Desk(), []

    async def tell(title: str, body: str) -> None:
        told.append((title, body))

    async with KiteServer(clock.now, pulse=None) as server:
        client = server.client
        settings = read_settings({
            "MARKET": "zerodha", "TRADING": "live", "DATA_DIR": str(tmp_path), "KITE_RECORD": "no",
            "KITE_API_KEY": client.api_key, "KITE_API_SECRET": client.api_secret, "KITE_API_URL": server.url,
            "KITE_LOGIN_URL": server.url, "KITE_STREAM_URL": server.stream_url,
        })  # fmt: skip
        kite = KiteHouse(settings, MemoryLedger(), None, clock, Calendar.load())
        kite.live_broker()
        kite.join(desk, tell)  # type: ignore[arg-type] # as much of a service as this needs
        try:
            await kite.login(server.login.callback_url())
            kite.instruments.become(await kite.feed.load())
            await kite.refuse_stale(clock.now())
            assert not desk.asked
            clock.at = WEDNESDAY
            for _ in range(2):
                await kite.refuse_stale(clock.now())
            assert desk.asked == [Disarm()]
        finally:
            await kite.close()
    assert [title for title, _ in told][-1:] == ["Disarmed: stale instruments"]
