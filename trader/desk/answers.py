"""What the broker answers to a request of ours, and what becomes of an order that it does not answer for."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from trader.desk import orders as machine
from trader.desk.denials import TELL_AGAIN_AFTER
from trader.desk.exposure import CLOSING
from trader.desk.fellows import also_left
from trader.desk.limits import MODIFICATIONS_PER_ORDER
from trader.desk.portfolio import Slot, slot_of
from trader.desk.register import Register
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.desk.updates import Updates
from trader.domain.money import rupees
from trader.domain.order import Order, OrderId, OrderState, OrderUpdate, Purpose, Side, Tag
from trader.domain.records import Priority
from trader.domain.values import replaced


class Answers:
    def __init__(self, state: DeskState, register: Register, sending: Sending, updates: Updates) -> None:
        self._state = state
        self._register = register
        self._sending = sending
        self._updates = updates
        self._unsent: dict[tuple[Slot, Purpose, str], datetime] = {}  # when the owner heard of it

    def acked(self, turn: Turn, tag: Tag, order_id: OrderId) -> None:
        order = self._state.orders.get(tag)
        if order is None:
            return
        for cause in [cause for cause in self._unsent if cause[0] == slot_of(order)]:
            del self._unsent[cause]  # should it happen again, it is news
        if order.order_id is None:
            self._register.keep(turn, machine.acked(order, order_id, turn.at), order, f"broker id {order_id}")
            self._sending.withdraw_again(turn, tag)
        self._updates.unpark(turn, order_id)

    def refused(
        self, turn: Turn, tag: Tag, reason: str, *, sent: bool = True, too_many: bool = False
    ) -> None:
        """``sent`` False: here, before the broker heard of it; ``too_many``: for the pace of requests."""
        order = self._state.orders.get(tag)
        if order is None:
            return
        after = (machine.refused if sent else machine.not_placed)(order, reason, turn.at)
        if after is not order:
            self._register.keep(turn, after, order, reason)
            if not sent:
                self._tell_unsent(turn, after)
            elif too_many or order.purpose is not Purpose.ENTRY:
                self._register.refusals.placement(tag, turn.at, too_many=too_many)
            self._register.ended(turn, after, _later(after) if too_many else "")
            self._updates.unpark(turn)

    def outcome_unknown(self, turn: Turn, tag: Tag, reason: str) -> None:
        order = self._state.orders.get(tag)
        if order is None:
            return
        after = machine.unknown(order, reason, turn.at)
        if after is not order:
            self._register.keep(turn, after, order, reason)
            turn.alert(
                f"unknown:{tag}",
                Priority.CRITICAL,
                "order",
                f"Outcome unknown: {machine.describe(after)}",
                "It may or may not be at the broker. It will not be sent again;"
                f" the order book is searched for its tag {tag}.{_bare(after)}",
            )

    def _tell_unsent(self, turn: Turn, order: Order) -> None:
        """An entry is one decision and told each time; what is tried again and again, once in a while."""
        if order.purpose is not Purpose.ENTRY:
            cause = (slot_of(order), order.purpose, order.message)
            told = self._unsent.get(cause)
            if told is not None and turn.at - told < TELL_AGAIN_AFTER:
                return
            self._unsent[cause] = turn.at
        turn.alert(
            f"unsent:{order.tag}",
            Priority.CRITICAL,
            "order",
            f"Not sent: {machine.describe(order)}",
            f"{order.message}{_unsent(order)}{also_left(self._register.beside(order))}",
        )

    def not_placed(self, turn: Turn, order: Order, proof: str) -> None:
        after = machine.not_placed(order, proof, turn.at)
        if after is not order:
            self._register.keep(turn, after, order, proof)
            turn.alert(
                f"notplaced:{order.tag}",
                Priority.STRATEGY,
                "order",
                f"Not placed: {machine.describe(order)}",
                proof + also_left(self._register.beside(after)),
            )
            self._register.ended(turn, after)
            self._updates.unpark(turn)

    def change_answered(
        self, turn: Turn, tag: Tag, error: str, *, outcome_unknown: bool, used_up: bool = False
    ) -> None:
        order = self._state.orders.get(tag)
        if order is None:
            return
        if outcome_unknown:
            if order.state in machine.ANSWER_DUE:
                self._register.lost_answers.add(tag)  # what it came to shows in the book
            return
        if error and order.state in machine.ANSWER_DUE:
            self._register.refusals.refused(tag, turn.at)
        if not error and order.state is OrderState.PENDING_CANCEL:
            self._register.cancels_taken.add(tag)
        after = machine.change_answered(order, self._register.before_change.pop(tag, None), error, turn.at)
        if used_up:  # it was changed elsewhere too
            after = replaced(after, modifications=max(after.modifications, MODIFICATIONS_PER_ORDER))
        if after is not order:
            self._register.keep(turn, after, order, error or "change accepted")

    def lost(self, order: Order, at: datetime, patience: timedelta) -> bool:
        """Whether a change or cancel of this order will not be answered any more."""
        return order.state in machine.ANSWER_DUE and (
            order.tag in self._register.lost_answers or at - order.updated_at > patience
        )

    def refused_since(self, order: Order, at: datetime | None) -> bool:
        """Whether a change or cancel of this order was refused after ``at``: it may have ended, and nobody
        told (faults.md 19)."""
        return self._register.refusals.since(order.tag, at)

    def may_turn_up(self, at: datetime) -> set[Tag]:
        """Orders that were refused so lately that they may show in the book all the same."""
        return self._register.refusals.doubtful(at)

    def settle(self, turn: Turn, order: Order, update: OrderUpdate) -> None:
        """A change or cancel whose answer was lost, by a reading that began after it."""
        after = machine.settled(order, update, turn.at)
        if after is not order:
            shown = f"as the book shows it: {after.order_type} {after.quantity}"
            self._register.keep(turn, after, order, shown)


def _unsent(order: Order) -> str:
    """What follows when an order did not leave this machine."""
    if order.purpose is Purpose.ENTRY:
        return "\nThe entry is not made up for."
    left = "No stop of it rests." if order.purpose is Purpose.STOP else "The position is open still."
    return f"\n{left} It is tried again; if it cannot wait, close it in the broker's own app."


def _later(order: Order) -> str:
    """What follows when nothing was refused but the pace of requests."""
    if order.purpose is not Purpose.STOP or order.trigger_price is None:
        return ""
    return f"\nThe stop is tried again; {watched_words(order.side, order.trigger_price)}"


def _bare(order: Order) -> str:
    """What it means while nobody knows whether a stop rests (lookout.py), or an exit is on its way."""
    if order.purpose in CLOSING:
        return (
            "\nUntil then the desk sends no other exit, which could close twice. If it cannot wait, look into"
            " the broker's own app."
        )
    if order.purpose is not Purpose.STOP or order.trigger_price is None:
        return ""
    return f"\nUntil then no stop may rest: {watched_words(order.side, order.trigger_price)}"


def watched_words(side: Side, trigger: Decimal) -> str:
    """What the desk does while a stop on this side may not rest."""
    past = "below" if side is Side.SELL else "above"
    return f"at or {past} {rupees(trigger)} the desk, while it runs, leaves at the market."
