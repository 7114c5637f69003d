"""A frame of few packets, packet by packet.

Columns cost the same for one packet as for a hundred: some forty calls into NumPy before the first number is
there. A quiet book sends frames of one packet, and that one is what an order may be waiting for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from struct import Struct

from trader.broker.zerodha.stream.frames import Frame
from trader.broker.zerodha.stream.layout import DIVISORS
from trader.broker.zerodha.stream.making import Tally, exact, moment, received_tick
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick

# What the desk trades on, behind the two bytes of the packet's length; the offsets are those of ``layout``.
_FULL = Struct(">2x 2I 8x I 40x I 4x I 56x I").unpack_from  # token, price, volume, time, bid, ask
_QUOTE = Struct(">2x 2I 8x I").unpack_from  # token, price, volume
_INDEX_FULL = Struct(">2x 2I 20x I").unpack_from  # token, price, time
_PRICE = Struct(">2x 2I").unpack_from  # token, price: ltp, and an index's quote

_DIVISORS: tuple[float, ...] = tuple(DIVISORS.tolist())


def few_ticks(
    frame: Frame, keys: Mapping[int, InstrumentKey], received: datetime, tally: Tally
) -> list[Tick]:
    """What ``column_ticks`` makes of the frame's ``cuts``, and counts. ``received`` is in IST."""
    data, ticks = frame.data, []
    for _, layout, at in frame.cuts:
        volume = second = bid = ask = 0
        match layout.length:
            case 184:
                token, raw, volume, second, bid, ask = _FULL(data, at)
            case 44:
                token, raw, volume = _QUOTE(data, at)
            case 32:
                token, raw, second = _INDEX_FULL(data, at)
            case _:
                token, raw = _PRICE(data, at)
        key = keys.get(token)
        if key is None:
            tally.strangers += 1
        elif raw == 0 or raw | bid | ask >= 1 << 31:
            tally.unpriced += 1
        else:
            divisor = _DIVISORS[token & 255]
            prices = raw / divisor, volume, bid / divisor, ask / divisor
            ticks.append(
                exact((key, moment(second), *prices)) if second else received_tick((key, received, *prices))
            )
    return ticks
