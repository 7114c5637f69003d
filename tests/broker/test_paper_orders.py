"""The paper exchange's front desk, its risk desk, and the time between them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.broker.approvals import approved, change
from tests.broker.paperhouse import BSE_STOCK, FUTURE, INDEX, OPTION, STOCK, Bench
from trader.broker.paper.conduct import Conduct
from trader.broker.port import Broker
from trader.domain.errors import BrokerUnavailable, CommitFailed, InvalidInput, OrderRefused, OutcomeUnknown
from trader.domain.order import BrokerPosition, BrokerStatus, OrderId, OrderType, Product, Side

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, SL, SL_M = OrderType
SLOW = Conduct(latency=timedelta(milliseconds=500))


async def bench_at(last: float = 100.0, conduct: Conduct | None = None) -> Bench:
    bench = Bench(conduct)
    await bench.broker.open()
    await bench.trade_at(last)
    bench.clock.at += timedelta(seconds=1)
    return bench


async def test_it_is_a_broker_and_not_a_live_one() -> None:
    broker: Broker = Bench().broker
    assert (broker.name, broker.live) == ("paper", False)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (approved(STOCK.key, BUY, 10, SL_M, trigger=99), "above the last price"),
        (approved(STOCK.key, BUY, 10, SL_M, trigger=100), "at once"),
        (approved(STOCK.key, SELL, 10, SL_M, trigger=101), "below the last price"),
        (approved(STOCK.key, SELL, 10, SL, trigger=98, limit=99), "at or below its trigger"),
        (approved(STOCK.key, BUY, 10, SL, trigger=102, limit=101), "at or above its trigger"),
        (approved(STOCK.key, BUY, 10, MARKET, limit=100), "no price"),
        (approved(STOCK.key, BUY, 10, SL, trigger=102), "a price"),
        (approved(STOCK.key, BUY, 10, SL_M, trigger=102, limit=102), "no price"),
        (approved(STOCK.key, BUY, 10, LIMIT, limit=-5), "positive"),
        (approved(STOCK.key, BUY, -1), "multiples of 1"),
        (approved(FUTURE.key, BUY, 64, product=Product.NRML), "multiples of 65"),
        (approved(FUTURE.key, BUY, 65, product=Product.CNC), "MIS or NRML"),
        (approved(STOCK.key, BUY, 10, product=Product.NRML), "MIS, CNC or MTF"),
        (approved(OPTION.key, SELL, 65, SL_M, trigger=50), "use SL"),
        (approved(BSE_STOCK.key, SELL, 10, SL_M, trigger=50), "use SL"),
        (approved(INDEX.key, BUY, 10), "index"),
        (approved("NSE:NOSUCH", BUY, 10), "does not trade"),
        (approved(STOCK.key, BUY, 10, tag=""), "20 characters"),
    ],
)
async def test_what_kite_would_turn_away_is_refused_with_a_reason(order, words) -> None:
    bench = await bench_at(100.0)
    with pytest.raises(OrderRefused, match=words):
        await bench.broker.place(order)
    assert not bench.journal.orders
    assert not bench.heard


async def test_a_tag_is_taken_once() -> None:
    bench = await bench_at()
    await bench.broker.place(approved(STOCK.key, tag="one"))
    with pytest.raises(OrderRefused, match="already"):
        await bench.broker.place(approved(STOCK.key, tag="one"))


async def test_ids_are_nineteen_digits_and_grow_across_restarts_and_days() -> None:
    bench = await bench_at()
    ids = [await bench.broker.place(approved(STOCK.key, BUY, 1, LIMIT, limit=90)) for _ in range(3)]
    await bench.restart()
    ids.append(await bench.broker.place(approved(STOCK.key, BUY, 1, LIMIT, limit=90)))
    bench.clock.at += timedelta(days=2)  # past a holiday
    ids.append(await bench.broker.place(approved(STOCK.key, BUY, 1, LIMIT, limit=90)))
    assert ids == sorted(set(ids))
    assert all(len(i) == 19 and i.isdigit() for i in ids)


async def test_an_order_placed_on_the_quote_of_this_instant_trades_at_once() -> None:
    bench = await bench_at()
    await bench.trade_at(100.0, 99.95, 100.05)
    order_id = await bench.broker.place(approved(STOCK.key))
    assert (await bench.row(order_id)).average_price == Decimal("100.05")
    assert [u.status for u in bench.heard] == [BrokerStatus.COMPLETE]


async def test_an_order_never_trades_on_an_older_quote() -> None:
    bench = await bench_at(100.0)
    order_id = await bench.broker.place(approved(STOCK.key))
    assert (await bench.row(order_id)).status is BrokerStatus.OPEN
    await bench.trade_at(101.0)
    assert (await bench.row(order_id)).average_price == 101


async def test_a_slow_order_is_on_its_way_and_can_neither_trade_nor_be_touched() -> None:
    bench = await bench_at(conduct=SLOW)
    order = approved(STOCK.key)
    order_id = await bench.broker.place(order)
    await bench.trade_at(100.0, after=0.4)
    assert (await bench.row(order_id)).status is BrokerStatus.PENDING
    with pytest.raises(OrderRefused, match="Try later"):
        await bench.broker.cancel(order_id)
    with pytest.raises(OrderRefused, match="Try later"):
        await bench.broker.modify(change(order, order_id, LIMIT, limit=99))
    await bench.trade_at(103.0, after=0.1)
    assert (await bench.row(order_id)).average_price == 103


async def test_the_old_terms_work_until_a_slow_change_arrives() -> None:
    bench = await bench_at(conduct=SLOW)
    order = approved(STOCK.key, SELL, 10, SL_M, trigger=98)
    order_id = await bench.broker.place(order)
    bench.clock.at += timedelta(seconds=1)
    await bench.broker.on_time(bench.clock.at)
    await bench.broker.modify(change(order, order_id, SL_M, trigger=90))
    await bench.trade_at(97.0, after=0.2)
    row = await bench.row(order_id)
    assert (row.status, row.average_price) == (BrokerStatus.COMPLETE, 97)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (approved(STOCK.key, BUY, 10_001), "freeze"),
        (approved(STOCK.key, SELL, 10, product=Product.CNC), "holdings"),
    ],
)
async def test_the_risk_desk_rejects_after_the_order_was_taken(order, words) -> None:
    bench = await bench_at()
    order_id = await bench.broker.place(order)
    last = bench.heard[-1]
    assert (last.order_id, last.status, last.filled_quantity) == (order_id, BrokerStatus.REJECTED, 0)
    assert words in last.message
    await bench.trade_at(100.0)
    assert (await bench.row(order_id)).status is BrokerStatus.REJECTED


async def test_shares_held_for_delivery_can_be_sold_once() -> None:
    bench = await bench_at()
    await bench.broker.place(approved(STOCK.key, BUY, 10, product=Product.CNC))
    await bench.trade_at(100.0)
    await bench.broker.place(approved(STOCK.key, SELL, 10, SL_M, trigger=95, product=Product.CNC))
    await bench.broker.place(approved(STOCK.key, SELL, 1, product=Product.CNC))
    assert [u.status for u in bench.heard[-2:]] == [BrokerStatus.TRIGGER_PENDING, BrokerStatus.REJECTED]


async def test_drawn_rejections_hit_the_same_orders_in_every_run() -> None:
    async def fates() -> list[BrokerStatus]:
        bench = await bench_at(conduct=Conduct(reject_probability=0.5, seed=3))
        for _ in range(20):
            await bench.broker.place(approved(STOCK.key, BUY, 1, LIMIT, limit=90))
        return [row.status for row in (await bench.broker.book()).orders]

    first = await fates()
    assert first == await fates()
    assert set(first) == {BrokerStatus.REJECTED, BrokerStatus.OPEN}


async def test_an_order_can_be_changed_twenty_five_times() -> None:
    bench = await bench_at()
    order = approved(STOCK.key, SELL, 10, SL_M, trigger=90)
    order_id = await bench.broker.place(order)
    for n in range(25):
        await bench.broker.modify(change(order, order_id, SL_M, trigger=f"{90 + (n + 1) * 0.05:.2f}"))
    with pytest.raises(OrderRefused, match="Maximum allowed order modifications exceeded"):
        await bench.broker.modify(change(order, order_id, SL_M, trigger=95))
    assert (await bench.row(order_id)).trigger_price == Decimal("91.25")
    await bench.broker.cancel(order_id)


async def test_the_total_cannot_be_cut_to_what_has_traded() -> None:
    bench = await bench_at(conduct=Conduct(partial_fill_probability=1))
    order = approved(STOCK.key, BUY, 100, LIMIT, limit=100)
    order_id = await bench.broker.place(order)
    await bench.trade_at(100.0)
    filled = (await bench.row(order_id)).filled_quantity
    assert 0 < filled < 100
    with pytest.raises(OrderRefused, match="already traded"):
        await bench.broker.modify(change(order, order_id, LIMIT, quantity=filled, limit=100))


async def test_a_cancelled_part_fill_keeps_what_it_traded() -> None:
    bench = await bench_at(conduct=Conduct(partial_fill_probability=1))
    order_id = await bench.broker.place(approved(STOCK.key, BUY, 100, LIMIT, limit=100))
    await bench.trade_at(100.0)
    await bench.broker.cancel(order_id)
    last = bench.heard[-1]
    assert last.status is BrokerStatus.CANCELLED
    assert last.filled_quantity > 0
    assert (await bench.broker.book()).positions == [
        BrokerPosition(STOCK.key, Product.MIS, last.filled_quantity, Decimal(100))
    ]


async def test_a_bound_on_liquidity_takes_a_share_of_what_was_traded_in_whole_lots() -> None:
    bench = await bench_at(conduct=Conduct(liquidity=0.1))
    await bench.trade_at(100.0, key=FUTURE.key, volume=1_000)
    order_id = await bench.broker.place(approved(FUTURE.key, BUY, 650))
    assert (await bench.row(order_id)).filled_quantity == 65
    await bench.trade_at(100.0, key=FUTURE.key, volume=3_000)
    assert (await bench.row(order_id)).filled_quantity == 65 + 195
    await bench.trade_at(100.0, key=FUTURE.key, volume=3_000)
    assert (await bench.row(order_id)).filled_quantity == 65 + 195 + 65


async def test_day_orders_end_with_their_day_however_the_next_one_begins() -> None:
    bench = await bench_at()
    order_id = await bench.broker.place(approved(STOCK.key, BUY, 10, LIMIT, limit=90))
    await bench.broker.end_of_day(bench.clock.at.date())
    assert bench.heard[-1].status is BrokerStatus.CANCELLED
    left_over = await bench.broker.place(approved(STOCK.key, BUY, 10, LIMIT, limit=90))
    await bench.trade_at(80.0, after=86_400)
    assert bench.heard[-1].order_id == left_over
    assert bench.heard[-1].status is BrokerStatus.CANCELLED
    assert "session" in bench.heard[-1].message
    assert bench.heard[-1].filled_quantity == 0
    assert order_id not in [row.order_id for row in (await bench.broker.book()).orders]


async def test_after_a_night_deliveries_are_there_and_intraday_positions_are_closed() -> None:
    bench = await bench_at()
    for product in (Product.MIS, Product.CNC):
        await bench.broker.place(approved(STOCK.key, BUY, 10, product=product))
    await bench.trade_at(100.0)
    bench.clock.at += timedelta(days=1)
    await bench.restart()
    positions = (await bench.broker.book()).positions
    assert [p for p in positions if p.quantity] == [BrokerPosition(STOCK.key, Product.CNC, 10, Decimal(100))]


async def test_what_could_not_be_written_did_not_happen() -> None:
    bench = await bench_at()
    bench.journal.fault = CommitFailed("disk full")
    with pytest.raises(OrderRefused, match="disk full"):
        await bench.broker.place(approved(STOCK.key, tag="lost"))
    resting = await bench.broker.place(approved(STOCK.key, BUY, 10, LIMIT, limit=99))
    told = len(bench.heard)
    bench.journal.fault = CommitFailed("disk full")
    with pytest.raises(CommitFailed):
        await bench.trade_at(98.0)
    assert len(bench.heard) == told
    assert (await bench.row(resting)).filled_quantity == 0
    await bench.trade_at(98.0)
    assert (await bench.row(resting)).filled_quantity == 10


@pytest.mark.parametrize("written", [True, False])
async def test_after_an_unclear_write_the_book_tells_what_the_journal_has(written: bool) -> None:
    bench = await bench_at()
    bench.journal.fault, bench.journal.written_all_the_same = OSError("gone"), written
    with pytest.raises(OutcomeUnknown):
        await bench.broker.place(approved(STOCK.key, BUY, 10, LIMIT, limit=90, tag="maybe"))
    assert [row.tag for row in (await bench.broker.book()).orders] == (["maybe"] if written else [])
    await bench.broker.place(approved(STOCK.key, BUY, 10, LIMIT, limit=90, tag="next"))
    assert len(bench.journal.orders) == (2 if written else 1)


async def test_a_journal_that_cannot_be_read_makes_the_book_unavailable() -> None:
    bench = await bench_at()
    bench.journal.fault = OSError("gone")
    with pytest.raises(OutcomeUnknown):
        await bench.broker.place(approved(STOCK.key))
    bench.journal.load = _unreadable  # type: ignore[method-assign]  # the fault under test
    with pytest.raises(BrokerUnavailable):
        await bench.broker.book()


async def _unreadable():
    raise OSError("gone")


async def test_nothing_is_told_before_it_is_written() -> None:
    bench = Bench()
    written: list[tuple[OrderId, int]] = []
    bench.broker.listen(
        lambda update: written.append(
            (
                update.order_id,
                bench.journal.orders[update.order_id].update.filled_quantity - update.filled_quantity,
            )
        )
    )
    await bench.broker.open()
    await bench.broker.place(approved(STOCK.key))
    await bench.trade_at(100.0)
    assert len(written) == 2
    assert all(ahead == 0 for _, ahead in written)


async def test_ticks_nobody_waits_for_cost_no_write_and_garbage_trades_nothing() -> None:
    bench = await bench_at()
    order_id = await bench.broker.place(approved(STOCK.key))
    writes = bench.journal.writes
    for last in (0.0, -1.0, float("nan"), float("inf")):
        await bench.trade_at(last)
    assert bench.journal.writes == writes
    assert (await bench.row(order_id)).filled_quantity == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"partial_fill_probability": 1.1},
        {"reject_probability": -0.1},
        {"slippage_bps": -1},
        {"latency": timedelta(seconds=-1)},
        {"liquidity": 0.0},
    ],
)
def test_impossible_manners_are_refused(wrong) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        Conduct(**wrong)


async def test_a_slow_change_is_lost_when_the_old_terms_trade_past_what_it_wanted() -> None:
    bench = await bench_at(conduct=SLOW)
    order = approved(STOCK.key, SELL, 10, SL_M, trigger=98)
    order_id = await bench.broker.place(order)
    bench.clock.at += timedelta(seconds=1)
    await bench.broker.on_time(bench.clock.at)
    await bench.broker.modify(change(order, order_id, SL_M, trigger=97, quantity=4))
    await bench.trade_at(98.0, after=0.2)
    row = await bench.row(order_id)
    assert (row.status, row.quantity, row.filled_quantity) == (BrokerStatus.COMPLETE, 10, 10)
    assert row.trigger_price == 98


async def test_a_triggered_stop_limit_given_a_new_limit_stays_triggered() -> None:
    bench = await bench_at()
    order = approved(STOCK.key, SELL, 10, SL, trigger=98, limit=97)
    order_id = await bench.broker.place(order)
    await bench.trade_at(96.0)
    bench.clock.at += timedelta(seconds=1)
    await bench.broker.modify(change(order, order_id, SL, trigger=98, limit=95))
    assert bench.heard[-1].status is BrokerStatus.OPEN
    await bench.trade_at(99.0)
    assert (await bench.row(order_id)).average_price == 99


async def test_a_delivery_sale_may_be_enlarged_up_to_what_is_held_and_no_further() -> None:
    bench = await bench_at()
    await bench.broker.place(approved(STOCK.key, BUY, 10, product=Product.CNC))
    await bench.trade_at(100.0)
    order = approved(STOCK.key, SELL, 6, SL_M, trigger=95, product=Product.CNC)
    order_id = await bench.broker.place(order)
    await bench.broker.modify(change(order, order_id, SL_M, trigger=95, quantity=10))
    with pytest.raises(OrderRefused, match="holdings"):
        await bench.broker.modify(change(order, order_id, SL_M, trigger=95, quantity=11))


@pytest.mark.parametrize("meets_a_quote_first", [True, False])
async def test_a_restart_remembers_whether_a_limit_had_met_the_market(meets_a_quote_first: bool) -> None:
    bench = await bench_at()
    order_id = await bench.broker.place(approved(STOCK.key, BUY, 10, LIMIT, limit=99))
    if meets_a_quote_first:
        await bench.trade_at(100.0)
    await bench.restart()
    assert (await bench.row(order_id)).status is BrokerStatus.OPEN
    await bench.trade_at(97.0)
    assert (await bench.row(order_id)).average_price == (99 if meets_a_quote_first else 97)


async def test_a_slow_order_on_its_way_survives_a_restart() -> None:
    bench = await bench_at(conduct=SLOW)
    order_id = await bench.broker.place(approved(STOCK.key, SELL, 10, SL_M, trigger=98))
    await bench.restart()
    assert (await bench.row(order_id)).status is BrokerStatus.PENDING
    bench.clock.at += timedelta(seconds=1)
    await bench.broker.on_time(bench.clock.at)
    assert [u.status for u in bench.heard] == [BrokerStatus.TRIGGER_PENDING]


async def test_requests_that_cross_in_time_are_served_one_after_the_other() -> None:
    bench = await bench_at()
    order = approved(STOCK.key, BUY, 10, LIMIT, limit=99)
    order_id = await bench.broker.place(order)
    outcomes = await asyncio.gather(
        bench.trade_at(98.0),
        bench.broker.cancel(order_id),
        bench.broker.modify(change(order, order_id, LIMIT, limit=98)),
        *(bench.broker.place(approved(STOCK.key, BUY, 1, LIMIT, limit=90)) for _ in range(5)),
        return_exceptions=True,
    )
    assert [isinstance(o, OrderRefused) for o in outcomes[:3]] == [False, True, True]
    assert len(set(outcomes[3:])) == 5
    assert len((await bench.broker.book()).orders) == 6


async def test_shares_sold_in_the_same_moment_are_not_sold_again() -> None:
    bench = await bench_at(conduct=SLOW)
    await bench.broker.place(approved(STOCK.key, BUY, 10, product=Product.CNC))
    await bench.trade_at(100.0)
    await bench.broker.place(approved(STOCK.key, SELL, 10, LIMIT, limit=101, product=Product.CNC))
    await bench.trade_at(100.0)
    second = await bench.broker.place(approved(STOCK.key, SELL, 10, product=Product.CNC))
    await bench.trade_at(102.0)  # fills the first and is the arrival of the second
    row = await bench.row(second)
    assert (row.status, row.filled_quantity) == (BrokerStatus.REJECTED, 0)
    assert [p.quantity for p in (await bench.broker.book()).positions] == [0]
