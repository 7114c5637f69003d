"""A stop that nobody knows to rest: its price is watched here, and what is past it is left at the market.

The outcome of its placing is unknown, so it is not placed again: found later, it could sell a second time. In
an account where nothing else happens its absence is never proven either (books.py), and without this the
position would have no stop at all. Where it does rest, its fill is told, or shown by the book, before the
exit has waited for it long enough to go its own way (``Leaving``).

The same for a stop that is cancelled to be renewed (``Stops``): once the broker has taken the cancel none may
rest, and as long as neither stream nor book says that it is gone, no new one is placed.

And for one that rests where its trail was, because the broker refuses to move or to cancel it: past the price
where it belongs the position is left, for which some of its changes were kept (``Stops``).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from trader.desk.answers import watched_words
from trader.desk.effects import ReadBook
from trader.desk.events import BookPurpose
from trader.desk.exits import Exits
from trader.desk.leaving import PATIENCE
from trader.desk.plans import resting_exit
from trader.desk.portfolio import Slot
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import symbol_of
from trader.domain.money import rupees
from trader.domain.order import Order, OrderState, Purpose, Tag
from trader.domain.records import ExitPlan, Priority

_RESTS = (OrderState.ACKED, OrderState.TRIGGER_PENDING, OrderState.PENDING_MODIFY, OrderState.PENDING_CANCEL)
# How long a stop may rest elsewhere than planned before its price is watched, and before the owner hears.
LAGS_WATCHED, LAGS_TOLD = timedelta(seconds=5), timedelta(seconds=30)


class Lookout:
    def __init__(self, state: DeskState, sending: Sending, exits: Exits) -> None:
        self._state = state
        self._sending = sending
        self._exits = exits
        self._told: set[Tag] = set()  # stops; after a restart the alert's id keeps it from being told again
        self._lags: dict[Tag, datetime] = {}  # stops that are not where they belong, since when

    def on_clock(self, turn: Turn) -> None:
        state = self._state
        if not state.working or not state.reconciled:
            self._lags.clear()
            return
        lags, self._lags = self._lags, {}
        for slot, position in list(state.portfolio.open_slots().items()):
            plan, stop = state.plans.get(slot), resting_exit(state, slot)
            if plan is None or plan.stop is None or stop is None or stop.purpose is not Purpose.STOP:
                continue
            if self._exits.leaving(slot) or not state.trades_now(slot.key, turn.at):
                continue
            if stop.state is OrderState.PENDING_CANCEL and turn.at - stop.updated_at >= PATIENCE:
                self._tell(turn, slot, plan, stop)
            lagging = timedelta()
            if stop.trigger_price not in (None, plan.stop) and stop.state in _RESTS:
                since = self._lags[stop.tag] = lags.get(stop.tag, turn.at)
                if stop.state is not OrderState.PENDING_CANCEL:
                    lagging = turn.at - since
            if lagging >= LAGS_TOLD:
                self._tell_lag(turn, slot, plan, stop)
            last = state.portfolio.last_price(slot, state.quotes)
            unsure = stop.state is OrderState.UNKNOWN or self._sending.cancel_taken(stop)
            if last is None or not (unsure or lagging >= LAGS_WATCHED):
                continue
            side = 1 if position.quantity > 0 else -1
            if (last - plan.stop) * side <= 0:
                if stop.state is not OrderState.UNKNOWN:  # of that the exit asks itself (``Leaving``)
                    turn.send(ReadBook(BookPurpose.RESOLVE))  # it may have fired, and nobody told
                self._exits.leave(turn, slot, Purpose.STOP)

    def _tell(self, turn: Turn, slot: Slot, plan: ExitPlan, stop: Order) -> None:
        if stop.tag in self._told or plan.stop is None:
            return
        self._told.add(stop.tag)
        said = "has not answered its cancellation, so it may still rest."
        if self._sending.cancel_taken(stop):
            said = (
                "took its cancellation, but does not show that it is gone. Until it does,"
                f" {watched_words(stop.side, plan.stop)}"
            )
        turn.alert(
            f"renewing:{stop.tag}",
            Priority.CRITICAL,
            "order",
            f"No stop may rest: {symbol_of(slot.key)} ({slot.owner})",
            f"It is being renewed. The broker {said} A new one beside it could close twice, so none is"
            " placed. Look into the broker's own app.",
        )

    def _tell_lag(self, turn: Turn, slot: Slot, plan: ExitPlan, stop: Order) -> None:
        if stop.tag in self._told or plan.stop is None or stop.trigger_price is None:
            return
        self._told.add(stop.tag)
        said = f' It says: "{stop.message}".' if stop.message else ""
        turn.alert(
            f"lagging:{stop.tag}",
            Priority.CRITICAL,
            "order",
            f"Stop not moved: {symbol_of(slot.key)} ({slot.owner})",
            f"It rests at {rupees(stop.trigger_price)} and belongs at {rupees(plan.stop)}: the broker takes"
            f" neither the change nor a new one.{said} Until it does,"
            f" {watched_words(stop.side, plan.stop)}",
        )
