"""What each charge costs on a day: reads ``tables/charges.toml`` and answers with fractions of turnover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, Segment
from trader.domain.money import ZERO, to_paise
from trader.domain.order import Product, Side
from trader.market import tables

_PERCENT = Decimal(100)
_CRORE = Decimal(10_000_000)

Row = Mapping[str, Any]


class Kind(StrEnum):
    """How a trade is charged; the words of the table's ``kinds``."""

    INTRADAY = "equity intraday"
    DELIVERY = "equity delivery"
    MTF = "equity mtf"
    FUTURES = "futures"
    OPTIONS = "options"


def kind_of(segment: Segment, product: Product) -> Kind:
    match segment:
        case Segment.FUTURES:
            return Kind.FUTURES
        case Segment.OPTIONS:
            return Kind.OPTIONS
        case Segment.INDEX:
            raise InvalidInput("An index is quoted, never traded: there are no charges for it")
    if product is Product.MIS:
        return Kind.INTRADAY
    return Kind.MTF if product is Product.MTF else Kind.DELIVERY


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of one kind of trade on one day: fractions of turnover, brokerage in rupees an order."""

    brokerage: Decimal | None  # None: the cap is charged whatever the turnover
    brokerage_cap: Decimal
    stt_buy: Decimal
    stt_sell: Decimal
    transaction: Decimal
    ipft: Decimal
    sebi: Decimal
    stamp_buy: Decimal
    stamp_sell: Decimal
    gst: Decimal
    gst_on_sebi: bool

    def broker(self, value: Decimal) -> Decimal:
        """Brokerage of one executed order of ``value`` rupees."""
        if not value:
            return ZERO
        return (
            self.brokerage_cap if self.brokerage is None else min(self.brokerage_cap, value * self.brokerage)
        )

    def stt(self, side: Side) -> Decimal:
        return self.stt_buy if side is Side.BUY else self.stt_sell

    def stamp(self, side: Side) -> Decimal:
        return self.stamp_buy if side is Side.BUY else self.stamp_sell


class Tariff:
    """The whole table. Rows of one charge hold from their day until the next fitting row; days before the
    first fitting row use that row."""

    def __init__(self, table: Mapping[str, Sequence[Row]]) -> None:
        self._table = {name: sorted(rows, key=lambda row: row["from"]) for name, rows in table.items()}
        self._rates: dict[tuple[Exchange, Kind, str, date], Rates] = {}
        self._debits: dict[tuple[str, date], Decimal] = {}

    @classmethod
    def load(cls) -> Tariff:
        """The table that ships with Munim."""
        return cls(tables.read("charges"))

    def rates(self, exchange: Exchange, kind: Kind, underlying: str, on: date) -> Rates:
        key = (exchange, kind, underlying, on)
        found = self._rates.get(key)
        if found is None:
            found = self._rates[key] = self._build(*key)
        return found

    def debit(self, name: str, on: date) -> Decimal:
        """Rupees with GST of a debit outside the contract note: ``dp`` a scrip and day, ``rms`` an order."""
        found = self._debits.get((name, on))
        if found is None:
            fee = Decimal(self._row(name, on)["rupees"])
            gst = _percent(self._row("gst", on), "percent")
            found = self._debits[name, on] = to_paise(fee * (1 + gst))
        return found

    def exercise(self, on: date) -> tuple[Decimal, bool]:
        """STT of the buyer of an exercised option as a fraction, and whether of its intrinsic value (else of
        the whole settlement value)."""
        row = self._row("exercise", on)
        return _percent(row, "percent"), bool(row["intrinsic"])

    def _build(self, exchange: Exchange, kind: Kind, underlying: str, on: date) -> Rates:
        brokerage = self._row("brokerage", on, kind=kind)
        stt = self._row("stt", on, kind=kind)
        transaction = self._row("transaction", on, kind=kind, exchange=exchange, underlying=underlying)
        stamp = self._row("stamp", on, kind=kind)
        gst = self._row("gst", on)
        return Rates(
            brokerage=_percent(brokerage, "percent") if "percent" in brokerage else None,
            brokerage_cap=Decimal(brokerage["cap"]),
            stt_buy=_percent(stt, "buy_percent"),
            stt_sell=_percent(stt, "sell_percent"),
            transaction=Decimal(transaction["per_crore"]) / _CRORE,
            ipft=Decimal(transaction["ipft_per_crore"]) / _CRORE,
            sebi=Decimal(self._row("sebi", on)["per_crore"]) / _CRORE,
            stamp_buy=_percent(stamp, "buy_percent"),
            stamp_sell=_percent(stamp, "sell_percent"),
            gst=_percent(gst, "percent"),
            gst_on_sebi=bool(gst["on_sebi"]),
        )

    def _row(
        self,
        name: str,
        on: date,
        kind: Kind | None = None,
        exchange: Exchange | None = None,
        underlying: str = "",
    ) -> Row:
        fitting = [
            row
            for row in self._table[name]
            if (kind is None or kind in row["kinds"])
            and ("exchange" not in row or row["exchange"] == _GROUP.get(exchange or Exchange.NSE))
            and ("underlyings" not in row or underlying in row["underlyings"])
        ]
        named = [row for row in fitting if "underlyings" in row]
        rows = named or fitting
        if not rows:
            raise InvalidInput(
                f"tables/charges.toml has no [[{name}]] row for {kind} on {exchange}; add one with its source"
            )
        past = [row for row in rows if row["from"] <= on]
        return past[-1] if past else rows[0]


_GROUP = {Exchange.NSE: "NSE", Exchange.NFO: "NSE", Exchange.BSE: "BSE", Exchange.BFO: "BSE"}


def _percent(row: Row, field: str) -> Decimal:
    return Decimal(row[field]) / _PERCENT
