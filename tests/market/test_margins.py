"""What positions block, by product, side and day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, Instrument, OptionType, Segment
from trader.domain.order import Product, Side
from trader.market import tables
from trader.market.margins import Margins

BUY, SELL = Side.BUY, Side.SELL
MIS, CNC, NRML, MTF = Product
DAY = date(2026, 11, 23)
EXPIRY = date(2026, 11, 24)
MARGINS = Margins.load()

STOCK = Instrument(Exchange.NSE, "RELIANCE", 1, Decimal("0.10"))
INDEX = Instrument(Exchange.NSE, "NIFTY 50", 2, Decimal("0.05"), segment=Segment.INDEX)
FUTURE = Instrument(
    Exchange.NFO, "NIFTY26DECFUT", 3, Decimal("0.10"), 65, Segment.FUTURES, underlying="NIFTY",
    expiry=date(2026, 12, 29),
)  # fmt: skip
STOCK_FUTURE = Instrument(
    Exchange.NFO, "INFY26DECFUT", 4, Decimal("0.10"), 400, Segment.FUTURES, underlying="INFY"
)
CALL = Instrument(
    Exchange.NFO, "NIFTY26N2426000CE", 5, Decimal("0.05"), 65, Segment.OPTIONS, underlying="NIFTY",
    expiry=EXPIRY, strike=Decimal(26000), option_type=OptionType.CALL,
)  # fmt: skip
STOCK_PUT = Instrument(
    Exchange.NFO, "INFY26NOV1500PE", 6, Decimal("0.05"), 400, Segment.OPTIONS, underlying="INFY",
    expiry=EXPIRY, strike=Decimal(1500), option_type=OptionType.PUT,
)  # fmt: skip


@pytest.mark.parametrize(
    ("instrument", "product", "side", "quantity", "price", "on", "expected"),
    [
        (STOCK, MIS, BUY, 100, "1000", DAY, "20000"),  # five times
        (STOCK, MIS, SELL, 100, "1000", DAY, "20000"),
        (STOCK, MIS, BUY, 100, "1000", date(2021, 8, 31), "15000"),
        (STOCK, MIS, BUY, 100, "1000", date(2021, 9, 1), "20000"),
        (STOCK, MIS, BUY, 100, "1000", date(2015, 1, 1), "5000"),  # the oldest row known
        (STOCK, CNC, BUY, 100, "1000", DAY, "100000"),
        (STOCK, CNC, SELL, 100, "1000", DAY, "0"),
        (STOCK, MTF, BUY, 100, "1000", DAY, "25000"),
        (STOCK, MTF, SELL, 100, "1000", DAY, "0"),
        (FUTURE, NRML, BUY, 65, "26000", DAY, "202800"),  # 12 % of 16,90,000
        (FUTURE, NRML, SELL, 65, "26000", DAY, "202800"),
        (FUTURE, MIS, SELL, 65, "26000", DAY, "202800"),  # no intraday leverage in derivatives
        (FUTURE, MIS, SELL, 65, "26000", date(2021, 8, 31), "152100"),
        (STOCK_FUTURE, NRML, BUY, 400, "1500", DAY, "120000"),
        (CALL, NRML, BUY, 65, "100", DAY, "6500"),  # the premium
        (CALL, MIS, BUY, 65, "100", DAY, "6500"),
        (CALL, NRML, SELL, 65, "100", DAY, "202800"),  # the strike stands in for the underlying
        (CALL, NRML, SELL, 65, "100", EXPIRY, "236600"),  # 14 % on its last day
        (STOCK_PUT, NRML, SELL, 400, "20", DAY, "120000"),
        (STOCK_PUT, NRML, SELL, 400, "20", EXPIRY, "150000"),
        (STOCK, MIS, BUY, 0, "1000", DAY, "0"),
    ],
)
def test_what_a_position_blocks(
    instrument: Instrument, product: Product, side: Side, quantity: int, price: str, on: date, expected: str
) -> None:
    assert MARGINS.required(instrument, product, side, quantity, Decimal(price), on) == Decimal(expected)


def test_an_option_sold_goes_by_its_underlying_where_that_is_known() -> None:
    known = MARGINS.required(CALL, NRML, SELL, 65, Decimal(100), DAY, Decimal(25000))
    assert known == Decimal("0.12") * 25000 * 65


@pytest.mark.parametrize(
    ("symbol", "rate"),
    [("NIFTY26DECFUT", 12), ("NIFTYNXT5026DECFUT", 12), ("SENSEX5026DECFUT", 12), ("BANKNIFTY26DECFUT", 12),
     ("M&M26DECFUT", 20), ("BAJAJ-AUTO26DECFUT", 20), ("INFY26DECFUT", 20)],
)  # fmt: skip
def test_a_contract_without_a_named_underlying_is_known_by_its_symbol(symbol: str, rate: int) -> None:
    future = Instrument(Exchange.NFO, symbol, 9, Decimal("0.05"), 1, Segment.FUTURES)
    assert MARGINS.required(future, NRML, BUY, 1, Decimal(1000), DAY) == rate * 10


def test_what_cannot_be_computed_is_refused() -> None:
    nameless = Instrument(Exchange.NFO, "NIFTY26N2426000CE", 9, Decimal("0.05"), 65, Segment.OPTIONS)
    for instrument, quantity, price in ((nameless, 65, 1), (INDEX, 1, 1), (STOCK, -1, 1), (STOCK, 1, -1)):
        with pytest.raises(InvalidInput):
            MARGINS.required(instrument, MIS, SELL, quantity, Decimal(price), DAY)
    assert MARGINS.required(nameless, NRML, BUY, 65, Decimal(100), DAY) == 6500


@pytest.mark.parametrize(("day", "part"), [(date(2024, 10, 4), "0.8"), (date(2024, 10, 7), "1"), (DAY, "1")])
def test_proceeds_of_settled_holdings(day: date, part: str) -> None:
    assert MARGINS.usable_same_day(day) == Decimal(part)


cases = st.sampled_from(
    [(STOCK, MIS), (STOCK, CNC), (STOCK, MTF), (FUTURE, NRML), (STOCK_FUTURE, MIS), (CALL, NRML), (CALL, MIS)]
)
days = st.dates(date(2015, 1, 1), date(2027, 12, 31))
prices = st.decimals("0.05", "30000", places=2)
quantities = st.integers(0, 100_000)


@given(cases, st.sampled_from(Side), quantities, quantities, prices, days)
def test_margins_are_never_negative_and_grow_with_the_quantity(
    case: tuple[Instrument, Product], side: Side, one: int, other: int, price: Decimal, on: date
) -> None:
    instrument, product = case
    small, large = (
        MARGINS.required(instrument, product, side, quantity, price, on) for quantity in sorted((one, other))
    )
    assert 0 <= small <= large


@given(st.sampled_from([MIS, CNC, MTF]), quantities, prices, days)
def test_no_share_blocks_more_than_its_price(
    product: Product, quantity: int, price: Decimal, on: date
) -> None:
    assert MARGINS.required(STOCK, product, BUY, quantity, price, on) <= quantity * price


def test_every_row_of_the_table_has_its_source() -> None:
    table = tables.read("margins")
    rows = [row for rows in table.values() if isinstance(rows, list) for row in rows]
    assert len(rows) >= 10
    for row in [*rows, table["indices"]]:
        assert len(row["source"]) > 10
