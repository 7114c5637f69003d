"""Records to rows and back, and the one statement that writes each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Insert, Select, Table, bindparam, func, insert, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

from storage import models
from storage.kinds import KEYS, ONCE, storable
from trader.domain.order import Order, OrderRequest
from trader.domain.position import DayResult, Fill, Position, Trade
from trader.domain.records import (
    Alert,
    AlertDelivery,
    AuditEntry,
    CommandDone,
    ExitPlan,
    Latch,
    OrderEvent,
    RiskCounters,
    SessionRecord,
    Setting,
    StrategyInstance,
)

R = TypeVar("R")
Row = tuple[Any, ...]
INSERTS: dict[str, Any] = {  # both know ON CONFLICT; SQLAlchemy gives them no common type
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


@dataclass(frozen=True, slots=True, eq=False)
class Shape(Generic[R]):
    """How one kind of record lies in its table. ``key`` is empty where every change is another row;
    ``once`` where the first row of a key stays."""

    kind: type[R]
    table: Table
    columns: tuple[str, ...]
    key: tuple[str, ...]
    once: bool
    values: Callable[[R], tuple[Any, ...]]  # in the order of ``columns``
    make: Callable[[Sequence[Any]], R]

    def select(self) -> Select[Any]:
        return select(*(self.table.c[name] for name in self.columns))

    def row(self, record: R) -> Row:
        """In the order of ``columns``. TypeError or ValueError for what cannot be kept."""
        return self.values(storable(record))


def plain(kind: type[R], table: Table, key: tuple[str, ...], *, once: bool) -> Shape[R]:
    """Columns named as the record's fields."""
    names = tuple(f.name for f in fields(kind))  # type: ignore[arg-type]  # every record is a dataclass
    make = cast(Callable[..., R], kind)
    return Shape(kind, table, names, key, once, attrgetter(*names), lambda row: make(*row))


def nested(
    kind: type[R], inner: type[Any], table: Table, key: tuple[str, ...], renamed: dict[str, str] | None = None
) -> Shape[R]:
    """For a record whose first field is another one: the inner's columns, ``renamed`` where they would
    clash, then its own."""
    first, *rest = (f.name for f in fields(kind))  # type: ignore[arg-type]  # every record is a dataclass
    names = [f.name for f in fields(inner)]
    cut = len(names)
    columns = (*((renamed or {}).get(name, name) for name in names), *rest)
    values = attrgetter(*(f"{first}.{name}" for name in names), *rest)
    make = cast(Callable[..., R], kind)
    return Shape(kind, table, columns, key, False, values, lambda row: make(inner(*row[:cut]), *row[cut:]))


_ASKED = {
    "quantity": "asked_quantity",
    "order_type": "asked_order_type",
    "purpose": "asked_purpose",
    "at": "created_at",
    "price": "asked_price",
    "trigger_price": "asked_trigger_price",
}
ORDER = nested(Order, OrderRequest, models.orders, KEYS[Order], _ASKED)


def _known(kind: type[R], table: Table) -> Shape[R]:
    return plain(kind, table, KEYS[kind], once=kind in ONCE)


ORDER_EVENT = _known(OrderEvent, models.order_events)
FILL = _known(Fill, models.fills)
POSITION = _known(Position, models.positions)
TRADE = _known(Trade, models.trades)
DAY_RESULT = _known(DayResult, models.day_results)
EXIT_PLAN = _known(ExitPlan, models.exit_plans)
RISK_COUNTERS = _known(RiskCounters, models.risk_counters)
INSTANCE = _known(StrategyInstance, models.strategy_instances)
LATCH = _known(Latch, models.latches)
ALERT = _known(Alert, models.alerts)
DELIVERY = _known(AlertDelivery, models.alert_deliveries)
AUDIT = _known(AuditEntry, models.audit_log)
COMMAND_DONE = _known(CommandDone, models.commands_done)
SESSION = _known(SessionRecord, models.sessions)
SETTING = _known(Setting, models.settings)

SHAPES: dict[type, Shape[Any]] = {
    shape.kind: shape
    for shape in (
        ORDER, ORDER_EVENT, FILL, POSITION, TRADE, DAY_RESULT, EXIT_PLAN, RISK_COUNTERS, INSTANCE, LATCH,
        ALERT, DELIVERY, AUDIT, COMMAND_DONE, SESSION, SETTING,
    )
}  # fmt: skip

Batch = dict[Shape[Any], list[Row]]


def batch_of(records: Iterable[object], shapes: dict[type, Shape[Any]] = SHAPES) -> Batch:
    """The rows of each table, in the order given. TypeError or ValueError for what cannot be kept."""
    batch: Batch = {}
    for record in records:
        shape = shapes.get(type(record))
        if shape is None:
            raise TypeError(f"No table takes a {type(record).__name__}")
        batch.setdefault(shape, []).append(shape.row(record))
    return batch


@cache
def statement(shape: Shape[Any], dialect: str) -> Insert:
    """The statement that takes rows of this shape, on ``sqlite`` or ``postgresql``."""
    if not shape.key:
        return _append_if_changed(shape)
    write = INSERTS[dialect](shape.table)
    if shape.once:
        return cast(Insert, write.on_conflict_do_nothing(index_elements=shape.key))
    kept = {name: write.excluded[name] for name in shape.columns if name not in shape.key}
    if "recorded" in shape.table.c:
        recorded = shape.table.c["recorded"]
        following = select(
            func.coalesce(func.max(recorded), literal_column("0")) + literal_column("1")
        ).scalar_subquery()
        write = write.values(recorded=following)
        kept["recorded"] = write.excluded["recorded"]
    return cast(Insert, write.on_conflict_do_update(index_elements=shape.key, set_=kept))


def _append_if_changed(shape: Shape[Any]) -> Insert:
    """A row of its own, unless the newest one says exactly the same: a commit that was tried again after a
    lost connection must not write history twice."""
    table = shape.table
    given = {name: bindparam(name, type_=table.c[name].type) for name in shape.columns}
    newest = select(func.max(table.c["serial"])).scalar_subquery()
    same = select(table.c["serial"]).where(
        table.c["serial"] == newest, *(table.c[name] == value for name, value in given.items())
    )
    return insert(table).from_select(shape.columns, select(*given.values()).where(~same.exists()))
