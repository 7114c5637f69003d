"""What an order costs: brokerage, taxes and fees of Zerodha and the NSE.

Rounding: each line of an order is rounded half up to the paisa. The contract note rounds STT to the rupee
once a day and segment (tradingqna 21903), so a day may differ from it by up to 50 paise. The depository's
charge for selling delivery is debited per scrip and day, outside the contract note: no part of this.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Segment
from trader.domain.money import ZERO, to_paise
from trader.domain.order import Product, Side
from trader.market import tables

_PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The lines of one order's charges, rupees."""

    brokerage: Decimal = ZERO
    stt: Decimal = ZERO
    transaction: Decimal = ZERO
    sebi: Decimal = ZERO
    stamp: Decimal = ZERO
    gst: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.brokerage + self.stt + self.transaction + self.sebi + self.stamp + self.gst


@dataclass(frozen=True, slots=True)
class Rates:
    """One row of the table; fractions of turnover, caps in rupees an order."""

    kind: str
    since: date
    brokerage: Decimal
    brokerage_cap: Decimal
    stt_buy: Decimal
    stt_sell: Decimal
    transaction: Decimal
    sebi: Decimal
    stamp_buy: Decimal
    gst: Decimal

    def on(self, side: Side, turnover: Decimal) -> Breakdown:
        buy = side is Side.BUY
        brokerage = to_paise(min(self.brokerage_cap, turnover * self.brokerage))
        transaction = to_paise(turnover * self.transaction)
        sebi = to_paise(turnover * self.sebi)
        return Breakdown(
            brokerage=brokerage,
            stt=to_paise(turnover * (self.stt_buy if buy else self.stt_sell)),
            transaction=transaction,
            sebi=sebi,
            stamp=to_paise(turnover * self.stamp_buy) if buy else to_paise(ZERO),
            gst=to_paise((brokerage + transaction + sebi) * self.gst),
        )


class Charges:
    """Dated rates by kind of trade."""

    def __init__(self, rates: Iterable[Rates]) -> None:
        self._rates: dict[str, list[Rates]] = {}
        for row in sorted(rates, key=lambda row: row.since):
            self._rates.setdefault(row.kind, []).append(row)

    @classmethod
    def load(cls) -> Charges:
        """The table that ships with Munim."""
        return cls(
            Rates(
                kind=row["kind"],
                since=row["from"],
                brokerage_cap=Decimal(row["brokerage_cap"]),
                **{
                    name: Decimal(row[name]) / _PERCENT
                    for name in (
                        "brokerage",
                        "stt_buy",
                        "stt_sell",
                        "transaction",
                        "sebi",
                        "stamp_buy",
                        "gst",
                    )
                },
            )
            for row in tables.read("charges")["rates"]
        )

    def order_charges(
        self, *, segment: Segment, product: Product, side: Side, turnover: Decimal, on: date
    ) -> Breakdown:
        """Charges of one whole executed order; ``turnover`` is price times quantity (premium, for options).

        Brokerage is capped per order, however many fills it took: give the order's turnover, not a fill's.
        """
        if turnover < 0:
            raise InvalidInput(f"Expected a turnover of at least ₹0, was {turnover}")
        if turnover == 0:
            return Breakdown()
        return self._row(segment, product, on).on(side, turnover)

    def fill_charges(
        self, before: Decimal, after: Decimal, *, segment: Segment, product: Product, side: Side, on: date
    ) -> Decimal:
        """What a fill added to its order's charges: ``before`` and ``after`` are the order's turnover without
        and with it. The parts of an order sum to the charges of the whole."""
        return max(
            self.order_charges(segment=segment, product=product, side=side, turnover=after, on=on).total
            - self.order_charges(segment=segment, product=product, side=side, turnover=before, on=on).total,
            ZERO,
        )

    def _row(self, segment: Segment, product: Product, on: date) -> Rates:
        rows = self._rates[_kind(segment, product)]
        return rows[max(bisect_right(rows, on, key=lambda row: row.since) - 1, 0)]


def _kind(segment: Segment, product: Product) -> str:
    if segment is Segment.EQUITY:
        return "equity intraday" if product is Product.MIS else "equity delivery"
    if segment is Segment.INDEX:
        raise InvalidInput("An index is quoted, never traded: there are no charges for it")
    return segment.value
