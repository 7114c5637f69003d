"""Positions and holdings with all that Kite reckons of them (kite.md 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class PositionRow:
    """``multiplier`` makes rupees of a price and a quantity on MCX."""

    tradingsymbol: str
    exchange: str
    instrument_token: int
    product: str
    quantity: int
    overnight_quantity: int
    multiplier: Decimal
    average_price: Decimal
    close_price: Decimal
    last_price: Decimal
    value: Decimal
    pnl: Decimal
    m2m: Decimal
    unrealised: Decimal
    realised: Decimal
    buy_quantity: int
    buy_price: Decimal
    buy_value: Decimal
    buy_m2m: Decimal
    sell_quantity: int
    sell_price: Decimal
    sell_value: Decimal
    sell_m2m: Decimal
    day_buy_quantity: int
    day_buy_price: Decimal
    day_buy_value: Decimal
    day_sell_quantity: int
    day_sell_price: Decimal
    day_sell_value: Decimal


@dataclass(frozen=True, slots=True)
class Positions:
    """``day`` leaves out what was carried in."""

    net: tuple[PositionRow, ...]
    day: tuple[PositionRow, ...]


@dataclass(frozen=True, slots=True)
class CompactHolding:
    exchange: str
    tradingsymbol: str
    instrument_token: int
    quantity: int
    t1_quantity: int


@dataclass(frozen=True, slots=True)
class Share(CompactHolding):
    """What holdings and auctions have in common."""

    isin: str
    product: str
    price: Decimal
    realised_quantity: int
    authorised_quantity: int
    authorised_date: datetime
    opening_quantity: int
    collateral_quantity: int
    collateral_type: str
    discrepancy: bool
    average_price: Decimal
    last_price: Decimal
    close_price: Decimal
    pnl: Decimal
    day_change: Decimal
    day_change_percentage: Decimal


@dataclass(frozen=True, slots=True)
class Funded:
    """The part bought with the broker's money."""

    quantity: int
    used_quantity: int
    average_price: Decimal
    value: Decimal
    initial_margin: Decimal


@dataclass(frozen=True, slots=True)
class HoldingRow(Share):
    used_quantity: int
    short_quantity: int
    authorisation: Any
    mtf: Funded


@dataclass(frozen=True, slots=True)
class Auction(Share):
    """Shares that may be offered where others failed to deliver; orders name the ``auction_number``."""

    auction_number: str


@dataclass(frozen=True, slots=True)
class Summary:
    total_pnl: Decimal
    total_pnl_percent: Decimal
    today_pnl: Decimal
    today_pnl_percent: Decimal
    invested_amount: Decimal
    current_value: Decimal


@dataclass(frozen=True, slots=True)
class Authorisation:
    """The request under which the owner enters the depository's TPIN in a browser."""

    request_id: str
