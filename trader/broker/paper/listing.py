"""What the paper exchange knows of an instrument, even of one that is listed no more."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from trader.domain.errors import UnknownName
from trader.domain.instrument import Exchange, Instrument, InstrumentKey, Segment

_CONTRACTS = (Exchange.NFO, Exchange.BFO)


class Listing:
    def __init__(self, instruments: Callable[[InstrumentKey], Instrument]) -> None:
        self._instruments = instruments

    def known(self, key: InstrumentKey) -> Instrument:
        """The instrument, or what its name tells of a contract that has expired since it was traded."""
        try:
            return self._instruments(key)
        except (KeyError, UnknownName):
            return _guessed(key)


def _guessed(key: InstrumentKey) -> Instrument:
    exchange, _, symbol = key.partition(":")
    venue = Exchange(exchange)
    segment = Segment.EQUITY
    if venue in _CONTRACTS:
        segment = Segment.OPTIONS if symbol.endswith(("CE", "PE")) else Segment.FUTURES
    return Instrument(venue, symbol, 0, Decimal("0.05"), segment=segment)
