"""The instruments a market offers, found by what people type.

Contracts can be typed in words (``contract_names``). The nearest expiry is the first that is not before
``Instruments.today``: whoever owns the object sets it when a market day begins. A dump's own day stands in
for it until then; without either no expiry is past.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from trader.domain.errors import InstrumentsStale, InvalidInput, UnknownName
from trader.domain.instrument import (
    Exchange,
    Instrument,
    InstrumentKey,
    OptionType,
    instrument_key,
    symbol_of,
)
from trader.domain.times import date_text
from trader.market import contract_names
from trader.market.contracts import OptionChain, Series, aliases, spots
from trader.market.shelf import DumpShelf, Shelf
from trader.market.symbol_search import SymbolSearch

if TYPE_CHECKING:
    from trader.market.dump import DumpTable


# Characters of a symbol, or of a contract in words. A paragraph pasted by mistake is none, and comparing it
# with all there are would take seconds, in which the desk stands still.
_LONGEST = 80
_WORDS_OF_A_NAME = 3  # NIFTY FIN SERVICE
_MANY_EXPIRED = 50  # one expiry of an index has some 150; a straggler proves nothing


class Instruments:
    """Instruments by key, in the order they were added."""

    def __init__(self, instruments: Iterable[Instrument] = ()) -> None:
        self._shelf: Shelf = Shelf()
        self.by_key: Mapping[InstrumentKey, Instrument] = self._shelf.by_key
        self.as_of: date | None = None
        self.today: date | None = None
        self._forget()
        for instrument in instruments:
            self._shelf.put(instrument)

    @classmethod
    def from_dump(cls, table: DumpTable) -> Instruments:
        """Everything of the NSE and BSE and their derivatives in Kite's dump; each Instrument is made when it
        is first looked up."""
        made = cls()
        made._shelf = DumpShelf(table)
        made.by_key = made._shelf.by_key
        made.as_of = made.today = table.as_of
        return made

    def become(self, other: Instruments) -> None:
        """What ``other`` is, for all who hold this object: a new day's list."""
        self._shelf = other._shelf
        self.by_key = self._shelf.by_key
        self.as_of, self.today = other.as_of, other.today
        self._forget()

    def add(self, instrument: Instrument) -> None:
        """Take it in, in place of one with the same key."""
        self._shelf.put(instrument)
        self._forget()

    def get(self, key: InstrumentKey) -> Instrument | None:
        return self.by_key.get(key)

    def by_token(self, token: int) -> Instrument | None:
        """None for an unknown token, and for one that two instruments claim."""
        key = self._shelf.key_of_token(token)
        return None if key is None else self.by_key.get(key)

    def require_fresh(self, today: date) -> None:
        """Raises InstrumentsStale unless they were read from a dump of ``today``, the trading day at hand, or
        later, that does not list contracts which expired before it."""
        if self.as_of is None:
            raise InstrumentsStale(
                "The instruments come from no dump of Kite's, so their lots and ticks are unproven."
            )
        if self.as_of < today:
            raise InstrumentsStale(
                f"The instruments are of {date_text(self.as_of)}, expected {date_text(today)}. "
                "Kite makes the day's list at about 08:30: fetch it again."
            )
        over = self._shelf.expired_before(self.as_of)
        if over >= _MANY_EXPIRED:
            raise InstrumentsStale(
                f"The instruments fetched on {date_text(self.as_of)} hold {over} contracts that were over "
                "by then: Kite had not made the day's list yet. Fetch it again."
            )

    @property
    def derivatives_known(self) -> bool:
        """False for a dump of stocks alone: then every stock is taken to close in the auction."""
        return self._shelf.derivatives_known

    # -- look-up ------------------------------------------------------------------------------------------

    def find(self, text: str) -> Instrument:
        """``reliance``, ``NSE:RELIANCE``, ``NIFTY26DEC26000CE`` or ``NIFTY 26DEC 26000 CE``.

        UnknownName, with the nearest symbol, when the name is unknown; InvalidInput, with what there is
        instead, when an underlying lacks the contract or two could be meant.
        """
        if len(text) > _LONGEST:
            raise UnknownName("symbol", text.strip(), self._searching().some)
        found = (
            self._exact(text)
            or self._contract(text)
            or self._exact(re.sub(r"[\s,]+", "", text))
            or self._index(text)
            or self._glued(text)
        )
        if found is None:
            near = self._searching().nearest(text)
            raise UnknownName("symbol", text.strip(), () if near else self._searching().some, near)
        return found

    def expiries(self, underlying: str) -> Sequence[date]:
        """Of its futures and options, ascending, none past. Empty when nothing is traded on it."""
        series = self._series(underlying)
        return [] if series is None else [d for d in series.expiries() if not self._past(d)]

    def chain(self, underlying: str, expiry: date | None = None) -> OptionChain:
        """The options of ``expiry``, or of the nearest. UnknownName for what has no contracts, InvalidInput
        for an expiry that is not listed."""
        series = self._series(underlying)
        if series is None:
            raise UnknownName("underlying", underlying.strip(), self._near_underlyings(underlying))
        listed = [d for d in series.option_expiries() if not self._past(d)]
        if not listed:
            raise InvalidInput(f"{series.underlying} has no options.")
        expiry = expiry or listed[0]
        strikes = series.strikes(expiry)
        if not strikes:
            raise InvalidInput(
                f"{series.underlying} has no options of {date_text(expiry)}; "
                f"expiries {contract_names.expiries_text(listed)}."
            )
        sides = {
            s: (
                self._by(series.option(expiry, s, OptionType.CALL)),
                self._by(series.option(expiry, s, OptionType.PUT)),
            )
            for s in strikes
        }
        return OptionChain(series.underlying, series.exchange, expiry, sides)

    def spot(self, underlying: str) -> Instrument | None:
        """What the contracts of ``underlying`` follow: NSE:NIFTY 50 for NIFTY, the stock for a stock."""
        name = underlying.strip().upper()
        return self._by(spots().get(name)) or self._exact(name)

    def search(self, text: str, limit: int = 10) -> Sequence[Instrument]:
        """At most ``limit`` whose symbol or name holds every word of ``text``: stocks and indices before
        contracts, those that begin with it first."""
        if len(text) > _LONGEST:
            return []
        try:
            typed = self._contract(text)
        except InvalidInput:
            typed = None
        found = [self.by_key[key] for key in self._searching().search(text, limit, self.today)]
        return found if typed is None else [typed, *(i for i in found if i is not typed)][:limit]

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._shelf.values())

    def __len__(self) -> int:
        return len(self._shelf)

    def __contains__(self, key: InstrumentKey) -> bool:
        return key in self._shelf

    # -- inside -------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._search: SymbolSearch | None = None

    def _searching(self) -> SymbolSearch:
        if self._search is None:
            self._search = SymbolSearch(self._shelf)
        return self._search

    def _by(self, key: InstrumentKey | None) -> Instrument | None:
        return None if key is None else self.by_key.get(key)

    def _past(self, expiry: date) -> bool:
        return self.today is not None and expiry < self.today

    def _exact(self, text: str) -> Instrument | None:
        key = instrument_key(text)
        found = self.by_key.get(key)
        if found is None and ":" not in text:
            found = self._by(self._shelf.key_of_symbol(symbol_of(key)))
        return found

    def _index(self, text: str) -> Instrument | None:
        """The index that is meant when its contracts' name is typed alone: NIFTY."""
        name = "".join(text.upper().split())
        return self._by(spots().get(aliases().get(name, name)))

    def _contract(self, text: str) -> Instrument | None:
        """The contract typed in words; None when it is not one of a known underlying."""
        exchange, _, name = text.strip().upper().rpartition(":")
        words = name.replace(",", "").split()
        # the longest underlying first: NIFTY 50 before NIFTY
        for end in range(min(len(words) - 1, _WORDS_OF_A_NAME), 0, -1):
            series = self._series("".join(words[:end]), exchange)
            wanted = contract_names.read(" ".join(words[end:])) if series is not None else None
            if series is not None and wanted is not None:
                return self._by(contract_names.resolve(wanted, series, self.today))
        return None

    def _glued(self, text: str) -> Instrument | None:
        """The contract of a symbol that is not listed: only to say what there is instead."""
        exchange, _, name = text.strip().upper().rpartition(":")
        name = re.sub(r"[\s,]+", "", name)
        for end in range(len(name) - 1, 0, -1):
            wanted = contract_names.read_symbol(name[end:])
            series = self._series(name[:end], exchange) if wanted is not None else None
            if series is not None and wanted is not None:
                return self._by(contract_names.resolve(wanted, series, self.today))
        return None

    def _series(self, underlying: str, exchange: str = "") -> Series | None:
        """By the underlying's name, or its index's; the NFO's where no exchange is named and both have it."""
        prefix, _, name = underlying.strip().upper().rpartition(":")
        name = "".join(name.split())
        name = aliases().get(name, name)
        asked = exchange or prefix
        venues = [Exchange.NFO, Exchange.BFO] if asked not in ("NFO", "BFO") else [Exchange(asked)]
        return next((s for v in venues if (s := self._shelf.series(v, name)) is not None), None)

    def _near_underlyings(self, text: str) -> Iterable[str]:
        return {name for _, name in self._shelf.underlyings()}
