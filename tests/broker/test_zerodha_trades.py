"""The trade book and the funds that come with a reading of Zerodha's book."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio

from sandbox.kite import Kind
from tests.broker.approvals import approved
from tests.broker.kite_house import GOLD, KEY, KiteDesk, kite_desk
from trader.broker.zerodha.mapping import UnreadableRow, traded
from trader.domain.errors import BrokerUnavailable
from trader.domain.order import OrderType
from trader.domain.position import Traded


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[KiteDesk]:
    async with kite_desk() as desk:
        yield desk


async def test_a_book_tells_what_was_traded_of_each_order(desk: KiteDesk) -> None:
    desk.server.market.price(KEY, 100.0, 99.95, 100.05, ask_quantity=4)
    order_id = await desk.broker.place(approved(KEY, quantity=10, tag="T1"))
    desk.server.market.price(KEY, 100.0)
    desk.server.settle()
    book = await desk.broker.book()
    (row,) = book.orders
    assert book.trades is not None
    (shown,) = book.trades
    assert (shown.order_id, shown.quantity) == (order_id, row.filled_quantity)
    assert shown.trades > 1
    assert abs(shown.average_price - row.average_price) <= Decimal("0.01")


async def test_nothing_is_asked_of_the_trades_while_nothing_was_filled(desk: KiteDesk) -> None:
    await desk.broker.place(approved(KEY, order_type=OrderType.LIMIT, limit=90))
    assert (await desk.broker.book()).trades == []
    assert not desk.server.called("trades")


async def test_a_book_whose_trades_cannot_be_had_is_a_book_without_them(desk: KiteDesk) -> None:
    await desk.broker.place(approved(KEY, tag="T1"))
    desk.server.faults.add(Kind.DOWN, on="trades", times=5)
    book = await desk.broker.book()
    assert book.trades is None
    assert book.orders[0].filled_quantity == 10


async def test_trades_on_exchanges_that_are_not_ours_are_left_out(desk: KiteDesk) -> None:
    desk.server.market.price(GOLD.key, 4852.0)
    desk.server.app.order(GOLD.key, "BUY", 1)
    desk.server.settle()
    await desk.broker.place(approved(KEY, tag="T1"))
    trades = (await desk.broker.book()).trades
    assert trades is not None
    assert [one.quantity for one in trades] == [10]


def test_trades_add_up_by_order() -> None:
    def trade(order: str, quantity: int, price: float) -> dict[str, object]:
        return {"order_id": order, "quantity": quantity, "average_price": price, "trade_id": "1"}

    assert traded([trade("7", 3, 100.1), trade("8", 1, 5), trade("7", 1, 100.5)]) == [
        Traded("7", 2, 4, Decimal("100.2")),  # type: ignore[arg-type]  # ids are text
        Traded("8", 1, 1, Decimal(5)),  # type: ignore[arg-type]  # the same
    ]
    with pytest.raises(UnreadableRow, match="order_id"):
        traded([{"quantity": 1}])


async def test_margins_out_of_order_are_no_funds(desk: KiteDesk) -> None:
    desk.server.faults.add(Kind.DOWN, on="margins", times=5)
    with pytest.raises(BrokerUnavailable, match="the margins"):
        await desk.broker.funds()
