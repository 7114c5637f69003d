"""What happens at the paper exchange while nobody is running, and what a start finds."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.broker.approvals import approved
from tests.broker.paperhouse import (
    AUCTIONED,
    CALENDAR,
    FUTURE,
    LISTED,
    OPTION,
    STOCK,
    Bench,
    by_broker,
    holds,
    opened_day,
    trades,
)
from trader.broker.paper.listing import Listing
from trader.domain.errors import OrderRefused, UnknownName
from trader.domain.instrument import Exchange, Instrument, InstrumentKey, OptionType, Segment
from trader.domain.order import BrokerStatus, OrderType, Product, Side
from trader.domain.times import IST

BUY, SELL = Side
MIS, CNC, NRML, _ = Product
LIMIT = OrderType.LIMIT
COMPLETE, OPEN = BrokerStatus.COMPLETE, BrokerStatus.OPEN
EXPIRY, DAY_AFTER, TUESDAY = date(2026, 11, 30), date(2026, 12, 1), date(2026, 11, 24)  # Tuesday is a holiday
STT_OF_EXERCISE = Decimal("9.75")  # 0.15 % of 6,500


async def next_start(bench: Bench, day: date, hour: int = 9) -> None:
    bench.clock.at = datetime(day.year, day.month, day.day, hour, tzinfo=IST)
    await bench.restart()


async def open_positions(bench: Bench) -> list[tuple[InstrumentKey, Product, int]]:
    book = await bench.broker.book()
    return [(p.key, p.product, p.quantity) for p in book.positions if p.quantity]


# -- contracts that are listed no more ---------------------------------------------------------------------


async def test_a_contract_that_was_traded_and_has_expired_does_not_stop_the_next_start() -> None:
    bench = await opened_day()
    await trades(bench, OPTION.key, BUY, 65, NRML)
    await trades(bench, OPTION.key, SELL, 65, NRML)
    bench.delist(OPTION.key)
    await next_start(bench, DAY_AFTER)
    assert not await open_positions(bench)
    assert not (await bench.broker.book()).orders
    assert (await bench.broker.funds()).used == 0
    await bench.go_to("09:20")
    await holds(bench, STOCK.key, product=CNC)


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("listed", [True, False])
async def test_a_position_that_expired_while_nobody_ran_is_settled_by_the_next_start(
    side: Side, listed: bool
) -> None:
    bench = await opened_day()
    await trades(bench, OPTION.key, side, 65, NRML)
    if not listed:
        bench.delist(OPTION.key)
    await next_start(bench, DAY_AFTER)
    (order,) = await by_broker(bench)
    assert (order.status, order.side, order.quantity) == (COMPLETE, side.opposite, 65)
    assert (order.product, order.average_price) == (NRML, 100)
    assert order.at == bench.clock.at
    assert order in bench.heard
    assert not await open_positions(bench)
    assert (await bench.broker.funds()).used == 0
    await bench.restart()
    assert await by_broker(bench) == [order]


async def test_a_monthly_whose_name_tells_no_day_is_settled_after_its_last_tuesday() -> None:
    bench = await opened_day()
    await trades(bench, FUTURE.key, BUY, 65, NRML)
    bench.delist(FUTURE.key)
    await next_start(
        bench, date(2026, 11, 23), 16
    )  # Tuesday is a holiday, so it is Monday; but until midnight
    await next_start(bench, TUESDAY)
    (order,) = await by_broker(bench)
    assert (order.key, order.average_price) == (FUTURE.key, 100)
    assert not await open_positions(bench)


async def test_a_contract_that_is_not_listed_yet_is_held_on() -> None:
    """Before the broker's login there may be no list at all."""
    bench = await opened_day()
    await trades(bench, OPTION.key, SELL, 65, NRML)
    blocked = (await bench.broker.funds()).used
    bench.delist(OPTION.key)
    await next_start(bench, TUESDAY)
    assert await open_positions(bench) == [(OPTION.key, NRML, -65)]
    assert (await bench.broker.funds()).used == blocked > 0


async def test_an_order_of_something_no_longer_listed_ends_and_no_new_one_is_taken() -> None:
    bench = await opened_day()
    order_id = await bench.broker.place(approved(OPTION.key, BUY, 65, LIMIT, limit=90, product=NRML))
    bench.delist(OPTION.key)
    await bench.restart()
    await bench.trade_at(95.0, key=OPTION.key)
    assert (await bench.row(order_id)).status is OPEN
    with pytest.raises(OrderRefused, match="does not trade NFO:NIFTY26N3026000CE"):
        await bench.broker.place(approved(OPTION.key, BUY, 65, product=NRML))
    await bench.go_to("15:40")
    assert (await bench.row(order_id)).status is BrokerStatus.CANCELLED


def test_a_look_up_that_finds_another_instrument_found_nothing() -> None:
    listing = Listing(lambda _: STOCK, CALENDAR)
    assert listing.known(STOCK.key) is STOCK
    assert listing.known(OPTION.key).strike == OPTION.strike


NAMED = [
    ("NFO:NIFTY26D0125400CE", Segment.OPTIONS, date(2026, 12, 1), OptionType.CALL),
    ("NFO:NIFTY26DEC25400PE", Segment.OPTIONS, date(2026, 12, 29), OptionType.PUT),
    ("NFO:RELIANCE26NOVFUT", Segment.FUTURES, date(2026, 11, 23), None),
    ("BFO:SENSEX26NOVFUT", Segment.FUTURES, date(2026, 11, 30), None),  # nobody knows: the month's last day
    ("NSE:RELIANCE", Segment.EQUITY, None, None),
    ("BSE:SOMETHING", Segment.EQUITY, None, None),
]


@pytest.mark.parametrize(("key", "segment", "expiry", "option_type"), NAMED)
def test_a_name_tells_what_it_was(
    key: InstrumentKey, segment: Segment, expiry: date | None, option_type: OptionType | None
) -> None:
    def nothing(key: InstrumentKey) -> Instrument:
        raise UnknownName("symbol", key, ())

    known = Listing(nothing, CALENDAR).known(key)
    assert (known.key, known.exchange) == (key, Exchange(key[:3]))
    assert (known.segment, known.expiry, known.option_type) == (segment, expiry, option_type)


# -- what expiry costs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "cost"), [(BUY, STT_OF_EXERCISE), (SELL, Decimal(0))])
async def test_expiry_costs_the_buyer_the_tax_of_exercise_and_nothing_else(side: Side, cost: Decimal) -> None:
    bench = await opened_day()
    await trades(bench, OPTION.key, side, 65, NRML)
    await bench.go_to_day(EXPIRY, "15:39")
    await bench.trade_at(100.0, key=OPTION.key)
    before = await bench.broker.funds()
    await bench.go_to("15:40")
    after = await bench.broker.funds()
    settled = 6500 * side.sign
    assert after.cash + after.receivable - before.cash - before.receivable == settled - cost


async def test_a_future_that_expires_costs_nothing() -> None:
    bench = await opened_day()
    bench.delist(FUTURE.key)
    await trades(bench, FUTURE.key, BUY, 65, NRML)
    before = await bench.broker.funds()
    await next_start(bench, TUESDAY)
    assert (await bench.broker.funds()).cash == before.cash


@pytest.mark.parametrize("side", [BUY, SELL])
async def test_an_option_that_ends_worthless_is_settled_at_nothing(side: Side) -> None:
    bench = await opened_day()
    await trades(bench, OPTION.key, side, 65, NRML)
    await bench.go_to_day(EXPIRY, "15:39")
    await bench.trade_at(0.05, key=OPTION.key)
    before = await bench.broker.funds()
    await bench.go_to("15:40")
    (order,) = await by_broker(bench)
    assert (order.status, order.filled_quantity, order.average_price) == (COMPLETE, 65, 0)
    after = await bench.broker.funds()
    assert (after.cash, after.receivable) == (before.cash, before.receivable)
    assert not await open_positions(bench)


# -- intraday positions that nobody closed -----------------------------------------------------------------


@pytest.mark.parametrize("side", [BUY, SELL])
async def test_an_intraday_position_that_found_no_price_is_closed_at_the_days_end(side: Side) -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key, side)
    await bench.trade_at(97.0)
    await bench.go_to("15:25")
    await bench.go_to("15:40")  # the broker's square-off met no quote
    assert await open_positions(bench)
    before = await bench.broker.funds()
    await bench.broker.end_of_day(bench.clock.at.date())
    unmet, order = await by_broker(bench)
    assert unmet.status is BrokerStatus.CANCELLED
    assert (order.status, order.side, order.product, order.average_price) == (
        COMPLETE,
        side.opposite,
        MIS,
        97,
    )
    assert order.message.startswith("RMS")
    assert order in bench.heard
    assert not await open_positions(bench)
    after = await bench.broker.funds()
    fee, loss = 59, 3 if side is BUY else 0
    assert fee + loss < before.cash - after.cash < fee + loss + 1
    await next_start(bench, TUESDAY)
    assert not await open_positions(bench)
    assert not (await bench.broker.book()).orders


async def test_an_intraday_position_left_when_nobody_ran_is_closed_by_the_next_start() -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key)
    await holds(bench, AUCTIONED.key, SELL)
    await holds(bench, STOCK.key, product=CNC)
    day = date(2026, 11, 25)
    await next_start(bench, day)
    orders = await by_broker(bench)
    assert {(o.key, o.side, o.average_price, o.at) for o in orders} == {
        (STOCK.key, SELL, Decimal(100), bench.clock.at),
        (AUCTIONED.key, BUY, Decimal(100), bench.clock.at),
    }
    assert await open_positions(bench) == [(STOCK.key, CNC, 1)]
    before = await bench.broker.funds()
    await bench.restart()
    await bench.go_to_day(day, "09:20")
    assert await by_broker(bench) == orders
    assert await bench.broker.funds() == before


async def test_a_position_of_today_outlives_a_restart() -> None:
    bench = await opened_day()
    await holds(bench, STOCK.key)
    await bench.restart()
    await bench.go_to("11:00")
    assert await open_positions(bench) == [(STOCK.key, MIS, 1)]
    assert not await by_broker(bench)


async def test_a_big_one_is_closed_in_pieces_with_a_fee_each() -> None:
    bench = await opened_day()
    for units in (10_000, 5_000):
        await bench.broker.place(approved(STOCK.key, BUY, units))
    await bench.trade_at(100.0)
    await next_start(bench, TUESDAY)
    orders = await by_broker(bench)
    assert [o.filled_quantity for o in orders] == [10_000, 5_000]
    assert len({o.order_id for o in orders}) == 2


# -- the closing auction after a restart -------------------------------------------------------------------


async def in_the_auction(restart_at: str) -> Bench:
    bench = await opened_day()
    await bench.trade_at(100.0, key=AUCTIONED.key, volume=5_000)
    await bench.go_to("15:14:59")
    await bench.broker.place(approved(AUCTIONED.key, BUY, 1, LIMIT, limit=101, product=CNC))
    await bench.go_to(restart_at)
    await bench.restart()
    return bench


async def filled(bench: Bench) -> list[Decimal]:
    return [o.average_price for o in (await bench.broker.book()).orders if o.filled_quantity]


@pytest.mark.parametrize("clock", ["15:16", "15:21", "15:27:59"])
async def test_a_restart_before_the_print_does_not_lose_it(clock: str) -> None:
    bench = await in_the_auction(clock)
    await bench.go_to("15:29")
    await bench.trade_at(99.0, key=AUCTIONED.key, volume=9_000)
    assert await filled(bench) == [99]


async def test_after_a_restart_a_repeated_price_is_still_not_the_print() -> None:
    bench = await in_the_auction("15:21")
    await bench.trade_at(100.0, key=AUCTIONED.key, volume=5_000)  # what a feed says when it is asked
    await bench.go_to("15:29")
    await bench.trade_at(100.0, key=AUCTIONED.key, volume=5_000)
    assert not await filled(bench)
    await bench.trade_at(99.0, key=AUCTIONED.key, volume=9_000)
    assert await filled(bench) == [99]


@pytest.mark.parametrize("traded_later", [True, False])
async def test_after_a_restart_while_prints_come_the_first_price_counts_if_none_follows(
    traded_later: bool,
) -> None:
    bench = await in_the_auction("15:29")
    await bench.trade_at(98.0, key=AUCTIONED.key, volume=9_000)
    await bench.trade_at(98.0, key=AUCTIONED.key, volume=9_000)
    assert not await filled(bench)
    if traded_later:
        await bench.trade_at(99.0, key=AUCTIONED.key, volume=12_000)
        assert await filled(bench) == [99]
    await bench.go_to("15:35")
    assert await filled(bench) == [99 if traded_later else 98]


def test_the_contracts_of_these_tests_expire_when_they_say() -> None:
    assert LISTED[OPTION.key].expiry == EXPIRY
    assert not CALENDAR.is_trading_day(TUESDAY)
