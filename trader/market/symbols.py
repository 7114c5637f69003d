"""Well-known symbols, and a fair guess at the others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from zlib import crc32

from trader.domain.instrument import Exchange, Instrument, OptionType, Segment
from trader.market import tables

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKLY_MONTHS = "123456789OND"  # one letter for the month in the name of a weekly contract
# NIFTY25O0725000CE (weekly, 7 Oct 2025), NIFTY25OCT25000PE (monthly), RELIANCE25NOVFUT
_CONTRACT = re.compile(
    r"(?P<underlying>[A-Z0-9][A-Z0-9&-]*?)(?P<year>\d{2})"
    rf"(?:(?P<month>{'|'.join(_MONTHS)})|(?P<letter>[1-9OND])(?P<day>\d{{2}}))"
    r"(?:(?P<strike>\d+(?:\.\d+)?)(?P<kind>CE|PE)|FUT)"
)
_OF_BSE = frozenset({"SENSEX", "SENSEX50", "BANKEX"})


@dataclass(frozen=True, slots=True)
class Listing:
    """A stock or an index with what the simulated market needs: rupees, relative daily volatility, shares a
    day (none for an index)."""

    instrument: Instrument
    base_price: float
    volatility: float
    volume: int


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """What holds for an index's contracts that expire from ``since`` on; see the table."""

    since: date
    underlying: str
    index: str
    weekday: int  # ISO
    step: int
    option_tick: Decimal
    future_tick: Decimal
    volatility: float  # of a year, relative
    option_volume: int
    future_volume: int


@cache
def listings() -> tuple[Listing, ...]:
    """The stocks of the table, in its order."""
    return tuple(
        Listing(
            instrument=Instrument(
                Exchange.NSE,
                row["symbol"],
                row["token"],
                Decimal(row["tick_size"]),
                name=row["name"],
                derivatives=row["derivatives"],
            ),
            base_price=float(row["base_price"]),
            volatility=row["volatility"] / 100,
            volume=row["volume"],
        )
        for row in tables.read("symbols")["stock"]
    )


@cache
def index_listings() -> tuple[Listing, ...]:
    """The indices that are simulated."""
    return tuple(
        Listing(_index(row), float(row["base_price"]), row["volatility"] / 100, 0)
        for row in tables.read("symbols")["index"]
        if "base_price" in row
    )


@cache
def contract_terms() -> tuple[ContractTerms, ...]:
    """Of the index contracts that are simulated."""
    return tuple(
        ContractTerms(
            since=row["from"],
            underlying=row["underlying"],
            index=row["index"],
            weekday=row["weekday"],
            step=row["step"],
            option_tick=Decimal(row["option_tick"]),
            future_tick=Decimal(row["future_tick"]),
            volatility=row["volatility"] / 100,
            option_volume=row["option_volume"],
            future_volume=row["future_volume"],
        )
        for row in tables.read("symbols")["contract"]
    )


@cache
def _known() -> dict[str, Instrument]:
    indices = [_index(row) for row in tables.read("symbols")["index"]]
    return {i.symbol: i for i in [*(listing.instrument for listing in listings()), *indices]}


@cache
def _with_derivatives() -> frozenset[str]:
    return frozenset(tables.read("symbols")["also"]["derivatives"])


def _index(row: dict[str, str]) -> Instrument:
    return Instrument(Exchange.NSE, row["symbol"], int(row["token"]), Decimal("0.05"), segment=Segment.INDEX)


def instrument_of(symbol: str) -> Instrument:
    """The instrument of a symbol found in a recording: from the table, or invented.

    An invented one has tick 0.05, lot 1 and a token derived from its name, the same in every run. Contract
    names become options and futures with what the name says: a weekly's expiry, but no monthly's.
    """
    name = symbol.strip().upper().removesuffix("-EQ")
    known = _known()
    found = known.get(name) or known.get(name.replace("_", " "))
    if found is not None:
        return found
    contract = _CONTRACT.fullmatch(name)
    if contract is not None:
        return _invented_contract(name, contract)
    return Instrument(
        Exchange.NSE,
        name,
        invented_token(Exchange.NSE, name),
        Decimal("0.05"),
        derivatives=name in _with_derivatives(),
    )


def _invented_contract(name: str, contract: re.Match[str]) -> Instrument:
    underlying, strike, kind = contract["underlying"], contract["strike"], contract["kind"]
    exchange = Exchange.BFO if underlying in _OF_BSE else Exchange.NFO
    return Instrument(
        exchange,
        name,
        invented_token(exchange, name),
        Decimal("0.05"),
        segment=Segment.OPTIONS if kind else Segment.FUTURES,
        underlying=underlying,
        expiry=_weekly_expiry(contract),
        strike=Decimal(strike) if strike else None,
        option_type=OptionType(kind) if kind else None,
    )


def _weekly_expiry(contract: re.Match[str]) -> date | None:
    """The day in a weekly's name. A monthly's name has none: the day depends on that year's rules."""
    if not contract["letter"]:
        return None
    month = _WEEKLY_MONTHS.index(contract["letter"]) + 1
    try:
        return date(2000 + int(contract["year"]), month, int(contract["day"]))
    except ValueError:
        return None


def month_of(symbol: str) -> date | None:
    """The first day of the month in a monthly contract's name; None for any other name."""
    contract = _CONTRACT.fullmatch(symbol)
    if contract is None or not contract["month"]:
        return None
    return date(2000 + int(contract["year"]), _MONTHS.index(contract["month"]) + 1, 1)


def contract_symbol(
    underlying: str,
    expiry: date,
    *,
    monthly: bool,
    strike: Decimal | None = None,
    option_type: OptionType | None = None,
) -> str:
    """Kite's name: ``NIFTY26NOVFUT``, ``NIFTY26NOV26000CE``, the weekly ``NIFTY26D0126000CE``."""
    if monthly:
        when = f"{expiry:%y}{_MONTHS[expiry.month - 1]}"
    else:
        when = f"{expiry:%y}{_WEEKLY_MONTHS[expiry.month - 1]}{expiry:%d}"
    if strike is None or option_type is None:
        return f"{underlying}{when}FUT"
    return f"{underlying}{when}{strike.normalize():f}{option_type}"


def invented_token(exchange: Exchange, symbol: str) -> int:
    """The same in every run, and above every token Kite has dealt out."""
    return 2**31 + crc32(f"{exchange}:{symbol}".encode()) % 2**31


def tick_size_at(price: float) -> Decimal:
    """The NSE cash tick of a price, by today's slabs. The exchange reviews a stock's slab monthly, so a price
    near a border may still have the other one."""
    slabs = tables.read("symbols")["tick_slab"][-1]
    fitting = [t for above, t in zip(slabs["above"], slabs["ticks"], strict=True) if price > float(above)]
    return Decimal(fitting[-1] if fitting else slabs["ticks"][0])
