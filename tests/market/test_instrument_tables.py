"""Freeze quantities, dated lots and price bands."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.market.dump_text import REAL_FNO
from trader.domain.instrument import Segment
from trader.market import tables
from trader.market.bands import price_band
from trader.market.contracts import freeze_quantity, lot_size_on, spots
from trader.market.dump import DumpTable
from trader.market.instruments import Instruments
from trader.market.symbols import instrument_of

STOCK = replace(instrument_of("RELIANCE"), tick_size=Decimal("0.10"), derivatives=True)


@pytest.mark.parametrize(
    ("underlying", "day", "quantity"),
    [
        ("NIFTY", date(2026, 11, 23), 1800),
        ("BANKNIFTY", date(2026, 11, 23), 600),
        ("FINNIFTY", date(2026, 8, 3), 1800),
        ("MIDCPNIFTY", date(2026, 8, 3), 2800),
        ("NIFTYNXT50", date(2026, 8, 3), 600),
        ("SENSEX", date(2026, 8, 3), 1000),  # from its last row, older than the NSE's
        ("BANKNIFTY", date(2025, 8, 31), 600),
        ("BANKNIFTY", date(2025, 9, 1), 900),
        ("BANKNIFTY", date(2025, 11, 3), 600),
        ("FINNIFTY", date(2025, 12, 1), 1200),
        ("MIDCPNIFTY", date(2023, 4, 3), 5500),
        ("NIFTY", date(2023, 4, 2), None),
        ("RELIANCE", date(2026, 11, 23), None),
    ],
)
def test_freeze_quantities_hold_from_their_day(underlying: str, day: date, quantity: int | None) -> None:
    assert freeze_quantity(underlying, day) == quantity


@pytest.mark.parametrize(
    ("underlying", "day", "lot"),
    [
        ("NIFTY", date(2015, 10, 29), None),
        ("NIFTY", date(2020, 12, 2), 75),
        ("NIFTY", date(2021, 6, 24), 75),
        ("NIFTY", date(2021, 6, 25), 50),
        ("NIFTY", date(2024, 4, 25), 50),
        ("NIFTY", date(2024, 4, 26), 25),
        ("NIFTY", date(2025, 1, 30), 25),
        ("NIFTY", date(2025, 1, 31), 75),
        ("NIFTY", date(2025, 12, 30), 75),
        ("NIFTY", date(2025, 12, 31), 65),
        ("NIFTY", date(2026, 11, 23), 65),
        ("BANKNIFTY", date(2020, 6, 25), 20),
        ("BANKNIFTY", date(2020, 12, 2), 25),
        ("BANKNIFTY", date(2023, 6, 29), 25),
        ("BANKNIFTY", date(2023, 6, 30), 15),
        ("BANKNIFTY", date(2025, 6, 26), 30),
        ("BANKNIFTY", date(2025, 6, 27), 35),
        ("BANKNIFTY", date(2026, 11, 23), 30),
        ("FINNIFTY", date(2026, 11, 23), 60),
        ("MIDCPNIFTY", date(2026, 11, 23), 120),
        ("NIFTYNXT50", date(2026, 11, 23), 25),
        ("SENSEX", date(2026, 11, 23), 20),
        ("RELIANCE", date(2026, 11, 23), None),
    ],
)
def test_lots_of_the_nearest_monthly_contract(underlying: str, day: date, lot: int | None) -> None:
    assert lot_size_on(underlying, day) == lot


@pytest.mark.skipif(not REAL_FNO.exists(), reason="the real F&O dump is not here")
def test_the_dated_lots_are_those_of_the_real_list() -> None:
    day = date(2024, 4, 2)
    found = Instruments.from_dump(DumpTable.read(REAL_FNO, day))
    for underlying in ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY"):
        assert found.find(f"{underlying} FUT").lot_size == lot_size_on(underlying, day)


def test_every_row_of_the_table_names_its_source_and_how_certain_it_is() -> None:
    known = set(spots())
    for kind in ("freeze", "lot"):
        for row in tables.read("contracts")[kind]:
            assert row["source"]
            assert row["certain"] in ("V", "S", "NV")
            names = row.keys() - {"from", "source", "certain"}
            assert names
            assert names <= known
            assert all(isinstance(row[name], int) and row[name] > 0 for name in names)


@pytest.mark.parametrize(
    ("close", "tick", "low", "high"),
    [
        ("1400", "0.10", "1260.0", "1540.0"),
        ("1400.15", "0.10", "1260.2", "1540.1"),  # 1260.135 and 1540.165: inwards, where orders are taken
        ("0.05", "0.01", "0.05", "0.05"),
    ],
)
def test_a_stock_with_derivatives_begins_the_day_within_a_tenth(
    close: str, tick: str, low: str, high: str
) -> None:
    stock = replace(STOCK, tick_size=Decimal(tick))
    assert price_band(stock, Decimal(close)) == (Decimal(low), Decimal(high))


def test_other_bands_are_not_known() -> None:
    assert price_band(replace(STOCK, derivatives=False), Decimal(1400)) is None
    assert price_band(replace(STOCK, segment=Segment.FUTURES), Decimal(1400)) is None
    assert price_band(instrument_of("NIFTY 50"), Decimal(26_000)) is None
    assert price_band(STOCK, Decimal(0)) is None
