"""How positions are left: the plan made when an entry fills, and what makes it come true: the stop that rests
at the broker (``stops.py``), the target, the trail, and leaving for any other reason (``leaving.py``).

There is at most one resting order that closes a position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from trader.desk.exposure import CLOSING
from trader.desk.leaving import Leaving
from trader.desk.overnight import Overnight
from trader.desk.plans import keep_plan, planned, reached, resting_exit, stop_on_tick
from trader.desk.portfolio import Slot, slot_of
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.desk.stops import LeaveHook, Stops
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar
from trader.domain.money import decimal_of
from trader.domain.order import EXTERNAL, Order, OrderState, Purpose
from trader.domain.position import Position
from trader.domain.records import ExitPlan
from trader.domain.values import replaced
from trader.strategy import rules
from trader.strategy.options import Options

# A trailing stop moves when it gains at least this part of its distance; each move is a broker call.
TRAIL_STEP = Decimal("0.1")

FlatHook = Callable[[Turn, Slot], None]


class Exits:
    def __init__(self, state: DeskState, sending: Sending, overnight: Overnight) -> None:
        self._state = state
        self._sending = sending
        self._leaving = Leaving(state, sending, overnight)
        self._stops = Stops(state, sending, self._leaving, overnight)
        self.on_flat: FlatHook = _ignore

    def leaves_with(self, hook: LeaveHook) -> None:
        """Who says what leaves with a position whose stop the broker does not take."""
        self._stops.leave_with = hook

    def restore(self, turn: Turn, settings: Mapping[str, str]) -> None:
        self._leaving.restore(turn, settings)

    # -- the plan --------------------------------------------------------------------------------

    def entered(self, turn: Turn, slot: Slot, options: Options) -> None:
        """An entry filled, wholly or in part: plan the exit from the average price and protect it."""
        position = self._state.portfolio.position(slot)
        instrument = self._state.instrument(slot.key)
        if not position.quantity or instrument is None:
            return
        plan = self._state.plans.get(slot)
        keep_plan(self._state, turn, planned(slot, position, instrument, options, plan))
        self._stops.protect(turn, slot)

    def closed(self, turn: Turn, slot: Slot) -> None:
        """The position is flat: nothing of ours may stay at the broker. What its owner ordered elsewhere is
        his own: a sale of more than was held goes on."""
        self._leaving.done(turn, slot)
        self._stops.forget(slot)
        plan = self._state.plans.pop(slot, None)
        if plan is not None:
            turn.write(replaced(plan, closed=True))
        for order in self._state.working_in(slot):
            if order.purpose is Purpose.ENTRY:
                self._sending.withdraw(turn, order, "the position is flat", Purpose.EXIT)
            elif order.purpose is not Purpose.EXTERNAL:
                self._sending.cancel(turn, order, "the position is flat")
        self.on_flat(turn, slot)

    def flipped(self, turn: Turn, slot: Slot) -> None:
        """Exits closed more than was held: the plan was for the position that is gone."""
        plan = self._state.plans.pop(slot, None)
        if plan is not None:
            turn.write(replaced(plan, closed=True))
        for order in self._state.working_in(slot):
            if order.purpose is not Purpose.EXTERNAL:
                self._sending.cancel(turn, order, "the position is closed")

    def reduced(self, turn: Turn, slot: Slot) -> None:
        """Part of the position was closed; the resting stop must not be larger than what is left."""
        if slot in self._leaving:
            self._leaving.progress(slot)
        else:
            self._stops.protect(turn, slot)

    def order_ended(self, turn: Turn, order: Order) -> None:
        """A reducing order ended. A stop that ended unfilled while the position is open was refused,
        or cancelled by somebody: it is placed again, a few times, on the next clock tick."""
        if order.purpose is Purpose.STOP:
            slot = slot_of(order)
            too_many = self._sending.too_many(order)
            if order.state is OrderState.NOT_PLACED or too_many:
                self._stops.unsent(turn, slot, too_many=too_many)
            elif order.state is OrderState.REJECTED:
                self._stops.refused(slot)
        self._stops.ended(turn, order)

    def protected(self, slot: Slot) -> bool:
        return self._stops.protected(slot)

    def leaving(self, slot: Slot) -> bool:
        return slot in self._leaving

    @property
    def leaving_any(self) -> bool:
        return bool(self._leaving)

    def leave(self, turn: Turn, slot: Slot, purpose: Purpose, limit: Decimal | None = None) -> None:
        """Close the slot's position. Kill overrides a reason given before; others keep the first."""
        self._leaving.leave(turn, slot, purpose, limit)

    def leave_all(self, turn: Turn, slots: Iterable[Slot], purpose: Purpose) -> None:
        for slot in list(slots):
            self._leaving.leave(turn, slot, purpose)

    def give_up_kill(self, turn: Turn) -> None:
        self._leaving.give_up_kill(turn)

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
            if self._state.portfolio.unquoted(slot):
                continue  # it is older than the position's own fill
            if quote is None or not self._state.trades_now(slot.key, turn.at):
                continue  # its only ticks so far were unusable, or it is the auction's print
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
        plan = replaced(plan, best_price=best)
        self._state.plans[slot] = plan  # recorded with the next move of the stop
        instrument = self._state.instrument(slot.key)
        order = resting_exit(self._state, slot)
        if instrument is None or order is None:
            return
        wanted = rules.trailed_stop(side, float(best), float(trail), float(before))
        stop = stop_on_tick(instrument, side, wanted)
        if (stop - before) * side >= max(instrument.tick_size, trail * TRAIL_STEP):
            keep_plan(self._state, turn, replaced(plan, stop=stop))
            self._stops.protect(turn, slot)

    def on_clock(self, turn: Turn) -> None:
        """Once a second: pursue what is leaving, protect what is not."""
        self._leaving.on_clock(turn)
        for slot in list(self._state.portfolio.open_slots()):
            if slot.owner != EXTERNAL:
                self._stops.protect(turn, slot)
        self._sweep(turn)

    def _sweep(self, turn: Turn) -> None:
        """Cancel orders that outlived their position; one in flight when it closed had no id to cancel. The
        same for a stop that is not the plan's: it was given up for lost and turned up after all."""
        for order in list(self._state.working.values()):
            if order.purpose in (Purpose.ENTRY, Purpose.EXTERNAL):
                continue
            slot = slot_of(order)
            plan = self._state.plans.get(slot)
            if self._state.portfolio.position(slot).quantity * order.side.sign >= 0:
                self._sending.cancel(turn, order, "nothing is left to close")
            elif order.purpose is Purpose.STOP and plan is not None and plan.stop_tag != order.tag:
                self._sending.cancel(turn, order, "another stop protects the position")
            elif order.purpose in CLOSING and slot not in self._leaving:
                self._resume_leaving(turn, slot, order)

    def _resume_leaving(self, turn: Turn, slot: Slot, order: Order) -> None:
        """An exit is on its way, but nobody here remembers why: after a restart it is seen through; one that
        was meant for an earlier position, and given up for lost, is not."""
        opened = self._state.portfolio.position(slot).opened_at
        if opened is not None and order.request.at < opened:
            self._sending.cancel(turn, order, "it was for an earlier position")
        else:
            self.leave(turn, slot, order.purpose)


def _ignore(turn: Turn, slot: Slot) -> None:
    del turn, slot
