"""A small Kite stream server on a socket, time that is stepped by hand, and our client between them."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import count
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from trader.broker.zerodha.stream.client import KiteStream
from trader.broker.zerodha.stream.connection import StreamLimits
from trader.broker.zerodha.stream.reports import Report
from trader.domain.times import IST

T = TypeVar("T")
PATIENCE = 20  # seconds; to fail, not to measure
MORNING = datetime(2026, 11, 23, 9, 15, tzinfo=IST)
HEARTBEAT = b"\x00"
GREETING = ('{"type":"instruments_meta","data":{"count":86481}}', '{"type":"app_code","timestamp":"x"}')


async def until(met: Callable[[], T]) -> T:
    """Let the loop and its sockets run until ``met``."""
    async with asyncio.timeout(PATIENCE):
        while not (value := met()):  # noqa: ASYNC110 - the state of two ends of a socket has no event
            await asyncio.sleep(0.001)
        return value


class SteppedTime:
    """Stands still until ``advance``."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return MORNING + timedelta(seconds=self._now)

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        sleeper = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), sleeper))
        await sleeper

    def waits(self) -> list[float]:
        """What is slept for now, in seconds from now."""
        return [round(at - self._now, 6) for at, _, sleeper in self._sleepers if not sleeper.done()]

    def advance(self, seconds: float) -> None:
        self._now += seconds
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    async def run(self, seconds: float, step: float = 0.5) -> None:
        """Pass ``seconds`` in steps so small that everybody who sleeps acts in time."""
        for _ in range(round(seconds / step)):
            self.advance(step)
            for _ in range(12):
                await asyncio.sleep(0)

    async def run_wait(self, seconds: float) -> None:
        """Until somebody waits exactly so long; then let it pass."""
        await until(lambda: seconds in self.waits())
        self.advance(seconds)


@dataclass(eq=False)
class Seat:
    """One connection as the server sees it."""

    socket: ServerConnection
    query: dict[str, str]
    modes: dict[int, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    gone: bool = False
    close_code: int | None = None

    async def send(self, *messages: str | bytes) -> None:
        for message in messages:
            await self.socket.send(message)

    def break_off(self) -> None:
        self.socket.transport.abort()

    def take(self, text: str) -> None:
        self.texts.append(text)
        message = json.loads(text)
        action, value = message["a"], message["v"]
        if action == "subscribe":
            self.modes.update({token: self.modes.get(token, "quote") for token in value})
        elif action == "unsubscribe":
            for token in value:
                self.modes.pop(token, None)
        else:
            self.modes.update({token: value[0] for token in value[1] if token in self.modes})


@dataclass(frozen=True)
class Answer:
    """To a handshake, instead of taking it."""

    status: int
    body: str = "{}"
    retry_after: str = ""


class SmallKite:
    def __init__(self) -> None:
        self.seats: list[Seat] = []  # in order of connecting; never shrinks
        self.handshakes: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[Answer] = []  # for the next handshakes
        self.tokens: set[str] | None = None  # those that are good; None: all
        self.hang_up = False  # right after the handshake
        self.url = ""

    @property
    def standing(self) -> list[Seat]:
        return [seat for seat in self.seats if not seat.gone]

    def judge(self, connection: ServerConnection, request: Request) -> Response | None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        self.handshakes.append(query)
        self.headers.append(dict(request.headers.raw_items()))
        answer = self.answers.pop(0) if self.answers else None
        if self.tokens is not None and query.get("access_token") not in self.tokens:
            answer = Answer(403, '{"status":"error","message":"Authentication failed."}')
        if answer is None:
            return None
        response = connection.respond(HTTPStatus(answer.status), answer.body)
        if answer.retry_after:
            response.headers["Retry-After"] = answer.retry_after
        return response

    async def sit(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        seat = Seat(socket, self.handshakes[-1])
        self.seats.append(seat)
        try:
            if self.hang_up:
                seat.break_off()
                return
            await seat.send(*GREETING)
            async for text in socket:
                seat.take(str(text))
        except ConnectionClosed:
            pass
        finally:
            seat.gone, seat.close_code = True, socket.close_code


@dataclass(eq=False)
class World:
    kite: SmallKite
    time: SteppedTime
    stream: KiteStream
    told: list[Report]

    def of(self, kind: type[T]) -> list[T]:
        return [report for report in self.told if isinstance(report, kind)]

    async def seat(self, number: int = 1) -> Seat:
        """The ``number``-th connection made."""
        await until(lambda: len(self.kite.seats) >= number)
        return self.kite.seats[number - 1]


@asynccontextmanager
async def stream_world(
    *,
    limits: StreamLimits | None = None,
    dice: float = 0.9,  # so that no wait is as long as a look
    room: int = 20_000,
    token: str = "morningtoken",  # noqa: S107 - of a server that lives for a test
    on_report: Callable[[Report], None] | None = None,
) -> AsyncIterator[World]:
    kite, time, told = SmallKite(), SteppedTime(), list[Report]()
    options = {"ping_interval": None, "compression": None}
    async with serve(kite.sit, "127.0.0.1", 0, process_request=kite.judge, **options) as server:  # type: ignore[arg-type]  # a dict's values have one type
        kite.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        stream = KiteStream(
            kite.url,
            "thekey",
            token,
            time=time,
            dice=lambda: dice,
            on_report=on_report or told.append,
            limits=limits,
            room=room,
        )
        try:
            yield World(kite, time, stream, told)
        finally:
            await stream.close()
