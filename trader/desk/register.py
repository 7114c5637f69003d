"""Our orders as they stand: every step of one is recorded here, and what is known of it while it works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from trader.desk import orders as machine
from trader.desk.fellows import also_left
from trader.desk.refusals import Refusals
from trader.desk.state import DeskState, Turn
from trader.domain.order import Order, OrderState, OrderUpdate, Tag
from trader.domain.records import OrderEvent, Priority
from trader.domain.values import quick

_event = quick(OrderEvent)

EndHook = Callable[[Turn, Order], None]
FellowsHook = Callable[[Order], Sequence[Order]]


class Register:
    """``on_end`` is called when an order has ended, ``beside`` says which entries leave with one that came to
    nothing. What stands in the fields is of working orders, and is not recorded."""

    def __init__(self, state: DeskState) -> None:
        self._state = state
        self.on_end: EndHook = _ignore_end
        self.beside: FellowsHook = _nobody_beside
        # The terms before a change under way, to fall back to; a restart reads them from the broker.
        self.before_change: dict[Tag, Order] = {}
        self.decided_at: dict[Tag, Decimal] = {}  # last price when a resting order was sent to close
        self.lost_answers: set[Tag] = set()  # changes and cancels whose outcome is unknown
        self.cancels_taken: set[Tag] = set()  # by the broker, who has yet to say that the order is gone
        self.refusals = Refusals()
        # The last update that told nothing new of an order, and that order: the book shows it every minute.
        self.idle: dict[Tag, tuple[Order, OrderUpdate]] = {}

    def keep(self, turn: Turn, after: Order, before: Order | None, detail: str) -> None:
        state = self._state
        tag = after.tag
        state.orders[tag] = after
        if after.order_id is not None:
            state.tags_by_id[after.order_id] = tag
        if after.state.working:
            state.working[tag] = after
        else:
            state.working.pop(tag, None)
            self.before_change.pop(tag, None)
            self.decided_at.pop(tag, None)
            self.idle.pop(tag, None)
            self.refusals.forget(tag)
        if after.state not in machine.ANSWER_DUE:
            self.lost_answers.discard(tag)
            self.cancels_taken.discard(tag)
        sequence = state.sequences.get(tag, 0) + 1
        state.sequences[tag] = sequence
        turn.write(after)
        turn.write(_event(tag, sequence, turn.at, before.state if before else None, after.state, detail))

    def ended(self, turn: Turn, order: Order, follows: str = "") -> None:
        """``follows`` is told with a rejection."""
        if order.state is OrderState.REJECTED:
            turn.alert(
                f"rejected:{order.tag}",
                Priority.CRITICAL,
                "order",
                f"Rejected by the broker: {machine.describe(order)}",
                order.message + follows + also_left(self.beside(order)),
            )
        self.on_end(turn, order)

    def expire(self, turn: Turn, order: Order) -> None:
        """A day order of an earlier day."""
        self.keep(turn, machine.expired(order, turn.at), order, "its trading day is over")
        self.ended(turn, self._state.orders[order.tag])


def _ignore_end(turn: Turn, order: Order) -> None:
    del turn, order


def _nobody_beside(order: Order) -> Sequence[Order]:
    del order
    return ()
