"""What the account must have before an order is let through."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.broker import paperhouse
from tests.broker.approvals import approved, change
from tests.broker.paperhouse import (
    FUTURE,
    OPTION,
    OTHER,
    PUT,
    STOCK,
    opened_with,
    trades,
)
from trader.domain.errors import OrderRefused
from trader.domain.funds import Funds
from trader.domain.instrument import Segment
from trader.domain.order import BrokerStatus, OrderType, Product, Side

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, SL_M = OrderType.MARKET, OrderType.LIMIT, OrderType.SL_M
MIS, CNC, NRML, MTF = Product
REJECTED, OPEN = BrokerStatus.REJECTED, BrokerStatus.OPEN


# -- margin ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "required"),
    [
        (approved(STOCK.key, BUY, 5000), "100000.00"),
        (approved(STOCK.key, SELL, 5000), "100000.00"),
        (approved(STOCK.key, BUY, 1001, LIMIT, limit=95, product=CNC), "95095.00"),
        (approved(STOCK.key, BUY, 4000, product=MTF), "100000.00"),
        (approved(STOCK.key, BUY, 5000, SL_M, trigger=101), "101000.00"),
        (approved(FUTURE.key, SELL, 65 * 27, product=NRML), "21060.00"),
        (approved(OPTION.key, BUY, 65 * 15, product=NRML), "97500.00"),
        (approved(OPTION.key, SELL, 65, product=NRML), "202800.00"),
    ],
)
async def test_an_order_beyond_the_account_is_rejected_in_kites_words(order, required: str) -> None:
    bench = await opened_with(int(Decimal(required)) - 1)
    for key in (STOCK.key, FUTURE.key, OPTION.key):
        await bench.trade_at(100.0, key=key)
    bench.clock.at += timedelta(seconds=1)
    order_id = await bench.broker.place(order)
    row = await bench.row(order_id)
    assert row.status is REJECTED
    available = int(Decimal(required)) - 1
    assert row.message == (
        f"Insufficient funds. Required margin is {required} but available margin is {available}.00."
    )
    assert bench.heard[-1] == row


@pytest.mark.parametrize("spare", [0, 1])
async def test_the_last_rupee_can_be_used_and_no_more(spare: int) -> None:
    bench = await opened_with(9_999 + spare)
    order_id = await bench.broker.place(approved(STOCK.key, BUY, 100, LIMIT, limit=100, product=CNC))
    assert (await bench.row(order_id)).status is (OPEN if spare else REJECTED)


async def test_resting_orders_share_the_money_and_give_it_back() -> None:
    bench = await opened_with(10_000)
    first = await bench.broker.place(approved(STOCK.key, BUY, 60, LIMIT, limit=90, product=CNC))
    second = await bench.broker.place(approved(OTHER.key, BUY, 60, LIMIT, limit=90, product=CNC))
    assert (await bench.row(second)).status is REJECTED
    assert await bench.broker.funds() == Funds(Decimal(10_000), Decimal(4600), used=Decimal(5400))
    await bench.broker.cancel(first)
    third = await bench.broker.place(approved(OTHER.key, BUY, 60, LIMIT, limit=90, product=CNC))
    assert (await bench.row(third)).status is OPEN


async def test_leaving_a_position_needs_no_margin_however_poor_the_account_is() -> None:
    bench = await opened_with(2_100)
    await trades(bench, STOCK.key, BUY, 100, MIS)  # all of it is blocked but for a little
    for kind, prices in ((SL_M, {"trigger": 95}), (LIMIT, {"limit": 105}), (MARKET, {})):
        order_id = await bench.broker.place(approved(STOCK.key, SELL, 100, kind, **prices))
        assert (await bench.row(order_id)).status is not REJECTED
    assert (await bench.broker.funds()).used == 2000


async def test_turning_a_position_around_needs_the_margin_of_the_new_side_only_beyond_the_old() -> None:
    bench = await opened_with(4_000)
    await trades(bench, STOCK.key, BUY, 150, MIS)  # 3,000 blocked
    fits = await bench.broker.place(approved(STOCK.key, SELL, 300, LIMIT, limit=100))
    assert (await bench.row(fits)).status is OPEN
    assert (await bench.broker.funds()).used == 3000
    too_much = await bench.broker.place(approved(STOCK.key, SELL, 200 + 160, LIMIT, limit=100))
    assert (await bench.row(too_much)).status is REJECTED


async def test_both_sides_of_one_instrument_block_the_larger() -> None:
    bench = await opened_with(10_000)
    await bench.broker.place(approved(STOCK.key, BUY, 100, LIMIT, limit=90))
    await bench.broker.place(approved(STOCK.key, SELL, 100, LIMIT, limit=110))
    assert (await bench.broker.funds()).used == 2200


async def test_an_order_cannot_be_changed_into_one_that_costs_too_much() -> None:
    bench = await opened_with(10_000)
    order = approved(STOCK.key, BUY, 100, LIMIT, limit=90, product=CNC)
    order_id = await bench.broker.place(order)
    await bench.broker.modify(change(order, order_id, LIMIT, limit=99))
    with pytest.raises(OrderRefused, match=r"Required margin is 990\.00 but available margin is 100\.00"):
        await bench.broker.modify(change(order, order_id, LIMIT, quantity=110, limit=99))
    assert (await bench.row(order_id)).quantity == 100


async def test_option_money_buys_options_and_nothing_else() -> None:
    bench = await opened_with(206_000)
    await trades(bench, OPTION.key, SELL, 65, NRML)  # 202,800 blocked, 6,500 received, some 3,150 free
    stock = await bench.broker.place(approved(STOCK.key, BUY, 39, LIMIT, limit=100, product=CNC))
    assert (await bench.row(stock)).status is REJECTED
    for price, expected in ((60, OPEN), (160, REJECTED)):  # 3,900 and 10,400
        order = approved(PUT.key, BUY, 65, LIMIT, limit=price, product=NRML)
        assert (await bench.row(await bench.broker.place(order))).status is expected


async def test_an_option_bought_is_paid_and_blocks_nothing_more() -> None:
    bench = await opened_with()
    await trades(bench, OPTION.key, BUY, 65, NRML)
    funds = await bench.broker.funds()
    assert funds.used == 0
    assert Decimal(93_450) < funds.available == funds.cash < Decimal(93_500)


async def test_a_position_and_an_order_that_adds_to_it_block_both() -> None:
    bench = await opened_with()
    await trades(bench, STOCK.key, BUY, 100, MIS)
    await bench.broker.place(approved(STOCK.key, BUY, 10, LIMIT, limit=90))
    assert (await bench.broker.funds()).used == 2000 + 180


async def test_the_last_rupee_is_counted_after_the_days_real_charges() -> None:
    bench = await opened_with(10_000)
    await trades(bench, STOCK.key, BUY, 10, MIS)
    await trades(bench, STOCK.key, SELL, 10, MIS)
    left = (await bench.broker.funds()).available
    assert left > 9_997
    for limit, expected in ((int(left) + 1, REJECTED), (int(left), OPEN)):
        order = approved(STOCK.key, BUY, 1, LIMIT, limit=limit, product=CNC)
        bench.clock.at += timedelta(seconds=1)
        assert (await bench.row(await bench.broker.place(order))).status is expected


async def test_a_stock_in_funded_delivery_blocks_a_quarter_and_cannot_be_sold_twice() -> None:
    bench = await opened_with(10_000)
    await trades(bench, STOCK.key, BUY, 200, MTF)
    assert (await bench.broker.funds()).used == 5000
    await bench.broker.place(approved(STOCK.key, SELL, 150, LIMIT, limit=110, product=MTF))
    order_id = await bench.broker.place(approved(STOCK.key, SELL, 51, LIMIT, limit=110, product=MTF))
    assert "holdings" in (await bench.row(order_id)).message


async def test_the_brokers_own_squareoff_is_paid_for() -> None:
    bench = await opened_with()
    await trades(bench, STOCK.key, BUY, 100, MIS)
    before = (await bench.broker.funds()).cash
    await bench.go_to("15:25")
    await bench.trade_at(100.0)
    cost = before - (await bench.broker.funds()).cash
    # brokerage 3 and STT 2.5 -> rounded to the rupee over the note, exchange 0.31, and 50 with GST: 59
    assert Decimal(64) < cost < Decimal(67)


async def test_a_contract_that_is_listed_no_more_does_not_stop_the_account(monkeypatch) -> None:
    bench = await opened_with()
    await trades(bench, FUTURE.key, BUY, 65, NRML)
    await trades(bench, FUTURE.key, SELL, 65, NRML)
    before = await bench.broker.funds()
    monkeypatch.setattr(
        paperhouse, "LISTED", {k: i for k, i in paperhouse.LISTED.items() if i.segment is Segment.EQUITY}
    )
    await bench.restart()
    assert await bench.broker.funds() == before
