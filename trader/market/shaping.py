"""What an order must look like before the exchange takes it.

Prices are rounded to the tick so that an order asks for what was asked or for something better, never worse.
The percentages are dated data (``tables/shaping.toml``). Everything here is pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, Instrument, Segment
from trader.domain.order import OrderType, Product, Side, Validity
from trader.market import tables
from trader.market.phases import Phase

MAX_SLICES = 10  # of one order by Kite's autoslice (kite.md 4); beyond that somebody should think again

_STOPS = (OrderType.SL, OrderType.SL_M)
_CASH = (Exchange.NSE, Exchange.BSE)
_BSE = (Exchange.BSE, Exchange.BFO)
_OF_SHARES = (Product.MIS, Product.CNC, Product.MTF)
_OF_CONTRACTS = (Product.MIS, Product.NRML)
_DELIVERED = (Product.CNC, Product.MTF)
# Until Python 3.12 a member looked up in its class takes ten times as long as a global.
_INDEX, _EQUITY, _SL_M, _IOC = Segment.INDEX, Segment.EQUITY, OrderType.SL_M, Validity.IOC
_HUNDRED = Decimal(100)
# Kite takes no GTT whose trigger is within 0.25 % of the last price; a little more leaves room for a tick.
_GTT_NEAREST = Decimal("0.003")
# What a price may move in a day (bands.py): which of them a stock without derivatives has is not published.
_BANDS = (Decimal("0.05"), Decimal("0.10"), Decimal("0.20"))

# Which orders a phase takes (NSE/CMTR/73362, 74466; india.md 6); IOC ones in continuous trading alone.
_TAKEN: dict[Phase, tuple[OrderType, ...]] = {
    Phase.PREOPEN: (OrderType.MARKET, OrderType.LIMIT),
    Phase.PREOPEN_LIMIT: (OrderType.LIMIT,),
    Phase.OPEN: tuple(OrderType),
    Phase.AUCTION: (OrderType.MARKET, OrderType.LIMIT),
    Phase.AUCTION_LIMIT: (OrderType.LIMIT,),
    Phase.POST_CLOSE: (OrderType.MARKET, OrderType.LIMIT),
}


@dataclass(frozen=True, slots=True)
class _Slab:
    below: Decimal  # rupees
    percent: Decimal


@dataclass(frozen=True, slots=True)
class _Buffer:
    percent: Decimal
    ticks: int


# -- prices ----------------------------------------------------------------------------------------------


def limit_price(instrument: Instrument, side: Side, price: Decimal) -> Decimal:
    """``price`` on the tick: a buy never pays more, a sell never takes less than asked. InvalidInput where
    no price of the exchange does."""
    _require_positive(price, "limit price")
    limit = instrument.round_down(price) if side is Side.BUY else instrument.round_up(price)
    if limit <= 0:
        raise InvalidInput(
            f"{instrument.key} trades in steps of ₹{instrument.tick_size}: nothing can be bought at "
            f"₹{price} or less"
        )
    return limit


def protection_pct(instrument: Instrument, price: Decimal) -> Decimal:
    """Per cent that Kite's automatic market protection allows at ``price``."""
    kind = "options" if instrument.segment is Segment.OPTIONS else "cash and futures"
    return next(slab.percent for slab in _slabs(kind) if price < slab.below)


def protected_price(instrument: Instrument, side: Side, last: Decimal) -> Decimal:
    """The limit a market order is sent at: ``last`` and the protection, on the tick.

    Never beyond the protection, but at least one tick beyond ``last``: the protection of a cheap option is
    less than a tick, and a limit at the last price protects by not trading. A sale asks one tick or more.
    """
    _require_positive(last, "last price")
    room = last * protection_pct(instrument, last) / _HUNDRED
    if side is Side.BUY:
        return max(instrument.round_down(last + room), instrument.round_up(last) + instrument.tick_size)
    least = min(instrument.round_up(last - room), instrument.round_down(last) - instrument.tick_size)
    return max(least, instrument.tick_size)


def stop_type(instrument: Instrument) -> OrderType:
    """SL-M, or SL where the exchange bars it."""
    return OrderType.SL if order_type_fault(instrument, OrderType.SL_M) else OrderType.SL_M


def stop_limit(instrument: Instrument, side: Side, trigger: Decimal) -> Decimal:
    """The limit of an SL that stands in for an SL-M: far enough beyond ``trigger`` that only a leap passes
    it over, on the tick, at least one tick above nothing."""
    _require_positive(trigger, "trigger price")
    buffer = _buffer(_buffer_kind(instrument))
    room = max(trigger * buffer.percent / _HUNDRED, instrument.tick_size * buffer.ticks)
    if side is Side.BUY:
        return instrument.round_up(trigger + room)
    return max(instrument.round_down(trigger - room), instrument.tick_size)


def overnight_stop(
    instrument: Instrument, side: Side, stop: Decimal, last: Decimal | None
) -> tuple[Decimal, Decimal]:
    """Trigger and limit of a GTT that is to close at ``stop`` over the next opening, on the tick.

    Kite wants the trigger away from the last price, so a stop that is nearer, or passed already, moves just
    beyond it. The limit is that of a stop-limit, but within the narrowest price band of the next day that
    holds the trigger: an order outside the band is refused, and protects nothing.
    """
    trigger = stop
    if last is not None:
        if side is Side.SELL:
            trigger = min(stop, instrument.round_down(last * (1 - _GTT_NEAREST)))
        else:
            trigger = max(stop, instrument.round_up(last * (1 + _GTT_NEAREST)))
    trigger = max(trigger, instrument.tick_size)
    limit = stop_limit(instrument, side, trigger)
    edge = _band_edge(instrument, side, trigger, last)
    if edge is not None:
        limit = max(limit, edge) if side is Side.SELL else min(limit, edge)
    return trigger, limit


# -- quantities ------------------------------------------------------------------------------------------


def lots(instrument: Instrument, quantity: int) -> int:
    """``quantity`` in whole lots, rounded down, in units; 0 when it does not make one."""
    return max(quantity, 0) // instrument.lot_size * instrument.lot_size


def slices(quantity: int, lot_size: int, freeze: int | None) -> list[int]:
    """``quantity`` in orders the exchange takes: whole lots, none above the freeze quantity. Units.

    InvalidInput when it takes more than ten, when it is no whole number of lots, or when no lot fits.
    """
    if lot_size < 1 or quantity < 1 or quantity % lot_size:
        raise InvalidInput(f"Expected a quantity in multiples of {lot_size}, was {quantity}")
    if freeze is None or quantity <= freeze:
        return [quantity]
    largest = freeze // lot_size * lot_size
    if largest == 0:
        raise InvalidInput(f"One lot of {lot_size} is more than the freeze quantity of {freeze}")
    if quantity > MAX_SLICES * largest:
        raise InvalidInput(
            f"{quantity} units need more than {MAX_SLICES} orders of at most {largest}: the largest possible "
            f"quantity is {MAX_SLICES * largest}"
        )
    whole, rest = divmod(quantity, largest)
    return [largest] * whole + ([rest] if rest else [])


# -- what may be asked at all ----------------------------------------------------------------------------


def products(instrument: Instrument) -> tuple[Product, ...]:
    """The products this instrument trades as; none for an index."""
    if instrument.segment is _INDEX:
        return ()
    if instrument.segment is _EQUITY and instrument.exchange in _CASH:
        return _OF_SHARES
    return _OF_CONTRACTS


def product_fault(instrument: Instrument, product: Product, side: Side, opening: bool) -> str | None:
    """Why this product cannot be had, as a sentence; ``opening``: the order would open or grow a position."""
    allowed = products(instrument)
    if not allowed:
        return f"{instrument.key} is an index: it is quoted, not traded"
    if product not in allowed:
        names = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
        return f"{instrument.key} trades as {names}, was {product}"
    if opening and product in _DELIVERED and side is Side.SELL:
        return f"{product} sells only shares that are held: use MIS to sell {instrument.key} short"
    return None


def order_type_fault(instrument: Instrument, order_type: OrderType) -> str | None:
    """Why the exchange bars this type for the instrument, as a sentence.

    SL-M is barred in options since 27 Sep 2021 and in every BSE segment (support.zerodha.com).
    """
    if order_type is not _SL_M:
        return None
    if instrument.exchange in _BSE or instrument.segment is Segment.OPTIONS:
        return f"SL-M orders are not taken in {instrument.key}: use SL with a limit price"
    return None


def validity_fault(order_type: OrderType, validity: Validity, phase: Phase) -> str | None:
    """Why an order of this type and validity is not taken in this phase, as a sentence."""
    if validity is _IOC and order_type in _STOPS:
        return f"An {order_type} order waits for its trigger: it cannot be {validity}, use {Validity.DAY}"
    taken = _TAKEN.get(phase)
    if taken is None:
        return f"No orders are taken in this phase: {phase}"
    if order_type not in taken:
        return f"{order_type} orders are not taken in this phase: {phase}; {' and '.join(taken)} orders are"
    if validity is _IOC and phase is not Phase.OPEN:
        return f"{validity} orders are not taken in this phase: {phase}; they need continuous trading"
    return None


# -- within ----------------------------------------------------------------------------------------------


def _require_positive(price: Decimal, name: str) -> None:
    if not (price.is_finite() and price > 0):
        raise InvalidInput(f"Expected a {name} above ₹0, was {price}")


def _band_edge(instrument: Instrument, side: Side, trigger: Decimal, last: Decimal | None) -> Decimal | None:
    if last is None or instrument.segment is Segment.OPTIONS:
        return None
    fixed = instrument.segment is Segment.EQUITY and not instrument.derivatives
    for band in _BANDS if fixed else _BANDS[1:]:
        if side is Side.SELL:
            edge = instrument.round_up(last * (1 - band))
            if edge < trigger:
                return edge
        else:
            edge = instrument.round_down(last * (1 + band))
            if edge > trigger:
                return edge
    return None


def _buffer_kind(instrument: Instrument) -> str:
    kinds = {Segment.FUTURES: "futures", Segment.OPTIONS: "options"}
    return kinds.get(instrument.segment, "stocks")


@cache
def _slabs(kind: str) -> tuple[_Slab, ...]:
    row = _latest("protection", kind)
    return tuple(
        _Slab(Decimal(slab.get("below", "Infinity")), Decimal(slab["percent"])) for slab in row["slabs"]
    )


@cache
def _buffer(kind: str) -> _Buffer:
    row = _latest("stop_limit", kind)
    return _Buffer(Decimal(row["percent"]), row["ticks"])


def _latest(name: str, kind: str) -> dict[str, Any]:
    """An order is shaped for today's broker: the row in force last."""
    rows = [row for row in tables.read("shaping")[name] if row["kind"] == kind]
    return max(rows, key=lambda row: row["from"])
