"""One small check for every rule of the risk gate.

A check looks at the Case and answers None or Denied. Entries pass all of them; what reduces risk passes
only those that physics or the exchange demand, so no entry limit can ever hold a position captive.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from trader.desk.case import Case
from trader.desk.limits import (
    BROKER_ORDERS_PER_DAY,
    BROKER_ORDERS_PER_MINUTE,
    BROKER_ORDERS_PER_SECOND,
    RISK_PER_TRADE_CEILING_PCT,
)
from trader.desk.pace import OrderPace
from trader.domain.instrument import Instrument, Segment, symbol_of
from trader.domain.money import ZERO, decimal_of, rupees
from trader.domain.order import (
    Denied,
    OrderType,
    Product,
    Purpose,
)
from trader.domain.records import DeskMode
from trader.domain.times import clock_text
from trader.market import shaping
from trader.market.phases import Phase

LAST_ENTRY = timedelta(minutes=10)  # before the end of continuous trading

# Until Python 3.12 a member looked up in its class takes ten times as long as a global.
_INDEX, _OPEN, _ENTRY, _ACTIVE, _MIS = (
    Segment.INDEX, Phase.OPEN, Purpose.ENTRY, DeskMode.ACTIVE, Product.MIS,
)  # fmt: skip
_PRICES = {  # limit, trigger
    OrderType.MARKET: (False, False),
    OrderType.LIMIT: (True, False),
    OrderType.SL: (True, True),
    OrderType.SL_M: (False, True),
}

Check = Callable[[Case], Denied | None]


# -- checks for every order ---------------------------------------------------------------------------


def known_instrument(case: Case) -> Denied | None:
    if case.instrument is None:
        return Denied("unknown_instrument", f"{symbol_of(case.request.key)} is not a known instrument.")
    if case.instrument.segment is _INDEX:
        return Denied("not_tradable", f"{case.instrument.symbol} is an index; it cannot be traded.")
    return None


def session_open(case: Case) -> Denied | None:
    """Continuous trading of the instrument; a kill may also leave in the closing auction."""
    if case.phase is _OPEN:
        return None
    if case.phase is Phase.AUCTION and case.request.purpose is Purpose.KILL:
        return None
    if case.phase in (Phase.CLOSED, Phase.PREOPEN):
        return Denied("session_closed", f"The market is {case.session_text}.")
    symbol = symbol_of(case.request.key)
    return Denied("session_closed", f"{symbol} is not in continuous trading now: {case.phase}.")


def type_taken(case: Case) -> Denied | None:
    assert case.instrument is not None  # noqa: S101 - known_instrument ran before
    fault = shaping.order_type_fault(case.instrument, case.request.order_type)
    return Denied("order_type", fault) if fault is not None else None


def product_taken(case: Case) -> Denied | None:
    """Which products the instrument and the side allow: delivery is never sold short (india.md 4, 9)."""
    request, instrument = case.request, case.instrument
    assert instrument is not None  # noqa: S101 - known_instrument ran before
    opening = request.purpose is _ENTRY
    fault = shaping.product_fault(instrument, request.product, request.side, opening)
    return Denied("product", fault) if fault is not None else None


def validity_taken(case: Case) -> Denied | None:
    fault = shaping.validity_fault(case.request.order_type, case.request.validity, case.phase)
    return Denied("validity", fault) if fault is not None else None


def lot_multiple(case: Case) -> Denied | None:
    quantity, instrument = case.request.quantity, case.instrument
    if quantity <= 0:
        return Denied("quantity", f"Expected a quantity above zero, was {quantity}.")
    if instrument is not None and quantity % instrument.lot_size:
        return Denied(
            "lot_multiple",
            f"{instrument.symbol} trades in lots of {instrument.lot_size}; {quantity} is not a multiple.",
        )
    return None


def tick_multiple(case: Case) -> Denied | None:
    request, instrument = case.request, case.instrument
    assert instrument is not None  # noqa: S101 - known_instrument ran before
    for name, price in (("limit", request.price), ("trigger", request.trigger_price)):
        if price is not None and (price <= 0 or not instrument.on_tick(price)):
            return off_tick(instrument, name, price)
    return None


def off_tick(instrument: Instrument, name: str, price: Decimal) -> Denied:
    return Denied(
        "tick_multiple",
        f"The {name} price {price} is not a multiple of {instrument.symbol}'s tick {instrument.tick_size}.",
    )


def prices_present(case: Case) -> Denied | None:
    """Each order type carries exactly the prices it needs."""
    request = case.request
    needs = _PRICES[request.order_type]
    if needs == (request.price is not None, request.trigger_price is not None):
        return None
    return Denied(
        "prices",
        f"A {request.order_type} order takes {'a' if needs[0] else 'no'} limit price"
        f" and {'a' if needs[1] else 'no'} trigger price.",
    )


def freeze_quantity(case: Case) -> Denied | None:
    freeze = case.instrument.freeze_quantity if case.instrument else None
    if freeze is None or case.request.quantity <= freeze:
        return None
    return Denied(
        "freeze_quantity",
        f"The exchange takes at most {freeze} units an order; this one has {case.request.quantity}.",
    )


# -- checks for what reduces risk ---------------------------------------------------------------------


def reduces(case: Case) -> Denied | None:
    """An exit is on the other side of the position and, with the exits under way, no larger than it."""
    request, held = case.request, case.position.quantity
    room = abs(held) - case.leaving if held * request.side.sign < 0 else 0
    if request.quantity <= room:
        return None
    return Denied(
        "not_reducing",
        f"This would {request.side.lower()} {request.quantity} {symbol_of(request.key)},"
        f" but only {max(room, 0)} can be closed.",
    )


def broker_pace(case: Case) -> Denied | None:
    case.pace.roll(case.at)
    return _pace(
        case.pace,
        BROKER_ORDERS_PER_SECOND - 1,  # one of the ten is left to a cancel in the same second
        BROKER_ORDERS_PER_MINUTE,
        BROKER_ORDERS_PER_DAY,
    )


# -- checks for entries -------------------------------------------------------------------------------


def trading_state(case: Case) -> Denied | None:
    latch = case.latch
    if latch.mode is _ACTIVE:
        return None
    return Denied("mode", f"The desk is {latch.mode} since {clock_text(latch.since)}: {latch.reason}")


def armed(case: Case) -> Denied | None:
    if case.armed:
        return None
    return Denied("disarmed", "The desk trades live money only after /live with a one-time code.")


def book_read(case: Case) -> Denied | None:
    if case.reconciled:
        return None
    return Denied(
        "book_unread", "The broker's book must be read first, as after a start, a login, an outage."
    )


def strategy_state(case: Case) -> Denied | None:
    return Denied("paused", f"{case.request.owner} is paused.") if case.paused else None


def entries_open(case: Case) -> Denied | None:
    if case.request.product is not _MIS or case.entries_until is None:
        return None
    if case.at < case.entries_until:
        return None
    return Denied(
        "entries_over",
        f"Intraday entries end at {case.entries_until:%H:%M}; positions are squared off soon after.",
    )


def stop_can_rest(case: Case) -> Denied | None:
    """At the end of continuous trading the exchange cancels every stop (india.md 6): what is bought just
    before would be without one over the night."""
    if case.closes_at is None or case.closes_at - case.at >= LAST_ENTRY:
        return None
    return Denied(
        "entries_over",
        f"Continuous trading ends at {case.closes_at:%H:%M}, and stops with it; no entries just before.",
    )


def fresh_quote(case: Case) -> Denied | None:
    if case.quote is None:
        return Denied("no_quote", f"{symbol_of(case.request.key)} has no price yet.")
    age = case.at - case.quote.at
    if age <= case.limits.stale_quote:
        return None
    return Denied("stale_quote", f"{symbol_of(case.request.key)}'s last price is {_span(age)} old.")


def price_collar(case: Case) -> Denied | None:
    request, quote = case.request, case.quote
    if quote is None or quote.last <= 0:
        return Denied("no_quote", f"{symbol_of(request.key)} has no price yet.")
    last = decimal_of(quote.last)
    collar = last * case.limits.collar_pct
    for price in (request.price, request.trigger_price, request.reference_price):
        if price is not None and abs(price - last) * 100 > collar:
            return Denied(
                "price_collar",
                f"{rupees(price)} is more than {case.limits.collar_pct} % from the last price"
                f" {rupees(last)}.",
            )
    return None


def price_band(case: Case) -> Denied | None:
    """The exchange takes no order beyond the day's price limits, nor an entry whose stop would lie there."""
    if case.band is None:
        return None
    low, high = case.band
    prices = [case.request.price, case.request.trigger_price]
    if case.request.stop_distance is not None:
        prices.append(case.price - case.request.stop_distance * case.request.side.sign)
    for price in prices:
        if price is not None and not low <= price <= high:
            return Denied(
                "price_band",
                f"{rupees(price)} is outside the day's price limits {rupees(low)} to {rupees(high)}.",
            )
    return None


def not_expired(case: Case) -> Denied | None:
    """No entry in a contract whose last day is over, nor on that day itself: it would be left at once."""
    expiry = case.last_day
    if expiry is None or case.today < expiry:
        return None
    symbol = symbol_of(case.request.key)
    if case.today > expiry:
        return Denied("expired", f"{symbol} expired on {expiry:%d %b %Y}.")
    if case.request.product is Product.MIS:
        return None
    return Denied("expires_today", f"{symbol} expires today; only intraday (MIS) positions are opened.")


def settled_outcomes(case: Case) -> Denied | None:
    if not case.unresolved:
        return None
    return Denied(
        "unresolved_order",
        f"An order in {symbol_of(case.request.key)} has an unknown outcome; it must be found first.",
    )


def locked(case: Case) -> Denied | None:
    """The broker shows a position there that this desk did not make; the owner has not judged it yet."""
    if not case.locked:
        return None
    symbol = symbol_of(case.request.key)
    return Denied("locked", f"{symbol} is locked: {case.locked} /adopt, /ignore or /flatten {symbol}.")


def order_value(case: Case) -> Denied | None:
    value = case.value
    if value <= case.limits.max_order_value:
        return None
    return Denied(
        "order_value",
        f"The order is worth {rupees(value)}; the limit is {rupees(case.limits.max_order_value)}.",
    )


def position_size(case: Case) -> Denied | None:
    limits, value = case.limits, case.price * (abs(case.position.quantity) + case.request.quantity)
    if value <= limits.max_position_value:
        return None
    return Denied(
        "position_size",
        f"The position would be worth {rupees(value)}; the limit is {rupees(limits.max_position_value)}.",
    )


def risk_per_trade(case: Case) -> Denied | None:
    distance = case.request.stop_distance
    if distance is None or distance <= 0:
        return Denied("no_stop", "An entry needs a protective stop, so that its risk is known.")
    percent = min(case.owner_risk_pct, case.limits.risk_per_trade_pct, RISK_PER_TRADE_CEILING_PCT)
    allowed = case.limits.capital * percent  # a hundred times
    risk = distance * case.request.quantity
    if risk * 100 <= allowed:
        return None
    return Denied(
        "risk_per_trade",
        f"The trade risks {rupees(risk)} to its stop; {percent} % of capital is {rupees(allowed / 100)}.",
    )


def open_positions(case: Case) -> Denied | None:
    if case.position.quantity or case.positions_open < case.limits.max_open_positions:
        return None
    return Denied(
        "open_positions",
        f"{case.positions_open} positions are open; the limit is {case.limits.max_open_positions}.",
    )


def strategy_positions(case: Case) -> Denied | None:
    if case.position.quantity or case.owner_positions < case.owner_max_positions:
        return None
    return Denied(
        "strategy_positions",
        f"{case.request.owner} holds {case.owner_positions} positions;"
        f" its limit is {case.owner_max_positions}.",
    )


def gross_exposure(case: Case) -> Denied | None:
    limits, exposure = case.limits, case.exposure + case.value
    if exposure <= limits.max_exposure:
        return None
    return Denied(
        "exposure",
        f"Exposure would be {rupees(exposure)}; the limit is {rupees(limits.max_exposure)}.",
    )


def capital(case: Case) -> Denied | None:
    needed = case.margin_needed
    free, where = case.equity - case.margin_used, "is free"
    if case.broker_free is not None and case.broker_free < free:
        free, where = case.broker_free, "is free at the broker"
    if needed <= free:
        return None
    return Denied("capital", f"The order needs {rupees(needed)}; {rupees(max(free, ZERO))} {where}.")


def daily_loss(case: Case) -> Denied | None:
    if case.day_pnl > -case.limits.daily_loss:
        return None
    return Denied(
        "daily_loss",
        f"Today's loss is {rupees(-case.day_pnl)}; the limit is {rupees(case.limits.daily_loss)}.",
    )


def drawdown(case: Case) -> Denied | None:
    if case.drawdown_pct < case.limits.max_drawdown_pct:
        return None
    return Denied(
        "drawdown",
        f"Equity is {case.drawdown_pct:.1f} % below its peak; the limit is {case.limits.max_drawdown_pct} %.",
    )


def trades_per_day(case: Case) -> Denied | None:
    if case.counters.entries < case.limits.max_trades_per_day:
        return None
    return Denied(
        "trades_per_day",
        f"{case.counters.entries} trades were entered today; the limit is {case.limits.max_trades_per_day}.",
    )


def cooldown(case: Case) -> Denied | None:
    until = case.counters.cooldown_until
    if until is None or case.at >= until:
        return None
    return Denied(
        "cooldown",
        f"{case.limits.loss_streak} losing trades in a row; entries wait until {until:%H:%M}.",
    )


def entry_pace(case: Case) -> Denied | None:
    """Room for the entry, its stop, and the stops of the entries before it: a position must not wait for the
    next second to be protected."""
    limits, pace = case.limits, case.pace
    pace.roll(case.at)
    needed = pace.in_second + case.stops_owed + 1
    if limits.orders_per_second > 1 and needed >= limits.orders_per_second:
        return Denied(
            "rate_second",
            f"{pace.in_second} orders were sent this second and {case.stops_owed + 1} stops will be"
            f" needed; the limit is {limits.orders_per_second}.",
        )
    return _pace(pace, limits.orders_per_second, limits.orders_per_minute, limits.orders_per_day)


def duplicate_signal(case: Case) -> Denied | None:
    """The same entry twice in a few seconds is a loop, not a decision."""
    request = case.request
    for order in case.recent:
        earlier = order.request
        if (
            earlier.purpose is _ENTRY
            and (earlier.side, earlier.quantity) == (request.side, request.quantity)
            and case.at - earlier.at < case.limits.duplicate_window
        ):
            return Denied(
                "duplicate_signal",
                f"The same entry was made {_span(case.at - earlier.at)} ago ({earlier.tag}).",
            )
    return None


def _pace(pace: OrderPace, second: int, minute: int, day: int) -> Denied | None:
    if pace.in_second < second and pace.in_minute < minute and pace.in_day < day:
        return None
    for code, label, count, limit in (
        ("rate_second", "this second", pace.in_second, second),
        ("rate_minute", "this minute", pace.in_minute, minute),
        ("rate_day", "today", pace.in_day, day),
    ):
        if count >= limit:
            return Denied(code, f"{count} orders were sent {label}; the limit is {limit}.")
    return None


def _span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


_SHAPE: tuple[Check, ...] = (
    known_instrument, session_open, lot_multiple, tick_multiple, prices_present, type_taken,
    product_taken, validity_taken,
    freeze_quantity,
)  # fmt: skip

ENTRY_CHECKS: tuple[Check, ...] = (
    trading_state, armed, book_read, strategy_state, *_SHAPE, entries_open, stop_can_rest,
    fresh_quote, price_collar,
    price_band, not_expired, settled_outcomes, locked, order_value, position_size, risk_per_trade,
    open_positions, strategy_positions, gross_exposure, capital, daily_loss, drawdown, trades_per_day,
    cooldown, entry_pace, duplicate_signal,
)  # fmt: skip

EXIT_CHECKS: tuple[Check, ...] = (*_SHAPE, reduces, broker_pace)
