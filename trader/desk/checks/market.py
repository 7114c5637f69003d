"""The hour and the price: what is traded now, and what of it an entry may still ask for."""

from __future__ import annotations

from datetime import timedelta

from trader.desk.case import Case
from trader.domain.instrument import symbol_of
from trader.domain.money import decimal_of, rupees
from trader.domain.order import Denied, Product, Purpose
from trader.domain.times import date_text, span_text
from trader.market.phases import Phase

LAST_ENTRY = timedelta(minutes=10)  # before the end of continuous trading

# Until Python 3.12 a member looked up in its class takes ten times as long as a global.
_OPEN, _MIS = Phase.OPEN, Product.MIS


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
    return Denied("stale_quote", f"{symbol_of(case.request.key)}'s last price is {span_text(age)} old.")


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
        return Denied("expired", f"{symbol} expired on {date_text(expiry)}.")
    if case.request.product is Product.MIS:
        return None
    return Denied("expires_today", f"{symbol} expires today; only intraday (MIS) positions are opened.")
