"""What the exchange takes as an order for an instrument at any hour and price, and what an exit may close."""

from __future__ import annotations

from decimal import Decimal

from trader.desk.case import Case
from trader.domain.instrument import Instrument, Segment, symbol_of
from trader.domain.order import Denied, OrderType, Purpose
from trader.market import shaping

# Until Python 3.12 a member looked up in its class takes ten times as long as a global.
_INDEX, _ENTRY = Segment.INDEX, Purpose.ENTRY
_PRICES = {  # limit, trigger
    OrderType.MARKET: (False, False),
    OrderType.LIMIT: (True, False),
    OrderType.SL: (True, True),
    OrderType.SL_M: (False, True),
}


def known_instrument(case: Case) -> Denied | None:
    if case.instrument is None:
        return Denied("unknown_instrument", f"{symbol_of(case.request.key)} is not a known instrument.")
    if case.instrument.segment is _INDEX:
        return Denied("not_tradable", f"{case.instrument.symbol} is an index; it cannot be traded.")
    return None


def type_taken(case: Case) -> Denied | None:
    assert case.instrument is not None  # noqa: S101 - known_instrument ran before
    fault = shaping.order_type_fault(case.instrument, case.request.order_type)
    return Denied("order_type", fault) if fault is not None else None


def product_taken(case: Case) -> Denied | None:
    """Which products the instrument and the side allow: delivery is never sold short (india.md 4, 9)."""
    request, instrument = case.request, case.instrument
    assert instrument is not None  # noqa: S101 - known_instrument ran before
    opening = request.purpose is _ENTRY
    fault = shaping.product_fault(instrument, request.product, request.side, opening)
    return Denied("product", fault) if fault is not None else None


def validity_taken(case: Case) -> Denied | None:
    fault = shaping.validity_fault(case.request.order_type, case.request.validity, case.phase)
    return Denied("validity", fault) if fault is not None else None


def lot_multiple(case: Case) -> Denied | None:
    quantity, instrument = case.request.quantity, case.instrument
    if quantity <= 0:
        return Denied("quantity", f"Expected a quantity above zero, was {quantity}.")
    if instrument is not None and quantity % instrument.lot_size:
        return Denied(
            "lot_multiple",
            f"{instrument.symbol} trades in lots of {instrument.lot_size}; {quantity} is not a multiple.",
        )
    return None


def tick_multiple(case: Case) -> Denied | None:
    request, instrument = case.request, case.instrument
    assert instrument is not None  # noqa: S101 - known_instrument ran before
    for name, price in (("limit", request.price), ("trigger", request.trigger_price)):
        if price is not None and (price <= 0 or not instrument.on_tick(price)):
            return off_tick(instrument, name, price)
    return None


def off_tick(instrument: Instrument, name: str, price: Decimal) -> Denied:
    return Denied(
        "tick_multiple",
        f"The {name} price {price} is not a multiple of {instrument.symbol}'s tick {instrument.tick_size}.",
    )


def prices_present(case: Case) -> Denied | None:
    """Each order type carries exactly the prices it needs."""
    request = case.request
    needs = _PRICES[request.order_type]
    if needs == (request.price is not None, request.trigger_price is not None):
        return None
    return Denied(
        "prices",
        f"A {request.order_type} order takes {'a' if needs[0] else 'no'} limit price"
        f" and {'a' if needs[1] else 'no'} trigger price.",
    )


def freeze_quantity(case: Case) -> Denied | None:
    freeze = case.instrument.freeze_quantity if case.instrument else None
    if freeze is None or case.request.quantity <= freeze:
        return None
    return Denied(
        "freeze_quantity",
        f"The exchange takes at most {freeze} units an order; this one has {case.request.quantity}.",
    )


def reduces(case: Case) -> Denied | None:
    """An exit is on the other side of the position and, with the exits under way, no larger than it."""
    request, held = case.request, case.position.quantity
    room = abs(held) - case.leaving if held * request.side.sign < 0 else 0
    if request.quantity <= room:
        return None
    return Denied(
        "not_reducing",
        f"This would {request.side.lower()} {request.quantity} {symbol_of(request.key)},"
        f" but only {max(room, 0)} can be closed.",
    )
