"""The instruments a market offers, found by what people type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trader.domain.errors import UnknownName
from trader.domain.instrument import Instrument, InstrumentKey, instrument_key, symbol_of


class Instruments:
    """Instruments by key, in the order they were added."""

    def __init__(self, instruments: Iterable[Instrument] = ()) -> None:
        self.by_key: dict[InstrumentKey, Instrument] = {}
        self._by_symbol: dict[str, Instrument] = {}  # of the first exchange that lists it
        for instrument in instruments:
            self.add(instrument)

    def add(self, instrument: Instrument) -> None:
        """Take it in, in place of one with the same key."""
        self.by_key[instrument.key] = instrument
        known = self._by_symbol.get(instrument.symbol)
        if known is None or known.key == instrument.key:
            self._by_symbol[instrument.symbol] = instrument

    def find(self, text: str) -> Instrument:
        """``reliance`` or ``NSE:RELIANCE``; UnknownName, with the nearest symbol, otherwise."""
        key = instrument_key(text)
        found = self.by_key.get(key)
        if found is None and ":" not in text:
            found = self._by_symbol.get(symbol_of(key))
        if found is None:
            known: Iterable[str] = self.by_key if ":" in text else self._by_symbol
            raise UnknownName("symbol", text.strip(), known)
        return found

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self.by_key.values())

    def __len__(self) -> int:
        return len(self.by_key)

    def __contains__(self, key: InstrumentKey) -> bool:
        return key in self.by_key
