"""Entries of one decision on several instruments, a pair or a basket: all of them leave, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from trader.desk.exits import Exits
from trader.desk.fellows import also_left
from trader.desk.orders import describe
from trader.desk.portfolio import Slot
from trader.desk.running import Running, WaitingEntry
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.order import Denied, Order, OrderRequest, OrderState, Owner, Purpose, Side
from trader.domain.records import InstanceStatus, Priority

Wanting = Callable[[Turn, Running, InstrumentKey, Side], OrderRequest]


class Legs:
    """``wanting`` makes the request of an entry, sized by what the desk knows when it is called."""

    def __init__(self, state: DeskState, sending: Sending, exits: Exits, wanting: Wanting) -> None:
        self._state = state
        self._sending = sending
        self._exits = exits
        self._wanting = wanting

    def forget(self, running: Running) -> None:
        """What waited for an earlier decision to be carried out; legs that are being left still are."""
        running.deferred.clear()
        for key in [key for key in running.reversals if not self._exits.leaving(running.slot(key))]:
            del running.reversals[key]

    def wait(
        self,
        running: Running,
        entries: Mapping[InstrumentKey, Side],
        leaving: Mapping[InstrumentKey, Side],
        until: datetime,
    ) -> bool:
        """Whether a leg is to be flat before it enters: then these enter with it. ``leaving``: legs on their
        way out, or that may or may not be in, that the decision asks for; counted as held, they would leave
        the others alone."""
        if entries or running.reversals:
            running.reversals.update({key: WaitingEntry(side, until) for key, side in leaving.items()})
        if not running.reversals:
            return False
        running.reversals.update({key: WaitingEntry(side, until) for key, side in entries.items()})
        return True

    def turned(self, turn: Turn, running: Running, busy_until: datetime) -> None:
        """A position is closed, or an entry may have ended. Whatever waited for it enters once no other leg
        that turns is held or on its way in. One of unknown outcome that was found filled is in already."""
        waiting = running.reversals
        for key in [key for key in waiting if self._is_in(running, key, waiting[key].side)]:
            del waiting[key]
        if not waiting or any(self._held(running, key) or self._entering(running, key) for key in waiting):
            return
        entries = {
            key: waiting[key].side
            for key in running.instance.symbols
            if key in waiting and turn.at <= waiting[key].until
        }
        waiting.clear()
        if running.instance.status is InstanceStatus.RUNNING and not self._state.halted:
            self.enter(turn, running, entries, busy_until)

    def again(self, turn: Turn, running: Running) -> None:
        """Those that a busy second had no room for, while they are young."""
        if not running.deferred:
            return
        deferred = dict(running.deferred)
        running.deferred.clear()
        if running.instance.status is not InstanceStatus.RUNNING or self._state.halted:
            return
        entries = {
            key: deferred[key].side
            for key in running.instance.symbols
            if key in deferred
            and turn.at <= deferred[key].until
            and not self._held(running, key)
            and not self._state.working_in(running.slot(key))
        }
        self.enter(turn, running, entries, min(entry.until for entry in deferred.values()))

    def enter(
        self, turn: Turn, running: Running, entries: Mapping[InstrumentKey, Side], busy_until: datetime
    ) -> None:
        """All or none, if a second has room for them and their stops at all; more go out one by one. What is
        only too much for this second waits for another until ``busy_until``."""
        makers = {key: partial(self._wanting, turn, running, key, side) for key, side in entries.items()}
        if 2 * len(entries) - 1 < self._state.limits.orders_per_second:
            groups = [makers] if makers else []
        else:
            groups = [{key: maker} for key, maker in makers.items()]
        for group in groups:
            denied = self._sending.submit_together(turn, group)
            if isinstance(denied, Denied) and denied.code == "rate_second":
                running.deferred.update({key: WaitingEntry(entries[key], busy_until) for key in group})

    def left_with(self, order: Order) -> list[Order]:
        """The other entries of the decision that this one is of, under way or held still, if this one came to
        nothing and not because the desk took it back."""
        if order.filled_quantity or not self._sending.wanted(order.tag):
            return []
        running = self._state.instances.get(order.owner)
        if order.purpose is not Purpose.ENTRY or running is None or not running.kind.together:
            return []
        newest = self._newest_entries(order.owner)
        return [
            newest[key]
            for key in running.instance.symbols
            if key in newest
            and key != order.key
            and newest[key].request.at == order.request.at
            and (newest[key].state.working or self._held(running, key))
        ]

    def _newest_entries(self, owner: Owner) -> dict[InstrumentKey, Order]:
        """Today's, by instrument; one that never left this desk is none."""
        newest: dict[InstrumentKey, Order] = {}
        for one in self._state.orders.values():
            ours = one.owner == owner and one.purpose is Purpose.ENTRY
            known = newest.get(one.key)
            if known is not None and known.request.at > one.request.at:
                continue
            if ours and one.state is not OrderState.DENIED:
                newest[one.key] = one
        return newest

    def leave_with(self, turn: Turn, slot: Slot) -> Sequence[InstrumentKey]:
        """A position cannot stay, for no stop of it rests: those of its decision, or of an earlier day's,
        leave with it. Which they are."""
        running = self._state.instances.get(slot.owner)
        if running is None or not running.kind.together:
            return ()
        decided = {key: order.request.at for key, order in self._newest_entries(slot.owner).items()}
        beside = [
            key
            for key in running.instance.symbols
            if key != slot.key
            and decided.get(key) == decided.get(slot.key)
            and (self._held(running, key) or self._entering(running, key))
        ]
        for key in beside:
            for order in self._state.working_in(running.slot(key)):
                if order.purpose is Purpose.ENTRY:
                    self._sending.withdraw(turn, order, f"{symbol_of(slot.key)} has no stop", Purpose.EXIT)
            self._exits.leave(turn, running.slot(key), Purpose.EXIT)
        return beside

    def ended(self, turn: Turn, order: Order) -> None:
        """What was entered with an entry that came to nothing is taken out again."""
        fellows = self.left_with(order)
        if fellows and order.state not in (OrderState.REJECTED, OrderState.NOT_PLACED):  # told already
            turn.alert(
                f"alone:{order.tag}",
                Priority.CRITICAL,
                "order",
                f"Not entered: {describe(order)}",
                f"{order.message or 'It ended unfilled.'}{also_left(fellows)}",
            )
        if fellows:  # should it turn up after all, it is alone
            self._sending.withdraw(turn, order, "its fellows are taken out again", Purpose.EXIT)
        for fellow in fellows:
            if fellow.state.working:
                self._sending.withdraw(turn, fellow, f"{symbol_of(order.key)} was not entered", Purpose.EXIT)
            slot = Slot(fellow.owner, fellow.key, fellow.product)
            if self._state.portfolio.position(slot).quantity:
                self._exits.leave(turn, slot, Purpose.EXIT)

    def _is_in(self, running: Running, key: InstrumentKey, side: Side) -> bool:
        held = self._held(running, key) * side.sign > 0
        return held and not self._exits.leaving(running.slot(key)) and not self._entering(running, key)

    def _entering(self, running: Running, key: InstrumentKey) -> bool:
        return any(order.purpose is Purpose.ENTRY for order in self._state.working_in(running.slot(key)))

    def _held(self, running: Running, key: InstrumentKey) -> int:
        return self._state.portfolio.position(running.slot(key)).quantity
