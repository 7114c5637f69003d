"""What this feed needs of Kite. ``trader.broker.zerodha`` has both, but feeds know no brokers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval, Tick

# Kite's candles and the most days of one request (kite.md 8). It has none shorter than a minute.
KITE_INTERVALS: Mapping[Interval, tuple[str, int]] = {
    Interval.M1: ("minute", 60),
    Interval.M3: ("3minute", 100),
    Interval.M5: ("5minute", 100),
    Interval.M10: ("10minute", 100),
    Interval.M15: ("15minute", 200),
    Interval.M30: ("30minute", 200),
    Interval.H1: ("60minute", 400),
    Interval.D1: ("day", 2000),
}


class KiteData(Protocol):
    """Candles and instruments over REST; who implements it keeps Kite's rate limits. A read that fails is a
    BrokerError."""

    async def historical(
        self, token: int, start: datetime, end: datetime, interval: str, *, oi: bool = False
    ) -> Sequence[Mapping[str, Any]]:
        """The SDK's dictionaries: ``date`` (aware), ``open`` … ``volume`` and, if asked for, ``oi``. Both
        ends are included and in IST; ``interval`` is Kite's word for it."""
        ...

    async def instruments(self) -> bytes:
        """The CSV of all exchanges, gzipped or plain."""
        ...


class TickStream(Protocol):
    """The live stream, opened and closed by whoever made it."""

    @property
    def ticks(self) -> AsyncIterator[list[Tick]]:
        """Everything that came since the last list; ends when the stream is closed."""
        ...

    def subscribe(self, keys: Mapping[int, InstrumentKey]) -> None:
        """By token, with depth and exchange time. InvalidInput: too many, and nothing was changed."""
        ...

    def unsubscribe(self, tokens: Iterable[int]) -> None: ...
