"""Where instruments are kept: given one by one, or as rows of a dump from which they are made on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from trader.domain.instrument import Exchange, Instrument, InstrumentKey, Segment
from trader.market.cash import Cash
from trader.market.contracts import Series, UnderlyingKey

if TYPE_CHECKING:
    from trader.market.dump import DumpTable


class Shelf(Mapping[InstrumentKey, Instrument]):
    """Instruments by key, in the order they came."""

    def __init__(self) -> None:
        self._made: dict[InstrumentKey, Instrument] = {}
        self._tokens: dict[int, InstrumentKey | None] = {}  # None: two instruments claim it
        self._symbols: dict[str, InstrumentKey] = {}
        self._series: dict[UnderlyingKey, Series] | None = None

    def put(self, instrument: Instrument) -> None:
        key = instrument.key
        before = self._made.get(key)
        if before is not None and self._tokens.get(before.token) == key:
            del self._tokens[before.token]
        claimed = self._tokens.get(instrument.token, key)
        self._tokens[instrument.token] = key if claimed == key else None
        self._symbols.setdefault(instrument.symbol, key)
        self._made[key] = instrument
        self._series = None

    @property
    def by_key(self) -> Mapping[InstrumentKey, Instrument]:
        """The quickest way to look up keys."""
        return self._made

    @property
    def derivatives_known(self) -> bool:
        """Whether ``Instrument.derivatives`` can be believed where it is True."""
        return True

    def expired_before(self, day: date) -> int:
        """How many contracts were over by then."""
        return sum(i.expiry is not None and i.expiry < day for i in self._made.values())

    def key_of_token(self, token: int) -> InstrumentKey | None:
        return self._tokens.get(token)

    def key_of_symbol(self, symbol: str) -> InstrumentKey | None:
        """On the first exchange that lists it."""
        return self._symbols.get(symbol)

    def series(self, exchange: Exchange, underlying: str) -> Series | None:
        if self._series is None:
            self._series = _grouped(self._made.values())
        return self._series.get((exchange, underlying))

    def underlyings(self) -> Iterable[UnderlyingKey]:
        if self._series is None:
            self._series = _grouped(self._made.values())
        return self._series.keys()

    def cash(self) -> Cash:
        """Stocks and indices."""
        lines = [i for i in self._made.values() if i.segment in (Segment.EQUITY, Segment.INDEX)]
        return Cash([i.key for i in lines], [i.symbol for i in lines], [i.name.upper() for i in lines])

    def contract_keys(self, today: date | None) -> Sequence[InstrumentKey]:
        """Futures before options, then by expiry and strike; none that expired before ``today``."""
        contracts = [
            i
            for i in self._made.values()
            if i.segment in (Segment.FUTURES, Segment.OPTIONS)
            and (today is None or i.expiry is None or i.expiry >= today)
        ]
        contracts.sort(key=lambda i: (i.segment is Segment.OPTIONS, str(i.expiry), i.strike or 0, i.symbol))
        return [i.key for i in contracts]

    def __getitem__(self, key: InstrumentKey) -> Instrument:
        return self._made[key]

    def __iter__(self) -> Iterator[InstrumentKey]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


class DumpShelf(Shelf):
    """The rows of a dump. An Instrument is made at its first look-up and remembered; one that is ``put``
    takes the place of its row."""

    def __init__(self, table: DumpTable) -> None:
        super().__init__()
        self._rows = table.indexed()

    @property
    def by_key(self) -> Mapping[InstrumentKey, Instrument]:
        return self

    @property
    def derivatives_known(self) -> bool:
        return self._rows.derivatives_known

    def expired_before(self, day: date) -> int:
        return self._rows.expired_before(day)

    def key_of_token(self, token: int) -> InstrumentKey | None:
        if token in self._tokens:
            return self._tokens[token]
        return self._rows.key_of_token(token)

    def key_of_symbol(self, symbol: str) -> InstrumentKey | None:
        for exchange in Exchange:  # the order of the enumeration: NSE first
            key = InstrumentKey(f"{exchange}:{symbol}")
            if key in self:
                return key
        return None

    def series(self, exchange: Exchange, underlying: str) -> Series | None:
        return self._rows.series(exchange, underlying)

    def underlyings(self) -> Iterable[UnderlyingKey]:
        return self._rows.underlyings()

    def cash(self) -> Cash:
        return self._rows.cash()

    def contract_keys(self, today: date | None) -> Sequence[InstrumentKey]:
        return self._rows.contract_keys(today)

    def __getitem__(self, key: InstrumentKey) -> Instrument:
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._rows.instrument(self._rows.row_of[key])
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._rows.row_of or key in self._made

    def __iter__(self) -> Iterator[InstrumentKey]:
        yield from self._rows.row_of
        yield from [key for key in self._made if key not in self._rows.row_of]

    def __len__(self) -> int:
        return len(self._rows.row_of.keys() | self._made.keys())


def _grouped(instruments: Iterable[Instrument]) -> dict[UnderlyingKey, Series]:
    grouped: dict[UnderlyingKey, Series] = {}
    for i in instruments:
        if i.expiry is None or not i.underlying:
            continue
        series = grouped.setdefault((i.exchange, i.underlying), Series(i.underlying, i.exchange))
        series.add(i.key, i.expiry, i.strike, i.option_type)
    return grouped
