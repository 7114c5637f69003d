"""The Zerodha broker between a book that may be stale and a stream that may say little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.kite import Kind, Pace
from tests.broker.approvals import approved, change
from tests.broker.kite_house import GOLD, KEY, MONDAY, KiteDesk, kite_desk
from tests.broker.kite_stream_world import until
from trader.broker.zerodha.freshness import Memory
from trader.domain.errors import BrokerUnavailable, ChangesUsedUp, LoginNeeded, OrderRefused
from trader.domain.order import (
    Approved,
    BrokerStatus,
    OrderId,
    OrderType,
    OrderUpdate,
    Product,
    Side,
    Tag,
)


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[KiteDesk]:
    async with kite_desk() as desk:
        yield desk


def limit(price: float, tag: str | None = None, quantity: int = 10, side: Side = Side.BUY) -> Approved:
    return approved(KEY, side, quantity, OrderType.LIMIT, limit=price, tag=tag)


async def rows(desk: KiteDesk) -> dict[str | None, OrderUpdate]:
    return {row.tag: row for row in (await desk.broker.book()).orders}


# -- what goes out ---------------------------------------------------------------------------------------


async def test_an_order_goes_out_with_its_tag_in_kites_words(desk: KiteDesk) -> None:
    await desk.broker.place(approved(KEY, Side.SELL, 7, OrderType.SL, limit="98.50", trigger="99", tag="T1"))
    (call,) = desk.server.called("place")
    assert call.params == {
        "variety": "regular", "exchange": "NSE", "tradingsymbol": "ACME", "transaction_type": "SELL",
        "quantity": "7", "product": "MIS", "order_type": "SL", "price": "98.50", "trigger_price": "99",
        "validity": "DAY", "tag": "T1",
    }  # fmt: skip


@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.SL_M])
async def test_orders_without_a_limit_are_protected_by_kite(desk: KiteDesk, kind: OrderType) -> None:
    trigger = 105 if kind is OrderType.SL_M else None
    order = approved(KEY, order_type=kind, trigger=trigger)
    await desk.broker.place(order)
    assert desk.server.called("place")[0].params["market_protection"] == "-1"


async def test_what_a_protected_market_order_left_over_rests_as_a_limit_order(desk: KiteDesk) -> None:
    desk.server.market.price(KEY, 100.0, 99.95, 100.05, ask_quantity=1)
    await desk.broker.place(approved(KEY, tag="T1", quantity=10))
    row = (await rows(desk))["T1"]
    assert (row.status, row.order_type, row.filled_quantity) == (BrokerStatus.OPEN, OrderType.LIMIT, 5)
    await desk.broker.cancel(row.order_id)
    row = (await rows(desk))["T1"]
    assert (row.status, row.filled_quantity) == (BrokerStatus.CANCELLED, 5)  # the part is kept


async def test_a_change_names_all_its_terms(desk: KiteDesk) -> None:
    order = approved(KEY, Side.SELL, 10, OrderType.SL_M, trigger=95)
    order_id = await desk.broker.place(order)
    await desk.broker.modify(change(order, order_id, OrderType.SL_M, trigger="96.05", quantity=8))
    (call,) = desk.server.called("modify")
    assert call.path["order_id"] == order_id
    assert call.params | {"quantity": "8", "trigger_price": "96.05", "market_protection": "-1"} == call.params


@pytest.mark.parametrize("tag", ["", "x" * 21])
async def test_an_order_that_could_not_be_found_again_is_not_sent(desk: KiteDesk, tag: str) -> None:
    with pytest.raises(OrderRefused, match="Expected a tag of 1 to 20 characters"):
        await desk.broker.place(limit(90, tag))
    assert not desk.server.called("place")


async def test_only_approvals_are_sent(desk: KiteDesk) -> None:
    order = limit(90)
    with pytest.raises(TypeError, match="was OrderRequest"):
        await desk.broker.place(order.request)  # type: ignore[arg-type]  # that it is refused is the test
    with pytest.raises(TypeError, match="was OrderRequest"):
        await desk.broker.modify(order.request)  # type: ignore[arg-type]  # the same
    assert not desk.server.calls


# -- a book that can be believed -------------------------------------------------------------------------


async def test_a_book_without_an_order_zerodha_acknowledged_is_no_book(desk: KiteDesk) -> None:
    desk.server.faults.add(Kind.INVISIBLE, seconds=90)
    order_id = await desk.broker.place(limit(90, "T1"))
    with pytest.raises(BrokerUnavailable, match=rf"stale: order {order_id} is missing from it"):
        await desk.broker.book()
    desk.wait(90)
    assert list(await rows(desk)) == ["T1"]


async def test_a_stale_read_path_is_told_while_placing_works(desk: KiteDesk) -> None:
    first = await desk.broker.place(limit(90, "T1"))
    assert list(await rows(desk)) == ["T1"]
    desk.server.faults.add(Kind.STALE)
    await desk.broker.book()  # nothing has happened that it should know
    second = await desk.broker.place(limit(91, "T2"))
    with pytest.raises(BrokerUnavailable, match=f"order {second} is missing"):
        await desk.broker.book()
    desk.server.faults.clear()
    assert {row.order_id for row in (await desk.broker.book()).orders} == {first, second}


async def test_a_book_behind_the_stream_is_stale() -> None:
    async with kite_desk(streamed=True) as desk:
        heard: list[OrderUpdate] = []
        desk.broker.listen(heard.append)
        order_id = await desk.broker.place(limit(99, "T1"))
        await desk.broker.book()
        desk.server.faults.add(Kind.STALE)
        desk.server.market.price(KEY, 98.0)
        await until(lambda: any(update.status is BrokerStatus.COMPLETE for update in heard))
        with pytest.raises(BrokerUnavailable, match=f"it shows 0 of 10 filled units of order {order_id}"):
            await desk.broker.book()
        desk.server.faults.clear()
        assert (await rows(desk))["T1"].status is BrokerStatus.COMPLETE


async def test_a_book_is_proven_by_what_was_learned_another_way(desk: KiteDesk) -> None:
    await desk.broker.book()
    assert desk.broker.book_proven_at is None  # an empty book of an unknown day proves nothing
    await desk.broker.place(limit(90))
    desk.wait(5)
    await desk.broker.book()
    assert desk.broker.book_proven_at == MONDAY
    await desk.broker.place(limit(91))
    assert desk.broker.book_proven_at == MONDAY  # not read since
    await desk.broker.book()
    assert desk.broker.book_proven_at == MONDAY + timedelta(seconds=5)


async def test_a_book_is_proven_by_what_it_dates_itself_when_nothing_is_told(desk: KiteDesk) -> None:
    """The stream is deaf; the owner trades in the app, and the clocks may differ."""
    await desk.broker.place(limit(90))
    desk.wait(300)
    desk.server.app.order(KEY, "BUY", 1)
    desk.wait(60)
    await desk.broker.book()
    assert desk.broker.book_proven_at == MONDAY + timedelta(seconds=270)


async def test_yesterdays_orders_are_not_missed_in_todays_book(desk: KiteDesk) -> None:
    await desk.broker.place(limit(90, "T1"))
    await desk.broker.book()
    desk.wait(24 * 3600)
    desk.session.token = desk.server.grant_token()
    desk.server.market.price(KEY, 100.0)
    assert (await desk.broker.book()).orders == []
    await desk.broker.place(limit(90, "T2"))
    assert list(await rows(desk)) == ["T2"]


async def test_positions_are_read_between_two_equal_readings_of_the_orders(desk: KiteDesk) -> None:
    order_id = await desk.broker.place(limit(99, "T1"))
    desk.server.faults.add(Kind.SLOW, "positions", seconds=0.1)
    reading = asyncio.create_task(desk.broker.book())
    await until(lambda: desk.server.called("positions"))
    desk.server.market.price(KEY, 98.0)
    book = await reading
    assert [(row.order_id, row.filled_quantity) for row in book.orders] == [(order_id, 10)]
    assert [position.quantity for position in book.positions] == [10]
    assert len(desk.server.called("positions")) == 2


async def test_orders_and_positions_of_other_exchanges_are_left_alone(desk: KiteDesk) -> None:
    desk.server.market.price(GOLD.key, 4_852.0)
    desk.server.app.order(GOLD.key, "BUY", 1)
    assert len(await desk.rest.orders()) == len((await desk.rest.positions())["net"]) == 1
    book = await desk.broker.book()
    assert ([*book.orders], [*book.positions], [*book.holdings]) == ([], [], [])


async def test_orders_already_in_the_book_count_to_the_day(desk: KiteDesk) -> None:
    for _ in range(3):
        desk.server.app.order(KEY, "BUY", 1)
    await desk.broker.book()
    assert desk.rest.budgets.placed_today == 3


# -- part fills ------------------------------------------------------------------------------------------


async def test_a_part_fill_shows_the_average_of_its_trades(desk: KiteDesk) -> None:
    await desk.broker.place(limit(100.1, "T1", 10))
    desk.server.market.price(KEY, 100.0, 99.95, 100.05, ask_quantity=0)
    await desk.broker.place(limit(101, "T2", 10))
    order = desk.server.exchange.orders[(await rows(desk))["T2"].order_id]
    desk.server.exchange.fill(order, 3, 100.0)
    desk.server.exchange.fill(order, 1, 102.0)
    row = (await rows(desk))["T2"]
    assert (row.status, row.filled_quantity, row.average_price) == (BrokerStatus.OPEN, 4, Decimal("100.5"))


# -- the stream ------------------------------------------------------------------------------------------


class Rows:
    """A stream of rows the test hands out."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self._rows = list(rows)

    def __aiter__(self) -> Rows:
        return self

    async def __anext__(self) -> dict[str, Any]:
        if not self._rows:
            raise StopAsyncIteration
        return self._rows.pop(0)


async def followed(desk: KiteDesk, *given: dict[str, Any]) -> list[OrderUpdate]:
    heard: list[OrderUpdate] = []
    desk.broker.listen(heard.append)
    await desk.broker.follow(Rows(*given))
    return heard


async def stream_row(desk: KiteDesk, order_id: str, status: str, **changes: Any) -> dict[str, Any]:
    order = desk.server.exchange.orders[order_id]
    return order.update(status, desk.server.client.user_id) | changes


async def test_updates_without_a_tag_are_given_the_one_they_were_sent_with(desk: KiteDesk) -> None:
    order_id = await desk.broker.place(limit(90, "T1"))
    by_hand = str(desk.server.app.order(KEY, "BUY", 1))
    ours, theirs = await followed(
        desk,
        await stream_row(desk, order_id, "OPEN", tag=None, tags=None),
        await stream_row(desk, by_hand, "OPEN", tag=None, tags=None),
    )
    assert (ours.tag, theirs.tag) == ("T1", None)


async def test_a_part_fill_without_a_price_is_told_with_that_of_its_trades(desk: KiteDesk) -> None:
    desk.server.market.price(KEY, 100.0, 99.95, 100.05, ask_quantity=0)
    order_id = await desk.broker.place(limit(101, "T1"))
    await desk.broker.book()
    desk.server.exchange.fill(desk.server.exchange.orders[order_id], 4, 100.25)
    row = await stream_row(desk, order_id, "UPDATE", average_price=0)
    heard = await followed(desk, row)
    (update,) = await until(lambda: heard)
    assert (update.filled_quantity, update.average_price) == (4, Decimal("100.25"))


async def test_a_part_fill_is_told_even_when_its_price_cannot_be_had(desk: KiteDesk) -> None:
    desk.server.market.price(KEY, 100.0, 99.95, 100.05, ask_quantity=0)
    order_id = await desk.broker.place(limit(101, "T1"))
    await desk.broker.book()
    desk.server.exchange.fill(desk.server.exchange.orders[order_id], 4, 100.25)
    desk.server.faults.add(Kind.DOWN, "order.trades")
    heard = await followed(desk, await stream_row(desk, order_id, "UPDATE", average_price=0))
    (update,) = await until(lambda: heard)
    assert (update.filled_quantity, update.average_price) == (4, Decimal(0))


async def test_an_unreadable_update_does_not_end_the_stream(
    desk: KiteDesk, caplog: pytest.LogCaptureFixture
) -> None:
    order_id = await desk.broker.place(limit(90, "T1"))
    good = await stream_row(desk, order_id, "OPEN")
    heard = await followed(desk, {}, good | {"quantity": "x"}, good | {"exchange": "MCX"}, good)
    assert [update.tag for update in heard] == ["T1"]
    assert "Expected a number as quantity, came 'x'" in caplog.text


async def test_an_unreadable_row_of_the_book_makes_it_unavailable(desk: KiteDesk) -> None:
    order_id = await desk.broker.place(limit(90, "T1"))
    desk.server.exchange.orders[order_id].product = "XYZ"
    with pytest.raises(BrokerUnavailable, match="cannot be read: Expected one of MIS, CNC, NRML, MTF"):
        await desk.broker.book()


# -- the account -----------------------------------------------------------------------------------------


async def test_funds_and_holdings_are_the_accounts(desk: KiteDesk) -> None:
    money = await desk.broker.funds()
    assert (money.cash, money.available, money.used) == (Decimal(1_000_000), Decimal(1_000_000), 0)
    desk.server.account.hold(KEY, 12, 95.5)
    (held,) = await desk.broker.holdings()
    assert (held.key, held.quantity, held.t1_quantity, held.average_price) == (KEY, 12, 0, Decimal("95.5"))


async def test_a_caller_that_goes_away_does_not_take_its_order_back(desk: KiteDesk) -> None:
    desk.server.exchange.pace = Pace()
    desk.server.faults.add(Kind.SLOW, "place", seconds=0.1)
    placing = asyncio.create_task(desk.broker.place(limit(90, "T1")))
    await until(lambda: desk.server.called("place"))
    placing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await placing
    await until(lambda: desk.server.exchange.orders)
    assert list(await rows(desk)) == ["T1"]


async def test_it_opens_before_anybody_has_logged_in(desk: KiteDesk) -> None:
    desk.session.token = None
    await desk.broker.open()
    assert (desk.broker.name, desk.broker.live) == ("zerodha", True)
    with pytest.raises(LoginNeeded):
        await desk.broker.funds()


# -- the memory by itself --------------------------------------------------------------------------------

facts = st.tuples(
    st.integers(0, 1), st.integers(0, 2), st.sampled_from([BrokerStatus.OPEN, BrokerStatus.CANCELLED])
)


def update(number: int, filled: int, status: BrokerStatus) -> OrderUpdate:
    return OrderUpdate(
        OrderId(str(number)), Tag(f"T{number}"), KEY, Side.BUY, Product.MIS, OrderType.LIMIT, status, 10,
        filled, Decimal(1), MONDAY,
    )  # fmt: skip


@settings(deadline=None)
@given(st.lists(facts), st.lists(facts))
def test_a_book_is_believed_exactly_when_it_knows_all_that_was_told(
    told: list[tuple[int, int, BrokerStatus]], shown: list[tuple[int, int, BrokerStatus]]
) -> None:
    memory, book = Memory(), {one[0]: update(*one) for one in shown}
    for one in told:
        memory.heard(update(*one), MONDAY)
    known = memory.told(MONDAY)
    memory.heard(update(9, 1, BrokerStatus.OPEN), MONDAY)  # while the book was read
    behind = any(
        number not in book
        or book[number].filled_quantity < filled
        or (status.final and not book[number].status.final)
        for number, filled, status in told
    )
    assert (memory.contradiction(book.values(), known, MONDAY) is not None) == behind
    assert (
        memory.contradiction(book.values(), known, MONDAY) is not None
    ) == behind  # a look changes nothing


async def test_changes_made_in_the_app_use_up_the_orders_changes_too(desk: KiteDesk) -> None:
    order = approved(KEY, Side.SELL, 10, OrderType.SL, limit="90", trigger="95")
    order_id = await desk.broker.place(order)
    for step in range(25):
        desk.server.app.modify(order_id, trigger_price=round(95 - step * 0.05, 2))
        desk.server.settle()
    with pytest.raises(ChangesUsedUp, match="modifications exceeded"):
        await desk.broker.modify(change(order, order_id, OrderType.SL, limit="90", trigger="95"))
