"""What an account can pay for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO
from trader.domain.order import Product


@dataclass(frozen=True, slots=True)
class Funds:
    """Rupees.

    ``cash`` is the account's balance, ``available`` what new positions may use, ``used`` what open positions
    and orders block, ``receivable`` what is owed to the account and cannot be used before ``settles_on``.
    """

    cash: Decimal
    available: Decimal
    used: Decimal = ZERO
    receivable: Decimal = ZERO
    settles_on: date | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares held for delivery at the start of a day less what was sold since: ``quantity`` settled units,
    ``t1_quantity`` still to be delivered, ``average_price`` paid for them, ``sold_today`` of them.
    ``product``: CNC, or MTF where the broker paid a part."""

    key: InstrumentKey
    quantity: int
    t1_quantity: int
    average_price: Decimal
    sold_today: int = 0
    product: Product = Product.CNC
