"""An order as the book shows it, and the trades it made (kite.md 5 and 11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import count
from typing import Any

from sandbox.kite.listings import Listing
from sandbox.kite.times import stamp

Json = dict[str, Any]


class Status(StrEnum):
    RECEIVED = "PUT ORDER REQ RECEIVED"
    VALIDATION_PENDING = "VALIDATION PENDING"
    OPEN_PENDING = "OPEN PENDING"
    OPEN = "OPEN"
    TRIGGER_PENDING = "TRIGGER PENDING"
    MODIFY_VALIDATION_PENDING = "MODIFY VALIDATION PENDING"
    MODIFY_PENDING = "MODIFY PENDING"
    MODIFIED = "MODIFIED"
    CANCEL_PENDING = "CANCEL PENDING"
    AMO_RECEIVED = "AMO REQ RECEIVED"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    AMO_CANCELLED = "CANCELLED AMO"
    REJECTED = "REJECTED"


ENDED = frozenset({Status.COMPLETE, Status.CANCELLED, Status.AMO_CANCELLED, Status.REJECTED})
CHANGEABLE = frozenset({Status.OPEN, Status.TRIGGER_PENDING, Status.AMO_RECEIVED})
TWITTER_EPOCH = 1_288_834_974_657  # milliseconds; Kite's 19-digit ids decode to plausible times with it


class Ids:
    """Order ids as snowflakes: above 2^53, rising, unique even when the clock stands still."""

    def __init__(self) -> None:
        self._last = 0
        self._exchange, self._trade = count(1_300_000_001_887_410), count(10_000_001)

    def order(self, at: datetime) -> str:
        made = (int(at.timestamp() * 1000) - TWITTER_EPOCH) << 22
        self._last = max(made, self._last + 4096)
        return str(self._last)

    def exchange_order(self) -> str:
        return str(next(self._exchange))

    def trade(self) -> str:
        return str(next(self._trade))


@dataclass(frozen=True, slots=True)
class Terms:
    """What a modification may change. ``price`` is 0 for MARKET and SL-M."""

    quantity: int
    order_type: str
    price: float = 0
    trigger_price: float = 0
    validity: str = "DAY"
    validity_ttl: int = 0  # minutes
    disclosed_quantity: int = 0
    market_protection: float = 0  # percent, -1 for automatic


@dataclass(slots=True, eq=False)
class Order:
    order_id: str
    listing: Listing
    side: str  # BUY or SELL
    product: str
    terms: Terms
    variety: str
    placed_at: datetime
    account_id: str
    placed_by: str
    tag: str | None = None
    tags: list[str] = field(default_factory=list)
    app_id: int = 0  # 0: placed by hand or by the broker itself
    parent_order_id: str | None = None
    status: Status = Status.RECEIVED
    message: str | None = None
    raw_message: str | None = None
    exchange_order_id: str | None = None
    exchange_at: datetime | None = None
    updated_at: datetime | None = None
    filled: int = 0
    value: float = 0.0  # of the fills
    modifications: int = 0
    amended: Terms | None = None  # asked for, not yet in force
    at_exchange: bool = False
    in_book: bool = False  # has met the opposite side once; from then on it trades at its own price
    visible_from: datetime | None = None
    history: list[Json] = field(default_factory=list)

    @property
    def is_buy(self) -> bool:
        return self.side == "BUY"

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def pending(self) -> int:
        return 0 if self.ended else self.terms.quantity - self.filled

    @property
    def waits_for_trigger(self) -> bool:
        return self.terms.order_type in {"SL", "SL-M"}

    @property
    def average(self) -> float:
        return round(self.value / self.filled, 4) if self.filled else 0

    def row(self) -> Json:
        """A row of GET /orders. ``average_price`` is set only at the end, as documented.

        A cancelled order shows the rest as pending and as cancelled, as the official samples do.
        """
        rest = self.terms.quantity - self.filled
        dropped = self.status in {Status.CANCELLED, Status.AMO_CANCELLED}
        return {
            "account_id": self.account_id,
            "placed_by": self.placed_by,
            "order_id": self.order_id,
            "exchange_order_id": self.exchange_order_id,
            "parent_order_id": self.parent_order_id,
            "status": str(self.status),
            "status_message": self.message,
            "status_message_raw": self.raw_message,
            "order_timestamp": stamp(self.placed_at),
            "exchange_update_timestamp": _stamp(self.updated_at),
            "exchange_timestamp": _stamp(self.exchange_at),
            "variety": self.variety,
            "modified": self.modifications > 0,
            "exchange": self.listing.exchange,
            "tradingsymbol": self.listing.symbol,
            "instrument_token": self.listing.token,
            "order_type": self.terms.order_type,
            "transaction_type": self.side,
            "validity": self.terms.validity,
            "validity_ttl": self.terms.validity_ttl,
            "product": self.product,
            "quantity": self.terms.quantity,
            "disclosed_quantity": self.terms.disclosed_quantity,
            "price": self.terms.price,
            "trigger_price": self.terms.trigger_price,
            "auction_number": None,
            "average_price": self.average if self.ended else 0,
            "filled_quantity": self.filled,
            "pending_quantity": rest if dropped else self.pending,
            "cancelled_quantity": rest if dropped else 0,
            "market_protection": self.terms.market_protection,
            "meta": {},
            "tag": self.tag,
            "tags": self.tags or None,
            "guid": f"{self.app_id}XsandboxX{self.order_id[-6:]}" if self.app_id else "",
            "terminal_id": "",
        }

    def record(self) -> None:
        self.history.append(self.row())

    def update(self, status: str, user_id: str, *, with_tag: bool = True) -> Json:
        """The text a stream carries; ``checksum`` is blank there (kite.md 11.1)."""
        row = self.row() | {"status": status}
        for key in ("validity_ttl", "modified", "auction_number", "terminal_id"):
            del row[key]
        if not with_tag:
            row |= {"tag": None, "tags": None}
        row |= {"average_price": self.average, "app_id": self.app_id, "checksum": ""}
        return row | {"user_id": user_id, "unfilled_quantity": self.terms.quantity - self.filled}


@dataclass(frozen=True, slots=True)
class Trade:
    trade_id: str
    order: Order
    quantity: int
    price: float
    at: datetime

    def row(self) -> Json:
        order, listing = self.order, self.order.listing
        return {
            "trade_id": self.trade_id,
            "order_id": order.order_id,
            "exchange": listing.exchange,
            "tradingsymbol": listing.symbol,
            "instrument_token": listing.token,
            "product": order.product,
            "average_price": self.price,
            "quantity": self.quantity,
            "exchange_order_id": order.exchange_order_id,
            "transaction_type": order.side,
            "fill_timestamp": stamp(self.at),
            "order_timestamp": stamp(self.at)[11:],  # a time of day only, unlike everywhere else
            "exchange_timestamp": stamp(self.at),
        }


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)
