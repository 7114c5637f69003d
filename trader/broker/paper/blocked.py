"""What open positions and working orders block of the account: the margin.

A position of one (instrument, product) blocks what its larger side could become if all orders of that side
traded. An order that only reduces a position blocks nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from trader.broker.paper.floor import Floor, Step
from trader.broker.paper.working import WorkingOrder
from trader.domain.errors import InvalidInput
from trader.domain.instrument import Instrument, InstrumentKey, Segment
from trader.domain.money import ZERO, decimal_of
from trader.domain.order import BrokerPosition, Product, Side
from trader.market.margins import Margins

_Slot = tuple[InstrumentKey, Product]


class Blocked:
    """``last``: the last price seen of an instrument, or None."""

    def __init__(
        self,
        floor: Floor,
        margins: Margins,
        instrument: Callable[[InstrumentKey], Instrument],
        last: Callable[[InstrumentKey], float | None],
    ) -> None:
        self._floor = floor
        self._margins = margins
        self._instrument = instrument
        self._last = last

    def total(self, step: Step, today: date, changed: WorkingOrder | None = None) -> Decimal:
        """Rupees, with ``changed`` in place of the working order of its id, or besides them all.

        Raises InvalidInput where the margin of ``changed`` cannot be computed.
        """
        sides: dict[_Slot, dict[Side, Decimal]] = defaultdict(lambda: {Side.BUY: ZERO, Side.SELL: ZERO})
        net: dict[_Slot, int] = {}
        for position in self._floor.tally.positions(today):
            if position.quantity:
                slot = (position.key, position.product)
                net[slot] = position.quantity
                side = Side.BUY if position.quantity > 0 else Side.SELL
                sides[slot][side] = self._of_position(position, side, today)
        for order in self._orders(step, changed):
            slot = (order.update.key, order.update.product)
            try:
                sides[slot][order.update.side] += self._of_order(order, net.get(slot, 0), today)
            except InvalidInput:
                if order is changed:
                    raise  # any other was accepted when it could be computed
        return sum((max(of.values()) for of in sides.values()), ZERO)

    def opens(self, order: WorkingOrder, held: int) -> int:
        """Units by which ``order`` may open or grow a position, given the signed units ``held``."""
        against = -held * order.update.side.sign
        return max(self._floor.pending(order) - max(against, 0), 0)

    def _orders(self, step: Step, changed: WorkingOrder | None) -> list[WorkingOrder]:
        orders = [
            order
            for order_id in self._floor.working_ids()
            if not (order := step.get(order_id)).in_transit
            and (changed is None or order_id != changed.order_id)
        ]
        new = [o for i, o in step.orders.items() if i not in self._floor.orders and not o.final]
        return [*orders, *new, *([changed] if changed is not None else [])]

    def _of_position(self, position: BrokerPosition, side: Side, today: date) -> Decimal:
        instrument = self._instrument(position.key)
        paid = instrument.segment is Segment.OPTIONS and side is Side.BUY
        if paid or position.product is Product.CNC:
            return ZERO
        try:
            return self._margins.required(
                instrument, position.product, side, abs(position.quantity), position.average_price, today
            )
        except InvalidInput:  # an expired contract that is listed no more: it was accepted in its time
            return ZERO

    def _of_order(self, order: WorkingOrder, held: int, today: date) -> Decimal:
        update, units = order.update, self.opens(order, held)
        price = update.price or update.trigger_price or self._last_price(update.key)
        if not units or price is None:  # nobody knows the price of what was never quoted
            return ZERO
        instrument = self._instrument(update.key)
        return self._margins.required(instrument, update.product, update.side, units, price, today)

    def _last_price(self, key: InstrumentKey) -> Decimal | None:
        last = self._last(key)
        return None if last is None else decimal_of(last)
