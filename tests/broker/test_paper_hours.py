"""A day of the paper exchange by the clock: 23 Nov 2026, a Monday before a holiday."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.broker.approvals import approved, change
from tests.broker.paperhouse import (
    AUCTIONED,
    FUTURE,
    LISTED,
    OPTION,
    STOCK,
    Bench,
    holds,
    opened_day,
)
from trader.broker.paper.conduct import Conduct
from trader.domain.errors import OrderRefused
from trader.domain.instrument import InstrumentKey
from trader.domain.order import BrokerStatus, OrderType, Product, Side, Validity

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, SL, SL_M = OrderType
CNC, NRML = Product.CNC, Product.NRML
IOC = Validity.IOC
OPEN, PENDING, COMPLETE, CANCELLED = (
    BrokerStatus.OPEN, BrokerStatus.TRIGGER_PENDING, BrokerStatus.COMPLETE, BrokerStatus.CANCELLED,
)  # fmt: skip
STOCKS = (STOCK.key, AUCTIONED.key)
RICH = Decimal(10_000_000)


# -- when orders are taken -------------------------------------------------------------------------------

# key, time, the types that are taken (M L S for stop-limit), words of the refusal of the others
TAKEN = [
    (STOCK.key, "09:14:59", "", "pre-open"),
    (STOCK.key, "09:15:00", "MLS", ""),
    (STOCK.key, "15:24:59", "MLS", ""),
    (STOCK.key, "15:29:59", "MLS", ""),
    (STOCK.key, "15:30:00", "", "closed"),
    (STOCK.key, "15:55:00", "", "post-close"),
    (AUCTIONED.key, "15:14:59", "MLS", ""),
    (AUCTIONED.key, "15:15:00", "", "auction reference"),
    (AUCTIONED.key, "15:20:00", "ML", "closing auction"),
    (AUCTIONED.key, "15:25:00", "L", "limit only"),
    (AUCTIONED.key, "15:30:00", "", "auction matching"),
    (FUTURE.key, "09:05:00", "", "pre-open"),
    (FUTURE.key, "15:39:59", "MLS", ""),
    (FUTURE.key, "15:40:00", "", "closed"),
    (OPTION.key, "15:39:59", "MLS", ""),
    (OPTION.key, "15:40:00", "", "closed"),
]


@pytest.mark.parametrize(("key", "clock", "taken", "words"), TAKEN)
async def test_orders_are_taken_by_the_timetable_of_their_instrument(
    key: InstrumentKey, clock: str, taken: str, words: str
) -> None:
    bench = Bench(cash=RICH)
    await bench.broker.open()
    await bench.go_to(clock)
    product = CNC if key in STOCKS else NRML
    units = LISTED[key].lot_size
    for letter, kind, prices in (
        ("M", MARKET, {}),
        ("L", LIMIT, {"limit": 99}),
        ("S", SL, {"trigger": 101, "limit": 102}),
    ):
        order = approved(key, BUY, units, kind, product=product, **prices)
        if letter in taken:
            await bench.broker.place(order)
        else:
            with pytest.raises(OrderRefused, match=words):
                await bench.broker.place(order)
    assert len((await bench.broker.book()).orders) == len(taken)


async def test_on_a_holiday_nothing_is_taken() -> None:
    bench = Bench()
    await bench.broker.open()
    await bench.go_to_day(date(2026, 11, 24), "11:00")
    with pytest.raises(OrderRefused, match="takes no orders in NSE:STOCK now: closed"):
        await bench.broker.place(approved(STOCK.key))


async def test_a_change_is_held_to_the_hours_too() -> None:
    bench = await opened_day()
    order = approved(AUCTIONED.key, BUY, 1, LIMIT, limit=90, product=CNC)
    order_id = await bench.broker.place(order)
    await bench.go_to("15:16")
    with pytest.raises(OrderRefused, match="auction reference"):
        await bench.broker.modify(change(order, order_id, LIMIT, limit=91))
    await bench.go_to("15:21")
    with pytest.raises(OrderRefused, match="SL-M orders are not taken"):
        await bench.broker.modify(change(order, order_id, SL_M, trigger=102))
    await bench.broker.modify(change(order, order_id, LIMIT, limit=91))


async def test_a_slow_order_that_comes_after_the_close_is_rejected() -> None:
    bench = await opened_day(Conduct(latency=timedelta(seconds=2)))
    await bench.go_to("15:29:59")
    order_id = await bench.broker.place(approved(STOCK.key, product=CNC))
    await bench.go_to("15:30:01")
    row = await bench.row(order_id)
    assert row.status is BrokerStatus.REJECTED
    assert "closed" in row.message


async def test_prices_outside_continuous_trading_fill_nothing() -> None:
    bench = await opened_day()
    order_id = await bench.broker.place(approved(AUCTIONED.key, BUY, 1, LIMIT, limit=99, product=CNC))
    for clock in ("15:15:00", "15:21:00", "15:27:59"):
        await bench.go_to(clock)
        await bench.trade_at(90.0, key=AUCTIONED.key, after=0)
    assert (await bench.row(order_id)).filled_quantity == 0


async def test_an_auction_order_takes_no_price_of_the_present() -> None:
    bench = await opened_day()
    await bench.go_to("15:21")
    await bench.trade_at(100.0, key=AUCTIONED.key, after=0)
    order_id = await bench.broker.place(approved(AUCTIONED.key, BUY, 1, product=CNC))
    assert (await bench.row(order_id)).status is OPEN


async def test_a_candle_that_begins_after_continuous_trading_fills_nothing() -> None:
    bench = await opened_day()
    order_id = await bench.broker.place(approved(AUCTIONED.key, BUY, 1, LIMIT, limit=99, product=CNC))
    await bench.go_to("15:15")
    await bench.show(bench.bar(100, 101, 90, 95, key=AUCTIONED.key))
    assert (await bench.row(order_id)).filled_quantity == 0


async def test_a_stop_can_still_become_a_target_inside_the_last_candle() -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key, product=CNC)
    order = approved(STOCK.key, SELL, 1, SL_M, trigger=90, product=CNC)
    order_id = await bench.broker.place(order)
    await bench.go_to("15:25")
    bar = bench.bar(100, 105, 99, 104)
    await bench.show_open(bar)
    await bench.show_range(bar)
    assert f"{bench.clock.at:%H:%M}" == "15:30"
    await bench.broker.modify(change(order, order_id, LIMIT, limit=105))
    assert (await bench.row(order_id)).average_price == 105


async def test_a_slow_intraday_order_that_comes_after_the_square_off_is_rejected() -> None:
    bench = await opened_day(Conduct(latency=timedelta(seconds=2)))
    await bench.go_to("15:24:59")
    order_id = await bench.broker.place(approved(STOCK.key))
    await bench.go_to("15:25:01")
    row = await bench.row(order_id)
    assert row.status is BrokerStatus.REJECTED
    assert "not taken after 15:25" in row.message


# -- the ends of orders ----------------------------------------------------------------------------------


async def test_stops_of_a_closing_auction_stock_end_at_quarter_past_three_and_no_others() -> None:
    bench = await opened_day()
    kinds = ((SL_M, {"trigger": 90}), (SL, {"trigger": 90, "limit": 89}))
    for key in (*STOCKS, FUTURE.key):
        product = NRML if key == FUTURE.key else CNC
        await holds(bench, key, BUY, product)
        if key != FUTURE.key:
            await bench.broker.place(approved(key, BUY, 1, product=product))
            await bench.trade_at(100.0, key=key)
    ids = {
        (key, kind): await bench.broker.place(
            approved(
                key, SELL, LISTED[key].lot_size, kind, product=NRML if key == FUTURE.key else CNC, **prices
            )
        )
        for key in (*STOCKS, FUTURE.key)
        for kind, prices in kinds
    }
    await bench.go_to("15:14:59")
    assert all([(await bench.row(i)).status is PENDING for i in ids.values()])
    await bench.go_to("15:15:00")
    for (key, _), order_id in ids.items():
        row = await bench.row(order_id)
        assert row.status is (CANCELLED if key == AUCTIONED.key else PENDING)
        if key == AUCTIONED.key:
            assert "cancels stop orders" in row.message
            assert row in bench.heard


async def test_day_orders_end_with_their_own_venues_close() -> None:
    bench = await opened_day()
    ids = {
        key: await bench.broker.place(
            approved(key, BUY, LISTED[key].lot_size, LIMIT, limit=90, product=CNC if key in STOCKS else NRML)
        )
        for key in (*STOCKS, FUTURE.key, OPTION.key)
    }
    ends = {STOCK.key: "15:30", AUCTIONED.key: "15:35", FUTURE.key: "15:40", OPTION.key: "15:40"}
    for clock in ("15:29:59", "15:30", "15:34:59", "15:35", "15:39:59", "15:40"):
        await bench.go_to(clock)
        for key, order_id in ids.items():
            ended = (await bench.row(order_id)).status is CANCELLED
            assert ended == (clock >= ends[key]), (key, clock)
    assert "session" in (await bench.row(ids[STOCK.key])).message
    assert "closing auction" in (await bench.row(ids[AUCTIONED.key])).message


async def test_a_leap_over_the_afternoon_ends_everything_before_a_price_of_the_evening_can_fill_it() -> None:
    bench = await opened_day()
    stop = await bench.broker.place(approved(AUCTIONED.key, BUY, 1, SL_M, trigger=105, product=CNC))
    limit = await bench.broker.place(approved(STOCK.key, BUY, 1, LIMIT, limit=95, product=CNC))
    bench.clock.at = bench.clock.at.replace(hour=15, minute=31)
    await bench.trade_at(120.0, key=AUCTIONED.key)
    await bench.trade_at(80.0)
    for order_id in (stop, limit):
        row = await bench.row(order_id)
        assert (row.status, row.filled_quantity) == (CANCELLED, 0)


# -- the closing auction ---------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", ["15:28:00", "15:31:00", "15:34:59"])
async def test_the_auctions_one_price_fills_whom_it_satisfies(clock: str) -> None:
    bench = await opened_day(Conduct(slippage_bps=10))
    carried = [
        await bench.broker.place(approved(AUCTIONED.key, BUY, 1, LIMIT, limit=limit, product=CNC))
        for limit in (98, 97.95)
    ]
    resting = await bench.broker.place(approved(AUCTIONED.key, BUY, 1, SL_M, trigger=105, product=CNC))
    await bench.go_to("15:21")
    market = await bench.broker.place(approved(AUCTIONED.key, BUY, 1, product=CNC))
    await bench.go_to("15:26")
    late = await bench.broker.place(approved(AUCTIONED.key, BUY, 1, LIMIT, limit=99, product=CNC))
    await bench.go_to(clock)
    await bench.trade_at(98.0, key=AUCTIONED.key, after=0)
    for order_id in (carried[0], market, late):
        row = await bench.row(order_id)
        assert (row.status, row.average_price) == (COMPLETE, 98)  # one price, no slippage
    assert (await bench.row(carried[1])).filled_quantity == 0
    await bench.trade_at(97.0, key=AUCTIONED.key, after=0.5)  # there is one print
    assert (await bench.row(carried[1])).filled_quantity == 0
    await bench.go_to("15:35")
    assert (await bench.row(carried[1])).status is CANCELLED
    assert (await bench.row(resting)).status is CANCELLED


async def test_a_quote_that_repeats_the_old_price_is_not_the_auction() -> None:
    bench = await opened_day()
    await bench.trade_at(100.0, key=AUCTIONED.key, volume=5_000)
    await bench.go_to("15:21")
    order_id = await bench.broker.place(approved(AUCTIONED.key, BUY, 1, LIMIT, limit=101, product=CNC))
    await bench.go_to("15:28:10")
    await bench.trade_at(100.0, key=AUCTIONED.key, volume=5_000)
    await bench.trade_at(0.0, key=AUCTIONED.key)
    assert (await bench.row(order_id)).filled_quantity == 0
    await bench.trade_at(99.0, key=AUCTIONED.key, volume=9_000)
    assert (await bench.row(order_id)).average_price == 99


# -- immediate or cancel ---------------------------------------------------------------------------------


async def test_ioc_takes_the_quote_that_stands_and_cancels_the_rest() -> None:
    bench = await opened_day(Conduct(liquidity=0.1))
    await bench.trade_at(100.0, 99.95, 100.05)
    bench.clock.at += timedelta(seconds=3)
    order_id = await bench.broker.place(approved(STOCK.key, BUY, 10, LIMIT, limit=101, validity=IOC))
    row = await bench.row(order_id)
    assert (row.status, row.filled_quantity, row.average_price) == (CANCELLED, 1, Decimal("100.05"))
    assert "IOC" in row.message


async def test_a_slow_ioc_takes_the_quote_of_its_arrival() -> None:
    bench = await opened_day(Conduct(latency=timedelta(milliseconds=500)))
    await bench.trade_at(100.0)
    order_id = await bench.broker.place(approved(STOCK.key, BUY, 10, validity=IOC))
    await bench.trade_at(103.0, after=0.4)
    bench.clock.at += timedelta(seconds=1)
    await bench.broker.on_time(bench.clock.at)
    row = await bench.row(order_id)
    assert (row.status, row.average_price) == (COMPLETE, 103)


async def test_where_only_candles_are_known_ioc_waits_for_the_next_open() -> None:
    bench = Bench(cash=RICH)
    await bench.broker.open()
    await bench.show(bench.bar(100, 104, 96, 103))
    ids = [
        await bench.broker.place(approved(STOCK.key, BUY, 10, LIMIT, limit=limit, validity=IOC))
        for limit in (102, 104)
    ]
    assert [(await bench.row(i)).status for i in ids] == [OPEN, OPEN]
    await bench.restart()  # it is still immediate or cancel
    await bench.show(bench.bar(103.5, 104, 90, 91))
    rows = [await bench.row(i) for i in ids]
    assert [(r.status, r.average_price) for r in rows] == [(CANCELLED, 0), (COMPLETE, Decimal("103.5"))]


async def test_ioc_that_waits_for_an_open_does_not_get_into_the_auction() -> None:
    bench = Bench(cash=RICH)
    await bench.broker.open()
    await bench.go_to("15:05")
    await bench.show(bench.bar(100, 101, 99, 100, key=AUCTIONED.key))
    order = approved(AUCTIONED.key, BUY, 1, LIMIT, limit=101, product=CNC, validity=IOC)
    order_id = await bench.broker.place(order)
    await bench.go_to("15:15")
    assert (await bench.row(order_id)).status is CANCELLED


async def test_ioc_goes_with_neither_stops_nor_auctions() -> None:
    bench = await opened_day()
    with pytest.raises(OrderRefused, match="waits for its trigger"):
        await bench.broker.place(approved(STOCK.key, BUY, 1, SL_M, trigger=105, validity=IOC))
    await bench.go_to("15:21")
    with pytest.raises(OrderRefused, match="continuous trading"):
        await bench.broker.place(approved(AUCTIONED.key, BUY, 1, LIMIT, limit=101, product=CNC, validity=IOC))
