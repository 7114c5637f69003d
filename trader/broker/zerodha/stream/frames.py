"""From the bytes of a frame to its packets: as columns, one group for each kind, or where each of few begins.

A frame is a count and as many packets, each behind its own length. It is believed only as a whole: a wrong
length is noticed late, when the packets before it have been cut in the wrong places already, so a frame whose
lengths do not add up to its size yields nothing. The next snapshot of the same instruments is a second away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from trader.broker.zerodha.stream.layout import DIVISORS, LAYOUTS, Layout, Mode

# Up to so many packets a frame is read faster one by one than as columns. With every cache warm the two are
# even at about 25 packets of one kind and 200 of several; NumPy suffers the most from cold ones.
FEW = 16  # of one kind
FEW_MIXED = 100  # of several, which need columns each

Cut = tuple[int, Layout, int]
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


class Frame(NamedTuple):  # one is made for every frame, and a frozen dataclass costs more
    """``skipped`` lists the unknown lengths passed over; ``fault`` says why nothing of it is believed.

    The packets of known kinds are either ``whole``, all of one kind, or ``cuts``: their position among the
    frame's packets, their kind and where in ``data`` each one's length stands, in the frame's order."""

    packets: int = 0
    cuts: tuple[Cut, ...] = ()
    data: bytes = b""
    skipped: tuple[int, ...] = ()
    fault: str = ""
    heartbeat: bool = False
    whole: Group | None = None

    @property
    def known(self) -> bool:
        """Whether there is a packet of a known kind."""
        return self.whole is not None or bool(self.cuts)

    @property
    def few(self) -> bool:
        """Whether it is read faster packet by packet."""
        return self.whole is None and self.packets <= FEW_MIXED

    @property
    def groups(self) -> tuple[Group, ...]:
        """The packets by kind. Of cuts they are made anew each time they are asked for."""
        return _grouped(self) if self.whole is None else (self.whole,)

    def heard(self) -> Iterator[tuple[Mode, list[int]]]:
        """Every packet's token, with the mode it came in."""
        if self.few:
            for _, layout, at in self.cuts:
                yield layout.mode, [int.from_bytes(self.data[at + 2 : at + 6], "big")]
        else:
            for group in self.groups:
                yield group.layout.mode, group.number("token").tolist()


_HEARTBEAT = Frame(heartbeat=True)


def read_frame(data: bytes) -> Frame:
    """Never raises. A frame shorter than its own count is Kite's heartbeat (one byte, kite.md 13.1)."""
    if len(data) < 2:
        return _HEARTBEAT
    count = data[0] << 8 | data[1]
    found = whole_frame(data, count) if count > FEW else None
    return found or cut_frame(data, count)


def whole_frame(data: bytes, count: int) -> Frame | None:
    """None unless it holds ``count`` packets of one known kind and nothing else."""
    if count == 0 or len(data) < 4:
        return None
    layout = LAYOUTS.get(data[2] << 8 | data[3])
    if layout is None or len(data) != 2 + count * (2 + layout.length):
        return None
    rows: NDArray[Any] = np.frombuffer(data, layout.dtype, count, 2)
    if not (rows["length"] == layout.length).all():
        return None
    return Frame(count, whole=Group(layout, rows, None))


def cut_frame(data: bytes, count: int) -> Frame:
    """A frame of whatever kinds; one step a packet finds the lengths."""
    size, at = len(data), 2
    cuts: list[Cut] = []
    skipped: list[int] = []
    for place in range(count):
        if size - at < 2:
            return _damaged(f"{count} packets announced, {place} sent", count)
        length = data[at] << 8 | data[at + 1]
        end = at + 2 + length
        if end > size:
            return _damaged(f"packet {place + 1} of {count} has {size - at - 2} of its {length} bytes", count)
        layout = LAYOUTS.get(length)
        if layout is None:
            skipped.append(length)
        else:
            cuts.append((place, layout, at))
        at = end
    if at != size:
        return _damaged(f"{size - at} bytes after the last of {count} packets", count)
    return Frame(count, tuple(cuts), data, tuple(skipped))


def _grouped(frame: Frame) -> tuple[Group, ...]:
    """Columns again, one group for each kind."""
    pieces: dict[int, list[bytes]] = {}
    places: dict[int, list[int]] = {}
    for place, layout, at in frame.cuts:
        length = layout.length
        pieces.setdefault(length, []).append(frame.data[at : at + 2 + length])
        places.setdefault(length, []).append(place)
    alike = len(pieces) == 1 and not frame.skipped
    return tuple(
        Group(LAYOUTS[n], np.frombuffer(b"".join(cut), LAYOUTS[n].dtype), None if alike else tuple(places[n]))
        for n, cut in pieces.items()
    )


def _damaged(fault: str, count: int) -> Frame:
    return Frame(count, fault=fault)
