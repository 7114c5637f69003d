"""A session in front of the local Kite, with a store and a clock the test can look into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sandbox.kite import KiteServer
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.broker.zerodha.session import KiteSession, SessionState
from trader.domain.errors import CommitFailed
from trader.domain.times import IST

# Long past: where the machine's own clock is near, the login page's Date tells of a clock that is wrong.
MONDAY = datetime(2026, 3, 23, 8, 0, 10, tzinfo=IST)


class Wall:
    """A clock the test moves; whoever sleeps moves it too."""

    def __init__(self, at: datetime = MONDAY) -> None:
        self.at = at
        self.naps: list[float] = []

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def set(self, hour: int, minute: int = 0, second: float = 10, *, days: int = 0) -> None:
        whole = self.at.replace(hour=hour, minute=minute, second=0, microsecond=0)
        self.at = whole + timedelta(days=days, seconds=second)


class Drawer:
    """The ledger's setting."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.full = False  # True: nothing more can be written
        self.written: list[str] = []

    async def read(self) -> str | None:
        return self.text

    async def write(self, text: str) -> None:
        if self.full:
            raise CommitFailed("The disk is full.")
        self.text = text
        self.written.append(text)


class House:
    """``session`` is the process's; ``restarted`` is the next one's, with the same drawer."""

    def __init__(self, server: KiteServer, wall: Wall) -> None:
        self.server, self.wall, self.drawer = server, wall, Drawer()
        self.endpoints = KiteEndpoints(server.url, server.url, server.stream_url)
        client = server.client
        self.credentials = KiteCredentials(client.api_key, client.api_secret)
        self.changes: list[SessionState] = []
        self.session = self.restarted()

    @property
    def own(self) -> KiteCredentials:
        """Everything a login by itself needs."""
        client = self.server.client
        return replace(
            self.credentials,
            user_id=client.user_id,
            password=client.password,
            totp_secret=client.totp_secret,
        )

    def restarted(self, credentials: KiteCredentials | None = None, **endpoints: str) -> KiteSession:
        self.credentials = credentials or self.credentials
        self.changes = []
        self.session = KiteSession(
            self.credentials,
            replace(self.endpoints, **endpoints),
            self.drawer,
            self.wall.now,
            self.wall.sleep,
            lambda state: self.changes.append(state),
        )
        return self.session

    def address(self) -> str:
        """Where a browser ends after the owner has logged in."""
        return self.server.login.callback_url(f"munim={self.credentials.app_mark}")

    def works(self, token: str) -> bool:
        return self.server.session.allows(self.server.client.api_key, token)

    def called(self, name: str) -> int:
        return len(self.server.called(name))


@asynccontextmanager
async def housed(at: datetime = MONDAY, **settings: Any) -> AsyncIterator[House]:
    wall = Wall(at)
    async with KiteServer(wall.now, pulse=None, **settings) as server:
        server.limits.on = False  # the clock stands still
        yield House(server, wall)
