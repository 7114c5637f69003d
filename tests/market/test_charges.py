"""What a trade costs, against the worked columns of facts/india.md 3.4."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Segment
from trader.domain.order import Product, Side
from trader.market.charges import Breakdown, Charges

CHARGES = Charges.load()
TODAY = date(2026, 11, 21)
LAKH = Decimal(100_000)

turnovers = st.decimals(min_value=0, max_value=50_000_000, places=2, allow_nan=False, allow_infinity=False)
trades = st.sampled_from(
    [
        (Segment.EQUITY, Product.MIS),
        (Segment.EQUITY, Product.CNC),
        (Segment.FUTURES, Product.NRML),
        (Segment.OPTIONS, Product.MIS),
    ]
)
sides = st.sampled_from(list(Side))


def breakdown(
    product: Product, side: Side, turnover: Decimal, segment: Segment = Segment.EQUITY
) -> Breakdown:
    return CHARGES.order_charges(segment=segment, product=product, side=side, turnover=turnover, on=TODAY)


def rupees(*amounts: str) -> list[Decimal]:
    return [Decimal(a) for a in amounts]


@pytest.mark.parametrize(
    ("product", "brokerage", "stt", "transaction", "sebi", "stamp", "gst", "total"),
    [
        (Product.MIS, "40", "25", "6.14", "0.20", "3", "8.34", "82.68"),
        (
            Product.CNC,
            "0",
            "200",
            "6.14",
            "0.20",
            "15",
            "1.14",
            "222.48",
        ),  # 237.82 with 15.34 of the depository
    ],
)
def test_a_round_trip_of_one_lakh_costs_what_the_worked_check_says(
    product: Product, brokerage: str, stt: str, transaction: str, sebi: str, stamp: str, gst: str, total: str
) -> None:
    buy, sell = breakdown(product, Side.BUY, LAKH), breakdown(product, Side.SELL, LAKH)
    lines = [
        buy.brokerage + sell.brokerage,
        buy.stt + sell.stt,
        buy.transaction + sell.transaction,
        buy.sebi + sell.sebi,
        buy.stamp + sell.stamp,
        buy.gst + sell.gst,
        buy.total + sell.total,
    ]
    assert lines == rupees(brokerage, stt, transaction, sebi, stamp, gst, total)


def test_a_lot_of_nifty_options_costs_what_the_worked_check_says() -> None:
    premium = Decimal(6500)
    total = sum(breakdown(Product.NRML, side, premium, Segment.OPTIONS).total for side in Side)
    assert Decimal("62.6") <= total <= Decimal("62.9")


def test_small_orders_pay_brokerage_by_the_rate_and_large_ones_the_cap() -> None:
    assert breakdown(Product.MIS, Side.BUY, Decimal(10_000)).brokerage == Decimal("3.00")
    assert breakdown(Product.MIS, Side.BUY, Decimal(10_000_000)).brokerage == Decimal(20)


def test_the_day_decides_the_rate() -> None:
    def stt(day: date) -> Decimal:
        return CHARGES.order_charges(
            segment=Segment.FUTURES, product=Product.NRML, side=Side.SELL, turnover=LAKH, on=day
        ).stt

    assert stt(date(2026, 3, 31)) == Decimal(20)
    assert stt(date(2026, 4, 1)) == Decimal(50)
    assert stt(date(2015, 1, 1)) == Decimal(20), "days before the table pay its oldest rates"


def test_partial_fills_share_one_brokerage_cap() -> None:
    def added(before: int, after: int) -> Decimal:
        return CHARGES.fill_charges(
            Decimal(before),
            Decimal(after),
            segment=Segment.EQUITY,
            product=Product.MIS,
            side=Side.BUY,
            on=TODAY,
        )

    first, second = added(0, 100_000), added(100_000, 200_000)
    assert first + second == breakdown(Product.MIS, Side.BUY, Decimal(200_000)).total
    assert second < first - Decimal(20), "the second half pays no brokerage and no tax on it"


def test_an_index_and_a_negative_turnover_have_no_charges() -> None:
    with pytest.raises(InvalidInput, match="never traded"):
        breakdown(Product.MIS, Side.BUY, LAKH, Segment.INDEX)
    with pytest.raises(InvalidInput, match="at least"):
        breakdown(Product.MIS, Side.BUY, Decimal(-1))


@given(trades, sides, turnovers, turnovers)
def test_charges_are_never_negative_and_grow_with_turnover(
    trade: tuple[Segment, Product], side: Side, one: Decimal, other: Decimal
) -> None:
    small, large = sorted([one, other])
    less, more = (breakdown(trade[1], side, t, trade[0]) for t in (small, large))
    for name in ("brokerage", "stt", "transaction", "sebi", "stamp", "gst"):
        assert 0 <= getattr(less, name) <= getattr(more, name)
        assert getattr(more, name) == getattr(more, name).quantize(Decimal("0.01")), "whole paise"


@given(trades, sides, st.lists(turnovers, min_size=1, max_size=8))
def test_the_parts_of_an_order_sum_to_the_whole(
    trade: tuple[Segment, Product], side: Side, parts: list[Decimal]
) -> None:
    sums = [Decimal(0)]
    for part in parts:
        sums.append(sums[-1] + part)
    fills = [
        CHARGES.fill_charges(a, b, segment=trade[0], product=trade[1], side=side, on=TODAY)
        for a, b in pairwise(sums)
    ]
    assert all(fill >= 0 for fill in fills)
    assert sum(fills, Decimal(0)) == breakdown(trade[1], side, sums[-1], trade[0]).total
