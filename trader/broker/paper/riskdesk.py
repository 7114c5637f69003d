"""The broker's risk desk: it looks at every order that was taken in, when it arrives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from trader.broker.paper.blocked import Blocked
from trader.broker.paper.conduct import Conduct
from trader.broker.paper.floor import Floor, Step
from trader.broker.paper.working import WorkingOrder
from trader.domain.errors import InvalidInput
from trader.domain.instrument import Instrument, InstrumentKey, Segment
from trader.domain.money import ZERO, to_paise
from trader.domain.order import Product, Side
from trader.domain.times import ist
from trader.market.calendar import Calendar
from trader.market.phases import venue_of
from trader.market.shaping import validity_fault


class RiskDesk:
    def __init__(
        self,
        floor: Floor,
        blocked: Blocked,
        calendar: Calendar,
        instruments: Callable[[InstrumentKey], Instrument],
        conduct: Conduct,
    ) -> None:
        self._floor = floor
        self._blocked = blocked
        self._calendar = calendar
        self._instruments = instruments
        self._conduct = conduct

    def rejection(self, step: Step, order: WorkingOrder, at: datetime) -> str | None:
        """Why the broker or the exchange rejects an order that reaches them at ``at``, or None. An order
        that works already is judged by its new terms."""
        instrument = self._instruments(order.update.key)
        return (
            self._freeze(order, instrument)
            or self._hours(order, instrument, at)
            or self._deliverable(step, order)
            or self._margin(step, order, instrument, at)
        )

    def too_late(self, instrument: Instrument, product: Product, at: datetime) -> str | None:
        """Why no intraday position is opened any more: the broker closes them by itself."""
        if product is not Product.MIS or not self._conduct.squareoff:
            return None
        until = self._calendar.deadlines(ist(at).date(), venue_of(instrument)).broker_at
        if at < until:
            return None
        return (
            f"MIS orders that open a position in {instrument.key} are not taken after {until:%H:%M}: "
            "intraday positions are squared off then"
        )

    def opens(self, order: WorkingOrder) -> int:
        """Units by which the order may open or grow its position."""
        held = self._floor.tally.quantity(order.update.key, order.update.product)
        return self._blocked.opens(order, held)

    def _freeze(self, order: WorkingOrder, instrument: Instrument) -> str | None:
        freeze, quantity = instrument.freeze_quantity, order.update.quantity
        if freeze is None or quantity <= freeze:
            return None
        return f"Quantity freeze: at most {freeze} units an order in {instrument.key}, was {quantity}"

    def _hours(self, order: WorkingOrder, instrument: Instrument, at: datetime) -> str | None:
        """A slow order may come when its phase is over."""
        phase = self._calendar.phase(order.active_at, venue_of(instrument))
        fault = validity_fault(order.update.order_type, order.validity, phase)
        if fault is None and self.opens(order):
            fault = self.too_late(instrument, order.update.product, order.active_at)
        return fault

    def _deliverable(self, step: Step, order: WorkingOrder) -> str | None:
        """Only shares that are held, and not promised to another order, can be sold for delivery."""
        update = order.update
        if update.side is Side.BUY or update.product not in (Product.CNC, Product.MTF):
            return None
        free = self._floor.sellable(update.key, update.product, step, order.order_id)
        wanted = self._floor.pending(order)
        if wanted <= free:
            return None
        return f"RMS:Rule: Check holdings for {update.key}: {max(free, 0)} free, was {wanted}"

    def _margin(self, step: Step, order: WorkingOrder, instrument: Instrument, at: datetime) -> str | None:
        """Kite's own words (kite.md 2)."""
        today = ist(at).date()
        if not self.opens(order):
            return None
        try:
            before = self._blocked.total(step, today)
            required = self._blocked.total(step, today, order) - before
        except InvalidInput as fault:
            return f"RMS:{fault}"
        account = self._floor.account
        for statement in (account.least, account.statement):  # the first is quick, the second exact
            money = statement(today)
            premiums = money.premiums if instrument.segment is Segment.OPTIONS else ZERO
            available = money.cash + premiums - before
            if required <= max(available, ZERO):
                return None
        return (
            f"Insufficient funds. Required margin is {to_paise(required)} but available margin is "
            f"{to_paise(available)}."
        )
