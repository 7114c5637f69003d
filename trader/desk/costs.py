"""Orders as the charges see them, and what margin they and positions tie up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trader.desk import orders as machine
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.money import ZERO, decimal_of
from trader.domain.order import Order, Product, Purpose, Side
from trader.market.charges import Executed
from trader.market.phases import venue_of

if TYPE_CHECKING:
    from trader.desk.state import DeskState

# The quoted index behind an index contract's name.
_INDICES = {
    "NIFTY": InstrumentKey("NSE:NIFTY 50"),
    "BANKNIFTY": InstrumentKey("NSE:NIFTY BANK"),
    "FINNIFTY": InstrumentKey("NSE:NIFTY FIN SERVICE"),
    "MIDCPNIFTY": InstrumentKey("NSE:NIFTY MID SELECT"),
    "NIFTYNXT50": InstrumentKey("NSE:NIFTY NEXT 50"),
    "SENSEX": InstrumentKey("BSE:SENSEX"),
    "BANKEX": InstrumentKey("BSE:BANKEX"),
}
_NETTED = (Product.CNC, Product.MTF)  # bought and sold on one day they count as intraday


def executed_of(order: Order, instrument: Instrument | None, broker_at: datetime | None) -> Executed | None:
    """The executed part of an order; None when nothing was. An order from elsewhere in an intraday position
    at or after ``broker_at`` is the broker's own square-off, for which it takes a fee."""
    if instrument is None or not order.filled_quantity:
        return None
    by_broker = (
        order.purpose is Purpose.EXTERNAL
        and order.product is Product.MIS
        and ((broker_at is not None and order.request.at >= broker_at) or order.message.startswith("RMS:"))
    )
    return Executed(
        tag=order.tag,
        key=order.key,
        exchange=instrument.exchange,
        segment=instrument.segment,
        underlying=instrument.underlying,
        product=order.product,
        side=order.side,
        quantity=order.filled_quantity,
        value=machine.filled_value(order),
        at=order.request.at,
        by_broker=by_broker,
    )


def executed(state: DeskState, order: Order, day: date) -> Executed | None:
    instrument = state.instrument(order.key)
    if instrument is None:
        return None
    return executed_of(order, instrument, state.calendar.deadlines(day, venue_of(instrument)).broker_at)


def executed_on(state: DeskState, day: date) -> Sequence[Executed]:
    """What was executed on ``day``, the present trading day, in the order it was decided."""
    rows = [
        executed(state, order, day)
        for order in state.orders.values()
        if order.filled_quantity and state.trading_day(order.request.at) == day
    ]
    return sorted((row for row in rows if row is not None), key=lambda row: (row.at, row.tag))


def added_charges(state: DeskState, before: Order, after: Order, day: date) -> Decimal:
    """What an execution added to the day's charges, rupees."""
    now = executed(state, after, day)
    if now is None:
        return ZERO
    others: Sequence[Executed] = ()
    if after.product in _NETTED:
        # Of every product: the depository takes its charge once a share and day.
        others = [row for row in executed_on(state, day) if row.key == after.key and row.tag != after.tag]
    return state.charges.added(executed(state, before, day), now, others)


def margin(
    state: DeskState,
    instrument: Instrument | None,
    product: Product,
    side: Side,
    quantity: int,
    price: Decimal,
    on: date,
) -> Decimal:
    """Rupees a position of this side ties up. What nobody knows is taken at its full value."""
    if instrument is None:
        return price * quantity
    underlying = underlying_price(state, instrument) if instrument.underlying else None
    return state.margins.required(instrument, product, side, quantity, price, on, underlying)


def underlying_price(state: DeskState, instrument: Instrument) -> Decimal | None:
    """The last price of what a contract is written on, where it is quoted."""
    if not instrument.underlying:
        return None
    name = instrument.underlying
    quote = state.quotes.get(_INDICES.get(name, InstrumentKey(f"NSE:{name}")))
    return decimal_of(quote.last) if quote is not None else None
