"""A paper exchange on a bench: a clock moved by hand, a journal in memory, one market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from tests.broker.approvals import MORNING, approved
from trader.broker.paper.broker import PaperBroker
from trader.broker.paper.conduct import Conduct
from trader.broker.paper.journal import PaperExecution, PaperOrder, PaperState
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import Exchange, Instrument, InstrumentKey, OptionType, Segment
from trader.domain.market import Bar, Interval, Tick
from trader.domain.order import BrokerStatus, OrderId, OrderUpdate, Product, Side
from trader.domain.times import IST
from trader.market.calendar import Calendar

STOCK = Instrument(Exchange.NSE, "STOCK", 1, Decimal("0.05"), freeze_quantity=10_000)
OTHER = Instrument(Exchange.NSE, "OTHER", 2, Decimal("0.05"))
AUCTIONED = Instrument(Exchange.NSE, "AUCTIONED", 7, Decimal("0.05"), derivatives=True)
FUTURE = Instrument(
    Exchange.NFO, "NIFTY26NOVFUT", 3, Decimal("0.10"), 65, Segment.FUTURES, freeze_quantity=1800,
    underlying="NIFTY",
)  # fmt: skip
OPTION = Instrument(
    Exchange.NFO, "NIFTY26N3026000CE", 4, Decimal("0.05"), 65, Segment.OPTIONS, underlying="NIFTY",
    expiry=date(2026, 11, 30), strike=Decimal(26_000), option_type=OptionType.CALL,
)  # fmt: skip
PUT = Instrument(
    Exchange.NFO, "NIFTY26N3026000PE", 8, Decimal("0.05"), 65, Segment.OPTIONS, underlying="NIFTY",
    expiry=date(2026, 11, 30), strike=Decimal(26_000), option_type=OptionType.PUT,
)  # fmt: skip
BSE_STOCK = Instrument(Exchange.BSE, "STOCK", 5, Decimal("0.05"))
INDEX = Instrument(Exchange.NSE, "NIFTY 50", 6, Decimal("0.05"), 1, Segment.INDEX)
LISTED = {i.key: i for i in (STOCK, OTHER, AUCTIONED, FUTURE, OPTION, PUT, BSE_STOCK, INDEX)}

CALENDAR = Calendar.load()


def listed(key: InstrumentKey) -> Instrument:
    if key not in LISTED:
        raise UnknownName("instrument", key, LISTED)
    return LISTED[key]


class HandClock:
    """Moves when told to."""

    def __init__(self, at: datetime = MORNING) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    @property
    def speed(self) -> float | None:
        return None

    async def sleep_until(self, at: datetime) -> None:
        self.at = max(self.at, at)


@dataclass
class MemoryJournal:
    """Keeps what it is given; ``fault`` is raised instead of the next write."""

    orders: dict[OrderId, PaperOrder] = field(default_factory=dict)
    executions: dict[str, PaperExecution] = field(default_factory=dict)
    writes: int = 0
    fault: BaseException | None = None
    written_all_the_same: bool = False

    async def load(self) -> PaperState:
        return PaperState(tuple(self.orders.values()), tuple(self.executions.values()), len(self.orders))

    async def append(self, orders: Sequence[PaperOrder], executions: Sequence[PaperExecution] = ()) -> None:
        fault, self.fault = self.fault, None
        if fault is None or self.written_all_the_same:
            self.writes += 1
            self.orders.update({o.update.order_id: o for o in orders})
            for execution in executions:
                self.executions.setdefault(execution.execution_id, execution)
        if fault is not None:
            raise fault


class Bench:
    """The broker with everything around it; ``heard`` is what it told, in order."""

    def __init__(
        self,
        conduct: Conduct | None = None,
        at: datetime = MORNING,
        cash: Decimal = Decimal(100_000),
        key: InstrumentKey = STOCK.key,
    ) -> None:
        self.key = key
        self.cash = cash
        self.conduct = conduct or Conduct()
        self.clock = HandClock(at)
        self.journal = MemoryJournal()
        self.instruments = listed
        self.heard: list[OrderUpdate] = []
        self.broker = self._broker()

    def _broker(self) -> PaperBroker:
        broker = PaperBroker(
            instruments=self.instruments,
            journal=self.journal,
            clock=self.clock,
            conduct=self.conduct,
            cash=self.cash,
            calendar=CALENDAR,
        )
        broker.listen(self.heard.append)
        return broker

    async def restart(self) -> PaperBroker:
        await self.broker.close()
        self.broker = self._broker()
        await self.broker.open()
        return self.broker

    def delist(self, *keys: InstrumentKey) -> None:
        """From the next start on they are not listed; asking for them is answered as typed names are."""

        def without(key: InstrumentKey) -> Instrument:
            if key in keys:
                raise InvalidInput(f"NIFTY has no options for {key!r}")
            return listed(key)

        self.instruments = without

    async def trade_at(
        self, last: float, bid: float = 0.0, ask: float = 0.0, *, key: InstrumentKey = STOCK.key,
        after: float = 1.0, volume: int = 0,
    ) -> None:  # fmt: skip
        """A tick ``after`` seconds from now."""
        self.clock.at += timedelta(seconds=after)
        await self.broker.on_ticks([Tick(key, self.clock.at, last, volume, bid, ask)])

    async def go_to(self, clock: str) -> None:
        """Time passes to ``15:12`` or ``15:12:30`` of the same day."""
        self.clock.at = datetime.combine(self.clock.at.date(), time.fromisoformat(clock), IST)
        await self.broker.on_time(self.clock.at)

    async def go_to_day(self, day: date, clock: str = "09:20") -> None:
        self.clock.at = datetime.combine(day, time.fromisoformat(clock), IST)
        await self.broker.on_time(self.clock.at)

    def bar(
        self,
        opened: float,
        high: float,
        low: float,
        close: float,
        *,
        key: InstrumentKey = STOCK.key,
        volume: int = 1000,
    ) -> Bar:
        """A five-minute candle beginning now."""
        return Bar(key, Interval.M5, self.clock.at, opened, high, low, close, volume)

    async def show_open(self, bar: Bar) -> None:
        self.clock.at = bar.start
        await self.broker.on_ticks([Tick(bar.key, bar.start, bar.open)])

    async def show_range(self, bar: Bar) -> None:
        self.clock.at = bar.end
        await self.broker.on_range(bar)

    async def show(self, bar: Bar) -> None:
        """A whole candle, nobody acting inside it."""
        await self.show_open(bar)
        await self.show_range(bar)
        await self.broker.on_bar_closed(bar)

    async def row(self, order_id: OrderId) -> OrderUpdate:
        return next(r for r in (await self.broker.book()).orders if r.order_id == order_id)


async def opened_day(conduct: Conduct | None = None, last: float = 100.0) -> Bench:
    bench = Bench(conduct, cash=Decimal(10_000_000))
    await bench.broker.open()
    for key in (STOCK.key, AUCTIONED.key, OTHER.key, FUTURE.key, OPTION.key):
        await bench.trade_at(last, key=key)
    return bench


async def holds(
    bench: Bench, key: InstrumentKey, side: Side = Side.BUY, product: Product = Product.MIS
) -> None:
    """One lot of it, bought or sold at the present price."""
    await bench.broker.place(approved(key, side, LISTED[key].lot_size, product=product))
    await bench.trade_at(100.0, key=key)


async def by_broker(bench: Bench) -> list[OrderUpdate]:
    return [row for row in (await bench.broker.book()).orders if row.tag is None]


async def opened_with(cash: int = 100_000) -> Bench:
    bench = Bench(cash=Decimal(cash))
    await bench.broker.open()
    for key in (STOCK.key, OTHER.key, FUTURE.key, OPTION.key):
        await bench.trade_at(100.0, key=key)
    bench.clock.at += timedelta(seconds=1)
    return bench


async def trades(
    bench: Bench, key: InstrumentKey, side: Side, units: int, product: Product, at: float = 100.0
) -> None:
    """Executed in full at ``at``, or this fails; a second passes before and after."""
    bench.clock.at += timedelta(seconds=1)
    order_id = await bench.broker.place(approved(key, side, units, product=product))
    await bench.trade_at(at, key=key)
    row = await bench.row(order_id)
    assert row.status is BrokerStatus.COMPLETE, row.message
    assert row.average_price == Decimal(str(at))
    bench.clock.at += timedelta(seconds=1)
