"""A stop that nobody knows to rest: its price is watched here, and what is past it is left at the market.

The outcome of its placing is unknown, so it is not placed again: found later, it could sell a second time. In
an account where nothing else happens its absence is never proven either (books.py), and without this the
position would have no stop at all. Where it does rest, its fill is told, or shown by the book, before the
exit has waited for it long enough to go its own way (``Leaving``).
"""

from __future__ import annotations

from trader.desk.effects import ReadBook
from trader.desk.events import BookPurpose
from trader.desk.exits import Exits
from trader.desk.plans import resting_exit
from trader.desk.state import DeskState, Turn
from trader.domain.order import OrderState, Purpose


class Lookout:
    def __init__(self, state: DeskState, exits: Exits) -> None:
        self._state = state
        self._exits = exits

    def on_clock(self, turn: Turn) -> None:
        state = self._state
        if not state.working or not state.reconciled:
            return
        for slot, position in list(state.portfolio.open_slots().items()):
            plan, stop = state.plans.get(slot), resting_exit(state, slot)
            if plan is None or plan.stop is None or stop is None or stop.state is not OrderState.UNKNOWN:
                continue
            last = state.portfolio.last_price(slot, state.quotes)
            if last is None or self._exits.leaving(slot) or not state.trades_now(slot.key, turn.at):
                continue
            side = 1 if position.quantity > 0 else -1
            if (last - plan.stop) * side <= 0:
                turn.send(ReadBook(BookPurpose.RESOLVE))  # it may have fired, and nobody told
                self._exits.leave(turn, slot, Purpose.STOP)
