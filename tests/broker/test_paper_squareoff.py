"""What the broker and the exchange do to positions by themselves: square-off and expiry."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.broker.approvals import approved
from tests.broker.paperhouse import (
    AUCTIONED,
    FUTURE,
    LISTED,
    OPTION,
    OTHER,
    STOCK,
    by_broker,
    holds,
    opened_day,
)
from trader.broker.paper.conduct import Conduct
from trader.domain.errors import CommitFailed, OrderRefused
from trader.domain.instrument import InstrumentKey
from trader.domain.order import BrokerPosition, BrokerStatus, OrderType, Product, Side

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT = OrderType.MARKET, OrderType.LIMIT
MIS, CNC, NRML = Product.MIS, Product.CNC, Product.NRML
OPEN, COMPLETE, CANCELLED = BrokerStatus.OPEN, BrokerStatus.COMPLETE, BrokerStatus.CANCELLED


# -- the broker's square-off -----------------------------------------------------------------------------

DEADLINES = {AUCTIONED.key: "15:12", STOCK.key: "15:25", FUTURE.key: "15:26", OPTION.key: "15:26"}


@pytest.mark.parametrize(("key", "clock"), DEADLINES.items())
@pytest.mark.parametrize("side", [BUY, SELL])
async def test_an_intraday_position_left_open_is_closed_by_the_broker_at_its_deadline(
    key: InstrumentKey, clock: str, side: Side
) -> None:
    bench = await opened_day()
    await holds(bench, key, side)
    units = LISTED[key].lot_size
    resting = await bench.broker.place(approved(key, side, units, LIMIT, limit=90 if side is BUY else 110))
    last_second = bench.clock.at.replace(hour=15, minute=int(clock[3:]), second=0) - timedelta(seconds=1)
    await bench.go_to(f"{last_second:%H:%M:%S}")
    assert not await by_broker(bench)
    await bench.go_to(clock)
    (order,) = await by_broker(bench)
    assert (order.key, order.side, order.quantity) == (key, side.opposite, units)
    assert (order.status, order.order_type, order.product) == (OPEN, MARKET, MIS)
    assert "RMS" in order.message
    assert order in bench.heard
    assert (await bench.row(resting)).status is CANCELLED
    await bench.trade_at(98.0, key=key)
    (order,) = await by_broker(bench)
    assert (order.status, order.average_price) == (COMPLETE, 98)
    position = next(p for p in (await bench.broker.book()).positions if p.key == key)
    assert position.quantity == 0
    await bench.go_to("15:27")
    assert len(await by_broker(bench)) == 1


async def test_delivery_and_overnight_positions_are_left_alone() -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key, product=CNC)
    await holds(bench, FUTURE.key, product=NRML)
    order_id = await bench.broker.place(approved(STOCK.key, SELL, 1, LIMIT, limit=110, product=CNC))
    await bench.go_to("15:26")
    assert not await by_broker(bench)
    assert (await bench.row(order_id)).status is OPEN


async def test_a_desk_that_closes_before_the_deadline_hears_nothing() -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key)
    await bench.go_to("15:20")
    await holds(bench, STOCK.key, SELL)
    await bench.go_to("15:25")
    assert not await by_broker(bench)


async def test_the_squareoff_can_be_switched_off() -> None:
    bench = await opened_day(Conduct(squareoff=False))
    await holds(bench, STOCK.key)
    await bench.go_to("15:26")
    assert not await by_broker(bench)
    await bench.broker.place(approved(STOCK.key))


async def test_after_the_deadline_intraday_positions_are_closed_but_not_opened() -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key)
    await bench.go_to("15:25")
    with pytest.raises(OrderRefused, match="not taken after 15:25"):
        await bench.broker.place(approved(STOCK.key))
    with pytest.raises(OrderRefused, match="not taken after 15:25"):
        await bench.broker.place(approved(STOCK.key, SELL, 2))  # would turn the position around
    await bench.broker.place(approved(STOCK.key, SELL, 1))
    await bench.broker.place(approved(STOCK.key, BUY, 1, product=CNC))


async def test_who_turns_his_position_around_while_the_broker_closes_it_is_closed_a_minute_later() -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key)
    await bench.go_to("15:25")
    await bench.broker.place(approved(STOCK.key, SELL, 1))  # both this and the broker's will trade
    await bench.trade_at(100.0)
    assert [p.quantity for p in (await bench.broker.book()).positions] == [-1]
    await bench.go_to("15:26")
    await bench.go_to("15:26:30")
    await bench.trade_at(100.0)
    assert [o.side for o in await by_broker(bench)] == [SELL, BUY]
    assert [p.quantity for p in (await bench.broker.book()).positions] == [0]


async def test_what_the_owner_sells_meanwhile_is_not_bought_back() -> None:
    bench = await opened_day(Conduct(liquidity=0.1))
    await bench.trade_at(100.0, volume=100)
    await bench.broker.place(approved(STOCK.key, BUY, 5))
    await bench.trade_at(100.0, volume=200)
    await bench.go_to("15:25")
    await bench.broker.place(approved(STOCK.key, SELL, 4))
    await bench.trade_at(100.0, volume=210)  # room for one share each
    assert [p.quantity for p in (await bench.broker.book()).positions] == [3]
    await bench.go_to("15:26")  # four are under way
    assert [o.side for o in await by_broker(bench)] == [SELL]


@pytest.mark.parametrize("filled", [True, False])
async def test_a_restart_around_the_deadline_squares_off_once(filled: bool) -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key)
    await bench.restart()
    await bench.go_to("15:25")
    if filled:
        await bench.trade_at(99.0)
    await bench.restart()
    await bench.go_to("15:25:30")
    await bench.trade_at(99.0)
    (order,) = await by_broker(bench)
    assert order.status is COMPLETE
    assert (await bench.broker.book()).positions == [BrokerPosition(STOCK.key, MIS, 0, Decimal(0))]


async def test_a_restart_after_the_deadline_still_squares_off_and_after_the_close_does_not() -> None:
    for clock, expected in (("15:29", 1), ("15:31", 0)):
        bench = await opened_day()
        await holds(bench, STOCK.key)
        await holds(bench, OTHER.key, SELL)
        await bench.restart()
        await bench.go_to(clock)
        assert [o.quantity for o in await by_broker(bench)] == [1, 1] * expected


async def test_a_deadline_passed_over_puts_the_squareoff_into_the_closing_auction() -> None:
    bench = await opened_day()
    await holds(bench, AUCTIONED.key)
    await bench.go_to("15:10")
    for clock, expected in (("15:16", 0), ("15:20", 1)):  # no entry while the reference price is made
        bench.clock.at = bench.clock.at.replace(minute=int(clock[3:]))
        await bench.broker.on_time(bench.clock.at)
        assert len(await by_broker(bench)) == expected
    await bench.go_to("15:29")
    await bench.trade_at(98.0, key=AUCTIONED.key)
    (order,) = await by_broker(bench)
    assert order.average_price == 98


# -- expiry ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [BUY, SELL])
async def test_a_contract_ends_at_its_last_price_on_its_last_day(side: Side) -> None:
    bench = await opened_day()
    await holds(bench, OPTION.key, side, NRML)
    await bench.go_to_day(date(2026, 11, 27), "15:40")
    assert not await by_broker(bench)
    await bench.go_to_day(date(2026, 11, 30), "15:39")
    await bench.trade_at(12.5, key=OPTION.key)
    await bench.go_to("15:40")
    (order,) = await by_broker(bench)
    assert (order.status, order.side, order.average_price) == (COMPLETE, side.opposite, Decimal("12.5"))
    assert order.product is NRML
    assert "expiry" in order.message
    assert [p.quantity for p in (await bench.broker.book()).positions] == [0]
    assert (await bench.broker.funds()).used == 0


async def test_a_contract_nobody_quoted_ends_at_the_price_of_its_last_execution() -> None:
    bench = await opened_day()
    await holds(bench, OPTION.key, product=NRML)
    await bench.restart()
    await bench.go_to_day(date(2026, 11, 30), "15:41")
    (order,) = await by_broker(bench)
    assert (order.status, order.average_price) == (COMPLETE, 100)
    assert [p.quantity for p in (await bench.broker.book()).positions] == [0]


async def test_a_big_position_is_squared_off_in_pieces_with_a_fee_each() -> None:
    bench = await opened_day()  # freeze quantity 10,000
    for units in (10_000, 10_000, 5_000):
        await bench.broker.place(approved(STOCK.key, BUY, units))
    await bench.trade_at(100.0)
    await bench.go_to("15:25")
    orders = await by_broker(bench)
    assert [o.quantity for o in orders] == [10_000, 10_000, 5_000]
    assert len({o.order_id for o in orders}) == 3
    before = await bench.broker.funds()
    await bench.trade_at(100.0)
    after = await bench.broker.funds()
    assert before.cash - after.cash > 3 * 59  # ₹50 and GST each, and the usual charges


async def test_a_rejecting_exchange_does_not_reject_its_own_squareoff() -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key)
    object.__setattr__(bench.conduct, "reject_probability", 1.0)
    await bench.go_to("15:25")
    await bench.trade_at(99.0)
    (order,) = await by_broker(bench)
    assert order.status is COMPLETE


async def test_what_could_not_be_written_at_the_deadline_is_done_a_moment_later() -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key)
    bench.journal.fault = CommitFailed("disk full")
    with pytest.raises(CommitFailed):
        await bench.go_to("15:25")
    assert not await by_broker(bench)
    await bench.go_to("15:25:01")
    assert len(await by_broker(bench)) == 1


async def test_a_quiet_second_looks_at_nothing() -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key)
    await bench.broker.on_time(bench.clock.at)
    bench.broker._agenda.due = None  # type: ignore[assignment,method-assign]  # asking it would be a failure
    for _ in range(100):
        bench.clock.at += timedelta(minutes=3)
        await bench.broker.on_time(bench.clock.at)
    assert bench.clock.at.hour < 15
