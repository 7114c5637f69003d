"""A server on a port of this machine that can go down and come back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class Listening:
    """``port`` 0 takes a free one, and keeps it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    @property
    def address(self) -> str:
        """``127.0.0.1:40123``."""
        return f"{self._host}:{self._port}"

    async def listen(self, runner: web.AppRunner) -> None:
        self._runner = runner
        await runner.setup()
        await self.come_back()

    async def stop_listening(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def go_down(self) -> None:
        """Close the port and every connection."""
        if self._site is None or self._runner is None:
            return
        site, self._site = self._site, None
        await site.stop()
        server = self._runner.server
        for connection in list(server.connections) if server is not None else []:
            if connection.transport is not None:
                connection.transport.abort()

    async def come_back(self) -> None:
        """Listen again, on the same port as before."""
        if self._site is not None or self._runner is None:
            return
        self._site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
        await self._site.start()
        self._port = self._runner.addresses[0][1]

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        await self.go_down()
        try:
            yield
        finally:
            await self.come_back()
