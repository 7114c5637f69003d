"""Orders as the exchange takes them: ticks, lots, freeze, protection, and what is barred."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, Instrument, Segment
from trader.domain.order import OrderType, Product, Side, Validity
from trader.market import shaping, tables
from trader.market.phases import Phase

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, SL, SL_M = OrderType
MIS, CNC, NRML, MTF = Product
STOCK = Instrument(Exchange.NSE, "RELIANCE", 1, Decimal("0.10"), derivatives=True)
BSE_STOCK = Instrument(Exchange.BSE, "RELIANCE", 2, Decimal("0.05"))
FUTURE = Instrument(Exchange.NFO, "NIFTY26NOVFUT", 3, Decimal("0.10"), 65, Segment.FUTURES)
OPTION = Instrument(Exchange.NFO, "NIFTY26N2426000CE", 4, Decimal("0.05"), 65, Segment.OPTIONS)
BSE_FUTURE = Instrument(Exchange.BFO, "SENSEX26NOVFUT", 5, Decimal("0.05"), 20, Segment.FUTURES)
BSE_OPTION = Instrument(Exchange.BFO, "SENSEX26N2685000PE", 6, Decimal("0.05"), 20, Segment.OPTIONS)
INDEX = Instrument(Exchange.NSE, "NIFTY 50", 7, Decimal("0.05"), segment=Segment.INDEX)

ticks = st.sampled_from(["0.01", "0.05", "0.10", "0.50", "1", "5"]).map(Decimal)
segments = st.sampled_from([Segment.EQUITY, Segment.FUTURES, Segment.OPTIONS])
instruments = st.builds(
    lambda tick, segment: Instrument(
        Exchange.NSE if segment is Segment.EQUITY else Exchange.NFO, "ANY", 9, tick, segment=segment
    ),
    ticks,
    segments,
)
prices = st.decimals("5", "25000", places=3, allow_nan=False)  # three places: between any two ticks
sides = st.sampled_from(Side)


# -- prices ----------------------------------------------------------------------------------------------


@given(instruments, sides, prices)
def test_a_limit_is_on_the_tick_never_worse_than_asked_and_rounding_it_again_changes_nothing(
    instrument: Instrument, side: Side, price: Decimal
) -> None:
    limit = shaping.limit_price(instrument, side, price)
    assert instrument.on_tick(limit)
    assert (limit - price) * side.sign <= 0
    assert abs(limit - price) < instrument.tick_size
    assert shaping.limit_price(instrument, side, limit) == limit


@given(instruments, sides, prices)
def test_a_protected_price_is_on_the_tick_beyond_the_last_and_within_the_protection(
    instrument: Instrument, side: Side, last: Decimal
) -> None:
    price = shaping.protected_price(instrument, side, last)
    assert instrument.on_tick(price)
    assert price > 0
    beyond = (price - last) * side.sign
    room = last * shaping.protection_pct(instrument, last) / 100
    assert beyond >= 0 or price == instrument.tick_size  # nothing is asked below one tick
    assert beyond <= max(room, 2 * instrument.tick_size)


@given(instruments, sides, prices)
def test_the_limit_of_a_stop_lies_beyond_its_trigger(
    instrument: Instrument, side: Side, price: Decimal
) -> None:
    trigger = max(instrument.round_nearest(price), instrument.tick_size)
    limit = shaping.stop_limit(instrument, side, trigger)
    assert instrument.on_tick(limit)
    assert limit > 0
    assert (limit - trigger) * side.sign > 0 or limit == instrument.tick_size


@pytest.mark.parametrize(
    ("instrument", "last", "percent"),
    [  # kite.md 4: under 100, 100 to 500, over 500; options under 10, to 100, to 500, over
        (STOCK, "99.95", "2"), (STOCK, "100", "1"), (STOCK, "499.95", "1"), (STOCK, "500", "0.5"),
        (FUTURE, "25000", "0.5"), (BSE_STOCK, "12", "2"),
        (OPTION, "9.95", "5"), (OPTION, "10", "3"), (OPTION, "99.95", "3"), (OPTION, "100", "2"),
        (OPTION, "499.95", "2"), (OPTION, "500", "1"),
    ],
)  # fmt: skip
def test_protection_follows_kites_slabs(instrument: Instrument, last: str, percent: str) -> None:
    assert shaping.protection_pct(instrument, Decimal(last)) == Decimal(percent)


@pytest.mark.parametrize(
    ("instrument", "side", "last", "expected"),
    [
        (STOCK, BUY, "1000", "1005"),
        (STOCK, SELL, "1000", "995"),
        (STOCK, BUY, "1234.5", "1240.6"),  # 0.5 % is 6.1725: rounded towards the trader
        (STOCK, SELL, "1234.5", "1228.4"),
        (OPTION, BUY, "0.30", "0.35"),  # 5 % is less than a tick: one tick is the least
        (OPTION, SELL, "0.30", "0.25"),
        (OPTION, SELL, "0.05", "0.05"),  # there is nothing below
        (OPTION, BUY, "100.03", "102"),  # a price recorded between two ticks; 2 % is 2.0006
        (OPTION, SELL, "100.03", "98.05"),
    ],
)
def test_a_market_order_goes_out_as_a_limit_with_room(
    instrument: Instrument, side: Side, last: str, expected: str
) -> None:
    assert shaping.protected_price(instrument, side, Decimal(last)) == Decimal(expected)


@pytest.mark.parametrize(
    ("instrument", "side", "trigger", "expected"),
    [
        (OPTION, SELL, "100", "80"),
        (OPTION, BUY, "100", "120"),
        (OPTION, SELL, "1", "0.50"),  # ten ticks are more than 20 %
        (OPTION, SELL, "0.30", "0.05"),  # and a price must remain
        (BSE_STOCK, SELL, "1000", "970"),
        (BSE_FUTURE, BUY, "85000", "86700"),
    ],
)
def test_the_limit_that_stands_in_for_stop_market_leaves_room(
    instrument: Instrument, side: Side, trigger: str, expected: str
) -> None:
    assert shaping.stop_limit(instrument, side, Decimal(trigger)) == Decimal(expected)


def test_a_price_below_the_first_tick_cannot_be_bought_at() -> None:
    with pytest.raises(InvalidInput, match=r"nothing can be bought at ₹0\.03"):
        shaping.limit_price(OPTION, BUY, Decimal("0.03"))
    assert shaping.limit_price(OPTION, SELL, Decimal("0.03")) == Decimal("0.05")


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_no_price_is_made_of_nothing(price: str) -> None:
    for shape in (shaping.limit_price, shaping.protected_price, shaping.stop_limit):
        with pytest.raises(InvalidInput, match="above ₹0"):
            shape(STOCK, BUY, Decimal(price))


# -- quantities ------------------------------------------------------------------------------------------


@given(st.integers(1, 100), st.integers(1, 200), st.integers(1, 3000))
def test_slices_sum_to_the_quantity_in_whole_lots_within_the_freeze(
    lot: int, number: int, freeze: int
) -> None:
    quantity = lot * number
    largest = min(freeze // lot * lot * 10, quantity)
    try:
        parts = shaping.slices(quantity, lot, freeze)
    except InvalidInput as refused:
        assert largest < quantity
        assert str(largest) in str(refused) or largest == 0  # noqa: PT017 (and that it names what is possible)
        return
    assert sum(parts) == quantity
    assert all(0 < part <= freeze and part % lot == 0 for part in parts)
    assert len(parts) <= 10
    assert len(parts) == -(-quantity // (freeze // lot * lot))  # no more orders than it takes


@pytest.mark.parametrize(
    ("quantity", "lot", "freeze", "expected"),
    [
        (1800, 65, None, None),  # no whole lots
        (1755, 65, 1800, [1755]),
        (1820, 65, 1800, [1755, 65]),
        (600, 30, 600, [600]),
        (630, 30, 600, [600, 30]),
        (5_000_000, 1, None, [5_000_000]),
        (0, 1, None, None),
        (65, 65, 60, None),  # not even a lot fits
    ],
)
def test_slices(quantity: int, lot: int, freeze: int | None, expected: list[int] | None) -> None:
    if expected is None:
        with pytest.raises(InvalidInput):
            shaping.slices(quantity, lot, freeze)
    else:
        assert shaping.slices(quantity, lot, freeze) == expected


def test_more_than_ten_slices_are_refused_with_the_largest_quantity_that_goes() -> None:
    assert len(shaping.slices(17_550, 65, 1800)) == 10
    with pytest.raises(InvalidInput, match=r"17615 units .* largest possible quantity is 17550"):
        shaping.slices(17_615, 65, 1800)


@pytest.mark.parametrize(("quantity", "expected"), [(64, 0), (65, 65), (129, 65), (-5, 0), (0, 0)])
def test_lots_are_rounded_down(quantity: int, expected: int) -> None:
    assert shaping.lots(OPTION, quantity) == expected


# -- what may be asked -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "expected"),
    [(STOCK, SL_M), (FUTURE, SL_M), (OPTION, SL), (BSE_STOCK, SL), (BSE_FUTURE, SL), (BSE_OPTION, SL)],
)
def test_a_stop_is_a_stop_market_where_the_exchange_takes_one(
    instrument: Instrument, expected: OrderType
) -> None:
    assert shaping.stop_type(instrument) is expected
    fault = shaping.order_type_fault(instrument, SL_M)
    assert (fault is None) == (expected is SL_M)
    assert all(shaping.order_type_fault(instrument, kind) is None for kind in (MARKET, LIMIT, SL))


@pytest.mark.parametrize(
    ("instrument", "product", "side", "opening", "words"),
    [
        (STOCK, MIS, SELL, True, None),
        (STOCK, CNC, BUY, True, None),
        (STOCK, CNC, SELL, False, None),
        (STOCK, CNC, SELL, True, "only shares that are held"),
        (STOCK, MTF, SELL, True, "only shares that are held"),
        (STOCK, NRML, BUY, True, "MIS, CNC or MTF, was NRML"),
        (FUTURE, NRML, SELL, True, None),
        (OPTION, MIS, SELL, True, None),
        (OPTION, CNC, BUY, True, "MIS or NRML, was CNC"),
        (BSE_FUTURE, MTF, BUY, True, "MIS or NRML"),
        (INDEX, MIS, BUY, True, "quoted, not traded"),
    ],
)
def test_products(
    instrument: Instrument, product: Product, side: Side, opening: bool, words: str | None
) -> None:
    fault = shaping.product_fault(instrument, product, side, opening)
    assert fault is None if words is None else words in (fault or "")


TAKEN = {  # what each phase takes, of (market, limit, stop-limit, stop-market) by the day, then a limit IOC
    Phase.PREOPEN: "ML---", Phase.PREOPEN_LIMIT: "-L---", Phase.OPEN: "MLSSI", Phase.AUCTION: "ML---",
    Phase.AUCTION_LIMIT: "-L---", Phase.POST_CLOSE: "ML---",
}  # fmt: skip


@pytest.mark.parametrize("phase", Phase)
def test_each_phase_takes_its_own_orders(phase: Phase) -> None:
    asked = [(kind, Validity.DAY) for kind in OrderType] + [(LIMIT, Validity.IOC)]
    taken = TAKEN.get(phase, "-----")
    for (kind, validity), letter in zip(asked, taken, strict=True):
        fault = shaping.validity_fault(kind, validity, phase)
        assert (fault is None) == (letter != "-"), (kind, validity, fault)
        assert fault is None or phase.value in fault


@pytest.mark.parametrize("kind", [SL, SL_M])
def test_a_stop_cannot_be_immediate_or_cancel(kind: OrderType) -> None:
    assert "waits for its trigger" in (shaping.validity_fault(kind, Validity.IOC, Phase.OPEN) or "")


def test_every_row_of_the_table_has_its_day_and_its_source() -> None:
    for rows in tables.read("shaping").values():
        for row in rows:
            assert isinstance(row["from"], date)
            assert len(row["source"]) > 10
