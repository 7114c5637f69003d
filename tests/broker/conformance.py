"""What every broker adapter must do, paper or live.

A subclass gives the ``house`` fixture: an open broker on an empty account in an open market whose
instrument has a tick of 0.05, a lot of 1 and a price of 100. The suite touches the broker through its port
and moves the market through ``Market``; it never counts on an update having arrived before it asked, nor on
one for an order that merely rests, for real brokers tell nothing of that.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import pytest

from tests.broker.approvals import approved, change
from trader.broker.port import Book, Broker
from trader.domain.errors import OrderRefused
from trader.domain.instrument import InstrumentKey
from trader.domain.order import (
    Approved,
    BrokerStatus,
    OrderId,
    OrderType,
    OrderUpdate,
    Product,
    Side,
    Validity,
)

PATIENCE = 10.0  # seconds until a condition that never comes is a failure


class Market(Protocol):
    @property
    def key(self) -> InstrumentKey: ...

    async def trade_at(self, last: float, bid: float = 0.0, ask: float = 0.0) -> None:
        """Some time later, a trade at ``last`` with this depth (0.0: none) that orders can meet."""
        ...

    async def pass_time(self) -> None:
        """A moment without a trade; requests on their way get on."""
        ...


@dataclass
class House:
    broker: Broker
    market: Market
    reopen: Callable[[], Awaitable[Broker]]  # a new adapter on the same account, the old one closed
    heard: list[OrderUpdate] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.broker.listen(self.heard.append)

    def order(
        self, side: Side, order_type: OrderType = OrderType.MARKET, quantity: int = 10, **prices: Any
    ) -> Approved:
        return approved(self.market.key, side, quantity, order_type, **prices)

    async def shown(self, order_id: OrderId, *statuses: BrokerStatus, filled: int = 0) -> OrderUpdate:
        """The order's row in the book once it has one of these statuses and enough filled."""
        return await self._until(
            lambda row: row.status in statuses and row.filled_quantity >= filled, order_id
        )

    async def _until(self, good: Callable[[OrderUpdate], bool], order_id: OrderId) -> OrderUpdate:
        row: OrderUpdate | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    row = row_of(await self.broker.book(), order_id) or row
                    if row is not None and good(row):
                        return row
                    await self.market.pass_time()
        except TimeoutError:
            raise AssertionError(f"Order {order_id} never got there; its last row was {row}") from None

    async def told(self, order_id: OrderId, status: BrokerStatus) -> list[OrderUpdate]:
        """All updates heard of the order, once one has this status."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not any(u.order_id == order_id and u.status is status for u in self.heard):
                    await self.market.pass_time()
        except TimeoutError:
            raise AssertionError(f"No {status} of {order_id} was told, only {self.heard}") from None
        return [u for u in self.heard if u.order_id == order_id]

    async def net(self) -> int:
        book = await self.broker.book()
        return sum(p.quantity for p in book.positions if p.key == self.market.key)


def row_of(book: Book, order_id: OrderId) -> OrderUpdate | None:
    return next((row for row in book.orders if row.order_id == order_id), None)


RESTING = (BrokerStatus.OPEN, BrokerStatus.TRIGGER_PENDING)
BUY, SELL = Side.BUY, Side.SELL

# type, side, prices, the market that must not fill it, the market that must, and the worst fair price
FILLS = [
    (OrderType.MARKET, BUY, {}, None, (100.0, 99.95, 100.05), None),
    (OrderType.MARKET, SELL, {}, None, (100.0, 99.95, 100.05), None),
    (OrderType.LIMIT, BUY, {"limit": 98}, (99.0, 98.95, 99.05), (97.5, 97.45, 97.55), 98),
    (OrderType.LIMIT, SELL, {"limit": 102}, (101.0, 100.95, 101.05), (102.5, 102.45, 102.55), 102),
    (
        OrderType.SL,
        BUY,
        {"trigger": 102, "limit": 103},
        (101.0, 100.95, 101.05),
        (102.0, 101.95, 102.05),
        103,
    ),
    (OrderType.SL, SELL, {"trigger": 98, "limit": 97}, (99.0, 98.95, 99.05), (98.0, 97.95, 98.05), 97),
    (OrderType.SL_M, BUY, {"trigger": 102}, (101.0, 100.95, 101.05), (102.5, 102.45, 102.55), None),
    (OrderType.SL_M, SELL, {"trigger": 98}, (99.0, 98.95, 99.05), (97.5, 97.45, 97.55), None),
]


class BrokerConformance:
    @pytest.fixture
    async def house(self) -> House:
        raise NotImplementedError("The adapter's own test class makes its house")

    @pytest.fixture
    async def poor_house(self) -> House:
        """A house whose account holds ₹1,000."""
        pytest.skip("this adapter's account cannot be given little money")

    @pytest.mark.parametrize(("order_type", "side", "prices", "away", "there", "worst"), FILLS)
    async def test_every_type_fills_on_both_sides_when_the_market_gets_there_and_not_before(
        self, house: House, order_type: OrderType, side: Side, prices: dict[str, float],
        away: tuple[float, float, float] | None, there: tuple[float, float, float], worst: float | None,
    ) -> None:  # fmt: skip
        order_id = await house.broker.place(house.order(side, order_type, **prices))
        if away is not None:
            await house.shown(order_id, *RESTING)
            await house.market.trade_at(*away)
            assert (await house.shown(order_id, *RESTING)).filled_quantity == 0
        await house.market.trade_at(*there)
        row = await house.shown(order_id, BrokerStatus.COMPLETE, filled=10)
        assert row.filled_quantity == row.quantity == 10
        if worst is not None:
            assert (row.average_price - Decimal(worst)) * side.sign <= 0
        assert abs(row.average_price - Decimal(str(there[0]))) <= 2
        assert await house.net() == 10 * side.sign

    async def test_an_order_id_is_a_string_of_digits_kept_verbatim(self, house: House) -> None:
        order = house.order(BUY, OrderType.LIMIT, limit=90)
        order_id = await house.broker.place(order)
        assert isinstance(order_id, str)
        assert len(order_id) == 19
        assert order_id.isdigit()
        row = await house.shown(order_id, *RESTING)
        assert (row.order_id, row.tag) == (order_id, order.request.tag)

    async def test_a_fill_is_told_with_its_tag_and_its_terms(self, house: House) -> None:
        order = house.order(SELL, OrderType.SL_M, trigger=98)
        order_id = await house.broker.place(order)
        await house.market.trade_at(97.0)
        last = (await house.told(order_id, BrokerStatus.COMPLETE))[-1]
        assert (last.tag, last.key, last.side) == (order.request.tag, house.market.key, SELL)
        assert (last.product, last.quantity, last.filled_quantity) == (Product.MIS, 10, 10)
        assert last.average_price > 0

    async def test_told_quantities_are_cumulative_and_never_beyond_the_order(self, house: House) -> None:
        order_id = await house.broker.place(house.order(BUY, OrderType.LIMIT, limit=99))
        for last in (100.0, 99.0, 98.0):
            await house.market.trade_at(last)
        filled = [u.filled_quantity for u in await house.told(order_id, BrokerStatus.COMPLETE)]
        assert filled == sorted(filled)
        assert filled[-1] == 10

    async def test_modifying_in_place_keeps_the_id_and_the_new_terms_work(self, house: House) -> None:
        order = house.order(SELL, OrderType.SL_M, trigger=98)
        order_id = await house.broker.place(order)
        await house.shown(order_id, BrokerStatus.TRIGGER_PENDING)
        await house.broker.modify(change(order, order_id, OrderType.SL_M, trigger=99, quantity=6))
        await house.market.trade_at(98.5)
        row = await house.shown(order_id, BrokerStatus.COMPLETE, filled=6)
        assert (row.order_id, row.quantity, row.tag) == (order_id, 6, order.request.tag)
        assert len((await house.broker.book()).orders) == 1

    @pytest.mark.parametrize(("into", "prices"), [(OrderType.MARKET, {}), (OrderType.LIMIT, {"limit": 101})])
    async def test_a_stop_can_be_converted_so_that_it_closes_at_market_or_at_a_limit(
        self, house: House, into: OrderType, prices: dict[str, float]
    ) -> None:
        order = house.order(SELL, OrderType.SL_M, trigger=95)
        order_id = await house.broker.place(order)
        await house.shown(order_id, BrokerStatus.TRIGGER_PENDING)
        await house.broker.modify(change(order, order_id, into, **prices))
        await house.market.trade_at(102.0, 101.95, 102.05)
        row = await house.shown(order_id, BrokerStatus.COMPLETE, filled=10)
        assert row.average_price >= 101
        assert await house.net() == -10

    async def test_a_cancelled_order_never_fills(self, house: House) -> None:
        order_id = await house.broker.place(house.order(BUY, OrderType.LIMIT, limit=98))
        await house.shown(order_id, *RESTING)
        await house.broker.cancel(order_id)
        await house.shown(order_id, BrokerStatus.CANCELLED)
        await house.market.trade_at(97.0)
        assert (await house.shown(order_id, BrokerStatus.CANCELLED)).filled_quantity == 0
        assert await house.net() == 0

    async def test_what_is_done_can_be_neither_cancelled_nor_changed(self, house: House) -> None:
        order = house.order(BUY)
        order_id = await house.broker.place(order)
        await house.market.trade_at(100.0)
        await house.shown(order_id, BrokerStatus.COMPLETE)
        with pytest.raises(OrderRefused, match="being processed"):
            await house.broker.cancel(order_id)
        with pytest.raises(OrderRefused, match="being processed"):
            await house.broker.modify(change(order, order_id, OrderType.LIMIT, limit=99))
        assert await house.net() == 10

    async def test_an_immediate_order_that_cannot_trade_at_once_is_cancelled(self, house: House) -> None:
        await house.market.trade_at(100.0, 99.95, 100.05)
        order_id = await house.broker.place(
            house.order(BUY, OrderType.LIMIT, limit=95, validity=Validity.IOC)
        )
        assert (await house.shown(order_id, BrokerStatus.CANCELLED)).filled_quantity == 0
        await house.market.trade_at(94.0, 93.95, 94.05)
        assert (await house.shown(order_id, BrokerStatus.CANCELLED)).filled_quantity == 0
        assert await house.net() == 0

    async def test_an_immediate_order_takes_what_stands_there_and_never_rests(self, house: House) -> None:
        await house.market.trade_at(100.0, 99.95, 100.05)
        order_id = await house.broker.place(
            house.order(BUY, OrderType.LIMIT, limit=101, validity=Validity.IOC)
        )
        row = await house.shown(order_id, BrokerStatus.COMPLETE, BrokerStatus.CANCELLED)
        assert 0 < row.filled_quantity <= 10
        assert row.average_price <= 101
        assert (row.status is BrokerStatus.COMPLETE) == (row.filled_quantity == 10)
        assert await house.net() == row.filled_quantity

    async def test_what_the_account_cannot_pay_is_rejected_after_it_was_taken(
        self, poor_house: House
    ) -> None:
        house = poor_house
        await house.market.trade_at(100.0)
        order_id = await house.broker.place(
            house.order(BUY, OrderType.LIMIT, 100, limit=100, product=Product.CNC)
        )
        row = await house.shown(order_id, BrokerStatus.REJECTED)
        assert row.filled_quantity == 0
        assert re.search(r"Insufficient funds\. Required margin is 10000(\.00)? but available", row.message)
        assert await house.net() == 0

    async def test_funds_are_blocked_by_what_rests_and_come_back(self, house: House) -> None:
        before = await house.broker.funds()
        order_id = await house.broker.place(house.order(BUY, OrderType.LIMIT, limit=90, product=Product.CNC))
        await house.shown(order_id, *RESTING)
        async with asyncio.timeout(PATIENCE):
            while (await house.broker.funds()).available == before.available:
                await house.market.pass_time()
        assert before.available - (await house.broker.funds()).available == 900
        await house.broker.cancel(order_id)
        await house.shown(order_id, BrokerStatus.CANCELLED)
        assert (await house.broker.funds()).available == before.available

    async def test_an_order_nobody_placed_cannot_be_cancelled(self, house: House) -> None:
        with pytest.raises(OrderRefused):
            await house.broker.cancel(OrderId("1999999999999999999"))

    @pytest.mark.parametrize(
        ("order_type", "quantity", "prices"),
        [
            (OrderType.LIMIT, 10, {"limit": 99.97}),
            (OrderType.SL_M, 10, {"trigger": 97.02}),
            (OrderType.LIMIT, 10, {}),
            (OrderType.MARKET, 0, {}),
        ],
        ids=["price off tick", "trigger off tick", "limit without price", "no quantity"],
    )
    async def test_a_senseless_order_is_refused_and_leaves_nothing_in_the_book(
        self, house: House, order_type: OrderType, quantity: int, prices: dict[str, float]
    ) -> None:
        with pytest.raises(OrderRefused):
            await house.broker.place(house.order(SELL, order_type, quantity, **prices))
        assert not (await house.broker.book()).orders

    async def test_a_tag_longer_than_twenty_characters_is_refused_not_cut(self, house: House) -> None:
        with pytest.raises(OrderRefused):
            await house.broker.place(house.order(BUY, tag="x" * 21))
        order_id = await house.broker.place(house.order(BUY, OrderType.LIMIT, limit=90, tag="x" * 20))
        assert (await house.shown(order_id, *RESTING)).tag == "x" * 20

    async def test_only_the_gates_approvals_are_taken(self, house: House) -> None:
        order = house.order(BUY)
        with pytest.raises(TypeError):
            await house.broker.place(order.request)  # type: ignore[arg-type]  # that it is refused is the test
        with pytest.raises(PermissionError):
            Approved(order.request, object())
        assert not (await house.broker.book()).orders

    async def test_the_book_is_whole_and_positions_are_the_sum_of_fills(self, house: House) -> None:
        placed = [
            await house.broker.place(house.order(BUY, quantity=7)),
            await house.broker.place(house.order(SELL, quantity=3)),
            await house.broker.place(house.order(BUY, OrderType.LIMIT, 5, limit=90)),
            await house.broker.place(house.order(BUY, OrderType.LIMIT, 5, limit=91)),
        ]
        await house.market.trade_at(100.0)
        await house.shown(placed[1], BrokerStatus.COMPLETE)
        await house.broker.cancel(placed[3])
        await house.shown(placed[3], BrokerStatus.CANCELLED)
        book = await house.broker.book()
        assert sorted(row.order_id for row in book.orders) == sorted(placed)
        assert await house.net() == sum(row.filled_quantity * row.side.sign for row in book.orders) == 4

    async def test_a_reopened_adapter_shows_the_same_book_and_goes_on(self, house: House) -> None:
        done = await house.broker.place(house.order(BUY))
        await house.market.trade_at(100.0)
        await house.shown(done, BrokerStatus.COMPLETE)
        resting = await house.broker.place(house.order(SELL, OrderType.SL_M, trigger=98))
        await house.shown(resting, BrokerStatus.TRIGGER_PENDING)
        before = await house.broker.book()
        house.broker = await house.reopen()
        after = await house.broker.book()
        assert sorted(after.orders, key=lambda r: r.order_id) == sorted(
            before.orders, key=lambda r: r.order_id
        )
        assert list(after.positions) == list(before.positions)
        house.broker.listen(house.heard.append)
        await house.market.trade_at(97.0)
        await house.told(resting, BrokerStatus.COMPLETE)
        assert await house.net() == 0
        third = await house.broker.place(house.order(BUY, OrderType.LIMIT, limit=90))
        assert third not in (done, resting)
