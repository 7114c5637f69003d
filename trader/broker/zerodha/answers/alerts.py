"""Alerts that Zerodha keeps (kite.trade/docs/connect/v3/alerts). One of type ``ato`` places its basket of
orders by itself when it fires: to Munim those are orders from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from trader.broker.zerodha.answers.quotes import DayPrices
from trader.domain.order import Side


class Kind(StrEnum):
    SIMPLE = "simple"
    ATO = "ato"  # alert triggers order


class State(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Bracket:
    target: Decimal
    stoploss: Decimal


@dataclass(frozen=True, slots=True)
class Terms:
    variety: str
    product: str
    order_type: str
    transaction_type: Side | str
    validity: str
    validity_ttl: int
    quantity: int
    disclosed_quantity: int
    price: Decimal
    trigger_price: Decimal
    squareoff: Decimal
    stoploss: Decimal
    trailing_stoploss: Decimal
    gtt: Bracket
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    id: int
    exchange: str
    tradingsymbol: str
    instrument_token: int
    weight: int
    params: Terms


@dataclass(frozen=True, slots=True)
class Basket:
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """The left side is compared with a constant, or with another instrument's attribute."""

    uuid: str
    name: str
    type: Kind | str
    user_id: str
    status: State | str
    disabled_reason: str
    lhs_attribute: str
    lhs_exchange: str
    lhs_tradingsymbol: str
    operator: str
    rhs_type: str
    rhs_attribute: str
    rhs_exchange: str
    rhs_tradingsymbol: str
    rhs_constant: Decimal
    alert_count: int
    created_at: datetime
    updated_at: datetime
    basket: Basket | None = None

    @property
    def may_order(self) -> bool:
        return self.type == Kind.ATO and self.status == State.ENABLED


@dataclass(frozen=True, slots=True)
class Seen:
    """The market when it fired."""

    exchange: str
    tradingsymbol: str
    instrument_token: int
    timestamp: datetime
    last_price: Decimal
    ohlc: DayPrices
    net_change: Decimal
    last_trade_time: datetime | None
    last_quantity: int
    buy_quantity: int
    sell_quantity: int
    volume: int
    volume_tick: int
    average_price: Decimal
    oi: int
    oi_day_high: int
    oi_day_low: int
    lower_circuit_limit: Decimal
    upper_circuit_limit: Decimal


@dataclass(frozen=True, slots=True)
class Fired:
    uuid: str
    type: Kind | str
    condition: str
    created_at: datetime
    meta: tuple[Seen, ...]
    order_meta: Any
