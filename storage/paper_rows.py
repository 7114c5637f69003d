"""The paper exchange's orders and executions as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import models
from storage.rows import Batch, Shape, batch_of, nested, plain
from trader.broker.paper.journal import PaperExecution, PaperOrder, PaperState
from trader.domain.order import BrokerStatus, OrderUpdate
from trader.domain.times import ist

ORDER = nested(PaperOrder, OrderUpdate, models.paper_orders, ("order_id",))
EXECUTION = plain(PaperExecution, models.paper_executions, ("execution_id",), once=True)
_SHAPES: dict[type, Shape[Any]] = {PaperOrder: ORDER, PaperExecution: EXECUTION}
_UNFINISHED = [status for status in BrokerStatus if not status.final]


def batch(orders: Sequence[PaperOrder], executions: Sequence[PaperExecution]) -> Batch:
    return batch_of([*orders, *executions], _SHAPES)


def start_of_day(at: datetime) -> datetime:
    """Midnight on the exchange's clock."""
    return ist(at).replace(hour=0, minute=0, second=0, microsecond=0)


async def load(on: AsyncConnection) -> PaperState:
    order, execution = models.paper_orders.c, models.paper_executions.c
    newest = await on.scalar(select(func.max(order["placed_at"])))
    needed = or_(order["filled_quantity"] > 0, order["status"].in_(_UNFINISHED))
    if newest is not None:
        needed = or_(needed, order["placed_at"] >= start_of_day(newest))
    orders = ORDER.select().where(needed).order_by(order["placed_at"], order["serial"])
    executions = EXECUTION.select().order_by(execution["serial"])
    return PaperState(
        orders=tuple([ORDER.make(row) for row in await on.execute(orders)]),
        executions=tuple([EXECUTION.make(row) for row in await on.execute(executions)]),
        serial=(await on.scalar(select(func.count()).select_from(models.paper_orders))) or 0,
    )
