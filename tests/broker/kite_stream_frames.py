"""Frames as Kite sends them, written from the table of the documentation and not from our decoder."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from hypothesis import strategies as st

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


KINDS = (8, 28, 32, 44, 184)  # bytes
SEGMENTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 0, 200)


@st.composite
def bodies(draw: st.DrawFn, kinds: Sequence[int] = KINDS) -> bytes:
    """A packet of any kind with any value in every field, and often one at the edge of what can be meant in
    a field that ticks are made of."""
    length = draw(st.sampled_from(kinds))
    named = token(draw(st.integers(0, 0xFFFFFF)), draw(st.sampled_from(SEGMENTS)))
    body = bytearray(struct.pack(">I", named) + draw(st.binary(min_size=length - 4, max_size=length - 4)))
    edges = st.sampled_from([0, 1, (1 << 31) - 1, 1 << 31, 0xFFFFFFFF])
    fields = [field for field in (4, 16, 28, 60, 68, 128) if field < length]
    for field, value in draw(st.dictionaries(st.sampled_from(fields), edges)).items():
        body[field : field + 4] = struct.pack(">I", value)
    return bytes(body)


def strange_bodies() -> st.SearchStrategy[bytes]:
    """Packets of lengths nobody knows."""
    return st.binary(max_size=60).filter(lambda body: len(body) not in KINDS)
