"""A seat in front of the local Kite: the official client, driven from the test's loop through threads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kiteconnect import KiteConnect

from sandbox.kite import Hours, KiteServer
from sandbox.kite.times import IST

MOCKS = Path(__file__).resolve().parents[2].parent / "shared" / "kite-mocks"
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=IST)


class Wall:
    """A clock the test moves."""

    def __init__(self, at: datetime = MONDAY) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


class Seat:
    def __init__(self, server: KiteServer, wall: Wall) -> None:
        self.server, self.wall = server, wall
        self.kite = self.client()
        self.kite.set_access_token(server.grant_token())

    def client(self, timeout: float = 5) -> KiteConnect:
        kite = KiteConnect(self.server.client.api_key, root=self.server.url, timeout=timeout)
        kite.reqsession.trust_env = False  # no proxy of the machine's between the two
        return kite

    async def call(self, method: Callable[..., Any] | str, *args: Any, **named: Any) -> Any:
        bound = getattr(self.kite, method) if isinstance(method, str) else method
        return await asyncio.to_thread(lambda: bound(*args, **named))

    async def place(
        self, symbol: str = "NSE:INFY", side: str = "BUY", quantity: int = 10, **named: Any
    ) -> str:
        """A MIS limit order at 1500, unless told otherwise."""
        exchange, _, name = symbol.partition(":")
        terms = {"variety": "regular", "product": "MIS", "order_type": "LIMIT", "price": 1500.0} | named
        terms = {key: value for key, value in terms.items() if value is not None}
        return str(
            await self.call(
                "place_order",
                exchange=exchange,
                tradingsymbol=name,
                transaction_type=side,
                quantity=quantity,
                **terms,
            )
        )

    async def row(self, order_id: str) -> dict[str, Any]:
        return next(row for row in await self.call("orders") if row["order_id"] == order_id)

    async def states(self, order_id: str) -> list[str]:
        return [row["status"] for row in await self.call("order_history", order_id)]

    def wait(self, seconds: float) -> None:
        self.wall.at += timedelta(seconds=seconds)
        self.server.settle()


@asynccontextmanager
async def seated(at: datetime = MONDAY, *, limits: bool = False, **settings: Any) -> AsyncIterator[Seat]:
    """Limits are off unless a test is about them: its clock stands still."""
    wall = Wall(at)
    async with KiteServer(wall, heartbeat=settings.pop("heartbeat", 0.05), **settings) as server:
        server.limits.on = limits
        seat = Seat(server, wall)
        try:
            yield seat
        finally:
            seat.kite.reqsession.close()


def mock(name: str) -> Any:
    """An official sample, or a skip where the material is not at hand."""
    path = MOCKS / name
    if not path.exists():
        pytest.skip(f"The official samples are not at {MOCKS}")
    return json.loads(path.read_text())["data"]


ALWAYS = Hours(always=True)
