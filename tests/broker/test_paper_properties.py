"""Whatever is asked of the paper exchange, its books add up, and a restart changes nothing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.approvals import approved, change
from tests.broker.paperhouse import FUTURE, OTHER, STOCK, Bench
from trader.broker.paper.conduct import Conduct
from trader.domain.errors import OrderRefused
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

KEYS = (STOCK.key, OTHER.key, FUTURE.key)
LOTS = {STOCK.key: 1, OTHER.key: 1, FUTURE.key: 65}

keys = st.sampled_from(KEYS)
prices = st.integers(180, 220).map(lambda n: n / 2)  # 90.0 to 110.0, on everybody's tick
sides = st.sampled_from(Side)


@dataclass(frozen=True)
class Place:
    key: str
    side: Side
    lots: int
    order_type: OrderType
    limit: float
    trigger: float
    carried: bool = False  # for delivery, or overnight
    at_once: bool = False  # IOC, where the type allows it


@dataclass(frozen=True)
class Amend:
    which: int
    lots: int
    order_type: OrderType
    limit: float
    trigger: float


@dataclass(frozen=True)
class Withdraw:
    which: int


@dataclass(frozen=True)
class Trade:
    key: str
    last: float
    spread: float
    seconds: int


@dataclass(frozen=True)
class Candle:
    key: str
    prices: tuple[float, float, float, float]


Act = Place | Amend | Withdraw | Trade | Candle
lots = st.integers(1, 12)
types = st.sampled_from(OrderType)
acts = st.lists(
    st.one_of(
        st.builds(Place, keys, sides, lots, types, prices, prices, st.booleans(), st.booleans()),
        st.builds(Place, keys, sides, lots, types, prices, prices, st.booleans(), st.booleans()),
        st.builds(Amend, st.integers(0, 50), lots, types, prices, prices),
        st.builds(Withdraw, st.integers(0, 50)),
        st.builds(Trade, keys, prices, st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 3)),
        st.builds(Trade, keys, prices, st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 3)),
        st.builds(Candle, keys, st.tuples(prices, prices, prices, prices)),
    ),
    max_size=40,
)
conducts = st.builds(
    Conduct,
    slippage_bps=st.sampled_from([0.0, 3.0]),
    latency=st.sampled_from([timedelta(0), timedelta(milliseconds=1500)]),
    partial_fill_probability=st.sampled_from([0.0, 0.6]),
    reject_probability=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 3),
    liquidity=st.sampled_from([None, 0.2]),
)


def asked(order_type: OrderType, limit: float, trigger: float) -> dict[str, float]:
    """The prices this type takes."""
    wanted = {}
    if order_type in (OrderType.LIMIT, OrderType.SL):
        wanted["limit"] = limit
    if order_type in (OrderType.SL, OrderType.SL_M):
        wanted["trigger"] = trigger
    return wanted


class Run:
    """Plays acts against a bench and remembers what was asked of each order."""

    def __init__(self, conduct: Conduct) -> None:
        self.bench = Bench(conduct, cash=Decimal(20_000))  # little, so that some of it is too much
        self.placed: list[tuple[OrderId, Approved]] = []
        self.tags = 0

    async def play(self, script: list[Act], restart_before: int | None = None) -> None:
        await self.bench.broker.open()
        for key in KEYS:
            await self.bench.trade_at(100.0, key=key, volume=1)
        for n, act in enumerate(script):
            if n == restart_before:
                await self.restart()
            try:
                await self.act(act)
            except OrderRefused as refusal:
                assert str(refusal)  # noqa: PT017 (that a refusal says something is all that is asked here)

    async def restart(self) -> None:
        """The market's memory comes back with the next tick; to compare runs it is shown the last ones."""
        before = self.bench.broker._pit
        await self.bench.restart()
        self.bench.broker._pit._quotes.update(before._quotes)
        self.bench.broker._pit._closed.update(before._closed)

    async def act(self, act: Act) -> None:
        bench = self.bench
        match act:
            case Place(key, side, lots, order_type, limit, trigger, carried, at_once):
                self.tags += 1
                product = (Product.NRML if key == FUTURE.key else Product.CNC) if carried else Product.MIS
                plain = order_type in (OrderType.MARKET, OrderType.LIMIT)
                order = approved(
                    key, side, lots * LOTS[key], order_type, tag=f"t{self.tags}", product=product,
                    validity=Validity.IOC if at_once and plain else Validity.DAY,
                    **asked(order_type, limit, trigger),
                )  # fmt: skip
                self.placed.append((await bench.broker.place(order), order))
            case Amend(which, lots, order_type, limit, trigger) if self.placed:
                order_id, order = self.placed[which % len(self.placed)]
                quantity = lots * LOTS[order.request.key]
                terms = asked(order_type, limit, trigger)
                await bench.broker.modify(change(order, order_id, order_type, quantity=quantity, **terms))
            case Withdraw(which) if self.placed:
                await bench.broker.cancel(self.placed[which % len(self.placed)][0])
            case Trade(key, last, spread, seconds):
                await bench.trade_at(last, last - spread, last + spread, key=key, after=seconds, volume=7)
            case Candle(key, (a, b, c, d)):
                bar = bench.bar(a, max(a, b, c, d), min(a, b, c, d), d, key=key)
                await bench.show(bar)


def increases(heard: list[OrderUpdate]) -> list[tuple[OrderUpdate, int]]:
    """Updates that brought a fill, with the units they brought."""
    known: dict[OrderId, int] = defaultdict(int)
    brought = []
    for update in heard:
        grown = update.filled_quantity - known[update.order_id]
        assert grown >= 0, "a filled quantity shrank"
        known[update.order_id] = update.filled_quantity
        if grown:
            brought.append((update, grown))
    return brought


@settings(max_examples=150, deadline=None)
@given(acts, conducts)
def test_the_books_add_up(script: list[Act], conduct: Conduct) -> None:
    async def scenario() -> None:
        run = Run(conduct)
        await run.play(script)
        book = await run.bench.broker.book()
        journal = run.bench.journal
        executed: dict[OrderId, int] = defaultdict(int)
        value: dict[OrderId, Decimal] = defaultdict(Decimal)
        for execution in journal.executions.values():
            assert execution.quantity > 0
            assert execution.price % Decimal("0.05") == 0
            executed[execution.order_id] += execution.quantity
            value[execution.order_id] += execution.quantity * execution.price
        net: dict[str, int] = defaultdict(int)
        for row in book.orders:
            assert 0 <= row.filled_quantity <= row.quantity
            assert row.filled_quantity == executed[row.order_id]
            assert row.filled_quantity % LOTS[row.key] == 0
            assert (row.status is BrokerStatus.COMPLETE) == (row.filled_quantity == row.quantity)
            if row.filled_quantity:
                assert row.average_price == value[row.order_id] / row.filled_quantity
            net[row.key] += row.filled_quantity * row.side.sign
        held: dict[str, int] = defaultdict(int)
        for position in book.positions:
            held[position.key] += position.quantity
            assert position.product is not Product.CNC or position.quantity >= 0
        assert {k: q for k, q in held.items() if q} == {k: q for k, q in net.items() if q}
        assert len(book.orders) == len(run.placed)
        increases(run.bench.heard)
        last_told = {update.order_id: update for update in run.bench.heard}
        assert all(last_told.get(row.order_id, row) == row for row in book.orders)

    asyncio.run(scenario())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(
    st.builds(Place, keys, sides, lots, types, prices, prices),
    st.builds(Trade, keys, prices, st.sampled_from([0.0, 0.5]), st.integers(0, 2)),
    st.builds(Candle, keys, st.tuples(prices, prices, prices, prices)),
), max_size=40), conducts)  # fmt: skip
def test_limits_hold_and_stops_wait_for_their_trigger(script: list[Act], conduct: Conduct) -> None:
    async def scenario() -> None:
        run = Run(conduct)
        await run.play(script)
        orders = dict(run.placed)
        for execution in run.bench.journal.executions.values():
            request = orders[execution.order_id].request
            if request.price is not None:
                assert (execution.price - request.price) * request.side.sign <= 0
            if request.trigger_price is None:
                continue
            shown = [100.0, *(
                p for act in script if isinstance(act, Trade | Candle) and act.key == request.key
                for p in ((act.last,) if isinstance(act, Trade) else act.prices)
            )]  # fmt: skip
            reached = max(shown) if request.side is Side.BUY else min(shown)
            assert (Decimal(str(reached)) - request.trigger_price) * request.side.sign >= 0

    asyncio.run(scenario())


@settings(max_examples=100, deadline=None)
@given(acts, st.integers(0, 40), st.sampled_from([0.0, 3.0]))
def test_a_restart_in_the_middle_changes_no_fill_no_id_and_no_update(
    script: list[Act], at: int, slippage: float
) -> None:
    async def scenario() -> None:
        runs = [Run(Conduct(slippage_bps=slippage)) for _ in range(2)]
        await runs[0].play(script)
        await runs[1].play(script, restart_before=at)
        assert runs[0].bench.heard == runs[1].bench.heard
        assert runs[0].bench.journal.executions == runs[1].bench.journal.executions
        assert [i for i, _ in runs[0].placed] == [i for i, _ in runs[1].placed]
        books = [await run.bench.broker.book() for run in runs]
        assert books[0].positions == books[1].positions
        assert books[0].orders == books[1].orders
        assert await runs[0].bench.broker.funds() == await runs[1].bench.broker.funds()

    asyncio.run(scenario())


@settings(max_examples=60, deadline=None)
@given(acts, conducts)
def test_the_same_calls_have_the_same_consequences(script: list[Act], conduct: Conduct) -> None:
    async def scenario() -> None:
        runs = [Run(conduct), Run(conduct)]
        for run in runs:
            await run.play(script)
        assert runs[0].bench.heard == runs[1].bench.heard

    asyncio.run(scenario())
