"""Well-known symbols, and a fair guess at the others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from zlib import crc32

from trader.domain.instrument import Exchange, Instrument, Segment
from trader.market import tables

# NIFTY25O0725000CE (weekly), NIFTY25OCT25000PE (monthly), RELIANCE25NOVFUT
_OPTION = re.compile(r"[A-Z&-]+\d{2}(?:[A-Z]{3}|[1-9OND]\d{2})[\d.]+(?:CE|PE)")
_FUTURE = re.compile(r"[A-Z&-]+\d{2}[A-Z]{3}FUT")


@dataclass(frozen=True, slots=True)
class Listing:
    """A stock with what the simulated market needs: rupees, relative daily volatility, shares a day."""

    instrument: Instrument
    base_price: float
    volatility: float
    volume: int


@cache
def listings() -> tuple[Listing, ...]:
    """The stocks of the table, in its order."""
    return tuple(
        Listing(
            instrument=Instrument(
                Exchange.NSE, row["symbol"], row["token"], Decimal(row["tick_size"]), name=row["name"]
            ),
            base_price=float(row["base_price"]),
            volatility=row["volatility"] / 100,
            volume=row["volume"],
        )
        for row in tables.read("symbols")["stock"]
    )


@cache
def _known() -> dict[str, Instrument]:
    indices = [
        Instrument(Exchange.NSE, row["symbol"], row["token"], Decimal("0.05"), segment=Segment.INDEX)
        for row in tables.read("symbols")["index"]
    ]
    return {i.symbol: i for i in [*(listing.instrument for listing in listings()), *indices]}


def instrument_of(symbol: str) -> Instrument:
    """The instrument of a symbol found in a recording: from the table, or invented.

    An invented one has tick 0.05, lot 1 and a token derived from its name, the same in every run. Contract
    names become options and futures of the NFO.
    """
    name = symbol.strip().upper().removesuffix("-EQ")
    known = _known()
    found = known.get(name) or known.get(name.replace("_", " "))
    if found is not None:
        return found
    exchange, segment = Exchange.NSE, Segment.EQUITY
    if _OPTION.fullmatch(name):
        exchange, segment = Exchange.NFO, Segment.OPTIONS
    elif _FUTURE.fullmatch(name):
        exchange, segment = Exchange.NFO, Segment.FUTURES
    token = 2**31 + crc32(f"{exchange}:{name}".encode()) % 2**31  # above every token Kite has dealt out
    return Instrument(exchange, name, token, Decimal("0.05"), segment=segment)


def tick_size_at(price: float) -> Decimal:
    """The NSE cash tick of a price, by today's slabs. The exchange reviews a stock's slab monthly, so a price
    near a border may still have the other one."""
    slabs = tables.read("symbols")["tick_slab"][-1]
    fitting = [t for above, t in zip(slabs["above"], slabs["ticks"], strict=True) if price > float(above)]
    return Decimal(fitting[-1] if fitting else slabs["ticks"][0])
