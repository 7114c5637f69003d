"""The tables. A column bears its record's field name; ``serial`` is the order of first writing.

No foreign keys: the port takes records in any order, and an external order's fill has no order of ours.
A change here needs a migration; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Index, MetaData, PrimaryKeyConstraint, Table, Text, UniqueConstraint
from sqlalchemy.types import TypeEngine

from storage.columns import Day, Instant, Money, Rank, Tuples, Whole, Word
from trader.domain.market import Interval
from trader.domain.order import BrokerStatus, OrderState, OrderType, Product, Purpose, Side, Validity
from trader.domain.records import DeskMode, InstanceStatus, Priority

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _must(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]] = Text) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _may(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]] = Text) -> Column[Any]:
    return Column(name, kind, nullable=True)


def _serial() -> Column[int]:
    return Column("serial", Whole, primary_key=True, autoincrement=True)


orders = Table(
    "orders", metadata, _serial(),
    # what was asked, never changed afterwards
    _must("tag"), _must("owner"), _must("key"), _must("side", Word(Side)), _must("asked_quantity", Whole),
    _must("asked_order_type", Word(OrderType)), _must("product", Word(Product)),
    _must("asked_purpose", Word(Purpose)), _must("created_at", Instant), _may("asked_price", Money),
    _may("asked_trigger_price", Money), _may("reference_price", Money), _may("stop_distance", Money),
    _must("note"), Column("validity", Word(Validity), nullable=False, server_default=Validity.DAY),
    # what became of it
    _must("state", Word(OrderState)), _must("updated_at", Instant), _must("quantity", Whole),
    _must("order_type", Word(OrderType)), _may("price", Money), _may("trigger_price", Money),
    _must("purpose", Word(Purpose)), _may("order_id"), _must("filled_quantity", Whole),
    _must("average_price", Money), _may("prior_state", Word(OrderState)), _must("message"),
    _must("modifications", Whole),
    UniqueConstraint("tag"), Index(None, "created_at"), Index(None, "updated_at"), Index(None, "state"),
)  # fmt: skip

order_events = Table(
    "order_events", metadata,
    _must("tag"), _must("sequence", Whole), _must("at", Instant), _may("before", Word(OrderState)),
    _must("after", Word(OrderState)), _must("detail"),
    PrimaryKeyConstraint("tag", "sequence"),
)  # fmt: skip

fills = Table(
    "fills", metadata, _serial(),
    _must("fill_id"), _must("tag"), _must("order_id"), _must("owner"), _must("key"),
    _must("side", Word(Side)), _must("product", Word(Product)), _must("purpose", Word(Purpose)),
    _must("quantity", Whole), _must("price", Money), _must("charges", Money), _must("at", Instant),
    _may("reference_price", Money),
    UniqueConstraint("fill_id"), Index(None, "at"),
)  # fmt: skip

trades = Table(
    "trades", metadata, _serial(),
    _must("trade_id"), _must("owner"), _must("key"), _must("product", Word(Product)),
    _must("side", Word(Side)), _must("quantity", Whole), _must("entry_price", Money),
    _must("exit_price", Money), _must("entry_at", Instant), _must("exit_at", Instant), _must("pnl", Money),
    _must("charges", Money), _must("reason", Word(Purpose)),
    UniqueConstraint("trade_id"), Index(None, "exit_at"),
)  # fmt: skip

positions = Table(
    "positions", metadata,
    _must("owner"), _must("key"), _must("product", Word(Product)), _must("quantity", Whole),
    _must("average_price", Money), _must("realised", Money), _must("charges", Money),
    _may("opened_at", Instant), _may("updated_at", Instant),
    PrimaryKeyConstraint("owner", "key", "product"),
)  # fmt: skip

exit_plans = Table(
    "exit_plans", metadata,
    _must("owner"), _must("key"), _must("product", Word(Product)), _may("stop", Money),
    _may("target", Money), _may("trail", Money), _must("best_price", Money), _may("stop_tag"),
    _must("closed", Boolean),
    PrimaryKeyConstraint("owner", "key", "product"),
)  # fmt: skip

strategy_instances = Table(
    "strategy_instances", metadata,
    _must("name"), _must("strategy"), _must("symbols", Tuples), _must("interval", Word(Interval)),
    _must("settings", Tuples), _must("status", Word(InstanceStatus)), _must("started_at", Instant),
    _must("updated_at", Instant), _must("message"),
    PrimaryKeyConstraint("name"),
)  # fmt: skip

sessions = Table(
    "sessions", metadata, _serial(),
    _must("session_id"), _must("started_at", Instant), _must("market"), _must("trading"), _must("version"),
    _must("config_hash"), _may("ended_at", Instant),
    UniqueConstraint("session_id"),
)  # fmt: skip

risk_counters = Table(
    "risk_counters", metadata,
    _must("day", Day), _must("entries", Whole), _must("orders", Whole), _must("loss_streak", Whole),
    _may("cooldown_until", Instant), _must("booked", Money), _must("booked_today", Money),
    _must("peak_equity", Money),
    _must("recorded", Whole),  # order of last writing: a replay may go back in days, the newest writing rules
    PrimaryKeyConstraint("day"),
)  # fmt: skip

day_results = Table(
    "day_results", metadata,
    _must("day", Day), _must("owner"), _must("realised", Money), _must("charges", Money),
    _must("slippage", Money), _must("fills", Whole), _must("trades", Whole), _must("wins", Whole),
    PrimaryKeyConstraint("day", "owner"),
)  # fmt: skip

latches = Table(
    "latches", metadata, _serial(),
    _must("mode", Word(DeskMode)), _must("code"), _must("reason"), _must("since", Instant), _must("by"),
)  # fmt: skip

alerts = Table(
    "alerts", metadata, _serial(),
    _must("alert_id"), _must("at", Instant), _must("priority", Rank(Priority)), _must("topic"),
    _must("title"), _must("body"),
    UniqueConstraint("alert_id"), Index(None, "priority", "at"),
)  # fmt: skip

alert_deliveries = Table(
    "alert_deliveries", metadata,
    _must("alert_id"), _must("recipient"), _must("at", Instant), _must("outcome"),
    PrimaryKeyConstraint("alert_id", "recipient"),
)  # fmt: skip

audit_log = Table(
    "audit_log", metadata, _serial(),
    _must("source_id"), _must("actor"), _must("text"), _must("sent_at", Instant),
    _must("received_at", Instant), _must("verdict"), _must("outcome"),
    UniqueConstraint("source_id"),
)  # fmt: skip

commands_done = Table(
    "commands_done", metadata, _serial(),
    _must("source_id"), _must("at", Instant),
    UniqueConstraint("source_id"),
)  # fmt: skip

settings = Table("settings", metadata, _must("key"), _must("value"), PrimaryKeyConstraint("key"))

paper_orders = Table(
    "paper_orders", metadata, _serial(),
    _must("order_id"), _may("tag"), _must("key"), _must("side", Word(Side)), _must("product", Word(Product)),
    _must("order_type", Word(OrderType)), _must("status", Word(BrokerStatus)), _must("quantity", Whole),
    _must("filled_quantity", Whole), _must("average_price", Money), _must("at", Instant),
    _may("price", Money), _may("trigger_price", Money), _must("message"),
    _must("placed_at", Instant), _must("active_at", Instant),
    UniqueConstraint("order_id"),
)  # fmt: skip

paper_executions = Table(
    "paper_executions", metadata, _serial(),
    _must("execution_id"), _must("order_id"), _must("quantity", Whole), _must("price", Money),
    _must("at", Instant),
    UniqueConstraint("execution_id"),
)  # fmt: skip
