"""The server around it: one port for REST, login pages, the stream and the sandbox's own levers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Self
from weakref import WeakSet

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.kite.control import Control
from sandbox.kite.errors import KiteError, bad_input, bad_token
from sandbox.kite.forms import Ask
from sandbox.kite.listings import Listing
from sandbox.kite.login import Page
from sandbox.kite.market import Hours
from sandbox.kite.rest import Dump, Route, rest_routes
from sandbox.kite.session import Client
from sandbox.kite.spoiling import Act, Spoiler, remove_content_type
from sandbox.kite.times import Clock, wall_now
from sandbox.kite.wire import csv, read, refusal
from sandbox.kite.world import World
from sandbox.listening import Listening

CALLS_KEPT = 20_000
LONGEST_LINE = 1 << 17  # a thousand instruments stand in the address of one /quote/ltp


@dataclass(frozen=True, slots=True)
class Call:
    name: str  # of the route: "place", "orders", …
    at: datetime  # on the virtual clock
    params: Mapping[str, str]
    path: Mapping[str, str]


class KiteServer(Listening):
    """``async with KiteServer(clock) as kite``: then point a client at ``kite.url`` and ``kite.stream_url``.

    Everything is called from the server's own event loop. Time moves with ``clock``; what is due happens
    before each request and each price, and every ``pulse`` real seconds. With None nobody looks at the clock
    in between: a test that moves it calls ``settle``.
    """

    def __init__(
        self,
        clock: Clock = wall_now,
        *,
        client: Client | None = None,
        listings: Iterable[Listing] | None = None,
        hours: Hours | None = None,
        cash: float = 1_000_000.0,
        seed: int = 1,
        heartbeat: float = 1.0,
        pulse: float | None = 0.02,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(host, port)
        self.client = client or Client()
        self.world = World(
            clock, client=self.client, listings=listings, hours=hours or Hours(), cash=cash, seed=seed,
            heartbeat=heartbeat,
        )  # fmt: skip
        world = self.world
        self.market, self.exchange, self.account = world.market, world.exchange, world.account
        self.session, self.login, self.stream = world.session, world.login, world.stream
        self.history, self.limits, self.faults = world.history, world.limits, world.faults
        self.desk, self.app, self.rms, self.triggers = world.desk, world.app, world.rms, world.triggers
        self.calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self._pulse, self._now = pulse, clock
        self._spoiler, self._served = Spoiler(), WeakSet[asyncio.BaseTransport]()
        self._pulsing: asyncio.Task[None] | None = None

    # -- where it is

    @property
    def url(self) -> str:
        """The root of REST: ``KiteConnect(api_key, root=kite.url)``."""
        return f"http://{self.address}"

    @property
    def stream_url(self) -> str:
        """The root of the stream: ``KiteTicker(api_key, token, root=kite.stream_url)``."""
        return f"ws://{self.address}"

    @property
    def login_url(self) -> str:
        """What ``KiteConnect._default_login_uri`` is to be."""
        return f"{self.url}/connect/login"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.on_response_prepare.extend((remove_content_type, self._date))
        for route in rest_routes(self.world):
            app.router.add_route(route.method, route.path, self._handler(route))
        for page in self.world.login.pages():
            app.router.add_route(page.method, page.path, self._page_handler(page))
        app.router.add_routes(Control(self.world).routes())
        app.router.add_get("/", self._serve_stream)
        app.router.add_route("*", "/{rest:.*}", self._no_route)
        self.world.agenda.added = self._wake
        await self.listen(
            web.AppRunner(
                app,
                access_log=None,
                shutdown_timeout=0.2,
                max_line_size=LONGEST_LINE,
                max_field_size=LONGEST_LINE,
            )
        )
        if self._pulse is not None:
            self._pulsing = asyncio.create_task(self._keep_time(self._pulse))
        return self

    async def _date(self, _: web.BaseRequest, response: web.StreamResponse) -> None:
        """By the virtual clock: aiohttp's own would be the machine's, on some days hours from it."""
        response.headers["Date"] = format_datetime(self._now().astimezone(UTC), usegmt=True)

    async def __aexit__(self, *reason: object) -> None:
        self.world.agenda.added = lambda: None
        if self._pulsing is not None:
            self._pulsing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pulsing
        self.heal()
        self.stream.drop()
        await self.stop_listening()

    # -- for tests and rehearsals

    def settle(self) -> None:
        """Do what is due at the clock's present time."""
        self.world.pass_time()

    def heal(self) -> None:
        """Forget all faults and let go of what hangs."""
        self.faults.clear()
        self._spoiler.release()
        self.stream.let_go()

    def grant_token(self) -> str:
        """A live access token without the login pages."""
        return self.session.grant()

    def called(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]

    # -- serving

    def _wake(self) -> None:
        """Once the answer that put something on the agenda is out."""
        asyncio.get_running_loop().call_soon(self.world.agenda.run)

    def _handler(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._serve(route, request)

        return handle

    def _page_handler(self, page: Page) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.settle()
            return await self._spoil_or(page.name, Ask(), request, lambda: page.serve(request))

        return handle

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        self.settle()
        try:
            ask = await read(request)
        except KiteError as error:
            return refusal(error)

        async def act() -> web.Response:
            return self._answer(route, ask, request)

        return await self._spoil_or(route.name, ask, request, act)

    async def _spoil_or(self, name: str, ask: Ask, request: web.Request, act: Act) -> web.StreamResponse:
        self.calls.append(Call(name, self.world.agenda.now, ask.params, ask.path))
        fault = self.faults.for_answer(name, reused=self._reused(request))
        try:
            return await (act() if fault is None else self._spoiler.answer(fault, request, act))
        except KiteError as error:
            return refusal(error)

    def _answer(self, route: Route, ask: Ask, request: web.Request) -> web.Response:
        if request.headers.get("X-Kite-Version") != "3":
            raise bad_input("Invalid or missing `X-Kite-Version` header.")
        self.limits.spend(route.budget, self.world.agenda.now)
        if not route.open and not self.session.allows_header(request.headers.get("Authorization", "")):
            raise bad_token()
        data = route.call(ask)
        if isinstance(data, Dump):
            return csv(data, zipped="gzip" in request.headers.get("Accept-Encoding", ""))
        return web.json_response({"status": "success", "data": data})

    async def _serve_stream(self, request: web.Request) -> web.StreamResponse:
        self.settle()
        return await self.stream.serve(request)

    async def _no_route(self, request: web.Request) -> web.Response:
        return refusal(KiteError(404, "GeneralException", "Route not found"))

    def _reused(self, request: web.Request) -> bool:
        if request.transport is None:
            return False
        reused = request.transport in self._served
        self._served.add(request.transport)
        return reused

    async def _keep_time(self, pulse: float) -> None:
        while True:
            await asyncio.sleep(pulse)
            self.settle()
