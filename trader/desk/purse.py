"""What the account can pay for: the broker's word against our own reckoning. A difference is told and locks
nothing; an entry that the broker could not pay for is not sent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from trader.desk.costs import margin
from trader.desk.events import FundsRead
from trader.desk.exposure import margin_used, outside_entries, price_at
from trader.desk.funding import LEAST, TOLERANCE, Funding
from trader.desk.state import DeskState, Turn
from trader.domain.money import rupees
from trader.domain.order import Product, Side
from trader.domain.records import Priority

_PAID = (Product.CNC, Product.MTF)  # after their first day nothing is blocked for them


class Purse:
    """Keeps what was read, and tells once a day and direction what two readings in a row show."""

    def __init__(self, state: DeskState) -> None:
        self._state = state
        self._apart = 0  # by the last reading

    def on_funds(self, turn: Turn, read: FundsRead) -> None:
        """Not kept when something of ours moved meanwhile: nobody knows which side of it they show."""
        state = self._state
        if any(order.updated_at >= read.asked_at for order in state.orders.values()):
            return
        day = state.trading_day(turn.at)
        known = state.funding = Funding(
            read.funds, read.at, margin_used(state, day), state.counters.booked, blocked(state, day)
        )
        before, self._apart = self._apart, known.apart
        if known.apart and known.apart == before:
            self._tell(turn, known, day)

    def _tell(self, turn: Turn, known: Funding, day: date) -> None:
        more = known.apart > 0
        why = (
            "Positions or orders it does not know of, another program, or higher margins today."
            if more
            else "Positions that are gone, a hedge that saves margin, or profits that pay for it."
        )
        turn.alert(
            f"margins:{day:%Y%m%d}:{'more' if more else 'less'}",
            Priority.FILL,
            "reconcile",
            f"{rupees(known.funds.used)} of margin blocked, {rupees(known.expected)} reckoned",
            f"The broker blocks {'more' if more else 'less'} than the desk's books explain. {why}"
            f"\nNothing is locked; told beyond {TOLERANCE:.0%} and {rupees(LEAST, paise=False)}."
            f" {rupees(known.funds.available)} are free there, and no entry needs more.",
        )


def blocked(state: DeskState, on: date) -> Decimal:
    """Rupees the broker should have blocked for what is held and under way, orders from elsewhere too."""
    used = margin_used(state, on)
    for slot, position in state.portfolio.at_stake().items():
        carried = position.opened_at is not None and state.trading_day(position.opened_at) < on
        if slot.product in _PAID and carried:
            quantity, instrument = position.quantity, state.instrument(slot.key)
            side = Side.BUY if quantity > 0 else Side.SELL
            used -= margin(state, instrument, slot.product, side, abs(quantity), position.average_price, on)
    for order in outside_entries(state):
        used += margin(
            state,
            state.instrument(order.key),
            order.product,
            order.side,
            order.pending_quantity,
            price_at(state, order),
            on,
        )
    return used
