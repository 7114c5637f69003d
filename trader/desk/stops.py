"""The stop that rests at the broker: placed with the entry's fill, moved by changing it in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from trader.desk.fellows import taken_out
from trader.desk.leaving import PAUSES, Leaving
from trader.desk.limits import MODIFICATIONS_PER_ORDER
from trader.desk.overnight import Overnight
from trader.desk.plans import closing_side, keep_plan, resting_exit
from trader.desk.portfolio import Slot, slot_of
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.order import Denied, Order, OrderRequest, OrderState, OrderType, Purpose, Side, Tag
from trader.domain.position import Position
from trader.domain.records import ExitPlan, Priority
from trader.domain.values import replaced
from trader.market import shaping

STOP_ATTEMPTS = 3
LOOKED_UP = 2  # the first of the pauses in which the book is read
# Changes kept back for leaving: a stop that a trail had moved to the end could not be turned into an exit.
RESERVED_CHANGES = 5
# How long a stop that fired may look for a buyer inside its limit before it is sold at the market.
FIRED_PATIENCE = timedelta(seconds=2)
_FIRED = (OrderState.OPEN, OrderState.PARTIAL)
_FIRE = (OrderType.SL, OrderType.SL_M, OrderType.LIMIT)  # the last is what a GTT became


LeaveHook = Callable[[Turn, Slot], Sequence[InstrumentKey]]


class Stops:
    """``leave_with`` has what must not stay behind alone leave with a position, and says what that is."""

    def __init__(self, state: DeskState, sending: Sending, leaving: Leaving, overnight: Overnight) -> None:
        self._state = state
        self._sending = sending
        self._overnight = overnight
        self._leaving = leaving
        self._failures: dict[Slot, int] = {}
        self._unsent: dict[Slot, tuple[int, datetime]] = {}  # how often in a row, and when again
        self._renewed: set[Tag] = set()  # stops that are cancelled for a new one
        self.leave_with: LeaveHook = _nobody_with

    def forget(self, slot: Slot) -> None:
        self._failures.pop(slot, None)
        self._unsent.pop(slot, None)

    def refused(self, slot: Slot) -> None:
        """The broker rejected a stop; after a few the position is closed instead."""
        self._failures[slot] = self._failures.get(slot, 0) + 1

    def unsent(self, turn: Turn, slot: Slot, *, too_many: bool) -> None:
        """A stop never reached the broker, or came too soon after other requests: it is placed again after
        ever longer pauses, and nothing is closed for it but what is past its price."""
        tries = self._unsent.get(slot, (0, turn.at))[0]
        if too_many:  # the book is read first: it may have been taken all the same
            tries = max(tries, LOOKED_UP)
        self._unsent[slot] = tries + 1, turn.at + PAUSES[min(tries, len(PAUSES) - 1)]

    def ended(self, turn: Turn, order: Order) -> None:
        """One that had used up its changes is gone: the new one follows in the same moment."""
        if order.tag in self._renewed:
            self._renewed.discard(order.tag)
            self.protect(turn, slot_of(order))

    def protected(self, slot: Slot) -> bool:
        if self._overnight.protects(slot):
            return True
        order = resting_exit(self._state, slot)
        return order is not None and order.state in (
            OrderState.INTENT,  # on its way since the same moment
            OrderState.ACKED,
            OrderState.TRIGGER_PENDING,
            OrderState.OPEN,
            OrderState.PENDING_MODIFY,
            OrderState.PARTIAL,
        )

    def protect(self, turn: Turn, slot: Slot) -> None:
        """Make the resting stop equal the plan: its quantity, its trigger, its existence."""
        plan = self._state.plans.get(slot)
        position = self._state.portfolio.position(slot)
        if plan is None or plan.stop is None or not position.quantity or slot in self._leaving:
            return
        if not self._state.trades_now(slot.key, turn.at) or not self._state.reconciled:
            return  # the exchange cancels stops when continuous trading ends (india.md 6)
        if self._overnight.blocks(turn, slot):
            return  # the night's stop goes first, or both could sell
        order = resting_exit(self._state, slot) or self._turned_up(turn, slot, plan, position)
        if order is not None and order.order_id is not None:
            self._unsent.pop(slot, None)
        if order is None:
            self._place_stop(turn, slot, plan, position)
        elif order.purpose is Purpose.STOP:
            self._adjust_stop(turn, slot, order, plan.stop, position)

    def _turned_up(self, turn: Turn, slot: Slot, plan: ExitPlan, position: Position) -> Order | None:
        """A stop that was given up for lost, or refused, and rests all the same: while no newer one does, it
        protects as well as another one would."""
        for order in self._state.working_in(slot):
            ours = order.purpose is Purpose.STOP and order.side is closing_side(position)
            if ours and order.order_id is not None and order.state is not OrderState.PENDING_CANCEL:
                keep_plan(self._state, turn, replaced(plan, stop_tag=order.tag))
                return order
        return None

    def _adjust_stop(
        self, turn: Turn, slot: Slot, order: Order, trigger: Decimal, position: Position
    ) -> None:
        if order.order_type in _FIRE and order.state in _FIRED:
            # The market went through its limit, or through the protection that Kite gives an SL-M (kite.md
            # 4): what it left of the position is sold at the market.
            if turn.at - order.updated_at >= FIRED_PATIENCE:
                self._leaving.leave(turn, slot, Purpose.STOP)
            return
        wanted = abs(position.quantity) + order.filled_quantity
        if order.quantity == wanted and order.trigger_price == trigger:
            return
        kept = 0 if order.quantity != wanted else RESERVED_CHANGES
        if order.modifications >= MODIFICATIONS_PER_ORDER - kept:
            # Never two that could both sell: the new one is not sent before this one is known to be gone.
            self._renewed.add(order.tag)
            self._sending.cancel(turn, order, "its changes are used up; a new one follows")
        else:
            self._sending.change(
                turn,
                order,
                quantity=wanted,
                order_type=order.order_type,
                price=self._stop_limit(slot, order.order_type, order.side, trigger),
                trigger_price=trigger,
                purpose=Purpose.STOP,
            )

    def _stop_limit(self, slot: Slot, kind: OrderType, side: Side, trigger: Decimal) -> Decimal | None:
        instrument = self._state.instrument(slot.key)
        if kind is not OrderType.SL or instrument is None:
            return None
        return shaping.stop_limit(instrument, side, trigger)

    def _place_stop(self, turn: Turn, slot: Slot, plan: ExitPlan, position: Position) -> None:
        if self._failures.get(slot, 0) >= STOP_ATTEMPTS:
            self._leaving.leave(turn, slot, Purpose.EXIT)
            self._tell_unprotected(turn, slot, self.leave_with(turn, slot))
            return
        side = closing_side(position)
        last = self._state.portfolio.last_price(slot, self._state.quotes)
        if last is not None and plan.stop is not None:
            beyond = last <= plan.stop if side is Side.SELL else last >= plan.stop
            if beyond:  # the exchange would refuse the trigger: the market is already past it
                self._leaving.leave(turn, slot, Purpose.STOP)
                return
        if slot in self._unsent and turn.at < self._unsent[slot][1]:
            return
        instrument = self._state.instrument(slot.key)
        # SL-M is barred in options and at the BSE (india.md 4); there an SL with a wide limit stands in.
        kind = shaping.stop_type(instrument) if instrument is not None else OrderType.SL_M
        assert plan.stop is not None  # noqa: S101 - without a stop nobody comes here
        request = OrderRequest(
            tag=self._state.next_tag(turn.at),
            owner=slot.owner,
            key=slot.key,
            side=side,
            quantity=abs(position.quantity),
            order_type=kind,
            price=self._stop_limit(slot, kind, side, plan.stop),
            product=slot.product,
            purpose=Purpose.STOP,
            at=turn.at,
            trigger_price=plan.stop,
            note="protective stop",
        )
        outcome = self._sending.submit(turn, request)
        if not isinstance(outcome, Denied):
            keep_plan(self._state, turn, replaced(plan, stop_tag=outcome.tag))

    def _tell_unprotected(self, turn: Turn, slot: Slot, others: Sequence[InstrumentKey]) -> None:
        turn.alert(
            f"unprotected:{slot.owner}:{slot.key}:{turn.at:%Y%m%d%H%M%S}",
            Priority.CRITICAL,
            "order",
            f"Unprotected: {symbol_of(slot.key)} ({slot.owner})",
            f"The broker refused the stop {STOP_ATTEMPTS} times. The position is being closed."
            f"{taken_out(others)}",
        )


def _nobody_with(turn: Turn, slot: Slot) -> Sequence[InstrumentKey]:
    del turn, slot
    return ()
