"""From the bytes of a frame to columns, one group for each kind of packet in it.

A frame is a count and as many packets, each behind its own length. It is believed only as a whole: a wrong
length is noticed late, when the packets before it have been cut in the wrong places already, so a frame whose
lengths do not add up to its size yields nothing. The next snapshot of the same instruments is a second away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from trader.broker.zerodha.stream.layout import DIVISORS, LAYOUTS, Layout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What the desk trades on, one row a packet. Prices in rupees; ``bid`` and ``ask`` are 0.0 where the
    packet has no depth or the book is empty. ``at`` is the exchange's time in unix seconds, 0 where there is
    none. ``priced`` is False where the price is zero or cannot be meant (see ``layout``)."""

    token: Ints
    last: Floats
    volume: Ints
    bid: Floats
    ask: Floats
    at: Ints
    priced: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The packets of one kind. ``places`` are their positions in the frame, None where it holds no others."""

    layout: Layout
    rows: NDArray[np.void]  # of layout.dtype, big-endian, a view of the frame where it is all of one kind
    places: tuple[int, ...] | None

    def price(self, name: str) -> Floats:
        """A price field in rupees; ``price("last_price")``."""
        return cast("Floats", self.rows[name] / DIVISORS[self.rows["segment"]])

    def depth_price(self) -> Floats:
        """Rupees, of shape (packets, side, level)."""
        return cast("Floats", self.rows["depth"]["price"] / DIVISORS[self.rows["segment"]][:, None, None])

    def number(self, name: str) -> Ints:
        """A quantity, token or unix time."""
        return self.rows[name].astype(np.int64)

    def columns(self) -> Columns:
        rows, layout = self.rows, self.layout
        divisor = DIVISORS[rows["segment"]]
        raw = rows["last_price"].astype(np.int64)
        last, most = raw / divisor, raw
        bid = ask = np.zeros(len(rows))
        if layout.deep:
            best_bid, best_ask = rows["bid"].astype(np.int64), rows["ask"].astype(np.int64)
            bid, ask, most = best_bid / divisor, best_ask / divisor, raw | best_bid | best_ask
        none = np.zeros(len(rows), np.int64)
        return Columns(
            token=rows["token"].astype(np.int64),
            last=last,
            volume=rows["volume"].astype(np.int64) if layout.traded else none,
            bid=bid,
            ask=ask,
            at=rows["exchange_time"].astype(np.int64) if layout.timed else none,
            priced=(raw != 0) & (most < 1 << 31),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """``skipped`` lists the unknown lengths passed over; ``fault`` says why nothing of it is believed."""

    groups: tuple[Group, ...] = ()
    packets: int = 0
    skipped: tuple[int, ...] = ()
    fault: str = ""
    heartbeat: bool = False


_HEARTBEAT = Frame(heartbeat=True)


def read_frame(data: bytes) -> Frame:
    """Never raises. A frame shorter than its own count is Kite's heartbeat (one byte, kite.md 13.1)."""
    size = len(data)
    if size < 2:
        return _HEARTBEAT
    count = data[0] << 8 | data[1]
    if size >= 4:
        layout = LAYOUTS.get(data[2] << 8 | data[3])
        if layout is not None and size == 2 + count * (2 + layout.length):
            rows: NDArray[Any] = np.frombuffer(data, layout.dtype, count, 2)
            if (rows["length"] == layout.length).all():
                return Frame((Group(layout, rows, None),), count)
    return _mixed(data, count)


def _mixed(data: bytes, count: int) -> Frame:
    """Cut a frame of several kinds; one step a packet finds the lengths, the rest is columns again."""
    size, at = len(data), 2
    pieces: dict[int, list[bytes]] = {}
    places: dict[int, list[int]] = {}
    skipped: list[int] = []
    for place in range(count):
        if size - at < 2:
            return _damaged(f"{count} packets announced, {place} sent", count)
        length = data[at] << 8 | data[at + 1]
        end = at + 2 + length
        if end > size:
            return _damaged(f"packet {place + 1} of {count} has {size - at - 2} of its {length} bytes", count)
        if length in LAYOUTS:
            pieces.setdefault(length, []).append(data[at:end])
            places.setdefault(length, []).append(place)
        else:
            skipped.append(length)
        at = end
    if at != size:
        return _damaged(f"{size - at} bytes after the last of {count} packets", count)
    groups = tuple(
        Group(LAYOUTS[n], np.frombuffer(b"".join(cut), LAYOUTS[n].dtype), tuple(places[n]))
        for n, cut in pieces.items()
    )
    return Frame(groups, count, tuple(skipped))


def _damaged(fault: str, count: int) -> Frame:
    return Frame(packets=count, fault=fault)
