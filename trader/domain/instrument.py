"""What is traded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import NewType

InstrumentKey = NewType("InstrumentKey", str)  # "NSE:RELIANCE"


class Exchange(StrEnum):
    NSE = "NSE"
    BSE = "BSE"
    NFO = "NFO"
    BFO = "BFO"


class Segment(StrEnum):
    EQUITY = "equity"
    FUTURES = "futures"
    OPTIONS = "options"
    INDEX = "index"  # quoted, never traded


class OptionType(StrEnum):
    CALL = "CE"
    PUT = "PE"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable line of the exchange. ``tick_size`` in rupees, ``lot_size`` in units.

    ``underlying``, ``expiry``, ``strike`` and ``option_type`` are a contract's. ``derivatives`` says that
    futures are traded on this stock: then it closes in the auction (india.md 6).
    """

    exchange: Exchange
    symbol: str
    token: int
    tick_size: Decimal
    lot_size: int = 1
    segment: Segment = Segment.EQUITY
    name: str = ""
    freeze_quantity: int | None = None
    underlying: str = ""
    expiry: date | None = None
    strike: Decimal | None = None  # rupees
    option_type: OptionType | None = None
    derivatives: bool = False

    @property
    def key(self) -> InstrumentKey:
        return instrument_key(self.symbol, self.exchange)

    def on_tick(self, price: Decimal) -> bool:
        """Whether ``price`` is a whole number of ticks."""
        return price % self.tick_size == 0

    def round_nearest(self, price: Decimal) -> Decimal:
        return (price / self.tick_size).quantize(Decimal(1), ROUND_HALF_UP) * self.tick_size

    def round_down(self, price: Decimal) -> Decimal:
        return (price / self.tick_size).quantize(Decimal(1), ROUND_FLOOR) * self.tick_size

    def round_up(self, price: Decimal) -> Decimal:
        return (price / self.tick_size).quantize(Decimal(1), ROUND_CEILING) * self.tick_size


def instrument_key(symbol: str, exchange: str = Exchange.NSE) -> InstrumentKey:
    """The key of a symbol; a symbol that already carries its exchange is kept."""
    text = symbol.strip().upper()
    return InstrumentKey(text if ":" in text else f"{exchange}:{text}")


def symbol_of(key: str) -> str:
    """``RELIANCE`` of ``NSE:RELIANCE``: what a phone's screen has room for."""
    return key.rpartition(":")[2]


def symbols_text(keys: Iterable[str]) -> str:
    """``RELIANCE, TCS``."""
    return ", ".join(map(symbol_of, keys))
