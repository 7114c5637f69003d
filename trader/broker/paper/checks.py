"""What the broker's front desk turns away at once, and what its risk desk rejects a moment later."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.broker.paper.matching import STOPS, would_fire
from trader.domain.errors import OrderRefused
from trader.domain.instrument import Exchange, Instrument, Segment
from trader.domain.order import TAG_LENGTH, OrderType, OrderUpdate, Product, Side

MAX_MODIFICATIONS = 25  # an order (kite.md 4); then cancel and place anew


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of an order, whether by placing or by changing it."""

    side: Side
    quantity: int
    order_type: OrderType
    product: Product
    price: Decimal | None
    trigger_price: Decimal | None


def check_tag(tag: str) -> None:
    """Kite rejects a longer tag, it does not cut it (kite.md 4)."""
    if not 1 <= len(tag) <= TAG_LENGTH:
        raise OrderRefused(f"Invalid `tag`: expected 1 to {TAG_LENGTH} characters, was {tag!r}")


def check_terms(terms: Terms, instrument: Instrument, last: float | None) -> None:
    """Raise OrderRefused unless Kite would take these terms; ``last`` is the last price, where known."""
    _check_product(terms, instrument)
    _check_quantity(terms.quantity, instrument)
    _check_fields(terms, instrument)
    for name, price in (("price", terms.price), ("trigger price", terms.trigger_price)):
        if price is not None and (price <= 0 or not instrument.on_tick(price)):
            raise OrderRefused(
                f"Tick size for {instrument.key} is {instrument.tick_size}: expected a {name} that is a "
                f"positive multiple of it, was {price}"
            )
    if terms.order_type in STOPS and terms.trigger_price is not None:
        _check_trigger(terms, terms.trigger_price, last)


def risk_rejection(order: OrderUpdate, instrument: Instrument, sellable: int) -> str | None:
    """Why the broker's risk desk or the exchange rejects an order that was taken in, or None.

    ``sellable``: units held for delivery and not promised to another order; shares that are not there
    cannot be sold for delivery.
    """
    freeze = instrument.freeze_quantity
    if freeze is not None and order.quantity > freeze:
        return f"Quantity freeze: at most {freeze} units an order in {instrument.key}, was {order.quantity}"
    if order.product is Product.CNC and order.side is Side.SELL and order.quantity > sellable:
        return f"RMS:Rule: Check holdings for {instrument.key}: {max(sellable, 0)} free, was {order.quantity}"
    return None


def _check_product(terms: Terms, instrument: Instrument) -> None:
    if instrument.segment is Segment.INDEX:
        raise OrderRefused(f"{instrument.key} is an index: it is quoted, not traded")
    derivative = instrument.segment is not Segment.EQUITY
    if terms.product is (Product.CNC if derivative else Product.NRML):
        allowed = "MIS or NRML" if derivative else "MIS or CNC"
        raise OrderRefused(f"{instrument.key} trades as {allowed}, was {terms.product}")


def _check_quantity(quantity: int, instrument: Instrument) -> None:
    if quantity <= 0 or quantity % instrument.lot_size:
        raise OrderRefused(
            f"Expected a quantity of {instrument.key} in multiples of {instrument.lot_size}, was {quantity}"
        )


def _check_fields(terms: Terms, instrument: Instrument) -> None:
    """Each type has its own prices, and some markets refuse stop-market orders (india.md 4)."""
    kind = terms.order_type
    wanted = (kind in (OrderType.LIMIT, OrderType.SL), kind in STOPS)
    if (terms.price is not None, terms.trigger_price is not None) != wanted:
        raise OrderRefused(
            f"A {kind} order takes {'a' if wanted[0] else 'no'} price and {'a' if wanted[1] else 'no'} "
            f"trigger price, was price {terms.price} and trigger price {terms.trigger_price}"
        )
    bse = instrument.exchange in (Exchange.BSE, Exchange.BFO)
    if kind is OrderType.SL_M and (bse or instrument.segment is Segment.OPTIONS):
        raise OrderRefused(f"SL-M orders are not taken in {instrument.key}: use SL with a limit price")


def _check_trigger(terms: Terms, trigger: Decimal, last: float | None) -> None:
    buying = terms.side is Side.BUY
    if terms.price is not None and (terms.price < trigger if buying else terms.price > trigger):
        raise OrderRefused(
            f"A {terms.side} stop needs its price at or {'above' if buying else 'below'} its trigger "
            f"price {trigger}, was {terms.price}"
        )
    if last is not None and would_fire(terms.side, trigger, last):
        raise OrderRefused(
            f"Trigger price for a {terms.side} stop must be {'above' if buying else 'below'} the last "
            f"price ({last}), was {trigger}; it would execute at once"
        )
