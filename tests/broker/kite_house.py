"""A Zerodha broker on the local Kite: real sockets, the real package, a clock the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.kite import KiteServer, Listing
from tests.broker.kite_stream_world import until
from trader.broker.zerodha.broker import ZerodhaBroker
from trader.broker.zerodha.budget import BudgetLimits, Budgets
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.broker.zerodha.rest import KiteRest
from trader.broker.zerodha.stream.client import KiteStream
from trader.broker.zerodha.stream.pacing import LoopTime
from trader.domain.errors import LoginNeeded
from trader.domain.instrument import InstrumentKey
from trader.domain.times import IST

MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=IST)
ACME = Listing(999_937, "NSE", "ACME", "ACME WORKS", 100.0, 0.05, band=0.2)
GOLD = Listing(58_424_839, "MCX", "GOLDPETAL", "GOLD", 4_852.0, 1.0)
KEY = InstrumentKey("NSE:ACME")
PLENTY = 1_000_000
# The clock of these tests stands still, so the server's limits are off and ours must not bite either.
UNBOUNDED = BudgetLimits(*[PLENTY] * 10)


class Wall:
    def __init__(self, at: datetime = MONDAY) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


class HeldSession:
    """A session as REST needs it, in the test's hand."""

    def __init__(self, server: KiteServer) -> None:
        client = server.client
        self.credentials = KiteCredentials(client.api_key, client.api_secret)
        self.token: str | None = server.grant_token()
        self.losses: list[str] = []

    @property
    def access_token(self) -> str:
        if self.token is None:
            raise LoginNeeded("Nobody is logged in.")
        return self.token

    def lost(self, reason: str, *, token: str | None = None) -> None:
        if token == self.token:
            self.token = None
            self.losses.append(reason)


@dataclass
class KiteDesk:
    """One account at the local Kite and the adapter in front of it."""

    server: KiteServer
    wall: Wall
    session: HeldSession
    broker: ZerodhaBroker
    rest: KiteRest
    stream: KiteStream | None = None
    following: asyncio.Task[None] | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def endpoints(self) -> KiteEndpoints:
        return KiteEndpoints(api=self.server.url, login=self.server.url, stream=self.server.stream_url)

    async def connect(self) -> None:
        """Order updates begin."""
        self.stream = KiteStream(
            self.server.stream_url,
            self.server.client.api_key,
            self.session.access_token,
            time=LoopTime(self.wall),
            dice=lambda: 0.5,
            on_report=lambda _: None,
        )
        await self.stream.open()
        self.following = asyncio.create_task(self.broker.follow(self.stream.orders))
        await until(lambda: self.stream is not None and self.stream.connected == (True,))

    async def disconnect(self) -> None:
        if self.stream is not None:
            await self.stream.close()
        if self.following is not None:
            await self.following

    async def close(self) -> None:
        with suppress(asyncio.CancelledError):
            await self.disconnect()
        await self.broker.close()

    def wait(self, seconds: float) -> None:
        self.wall.at += timedelta(seconds=seconds)
        self.server.settle()


def adapter(
    server: KiteServer, session: HeldSession, wall: Wall, limits: BudgetLimits = UNBOUNDED, **settings: Any
) -> tuple[ZerodhaBroker, KiteRest]:
    time = LoopTime(wall)
    endpoints = KiteEndpoints(api=server.url, login=server.url, stream=server.stream_url)
    rest = KiteRest(session, endpoints, Budgets(time, limits), **settings)
    return ZerodhaBroker(rest, time), rest


@asynccontextmanager
async def kite_desk(
    *, streamed: bool = False, cash: float = 1_000_000.0, last: float = 100.0, **settings: Any
) -> AsyncIterator[KiteDesk]:
    """``settings``: those of KiteRest."""
    wall = Wall()
    async with KiteServer(wall, listings=[ACME, GOLD], cash=cash, heartbeat=0.05, pulse=None) as server:
        server.limits.on = False
        server.market.price(ACME.key, last)
        session = HeldSession(server)
        broker, rest = adapter(server, session, wall, **settings)
        desk = KiteDesk(server, wall, session, broker, rest)
        await broker.open()
        try:
            if streamed:
                await desk.connect()
            yield desk
        finally:
            server.heal()
            await desk.close()
