"""What a position blocks: the own money that a product and a side demand.

An approximation where the exchange computes SPAN: flat percentages of the contract's value, dated, with their
sources, in ``tables/margins.toml``. No benefit for hedges, no list of margins by stock.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Instrument, Segment
from trader.domain.money import ZERO, to_paise
from trader.domain.order import Product, Side
from trader.market import tables

_HUNDRED = Decimal(100)
_ROOT = re.compile(r"[A-Z&-]+(?:50)?(?=\d{2}(?:[A-Z]{3}|[1-9OND]\d{2}))")  # NIFTYNXT50 of NIFTYNXT5026NOVFUT

# Until Python 3.12 a member looked up in its class takes ten times as long as a global.
_INDEX, _EQUITY, _MIS = Segment.INDEX, Segment.EQUITY, Product.MIS

Rows = Sequence[tuple[date, Mapping[str, Decimal]]]


@dataclass(frozen=True, slots=True)
class Margins:
    """Fractions by kind and day."""

    intraday: Rows  # stocks, derivatives
    funded: Rows  # stocks
    index: Rows  # futures, options, expiry_day
    stock: Rows
    proceeds: Rows  # same_day
    indices: frozenset[str]

    @classmethod
    def load(cls) -> Margins:
        """The table that ships with Munim."""
        table = tables.read("margins")
        contracts = table["contracts"]
        return cls(
            intraday=_rows(table["intraday"], "stocks", "derivatives"),
            funded=_rows(table["funded"], "stocks"),
            index=_rows([r for r in contracts if r["kind"] == "index"], "futures", "options", "expiry_day"),
            stock=_rows([r for r in contracts if r["kind"] == "stock"], "futures", "options", "expiry_day"),
            proceeds=_rows(table["proceeds"], "same_day"),
            indices=frozenset(table["indices"]["names"]),
        )

    def required(
        self,
        instrument: Instrument,
        product: Product,
        side: Side,
        quantity: int,
        price: Decimal,
        on: date,
        underlying_price: Decimal | None = None,
    ) -> Decimal:
        """Rupees a new or held position of ``quantity`` units blocks, rounded to the paisa.

        ``price`` is the instrument's own: the premium, for options. Shares sold for delivery block nothing.
        InvalidInput for an index, a negative quantity or price, and an option sold whose strike and
        underlying's price are both unknown.
        """
        if quantity < 0 or not price >= 0:
            raise InvalidInput(f"Expected a quantity and a price of at least 0, were {quantity} and {price}")
        if instrument.segment is _INDEX:
            raise InvalidInput(f"{instrument.key} is an index: it is quoted, not traded")
        value = price * quantity
        if instrument.segment is _EQUITY:
            return to_paise(value * self._of_equity(product, side, on))
        if instrument.segment is Segment.OPTIONS and side is Side.BUY:
            return to_paise(value)
        if instrument.segment is Segment.OPTIONS:
            value = _underlying(instrument, underlying_price) * quantity
        share = _on(self.intraday, on)["derivatives"] if product is Product.MIS else Decimal(1)
        return to_paise(value * self._of_contract(instrument, on) * share)

    def usable_same_day(self, on: date) -> Decimal:
        """The fraction of the proceeds of settled holdings that can be used on the day they are sold."""
        return _on(self.proceeds, on)["same_day"]

    def _of_equity(self, product: Product, side: Side, on: date) -> Decimal:
        if product is _MIS:
            return _on(self.intraday, on)["stocks"]
        if side is Side.SELL:
            return ZERO
        return _on(self.funded, on)["stocks"] if product is Product.MTF else Decimal(1)

    def _of_contract(self, instrument: Instrument, on: date) -> Decimal:
        row = _on(self.index if self._on_index(instrument) else self.stock, on)
        if instrument.segment is Segment.FUTURES:
            return row["futures"]
        return row["options"] + (row["expiry_day"] if instrument.expiry == on else ZERO)

    def _on_index(self, instrument: Instrument) -> bool:
        """A contract whose underlying nobody named is known by its symbol's letters."""
        root = _ROOT.match(instrument.symbol)
        return (instrument.underlying or (root.group() if root else "")) in self.indices


def _underlying(instrument: Instrument, price: Decimal | None) -> Decimal:
    known = instrument.strike if price is None else price
    if known is None:
        raise InvalidInput(
            f"The margin of selling {instrument.key} needs its strike or its underlying's price, "
            "neither is known"
        )
    return known


def _rows(rows: Sequence[Mapping[str, Any]], *names: str) -> Rows:
    dated = sorted(rows, key=lambda row: row["from"])
    return [(row["from"], {name: Decimal(row[name]) / _HUNDRED for name in names}) for row in dated]


def _on(rows: Rows, day: date) -> Mapping[str, Decimal]:
    if rows[-1][0] <= day:
        return rows[-1][1]
    return rows[max(bisect_right(rows, day, key=lambda row: row[0]) - 1, 0)][1]
