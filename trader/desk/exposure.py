"""What is at stake: equity, today's result, exposure, and the Case a request is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from trader.desk.case import Case, price_of
from trader.desk.costs import margin
from trader.desk.portfolio import Slot, slot_of
from trader.desk.state import Band, DeskState
from trader.domain.instrument import Exchange, Instrument, InstrumentKey
from trader.domain.money import ZERO, decimal_of, to_paise
from trader.domain.order import Order, OrderRequest, OrderState, Purpose, Side
from trader.domain.position import Fill, Position
from trader.domain.records import InstanceStatus
from trader.domain.values import quick
from trader.market.bands import price_band
from trader.market.phases import Venue, venue_of

CLOSING = (Purpose.EXIT, Purpose.TARGET, Purpose.SQUAREOFF, Purpose.KILL)

# Until Python 3.12 a member looked up in its class takes ten times as long as a global.
_ENTRY, _RUNNING, _DENIED = Purpose.ENTRY, InstanceStatus.RUNNING, OrderState.DENIED
_case = quick(Case)


@lru_cache(maxsize=64, typed=True)  # of the few that strategies were given
def _percent(given: float) -> Decimal:
    return Decimal(str(given))


def case_of(state: DeskState, at: datetime, request: OrderRequest) -> Case:
    """Everything the gate may look at for this request, now."""
    owner, key, product = request.owner, request.key, request.product
    slot = Slot(owner, key, product)
    running = state.instances.get(owner)
    portfolio, working = state.portfolio, state.working
    entries = _entries(state) if working else ()
    occupied = set(portfolio.at_stake())
    occupied.update([slot_of(o) for o in entries])
    unrealised = portfolio.unrealised(state.quotes)
    worth = equity(state, unrealised)
    instrument, quote = state.instrument(key), state.quotes.get(key)
    day = state.trading_day(at)
    venue = venue_of(instrument) if instrument is not None else Venue.STOCK
    moment = state.calendar.moment(at, venue)
    used = margin_used(state, day, entries)
    return _case(
        request=request,
        at=at,
        limits=state.config.limits,
        latch=state.latch,
        armed=state.armed,
        paused=running is not None and running.instance.status is not _RUNNING,
        phase=moment.phase,
        reconciled=state.reconciled and not state.unread,
        session_text=moment.text,
        entries_until=moment.deadlines.entries_until,
        instrument=instrument,
        today=day,
        last_day=last_day(state, key),
        closes_at=moment.session.closes_at if moment.session is not None else None,
        band=_band(state, instrument, request),
        quote=quote,
        position=portfolio.position(slot),
        positions_open=len(occupied),
        owner_positions=len([s for s in occupied if s.owner == owner]) if occupied else 0,
        owner_max_positions=running.options.max_positions if running else 0,
        owner_risk_pct=_percent(running.options.risk) if running else ZERO,
        exposure=exposure(state, entries),
        margin_used=used,
        margin_needed=margin(
            state, instrument, product, request.side, request.quantity, price_of(request, quote), day
        ),
        equity=worth,
        day_pnl=day_pnl(state, unrealised),
        drawdown_pct=drawdown_pct(state.counters.peak_equity, worth),
        counters=state.counters,
        pace=state.pace,
        stops_owed=_stops_owed(state, entries),
        leaving=closing_quantity(state, slot) if working else 0,
        unresolved=bool(working)
        and any(o.state is OrderState.UNKNOWN and o.key == key for o in working.values()),
        locked=state.locks[key].text if key in state.locks else "",
        recent=_recent_entries(state, at, request),
        broker_free=_broker_free(state, day, used),
    )


def closing_quantity(state: DeskState, slot: Slot) -> int:
    """Units that working exits (resting stops aside) will close."""
    return sum(o.pending_quantity for o in state.working_in(slot) if o.purpose in CLOSING)


def exposure(state: DeskState, entries: Sequence[Order] | None = None) -> Decimal:
    """Gross rupees at the market, with the entries under way: ``entries``, where the caller has them."""
    total = state.portfolio.gross_exposure(state.quotes)
    if state.working:
        for order in (*(_entries(state) if entries is None else entries), *outside_entries(state)):
            total += _pending_value(state, order)
    return total


def margin_used(state: DeskState, on: date, entries: Sequence[Order] | None = None) -> Decimal:
    """Rupees of capital that positions and entries under way tie up."""
    used = ZERO
    for slot, position in state.portfolio.at_stake().items():
        side = Side.BUY if position.quantity > 0 else Side.SELL
        instrument = state.instrument(slot.key)
        quantity = abs(position.quantity)
        used += margin(state, instrument, slot.product, side, quantity, position.average_price, on)
    for order in _entries(state) if entries is None else entries:
        instrument, quantity = state.instrument(order.key), order.pending_quantity
        used += margin(state, instrument, order.product, order.side, quantity, price_at(state, order), on)
    return used


def _broker_free(state: DeskState, on: date, used: Decimal) -> Decimal | None:
    """Rupees the broker has for another position; None when today's funds are not known."""
    known = state.funding
    if known is None or state.trading_day(known.at) != on:
        return None
    return known.free(used, state.counters.booked)


def equity(state: DeskState, unrealised: Decimal | None = None) -> Decimal:
    """Capital plus everything booked since the ledger began plus the unrealised, where the caller has it."""
    if unrealised is None:
        unrealised = state.portfolio.unrealised(state.quotes)
    return state.config.limits.capital + state.counters.booked + unrealised


def day_pnl(state: DeskState, unrealised: Decimal | None = None) -> Decimal:
    """Today's rupees after charges, realised and unrealised."""
    return state.counters.booked_today + day_unrealised(state, unrealised)


def day_unrealised(state: DeskState, unrealised: Decimal | None = None) -> Decimal:
    """Unrealised rupees, less what positions carried over night already had at the day's start."""
    total = state.portfolio.unrealised(state.quotes) if unrealised is None else unrealised
    for slot, mark in state.opening_mark.items():
        position = state.portfolio.open_slots().get(slot)
        if position is not None:
            total -= position.unrealised(decimal_of(mark))
    return total


def carried(state: DeskState, held: Position, fill: Fill) -> Decimal:
    """Of what a fill realises, the rupees that earlier days have had already: as far as what it closes was
    carried over night, up to the day's start."""
    mark = state.opening_mark.get(slot_of(fill))
    if mark is None or held.quantity * fill.side.sign >= 0:
        return ZERO
    closed = min(fill.quantity, abs(held.quantity))
    return to_paise(held.unrealised(decimal_of(mark)) * closed / abs(held.quantity))


def drawdown_pct(peak: Decimal, worth: Decimal) -> Decimal:
    """How far ``worth`` is below its peak, in percent of the peak; zero at or above it."""
    if peak <= 0 or worth >= peak:
        return ZERO
    return (peak - worth) / peak * 100


def _entries(state: DeskState) -> list[Order]:
    return [o for o in state.working.values() if o.purpose is _ENTRY]


def outside_entries(state: DeskState) -> list[Order]:
    """Working orders from elsewhere, but those that would close what the account holds."""
    outside = [o for o in state.working.values() if o.purpose is Purpose.EXTERNAL]
    if not outside:
        return []
    net = state.portfolio.net()
    return [o for o in outside if net.get((o.key, o.product), 0) * o.side.sign >= 0]


def _pending_value(state: DeskState, order: Order) -> Decimal:
    return price_at(state, order) * order.pending_quantity


def last_day(state: DeskState, key: InstrumentKey) -> date | None:
    """The last day a contract trades: when its expiry is closed, at short notice too, the trading day before
    (india.md 7)."""
    instrument = state.instrument(key)
    if instrument is None or instrument.expiry is None:
        return None
    expiry = instrument.expiry
    trades = state.calendar.is_trading_day(expiry)
    return expiry if trades else state.calendar.previous_trading_day(expiry)


def ended(state: DeskState, key: InstrumentKey, day: date) -> bool:
    """Whether it is a contract that traded for the last time before ``day``; lists have it no more then."""
    last = last_day(state, key)
    unlisted = state.instrument(key) is None and key.startswith((Exchange.NFO, Exchange.BFO))
    return unlisted if last is None else last < day


def price_at(state: DeskState, order: Order) -> Decimal:
    price = order.price or order.trigger_price or order.request.reference_price
    if price is not None:
        return price
    quote = state.quotes.get(order.key)
    return decimal_of(quote.last) if quote is not None else ZERO


def _band(state: DeskState, instrument: Instrument | None, request: OrderRequest) -> Band:
    close = state.previous_close.get(request.key)
    if instrument is None or close is None:
        return None
    known = state.bands.get(request.key)
    if known is None or known[0] is not instrument or known[1] != close:
        known = state.bands[request.key] = instrument, close, price_band(instrument, decimal_of(close))
    return known[2]


def _stops_owed(state: DeskState, entries: Sequence[Order]) -> int:
    bare = 0
    for slot in state.portfolio.open_slots():
        plan = state.plans.get(slot)
        if plan is not None and (plan.stop_tag is None or plan.stop_tag not in state.working):
            bare += 1
    return len(entries) + bare


def _recent_entries(state: DeskState, at: datetime, request: OrderRequest) -> list[Order]:
    window = state.config.limits.duplicate_window
    found: list[Order] = []
    for order in reversed(state.orders.values()):
        if at - order.request.at >= window:
            break  # orders are kept in the order they were made
        if order.owner == request.owner and order.key == request.key and order.state is not _DENIED:
            found.append(order)
    return found
