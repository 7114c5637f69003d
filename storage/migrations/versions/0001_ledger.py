"""The ledger's first shape: all tables.

Money, times, days and words are text; see ``storage/columns.py``. What is written here never changes: a
migration says how the tables were, not how the code has come to see them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def serial() -> sa.Column[int]:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("serial", key, autoincrement=True, nullable=False)


def upgrade() -> None:
    _trading()
    _desk()
    _chat()
    _paper()


def _trading() -> None:
    op.create_table(
        "orders",
        serial(), text("tag"), text("owner"), text("key"), text("side"), whole("asked_quantity"),
        text("asked_order_type"), text("product"), text("asked_purpose"), text("created_at"),
        text("asked_price", null=True), text("asked_trigger_price", null=True),
        text("reference_price", null=True), text("stop_distance", null=True), text("note"), text("state"),
        text("updated_at"), whole("quantity"), text("order_type"), text("price", null=True),
        text("trigger_price", null=True), text("purpose"), text("order_id", null=True),
        whole("filled_quantity"), text("average_price"), text("prior_state", null=True), text("message"),
        whole("modifications"),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_orders")),
        sa.UniqueConstraint("tag", name=op.f("uq_orders_tag")),
    )  # fmt: skip
    op.create_index(op.f("ix_orders_created_at"), "orders", ["created_at"])
    op.create_index(op.f("ix_orders_state"), "orders", ["state"])
    op.create_index(op.f("ix_orders_updated_at"), "orders", ["updated_at"])
    op.create_table(
        "order_events",
        text("tag"), whole("sequence"), text("at"), text("before", null=True), text("after"),
        text("detail"),
        sa.PrimaryKeyConstraint("tag", "sequence", name=op.f("pk_order_events")),
    )  # fmt: skip
    op.create_table(
        "fills",
        serial(), text("fill_id"), text("tag"), text("order_id"), text("owner"), text("key"),
        text("side"), text("product"), text("purpose"), whole("quantity"), text("price"), text("charges"),
        text("at"), text("reference_price", null=True),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_fills")),
        sa.UniqueConstraint("fill_id", name=op.f("uq_fills_fill_id")),
    )  # fmt: skip
    op.create_index(op.f("ix_fills_at"), "fills", ["at"])
    op.create_table(
        "trades",
        serial(), text("trade_id"), text("owner"), text("key"), text("product"), text("side"),
        whole("quantity"), text("entry_price"), text("exit_price"), text("entry_at"), text("exit_at"),
        text("pnl"), text("charges"), text("reason"),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_trades")),
        sa.UniqueConstraint("trade_id", name=op.f("uq_trades_trade_id")),
    )  # fmt: skip
    op.create_index(op.f("ix_trades_exit_at"), "trades", ["exit_at"])
    op.create_table(
        "positions",
        text("owner"), text("key"), text("product"), whole("quantity"), text("average_price"),
        text("realised"), text("charges"), text("opened_at", null=True), text("updated_at", null=True),
        sa.PrimaryKeyConstraint("owner", "key", "product", name=op.f("pk_positions")),
    )  # fmt: skip
    op.create_table(
        "exit_plans",
        text("owner"), text("key"), text("product"), text("stop", null=True), text("target", null=True),
        text("trail", null=True), text("best_price"), text("stop_tag", null=True),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", "product", name=op.f("pk_exit_plans")),
    )  # fmt: skip


def _desk() -> None:
    op.create_table(
        "strategy_instances",
        text("name"), text("strategy"), text("symbols"), text("interval"), text("settings"),
        text("status"), text("started_at"), text("updated_at"), text("message"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_strategy_instances")),
    )  # fmt: skip
    op.create_table(
        "sessions",
        serial(), text("session_id"), text("started_at"), text("market"), text("trading"),
        text("version"), text("config_hash"), text("ended_at", null=True),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_sessions")),
        sa.UniqueConstraint("session_id", name=op.f("uq_sessions_session_id")),
    )  # fmt: skip
    op.create_table(
        "risk_counters",
        text("day"), whole("entries"), whole("orders"), whole("loss_streak"),
        text("cooldown_until", null=True), text("booked"), text("booked_today"), text("peak_equity"),
        whole("recorded"),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_risk_counters")),
    )  # fmt: skip
    op.create_table(
        "day_results",
        text("day"), text("owner"), text("realised"), text("charges"), text("slippage"), whole("fills"),
        whole("trades"), whole("wins"),
        sa.PrimaryKeyConstraint("day", "owner", name=op.f("pk_day_results")),
    )  # fmt: skip
    op.create_table(
        "latches",
        serial(), text("mode"), text("code"), text("reason"), text("since"), text("by"),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_latches")),
    )  # fmt: skip
    op.create_table(
        "settings",
        text("key"), text("value"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_settings")),
    )  # fmt: skip


def _chat() -> None:
    op.create_table(
        "alerts",
        serial(), text("alert_id"), text("at"), sa.Column("priority", sa.Integer(), nullable=False),
        text("topic"), text("title"), text("body"),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_alerts")),
        sa.UniqueConstraint("alert_id", name=op.f("uq_alerts_alert_id")),
    )  # fmt: skip
    op.create_index(op.f("ix_alerts_priority_at"), "alerts", ["priority", "at"])
    op.create_table(
        "alert_deliveries",
        text("alert_id"), text("recipient"), text("at"), text("outcome"),
        sa.PrimaryKeyConstraint("alert_id", "recipient", name=op.f("pk_alert_deliveries")),
    )  # fmt: skip
    op.create_table(
        "audit_log",
        serial(), text("source_id"), text("actor"), text("text"), text("sent_at"), text("received_at"),
        text("verdict"), text("outcome"),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_audit_log")),
        sa.UniqueConstraint("source_id", name=op.f("uq_audit_log_source_id")),
    )  # fmt: skip
    op.create_table(
        "commands_done",
        serial(), text("source_id"), text("at"),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_commands_done")),
        sa.UniqueConstraint("source_id", name=op.f("uq_commands_done_source_id")),
    )  # fmt: skip


def _paper() -> None:
    op.create_table(
        "paper_orders",
        serial(), text("order_id"), text("tag", null=True), text("key"), text("side"), text("product"),
        text("order_type"), text("status"), whole("quantity"), whole("filled_quantity"),
        text("average_price"), text("at"), text("price", null=True), text("trigger_price", null=True),
        text("message"), text("placed_at"), text("active_at"),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_paper_orders")),
        sa.UniqueConstraint("order_id", name=op.f("uq_paper_orders_order_id")),
    )  # fmt: skip
    op.create_table(
        "paper_executions",
        serial(), text("execution_id"), text("order_id"), whole("quantity"), text("price"), text("at"),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_paper_executions")),
        sa.UniqueConstraint("execution_id", name=op.f("uq_paper_executions_execution_id")),
    )  # fmt: skip


def downgrade() -> None:
    raise NotImplementedError("There is nothing before the first shape; put back a copy instead.")
