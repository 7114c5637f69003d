"""Orders and trades as the book has them, and what placing answers (kite.md 5, 11, 12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from trader.domain.order import Side


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A row of the book, of an order's history, or of a postback. Numbers of MCX count lots."""

    order_id: str
    exchange: str
    tradingsymbol: str
    instrument_token: int
    transaction_type: Side | str
    order_type: str
    product: str
    variety: str
    validity: str
    status: str
    quantity: int
    disclosed_quantity: int
    filled_quantity: int
    pending_quantity: int
    cancelled_quantity: int
    price: Decimal
    trigger_price: Decimal
    average_price: Decimal
    placed_by: str
    order_timestamp: datetime
    exchange_timestamp: datetime | None
    exchange_order_id: str | None
    parent_order_id: str | None
    status_message: str | None
    tag: str | None
    status_message_raw: str | None = None
    exchange_update_timestamp: datetime | None = None
    modified: bool = False
    market_protection: Decimal = Decimal(0)
    validity_ttl: int = 0  # minutes
    meta: Any = None  # of an iceberg order: its legs
    tags: tuple[str, ...] = ()  # ours, and the broker's own marks
    auction_number: str | None = None
    guid: str | None = None
    account_id: str | None = None
    terminal_id: str | None = None


@dataclass(frozen=True, slots=True)
class Postback(OrderRow):
    """What Kite posts to an app's address. Munim has none: its stream tells the same."""

    user_id: str = ""
    app_id: int = 0
    checksum: str = ""
    unfilled_quantity: int = 0

    def genuine(self, api_secret: str) -> bool:
        """Whether Kite made it. Its time is hashed as Kite writes it, without a zone."""
        at = self.order_timestamp.strftime("%Y-%m-%d %H:%M:%S")
        made = sha256(f"{self.order_id}{at}{api_secret}".encode()).hexdigest()
        return compare_digest(made, self.checksum)


@dataclass(frozen=True, slots=True)
class TradeRow:
    """``order_timestamp`` is a time of day, unlike everywhere else."""

    trade_id: str
    order_id: str
    exchange_order_id: str
    exchange: str
    tradingsymbol: str
    instrument_token: int
    product: str
    transaction_type: Side | str
    quantity: int
    average_price: Decimal
    fill_timestamp: datetime
    exchange_timestamp: datetime
    order_timestamp: time


@dataclass(frozen=True, slots=True)
class Accepted:
    """By Kite's order system; what the exchange says comes later."""

    order_id: str


@dataclass(frozen=True, slots=True)
class SliceError:
    code: int
    error_type: str
    message: str


@dataclass(frozen=True, slots=True)
class Slice:
    """One of the two."""

    order_id: str = ""
    error: SliceError | None = None


@dataclass(frozen=True, slots=True)
class Sliced:
    """An order above the freeze quantity: each part is taken or refused by itself."""

    order_id: str
    children: tuple[Slice, ...] = field(default=())
