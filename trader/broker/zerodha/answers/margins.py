"""Margins of the account, margins and charges that orders would have (kite.md 9)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.domain.order import Side


@dataclass(frozen=True, slots=True)
class Available:
    adhoc_margin: Decimal
    cash: Decimal
    opening_balance: Decimal
    live_balance: Decimal
    collateral: Decimal
    intraday_payin: Decimal


@dataclass(frozen=True, slots=True)
class Utilised:
    """``debits`` is the sum of the others."""

    debits: Decimal
    exposure: Decimal
    m2m_realised: Decimal
    m2m_unrealised: Decimal
    option_premium: Decimal
    payout: Decimal
    span: Decimal
    holding_sales: Decimal
    turnover: Decimal
    liquid_collateral: Decimal
    stock_collateral: Decimal
    delivery: Decimal


@dataclass(frozen=True, slots=True)
class SegmentMargins:
    """``net`` is what new positions may use."""

    enabled: bool
    net: Decimal
    available: Available
    utilised: Utilised


@dataclass(frozen=True, slots=True)
class AccountMargins:
    equity: SegmentMargins
    commodity: SegmentMargins | None = None


@dataclass(frozen=True, slots=True)
class Gst:
    igst: Decimal
    cgst: Decimal
    sgst: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class ChargesRow:
    """Not rounded; a contract note is (india.md 3)."""

    transaction_tax: Decimal
    transaction_tax_type: str  # stt, ctt, or empty
    exchange_turnover_charge: Decimal
    sebi_turnover_charge: Decimal
    brokerage: Decimal
    stamp_duty: Decimal
    gst: Gst
    total: Decimal


@dataclass(frozen=True, slots=True)
class Pnl:
    realised: Decimal
    unrealised: Decimal


@dataclass(frozen=True, slots=True)
class OrderMargin:
    """``total`` is without the charges."""

    type: str
    tradingsymbol: str
    exchange: str
    span: Decimal
    exposure: Decimal
    option_premium: Decimal
    additional: Decimal
    bo: Decimal
    cash: Decimal
    var: Decimal
    pnl: Pnl
    leverage: Decimal
    charges: ChargesRow
    total: Decimal


@dataclass(frozen=True, slots=True)
class BasketMargin:
    """``initial`` while the orders stand alone, ``final`` once they hedge one another."""

    initial: OrderMargin
    final: OrderMargin
    orders: tuple[OrderMargin, ...]
    charges: ChargesRow


@dataclass(frozen=True, slots=True)
class ContractNoteRow:
    transaction_type: Side | str
    tradingsymbol: str
    exchange: str
    variety: str
    product: str
    order_type: str
    quantity: int
    price: Decimal
    charges: ChargesRow
