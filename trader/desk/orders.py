"""The order state machine: pure functions from an order and a fact to the order as it then is.

What arrives from outside is repeated, reordered and incomplete (kite.md 11.1), so facts merge: the filled
quantity never shrinks, a later state is never undone by an earlier one, and a terminal state still takes a
larger cumulative fill. An order whose outcome nobody knows stays UNKNOWN until the broker's book proves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from trader.domain.instrument import symbol_of
from trader.domain.money import ZERO
from trader.domain.order import (
    BrokerStatus,
    Order,
    OrderChange,
    OrderId,
    OrderRequest,
    OrderState,
    OrderType,
    OrderUpdate,
    Purpose,
)
from trader.domain.values import quick, replaced

_PRICE_STEP = Decimal("0.0001")  # Kite's averages carry four decimals
_FINE_STEP = Decimal("0.00000001")  # of a share of them, so that the parts sum to the whole

_order = quick(Order)

# How far along a resting order is; facts never move it back.
_RANK = {
    OrderState.INTENT: 0,
    OrderState.UNKNOWN: 0,
    OrderState.ACKED: 1,
    OrderState.TRIGGER_PENDING: 2,
    OrderState.OPEN: 3,
    OrderState.PARTIAL: 4,
}
# A change or cancel is on its way: its answer names the order, not the request.
ANSWER_DUE = (OrderState.PENDING_CANCEL, OrderState.PENDING_MODIFY)
# States that say the broker has nothing. They give way to whatever its book shows later.
_ABSENT = (OrderState.DENIED, OrderState.NOT_PLACED)
_STOP_TYPES = (OrderType.SL, OrderType.SL_M)


_ENDS = {
    BrokerStatus.COMPLETE: OrderState.FILLED,
    BrokerStatus.CANCELLED: OrderState.CANCELLED,
    BrokerStatus.REJECTED: OrderState.REJECTED,
}


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
    return replaced(_fresh(request, OrderState.DENIED), message=message)


def _fresh(request: OrderRequest, state: OrderState) -> Order:
    return _order(
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
    return replaced(order, state=state, order_id=order_id, updated_at=at)


def refused(order: Order, reason: str, at: datetime) -> Order:
    """The broker provably did not take it; a fact that contradicts this (a fill) has priority."""
    if order.state not in (OrderState.INTENT, OrderState.UNKNOWN):
        return order
    return replaced(order, state=OrderState.REJECTED, message=reason, updated_at=at)


def unknown(order: Order, reason: str, at: datetime) -> Order:
    if order.state is not OrderState.INTENT:
        return order
    return replaced(order, state=OrderState.UNKNOWN, message=reason, updated_at=at)


def not_placed(order: Order, proof: str, at: datetime) -> Order:
    """Proven absent. Only an order without any trace at the broker can be."""
    if order.state not in (OrderState.INTENT, OrderState.UNKNOWN) or order.filled_quantity:
        return order
    return replaced(order, state=OrderState.NOT_PLACED, message=proof, updated_at=at)


def expired(order: Order, at: datetime) -> Order:
    """A day order is over with its day; the next morning's book does not show it (kite.md 5)."""
    if order.state.terminal:
        return order
    return replaced(
        order, state=OrderState.EXPIRED, prior_state=None, message="its trading day is over", updated_at=at
    )


def cancelling(order: Order, at: datetime) -> Order:
    """A cancel is on its way; the state before it is remembered in case it fails. One at a time: the answer
    names the order, not the request."""
    if order.state.terminal or order.state in ANSWER_DUE:
        return order
    return replaced(order, state=OrderState.PENDING_CANCEL, prior_state=order.state, updated_at=at)


def modifying(order: Order, change: OrderChange) -> Order:
    """New terms are on their way. They are booked at once: if the change fails, ``change_answered``
    puts the old ones back."""
    return replaced(
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
    if order.state not in ANSWER_DUE:
        return order
    if order.state is OrderState.PENDING_CANCEL and not error:
        return replaced(order, updated_at=at)  # accepted is not done: CANCELLED comes as an update
    state = order.prior_state or OrderState.OPEN
    settled = replaced(order, state=state, prior_state=None, message=error, updated_at=at)
    if error and before is not None and order.state is OrderState.PENDING_MODIFY:
        settled = replaced(
            settled,
            quantity=before.quantity,
            order_type=before.order_type,
            price=before.price,
            trigger_price=before.trigger_price,
            purpose=before.purpose,
        )
    return settled


def settled(order: Order, update: OrderUpdate, at: datetime) -> Order:
    """A modify or cancel whose answer was lost, decided by a reading of the book that began after it: the
    order has the terms the book shows. A market order may be shown as the limit order it was turned into
    (market protection, kite.md 4)."""
    if order.state not in ANSWER_DUE or update.status.final:
        return order
    resting = update.order_type in _STOP_TYPES
    as_asked = order.order_type is OrderType.MARKET and update.order_type is OrderType.LIMIT
    return replaced(
        order,
        state=order.prior_state or _reported(update.status, update.filled_quantity),
        prior_state=None,
        quantity=update.quantity,
        order_type=order.order_type if as_asked else update.order_type,
        price=None if as_asked else update.price,
        trigger_price=update.trigger_price if resting else None,
        purpose=Purpose.STOP if resting and order.purpose is not Purpose.ENTRY else order.purpose,
        updated_at=at,
    )


def amended(order: Order, update: OrderUpdate) -> Order:
    """An order from elsewhere has the terms its owner changed it to; of ours two readings tell (terms.py)."""
    if order.purpose is not Purpose.EXTERNAL or update.at < order.updated_at:
        return order
    quantity, order_type, price, trigger = terms = (
        update.quantity, update.order_type, update.price, update.trigger_price,
    )  # fmt: skip
    if terms == (order.quantity, order.order_type, order.price, order.trigger_price):
        return order
    return replaced(order, quantity=quantity, order_type=order_type, price=price, trigger_price=trigger)


def changed_elsewhere(order: Order, update: OrderUpdate) -> Order:
    """A resting stop of ours with the terms its owner gave it in the broker's app."""
    return replaced(
        order,
        quantity=update.quantity,
        order_type=update.order_type,
        price=update.price,
        trigger_price=update.trigger_price,
        updated_at=max(order.updated_at, update.at),
    )


def agrees(order: Order, update: OrderUpdate) -> bool:
    """Whether the order ended as the broker says it did: nothing is left to merge."""
    return (
        order.filled_quantity == update.filled_quantity
        and order.order_id is not None
        and _ENDS.get(update.status) is order.state
    )


def merge(order: Order, update: OrderUpdate) -> Merged:
    """Fold one broker fact in; any order of the same facts ends in the same place."""
    update = _priced(order, update)
    execution = _execution(order, update)
    filled = max(order.filled_quantity, update.filled_quantity)
    average = update.average_price if execution else order.average_price
    state, prior = _next_state(order, update.status, filled)
    merged = replaced(
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
    exact = value / quantity
    price = exact.quantize(_PRICE_STEP, ROUND_HALF_EVEN)
    return Execution(quantity, price if price == exact else exact.quantize(_FINE_STEP, ROUND_HALF_EVEN))


def _priced(order: Order, update: OrderUpdate) -> OrderUpdate:
    """Kite promises an average only of a complete order (kite.md 11). A part filled without one is taken at
    the best guess, which the next fill puts right: a fill at ₹0 would throw every loss limit."""
    if not update.filled_quantity or update.average_price > 0:
        return update
    guess = order.average_price or order.price or order.trigger_price or order.request.reference_price
    return replaced(update, average_price=guess) if guess else update


def _next_state(order: Order, status: BrokerStatus, filled: int) -> tuple[OrderState, OrderState | None]:
    reported = _reported(status, filled)
    now = order.state
    # A refusal is believed until the order is seen: one that was refused to us has no id yet.
    absent = now in _ABSENT or (now is OrderState.REJECTED and order.order_id is None)
    if now.terminal and not absent:
        # A fill after the end (faults.md 22): the quantity is taken, the end stays unless it is now full.
        return (OrderState.FILLED if filled >= order.quantity else now), None
    if reported.terminal or absent:
        return reported, None
    if now in ANSWER_DUE:
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
    return replaced(order, order_id=update.order_id, updated_at=update.at)


def describe(order: Order) -> str:
    """``BUY 98 RELIANCE MARKET (entry, ema_crossover)``."""
    return (
        f"{order.side} {order.quantity} {symbol_of(order.key)} {order.order_type}"
        f" ({order.purpose}, {order.owner})"
    )
