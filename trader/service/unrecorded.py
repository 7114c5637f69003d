"""The last look at what leaves: the child of an intent is never larger than the intent (faults.md 50)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trader.desk.effects import Change, Effect, Submit
from trader.domain.order import Order, OrderState, Tag
from trader.domain.records import Record

UNLIKE = "An order would have left that is not what was recorded of it."


def unrecorded(effects: Sequence[Effect], records: Sequence[Record]) -> list[Effect]:
    """Of the orders and changes among ``effects`` those that ``records``, written with them, do not hold, to
    the unit."""
    leaving = [effect for effect in effects if isinstance(effect, Submit | Change)]
    if not leaving:
        return []
    orders = {record.tag: record for record in records if isinstance(record, Order)}
    return [effect for effect in leaving if not _recorded(effect, orders)]


def _recorded(effect: Submit | Change, orders: Mapping[Tag, Order]) -> bool:
    if isinstance(effect, Submit):
        request = effect.approved.request
        order = orders.get(request.tag)
        return order is not None and order.state is OrderState.INTENT and order.request == request
    change = effect.approved.change
    order = orders.get(change.tag)
    return order is not None and (order.order_id, order.quantity) == (change.order_id, change.quantity)
