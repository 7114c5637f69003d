"""docs/paper.md says what the tables say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.broker.paperhouse import AUCTIONED, CALENDAR, FUTURE, OPTION, STOCK
from trader.domain.instrument import Instrument
from trader.domain.order import Product, Side
from trader.market.margins import Margins
from trader.market.phases import venue_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "paper.md").read_text(encoding="utf-8")
DAY = date(2026, 11, 23)


def row(begins: str) -> list[str]:
    """The cells of the table's row with that first cell."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {begins} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("begins", "instrument"),
    [
        ("stock with derivatives", AUCTIONED),
        ("other stock", STOCK),
        ("future, option", FUTURE),
        ("future, option", OPTION),
    ],
)
def test_its_hours_are_the_calendars(begins: str, instrument: Instrument) -> None:
    venue = venue_of(instrument)
    session = CALENDAR.session(DAY, venue)
    assert session is not None
    cells = row(begins)
    assert cells[1] == f"{session.opens_at:%H:%M}–{session.closes_at:%H:%M}"
    assert cells[4] == f"{CALENDAR.deadlines(DAY, venue).broker_at:%H:%M}"


@pytest.mark.parametrize(
    ("begins", "instrument", "product", "side", "value"),
    [
        ("MIS stock", STOCK, Product.MIS, Side.SELL, 100),
        ("MTF stock", STOCK, Product.MTF, Side.BUY, 100),
        ("index future", FUTURE, Product.NRML, Side.BUY, 100),
        ("index future", OPTION, Product.NRML, Side.SELL, 26_000),
    ],
)
def test_its_margins_are_the_tables(
    begins: str, instrument: Instrument, product: Product, side: Side, value: int
) -> None:
    cells = next(
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line.startswith(f"| {begins}")
    )
    required = Margins.load().required(instrument, product, side, 1, Decimal(100), DAY)
    assert cells[1].startswith(f"{required * 100 / value:.0f} %")
