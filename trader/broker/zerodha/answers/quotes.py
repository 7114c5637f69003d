"""Prices asked for: the whole quote, its parts, and the range a cover order's trigger may lie in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class DayPrices:
    """``close`` is the day's before."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True, slots=True)
class Offer:
    price: Decimal
    quantity: int
    orders: int


@dataclass(frozen=True, slots=True)
class Depth:
    buy: tuple[Offer, ...]
    sell: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class LastPrice:
    instrument_token: int
    last_price: Decimal


@dataclass(frozen=True, slots=True)
class Ohlc(LastPrice):
    ohlc: DayPrices


@dataclass(frozen=True, slots=True)
class Quote(Ohlc):
    timestamp: datetime
    last_trade_time: datetime | None
    last_quantity: int
    buy_quantity: int
    sell_quantity: int
    volume: int
    average_price: Decimal
    oi: int
    oi_day_high: int
    oi_day_low: int
    net_change: Decimal
    lower_circuit_limit: Decimal
    upper_circuit_limit: Decimal
    depth: Depth


@dataclass(frozen=True, slots=True)
class TriggerRange:
    instrument_token: int
    lower: Decimal
    upper: Decimal
