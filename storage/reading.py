"""Queries. Each runs inside the caller's transaction, so several of them see one moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, distinct, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import models
from storage.kinds import COMMANDS_REMEMBERED
from storage.rows import (
    ALERT,
    AUDIT,
    DAY_RESULT,
    EXIT_PLAN,
    INSTANCE,
    LATCH,
    ORDER,
    ORDER_EVENT,
    POSITION,
    RISK_COUNTERS,
    SESSION,
    SETTING,
    Shape,
)
from trader.domain.order import Order, OrderState, Tag
from trader.domain.position import DayResult
from trader.domain.records import Alert, AuditEntry, LedgerState, OrderEvent, SessionRecord
from trader.domain.times import IST
from trader.ports.store import PendingAlert

R = TypeVar("R")
_WORKING = [state for state in OrderState if state.working]


async def load(on: AsyncConnection) -> LedgerState:
    orders = await _orders_to_restore(on)
    counters = await _newest(on, RISK_COUNTERS, "recorded")
    commands = models.commands_done.c
    remembered = select(commands["source_id"]).order_by(commands["serial"].desc()).limit(COMMANDS_REMEMBERED)
    holder = ("owner", "key", "product")
    settings = await _all(on, SETTING, SETTING.select())
    latch = await _newest(on, LATCH, "serial")
    session = await _newest(on, SESSION, "serial")
    return LedgerState(
        latch=latch,
        last_session=session,
        instances=tuple(await _all(on, INSTANCE, _sorted(INSTANCE, "started_at", "name"))),
        orders=tuple(orders),
        order_sequences=await _sequences(on, orders),
        positions=tuple(await _all(on, POSITION, _sorted(POSITION, *holder))),
        plans=tuple(
            await _all(on, EXIT_PLAN, _sorted(EXIT_PLAN, *holder).where(~models.exit_plans.c["closed"]))
        ),
        counters=counters,
        day_results=tuple(await day_results(on, counters.day)) if counters else (),
        commands_done=frozenset((await on.scalars(remembered)).all()),
        settings={setting.key: setting.value for setting in settings},
        tag_serial=(await on.scalar(select(func.count()).select_from(models.orders))) or 0,
    )


async def _orders_to_restore(on: AsyncConnection) -> list[Order]:
    """Working ones, and those made or changed on the day of the order made last."""
    at = models.orders.c
    last = await on.scalar(select(at["created_at"]).order_by(at["serial"].desc()).limit(1))
    if last is None:
        return []
    day = last.date()
    wanted = or_(at["state"].in_(_WORKING), within(at["created_at"], day), within(at["updated_at"], day))
    return await _all(on, ORDER, ORDER.select().where(wanted).order_by(at["created_at"], at["serial"]))


async def _sequences(on: AsyncConnection, orders: Sequence[Order]) -> dict[Tag, int]:
    """Each order's last journal sequence; 0 where it has none."""
    last = dict.fromkeys((order.tag for order in orders), 0)
    tags, events = list(last), models.order_events.c
    for start in range(0, len(tags), 500):  # SQLite before 3.32 took 999 parameters, PostgreSQL 32,767
        some = events["tag"].in_(tags[start : start + 500])
        found = select(events["tag"], func.max(events["sequence"])).where(some).group_by(events["tag"])
        last.update((tag, sequence) for tag, sequence in await on.execute(found))
    return last


async def recent(on: AsyncConnection, shape: Shape[R], column: str, day: date | None, limit: int) -> list[R]:
    """Oldest first by ``column``: all of one exchange day, or the last ``limit``."""
    at, serial = shape.table.c[column], shape.table.c["serial"]
    if day is not None:
        return await _all(on, shape, shape.select().where(within(at, day)).order_by(at, serial))
    newest_first = shape.select().order_by(at.desc(), serial.desc()).limit(max(limit, 0))
    return (await _all(on, shape, newest_first))[::-1]


async def pending_alerts(on: AsyncConnection, recipients: Sequence[str]) -> list[PendingAlert]:
    wanted = set(recipients)
    if not wanted:
        return []
    alert, delivery = models.alerts.c, models.alert_deliveries.c
    reached = (
        select(func.count(distinct(delivery["recipient"])))
        .where(delivery["alert_id"] == alert["alert_id"], delivery["recipient"].in_(sorted(wanted)))
        .scalar_subquery()
    )
    pending = ALERT.select().where(reached < len(wanted))
    alerts = await _all(on, ALERT, pending.order_by(alert["priority"], alert["at"], alert["serial"]))
    delivered = await _delivered(on, alerts)
    return [PendingAlert(a, frozenset(delivered.get(a.alert_id, ()))) for a in alerts]


async def _delivered(on: AsyncConnection, alerts: Sequence[Alert]) -> dict[str, list[str]]:
    delivered: dict[str, list[str]] = {}
    ids, delivery = [alert.alert_id for alert in alerts], models.alert_deliveries.c
    for start in range(0, len(ids), 500):
        found = select(delivery["alert_id"], delivery["recipient"])
        for alert_id, recipient in await on.execute(
            found.where(delivery["alert_id"].in_(ids[start : start + 500]))
        ):
            delivered.setdefault(alert_id, []).append(recipient)
    return delivered


async def audit_entry(on: AsyncConnection, source_id: str) -> AuditEntry | None:
    found = await _all(on, AUDIT, AUDIT.select().where(models.audit_log.c["source_id"] == source_id))
    return found[0] if found else None


async def audit_trail(on: AsyncConnection, limit: int) -> list[AuditEntry]:
    newest_first = AUDIT.select().order_by(models.audit_log.c["serial"].desc()).limit(max(limit, 0))
    return await _all(on, AUDIT, newest_first)


async def order_events(on: AsyncConnection, tag: Tag) -> list[OrderEvent]:
    of_tag = _sorted(ORDER_EVENT, "sequence").where(models.order_events.c["tag"] == tag)
    return await _all(on, ORDER_EVENT, of_tag)


async def sessions(on: AsyncConnection) -> list[SessionRecord]:
    return await _all(on, SESSION, _sorted(SESSION, "serial"))


async def day_results(on: AsyncConnection, day: date) -> list[DayResult]:
    return await _all(on, DAY_RESULT, _sorted(DAY_RESULT, "owner").where(models.day_results.c["day"] == day))


def within(at: ColumnElement[Any], day: date) -> ColumnElement[bool]:
    """``at`` lies in the exchange's day, midnight to midnight IST."""
    midnight = datetime.combine(day, time(), IST)
    return (at >= midnight) & (at <= midnight + timedelta(days=1, microseconds=-1))


def _sorted(shape: Shape[Any], *columns: str) -> Select[Any]:
    return shape.select().order_by(*(shape.table.c[name] for name in columns))


async def _all(on: AsyncConnection, shape: Shape[R], query: Select[Any]) -> list[R]:
    return [shape.make(row) for row in await on.execute(query)]


async def _newest(on: AsyncConnection, shape: Shape[R], column: str) -> R | None:
    found = await _all(on, shape, shape.select().order_by(shape.table.c[column].desc()).limit(1))
    return found[0] if found else None
