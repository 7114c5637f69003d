"""The WebSocket: ticks by mode, heartbeats, order updates (kite.md 13)."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable

from aiohttp import WSMsgType, web

from sandbox.kite.errors import Json
from sandbox.kite.faults import Faults, Kind
from sandbox.kite.market import Market, Quote
from sandbox.kite.orders import Order
from sandbox.kite.packets import HEARTBEAT, Mode, frame, packet
from sandbox.kite.session import Session
from sandbox.kite.times import IST

CONNECTIONS = 3
TOKENS = 3_000
PACKETS_IN_A_FRAME = 1_000
SILENCE = 0.02  # seconds between two looks at whether a half-open connection ended
TALK = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE})


class Connection:
    """One client. Ticks wait as a set of tokens, so a slow reader gets fewer; texts wait in full."""

    def __init__(self, socket: web.WebSocketResponse, access_token: str) -> None:
        self.socket, self.access_token = socket, access_token
        self.modes: dict[int, Mode] = {}
        self.texts: deque[str] = deque()
        self.changed: set[int] = set()
        self.silent = False  # half-open
        self.cut: Callable[[], None] = lambda: None
        self.gone: Callable[[], bool] = lambda: False
        self._wake = asyncio.Event()

    def text(self, message: Json) -> None:
        self.texts.append(json.dumps(message))
        self._wake.set()

    def tick(self, token: int) -> None:
        self.changed.add(token)
        self._wake.set()

    async def send_all(self, quote_of: Callable[[int], Quote | None], heartbeat: float) -> None:
        """Until the socket closes; a heartbeat whenever there was nothing for so many real seconds."""
        while not self.socket.closed:
            try:
                async with asyncio.timeout(heartbeat):
                    await self._wake.wait()
            except TimeoutError:
                await self._binary(HEARTBEAT)
                continue
            self._wake.clear()
            while self.texts:
                text = self.texts.popleft()
                if not self.silent:
                    await self.socket.send_str(text)
            tokens, self.changed = sorted(self.changed & self.modes.keys()), set()
            for start in range(0, len(tokens), PACKETS_IN_A_FRAME):
                part = (
                    (quote_of(token), self.modes[token])
                    for token in tokens[start : start + PACKETS_IN_A_FRAME]
                )
                await self._binary(frame(packet(quote, mode) for quote, mode in part if quote is not None))

    async def _binary(self, data: bytes) -> None:
        if not self.silent:
            await self.socket.send_bytes(data)


class Stream:
    """``heartbeat`` in real seconds. Pongs are only ever answers: an unasked one breaks KiteTicker."""

    def __init__(
        self, market: Market, session: Session, faults: Faults, user_id: str, heartbeat: float
    ) -> None:
        self._market, self._session, self._faults, self._user_id = market, session, faults, user_id
        self.heartbeat = heartbeat
        self.connections: list[Connection] = []
        self.opened = 0  # handshakes that succeeded
        self.refused = 0
        self._held: list[Json] = []  # order updates kept back to come out of order
        market.listeners.append(self.tick)

    # -- what goes out

    def tick(self, quote: Quote) -> None:
        token = quote.listing.token
        if self._faults.on_now(Kind.FROZEN) or self._muted(quote):
            return
        for connection in self.connections:
            if token in connection.modes:
                connection.tick(token)

    def order_update(self, order: Order, status: str) -> None:
        """To every connection: all orders of the client, from whatever platform."""
        data = order.update(status, self._user_id, with_tag=self._faults.use(Kind.NULL_TAGS) is None)
        message: Json = {"type": "order", "id": "", "data": data}
        if self._faults.use(Kind.LOSE):
            return
        if self._faults.use(Kind.REORDER):
            self._held.append(message)
            return
        held, self._held = self._held, []
        copies = 2 if self._faults.use(Kind.DUPLICATE) else 1
        for one in [*[message] * copies, *reversed(held)]:
            self.text(one)

    def text(self, message: Json) -> None:
        for connection in self.connections:
            connection.text(message)

    def notice(self, text: str) -> None:
        """A message of the broker's, as shown in the app."""
        self.text({"type": "message", "data": text})

    def let_go(self) -> None:
        held, self._held = self._held, []
        for message in held:
            self.text(message)

    def drop(self) -> None:
        """Cut every connection, without a close frame."""
        for connection in list(self.connections):
            connection.cut()

    def silence(self) -> None:
        """Half-open: those connected now hear nothing more; new connections work."""
        for connection in self.connections:
            connection.silent = True

    def unsilence(self) -> None:
        for connection in self.connections:
            connection.silent = False

    def drop_strangers(self) -> None:
        """Cut connections whose token is no longer good."""
        for connection in list(self.connections):
            if not self._session.allows(self._session.client.api_key, connection.access_token):
                connection.cut()

    # -- one connection

    async def serve(self, request: web.Request) -> web.StreamResponse:
        api_key, access_token = request.query.get("api_key", ""), request.query.get("access_token", "")
        if not self._session.allows(api_key, access_token) or not self._session.data_plan:
            self.refused += 1
            return web.json_response({"status": "error", "message": "Authentication failed."}, status=403)
        if len(self.connections) >= CONNECTIONS:
            self.refused += 1
            return web.json_response({"status": "error", "message": "Too many connections."}, status=429)
        # pings and closes are answered by hand, so that a half-open stream answers neither
        socket = web.WebSocketResponse(autoping=False, autoclose=False, compress=False)
        await socket.prepare(request)
        connection = Connection(socket, access_token)
        if request.transport is not None:
            connection.cut, connection.gone = request.transport.abort, request.transport.is_closing
        await self._talk(connection)
        return socket

    async def _talk(self, connection: Connection) -> None:
        self.connections.append(connection)
        self.opened += 1
        now = self._session.agenda.now.astimezone(IST)
        connection.text(
            {"type": "instruments_meta", "data": {"count": len(self._market.listings), "etag": 'W/"1"'}}
        )
        connection.text({"type": "app_code", "timestamp": now.isoformat(timespec="seconds")})
        sending = asyncio.create_task(self._send(connection))
        try:
            await self._listen(connection)
        finally:
            self.connections.remove(connection)
            sending.cancel()

    async def _send(self, connection: Connection) -> None:
        try:
            await connection.send_all(self._market.of_token, self.heartbeat)
        except ConnectionError:
            return  # the client left; its reader notices too

    async def _listen(self, connection: Connection) -> None:
        socket = connection.socket
        while (message := await socket.receive()).type in TALK:
            await self._stay_silent(connection)
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is WSMsgType.CLOSE:
                await socket.close()
                return
            elif message.type is WSMsgType.TEXT:
                self._obey(connection, message.data)

    async def _stay_silent(self, connection: Connection) -> None:
        """A half-open peer answers nothing, not even a close."""
        # polled, as asyncio tells nobody that a transport closed
        while connection.silent and not connection.gone():  # noqa: ASYNC110 - a dead peer sets no event
            await asyncio.sleep(SILENCE)

    def _obey(self, connection: Connection, text: str) -> None:
        try:
            asked = json.loads(text)
            action, value = asked["a"], asked["v"]
            mode = Mode(value[0]) if action == "mode" else Mode.QUOTE
            tokens = [int(token) for token in (value[1] if action == "mode" else value)]
        except (ValueError, KeyError, TypeError, IndexError):
            connection.text({"type": "error", "data": f"Invalid message: {text[:80]}"})
            return
        if action == "unsubscribe":
            for token in tokens:
                connection.modes.pop(token, None)
        elif action == "subscribe":
            self._subscribe(connection, tokens)
        elif action == "mode" and not self._faults.on_now(Kind.DEAF):
            for token in tokens:
                if token in connection.modes:
                    connection.modes[token] = mode
                    self._snapshot(connection, token)

    def _subscribe(self, connection: Connection, tokens: list[int]) -> None:
        """No acknowledgement; beyond the limit an error text for the rest, and the connection stays."""
        fresh = [token for token in dict.fromkeys(tokens) if token not in connection.modes]
        room = TOKENS - len(connection.modes)
        for token in fresh[:room]:
            connection.modes[token] = Mode.QUOTE
            self._snapshot(connection, token)
        if len(fresh) > room:
            words = f"Maximum of {TOKENS} tokens per connection; {len(fresh) - room} not subscribed."
            connection.text({"type": "error", "data": words})

    def _snapshot(self, connection: Connection, token: int) -> None:
        quote = self._market.of_token(token)
        frozen = self._faults.on_now(Kind.FROZEN) is not None
        if quote is not None and not frozen and not self._muted(quote):
            connection.tick(token)

    def _muted(self, quote: Quote) -> bool:
        return any(fault.kind is Kind.MUTE and fault.on == quote.listing.key for fault in self._faults.active)
