"""Everything a packet holds, as objects: for recordings, depth and open interest. The trading path takes
``ticks``, which are cheaper."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trader.broker.zerodha.stream.frames import Frame, Group
from trader.broker.zerodha.stream.layout import INDICES, Mode
from trader.domain.times import IST


@dataclass(frozen=True, slots=True)
class Level:
    """One price of the book; ``quantity`` in units."""

    quantity: int
    price: float
    orders: int


@dataclass(frozen=True, slots=True)
class Ohlc:
    """Of the day; ``close`` is the previous day's."""

    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True)
class Traded:
    """What is traded has: quantities in units, ``volume`` cumulative for the day."""

    last_quantity: int
    average_price: float
    volume: int
    buy_quantity: int
    sell_quantity: int


@dataclass(frozen=True, slots=True)
class Detail:
    """What only the full mode of a traded instrument has; both sides hold five levels, the best first."""

    last_trade_time: datetime | None
    oi: int
    oi_day_high: int
    oi_day_low: int
    buy: tuple[Level, ...]
    sell: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Packet:
    """Prices in rupees, times in IST. ``points`` is an index's change since the previous close, signed; a
    part that the packet's kind does not carry, and a time that is not set, is None."""

    token: int
    mode: Mode
    tradable: bool
    last_price: float
    ohlc: Ohlc | None = None
    traded: Traded | None = None
    detail: Detail | None = None
    points: float | None = None
    exchange_time: datetime | None = None

    @property
    def change_percent(self) -> float:
        """Versus the previous close; 0.0 where that is unknown."""
        if self.ohlc is None or self.ohlc.close == 0:
            return 0.0
        return (self.last_price - self.ohlc.close) * 100 / self.ohlc.close


def packets_of(frame: Frame) -> list[Packet]:
    """In the frame's order; unknown kinds are passed over."""
    groups = frame.groups
    if len(groups) == 1:
        return _group_packets(groups[0])
    found: list[Packet | None] = [None] * frame.packets
    for group in groups:
        for place, packet in zip(group.places or (), _group_packets(group), strict=True):
            found[place] = packet
    return [packet for packet in found if packet is not None]


def _group_packets(group: Group) -> list[Packet]:
    layout, size = group.layout, len(group.rows)
    segments: list[int] = group.rows["segment"].tolist()
    nothing: list[Any] = [None] * size
    index = layout.index
    return [
        Packet(token, layout.mode, segment != INDICES, last, ohlc, traded, detail, points, at)
        for token, segment, last, ohlc, traded, detail, points, at in zip(
            group.number("token").tolist(),
            segments,
            group.price("last_price").tolist(),
            _each(Ohlc, group, "open high low close") if index or layout.traded else nothing,
            _traded(group) if layout.traded else nothing,
            _details(group) if layout.deep else nothing,
            group.price("points").tolist() if index else nothing,
            _times(group, "exchange_time") if layout.timed else nothing,
            strict=True,
        )
    ]


def _each(make: Any, group: Group, prices: str) -> list[Any]:
    return [make(*row) for row in zip(*(group.price(name).tolist() for name in prices.split()), strict=True)]


def _traded(group: Group) -> list[Traded]:
    columns = (
        group.number("last_quantity").tolist(),
        group.price("average_price").tolist(),
        *(group.number(name).tolist() for name in ("volume", "buy_quantity", "sell_quantity")),
    )
    return [Traded(*row) for row in zip(*columns, strict=True)]


def _details(group: Group) -> list[Detail]:
    depth = group.rows["depth"]
    books = zip(
        depth["quantity"].tolist(), group.depth_price().tolist(), depth["orders"].tolist(), strict=True
    )
    sides = [
        tuple(tuple(map(Level, *levels)) for levels in zip(*book, strict=True))  # buy, then sell
        for book in books
    ]
    numbers = (group.number(name).tolist() for name in ("oi", "oi_day_high", "oi_day_low"))
    rows = zip(_times(group, "last_trade_time"), *numbers, sides, strict=True)
    return [Detail(*row[:4], *row[4]) for row in rows]


def _times(group: Group, name: str) -> list[datetime | None]:
    seconds = group.number(name).tolist()
    return [datetime.fromtimestamp(second, IST) if second else None for second in seconds]
