"""At what price an order trades, if at all. Pure; every doubt is resolved against the trader.

An order faces four things: a quote, the closing auction's price, the range of a recorded candle between its
open and its close, and, when it was changed into a limit inside that range, the price it asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import inf

from trader.domain.instrument import Instrument
from trader.domain.market import Bar, Tick
from trader.domain.money import decimal_of
from trader.domain.order import BrokerStatus, OrderType, OrderUpdate, Side

STOPS = frozenset({OrderType.SL, OrderType.SL_M})


@dataclass(frozen=True, slots=True)
class Match:
    """``fired``: the stop's trigger was reached now. ``price``: rupees a unit, None when nothing trades."""

    fired: bool = False
    price: Decimal | None = None


NOTHING = Match()


def on_quote(terms: OrderUpdate, met: bool, tick: Tick, instrument: Instrument, bps: float) -> Match:
    """``met`` says that the order has rested in the book since an earlier quote: then the other side comes
    to it and it trades at its own price; an order that has just arrived takes the touch."""
    if not sane(tick.last):
        return NOTHING
    fired = False
    if waiting(terms):
        if not _reached(terms, tick.last):
            return NOTHING
        fired = True
    touch = _touch(tick, terms.side)
    if terms.order_type in (OrderType.MARKET, OrderType.SL_M):
        return Match(fired, slipped(decimal_of(touch), terms.side, bps, instrument))
    limit = _limit(terms)
    if not _within(decimal_of(touch), limit, terms.side):
        return Match(fired)
    rested = met or (terms.order_type is OrderType.SL and not fired)
    return Match(fired, limit if rested else _on_tick(decimal_of(touch), terms.side, instrument))


def in_range(terms: OrderUpdate, bar: Bar, instrument: Instrument, bps: float) -> Match:
    """What trades between a candle's open, which was shown as a quote, and its close.

    A market order waits for the next quote. A stop trades at its trigger, or at the open if that lies
    beyond; a stop-limit whose limit lies beyond that too is left in the book untraded.
    """
    if not (sane(bar.low) and sane(bar.high)):
        return NOTHING
    if waiting(terms):
        if not _reached(terms, bar.low if terms.side is Side.SELL else bar.high):
            return NOTHING
        worst = max if terms.side is Side.BUY else min
        reached_at = worst(_trigger(terms), decimal_of(bar.open))
        price = slipped(reached_at, terms.side, bps, instrument)
        if terms.order_type is OrderType.SL_M:
            return Match(True, price)
        if not _within(reached_at, _limit(terms), terms.side):
            return Match(True)
        return Match(True, price if _within(price, _limit(terms), terms.side) else _limit(terms))
    if terms.order_type in (OrderType.LIMIT, OrderType.SL):
        best = bar.low if terms.side is Side.BUY else bar.high
        if _within(decimal_of(best), _limit(terms), terms.side):
            return Match(price=_limit(terms))
    return NOTHING


def in_auction(terms: OrderUpdate, tick: Tick, instrument: Instrument) -> Match:
    """The closing auction's one price, for every order that it satisfies. Stops take no part."""
    if waiting(terms):
        return NOTHING
    price = _on_tick(decimal_of(tick.last), terms.side, instrument)
    limited = terms.order_type in (OrderType.LIMIT, OrderType.SL)
    return NOTHING if limited and not _within(price, _limit(terms), terms.side) else Match(price=price)


def on_conversion(terms: OrderUpdate, bar: Bar) -> Match:
    """An order changed into a limit while the range of ``bar`` passes: at its price, if that was traded."""
    if terms.order_type is not OrderType.LIMIT:
        return NOTHING
    limit = _limit(terms)
    inside = decimal_of(bar.low) <= limit <= decimal_of(bar.high)
    return Match(price=limit) if inside else NOTHING


def slipped(price: Decimal, side: Side, bps: float, instrument: Instrument) -> Decimal:
    """``price`` made worse by ``bps`` hundredths of a percent, on the tick away from the trader."""
    worse = price * (1 + side.sign * decimal_of(bps) / 10_000)
    return max(_on_tick(worse, side, instrument), instrument.tick_size)


def waiting(terms: OrderUpdate) -> bool:
    """Whether this is a stop whose trigger has not been reached."""
    return terms.order_type in STOPS and terms.status is BrokerStatus.TRIGGER_PENDING


def would_fire(side: Side, trigger: Decimal, last: float) -> bool:
    """Whether a stop with this trigger is already reached by the last price."""
    return decimal_of(last) >= trigger if side is Side.BUY else decimal_of(last) <= trigger


def sane(price: float) -> bool:
    """Feeds print zeros, negatives and worse; nothing trades at those."""
    return 0.0 < price < inf


def _reached(terms: OrderUpdate, price: float) -> bool:
    return would_fire(terms.side, _trigger(terms), price)


def _touch(tick: Tick, side: Side) -> float:
    depth = tick.ask if side is Side.BUY else tick.bid
    return depth if sane(depth) else tick.last


def _within(price: Decimal, limit: Decimal, side: Side) -> bool:
    return price <= limit if side is Side.BUY else price >= limit


def _on_tick(price: Decimal, side: Side, instrument: Instrument) -> Decimal:
    """The next price of the exchange, away from the trader: recorded prices may lie between two."""
    return instrument.round_up(price) if side is Side.BUY else instrument.round_down(price)


def _limit(terms: OrderUpdate) -> Decimal:
    assert terms.price is not None, "checked when the order was taken"  # noqa: S101 (narrows the type)
    return terms.price


def _trigger(terms: OrderUpdate) -> Decimal:
    assert terms.trigger_price is not None, "checked when the order was taken"  # noqa: S101 (narrows the type)
    return terms.trigger_price
