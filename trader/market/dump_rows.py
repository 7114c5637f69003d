"""A dump's rows by key, token and underlying, and the Instrument that a row describes.

Rows of exchanges the desk does not trade (MCX, CDS, …) are left out. Of a key that two rows claim with
different tokens neither is offered; rows that merely repeat count once. A token that two keys claim is found
by neither: its ticks cannot be attributed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from typing import Any

from trader.domain.errors import FeedError
from trader.domain.instrument import Exchange, Instrument, InstrumentKey, OptionType, Segment
from trader.market.cash import Cash
from trader.market.contracts import Series, UnderlyingKey, freeze_quantity

_DERIVATIVE = (Exchange.NFO, Exchange.BFO)
_SIDES = {str(side): side for side in OptionType}
_MOST_CONFLICTS = 100  # a handful of muddled rows is Kite's; more is a broken file
_INDEX_TICK = Decimal("0.05")  # indices are listed with tick 0; they are quoted, never traded


class DumpRows:
    """``row_of`` leads from a key to its row; everything else is made when first asked for."""

    def __init__(self, dump: Any, as_of: date) -> None:
        """``dump`` is a ``DumpTable``'s table."""
        import pyarrow.compute as pc

        self.as_of = as_of
        ours = pc.is_in(dump["exchange"].cast("string"), value_set=_strings(Exchange))
        table = self._table = dump.filter(ours).combine_chunks()
        self._column = {name: table[name].combine_chunks() for name in table.schema.names}
        keys = _keys(table)
        self.row_of: dict[InstrumentKey, int] = dict(zip(keys, range(len(keys)), strict=True))
        self.conflicts: Sequence[InstrumentKey] = ()
        if len(self.row_of) < len(keys):
            self.conflicts = self._settle_repeats(keys)

    def _settle_repeats(self, keys: Sequence[InstrumentKey]) -> Sequence[InstrumentKey]:
        tokens = self._list("instrument_token")
        claimed: dict[InstrumentKey, set[int]] = {}
        for key, token in zip(keys, tokens, strict=True):
            claimed.setdefault(key, set()).add(token)
        conflicts = [key for key, some in claimed.items() if len(some) > 1]
        if len(conflicts) > _MOST_CONFLICTS:
            raise FeedError(
                f"{len(conflicts):,} instruments stand in the dump with two tokens, as {conflicts[0]} does. "
                "Fetch it again."
            )
        for key in conflicts:
            del self.row_of[key]
        return conflicts

    # -- one instrument -----------------------------------------------------------------------------------

    def instrument(self, row: int) -> Instrument:
        exchange = Exchange(self._text("exchange", row))
        symbol, name = self._text("tradingsymbol", row), self._text("name", row)
        kind, segment = self._text("instrument_type", row), self._segment(row)
        contract = segment in (Segment.FUTURES, Segment.OPTIONS)
        tick = _decimal(self._column["tick_size"][row].as_py())
        expiry: date | None = self._column["expiry"][row].as_py()
        return Instrument(
            exchange=exchange,
            symbol=symbol,
            token=self._column["instrument_token"][row].as_py(),
            tick_size=tick or _INDEX_TICK,
            lot_size=self._column["lot_size"][row].as_py() or 1,
            segment=segment,
            name=name,
            freeze_quantity=freeze_quantity(name, self.as_of) if contract else None,
            underlying=name if contract else "",
            expiry=expiry if contract else None,
            strike=_decimal(self._column["strike"][row].as_py()) if segment is Segment.OPTIONS else None,
            option_type=OptionType(kind) if segment is Segment.OPTIONS else None,
            derivatives=segment is Segment.EQUITY and self._has_futures(symbol),
        )

    def _text(self, column: str, row: int) -> str:
        text: str = self._column[column][row].as_py()
        return text

    def _segment(self, row: int) -> Segment:
        kind = self._text("instrument_type", row)
        if kind == "FUT":
            return Segment.FUTURES
        if kind in ("CE", "PE"):
            return Segment.OPTIONS
        return Segment.INDEX if self._text("segment", row) == "INDICES" else Segment.EQUITY

    @property
    def derivatives_known(self) -> bool:
        """Whether the dump lists any futures at all."""
        return bool(self._with_futures)

    def _has_futures(self, symbol: str) -> bool:
        # A dump of stocks alone cannot say which of them close in the auction. Then every stock is taken to:
        # stops and square-off come too early for some rather than too late for any.
        return symbol in self._with_futures if self.derivatives_known else True

    # -- many ---------------------------------------------------------------------------------------------

    def key_of_token(self, token: int) -> InstrumentKey | None:
        return self._key_of_token.get(token)

    def underlyings(self) -> Iterable[UnderlyingKey]:
        return self._contracts.keys()

    def series(self, exchange: Exchange, underlying: str) -> Series | None:
        place = (exchange, underlying)
        if place not in self._series and place in self._contracts:
            self._series[place] = self._listed(place)
        return self._series.get(place)

    def cash(self) -> Cash:
        """Stocks and indices."""
        import pyarrow.compute as pc

        lines = self._table.filter(pc.invert(self._derivative))
        keys = _keys(lines)
        if self.conflicts:
            kept = [n for n, key in enumerate(keys) if key in self.row_of]
            keys, lines = [keys[n] for n in kept], lines.take(kept)
        return Cash(keys, lines["tradingsymbol"].to_pylist(), pc.utf8_upper(lines["name"]).to_pylist())

    def contract_keys(self, today: date | None) -> Sequence[InstrumentKey]:
        """Futures before options, then by expiry and strike; none that expired before ``today``."""
        import pyarrow.compute as pc

        lines = self._table.filter(self._derivative)
        if today is not None:
            lines = lines.filter(pc.greater_equal(lines["expiry"], today))
        lines = lines.append_column("option", pc.not_equal(lines["instrument_type"].cast("string"), "FUT"))
        order = [(name, "ascending") for name in ("option", "expiry", "strike", "tradingsymbol")]
        return [key for key in _keys(lines.sort_by(order)) if key in self.row_of]

    def expired_before(self, day: date) -> int:
        """How many contracts it lists that were over by then."""
        import pyarrow.compute as pc

        expiries = self._table["expiry"].filter(self._derivative)
        return int(pc.sum(pc.less(expiries, day)).as_py() or 0)

    def _listed(self, place: UnderlyingKey) -> Series:
        lines = self._table.take(self._contracts[place])
        kinds, strikes = lines["instrument_type"].to_pylist(), lines["strike"].to_pylist()
        made = Series(place[1], place[0])
        for key, expiry, kind, strike in zip(
            _keys(lines), lines["expiry"].to_pylist(), kinds, strikes, strict=True
        ):
            if expiry is None or key not in self.row_of:
                continue
            if kind == "FUT":
                made.add(key, expiry, None, None)
            elif kind in _SIDES:
                made.add(key, expiry, _decimal(strike), _SIDES[kind])
        return made

    # -- indexes, each made when first needed -------------------------------------------------------------

    @cached_property
    def _series(self) -> dict[UnderlyingKey, Series]:
        return {}

    @cached_property
    def _key_of_token(self) -> dict[int, InstrumentKey | None]:
        tokens = self._list("instrument_token")
        found: dict[int, InstrumentKey | None] = {}
        for key, row in self.row_of.items():
            found[tokens[row]] = None if tokens[row] in found else key
        return found

    @cached_property
    def _contracts(self) -> dict[UnderlyingKey, Any]:
        """The rows of each underlying's contracts, by where they are traded and the name column."""
        import numpy as np
        import pyarrow.compute as pc

        rows = pc.indices_nonzero(self._derivative).to_numpy()
        lines = self._table.take(rows)
        places = pc.binary_join_element_wise(lines["exchange"].cast("string"), lines["name"], ":")
        encoded = places.combine_chunks().dictionary_encode()
        codes = encoded.indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        edges = np.searchsorted(codes[order], np.arange(1, len(encoded.dictionary)))
        names = (text.partition(":") for text in encoded.dictionary.to_pylist())
        grouped = np.split(rows[order], edges) if len(rows) else []
        # lists from before 2019 name no underlying: their contracts are found by symbol and token only
        return {(Exchange(e), name): some for (e, _, name), some in zip(names, grouped, strict=True) if name}

    @cached_property
    def _with_futures(self) -> frozenset[str]:
        import pyarrow.compute as pc

        futures = pc.equal(self._table["instrument_type"].cast("string"), "FUT")
        return frozenset(pc.unique(self._table["name"].filter(futures)).to_pylist())

    @cached_property
    def _derivative(self) -> Any:
        """True for each row of a derivatives exchange."""
        import pyarrow.compute as pc

        found = pc.is_in(self._table["exchange"].cast("string"), value_set=_strings(_DERIVATIVE))
        return found.combine_chunks()

    def _list(self, column: str) -> list[Any]:
        values: list[Any] = self._table[column].to_pylist()
        return values


def _keys(lines: Any) -> list[InstrumentKey]:
    import pyarrow.compute as pc

    joined = pc.binary_join_element_wise(lines["exchange"].cast("string"), lines["tradingsymbol"], ":")
    keys: list[InstrumentKey] = joined.to_pylist()
    return keys


def _strings(values: Iterable[str]) -> Any:
    import pyarrow as pa

    return pa.array([str(v) for v in values], pa.string())


@cache
def _decimal(number: float) -> Decimal:
    """A price or strike of the dump as it is written there: 0.05, 162.5, 26000."""
    return Decimal(int(number)) if number.is_integer() else Decimal(repr(number))
