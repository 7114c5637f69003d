"""The live feed between a stream and the desk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from kite_feed_house import CALENDAR, FUTURE, INFY, SBIN, TOKENS, FakeKite, FakeStream, Wall, at, day, dump

from trader.domain.errors import BrokerUnavailable, InstrumentsStale, InvalidInput, UnknownName
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval, Tick
from trader.feed.port import Batch, Feed, Silence, TickBatch
from trader.feed.zerodha.feed import INDICES, ZerodhaFeed
from trader.market.instruments import Instruments


class Pulse:
    """A second passes when the test says so."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self._waiting: list[asyncio.Future[None]] = []

    async def sleep(self, seconds: float) -> None:
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    async def second(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        self._wall.at += timedelta(seconds=1)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)


class House:
    def __init__(self, folder: Path, now: str = "2026-11-20 09:20:00", most: int = 9000) -> None:
        self.wall = Wall(now)
        self.kite, self.stream = FakeKite(self.wall), FakeStream(most)
        self.pulse = Pulse(self.wall)
        self.universes: list[Instruments] = []
        self.feed = ZerodhaFeed.under(
            folder, self.kite, self.stream, CALENDAR, now=self.wall, sleep=self.pulse.sleep, record=False,
            fewest=1, on_universe=self.universes.append,
        )  # fmt: skip

    async def take(self, batches: AsyncIterator[Batch]) -> Batch:
        async with asyncio.timeout(20):
            return await anext(batches)

    async def passed(self, batches: AsyncIterator[Batch]) -> Batch:
        """The next batch while a second passes."""
        next_one = asyncio.ensure_future(self.take(batches))
        await self.pulse.second()
        return await next_one

    async def until_list_of(self, text: str, batches: AsyncIterator[Batch]) -> None:
        """The list is read in a thread while seconds pass here."""
        async with asyncio.timeout(20):
            while self.feed.universe().as_of != day(text):
                await self.passed(batches)


def tick(text: str, last: float = 100.0, key: InstrumentKey = INFY) -> Tick:
    return Tick(key, at(f"2026-11-20 {text}"), last, 10, last - 0.05, last + 0.05)


async def test_ticks_come_together_and_are_dated_by_our_clock(tmp_path: Path) -> None:
    house = House(tmp_path)
    feed: Feed = house.feed
    assert (feed.name, feed.starts_at) == ("zerodha", house.wall.at)
    async with aclosing(house.feed.batches(house.wall.at)) as batches:
        sent = (tick("09:19:58"), tick("09:19:59", 101.0))
        house.stream.send(*sent)
        batch = await house.take(batches)
        assert isinstance(batch, TickBatch)
        assert (batch.at, tuple(batch.ticks)) == (house.wall.at, sent)


async def test_each_second_without_a_tick_is_a_silence(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.feed.load()
    async with aclosing(house.feed.batches(house.wall.at)) as batches:
        assert await house.passed(batches) == Silence(at("2026-11-20 09:20:01"))
        assert await house.passed(batches) == Silence(at("2026-11-20 09:20:02"))
        house.stream.send(tick("09:20:02"))
        assert isinstance(await house.take(batches), TickBatch)
        waiting = asyncio.ensure_future(house.take(batches))
        await house.pulse.second()
        await house.pulse.second()
        assert await waiting == Silence(at("2026-11-20 09:20:04")), "the second of the tick was not silent"


async def test_time_never_goes_back_when_the_machines_clock_does(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with aclosing(house.feed.batches(house.wall.at)) as batches:
        house.wall.at -= timedelta(seconds=3)
        house.stream.send(tick("09:20:00"))
        assert (await house.take(batches)).at == at("2026-11-20 09:20:00")  # type: ignore[union-attr] # no BarBatch here


async def test_the_feed_ends_with_its_stream(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.stream.send(tick("09:20:00"))
    house.stream.close()
    async with asyncio.timeout(20):
        assert len([batch async for batch in house.feed.batches(house.wall.at)]) == 1


async def test_the_indices_are_always_subscribed(tmp_path: Path) -> None:
    house = House(tmp_path)
    with pytest.raises(InstrumentsStale, match="not read yet"):
        house.feed.universe()
    await house.feed.load()
    house.feed.watch([INFY, SBIN, INFY])
    assert set(house.stream.subscribed.values()) == {*INDICES, INFY, SBIN}
    assert [one.key for one in house.feed.instruments()] == [*INDICES, INFY, SBIN]


async def test_a_start_without_a_list_catches_up_when_it_comes(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 09:20:00")
    house.kite.failures = [BrokerUnavailable("502")]
    with pytest.raises(BrokerUnavailable):
        await house.feed.load()
    house.feed.watch([SBIN, InstrumentKey("NFO:NIFTY26NOVFUT")])
    assert house.stream.subscribed == {}
    async with asyncio.timeout(20), aclosing(house.feed.batches(house.wall.at)) as batches:
        while not house.universes:
            await house.passed(batches)
    assert set(house.stream.subscribed.values()) == {*INDICES, SBIN}
    assert house.wall.at > at("2026-11-20 09:21:00")


async def test_one_unknown_instrument_blinds_no_other(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.feed.load()
    with pytest.raises(UnknownName, match="Did you mean"):
        house.feed.watch([SBIN, InstrumentKey("NSE:INFYY"), INFY])
    assert {SBIN, INFY} <= set(house.stream.subscribed.values())


async def test_more_than_kite_streams_is_refused_whole(tmp_path: Path) -> None:
    house = House(tmp_path, most=4)
    await house.feed.load()
    with pytest.raises(InvalidInput):
        house.feed.watch([INFY, SBIN])
    assert set(house.stream.subscribed.values()) == set(INDICES)
    house.feed.watch([SBIN])
    assert SBIN in house.stream.subscribed.values()


async def test_nobody_gets_the_ticks_of_a_token_that_two_claim(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.kite.list = dump({**TOKENS, SBIN: TOKENS[INFY]})
    await house.feed.load()
    with pytest.raises(UnknownName):
        house.feed.watch([INFY])
    assert TOKENS[INFY] not in house.stream.subscribed


async def test_the_list_is_renewed_at_half_past_eight_and_tokens_follow(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-23 08:29:58")
    house.kite.list = dump(expiry="2026-11-24")
    await house.feed.load()
    assert house.feed.universe().as_of == day("2026-11-22"), "the new list is not made before half past eight"
    house.feed.watch([INFY, FUTURE])
    house.kite.list = dump(
        {key: token + (key == INFY) * 256 for key, token in TOKENS.items() if key != FUTURE}
    )
    async with aclosing(house.feed.batches(house.wall.at)) as batches:
        await house.until_list_of("2026-11-23", batches)
    house.feed.universe().require_fresh(day("2026-11-23"))
    assert house.stream.subscribed[TOKENS[INFY] + 256] == INFY
    assert TOKENS[INFY] not in house.stream.subscribed
    assert FUTURE not in house.stream.subscribed.values(), "it has expired"
    assert [one.as_of for one in house.universes] == [day("2026-11-22"), day("2026-11-23")]
    assert house.kite.lists_fetched == 2


async def test_a_list_that_cannot_be_had_is_tried_again_without_a_storm(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-22 10:00")
    await house.feed.load()
    house.wall.at = at("2026-11-23 08:30")
    house.kite.failures = [BrokerUnavailable("502")] * 3
    async with aclosing(house.feed.batches(house.wall.at)) as batches:
        for _ in range(8 * 60 - 5):
            assert isinstance(await house.passed(batches), Silence), "the market goes on meanwhile"
        assert house.kite.lists_fetched == 4, "after one, two and five minutes"
        with pytest.raises(InstrumentsStale):
            house.feed.universe().require_fresh(day("2026-11-23"))
        await house.until_list_of("2026-11-23", batches)
    house.feed.universe().require_fresh(day("2026-11-23"))


async def test_history_comes_through_the_feed(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    await house.feed.load()
    bars = await house.feed.history(SBIN, Interval.M15, 30, house.wall.at)
    assert (len(bars), bars[-1].start) == (30, at("2026-11-20 15:15"))
