"""Quotes as the stream's binary packets: big-endian, prices times the segment's divisor (kite.md 13.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import StrEnum

from sandbox.kite.market import LEVELS, Level, Quote

HEARTBEAT = b"\x00"
CDS, BCD, INDICES, NCO = 3, 6, 9, 12
UNSIGNED = 0xFFFF_FFFF


class Mode(StrEnum):
    LTP = "ltp"
    QUOTE = "quote"
    FULL = "full"


def divisor(token: int) -> int:
    segment = token & 0xFF
    if segment == CDS:
        return 10_000_000
    return 10_000 if segment in {BCD, NCO} else 100


def packet(quote: Quote, mode: Mode) -> bytes:
    """One body: 8, 44 or 184 bytes; 8, 28 or 32 for an index."""
    token = quote.listing.token
    scale = divisor(token)
    prices = [_price(one, scale) for one in (quote.last, quote.open, quote.high, quote.low, quote.close)]
    last, opened, high, low, close = prices
    if mode is Mode.LTP:
        return struct.pack(">II", token, last)
    traded = int(quote.traded_at.timestamp()) if quote.traded_at else 0
    if quote.listing.is_index:
        body = struct.pack(">IIIIIIi", token, last, high, low, opened, close, last - close)
        return body if mode is Mode.QUOTE else body + struct.pack(">I", traded)
    totals = (sum(level.quantity for level in side) for side in (quote.bids, quote.asks))
    body = struct.pack(
        ">IIIIIIIIIII", token, last, quote.last_quantity, _price(quote.average, scale),
        quote.volume & UNSIGNED, *totals, opened, high, low, close,
    )  # fmt: skip
    if mode is Mode.QUOTE:
        return body
    body += struct.pack(">IIIII", traded, quote.oi, quote.oi_high, quote.oi_low, traded)
    return body + _depth(quote.bids, scale) + _depth(quote.asks, scale)


def frame(packets: Iterable[bytes]) -> bytes:
    bodies = list(packets)
    return struct.pack(">H", len(bodies)) + b"".join(struct.pack(">H", len(body)) + body for body in bodies)


def _price(price: float, scale: int) -> int:
    return round(price * scale) & UNSIGNED


def _depth(levels: list[Level], scale: int) -> bytes:
    padded = [*levels, *[Level(0, 0, 0)] * LEVELS][:LEVELS]
    return b"".join(
        struct.pack(">IIHxx", level.quantity, _price(level.price, scale), level.orders) for level in padded
    )
