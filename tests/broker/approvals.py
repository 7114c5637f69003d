"""Approved orders for tests. The one place outside the risk gate that takes its seal."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from itertools import count

from trader.domain.instrument import InstrumentKey
from trader.domain.order import (
    Approved,
    ApprovedChange,
    ApprovedGtt,
    Gtt,
    OrderChange,
    OrderId,
    OrderRequest,
    OrderType,
    Owner,
    Product,
    Purpose,
    Side,
    Tag,
    Validity,
    gate_seal,
)
from trader.domain.times import IST

MORNING = datetime(2026, 11, 23, 9, 20, tzinfo=IST)
_serial = count(1)


def price(value: str | float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def approved(
    key: str,
    side: Side = Side.BUY,
    quantity: int = 10,
    order_type: OrderType = OrderType.MARKET,
    *,
    limit: str | float | None = None,
    trigger: str | float | None = None,
    product: Product = Product.MIS,
    tag: str | None = None,
    at: datetime = MORNING,
    validity: Validity = Validity.DAY,
) -> Approved:
    request = OrderRequest(
        tag=Tag(f"test{next(_serial)}" if tag is None else tag),
        owner=Owner("test"),
        key=InstrumentKey(key),
        side=side,
        quantity=quantity,
        order_type=order_type,
        product=product,
        purpose=Purpose.ENTRY,
        at=at,
        price=price(limit),
        trigger_price=price(trigger),
        validity=validity,
    )
    return Approved(request, gate_seal())


def change(
    order: Approved,
    order_id: OrderId,
    order_type: OrderType,
    *,
    quantity: int | None = None,
    limit: str | float | None = None,
    trigger: str | float | None = None,
    at: datetime = MORNING,
) -> ApprovedChange:
    request = order.request
    terms = OrderChange(
        tag=request.tag,
        order_id=order_id,
        quantity=request.quantity if quantity is None else quantity,
        order_type=order_type,
        price=price(limit),
        trigger_price=price(trigger),
        purpose=Purpose.STOP,
        at=at,
    )
    return ApprovedChange(terms, gate_seal())


def approved_gtt(gtt: Gtt) -> ApprovedGtt:
    return ApprovedGtt(gtt, gate_seal())
