"""The desk's rules of one test as tables of whole numbers: limits, terms of slots, rates and margins by day.

What the numbers cannot hold is refused here with a sentence, so that the loop needs no doubts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from trader.backtest.compiled import fields as f
from trader.backtest.panel import Panel
from trader.backtest.spec import Leg, Spec
from trader.backtest.world import World
from trader.broker.paper.settling import RMS_CHUNK
from trader.desk.limits import RISK_PER_TRADE_CEILING_PCT, RiskLimits
from trader.domain.errors import InvalidInput
from trader.domain.instrument import Instrument, InstrumentKey, Segment, symbol_of
from trader.domain.money import rupees
from trader.domain.order import OrderType, Product, Side
from trader.market import shaping
from trader.market.note import DELIVERED
from trader.market.phases import venue_of
from trader.market.rates import Kind, kind_of
from trader.strategy.options import Configured, parse_settings

_PRODUCTS = {Product.MIS: f.MIS, Product.CNC: f.CNC, Product.MTF: f.MTF, Product.NRML: f.NRML}
_RATE = 10**9  # a rate is whole in thousand-millionths
_CAP = 10**13
_MILLION = 10**6
_FREE = tuple(int(place == f.R_GST_OF) for place in range(f.R_WIDTH))  # nothing costs anything
_NONE = np.zeros(0, dtype=np.int64)  # signals come later
_NEVER = 2**31
# Rupees of an order, and of capital: above them a product with a rate could leave 64 bits.
_MOST_ORDER = Decimal(200_000_000)
_MOST_CAPITAL = Decimal(100_000_000_000)


@dataclass(frozen=True, slots=True)
class Seat:
    """A slot's leg and instrument."""

    leg: int  # index into spec.legs
    key: InstrumentKey


@dataclass(frozen=True, slots=True)
class Rulebook:
    """``seats`` are the slots in the order in which their signals are acted on."""

    market: f.Market
    seats: Sequence[Seat]
    configured: Sequence[Configured]  # by leg
    chapters: int


def rulebook(spec: Spec, panel: Panel, world: World) -> Rulebook:
    configured = [_configured(leg, world) for leg in spec.legs]
    ranks = {leg.name: rank for rank, leg in enumerate(sorted(spec.legs, key=lambda leg: leg.name))}
    seats = _seats(spec, configured, ranks)
    lines = sorted({(seat.key, configured[seat.leg].options.product) for seat in seats})
    places = {line: n for n, line in enumerate(lines)}
    slots = np.zeros((len(seats), f.S_WIDTH), dtype=np.int64)
    terms = np.zeros((len(seats), f.SF_WIDTH), dtype=np.float64)
    for n, seat in enumerate(seats):
        leg, one = spec.legs[seat.leg], configured[seat.leg]
        instrument = _instrument(world, seat.key)
        line = places[seat.key, one.options.product]
        first = next(m for m, other in enumerate(seats) if other.leg == seat.leg)
        slots[n] = _slot(ranks[leg.name], panel.keys.index(seat.key), line, one, instrument, leg, first)
        percent = min(
            Decimal(str(one.options.risk)), spec.limits.risk_per_trade_pct, RISK_PER_TRADE_CEILING_PCT
        )
        terms[n] = one.options.stop, one.options.target, one.options.trail, float(percent)
    memo = (tuple(lines), spec.charges)
    if memo not in panel.memo:
        panel.memo[memo] = lines_of(lines, panel, world, charged=spec.charges)
    table, rates, chapters = panel.memo[memo]
    market = f.Market(
        cells=panel.cells,
        last=panel.last,
        rows=panel.spans,
        flags=panel.timetable.flags,
        days=panel.timetable.days,
        previous=panel.previous,
        slots=slots,
        terms=terms,
        symbols=np.array(
            [_symbol(_instrument(world, key), panel, world) for key in panel.keys], dtype=np.int64
        ),
        lines=table,
        rates=rates,
        limits=_limits(spec, panel, lines, chapters),
        fractions=np.array([float(spec.limits.capital), float(spec.limits.max_drawdown_pct)]),
        calls=_NONE,
        call_slots=_NONE,
        call_bits=_NONE,
    )
    return Rulebook(market, seats, configured, chapters)


def _seats(spec: Spec, configured: Sequence[Configured], ranks: Mapping[str, int]) -> list[Seat]:
    """Candles of one moment close in the order of their instruments, and strategies hear of each by name.
    One that decides on several decides with the last of them, and acts in the order of its own symbols."""
    places: list[tuple[InstrumentKey, int, int, Seat]] = []
    for n, leg in enumerate(spec.legs):
        last = max(leg.symbols)
        for place, key in enumerate(leg.symbols):
            heard = last if configured[n].strategy.together else key
            places.append((heard, ranks[leg.name], place, Seat(n, key)))
    return [seat for *_, seat in sorted(places, key=lambda one: one[:3])]


# -- terms ----------------------------------------------------------------------------------------------


def _configured(leg: Leg, world: World) -> Configured:
    kind = world.catalogue.get(leg.strategy)
    if kind.decides_on_ticks():
        raise InvalidInput(
            f"{leg.strategy} decides on ticks: candles hold none, so it cannot be backtested; "
            "replay ticks instead"
        )
    return parse_settings(kind, dict(leg.settings))


def _instrument(world: World, key: InstrumentKey) -> Instrument:
    instrument = world.instruments.get(key)
    if instrument is None:
        raise InvalidInput(f"{symbol_of(key)} is not a known instrument")
    if instrument.segment is Segment.OPTIONS or shaping.stop_type(instrument) is not OrderType.SL_M:
        raise InvalidInput(
            f"{symbol_of(key)} takes no SL-M stops; backtests of stop-limit instruments (options, the BSE) "
            "are not possible yet: replay it through the desk"
        )
    return instrument


def _slot(
    rank: int, symbol: int, line: int, configured: Configured, instrument: Instrument, leg: Leg, first: int
) -> Sequence[int]:
    options = configured.options
    taken = [
        shaping.product_fault(instrument, options.product, side, opening=True) is None
        for side in (Side.BUY, Side.SELL)
    ]
    return (
        rank, symbol, line, _PRODUCTS[options.product], options.quantity, options.max_positions,
        options.longs, options.shorts, *taken, leg.interval.seconds * f.SECOND,
        configured.strategy.together, first,
    )  # fmt: skip


def _symbol(instrument: Instrument, panel: Panel, world: World) -> Sequence[int]:
    banded = instrument.segment is Segment.EQUITY and instrument.derivatives
    last_day = expired = _NEVER
    if instrument.expiry is not None:
        expiry = instrument.expiry
        calendar = world.calendar
        last = expiry if calendar.is_trading_day(expiry) else calendar.previous_trading_day(expiry)
        dates = panel.timetable.dates
        last_day = next((n for n, day in enumerate(dates) if day == last), _NEVER)
        expired = next((n for n, day in enumerate(dates) if day > last), _NEVER)
    lot, freeze = instrument.lot_size, instrument.freeze_quantity or RMS_CHUNK
    return (
        list(panel.timetable.venues).index(venue_of(instrument)),
        whole(instrument.tick_size, f.RUPEE, f"the tick of {instrument.symbol}"),
        lot,
        instrument.freeze_quantity or 0,
        banded,
        instrument.segment is not Segment.INDEX,
        last_day,
        expired,
        shaping.lots(instrument, min(freeze, RMS_CHUNK)) or lot,
    )


# -- limits ---------------------------------------------------------------------------------------------


def _limits(
    spec: Spec, panel: Panel, lines: Sequence[tuple[InstrumentKey, Product]], chapters: int
) -> NDArray[np.int64]:
    limits = spec.limits
    largest = min(limits.max_order_value, limits.max_position_value)
    if largest > _MOST_ORDER or limits.capital > _MOST_CAPITAL:
        raise InvalidInput(
            f"Backtests reckon with orders up to {rupees(_MOST_ORDER, paise=False)} and capital up to "
            f"{rupees(_MOST_CAPITAL, paise=False)}, were {rupees(largest, paise=False)} and "
            f"{rupees(limits.capital, paise=False)}"
        )
    values = np.zeros(f.M_WIDTH, dtype=np.int64)
    for place, amount in (
        (f.M_CAPITAL, limits.capital),
        (f.M_ORDER, limits.max_order_value),
        (f.M_POSITION, limits.max_position_value),
        (f.M_EXPOSURE, limits.max_exposure),
    ):
        values[place] = int((amount * f.RUPEE).to_integral_value(ROUND_FLOOR))
    values[f.M_DAILY_LOSS] = int((limits.daily_loss * f.RUPEE).to_integral_value(ROUND_CEILING))
    for place, number in (
        (f.M_POSITIONS, limits.max_open_positions),
        (f.M_TRADES, limits.max_trades_per_day),
        (f.M_SECOND, limits.orders_per_second),
        (f.M_MINUTE, limits.orders_per_minute),
        (f.M_DAY, limits.orders_per_day),
        (f.M_STREAK, limits.loss_streak),
        (f.M_COOLDOWN, _micros(limits, "cooldown")),
        (f.M_STALE, _micros(limits, "stale_quote")),
        (f.M_DUPLICATE, _micros(limits, "duplicate_window")),
        (f.M_SLIPPAGE, round(spec.slippage_bps * 1000)),
        (f.M_MULTIPLE, panel.multiple),
        (f.M_LENGTH, panel.length),
        (f.M_ACCOUNT, not any(product in DELIVERED for _, product in lines)),
        (f.M_SYMBOLS, len(panel.keys)),
        (f.M_VENUES, len(panel.timetable.venues)),
        (f.M_DAYS, len(panel.timetable.dates)),
        (f.M_LINES, len(lines)),
        (f.M_CHAPTERS, chapters),
        (f.M_LEGS, len(spec.legs)),
        (f.M_SCRIP, _scrip_orders(spec, panel, lines)),
        (f.M_SINGLE, sum(len(leg.symbols) for leg in spec.legs) == len(lines)),
    ):
        values[place] = number
    return values


def _scrip_orders(spec: Spec, panel: Panel, lines: Sequence[tuple[InstrumentKey, Product]]) -> int:
    """How many orders of one share a day of deliveries may have, at most: an entry and an exit a candle."""
    if not any(product in DELIVERED for _, product in lines):
        return 1
    days = panel.timetable.days
    return 2 * int((days[:, 1] - days[:, 0]).max()) * len(spec.legs) + 2 * len(spec.legs) + 2


def _micros(limits: RiskLimits, name: str) -> int:
    return int(getattr(limits, name).total_seconds() * f.SECOND)


# -- charges and margins --------------------------------------------------------------------------------


def lines_of(
    lines: Sequence[tuple[InstrumentKey, Product]], panel: Panel, world: World, *, charged: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Margins and rates of each line on each day; the distinct rates; how many parts a contract note has."""
    dates = panel.timetable.dates
    table = np.zeros((len(lines), len(dates), f.L_WIDTH), dtype=np.int64)
    rows: dict[tuple[int, ...], int] = {}
    chapters: dict[str, int] = {}
    known: dict[tuple[object, ...], tuple[int, int, int, int]] = {}

    def place(instrument: Instrument, kind: Kind, day: date) -> int:
        return rows.setdefault(_rates_of(world, instrument, kind, day) if charged else _FREE, len(rows))

    for n, (key, product) in enumerate(lines):
        instrument = _instrument(world, key)
        chapter = chapters.setdefault(f"{instrument.exchange} {instrument.segment}", len(chapters))
        if instrument.segment is Segment.INDEX:
            continue
        other = next((m for m, line in enumerate(lines) if _delivered_too(line, key, product)), n)
        kind = kind_of(instrument.segment, product)
        within = Kind.INTRADAY if instrument.segment is Segment.EQUITY else kind
        for d, day in enumerate(dates):
            same = (instrument.exchange, kind, instrument.underlying, instrument.segment, product, day)
            if same not in known:
                margins = [
                    int(world.margins.required(instrument, product, side, _MILLION, Decimal(1), day))
                    for side in (Side.BUY, Side.SELL)
                ]
                known[same] = (
                    margins[0], margins[1], place(instrument, kind, day), place(instrument, within, day)
                )  # fmt: skip
            long, short, own, intraday = known[same]
            table[n, d] = long, short, own, chapter, intraday, other
    if not rows:
        rows[_FREE] = 0
    return table, np.array(list(rows), dtype=np.int64), max(len(chapters), 1)


def _delivered_too(line: tuple[InstrumentKey, Product], key: InstrumentKey, product: Product) -> bool:
    return line[0] == key and line[1] is not product and line[1] in DELIVERED


def _rates_of(world: World, instrument: Instrument, kind: Kind, day: date) -> tuple[int, ...]:
    tariff = world.charges.tariff
    rates = tariff.rates(instrument.exchange, kind, instrument.underlying, day)
    gst = Fraction(rates.gst)
    return (
        rates.brokerage is None,
        whole(rates.brokerage or Decimal(0), _RATE, "the brokerage"),
        whole(rates.brokerage_cap, _CAP, "the brokerage's cap"),
        whole(rates.stt_buy, _RATE, "STT"),
        whole(rates.stt_sell, _RATE, "STT"),
        whole(rates.transaction, _RATE, "the transaction charge"),
        whole(rates.ipft, _RATE, "the IPFT"),
        whole(rates.sebi, _RATE, "the SEBI fee"),
        whole(rates.stamp_buy, _RATE, "stamp duty"),
        whole(rates.stamp_sell, _RATE, "stamp duty"),
        gst.numerator,
        gst.denominator,
        rates.gst_on_sebi,
        whole(tariff.debit("rms", day), f.RUPEE, "the RMS fee"),
        whole(tariff.debit("dp", day), f.RUPEE, "the depository's charge"),
    )


def whole(value: Decimal, of: int, what: str) -> int:
    """``value`` in units of ``1/of``; InvalidInput when that is no whole number."""
    units = value * of
    if units != units.to_integral_value():
        raise InvalidInput(f"Expected {what} in whole 1/{of:,}, was {value}")
    return int(units)
