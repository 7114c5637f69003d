"""A stop of ours that rests with other terms than the desk gave it: it was changed in the broker's app."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from trader.desk import orders as machine
from trader.desk.differences import TOPIC
from trader.desk.events import BookRead
from trader.desk.exits import Exits
from trader.desk.notes import order_words
from trader.desk.portfolio import slot_of
from trader.desk.register import Register
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import symbol_of
from trader.domain.money import rupees
from trader.domain.order import BrokerStatus, Order, OrderId, OrderState, OrderUpdate, Purpose
from trader.domain.records import Priority

Shown = tuple[int, Decimal | None]  # units, trigger


class Terms:
    """What two readings in a row show, the second begun after the first was seen, is written into the order;
    then it is put back as any stop is that is not the plan's. Only rows younger than our own last step count:
    an older one shows what the stop was before it."""

    def __init__(self, state: DeskState, register: Register, exits: Exits) -> None:
        self._state = state
        self._register = register
        self._exits = exits
        self._waiting: dict[OrderId, tuple[Shown, datetime]] = {}  # seen once, and when

    @property
    def waiting(self) -> bool:
        """Whether another reading is needed to be sure."""
        return bool(self._waiting)

    def compare(self, turn: Turn, book: BookRead) -> None:
        waiting: dict[OrderId, tuple[Shown, datetime]] = {}
        rows = {update.order_id: update for update in book.orders}
        for order in list(self._state.working.values()):
            update = rows.get(order.order_id) if order.order_id is not None else None
            if update is None or not _apart(order, update):
                continue
            shown = (update.quantity, update.trigger_price)
            before, seen = self._waiting.get(update.order_id, (None, turn.at))
            if before == shown and book.asked_at >= seen:
                self._take(turn, order, update)
            else:
                waiting[update.order_id] = (shown, seen if before == shown else turn.at)
        self._waiting = waiting

    def _take(self, turn: Turn, order: Order, update: OrderUpdate) -> None:
        after = machine.changed_elsewhere(order, update)
        self._register.keep(turn, after, order, "changed elsewhere")
        slot = slot_of(order)
        plan = self._state.plans.get(slot)
        if plan is None or plan.stop is None or plan.stop_tag != order.tag:
            return
        last = self._state.portfolio.last_price(slot, self._state.quotes)
        # The broker takes no trigger that the market has passed; the plan's stop would have closed it there.
        past = last is not None and (last - plan.stop) * order.side.sign >= 0
        if past and self._state.trades_now(slot.key, turn.at):
            self._exits.leave(turn, slot, Purpose.STOP)
        turn.alert(
            f"terms:{order.tag}:{turn.at:%Y%m%d%H%M%S}",
            Priority.CRITICAL,
            TOPIC,
            f"Stop changed elsewhere: {symbol_of(order.key)} ({order.owner})",
            f"Expected: {order_words(order)}, trigger {_price(order.trigger_price)}.\n"
            f"Broker: {update.side} {update.quantity}, trigger {_price(update.trigger_price)}.\n"
            + (
                f"Done: the price is past {rupees(plan.stop)}, so it is closed."
                if past
                else "Done: it is put back; a stop follows its strategy's plan alone."
            ),
        )


def _apart(order: Order, update: OrderUpdate) -> bool:
    return (
        order.purpose is Purpose.STOP
        and order.state is OrderState.TRIGGER_PENDING
        and update.status is BrokerStatus.TRIGGER_PENDING
        and update.at > order.updated_at
        and (update.quantity, update.trigger_price) != (order.quantity, order.trigger_price)
    )


def _price(price: Decimal | None) -> str:
    return "none" if price is None else rupees(price)
