"""Plain records to vary."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from trader.domain.instrument import InstrumentKey
from trader.domain.order import (
    Order,
    OrderId,
    OrderRequest,
    OrderState,
    OrderType,
    Owner,
    Product,
    Purpose,
    Side,
    Tag,
)
from trader.domain.position import DayResult, Fill, Position, Trade
from trader.domain.records import (
    Alert,
    AlertDelivery,
    AuditEntry,
    DeskMode,
    Latch,
    OrderEvent,
    Priority,
    SessionRecord,
)
from trader.domain.times import IST

AT = datetime(2026, 11, 23, 9, 15, tzinfo=IST)
DAY = AT.date()
INFY = InstrumentKey("NSE:INFY")


def order(tag: str = "m1", at: datetime = AT, **changes: Any) -> Order:
    request = OrderRequest(
        Tag(tag), Owner("ema"), INFY, Side.BUY, 10, OrderType.LIMIT, Product.MIS, Purpose.ENTRY, at,
        price=Decimal("1450.05"),
    )  # fmt: skip
    terms: dict[str, Any] = {
        "state": OrderState.INTENT, "updated_at": at, "quantity": 10, "order_type": OrderType.LIMIT,
        "price": Decimal("1450.05"), "trigger_price": None, "purpose": Purpose.ENTRY,
    }  # fmt: skip
    return Order(request, **(terms | changes))


def event(tag: str = "m1", sequence: int = 1, detail: str = "") -> OrderEvent:
    return OrderEvent(Tag(tag), sequence, AT, None, OrderState.INTENT, detail)


def fill(fill_id: str = "m1:10", at: datetime = AT, price: str = "1450.05", charges: str = "3.27") -> Fill:
    return Fill(
        fill_id, Tag("m1"), OrderId("2611230000000000001"), Owner("ema"), INFY, Side.BUY, Product.MIS,
        Purpose.ENTRY, 10, Decimal(price), Decimal(charges), at,
    )  # fmt: skip


def trade(trade_id: str = "t1", exit_at: datetime = AT, pnl: str = "12.50") -> Trade:
    return Trade(
        trade_id, Owner("ema"), INFY, Product.MIS, Side.BUY, 10, Decimal("1450.05"), Decimal("1451.30"), AT,
        exit_at, Decimal(pnl), Decimal("6.54"), Purpose.TARGET,
    )  # fmt: skip


def position(quantity: int = 10, owner: str = "ema") -> Position:
    return Position(Owner(owner), INFY, Product.MIS, quantity, Decimal("1450.05"))


def alert(alert_id: str, priority: Priority = Priority.FILL, at: datetime = AT, title: str = "") -> Alert:
    return Alert(alert_id, at, priority, "fill", title)


def reached(alert_id: str, recipient: str, outcome: str = "sent") -> AlertDelivery:
    return AlertDelivery(alert_id, recipient, AT, outcome)


def audit(source_id: str = "tg:1", outcome: str = "", text: str = "/kill") -> AuditEntry:
    return AuditEntry(source_id, "owner 4711", text, AT, AT, "accepted", outcome)


def session(session_id: str, started_at: datetime = AT, ended_at: datetime | None = None) -> SessionRecord:
    return SessionRecord(session_id, started_at, "simulated", "paper", "0.1.0", "c0ffee", ended_at)


def day_result(owner: str = "ema", day: date = DAY, realised: str = "0.10") -> DayResult:
    return DayResult(day, Owner(owner), Decimal(realised))


def latch(mode: str) -> Latch:
    return Latch(DeskMode(mode), "killed", "/kill", AT, "owner 4711")
