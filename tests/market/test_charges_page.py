"""docs/charges.md has the numbers of the code, of the day it names: a failure prints the new table."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tests.market.executions import D, executed
from trader.domain.instrument import Exchange, Segment
from trader.domain.money import rupees
from trader.domain.order import Product, Side
from trader.domain.times import IST
from trader.market.charges import Breakdown, Charges, Executed
from trader.market.rates import Kind, Tariff

CHARGES = Charges.load()
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "charges.md").read_text(encoding="utf-8")
LAKH = D(100_000)
_NAMED = re.search(r"as of (\d+ \w+ \d{4})", PAGE)
assert _NAMED, "the page says of which day it is: as of 23 Nov 2026"
AS_OF = datetime.strptime(_NAMED[1], "%d %b %Y").replace(tzinfo=IST).date()
SHARES, FUTURES, OPTIONS = Segment.EQUITY, Segment.FUTURES, Segment.OPTIONS
NSE, BSE, NFO, BFO = Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO
TRADES = [
    ("Intraday shares, NSE", NSE, SHARES, Product.MIS, ""),
    ("Intraday shares, BSE", BSE, SHARES, Product.MIS, ""),
    ("Delivery, NSE", NSE, SHARES, Product.CNC, ""),
    ("Delivery, BSE", BSE, SHARES, Product.CNC, ""),
    ("Delivery with MTF, NSE", NSE, SHARES, Product.MTF, ""),
    ("Futures, NSE", NFO, FUTURES, Product.NRML, "NIFTY"),
    ("Futures, BSE", BFO, FUTURES, Product.NRML, "SENSEX"),
    ("Options, NSE (premium)", NFO, OPTIONS, Product.NRML, "NIFTY"),
    ("Sensex options (premium)", BFO, OPTIONS, Product.NRML, "SENSEX"),
    ("Other BSE options (premium)", BFO, OPTIONS, Product.NRML, "RELIANCE"),
]


def round_trip(exchange: Exchange, segment: Segment, product: Product, underlying: str) -> Breakdown:
    """In and out in one order each; delivery on two days, else on one note."""

    def trade(side: Side) -> Executed:
        return executed(
            product, side, LAKH, segment=segment, exchange=exchange, underlying=underlying, on=AS_OF
        )

    both = [trade(side) for side in Side]
    if both[0].delivery:
        return CHARGES.day(both[:1]).breakdown + CHARGES.day(both[1:]).breakdown
    return CHARGES.day(both).breakdown


def cost_table() -> str:
    rows = [
        "| ₹1,00,000 in and out | brokerage | STT | exchange, SEBI | stamp | GST | depository | total |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, *trade in TRADES:
        b = round_trip(*trade)
        levies = b.transaction + b.ipft + b.sebi
        cells = (b.brokerage, b.stt, levies, b.stamp, b.gst, b.dp)
        amounts = " | ".join(f"{cell:.2f}" if cell else "–" for cell in cells)
        rows.append(f"| {name} | {amounts} | **{rupees(b.total)}** |")
    return "\n".join(rows)


def percent(rate: Decimal) -> str:
    return f"{(rate * 100).normalize():f} %" if rate else "–"


def rates_table() -> str:
    tariff = Tariff.load()
    rows = [
        "| | brokerage an order | STT buy | STT sell | exchange, each side | stamp, buyer |",
        "|---|---|--:|--:|--:|--:|",
    ]
    kinds = [Kind.INTRADAY, Kind.INTRADAY, Kind.DELIVERY, Kind.DELIVERY, Kind.MTF]
    kinds += [Kind.FUTURES, Kind.FUTURES, Kind.OPTIONS, Kind.OPTIONS, Kind.OPTIONS]
    for (name, exchange, _, _, underlying), kind in zip(TRADES, kinds, strict=True):
        r = tariff.rates(exchange, kind, underlying, AS_OF)
        if r.brokerage is None:
            brokerage = f"₹{r.brokerage_cap}"
        else:
            brokerage = f"{percent(r.brokerage)}, at most ₹{r.brokerage_cap}" if r.brokerage else "–"
        exchange_rate = percent(r.transaction + r.ipft)
        cells = [brokerage, percent(r.stt_buy), percent(r.stt_sell), exchange_rate, percent(r.stamp_buy)]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def test_the_page_has_todays_cost_of_a_round_trip() -> None:
    assert cost_table() in PAGE, "\n" + cost_table()


def test_the_page_has_todays_rates() -> None:
    assert rates_table() in PAGE, "\n" + rates_table()


def test_the_pages_other_amounts_are_the_tables() -> None:
    tariff = Tariff.load()
    assert f"{rupees(tariff.debit('dp', AS_OF))} a share" in PAGE
    assert f"{rupees(tariff.debit('rms', AS_OF), paise=False)} an order" in PAGE
    rates = tariff.rates(Exchange.NSE, Kind.INTRADAY, "", AS_OF)
    assert f"GST is {percent(rates.gst)}" in PAGE
    assert f"SEBI's fee is ₹{rates.sebi * 10_000_000:.0f} a crore" in PAGE
    exercise, of_intrinsic = tariff.exercise(AS_OF)
    assert of_intrinsic
    assert f"{percent(exercise)} of what it was in the money" in PAGE
