"""The order state machine: pure functions from an order and a fact to the order as it then is.

What arrives from outside is repeated, reordered and incomplete (kite.md 11.1), so facts merge: the filled
quantity never shrinks, a later state is never undone by an earlier one, and a terminal state still takes a
larger cumulative fill. An order whose outcome nobody knows stays UNKNOWN until the broker's book proves it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from trader.domain.money import ZERO
from trader.domain.order import (
    BrokerStatus,
    Order,
    OrderChange,
    OrderId,
    OrderRequest,
    OrderState,
    OrderUpdate,
)

_PRICE_STEP = Decimal("0.0001")  # Kite's averages carry four decimals

# How far along a resting order is; facts never move it back.
_RANK = {
    OrderState.INTENT: 0,
    OrderState.UNKNOWN: 0,
    OrderState.ACKED: 1,
    OrderState.TRIGGER_PENDING: 2,
    OrderState.OPEN: 3,
    OrderState.PARTIAL: 4,
}
# States that say the broker has nothing. They give way to whatever its book shows later.
_ABSENT = (OrderState.DENIED, OrderState.NOT_PLACED)


@dataclass(frozen=True, slots=True)
class Execution:
    """What a merge newly filled: units, and the average price of just these."""

    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Merged:
    order: Order
    execution: Execution | None


def intent(request: OrderRequest) -> Order:
    """The order as committed before it is sent."""
    return _fresh(request, OrderState.INTENT)


def denied(request: OrderRequest, message: str) -> Order:
    return replace(_fresh(request, OrderState.DENIED), message=message)


def _fresh(request: OrderRequest, state: OrderState) -> Order:
    return Order(
        request=request,
        state=state,
        updated_at=request.at,
        quantity=request.quantity,
        order_type=request.order_type,
        price=request.price,
        trigger_price=request.trigger_price,
        purpose=request.purpose,
    )


def acked(order: Order, order_id: OrderId, at: datetime) -> Order:
    """The broker named the order. An update may have come first; then only the id is new."""
    state = OrderState.ACKED if order.state in (OrderState.INTENT, OrderState.UNKNOWN) else order.state
    return replace(order, state=state, order_id=order_id, updated_at=at)


def refused(order: Order, reason: str, at: datetime) -> Order:
    """The broker provably did not take it; a fact that contradicts this (a fill) has priority."""
    if order.state not in (OrderState.INTENT, OrderState.UNKNOWN):
        return order
    return replace(order, state=OrderState.REJECTED, message=reason, updated_at=at)


def unknown(order: Order, reason: str, at: datetime) -> Order:
    if order.state is not OrderState.INTENT:
        return order
    return replace(order, state=OrderState.UNKNOWN, message=reason, updated_at=at)


def not_placed(order: Order, proof: str, at: datetime) -> Order:
    """Proven absent. Only an order without any trace at the broker can be."""
    if order.state not in (OrderState.INTENT, OrderState.UNKNOWN) or order.filled_quantity:
        return order
    return replace(order, state=OrderState.NOT_PLACED, message=proof, updated_at=at)


def cancelling(order: Order, at: datetime) -> Order:
    """A cancel is on its way; the state before it is remembered in case it fails."""
    if order.state.terminal or order.state is OrderState.PENDING_CANCEL:
        return order
    prior = order.prior_state if order.state is OrderState.PENDING_MODIFY else order.state
    return replace(order, state=OrderState.PENDING_CANCEL, prior_state=prior, updated_at=at)


def modifying(order: Order, change: OrderChange) -> Order:
    """New terms are on their way. They are booked at once: if the change fails, ``change_answered``
    puts the old ones back."""
    return replace(
        order,
        state=OrderState.PENDING_MODIFY,
        prior_state=order.state,
        quantity=change.quantity,
        order_type=change.order_type,
        price=change.price,
        trigger_price=change.trigger_price,
        purpose=change.purpose,
        modifications=order.modifications + 1,
        updated_at=change.at,
    )


def change_answered(order: Order, before: Order | None, error: str, at: datetime) -> Order:
    """A modify or cancel came back. ``before`` is the order with its old terms, for a failed modify."""
    if order.state not in (OrderState.PENDING_CANCEL, OrderState.PENDING_MODIFY):
        return order
    if order.state is OrderState.PENDING_CANCEL and not error:
        return replace(order, updated_at=at)  # accepted is not done: CANCELLED comes as an update
    state = order.prior_state or OrderState.OPEN
    settled = replace(order, state=state, prior_state=None, message=error, updated_at=at)
    if error and before is not None and order.state is OrderState.PENDING_MODIFY:
        settled = replace(
            settled,
            quantity=before.quantity,
            order_type=before.order_type,
            price=before.price,
            trigger_price=before.trigger_price,
            purpose=before.purpose,
        )
    return settled


def merge(order: Order, update: OrderUpdate) -> Merged:
    """Fold one broker fact in; any order of the same facts ends in the same place."""
    execution = _execution(order, update)
    filled = max(order.filled_quantity, update.filled_quantity)
    average = update.average_price if execution else order.average_price
    state, prior = _next_state(order, update.status, filled)
    merged = replace(
        order,
        state=state,
        prior_state=prior,
        order_id=order.order_id or update.order_id,
        filled_quantity=filled,
        average_price=average,
        message=update.message or order.message,
        updated_at=max(order.updated_at, update.at),
    )
    return Merged(merged, execution)


def _execution(order: Order, update: OrderUpdate) -> Execution | None:
    quantity = update.filled_quantity - order.filled_quantity
    if quantity <= 0:
        return None
    value = update.average_price * update.filled_quantity - order.average_price * order.filled_quantity
    price = (value / quantity).quantize(_PRICE_STEP, ROUND_HALF_EVEN)
    return Execution(quantity, price)


def _next_state(order: Order, status: BrokerStatus, filled: int) -> tuple[OrderState, OrderState | None]:
    reported = _reported(status, filled)
    now = order.state
    if now.terminal and now not in _ABSENT:
        # A fill after the end (faults.md 22): the quantity is taken, the end stays unless it is now full.
        return (OrderState.FILLED if filled >= order.quantity else now), None
    if reported.terminal or now in _ABSENT:
        return reported, None
    if now in (OrderState.PENDING_CANCEL, OrderState.PENDING_MODIFY):
        return now, _later(order.prior_state or OrderState.ACKED, reported)
    return _later(now, reported), order.prior_state


def _later(now: OrderState, reported: OrderState) -> OrderState:
    return reported if _RANK[reported] >= _RANK[now] else now


def _reported(status: BrokerStatus, filled: int) -> OrderState:
    if status is BrokerStatus.COMPLETE:
        return OrderState.FILLED
    if status is BrokerStatus.CANCELLED:
        return OrderState.CANCELLED
    if status is BrokerStatus.REJECTED:
        return OrderState.REJECTED
    if filled:
        return OrderState.PARTIAL
    if status is BrokerStatus.PENDING:
        return OrderState.ACKED
    return OrderState.OPEN if status is BrokerStatus.OPEN else OrderState.TRIGGER_PENDING


def filled_value(order: Order) -> Decimal:
    """Rupees turned over by this order so far."""
    return order.average_price * order.filled_quantity if order.filled_quantity else ZERO


def adopted(update: OrderUpdate, request: OrderRequest) -> Order:
    """An order the desk did not make, as first seen; fills are merged afterwards."""
    order = _fresh(request, OrderState.ACKED)
    return replace(order, order_id=update.order_id, updated_at=update.at)
