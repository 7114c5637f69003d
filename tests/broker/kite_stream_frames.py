"""Frames as Kite sends them, written from the table of the documentation and not from our decoder."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from trader.domain.instrument import InstrumentKey

Level = tuple[int, int, int]  # quantity, raw price, orders
BOOK: Sequence[Level] = [(10 * n, 157_300 - 5 * n, n) for n in range(1, 6)] + [
    (7 * n, 157_305 + 5 * n, n) for n in range(1, 6)
]


def ltp(token: int, last: int) -> bytes:
    return struct.pack(">2I", token, last)


def quote(token: int, last: int, volume: int = 1000) -> bytes:
    """Raw prices: paise for the exchanges we trade on."""
    return struct.pack(
        ">11I", token, last, 7, last - 3, volume, 25_644, 36_300, last - 50, last + 90, last - 70, last - 20
    )


def full(token: int, last: int, volume: int = 1000, at: int = 0, book: Sequence[Level] = BOOK) -> bytes:
    """``at``: unix seconds of the exchange."""
    depth = b"".join(struct.pack(">2IH2x", *level) for level in book)
    return quote(token, last, volume) + struct.pack(">5I", max(at - 1, 0), 900, 950, 850, at) + depth


def index_quote(token: int, last: int, points: int = 0) -> bytes:
    return struct.pack(">6Ii", token, last, last + 900, last - 700, last - 100, last - points, points)


def index_full(token: int, last: int, at: int, points: int = 0) -> bytes:
    return index_quote(token, last, points) + struct.pack(">I", at)


def frame(*packets: bytes) -> bytes:
    return struct.pack(">H", len(packets)) + b"".join(struct.pack(">H", len(p)) + p for p in packets)


def token(number: int, segment: int = 1) -> int:
    return number << 8 | segment


def keys_of(*tokens: int) -> dict[int, InstrumentKey]:
    return {each: InstrumentKey(f"NSE:T{each}") for each in tokens}
