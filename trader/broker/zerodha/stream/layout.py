"""What the bytes of a packet mean: kite.trade/docs/connect/v3/websocket, checked against kiteconnect 5.2.2.

Everything is big-endian. A packet's kind is told by its length alone.

**Signedness.** The documentation calls the fields int32; both of Zerodha's own SDKs read them unsigned, and
so do we. Volumes need it: penny stocks have traded more than 2^31 shares a day. No price can need it, for
2^31 paise are more than two crore rupees and 2^31 of a currency's units 214 rupees; so a price with its top
bit set was negative or is nonsense, and ``ticks`` leaves it out. The one field that is negative by nature,
an index's change in points, is read signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Mode(StrEnum):
    """How much of an instrument Kite sends; its own words."""

    LTP = "ltp"  # the last price and nothing else
    QUOTE = "quote"  # and volume, totals, open, high, low, close; no time
    FULL = "full"  # and depth, open interest and the exchange's time


INDICES = 9  # the segment of what is quoted but never traded

# By segment, the token's low byte: nse 1, nfo 2, cds 3, bse 4, bfo 5, bcd 6, mcx 7, mcxsx 8, indices 9,
# nco 12.
# The documentation says 1e7 for all currencies; both SDKs divide BCD by 1e4 (kite.md 13.2, 18).
DIVISORS: NDArray[np.float64] = np.full(256, 100.0)
DIVISORS[3] = 1e7
DIVISORS[[6, 12]] = 1e4
DIVISORS.flags.writeable = False

_HEADER = 2  # the packet's own length, before its body

_TRADED = (
    ("last_quantity", 8), ("average_price", 12), ("volume", 16), ("buy_quantity", 20), ("sell_quantity", 24),
    ("open", 28), ("high", 32), ("low", 36), ("close", 40),
)  # fmt: skip
_DETAILED = (
    ("last_trade_time", 44), ("oi", 48), ("oi_day_high", 52), ("oi_day_low", 56), ("exchange_time", 60),
    ("bid", 68), ("ask", 128),
)  # fmt: skip
_INDEX = (("high", 8), ("low", 12), ("open", 16), ("close", 20))
_LEVEL = np.dtype(
    {"names": ["quantity", "price", "orders"], "formats": [">u4", ">u4", ">u2"], "offsets": [0, 4, 8],
     "itemsize": 12}
)  # fmt: skip
_DEPTH = (("depth", (_LEVEL, (2, 5)), 64),)  # five levels to buy, then five to sell, the best first


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """One kind of packet. ``dtype`` describes it with the two bytes of its length before it, the way frames
    carry it, as raw integers; ``segment`` is the token's low byte, ``bid`` and ``ask`` the best of depth."""

    length: int
    mode: Mode
    index: bool
    dtype: np.dtype[Any]

    @property
    def traded(self) -> bool:
        """Whether it carries volume."""
        return self.mode is not Mode.LTP and not self.index

    @property
    def deep(self) -> bool:
        return self.traded and self.mode is Mode.FULL

    @property
    def timed(self) -> bool:
        """Whether it carries the exchange's time."""
        return self.mode is Mode.FULL


def _layout(length: int, mode: Mode, *fields: tuple[str, Any, int], index: bool = False) -> Layout:
    placed = [("token", ">u4", 0), ("segment", "u1", 3), ("last_price", ">u4", 4), *fields]
    dtype = np.dtype(
        {
            "names": ["length", *(name for name, _, _ in placed)],
            "formats": [">u2", *(kind for _, kind, _ in placed)],
            "offsets": [0, *(_HEADER + offset for _, _, offset in placed)],
            "itemsize": _HEADER + length,
        }
    )
    return Layout(length, mode, index, dtype)


def _u32(fields: tuple[tuple[str, int], ...]) -> list[tuple[str, Any, int]]:
    return [(name, ">u4", offset) for name, offset in fields]


_POINTS = ("points", ">i4", 24)  # an index's change since the previous close; the SDK leaves it unread

LAYOUTS: dict[int, Layout] = {
    layout.length: layout
    for layout in (
        _layout(8, Mode.LTP),
        _layout(44, Mode.QUOTE, *_u32(_TRADED)),
        _layout(184, Mode.FULL, *_u32(_TRADED), *_u32(_DETAILED), *_DEPTH),
        _layout(28, Mode.QUOTE, *_u32(_INDEX), _POINTS, index=True),
        _layout(32, Mode.FULL, *_u32(_INDEX), _POINTS, ("exchange_time", ">u4", 28), index=True),
    )
}
