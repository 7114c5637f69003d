"""How positions end without their owner: contracts at expiry, intraday positions that nobody could close."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from trader.broker.paper.floor import Floor, Step
from trader.broker.paper.working import AT_EXPIRY, BY_RMS, WorkingOrder
from trader.domain.instrument import Instrument, InstrumentKey, Segment
from trader.domain.money import ZERO, decimal_of
from trader.domain.order import BrokerPosition, BrokerStatus, OrderType, OrderUpdate, Product, Side
from trader.domain.times import ist
from trader.market.phases import Venue, venue_of
from trader.market.shaping import lots

RMS_CHUNK = 30_000  # units an order, each with its own fee (support.zerodha.com, india.md 5)


class Settling:
    """Every act can be done twice without harm, in one step too. ``last``: the last price seen of an
    instrument, or None; then the price of its last execution stands in."""

    def __init__(
        self,
        floor: Floor,
        instruments: Callable[[InstrumentKey], Instrument],
        last: Callable[[InstrumentKey], float | None],
    ) -> None:
        self._floor = floor
        self._instruments = instruments
        self._last = last

    def expiries(self, step: Step, venue: Venue, now: datetime) -> None:
        """The venue's contracts whose last day is over, in cash."""
        for position in self._open(step, ist(now).date()):
            instrument = self._instruments(position.key)
            if venue_of(instrument) is venue and _expired(instrument, ist(now).date()):
                self._settle(step, instrument, position, now)

    def leftovers(self, step: Step, day: date, now: datetime) -> None:
        """What should not have outlived ``day``: expired contracts, and intraday positions that found no
        price. A real broker makes a long one delivery and buys a short one in at the auction; here the
        broker closes them at the last price."""
        for position in self._open(step, ist(now).date()):
            instrument = self._instruments(position.key)
            if _expired(instrument, day):
                self._settle(step, instrument, position, now)
            elif position.product is Product.MIS and self._opened_on(position) <= day:
                price = max(instrument.round_nearest(self._last_price(position.key)), instrument.tick_size)
                square_off(self._floor, step, instrument, position.quantity, now, price)

    def _open(self, step: Step, today: date) -> Iterator[BrokerPosition]:
        for position in self._floor.tally.positions(today):
            left = position.quantity + self._floor.traded_in(step, position.key, position.product)
            if left:
                yield replace(position, quantity=left)

    def _settle(self, step: Step, instrument: Instrument, position: BrokerPosition, now: datetime) -> None:
        order = _own_order(
            self._floor, step, instrument, position.product, -position.quantity, now, AT_EXPIRY
        )
        _trade(step, order, self._worth(instrument), now)

    def _worth(self, instrument: Instrument) -> Decimal:
        """An option at its lowest price is not in the money: it ends worthless."""
        tick = instrument.tick_size
        price = max(instrument.round_nearest(self._last_price(instrument.key)), tick)
        return ZERO if instrument.segment is Segment.OPTIONS and price == tick else price

    def _last_price(self, key: InstrumentKey) -> Decimal:
        last = self._last(key)
        return self._floor.tally.last_price(key) if last is None else decimal_of(last)

    def _opened_on(self, position: BrokerPosition) -> date:
        return self._floor.tally.opened_on(position.key, position.product)


def square_off(
    floor: Floor,
    step: Step,
    instrument: Instrument,
    quantity: int,
    now: datetime,
    price: Decimal | None = None,
) -> None:
    """The broker's orders that close ``quantity`` signed units, as large as they may be: at market, or at
    ``price`` at once."""
    freeze = instrument.freeze_quantity or RMS_CHUNK
    largest = lots(instrument, min(freeze, RMS_CHUNK)) or instrument.lot_size
    left = abs(quantity)
    while left > 0:
        units = min(left, largest)
        signed = -units if quantity > 0 else units
        order = _own_order(floor, step, instrument, Product.MIS, signed, now, BY_RMS)
        if price is None:
            step.put(order)
        else:
            _trade(step, order, price, now)
        left -= units


def _own_order(
    floor: Floor,
    step: Step,
    instrument: Instrument,
    product: Product,
    signed: int,
    now: datetime,
    message: str,
) -> WorkingOrder:
    """An order at market that nobody asked for: it carries no tag."""
    update = OrderUpdate(
        order_id=floor.next_id(ist(now).date(), step),
        tag=None,
        key=instrument.key,
        side=Side.BUY if signed > 0 else Side.SELL,
        product=product,
        order_type=OrderType.MARKET,
        status=BrokerStatus.OPEN,
        quantity=abs(signed),
        filled_quantity=0,
        average_price=ZERO,
        at=now,
        message=message,
    )
    return WorkingOrder(update, placed_at=now, active_at=now)


def _trade(step: Step, order: WorkingOrder, price: Decimal, now: datetime) -> None:
    order, execution = order.executed(order.update.quantity, price, now)
    step.executions.append(execution)
    step.put(order)


def _expired(instrument: Instrument, day: date) -> bool:
    return instrument.expiry is not None and instrument.expiry <= day
