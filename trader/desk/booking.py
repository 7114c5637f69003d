"""Executions become fills: whose they are, what they cost, and the records they leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from trader.desk import orders as machine
from trader.desk.costs import added_charges
from trader.desk.exposure import carried
from trader.desk.locks import MANUAL
from trader.desk.portfolio import Booked, own_units, slot_of
from trader.desk.state import DeskState, Turn
from trader.domain.money import ZERO, to_paise
from trader.domain.order import EXTERNAL, Order, Owner, Purpose, Side
from trader.domain.position import Fill
from trader.domain.records import Priority
from trader.domain.values import replaced


class Booking:
    def __init__(self, state: DeskState) -> None:
        self._state = state

    def book(
        self,
        turn: Turn,
        before: Order,
        after: Order,
        execution: machine.Execution,
        decided: Decimal | None,
    ) -> Iterator[tuple[Fill, Booked]]:
        """Book an execution, share by share. ``decided`` is the price at which a resting order was sent to
        close, where it was."""
        day = self._state.trading_day(turn.at)
        charges = added_charges(self._state, before, after, day)
        for owner, quantity in self._shares(after, execution.quantity):
            fill = self._fill(after, execution, owner, quantity, charges, decided)
            yield fill, self._record(turn, after, fill, day)

    def _shares(self, order: Order, quantity: int) -> list[tuple[Owner, int]]:
        """Whose position an execution belongs to. An order from elsewhere against a position of ours (the
        broker's own square-off, the broker's app) closes that position: believing that it is still there
        would sell it a second time (faults.md 56)."""
        if order.purpose is not Purpose.EXTERNAL:
            return [(order.owner, quantity)]
        slots = [
            slot
            for slot, position in self._state.portfolio.open_slots().items()
            if (slot.key, slot.product) == (order.key, order.product)
            and position.quantity * order.side.sign < 0
        ]
        shares: dict[Owner, int] = {}
        # What was made elsewhere is closed elsewhere first.
        for slot in sorted(slots, key=lambda s: (s.owner != EXTERNAL, s.owner != MANUAL, s.owner)):
            share = min(quantity, abs(self._state.portfolio.position(slot).quantity))
            if share:
                shares[slot.owner] = share
            quantity -= share
        if quantity:
            shares[EXTERNAL] = shares.get(EXTERNAL, 0) + quantity
        return list(shares.items())

    def _fill(
        self,
        after: Order,
        execution: machine.Execution,
        owner: Owner,
        quantity: int,
        charges: Decimal,
        decided: Decimal | None,
    ) -> Fill:
        assert after.order_id is not None  # noqa: S101 - a fill names its order
        own = owner == after.owner
        return Fill(
            fill_id=f"{after.tag}:{after.filled_quantity}" + ("" if own else f":{owner}"),
            tag=after.tag,
            order_id=after.order_id,
            owner=owner,
            key=after.key,
            side=after.side,
            product=after.product,
            purpose=after.purpose,
            quantity=quantity,
            price=execution.price,
            charges=to_paise(charges * quantity / execution.quantity),
            at=after.updated_at,
            reference_price=_reference(after, decided),
        )

    def _record(self, turn: Turn, after: Order, fill: Fill, day: date) -> Booked:
        state = self._state
        held = state.portfolio.position(slot_of(fill))
        own = own_units(held, fill)
        before = carried(state, held, fill)
        booked = state.portfolio.book(fill, day)
        state.portfolio.dealt(fill, state.quotes.get(fill.key), turn.at)
        state.moved_at[after.key, after.product] = turn.at
        turn.write(fill)
        turn.write(booked.position)
        if booked.trade is not None:
            turn.write(booked.trade)
        turn.write(state.portfolio.day_result(fill.owner, day))
        net = booked.realised - fill.charges
        if own:  # what becomes of the owner's own shares is in his results, and no loss of the desk's
            realised = booked.realised if fill.side is Side.SELL else ZERO
            net = realised - to_paise(fill.charges * (fill.quantity - own) / fill.quantity)
        state.counters = replaced(
            state.counters,
            booked=state.counters.booked + net,
            booked_today=state.counters.booked_today + net - before,
        )
        turn.write(state.counters)
        if after.filled_quantity > after.quantity:
            turn.alert(
                f"overfill:{fill.fill_id}",
                Priority.CRITICAL,
                "order",
                f"Overfilled: {machine.describe(after)}",
                f"{after.filled_quantity} units were filled of {after.quantity} ordered.",
            )
        return booked


def _reference(order: Order, decided: Decimal | None) -> Decimal | None:
    """The price the fill is measured against: where the stop or target was, or the last price seen when the
    order was decided."""
    if order.purpose is Purpose.STOP:
        return order.trigger_price
    if order.purpose is Purpose.TARGET and order.price is not None:
        return order.price
    return decided if decided is not None else order.request.reference_price
