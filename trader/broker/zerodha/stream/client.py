"""The whole stream: instruments spread over connections, one inbox for ticks, one for order updates."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from trader.broker.zerodha.stream.connection import Connection, StreamLimits
from trader.broker.zerodha.stream.frames import Frame, read_frame
from trader.broker.zerodha.stream.inbox import OrderInbox, TickInbox
from trader.broker.zerodha.stream.layout import Mode
from trader.broker.zerodha.stream.login import StreamLogin
from trader.broker.zerodha.stream.pacing import StreamTime
from trader.broker.zerodha.stream.reports import Notice, OrdersWaiting, Report, Unreadable
from trader.broker.zerodha.stream.texts import Garbled, OrderRow, Words, read_text
from trader.broker.zerodha.stream.ticks import Tally, ticks_of
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey

log = logging.getLogger(__name__)


class KiteStream:
    """``async for ticks in stream.ticks`` and ``async for row in stream.orders``; both end after ``close``.

    Instruments may be subscribed before ``open`` and at any time. The first connection always stands, for
    order updates come without any instrument; they come on every connection, so with more than one each comes
    more than once. All of it belongs to one event loop.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        access_token: str,
        *,
        time: StreamTime,
        dice: Callable[[], float],
        on_report: Callable[[Report], None],
        limits: StreamLimits | None = None,
        room: int = 20_000,
    ) -> None:
        """``dice`` is like ``random.random``. ``on_report`` is called on the loop and must not block.
        ``room``: ticks that may wait before they are conflated. InvalidInput: the address is none."""
        self.ticks = TickInbox(room)
        self.orders = OrderInbox(self._orders_wait)
        self.tally = Tally()
        self._login = StreamLogin(url, api_key, access_token)
        self._time = time
        self._dice = dice
        self._on_report = on_report
        self._limits = limits or StreamLimits()
        self._keys: dict[int, InstrumentKey] = {}
        self._unread: Counter[str] = Counter()
        self._opened = False
        self._connections: list[Connection] = []
        self._connect_one_more()

    async def open(self) -> None:
        """Begin; what comes of it is reported. Without a token it begins with ``renew``."""
        self._opened = True
        for connection in self._connections:
            connection.start()

    async def close(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._connections))
        self.ticks.close()
        self.orders.close()

    def renew(self, access_token: str) -> None:
        """Use this token: every connection is made anew at once, for the old one dies with a new login."""
        self._login.renew(access_token)
        for connection in self._connections:
            connection.restart()

    @property
    def connected(self) -> tuple[bool, ...]:
        """One for each connection in use."""
        return tuple(connection.up for connection in self._connections)

    @property
    def fresh(self) -> bool:
        """Prices come on every connection."""
        return all(connection.fresh for connection in self._connections)

    # -- subscriptions --------------------------------------------------------------------------------

    def subscribe(self, keys: Mapping[int, InstrumentKey], mode: Mode = Mode.FULL) -> None:
        """Instruments by token; those already there change their mode. InvalidInput: more than Kite allows,
        and nothing was changed."""
        new = [token for token in keys if token not in self._keys]
        most = self._limits.connections * self._limits.tokens
        if len(self._keys) + len(new) > most:
            raise InvalidInput(
                f"Kite streams at most {most:,} instruments; {len(self._keys):,} are subscribed and "
                f"{len(new):,} more were asked for. Unsubscribe some first."
            )
        for connection in self._connections:
            old = [token for token in keys if token in connection.subscriptions]
            if old:
                connection.subscriptions.want(old, mode)
                connection.changed()
        self._keys.update(keys)
        while new:
            connection = self._with_room()
            room = self._limits.tokens - len(connection.subscriptions)
            connection.subscriptions.want(new[:room], mode)
            connection.changed()
            del new[:room]

    def unsubscribe(self, tokens: Iterable[int]) -> None:
        """Unknown ones are passed over; ticks still under way are left out."""
        gone = [token for token in tokens if self._keys.pop(token, None) is not None]
        for connection in self._connections:
            connection.subscriptions.drop(gone)
            connection.changed()

    def ask_again(self, tokens: Iterable[int]) -> None:
        """Unsubscribe and subscribe these anew, where their prices have gone quiet without a reason."""
        wanted = list(tokens)
        for connection in self._connections:
            connection.subscriptions.renew(wanted)
            connection.changed()

    def _with_room(self) -> Connection:
        for connection in self._connections:
            if len(connection.subscriptions) < self._limits.tokens:
                return connection
        return self._connect_one_more()

    def _connect_one_more(self) -> Connection:
        number = len(self._connections) + 1
        connection = Connection(number, self._login, self, self._time, self._dice, self._limits)
        self._connections.append(connection)
        if self._opened:
            connection.start()
        return connection

    # -- what the connections deliver -----------------------------------------------------------------

    def on_frame(self, data: bytes) -> Frame:
        frame = read_frame(data)
        ticks = ticks_of(frame, self._keys, self._time.now(), self.tally)
        if ticks:
            self.ticks.put(ticks)
        if frame.fault:
            self._unreadable("frame", frame.fault, text=False)
        for length in frame.skipped:
            self._unreadable(f"length {length}", f"a packet of unknown length {length}", text=False)
        return frame

    def on_text(self, text: str) -> None:
        message = read_text(text)
        match message:
            case OrderRow(row):
                self.orders.put(row)
            case Words(error, words):
                self.tell(Notice(self._time.now(), error, self._login.hide(words)))
            case Garbled(what):
                self._unreadable("text", self._login.hide(what), text=True)
            case _:
                log.debug("Kite sent a text of type %s", message.kind)

    def tell(self, report: Report) -> None:
        """KiteTicker drops the connection when a callback raises; here it is written down."""
        try:
            self._on_report(report)
        except Exception:
            log.exception("Nobody understood %s", type(report).__name__)

    def keys(self, tokens: tuple[int, ...]) -> tuple[InstrumentKey, ...]:
        return tuple(self._keys[token] for token in tokens if token in self._keys)

    def _unreadable(self, kind: str, what: str, *, text: bool) -> None:
        self._unread[kind] += 1
        count = self._unread[kind]
        if count & (count - 1) == 0:
            self.tell(Unreadable(self._time.now(), text, what, count))

    def _orders_wait(self, count: int) -> None:
        self.tell(OrdersWaiting(self._time.now(), count))
