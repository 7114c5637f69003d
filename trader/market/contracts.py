"""Futures and options of one underlying: their expiries and strikes; dated lots and freeze quantities."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

from trader.domain.instrument import Exchange, Instrument, InstrumentKey, OptionType, instrument_key
from trader.market import tables

UnderlyingKey = tuple[Exchange, str]  # where contracts are traded, their underlying's name there


@dataclass(frozen=True, slots=True)
class OptionChain:
    """The options of one expiry, by strike ascending. A strike may lack one side."""

    underlying: str
    exchange: Exchange
    expiry: date
    strikes: Mapping[Decimal, tuple[Instrument | None, Instrument | None]]  # (call, put)

    def at_the_money(self, price: Decimal) -> Decimal:
        """The strike nearest to ``price``, the lower of two equally near."""
        return nearest_of(list(self.strikes), price, 1)[0]

    def around(self, price: Decimal, each_side: int) -> OptionChain:
        """The same chain cut to the strike at the money and up to ``each_side`` strikes on either side."""
        strikes = list(self.strikes)
        middle = strikes.index(self.at_the_money(price))
        kept = strikes[max(0, middle - each_side) : middle + each_side + 1]
        return OptionChain(self.underlying, self.exchange, self.expiry, {s: self.strikes[s] for s in kept})

    def __len__(self) -> int:
        return len(self.strikes)


class Series:
    """Every contract of one underlying on one exchange, as keys: no Instrument is made for being listed."""

    def __init__(self, underlying: str, exchange: Exchange) -> None:
        self.underlying, self.exchange = underlying, exchange
        self._futures: dict[date, InstrumentKey] = {}
        self._options: dict[date, dict[Decimal, dict[OptionType, InstrumentKey]]] = {}
        self._monthly: dict[date, bool] = {}

    def add(
        self, key: InstrumentKey, expiry: date, strike: Decimal | None, option_type: OptionType | None
    ) -> None:
        """``strike`` and ``option_type`` are None for a future."""
        if expiry not in self._monthly:
            month = f"{self.exchange}:{self.underlying}{expiry:%y%b}".upper()
            self._monthly[expiry] = key.startswith(month)
        if strike is None or option_type is None:
            self._futures[expiry] = key
        else:
            self._options.setdefault(expiry, {}).setdefault(strike, {})[option_type] = key

    def future_expiries(self) -> Sequence[date]:
        return sorted(self._futures)

    def option_expiries(self) -> Sequence[date]:
        return sorted(self._options)

    def expiries(self) -> Sequence[date]:
        return sorted(self._futures.keys() | self._options.keys())

    def monthly(self, expiry: date) -> bool:
        """Whether its symbols name the month, as NIFTY26DEC26000CE does. It need not be the month's last: a
        weekly expiry of the next month may be moved before the 1st by a holiday (BANKNIFTY, 30 Apr 2024)."""
        return self._monthly.get(expiry, False)

    def future(self, expiry: date) -> InstrumentKey | None:
        return self._futures.get(expiry)

    def option(self, expiry: date, strike: Decimal, option_type: OptionType) -> InstrumentKey | None:
        return self._options.get(expiry, {}).get(strike, {}).get(option_type)

    def strikes(self, expiry: date, option_type: OptionType | None = None) -> Sequence[Decimal]:
        """Ascending; those that have the side ``option_type``, or any."""
        rows = self._options.get(expiry, {})
        return sorted(s for s, sides in rows.items() if option_type is None or option_type in sides)


def nearest_of(values: Sequence[Decimal], wanted: Decimal, count: int) -> Sequence[Decimal]:
    """Up to ``count`` of the ascending ``values`` closest to ``wanted``, ascending."""
    at = bisect_left(values, wanted)
    around = values[max(0, at - count) : at + count]
    return sorted(sorted(around, key=lambda v: (abs(v - wanted), v))[:count])


# -- dated tables -------------------------------------------------------------------------------------------


def freeze_quantity(underlying: str, on: date) -> int | None:
    """The largest quantity one order of an index contract may have; None where the table knows none."""
    return _dated("freeze", underlying, on)


def lot_size_on(underlying: str, day: date) -> int | None:
    """The lot of an index's nearest monthly contract on ``day``; None for other underlyings and days before
    the table begins. The live lot is the dump's: this serves backtests."""
    return _dated("lot", underlying, day)


@cache
def spots() -> Mapping[str, InstrumentKey]:
    """The index that each index underlying follows: NIFTY -> NSE:NIFTY 50."""
    return {row["underlying"]: instrument_key(row["spot"]) for row in tables.read("contracts")["index"]}


@cache
def aliases() -> Mapping[str, str]:
    """Other ways to write an index underlying, without spaces: NIFTY50 -> NIFTY."""
    return {alias: row["underlying"] for row in tables.read("contracts")["index"] for alias in row["aliases"]}


def _dated(kind: str, underlying: str, on: date) -> int | None:
    found: int | None = None
    for since, value in _rows(kind).get(underlying, ()):
        if since > on:
            break
        found = value
    return found


@cache
def _rows(kind: str) -> Mapping[str, Sequence[tuple[date, int]]]:
    """By underlying, (first day, value) ascending."""
    rows: dict[str, list[tuple[date, int]]] = {}
    for row in tables.read("contracts")[kind]:
        for underlying, value in _values(row):
            rows.setdefault(underlying, []).append((row["from"], value))
    return {underlying: sorted(dated) for underlying, dated in rows.items()}


def _values(row: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """The entries of a row that are named after an underlying, in capitals as the exchange writes it."""
    for name, value in row.items():
        if name.isupper() and isinstance(value, int):
            yield name, value
