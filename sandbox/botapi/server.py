"""The HTTP server around it: tokens, faults, a record of every call, outages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from aiohttp import web

from sandbox.botapi.errors import ApiError, Json, refusal
from sandbox.botapi.faults import Fault, Faults, Way
from sandbox.botapi.methods import Methods
from sandbox.botapi.params import Params, read_params
from sandbox.botapi.people import People, wall_now
from sandbox.listening import Listening

TOKEN = "123456:sandbox-token-0123456789-abcdefghijk"  # noqa: S105 - opens nothing but this server
LARGEST_UPLOAD = 60 << 20


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    at: float  # time.monotonic
    params: Params


class BotApiServer(People, Listening):
    """``async with BotApiServer() as telegram``: then point a bot at ``telegram.base_url``.

    The people's side (say, press, edit …) is inherited. Faults take effect in the order they were asked for,
    each for ``times`` calls, or until ``heal`` when ``times`` is None.
    """

    def __init__(
        self,
        *,
        token: str = TOKEN,
        host: str = "127.0.0.1",
        port: int = 0,
        now: Callable[[], datetime] = wall_now,
        conflict_delay: float = 3.0,
    ) -> None:
        People.__init__(self, now, conflict_delay)
        Listening.__init__(self, host, port)
        self.token = token
        self.calls: list[Call] = []
        self.methods = Methods(self)
        self._faults = Faults()
        self._released = asyncio.Event()

    @property
    def base_url(self) -> str:
        """The root; the bot appends ``/bot<token>/<method>``."""
        return f"http://{self.address}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_UPLOAD)
        app.router.add_route("*", "/bot{token}/{method}", self._serve)
        await self.listen(web.AppRunner(app, access_log=None, shutdown_timeout=0.2))
        return self

    async def __aexit__(self, *reason: object) -> None:
        self.updates.closed = True
        self.heal()
        self.changes.changed()
        await self.stop_listening()

    # -- what was called

    def called(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method.lower() == method.lower()]

    def count(self, method: str) -> int:
        return len(self.called(method))

    # -- faults

    def fail(
        self,
        method: str,
        status: int,
        *,
        times: int | None = 1,
        retry_after: int | None = None,
        description: str | None = None,
    ) -> None:
        """Refuse with 400, 401, 403, 404, 409, 429 (with ``retry_after``) or 5xx. ``method`` "*" is all."""
        self._faults.fail(method, status, times, retry_after, description)

    def hang(self, method: str, seconds: float | None = None, *, times: int | None = 1) -> None:
        """Do nothing and never answer; after ``seconds``, or when healed, the connection closes."""
        self._faults.add(method, Way.HANG, times, seconds)

    def delay(self, method: str, seconds: float, *, times: int | None = 1) -> None:
        self._faults.add(method, Way.DELAY, times, seconds)

    def drop_connection(self, method: str, *, times: int | None = 1) -> None:
        self._faults.add(method, Way.DROP, times)

    def deliver_then_hang(self, method: str, *, times: int | None = 1) -> None:
        """Do it, but let the caller time out."""
        self._faults.add(method, Way.DELIVER_THEN_HANG, times)

    def deliver_then_drop(self, method: str, *, times: int | None = 1) -> None:
        self._faults.add(method, Way.DELIVER_THEN_DROP, times)

    def garble(self, method: str, *, times: int | None = 1) -> None:
        """Answer 200 with a web page, as captive portals do."""
        self._faults.add(method, Way.GARBLE, times)

    def heal(self) -> None:
        """Forget all faults and let go of what hangs."""
        self._faults.waiting.clear()
        self._released.set()
        self._released = asyncio.Event()

    # -- serving

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method, params = request.match_info["method"], await read_params(request)
        self.calls.append(Call(method, time.monotonic(), params))
        self.changes.changed()
        fault = self._faults.take(method)
        try:
            self._check_token(request.match_info["token"])
            if fault is None:
                return _ok(await self.methods.call(method, params))
            return await self._misbehave(fault, request, method, params)
        except ApiError as error:
            return web.json_response(error.payload(), status=error.code)

    def _check_token(self, given: str) -> None:
        if given == self.token:
            return
        number, _, secret = given.partition(":")
        raise refusal(401 if number.isdigit() and secret else 404)

    async def _misbehave(
        self, fault: Fault, request: web.Request, method: str, params: Params
    ) -> web.StreamResponse:
        if fault.error is not None:
            raise fault.error
        if fault.way is Way.GARBLE:
            return web.Response(
                text="<html>Please log in to the hotel's network</html>", content_type="text/html"
            )
        if fault.way is Way.DELAY:
            await self._hold(fault.seconds)
            return _ok(await self.methods.call(method, params))
        if fault.way in {Way.DELIVER_THEN_HANG, Way.DELIVER_THEN_DROP}:
            await self.methods.call(method, params)
        if fault.way in {Way.HANG, Way.DELIVER_THEN_HANG}:
            await self._hold(fault.seconds)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _hold(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._released.wait()
        except TimeoutError:
            return


def _ok(result: Any) -> web.Response:
    body: Json = {"ok": True, "result": result}
    return web.json_response(body)
