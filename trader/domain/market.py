"""Market data: ticks, bars and their intervals.

Prices are floats in rupees as the exchange prints them. A tick's ``volume`` is cumulative for the day.
Both are NamedTuples: a busy feed makes thousands a second, and tuples are the cheapest immutable value.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from trader.domain.errors import UnknownName
from trader.domain.instrument import InstrumentKey


class Tick(NamedTuple):
    """A snapshot of one instrument. ``bid`` and ``ask`` are 0.0 where the feed carries no depth."""

    key: InstrumentKey
    at: datetime  # exchange time
    last: float
    volume: int = 0  # units traded today, cumulative
    bid: float = 0.0
    ask: float = 0.0


class Bar(NamedTuple):
    """One closed candle. ``start`` is its opening time (inclusive), ``end`` its close (exclusive)."""

    key: InstrumentKey
    interval: Interval
    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int

    @property
    def end(self) -> datetime:
        return self.start + self.interval.length


class Interval(StrEnum):
    """Candle lengths. The value is what people type."""

    S5 = "5s"
    S15 = "15s"
    S30 = "30s"
    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M10 = "10m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    D1 = "1d"

    @property
    def seconds(self) -> int:
        return _SECONDS[self]

    @property
    def length(self) -> timedelta:
        return _LENGTH[self]

    @classmethod
    def parse(cls, text: str) -> Interval:
        """``5m``, ``5minute``, ``minute``, ``day``; anything else is an UnknownName."""
        folded = text.strip().lower()
        try:
            return cls(_ALIASES.get(folded, folded))
        except ValueError:
            raise UnknownName("candle interval", text, [i.value for i in cls], ordered=True) from None


_SECONDS = {
    Interval.S5: 5, Interval.S15: 15, Interval.S30: 30, Interval.M1: 60, Interval.M3: 180,
    Interval.M5: 300, Interval.M10: 600, Interval.M15: 900, Interval.M30: 1800,
    Interval.H1: 3600, Interval.D1: 86_400,
}  # fmt: skip
_LENGTH = {interval: timedelta(seconds=seconds) for interval, seconds in _SECONDS.items()}

# Kite's names for the same candles (kite.trade/docs/connect/v3/historical).
_ALIASES = {
    "minute": "1m", "1minute": "1m", "3minute": "3m", "5minute": "5m", "10minute": "10m",
    "15minute": "15m", "30minute": "30m", "60minute": "1h", "60m": "1h", "day": "1d",
}  # fmt: skip
