"""Between which prices an exchange takes orders, as far as it can be known beforehand."""

from __future__ import annotations

from decimal import Decimal

from trader.domain.instrument import Instrument, Segment

# A stock with derivatives has no fixed band. Its dynamic one starts at 10 % of the previous close and is
# widened in steps of 5 % after trades near its edge (NSE, price bands): it holds at the open, not all day.
_DYNAMIC = Decimal("0.10")


def price_band(instrument: Instrument, previous_close: Decimal) -> tuple[Decimal, Decimal] | None:
    """The lowest and highest price, on the tick, that the day starts with; None where nothing is known.

    Known for stocks with derivatives only: the dump does not say which of 2, 5, 10 or 20 % another stock has,
    and a contract's band moves with its reference price.
    """
    if instrument.segment is not Segment.EQUITY or not instrument.derivatives or previous_close <= 0:
        return None
    low = instrument.round_up(previous_close * (1 - _DYNAMIC))
    high = instrument.round_down(previous_close * (1 + _DYNAMIC))
    return low, high
