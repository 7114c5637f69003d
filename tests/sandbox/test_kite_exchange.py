"""What must hold at the local exchange whatever is sent to it, without a wire in between."""

from __future__ import annotations

import contextlib
from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.kite import KiteServer, Pace
from sandbox.kite.errors import KiteError
from sandbox.kite.forms import Ask
from sandbox.kite.orders import ENDED, Order
from tests.sandbox.kite_seat import Wall

PRICES = st.integers(-20, 20).map(lambda ticks: round(1500 + ticks * 0.5, 1))
SIDES = st.sampled_from(["BUY", "SELL"])
STEPS = st.one_of(
    st.tuples(st.just("price"), PRICES, st.integers(0, 9)),
    st.tuples(
        st.just("place"),
        SIDES,
        st.integers(1, 30),
        PRICES,
        st.sampled_from(["LIMIT", "MARKET", "SL", "SL-M"]),
    ),
    st.tuples(st.just("modify"), st.integers(0, 9), st.integers(1, 30), PRICES),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.sampled_from([0.05, 0.5, 5.0])),
)


class Floor:
    def __init__(self) -> None:
        self.wall = Wall()
        self.server = KiteServer(self.wall, cash=1e9)
        self.server.exchange.pace = Pace.realistic()
        self.updates: list[tuple[Order, str, int]] = []
        self.server.exchange.told = lambda order, status: self.updates.append((order, status, order.filled))
        self.limits: dict[str, set[float]] = {}

    def take(self, step: tuple[Any, ...]) -> None:
        with contextlib.suppress(KiteError):  # a refusal changes nothing: that is checked at the end
            getattr(self, step[0])(*step[1:])
        self.server.settle()

    def price(self, last: float, size: int) -> None:
        self.server.market.price("NSE:INFY", last, bid_quantity=size, ask_quantity=size)

    def place(self, side: str, quantity: int, price: float, kind: str) -> None:
        params = {
            "exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": side, "quantity": quantity,
            "product": "MIS", "order_type": kind, "price": price, "trigger_price": price,
            "market_protection": 1,
        }  # fmt: skip
        self.server.desk.place(
            Ask({"variety": "regular"}, {key: str(value) for key, value in params.items()})
        )

    def modify(self, which: int, quantity: int, price: float) -> None:
        params = {"quantity": str(quantity), "price": str(price)}
        self.server.desk.modify(Ask({"order_id": self._order(which).order_id}, params))

    def cancel(self, which: int) -> None:
        self.server.desk.cancel(Ask({"order_id": self._order(which).order_id}))

    def wait(self, seconds: float) -> None:
        self.wall.at += timedelta(seconds=seconds)

    def _order(self, which: int) -> Order:
        orders = list(self.server.exchange.orders.values())
        if not orders:
            raise KiteError(400, "GeneralException", "none yet")
        return orders[which % len(orders)]


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_fills_positions_and_histories_agree(steps: list[tuple[Any, ...]]) -> None:
    floor = Floor()
    floor.price(1500.0, 5)
    for step in steps:
        floor.take(step)
    floor.wait(5)
    floor.server.settle()
    exchange = floor.server.exchange
    traded, net = Counter[str](), 0
    for trade in exchange.trades:
        traded[trade.order.order_id] += trade.quantity
        net += trade.quantity if trade.order.is_buy else -trade.quantity
    position = floor.server.account.positions.get(("NSE:INFY", "MIS"))
    assert net == (position.quantity if position else 0)
    for order in exchange.orders.values():
        assert traded[order.order_id] == order.filled <= order.terms.quantity
        assert (order.filled == order.terms.quantity) == (order.status == "COMPLETE")
        assert order.ended == (order.order_id not in exchange.live)
        statuses = [row["status"] for row in order.history]
        assert statuses[0] == "PUT ORDER REQ RECEIVED"
        assert not set(statuses[:-1]) & ENDED
        filled = [row["filled_quantity"] for row in order.history]
        assert filled == sorted(filled)
    ended = Counter(order.order_id for order, status, _ in floor.updates if status in ENDED)
    assert ended == Counter({order.order_id: 1 for order in exchange.orders.values() if order.ended})


@given(SIDES, PRICES, PRICES, st.integers(1, 60))
def test_no_trade_is_worse_than_its_limit_nor_better_than_the_book(
    side: str, limit: float, last: float, quantity: int
) -> None:
    floor = Floor()
    floor.price(last, 5)
    floor.place(side, quantity, limit, "LIMIT")
    floor.wait(5)
    floor.server.settle()
    quote = floor.server.market.quote(floor.server.market.listings["NSE:INFY"])
    for trade in floor.server.exchange.trades:
        if side == "BUY":
            assert quote.last + 0.1 <= trade.price <= limit
        else:
            assert limit <= trade.price <= quote.last - 0.1
    reachable = 5 * len([one for one in range(1, 6) if last + one * 0.1 <= limit + 1e-9])
    if side == "SELL":
        reachable = 5 * len([one for one in range(1, 6) if last - one * 0.1 >= limit - 1e-9])
    assert sum(trade.quantity for trade in floor.server.exchange.trades) == min(quantity, reachable)
