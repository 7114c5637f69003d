"""What the clock does to orders and positions: the broker's square-off and the ends of orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime

from trader.broker.paper.agenda import Act, Due
from trader.broker.paper.floor import Floor, Step
from trader.broker.paper.matching import waiting
from trader.broker.paper.settling import Settling, square_off
from trader.broker.paper.working import WorkingOrder
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.order import BrokerPosition, BrokerStatus, Product, Validity
from trader.domain.times import ist
from trader.market.calendar import Calendar
from trader.market.phases import Phase, Venue, venue_of

EXPIRED = "Day order cancelled at the end of its session"
UNMATCHED = "Unmatched in the closing auction: cancelled at its end"
STOPS_END = "The exchange cancels stop orders of closing-auction stocks when continuous trading ends"
SQUARED_OFF = "RMS: intraday orders are cancelled at the broker's square-off"


class Closing:
    """Every act can be done twice without harm."""

    def __init__(
        self,
        floor: Floor,
        instruments: Callable[[InstrumentKey], Instrument],
        calendar: Calendar,
        last: Callable[[InstrumentKey], float | None],
    ) -> None:
        """``last``: the last price seen of an instrument, or None."""
        self._floor = floor
        self._settling = Settling(floor, instruments, last)
        self._instruments = instruments
        self._calendar = calendar

    def carry_out(self, step: Step, due: Due, now: datetime) -> None:
        match due.act:
            case Act.SQUAREOFF:
                self._square_off(step, due.venue, now)
            case Act.STOPS_END:
                self._end_stops(step, due.venue, now)
            case Act.EXPIRY:
                self._expire_venue(step, due.venue, now, EXPIRED)
                self._settling.expiries(step, due.venue, now)
            case Act.AUCTION_END:
                self._expire_venue(step, due.venue, now, UNMATCHED)

    def end_day(self, step: Step, day: date, now: datetime) -> None:
        """End every order placed on ``day`` or before, and every position that should not outlive it."""
        for order_id in self._floor.all_working():
            order = step.get(order_id)
            if order.day <= day:
                _end(step, order, EXPIRED, now)
        self._settling.leftovers(step, day, now)

    def _square_off(self, step: Step, venue: Venue, now: datetime) -> None:
        """Close the venue's intraday positions at market, by orders that carry no tag. Where no market order
        is taken any more, they wait for the day's end."""
        for order in self._at(step, venue):
            if order.update.product is Product.MIS and order.update.tag is not None:
                _end(step, order, SQUARED_OFF, now)
        if self._calendar.phase(now, venue) not in (Phase.OPEN, Phase.AUCTION):
            return
        for position in self._floor.tally.positions(ist(now).date()):
            if position.product is not Product.MIS or self._venue(position.key) is not venue:
                continue
            left = position.quantity + self._under_way(step, position)
            if left * position.quantity > 0:
                square_off(self._floor, step, self._instruments(position.key), left, now)

    def _under_way(self, step: Step, position: BrokerPosition) -> int:
        """Signed units that the broker's own orders are closing already."""
        new = [order for i, order in step.orders.items() if i not in self._floor.orders]
        orders = [*new, *(step.get(order_id) for order_id in self._floor.ids_at(position.key))]
        return sum(
            self._floor.pending(o) * o.update.side.sign
            for o in orders
            if (o.update.key, o.update.product, o.update.tag) == (position.key, Product.MIS, None)
        )

    def _end_stops(self, step: Step, venue: Venue, now: datetime) -> None:
        """Stops that wait for their trigger; limit and market orders go on into the auction."""
        for order in self._at(step, venue):
            if waiting(order.update) or order.validity is Validity.IOC:
                _end(step, order, STOPS_END, now)

    def _expire_venue(self, step: Step, venue: Venue, now: datetime, message: str) -> None:
        for order in self._at(step, venue):
            _end(step, order, message, now)

    def _at(self, step: Step, venue: Venue) -> Iterator[WorkingOrder]:
        for order_id in self._floor.all_working():
            order = step.get(order_id)
            if self._venue(order.update.key) is venue:
                yield order

    def _venue(self, key: InstrumentKey) -> Venue:
        return venue_of(self._instruments(key))


def _end(step: Step, order: WorkingOrder, message: str, now: datetime) -> None:
    if not order.final:
        step.put(order.ended(BrokerStatus.CANCELLED, message, now), told=order.update)
