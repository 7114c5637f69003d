"""Triggers that outlive the day, with one leg or two (kite.md 9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from trader.domain.order import Side


@dataclass(frozen=True, slots=True)
class Condition:
    exchange: str
    tradingsymbol: str
    instrument_token: int
    last_price: Decimal  # when it was made
    trigger_values: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class OrderResult:
    status: str
    order_id: str  # empty where it became none
    rejection_reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a leg became."""

    account_id: str
    exchange: str
    tradingsymbol: str
    validity: str
    product: str
    order_type: str
    transaction_type: Side | str
    quantity: int
    price: Decimal
    meta: str  # JSON of Kite's own
    timestamp: datetime
    triggered_at: Decimal
    order_result: OrderResult


@dataclass(frozen=True, slots=True)
class Leg:
    exchange: str
    tradingsymbol: str
    product: str
    order_type: str
    transaction_type: Side | str
    quantity: int
    price: Decimal
    result: Result | None


@dataclass(frozen=True, slots=True)
class Trigger:
    id: int
    user_id: str
    parent_trigger: Any
    type: str  # single, or two-leg: the one that fires ends the other
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    status: str
    condition: Condition
    orders: tuple[Leg, ...]
    meta: Any


@dataclass(frozen=True, slots=True)
class TriggerId:
    trigger_id: int
