"""One WebSocket to Kite, opened again and again until it is closed.

Where this differs from KiteTicker it is on purpose (kite.md 13.3): silence is noticed by the absence of
Kite's own heartbeat, not by pongs; a 403 stops the tries; the token is read anew for every try; no callback's
error reaches the socket; there is no last try.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from trader.broker.zerodha.stream.frames import Frame
from trader.broker.zerodha.stream.login import StreamLogin
from trader.broker.zerodha.stream.pacing import Backoff, StreamTime, within
from trader.broker.zerodha.stream.reports import Connected, Fresh, LoginNeeded, Report, Stale, Unverified
from trader.broker.zerodha.stream.subscriptions import Subscriptions
from trader.domain.instrument import InstrumentKey

log = logging.getLogger(__name__)

# The library logs the request line, with the access token in it, at DEBUG: this logger never gets there.
_socket_log = logging.getLogger(f"{__name__}.socket")
_socket_log.setLevel(logging.INFO)

_LARGEST_FRAME = 4 << 20  # bytes; 3,000 full packets are 0.56 million
_LONGEST_REFUSAL = 4096  # bytes of a refusal that are read
_THROTTLED = 5.0  # seconds to leave Kite alone after a 429, at least


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Counts as Kite sets them (kite.md 10), seconds as experience does."""

    connections: int = 3
    tokens: int = 3000  # a connection
    silence: float = 10.0  # without any frame; Kite's heartbeat comes every 1 to 3
    grace: float = 15.0  # from asking for an instrument to its first packet
    handshake: float = 10.0
    steady: float = 60.0  # a connection that lived so long was a good one: waits begin small again
    look: float = 1.0  # between two looks at all this


class Hub(Protocol):
    """Where a connection delivers. No method raises."""

    def on_frame(self, data: bytes) -> Frame: ...

    def on_text(self, text: str) -> None: ...

    def tell(self, report: Report) -> None: ...

    def keys(self, tokens: tuple[int, ...]) -> tuple[InstrumentKey, ...]: ...


@dataclass(frozen=True, slots=True)
class _End:
    """Why there is no connection (any more). ``gone``: the other side is not to be waited for."""

    reason: str
    at_least: float = 0.0  # seconds before the next try
    gone: bool = False


class Connection:
    def __init__(
        self,
        number: int,
        login: StreamLogin,
        hub: Hub,
        time: StreamTime,
        dice: Callable[[], float],
        limits: StreamLimits,
    ) -> None:
        self.number = number
        self.subscriptions = Subscriptions(limits.grace)
        self.up = False
        self.fresh = False  # prices come
        self._login = login
        self._hub = hub
        self._time = time
        self._limits = limits
        self._backoff = Backoff(dice)
        self._changed = asyncio.Event()  # the subscriptions did
        self._restart = asyncio.Event()
        self._heard_at = 0.0
        self._stood_before = False
        self._told_stale = False
        self._task: asyncio.Task[None] | None = None
        self._socket: ClientConnection | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"kite stream {self.number}")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._socket is not None:
            self._socket.transport.abort()  # one opened in the instant of the cancellation
        self.up = self.fresh = False

    def changed(self) -> None:
        """The subscriptions are no longer what was sent."""
        self._changed.set()

    def restart(self) -> None:
        """Connect anew at once, with the login as it is now."""
        self._restart.set()

    # -- its life -------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._login.granted.wait()
            self._restart.clear()
            began = self._time.monotonic()
            try:
                end = await self._live()
            except Exception as fault:  # a bug of ours must not end the stream silently
                log.exception("The stream's connection %d failed", self.number)
                end = _End(f"{type(fault).__name__}: {fault}")
            if self._time.monotonic() - began >= self._limits.steady:
                self._backoff.reset()
            await self._rest(end)

    async def _rest(self, end: _End) -> None:
        """Say that prices are old, then wait for the next try; not at all for one with a new login."""
        refused = not self._login.granted.is_set()
        delay = None if refused else 0.0 if self._restart.is_set() else self._backoff.next(end.at_least)
        self.up = self.fresh = False
        if not self._told_stale:
            self._told_stale = True
            keys = self._hub.keys(self.subscriptions.tokens)
            reason = self._login.hide(end.reason)
            self._hub.tell(Stale(self._time.now(), self.number, reason, keys, delay))
        if delay:
            try:
                await within(self._time, delay, self._restart.wait(), "a restart")
            except TimeoutError:
                return

    async def _live(self) -> _End:
        """Open, serve until something ends it, close."""
        token = self._login.access_token
        try:
            opening = self._open()
            socket = await within(self._time, self._limits.handshake, opening, "the handshake")
        except InvalidStatus as error:
            return self._refused(error, token)
        except Exception as error:  # of whatever kind: its traceback would show the address, a secret
            return _End(f"could not connect: {error or type(error).__name__}")
        gone = False
        try:
            end = await self._serve(socket)
            gone = end.gone
        finally:
            if gone:
                socket.transport.abort()  # a half-open connection would not answer a closing frame either
            await socket.close()
        return end

    async def _open(self) -> ClientConnection:
        self._socket = await connect(
            self._login.address,
            additional_headers={"X-Kite-Version": "3"},
            user_agent_header="munim",
            compression=None,  # as KiteTicker connects; ticks hardly compress
            proxy=None if self._login.loopback else True,
            open_timeout=None,
            # Kite is not known to answer pings since its own client sends none; its heartbeat is enough.
            ping_interval=None,
            close_timeout=1,
            max_size=_LARGEST_FRAME,
            logger=_socket_log,
        )
        return self._socket

    def _refused(self, error: InvalidStatus, token: str) -> _End:
        status = error.response.status_code
        reason = self._login.hide(
            f"Kite answered {status} {_words(bytes(error.response.body or b''))}".strip()
        )
        if status in (401, 403):
            if self._login.refuse(token):
                self._hub.tell(LoginNeeded(self._time.now(), reason, token))
            return _End(reason)
        asked = error.response.headers.get("Retry-After", "")
        wait = float(asked) if asked.isascii() and asked.isdigit() else 0.0
        return _End(reason, max(wait, _THROTTLED) if status == 429 else wait)

    # -- while it stands ------------------------------------------------------------------------------

    async def _serve(self, socket: ClientConnection) -> _End:
        """Until the first of these ends."""
        self._heard_at = self._time.monotonic()
        self.subscriptions.connection_lost()
        self._changed.set()
        self.up, again, self._stood_before = True, self._stood_before, True
        self._told_stale = False
        self._hub.tell(Connected(self._time.now(), self.number, again))
        parts = (self._listen(socket), self._ask(socket), self._watch(), self._restarted())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return next(task for task in tasks if task in done).result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, socket: ClientConnection) -> _End:
        try:
            while True:
                message = await socket.recv()
                self._heard_at = self._time.monotonic()
                if isinstance(message, bytes):
                    self._on_frame(self._hub.on_frame(message))
                else:
                    self._hub.on_text(message)
        except ConnectionClosed as closed:
            return _End(f"the connection ended: {closed}")

    def _on_frame(self, frame: Frame) -> None:
        if not self.subscriptions.served:
            for mode, tokens in frame.heard():
                self.subscriptions.heard(tokens, mode)
        # A heartbeat alone does not make prices fresh: a frozen feed has heartbeats too.
        if not self.fresh and (frame.known or not len(self.subscriptions)):
            self.fresh = True
            self._hub.tell(Fresh(self._time.now(), self.number))

    async def _ask(self, socket: ClientConnection) -> _End:
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                for text in self.subscriptions.messages(self._time.monotonic()):
                    await socket.send(text)
        except ConnectionClosed as closed:
            return _End(f"the connection ended: {closed}")

    async def _watch(self) -> _End:
        """Two silent looks are needed: after our own event loop has been blocked, frames may be waiting that
        nobody has read yet."""
        silent_looks = 0
        while True:
            await self._time.sleep(self._limits.look)
            silent = self._time.monotonic() - self._heard_at
            silent_looks = silent_looks + 1 if silent >= self._limits.silence else 0
            if silent_looks == 2:
                return _End(f"no frame and no heartbeat for {silent:.0f} s", gone=True)
            if not self.subscriptions.served:
                self._verify()

    def _verify(self) -> None:
        missing = self.subscriptions.overdue(self._time.monotonic())
        self._changed.set()
        if missing is not None:
            silent, other = self._hub.keys(missing.silent), self._hub.keys(missing.other_mode)
            self._hub.tell(Unverified(self._time.now(), self.number, silent, other))

    async def _restarted(self) -> _End:
        await self._restart.wait()
        return _End("there is a new login")


def _words(body: bytes) -> str:
    """Kite's message, or the beginning of whatever else came."""
    text = body[:_LONGEST_REFUSAL].decode(errors="replace").strip()
    try:
        message = json.loads(text).get("message")
    except (ValueError, AttributeError, RecursionError):
        message = None
    return str(message or text)[:200]
