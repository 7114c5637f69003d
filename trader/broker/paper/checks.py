"""What the broker's front desk turns away at once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.broker.paper.matching import STOPS, would_fire
from trader.domain.errors import OrderRefused
from trader.domain.instrument import Instrument
from trader.domain.order import TAG_LENGTH, OrderType, Product, Side, Validity
from trader.market.phases import Phase
from trader.market.shaping import order_type_fault, product_fault, validity_fault

MAX_MODIFICATIONS = 25  # an order (kite.md 4); then cancel and place anew

_HOURS = (Phase.OPEN, Phase.AUCTION, Phase.AUCTION_LIMIT)


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


def check_hours(instrument: Instrument, order_type: OrderType, validity: Validity, phase: Phase) -> None:
    """Raise OrderRefused unless an order of this kind is taken in this phase. The paper exchange has no
    pre-open and no post-close session."""
    if phase not in _HOURS:
        raise OrderRefused(f"The paper exchange takes no orders in {instrument.key} now: {phase}")
    fault = validity_fault(order_type, validity, phase)
    if fault is not None:
        raise OrderRefused(f"{instrument.key}: {fault}")


def check_terms(terms: Terms, instrument: Instrument, last: float | None) -> None:
    """Raise OrderRefused unless Kite would take these terms; ``last`` is the last price, where known."""
    fault = product_fault(instrument, terms.product, terms.side, opening=False)  # holdings: the risk desk's
    if fault is not None:
        raise OrderRefused(fault)
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


def _check_quantity(quantity: int, instrument: Instrument) -> None:
    if quantity <= 0 or quantity % instrument.lot_size:
        raise OrderRefused(
            f"Expected a quantity of {instrument.key} in multiples of {instrument.lot_size}, was {quantity}"
        )


def _check_fields(terms: Terms, instrument: Instrument) -> None:
    """Each type has its own prices, and some markets refuse stop-market orders."""
    kind = terms.order_type
    wanted = (kind in (OrderType.LIMIT, OrderType.SL), kind in STOPS)
    if (terms.price is not None, terms.trigger_price is not None) != wanted:
        raise OrderRefused(
            f"A {kind} order takes {'a' if wanted[0] else 'no'} price and {'a' if wanted[1] else 'no'} "
            f"trigger price, was price {terms.price} and trigger price {terms.trigger_price}"
        )
    fault = order_type_fault(instrument, kind)
    if fault is not None:
        raise OrderRefused(fault)


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
