"""What is asked of an entry in the moment it leaves: does anybody still mean it (rows 37, 40 and 53)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from storage.memory import MemoryLedger
from tests.service.live_house import LEVEL, LiveHouse, brisk, live_house
from tests.service.test_live_faults import bought
from trader.broker.zerodha.gate import Priority
from trader.domain.order import Order, OrderState, Purpose
from trader.domain.records import Record


async def busy(live: LiveHouse, seconds: int) -> list[asyncio.Task[None]]:
    """So many seconds' room at Zerodha is taken; by these."""
    budgets = live.account.rest.budgets

    async def one() -> None:
        async with budgets.order(Priority.KILL):
            pass

    taken = [asyncio.create_task(one()) for _ in range(10 * seconds)]
    await asyncio.sleep(0)
    return taken


async def wanted(live: LiveHouse) -> None:
    """The strategy wants to buy, and the intent is recorded."""
    live.quotes(LEVEL + 1)
    await live.until(lambda: bool(live.orders(OrderState.INTENT)), "an intent")


@brisk
async def test_an_entry_that_waits_for_room_when_the_owner_kills_is_not_sent(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        others = await busy(live, 3)
        await wanted(live)
        assert "HALTED" in await live.types("/kill now")
        assert [order.state for order in live.entries()] == [OrderState.INTENT], "it waits"
        await live.hears("FLAT verified")
        assert live.sent() == 0
        assert [order.state for order in live.entries()] == [OrderState.NOT_PLACED]
        assert live.told("taken back before it left: /kill. Nothing was sent.")
        assert all(one.done() for one in others)
        live.nothing_is_lost_or_doubled()


@brisk
async def test_an_entry_that_waits_for_room_and_is_wanted_is_sent(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        others = await busy(live, 3)
        await wanted(live)
        await live.until(live.protected, "entered")
        assert all(one.done() for one in others)
        live.nothing_is_lost_or_doubled()


def slow(live: LiveHouse, purpose: Purpose, seconds: float) -> None:
    """The disk takes so long over the next intent of this purpose."""
    store, commit = live.store, MemoryLedger.commit

    async def slowly(records: Sequence[Record]) -> None:
        if any(isinstance(r, Order) and (r.purpose, r.state) == (purpose, "INTENT") for r in records):
            store.commit = lambda records: commit(store, records)  # type: ignore[method-assign] # once
            await asyncio.sleep(seconds)
        await commit(store, records)

    store.commit = slowly  # type: ignore[method-assign] # a disk that hangs


@brisk
async def test_an_entry_that_the_disk_held_up_is_not_sent_at_the_price_of_then(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        slow(live, Purpose.ENTRY, 12.0)
        live.quotes(LEVEL + 1)
        await live.hears("It was decided 12 s ago, at another price. Nothing was sent.")
        assert live.sent() == 0
        await live.falls_back()
        await bought(live)  # the next one is sent
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_stop_is_meant_however_long_it_waited(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        slow(live, Purpose.STOP, 15.0)
        await bought(live)
        assert live.sent() == 2
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_kill_that_comes_while_the_disk_is_slow_stops_the_entry_before_it(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        slow(live, Purpose.ENTRY, 6.0)
        live.quotes(LEVEL + 1)
        await live.passes(3)
        assert "HALTED" in await live.types("/kill now")
        await live.hears("FLAT verified")
        assert live.sent() == 0
        live.nothing_is_lost_or_doubled()
