"""The stream's client with a server on a real socket and time stepped by hand."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from tests.broker.kite_stream_frames import frame, full, index_full, keys_of, ltp, quote, token
from tests.broker.kite_stream_world import HEARTBEAT, MORNING, stream_world, until
from trader.broker.zerodha.stream.connection import StreamLimits
from trader.broker.zerodha.stream.layout import Mode
from trader.broker.zerodha.stream.reports import (
    Connected,
    Fresh,
    Notice,
    OrdersWaiting,
    Stale,
    Unverified,
)
from trader.broker.zerodha.stream.ticks import ReceivedTick
from trader.domain.errors import InvalidInput
from trader.domain.market import Tick

SBIN, TCS, NIFTY = token(1), token(2), token(3, 9)
KEYS = keys_of(SBIN, TCS, NIFTY)
AT = int(MORNING.timestamp()) - 1
SMALL = StreamLimits(connections=3, tokens=3)


def order(number: int, status: str = "UPDATE") -> str:
    return json.dumps({"type": "order", "id": "", "data": {"order_id": str(number), "status": status}})


async def test_it_connects_with_key_and_token_asks_and_ticks_come() -> None:
    async with stream_world() as world:
        world.stream.subscribe(KEYS)
        await world.stream.open()
        seat = await world.seat()
        await until(lambda: seat.modes == dict.fromkeys(KEYS, "full"))
        assert world.kite.handshakes == [{"api_key": "thekey", "access_token": "morningtoken"}]
        assert world.kite.headers[0]["X-Kite-Version"] == "3"
        await seat.send(frame(full(SBIN, 81_005, 500, AT), index_full(NIFTY, 2_615_045, 0)))
        ticks = await anext(world.stream.ticks)
        received = world.time.now()
        assert ticks == [
            Tick(KEYS[SBIN], MORNING.fromtimestamp(AT, MORNING.tzinfo), 810.05, 500, 1572.95, 1573.1),
            Tick(KEYS[NIFTY], received, 26_150.45),
        ]
        assert [type(tick) for tick in ticks] == [Tick, ReceivedTick]
        assert world.told == [Connected(received, 1, again=False), Fresh(received, 1)]


async def test_order_updates_come_without_any_instrument() -> None:
    async with stream_world() as world:
        await world.stream.open()
        seat = await world.seat()
        await seat.send(order(1), order(2))
        assert [(await anext(world.stream.orders))["order_id"] for _ in range(2)] == ["1", "2"]


async def test_modes_and_instruments_change_while_it_runs() -> None:
    async with stream_world() as world:
        await world.stream.open()
        seat = await world.seat()
        world.stream.subscribe({SBIN: KEYS[SBIN]}, Mode.LTP)
        await until(lambda: seat.modes == {SBIN: "ltp"})
        world.stream.subscribe({TCS: KEYS[TCS]}, Mode.QUOTE)
        world.stream.subscribe({SBIN: KEYS[SBIN]}, Mode.FULL)
        await until(lambda: seat.modes == {SBIN: "full", TCS: "quote"})
        world.stream.unsubscribe([SBIN, 999])
        await until(lambda: seat.modes == {TCS: "quote"})
        await seat.send(frame(ltp(SBIN, 81_000), quote(TCS, 300_000)))
        assert [tick.key for tick in await anext(world.stream.ticks)] == [KEYS[TCS]]
        assert world.stream.tally.strangers == 1


async def test_after_a_break_everything_is_asked_for_again_and_prices_are_stale_until_they_come() -> None:
    async with stream_world() as world:
        world.stream.subscribe({SBIN: KEYS[SBIN], TCS: KEYS[TCS]}, Mode.FULL)
        world.stream.subscribe({NIFTY: KEYS[NIFTY]}, Mode.QUOTE)
        await world.stream.open()
        first = await world.seat(1)
        await until(lambda: len(first.modes) == 3)
        await first.send(frame(full(SBIN, 81_005)))
        await until(lambda: world.stream.fresh)
        first.break_off()
        await world.time.run_wait(0.95)
        second = await world.seat(2)
        await until(lambda: second.modes == {SBIN: "full", TCS: "full", NIFTY: "quote"})
        (stale,) = world.of(Stale)
        assert set(stale.keys) == set(KEYS.values())
        assert stale.retry_in == 0.95
        assert [connected.again for connected in world.of(Connected)] == [False, True]
        await second.send(HEARTBEAT, order(1))
        await anext(world.stream.orders)
        assert not world.stream.fresh, "a frozen feed has heartbeats too"
        await second.send(frame(full(SBIN, 81_010)))
        await until(lambda: world.stream.fresh)
        assert len(world.of(Fresh)) == 2


async def test_changes_made_while_there_is_no_connection_are_not_lost() -> None:
    async with stream_world() as world:
        world.stream.subscribe({SBIN: KEYS[SBIN], TCS: KEYS[TCS]})
        await world.stream.open()
        first = await world.seat(1)
        await until(lambda: len(first.modes) == 2)
        first.break_off()
        await until(lambda: world.of(Stale))
        world.stream.unsubscribe([TCS])
        world.stream.subscribe({NIFTY: KEYS[NIFTY]}, Mode.LTP)
        await world.time.run_wait(0.95)
        second = await world.seat(2)
        await until(lambda: second.modes == {SBIN: "full", NIFTY: "ltp"})


async def test_what_kite_forgot_is_asked_for_again_and_then_told() -> None:
    async with stream_world() as world:
        world.stream.subscribe(KEYS)
        await world.stream.open()
        seat = await world.seat()
        await until(lambda: len(seat.modes) == 3)
        seat.modes.clear()  # Kite dropped it all
        await seat.send(frame(full(SBIN, 81_005)))
        await until(lambda: world.stream.fresh)
        for _ in range(4):
            await world.time.run(4.0)
            await seat.send(HEARTBEAT, order(0))
            await anext(world.stream.orders)
        await until(lambda: seat.modes == {TCS: "full", NIFTY: "full"})
        await seat.send(frame(quote(TCS, 300_000), index_full(NIFTY, 2_615_045, AT)))
        await until(lambda: world.stream.tally.ticks == 3)
        for _ in range(4):
            await world.time.run(4.0)
            await seat.send(HEARTBEAT, order(0))
            await anext(world.stream.orders)
        assert [(told.silent, told.other_mode) for told in world.of(Unverified)] == [((), (KEYS[TCS],))]
        world.stream.ask_again([NIFTY])
        before = len(seat.texts)
        await until(lambda: len(seat.texts) == before + 3)
        assert [json.loads(text)["a"] for text in seat.texts[before:]] == ["unsubscribe", "subscribe", "mode"]


async def test_instruments_are_spread_over_as_many_connections_as_are_needed() -> None:
    async with stream_world(limits=SMALL) as world:
        await world.stream.open()
        keys = keys_of(*(token(n) for n in range(1, 10)))
        first_seven = dict(list(keys.items())[:7])
        world.stream.subscribe(first_seven)
        await until(lambda: sorted(len(seat.modes) for seat in world.kite.seats) == [1, 3, 3])
        world.stream.subscribe(keys)
        await until(lambda: [len(seat.modes) for seat in world.kite.seats] == [3, 3, 3])
        assert {each for seat in world.kite.seats for each in seat.modes} == set(keys)
        with pytest.raises(InvalidInput, match="at most 9 instruments"):
            world.stream.subscribe(keys_of(token(77), token(1)), Mode.LTP)
        world.stream.unsubscribe([token(2)])
        world.stream.subscribe(keys_of(token(77)))
        await until(lambda: any(token(77) in seat.modes for seat in world.kite.seats))
        assert len(world.kite.handshakes) == 3
        for seat in world.kite.seats:
            await seat.send(frame(*(full(each, 50_000) for each in seat.modes)))
        seen = set[str]()
        while len(seen) < 9:
            seen |= {tick.key for tick in await asyncio.wait_for(anext(world.stream.ticks), 10)}
        assert world.stream.connected == (True, True, True)
        assert world.stream.tally.strangers == 0


async def test_one_broken_connection_leaves_the_others_alone() -> None:
    async with stream_world(limits=SMALL) as world:
        world.stream.subscribe(keys_of(*(token(n) for n in range(1, 7))))
        await world.stream.open()
        await until(lambda: [len(seat.modes) for seat in world.kite.seats] == [3, 3])
        broken, whole = world.kite.seats
        lost = set(broken.modes)
        broken.break_off()
        await until(lambda: world.of(Stale))
        assert set(world.of(Stale)[0].keys) == set(keys_of(*lost).values())
        await whole.send(frame(*(full(each, 50_000) for each in whole.modes)))
        assert len(await anext(world.stream.ticks)) == 3
        assert sum(world.stream.connected) == 1


async def test_a_slow_consumer_of_ticks_costs_no_order_update() -> None:
    async with stream_world(room=10) as world:
        world.stream.subscribe(KEYS)
        await world.stream.open()
        seat = await world.seat()
        await until(lambda: len(seat.modes) == 3)
        for number in range(1, 1201):
            await seat.send(frame(*(full(each, 1000 + number, number, AT) for each in (SBIN, TCS))))
            await seat.send(order(number))
        await until(lambda: len(world.stream.orders) == 1200)
        assert len(world.stream.ticks) <= 12
        newest = {tick.key: tick for tick in await anext(world.stream.ticks)}
        assert len(newest) == 2
        assert {(tick.last, tick.volume) for tick in newest.values()} == {(22.0, 1200)}
        rows = [await anext(world.stream.orders) for _ in range(1200)]
        assert [row["order_id"] for row in rows] == [str(n) for n in range(1, 1201)]
        assert [told.count for told in world.of(OrdersWaiting)] == [1000]


async def test_kites_words_are_passed_on() -> None:
    async with stream_world() as world:
        await world.stream.open()
        seat = await world.seat()
        await seat.send('{"type":"error","data":"Too many instruments for morningtoken"}')
        await seat.send('{"type":"message","data":"Market closes early"}')
        await until(lambda: len(world.of(Notice)) == 2)
        assert [(notice.error, notice.text) for notice in world.of(Notice)] == [
            (True, "Too many instruments for …"), (False, "Market closes early"),
        ]  # fmt: skip


async def test_closing_says_goodbye_ends_the_iterations_and_leaves_nothing_running() -> None:
    async with stream_world(limits=replace(SMALL, tokens=1)) as world:
        world.stream.subscribe(KEYS)
        await world.stream.open()
        await until(lambda: len(world.kite.standing) == 3)
        await until(lambda: all(world.stream.connected))
        await world.kite.seats[0].send(order(1))
        await until(lambda: len(world.stream.orders) == 1)
        await world.stream.close()
        assert [row["order_id"] async for row in world.stream.orders] == ["1"]
        assert [ticks async for ticks in world.stream.ticks] == []
        await until(lambda: not world.kite.standing)
        assert {seat.close_code for seat in world.kite.seats} == {1000}
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("kite stream")]
        assert world.stream.connected == (False, False, False)


async def test_a_stream_that_was_never_opened_can_be_closed() -> None:
    async with stream_world() as world:
        world.stream.subscribe(KEYS)
        await world.stream.close()
        assert world.kite.handshakes == []
