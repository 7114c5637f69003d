"""From a frame of Kite's stream to the first byte of an order at the broker's socket, through everything that
lies between: the frame decoded, the tick shown by the pump, a strategy's decision, its size, the gate, the
intent fsynced, the request built and sent."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.kite_orders import HeldSession, take_orders
from bench.ours import verdict
from bench.tick_to_order import bare_commit, bare_database, spread
from sandbox.kite import Listing
from sandbox.kite.market import Quote
from sandbox.kite.packets import Mode, frame, packet
from trader.broker.port import Book
from trader.broker.zerodha.broker import ZerodhaBroker
from trader.broker.zerodha.budget import BudgetLimits, Budgets
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.broker.zerodha.rest import KiteRest
from trader.broker.zerodha.stream.client import KiteStream
from trader.broker.zerodha.stream.pacing import LoopTime
from trader.desk.commands import StartStrategy
from trader.desk.desk import Desk
from trader.desk.limits import RiskLimits
from trader.desk.state import DeskConfig
from trader.domain.funds import Funds
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Bar, Interval
from trader.domain.order import Approved, BrokerStatus, OrderId, OrderUpdate
from trader.domain.times import IST
from trader.feed.aggregator import Aggregator
from trader.feed.port import TickBatch
from trader.market.calendar import Calendar, Venue
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.market.symbols import listings
from trader.ports.store import LedgerState
from trader.service.clock import SteppedClock
from trader.service.desk_service import DeskService
from trader.service.pump import Pump
from trader.strategy.catalogue import Catalogue

COUNT, WARM_UP = 400, 50
OPENS = datetime(2026, 11, 23, 9, 20, tzinfo=IST)
PRICE, TOKEN = 950.0, 1000 << 8 | 1
GOAL, GOAL_P99 = 1.5, 5.0  # milliseconds
STRATEGY = '''"""Buys on every tick while it holds nothing."""

from trader.strategy import Holding, Signal, Strategy, Tick


class Eager(Strategy):
    def on_tick(self, tick: Tick, holding: Holding) -> Signal | None:
        return Signal(enter_long=True) if holding.quantity == 0 else None
'''
LIMITS = RiskLimits(max_trades_per_day=100_000, duplicate_window=timedelta(0), orders_per_day=4000)


class Placing(ZerodhaBroker):
    """Orders go out over the socket. The rest of the account is empty, and every order is cancelled."""

    placed: OrderUpdate | None = None

    async def place(self, approved: Approved) -> OrderId:
        order_id = await super().place(approved)
        request = approved.request
        self.placed = OrderUpdate(
            order_id=OrderId(f"{order_id}{request.tag[-5:]}"), tag=request.tag, key=request.key,
            side=request.side, product=request.product, quantity=request.quantity,
            order_type=request.order_type, price=None, trigger_price=None, status=BrokerStatus.CANCELLED,
            filled_quantity=0, average_price=Decimal(0), at=request.at, message="cancelled by the benchmark",
        )  # fmt: skip
        return self.placed.order_id

    async def book(self) -> Book:
        return Book((), ())

    async def funds(self) -> Funds:
        return Funds(Decimal(100_000), Decimal(100_000))

    def cancel_placed(self) -> None:
        for sink in self._sinks:
            if self.placed is not None:
                sink(self.placed)
        self.placed = None


class Floor:
    """What a live market has instead of the paper exchange: nothing."""

    async def on_ticks(self, ticks: object) -> None: ...

    async def on_range(self, bar: Bar) -> None: ...

    async def on_bar_closed(self, bar: Bar) -> None: ...

    async def on_time(self, now: datetime) -> None: ...

    async def end_of_day(self, day: object) -> None: ...


class Frames:
    """A feed of one full packet a second; ``began`` is when each frame came. ``bare`` are the seconds of a
    bare commit after each, on the same disk."""

    name, starts_at = "frames", OPENS

    def __init__(
        self, traded: Instrument, clock: SteppedClock, broker: Placing, beside: sqlite3.Connection
    ) -> None:
        self._traded, self._clock, self._broker, self._beside = traded, clock, broker, beside
        self.service: DeskService
        self.began: list[float] = []
        self.bare: list[float] = []
        self._stream = KiteStream(
            "wss://localhost", "key", "token", time=LoopTime(clock.now), dice=lambda: 0.5,
            on_report=lambda _: None,
        )  # fmt: skip
        self._stream.subscribe({TOKEN: traded.key})

    def instruments(self) -> list[Instrument]:
        return [self._traded]

    def watch(self, keys: Iterable[InstrumentKey]) -> None: ...

    async def history(
        self, key: InstrumentKey, interval: Interval, count: int, before: datetime
    ) -> list[Bar]:
        return []

    async def batches(self, since: datetime) -> AsyncIterator[TickBatch]:
        listing = Listing(TOKEN, "NSE", self._traded.symbol, self._traded.symbol, PRICE)
        for number in range(WARM_UP + COUNT):
            at = OPENS + timedelta(seconds=number + 1)
            self._clock.advance(at)
            quote = Quote(
                listing, PRICE, PRICE, PRICE, PRICE, PRICE, 1, 1000 + number, 1.0, traded_at=at
            )  # fmt: skip
            data = frame([packet(quote, Mode.FULL)])
            await asyncio.sleep(0.002)  # a desk does something else between two orders
            self.began.append(time.perf_counter())
            self._stream.on_frame(data)
            yield TickBatch(at, await anext(self._stream.ticks))
            self._broker.cancel_placed()
            await self.service.settle()
            self.bare.append(bare_commit(self._beside, number))


async def orders_to(port: int, folder: Path) -> tuple[list[float], list[float]]:
    from storage.engines import sqlite_url
    from storage.ledger import SqlLedger

    (folder / "eager.py").write_text(STRATEGY)
    traded = listings()[0].instrument
    instruments, calendar = Instruments([traded]), Calendar.load()
    clock = SteppedClock(OPENS, None)
    url = f"http://127.0.0.1:{port}"
    plenty = BudgetLimits(*[10 * COUNT] * 10)
    rest = KiteRest(
        HeldSession(KiteCredentials("key", "secret"), "token"),
        KiteEndpoints(api=url, login=url),
        Budgets(LoopTime(clock.now), plenty),
    )
    broker = Placing(rest, LoopTime(clock.now))
    await broker.open()
    ledger = SqlLedger(sqlite_url(folder / "ledger.db"))
    await ledger.open()
    desk = Desk(
        DeskConfig(LIMITS, "BEN"), instruments, calendar, Charges.load(), Catalogue.discover(folder),
        Margins.load(), at=OPENS,
    )  # fmt: skip
    aggregator = Aggregator(calendar, lambda key: Venue.STOCK)
    feed = Frames(traded, clock, broker, bare_database(folder / "bare.db"))
    service = feed.service = DeskService(desk, ledger, broker, feed, clock, aggregator, lambda: None)
    await service.carry_out(desk.restore(LedgerState(), (), at=OPENS, clean=True))
    await service.settle()
    running = asyncio.create_task(service.run())
    start = StartStrategy("eager", (traded.symbol,), "1m", {"quantity": "10"})
    answer = await service.ask(start, source_id="bench:1", actor="bench")
    assert answer.ok, answer.text
    await service.settle()
    gc.collect()
    gc.freeze()
    await Pump(service, feed, Floor(), clock, aggregator, calendar).run()
    gc.unfreeze()
    running.cancel()
    await broker.close()
    await ledger.close()
    return feed.began, feed.bare


def main() -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=take_orders, args=(theirs,))
    server.start()
    with TemporaryDirectory() as folder:
        began, bare = asyncio.run(orders_to(ours.recv(), Path(folder)))
    arrived = ours.recv()
    server.join()
    assert len(arrived) == len(began), f"{len(arrived)} orders of {len(began)} ticks"
    taken = [at - start for start, at in zip(began, arrived, strict=True)][WARM_UP:]
    print(f"a frame of the stream to the order's first byte at the broker's socket, {COUNT} times:")
    print(f"  everything, intent fsynced     {spread(taken)}")
    print(f"  a bare commit of one row       {spread(bare[WARM_UP:])}")
    ordered = sorted(taken)
    median, late = (1000 * ordered[int(share * len(ordered))] for share in (0.5, 0.99))
    print(verdict(f"p50 at most {GOAL} ms: {median:.2f}", median <= GOAL))
    print(verdict(f"p99 at most {GOAL_P99} ms: {late:.2f}", late <= GOAL_P99))


if __name__ == "__main__":
    main()
