"""How positions are left: the stop that rests at the broker, the target, the trail, and leaving for any
other reason.

There is at most one resting order that closes a position. A stop is moved by changing it in place, and an
exit of any kind is the same order changed to sell at the market, so the position is never unprotected and
never sold twice. Only where no stop rests is a separate exit order made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trader.desk.exposure import CLOSING, closing_quantity
from trader.desk.limits import MODIFICATIONS_PER_ORDER
from trader.desk.orderflow import OrderFlow
from trader.desk.plans import closing_side, planned, reached, stop_on_tick
from trader.desk.portfolio import Slot
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.market import Bar
from trader.domain.money import decimal_of
from trader.domain.order import (
    EXTERNAL,
    Denied,
    Order,
    OrderRequest,
    OrderState,
    OrderType,
    Purpose,
    Side,
)
from trader.domain.position import Position
from trader.domain.records import ExitPlan, Priority
from trader.market.calendar import Phase
from trader.strategy import rules
from trader.strategy.options import Options

# Changes kept back for leaving: a trail that used up the order's budget could not be converted any more.
RESERVED_CHANGES = 5
# A trailing stop moves when it gains at least this part of its distance; each move is a broker call.
TRAIL_STEP = Decimal("0.1")
STOP_ATTEMPTS = 3
# How long an exit may wait for an order in flight before it goes its own way, and how long a market order
# may rest before its protection price (kite.md 4) is taken from the market anew.
PATIENCE = timedelta(seconds=10)
# Pauses between attempts to leave: what the broker refuses every second would use up the day's orders.
PAUSES = tuple(timedelta(seconds=s) for s in (0, 1, 2, 4, 8, 15, 30, 60, 120, 300))

FlatHook = Callable[[Turn, Slot], None]


@dataclass(slots=True)
class _Leaving:
    """A slot on its way out. Not recorded: what asked for it (kill, square-off, a stopping strategy, a
    strategy's exit signal on the next bar) asks again after a restart."""

    purpose: Purpose
    since: datetime
    limit: Decimal | None = None  # a target taken inside a replayed candle
    attempts: int = 0
    again_at: datetime | None = None

    def tried(self, at: datetime) -> None:
        self.again_at = at + PAUSES[min(self.attempts, len(PAUSES) - 1)]
        self.attempts += 1


class Exits:
    def __init__(self, state: DeskState, flow: OrderFlow) -> None:
        self._state = state
        self._flow = flow
        self._leaving: dict[Slot, _Leaving] = {}
        self._stop_failures: dict[Slot, int] = {}
        self.on_flat: FlatHook = _ignore

    # -- the plan --------------------------------------------------------------------------------

    def entered(self, turn: Turn, slot: Slot, options: Options) -> None:
        """An entry filled, wholly or in part: plan the exit from the average price and protect it."""
        position = self._state.portfolio.position(slot)
        instrument = self._state.instrument(slot.key)
        if not position.quantity or instrument is None:
            return
        plan = self._state.plans.get(slot)
        self._plan(turn, planned(slot, position, instrument, options, plan))
        self._protect(turn, slot)

    def closed(self, turn: Turn, slot: Slot) -> None:
        """The position is flat: nothing of it may stay at the broker."""
        self._leaving.pop(slot, None)
        self._stop_failures.pop(slot, None)
        plan = self._state.plans.pop(slot, None)
        if plan is not None:
            turn.write(replace(plan, closed=True))
        for order in self._state.working_in(slot):
            if order.purpose is Purpose.ENTRY:
                self._flow.withdraw(turn, order, "the position is flat", Purpose.EXIT)
            else:
                self._flow.cancel(turn, order, "the position is flat")
        self.on_flat(turn, slot)

    def flipped(self, turn: Turn, slot: Slot) -> None:
        """Exits closed more than was held: the plan was for the position that is gone."""
        plan = self._state.plans.pop(slot, None)
        if plan is not None:
            turn.write(replace(plan, closed=True))
        for order in self._state.working_in(slot):
            self._flow.cancel(turn, order, "the position is closed")

    def reduced(self, turn: Turn, slot: Slot) -> None:
        """Part of the position was closed; the resting stop must not be larger than what is left."""
        leaving = self._leaving.get(slot)
        if leaving is None:
            self._protect(turn, slot)
        else:
            leaving.attempts, leaving.again_at = 0, None  # it is getting somewhere

    def _plan(self, turn: Turn, plan: ExitPlan) -> None:
        self._state.plans[Slot(plan.owner, plan.key, plan.product)] = plan
        turn.write(plan)

    # -- protection ------------------------------------------------------------------------------

    def protected(self, slot: Slot) -> bool:
        order = self._resting(slot)
        return order is not None and order.state in (
            OrderState.INTENT,  # on its way since the same moment
            OrderState.ACKED,
            OrderState.TRIGGER_PENDING,
            OrderState.OPEN,
            OrderState.PENDING_MODIFY,
            OrderState.PARTIAL,
        )

    def _resting(self, slot: Slot) -> Order | None:
        """The working order that closes this slot's position, stop or converted stop."""
        plan = self._state.plans.get(slot)
        if plan is None or plan.stop_tag is None:
            return None
        return self._state.working.get(plan.stop_tag)

    def _protect(self, turn: Turn, slot: Slot) -> None:
        """Make the resting stop equal the plan: its quantity, its trigger, its existence."""
        plan = self._state.plans.get(slot)
        position = self._state.portfolio.position(slot)
        if plan is None or plan.stop is None or not position.quantity or slot in self._leaving:
            return
        if self._state.calendar.phase(turn.at) is not Phase.OPEN or not self._state.reconciled:
            return
        order = self._resting(slot)
        if order is None:
            self._place_stop(turn, slot, plan, position)
        elif order.purpose is Purpose.STOP:
            wanted = abs(position.quantity) + order.filled_quantity
            if order.quantity != wanted and order.modifications >= MODIFICATIONS_PER_ORDER:
                self._flow.cancel(turn, order, "its changes are used up; a new one follows")
            elif order.quantity != wanted or order.trigger_price != plan.stop:
                self._flow.change(
                    turn,
                    order,
                    quantity=wanted,
                    order_type=order.order_type,
                    price=None,
                    trigger_price=plan.stop,
                    purpose=Purpose.STOP,
                )

    def _place_stop(self, turn: Turn, slot: Slot, plan: ExitPlan, position: Position) -> None:
        if self._stop_failures.get(slot, 0) >= STOP_ATTEMPTS:
            self._tell_unprotected(turn, slot)
            self.leave(turn, slot, Purpose.EXIT)
            return
        side = closing_side(position)
        quote = self._state.quotes.get(slot.key)
        if quote is not None and plan.stop is not None:
            beyond = (
                decimal_of(quote.last) <= plan.stop
                if side is Side.SELL
                else decimal_of(quote.last) >= plan.stop
            )
            if beyond:  # the exchange would refuse the trigger: the market is already past it
                self.leave(turn, slot, Purpose.STOP)
                return
        request = OrderRequest(
            tag=self._state.next_tag(turn.at),
            owner=slot.owner,
            key=slot.key,
            side=side,
            quantity=abs(position.quantity),
            order_type=OrderType.SL_M,
            product=slot.product,
            purpose=Purpose.STOP,
            at=turn.at,
            trigger_price=plan.stop,
            note="protective stop",
        )
        outcome = self._flow.submit(turn, request)
        if not isinstance(outcome, Denied):
            self._plan(turn, replace(plan, stop_tag=outcome.tag))

    def order_ended(self, turn: Turn, order: Order) -> None:
        """A reducing order ended. A stop that ended unfilled while the position is open was refused,
        or cancelled by somebody: it is placed again, a few times, on the next clock tick."""
        slot = Slot(order.owner, order.key, order.product)
        if order.state is OrderState.REJECTED and order.purpose is Purpose.STOP:
            self._stop_failures[slot] = self._stop_failures.get(slot, 0) + 1
        del turn

    def _tell_unprotected(self, turn: Turn, slot: Slot) -> None:
        turn.alert(
            f"unprotected:{slot.owner}:{slot.key}:{turn.at:%Y%m%d%H%M%S}",
            Priority.CRITICAL,
            "order",
            f"Unprotected: {symbol_of(slot.key)} ({slot.owner})",
            f"The broker refused the stop {STOP_ATTEMPTS} times. The position is being closed.",
        )

    # -- leaving ---------------------------------------------------------------------------------

    def leaving(self, slot: Slot) -> bool:
        return slot in self._leaving

    def leave(self, turn: Turn, slot: Slot, purpose: Purpose, limit: Decimal | None = None) -> None:
        """Close the slot's position. Kill overrides a reason given before; others keep the first."""
        if not self._state.portfolio.position(slot).quantity:
            return
        known = self._leaving.get(slot)
        if known is None or purpose is Purpose.KILL:
            self._leaving[slot] = _Leaving(purpose, turn.at, limit)
        self._pursue(turn, slot)

    def leave_all(self, turn: Turn, slots: Iterable[Slot], purpose: Purpose) -> None:
        for slot in list(slots):
            self.leave(turn, slot, purpose)

    def _pursue(self, turn: Turn, slot: Slot) -> None:
        """One step towards flat; called again every second until it is."""
        leaving = self._leaving[slot]
        position = self._state.portfolio.position(slot)
        if self._state.calendar.phase(turn.at) is not Phase.OPEN:
            return  # the exchange takes nothing now; kill reports it, the next session tries again
        if not self._state.reconciled and leaving.purpose is not Purpose.KILL:
            return  # it may have been closed while nobody was here; the book is being read
        for order in self._state.working_in(slot):
            if order.purpose is Purpose.ENTRY:
                self._flow.withdraw(turn, order, "the position is being closed", leaving.purpose)
        resting = self._resting(slot)
        if resting is not None and self._convert(turn, resting, position, leaving):
            return
        for order in self._state.working_in(slot):
            if order.purpose in CLOSING and order.tag != (resting.tag if resting else None):
                self._press(turn, order, order.quantity, order.purpose, leaving)
        rest = abs(position.quantity) - closing_quantity(self._state, slot)
        if rest <= 0 or (leaving.again_at is not None and turn.at < leaving.again_at):
            return
        instrument = self._state.instrument(slot.key)
        if instrument is not None and instrument.freeze_quantity:
            rest = min(rest, instrument.freeze_quantity)  # the remainder follows, a slice a second
        leaving.tried(turn.at)
        quote = self._state.quotes.get(slot.key)
        self._flow.submit(
            turn,
            OrderRequest(
                tag=self._state.next_tag(turn.at),
                owner=slot.owner,
                key=slot.key,
                side=closing_side(position),
                quantity=rest,
                order_type=OrderType.MARKET,
                product=slot.product,
                purpose=leaving.purpose if leaving.purpose in CLOSING else Purpose.EXIT,
                at=turn.at,
                reference_price=decimal_of(quote.last) if quote else None,
                note=f"leave: {leaving.purpose}",
            ),
        )

    def _convert(self, turn: Turn, order: Order, position: Position, leaving: _Leaving) -> bool:
        """Turn the resting stop into the exit. True when the exit is in its hands."""
        if order.order_id is None:
            # Nothing can be asked of it before the broker names it or the book proves it absent. Should it
            # turn up after the exit has gone its own way, it is cancelled (``_sweep``).
            return turn.at - leaving.since < PATIENCE
        quantity = abs(position.quantity) + order.filled_quantity
        if order.order_type is OrderType.MARKET and order.quantity == quantity:
            self._press(turn, order, quantity, order.purpose, leaving)
            return order.purpose in CLOSING
        limit = leaving.limit if order.purpose is Purpose.STOP else None
        purpose = leaving.purpose if leaving.purpose in CLOSING else Purpose.EXIT
        self._reshape(turn, order, quantity, purpose, leaving, limit)
        return True  # as long as it has an id and works, a second order could sell the position twice

    def _press(self, turn: Turn, order: Order, quantity: int, purpose: Purpose, leaving: _Leaving) -> None:
        """A market order that rests: at Kite it is a limit at its protection price, which the market has
        left behind. The same change again takes the price anew."""
        if turn.at - order.updated_at >= PATIENCE:
            self._reshape(turn, order, quantity, purpose, leaving, None)

    def _reshape(
        self,
        turn: Turn,
        order: Order,
        quantity: int,
        purpose: Purpose,
        leaving: _Leaving,
        limit: Decimal | None,
    ) -> None:
        if leaving.again_at is not None and turn.at < leaving.again_at:
            return
        if order.modifications >= MODIFICATIONS_PER_ORDER:
            self._flow.cancel(turn, order, "its changes are used up")
            return
        changed = self._flow.change(
            turn,
            order,
            quantity=quantity,
            order_type=OrderType.LIMIT if limit is not None else OrderType.MARKET,
            price=limit,
            trigger_price=None,
            purpose=purpose,
        )
        if changed:
            leaving.tried(turn.at)

    # -- the market moved ------------------------------------------------------------------------

    def on_prices(self, turn: Turn, moved: set[InstrumentKey]) -> None:
        """Targets and trails of the positions in instruments that traded."""
        for slot, position in list(self._state.portfolio.open_slots().items()):
            if slot.key not in moved:
                continue
            plan = self._state.plans.get(slot)
            if plan is None or slot in self._leaving:
                continue
            quote = self._state.quotes.get(slot.key)
            if quote is None:
                continue  # its only ticks so far were unusable
            last = quote.last
            if reached(position, plan, last):
                self.leave(turn, slot, Purpose.TARGET)
            elif plan.trail is not None:
                self._trail(turn, slot, plan, position, last, last)

    def on_range(self, turn: Turn, bar: Bar) -> None:
        """Inside a replayed candle the broker has served the stops already; a target the candle reached
        is taken at its price, and the trail follows the candle's best for the time after it."""
        for slot, position in list(self._state.portfolio.open_slots().items()):
            plan = self._state.plans.get(slot)
            if slot.key != bar.key or plan is None or slot in self._leaving:
                continue
            best = bar.high if position.quantity > 0 else bar.low
            if reached(position, plan, best):
                self.leave(turn, slot, Purpose.TARGET, limit=plan.target)
            elif plan.trail is not None:
                self._trail(turn, slot, plan, position, bar.high, bar.low)

    def _trail(
        self, turn: Turn, slot: Slot, plan: ExitPlan, position: Position, high: float, low: float
    ) -> None:
        side = 1 if position.quantity > 0 else -1
        trail, before = plan.trail, plan.stop
        best = decimal_of(rules.best_price(side, float(plan.best_price), high, low))
        if best == plan.best_price or trail is None or before is None:
            return
        plan = replace(plan, best_price=best)
        self._state.plans[slot] = plan  # recorded with the next move of the stop
        instrument = self._state.instrument(slot.key)
        order = self._resting(slot)
        if instrument is None or order is None:
            return
        if order.modifications >= MODIFICATIONS_PER_ORDER - RESERVED_CHANGES:
            return
        wanted = rules.trailed_stop(side, float(best), float(trail), float(before))
        stop = stop_on_tick(instrument, side, wanted)
        if (stop - before) * side >= max(instrument.tick_size, trail * TRAIL_STEP):
            self._plan(turn, replace(plan, stop=stop))
            self._protect(turn, slot)

    def on_clock(self, turn: Turn) -> None:
        """Once a second: pursue what is leaving, protect what is not."""
        for slot in list(self._leaving):
            if self._state.portfolio.position(slot).quantity:
                self._pursue(turn, slot)
            else:
                del self._leaving[slot]
        for slot in list(self._state.portfolio.open_slots()):
            if slot.owner != EXTERNAL:
                self._protect(turn, slot)
        self._sweep(turn)

    def _sweep(self, turn: Turn) -> None:
        """Cancel orders that outlived their position; one in flight when it closed had no id to cancel. The
        same for a stop that is not the plan's: it was given up for lost and turned up after all."""
        for order in list(self._state.working.values()):
            if order.purpose in (Purpose.ENTRY, Purpose.EXTERNAL):
                continue
            slot = Slot(order.owner, order.key, order.product)
            plan = self._state.plans.get(slot)
            if self._state.portfolio.position(slot).quantity * order.side.sign >= 0:
                self._flow.cancel(turn, order, "nothing is left to close")
            elif order.purpose is Purpose.STOP and plan is not None and plan.stop_tag != order.tag:
                self._flow.cancel(turn, order, "another stop protects the position")
            elif order.purpose in CLOSING and slot not in self._leaving:
                self._resume_leaving(turn, slot, order)

    def _resume_leaving(self, turn: Turn, slot: Slot, order: Order) -> None:
        """An exit is on its way, but nobody here remembers why: after a restart it is seen through; one that
        was meant for an earlier position, and given up for lost, is not."""
        opened = self._state.portfolio.position(slot).opened_at
        if opened is not None and order.request.at < opened:
            self._flow.cancel(turn, order, "it was for an earlier position")
        else:
            self.leave(turn, slot, order.purpose)


def _ignore(turn: Turn, slot: Slot) -> None:
    del turn, slot
