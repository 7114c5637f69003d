"""Mutual funds: seen, never ordered; Zerodha takes no such orders over the API. Units have fractions."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal

from trader.broker.zerodha.answers.reading import read
from trader.broker.zerodha.mapping import UnreadableRow
from trader.domain.order import Side


@dataclass(frozen=True, slots=True)
class FundOrder:
    order_id: str
    exchange_order_id: str | None
    tradingsymbol: str  # an ISIN
    fund: str
    status: str
    status_message: str
    transaction_type: Side | str
    purchase_type: str
    variety: str
    folio: str | None
    amount: Decimal
    quantity: Decimal
    average_price: Decimal
    last_price: Decimal
    last_price_date: date
    order_timestamp: datetime
    exchange_timestamp: date | None
    settlement_id: str | None
    tag: str | None
    placed_by: str


@dataclass(frozen=True, slots=True)
class Sip:
    """``instalments`` and ``pending_instalments`` are -1 where there is no end. ``step_up`` is in percent,
    by day and month."""

    sip_id: str
    sip_reg_num: str | None
    sip_type: str
    tradingsymbol: str
    fund: str
    status: str
    transaction_type: Side | str
    dividend_type: str
    frequency: str
    instalment_amount: Decimal
    instalments: int
    completed_instalments: int
    pending_instalments: int
    instalment_day: int
    next_instalment: date
    last_instalment: datetime
    created: datetime
    step_up: dict[str, Decimal]
    trigger_price: Decimal
    tag: str | None
    fund_source: str | None = None


@dataclass(frozen=True, slots=True)
class FundHolding:
    folio: str | None
    tradingsymbol: str
    fund: str
    quantity: Decimal
    pledged_quantity: Decimal
    average_price: Decimal
    last_price: Decimal
    last_price_date: date | None
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class FundOrderId:
    order_id: str


@dataclass(frozen=True, slots=True)
class SipId:
    sip_id: str


@dataclass(frozen=True, slots=True)
class Scheme:
    """A row of the list of funds."""

    tradingsymbol: str
    amc: str
    name: str
    purchase_allowed: bool
    redemption_allowed: bool
    minimum_purchase_amount: Decimal
    purchase_amount_multiplier: Decimal
    minimum_additional_purchase_amount: Decimal
    minimum_redemption_quantity: Decimal
    redemption_quantity_multiplier: Decimal
    dividend_type: str
    scheme_type: str
    plan: str
    settlement_type: str
    last_price: Decimal
    last_price_date: date


def schemes(dump: bytes) -> Iterator[Scheme]:
    """Of the CSV of ``/mf/instruments``."""
    flags = ("purchase_allowed", "redemption_allowed")
    rows = csv.DictReader(dump.decode().splitlines())
    if missing := {f.name for f in fields(Scheme)} - set(rows.fieldnames or ()):
        raise UnreadableRow(f"Expected the columns {sorted(missing)} in the list of funds")
    for row in rows:
        yield read(Scheme, row | {name: row[name] == "1" for name in flags})
