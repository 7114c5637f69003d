"""Executed orders with little typing."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import count

from trader.domain.instrument import Exchange, InstrumentKey, Segment
from trader.domain.order import Product, Side
from trader.domain.times import IST
from trader.market.charges import Executed

TODAY = date(2026, 11, 23)
D = Decimal
_numbers = count(1)


def executed(
    product: Product,
    side: Side,
    value: str | Decimal,
    quantity: int = 100,
    *,
    key: str = "",
    segment: Segment = Segment.EQUITY,
    exchange: Exchange = Exchange.NSE,
    underlying: str = "",
    on: date = TODAY,
    minute: int = 0,
    by_broker: bool = False,
) -> Executed:
    number = next(_numbers)
    return Executed(
        tag=f"M{number:06}",
        key=InstrumentKey(key or f"{exchange}:SHARE"),
        exchange=exchange,
        segment=segment,
        underlying=underlying,
        product=product,
        side=side,
        quantity=quantity,
        value=Decimal(value),
        at=datetime.combine(on, time(9, 15), IST) + timedelta(minutes=minute),
        by_broker=by_broker,
    )
