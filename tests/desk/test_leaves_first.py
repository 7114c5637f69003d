"""An order leaves before the desk looks at anything else: a queue of prices must not stand in its way."""

from __future__ import annotations

import asyncio
from datetime import datetime

from broker_book import Reply
from world import BUY, LEAVE, REL, SECOND, DeskWorld

from storage.memory import MemoryLedger
from trader.broker.port import Book, UpdateSink
from trader.desk.desk import Desk
from trader.desk.effects import Effect
from trader.desk.events import BarClosed, ClockTicked, Event, TicksArrived
from trader.domain.market import Bar, Interval, Tick
from trader.domain.order import Approved, ApprovedChange, OrderId
from trader.feed.aggregator import Aggregator
from trader.service.desk_service import DeskService


class Seen(Desk):
    """Notes what it is asked to look at."""

    notes: list[str]

    def handle(self, event: Event) -> list[Effect]:
        self.notes.append(type(event).__name__)
        return super().handle(event)


class SeenWorld(DeskWorld):
    def _desk(self) -> Desk:
        desk = super()._desk()
        desk.__class__ = Seen
        assert isinstance(desk, Seen)
        desk.notes = []
        return desk


class Wire:
    """The way to the world's broker; notes what leaves, and answers a while later."""

    name, live = "wire", False

    def __init__(self, world: SeenWorld, notes: list[str]) -> None:
        self._world, self._notes = world, notes

    def listen(self, sink: UpdateSink) -> None:
        return None

    async def place(self, approved: Approved) -> OrderId:
        self._notes.append(f"sent: {approved.request.purpose}")
        reply, order_id = self._world.broker.place(approved.request)
        assert reply is Reply.OK
        assert order_id is not None
        await asyncio.sleep(0.001)
        return order_id

    async def modify(self, approved: ApprovedChange) -> None:
        self._notes.append(f"sent: change to {approved.change.purpose}")
        self._world.broker.modify(approved.change)
        await asyncio.sleep(0.001)

    async def cancel(self, order_id: OrderId) -> None:
        self._notes.append("sent: cancel")
        self._world.broker.cancel(order_id)
        await asyncio.sleep(0.001)

    async def book(self) -> Book:
        return Book(self._world.broker.orders(), self._world.broker.positions())


class Clock:
    def __init__(self, world: DeskWorld) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now


def served(world: SeenWorld) -> tuple[DeskService, list[str]]:
    """The world's desk behind a service of its own."""
    desk = world.desk
    assert isinstance(desk, Seen)
    service = DeskService(
        desk, MemoryLedger(), Wire(world, desk.notes), None, Clock(world), Aggregator(),  # type: ignore[arg-type]  # nothing here is fed
        lambda: None,
    )  # fmt: skip
    desk.notes.clear()
    return service, desk.notes


def closed(world: DeskWorld, code: int) -> BarClosed:
    last = world.prices[REL]
    start = world.now - Interval.M1.length
    return BarClosed(world.now, Bar(REL, Interval.M1, start, last, last, last, last, code))


async def test_an_entry_leaves_before_the_next_event_is_looked_at() -> None:
    world = SeenWorld()
    world.start()
    world.tick(1000.0)
    world.now += SECOND
    service, notes = served(world)
    service.put(closed(world, BUY))
    for n in range(3):
        service.put(TicksArrived(world.now, [Tick(REL, world.now, 1000.0 + n)]))
    await service.settle()
    assert notes[:3] == ["BarClosed", "sent: entry", "TicksArrived"]


async def test_an_exit_leaves_before_the_next_event_is_looked_at() -> None:
    world = SeenWorld()
    world.enter(1000.0)
    world.now += SECOND
    service, notes = served(world)
    service.put(closed(world, LEAVE))
    service.put(ClockTicked(world.now))
    service.put(ClockTicked(world.now))
    await service.settle()
    assert notes[:3] == ["BarClosed", "sent: change to exit", "ClockTicked"]
