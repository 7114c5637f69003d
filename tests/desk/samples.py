"""Orders and updates made in one line."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from world import MORNING, OURS, REL

from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO
from trader.domain.order import (
    BrokerStatus,
    OrderChange,
    OrderId,
    OrderRequest,
    OrderType,
    OrderUpdate,
    Owner,
    Product,
    Purpose,
    Side,
    Tag,
)
from trader.domain.position import Fill

TAG, ID = Tag("MTST261123000001"), OrderId("1900000000000000001")


def later(seconds: float) -> datetime:
    return MORNING + timedelta(seconds=seconds)


def request(
    quantity: int = 10,
    side: Side = Side.BUY,
    order_type: OrderType = OrderType.MARKET,
    *,
    purpose: Purpose = Purpose.ENTRY,
    price: str | None = None,
    trigger: str | None = None,
    reference: str | None = "1000",
    tag: Tag = TAG,
    at: datetime = MORNING,
) -> OrderRequest:
    return OrderRequest(
        tag=tag,
        owner=OURS,
        key=REL,
        side=side,
        quantity=quantity,
        order_type=order_type,
        product=Product.MIS,
        purpose=purpose,
        at=at,
        price=None if price is None else Decimal(price),
        trigger_price=None if trigger is None else Decimal(trigger),
        reference_price=None if reference is None else Decimal(reference),
        stop_distance=Decimal(10) if purpose is Purpose.ENTRY else None,
    )


def update(
    status: BrokerStatus,
    filled: int = 0,
    average: str = "0",
    *,
    seconds: float = 1,
    quantity: int = 10,
    order_type: OrderType = OrderType.MARKET,
    price: str | None = None,
    trigger: str | None = None,
    message: str = "",
    order_id: OrderId = ID,
    tag: Tag | None = TAG,
) -> OrderUpdate:
    return OrderUpdate(
        order_id=order_id,
        tag=tag,
        key=REL,
        side=Side.BUY,
        product=Product.MIS,
        order_type=order_type,
        status=status,
        quantity=quantity,
        filled_quantity=filled,
        average_price=Decimal(average) if filled else ZERO,
        at=later(seconds),
        price=None if price is None else Decimal(price),
        trigger_price=None if trigger is None else Decimal(trigger),
        message=message,
    )


def change(quantity: int, order_type: OrderType, trigger: str | None, purpose: Purpose) -> OrderChange:
    return OrderChange(
        TAG, ID, quantity, order_type, None, None if trigger is None else Decimal(trigger), purpose, later(2)
    )


def fill(
    number: int,
    side: Side,
    quantity: int,
    price: str,
    *,
    charges: str = "0",
    owner: Owner = OURS,
    key: InstrumentKey = REL,
    seconds: float | None = None,
    purpose: Purpose = Purpose.ENTRY,
) -> Fill:
    return Fill(
        fill_id=f"T{number}:{quantity}",
        tag=Tag(f"T{number}"),
        order_id=OrderId(str(number)),
        owner=owner,
        key=key,
        side=side,
        product=Product.MIS,
        purpose=purpose,
        quantity=quantity,
        price=Decimal(price),
        charges=Decimal(charges),
        at=later(number if seconds is None else seconds),
    )
