"""The feed on the real stream and the real REST client, against the local Kite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from kite_feed_house import CALENDAR, INFY, MINUTE, SBIN, SMALL, Wall, at, day

from sandbox.kite import KiteServer
from trader.broker.zerodha.budget import Budgets
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.broker.zerodha.rest import KiteRest
from trader.broker.zerodha.stream.client import KiteStream
from trader.broker.zerodha.stream.pacing import LoopTime
from trader.domain.errors import LoginNeeded
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval, Tick
from trader.feed.port import BarBatch, TickBatch
from trader.feed.replay import ReplayMarket
from trader.feed.zerodha.candles import CandleCache
from trader.feed.zerodha.download import download
from trader.feed.zerodha.feed import INDICES, ZerodhaFeed

FUTURE = InstrumentKey("NFO:NIFTY26NOVFUT")


class LoggedIn:
    """A session whose login was long ago."""

    def __init__(self, server: KiteServer) -> None:
        self.credentials = KiteCredentials(server.client.api_key, server.client.api_secret)
        self.access_token = server.grant_token()
        self.lost_for: list[str] = []

    def lost(self, reason: str, *, token: str | None = None) -> None:
        self.lost_for.append(reason)


@dataclass
class House:
    wall: Wall
    server: KiteServer
    session: LoggedIn
    rest: KiteRest
    stream: KiteStream
    feed: ZerodhaFeed


@asynccontextmanager
async def house(folder: Path, now: str = "2026-11-23 10:00:00") -> AsyncIterator[House]:
    wall = Wall(now)
    async with KiteServer(wall, heartbeat=0.05) as server:
        server.limits.on = False  # its clock stands still
        session = LoggedIn(server)
        time = LoopTime(wall)
        rest = KiteRest(session, KiteEndpoints(api=server.url), Budgets(time))
        stream = KiteStream(
            server.stream_url, session.credentials.api_key, session.access_token, time=time,
            dice=lambda: 0.5, on_report=lambda _: None,
        )  # fmt: skip
        feed = ZerodhaFeed.under(folder, rest, stream, CALENDAR, now=wall, fewest=1)
        await feed.load()
        await stream.open()
        try:
            yield House(wall, server, session, rest, stream, feed)
        finally:
            await stream.close()
            await rest.close()


async def test_a_recorded_hour_of_the_stream_replays_tick_for_tick(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        it.feed.watch([INFY, SBIN, FUTURE])
        shown: list[Tick] = []
        received: list[datetime] = []
        prices = {INFY: 1520.0, SBIN: 960.0, FUTURE: 24_560.0, INDICES[0]: 24_500.0}
        async with asyncio.timeout(60), aclosing(it.feed.batches(it.wall.at)) as batches:
            seconds = 0
            async for batch in batches:
                if isinstance(batch, TickBatch):
                    shown += batch.ticks
                    received.append(batch.at)
                if len({tick.key for tick in shown}) < 6:
                    continue  # the snapshots after subscribing: three indices, and what is watched
                if seconds == 60:
                    break
                seconds += 1
                it.wall.at += timedelta(seconds=60)
                for key, price in prices.items():
                    prices[key] = round(price + (seconds % 7 - 3) * 0.5, 2)
                    it.server.market.price(key, prices[key], quantity=65)
        assert received == sorted(received)
        market = ReplayMarket.from_path(tmp_path / "recordings" / "2026-11-23", CALENDAR)
        replayed = [
            tick
            async for batch in market.batches(market.starts_at)
            if isinstance(batch, TickBatch)
            for tick in batch.ticks
        ]
    assert {tick.key for tick in replayed} >= set(prices)
    for key in prices:
        mine = list(
            dict.fromkeys(tick for tick in shown if tick.key == key and tick.at.date() == day("2026-11-23"))
        )
        assert [tick for tick in replayed if tick.key == key] == mine, key
        assert len(mine) >= 50, "every minute had its price"


async def test_warm_up_and_download_through_rest(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        for minute in range(10):
            it.wall.at = at("2026-11-23 10:00:00") + minute * MINUTE
            it.server.market.price(SMALL, 38.5 + minute * 0.01, quantity=100)
        it.wall.at = at("2026-11-23 10:10:30")
        bars = await it.feed.history(SMALL, Interval.M1, 400, it.wall.at)
        assert len(bars) == 400
        assert [bar.start for bar in bars[-10:]] == [at("2026-11-23 10:00") + n * MINUTE for n in range(10)]
        assert bars[-1].close == pytest.approx(38.59)
        days = await it.feed.history(SMALL, Interval.D1, 5, it.wall.at)
        assert [bar.start.time().isoformat("minutes") for bar in days] == ["09:15"] * 5
        asked = len(it.server.called("historical"))
        summary = await download(
            it.rest, CandleCache(tmp_path / "candles"), it.feed.universe(), [SMALL, INFY], Interval.M5,
            day("2026-08-10"), day("2026-11-20"), lambda _: None, calendar=CALENDAR, now=it.wall,
        )  # fmt: skip
        assert not summary.failed
        assert len(it.server.called("historical")) - asked == summary.requests == 4
    market = ReplayMarket.from_path(f"{tmp_path / 'candles' / '5m'}?from=2026-11-19", CALENDAR)
    bars_of = [
        b
        for batch in [b async for b in market.batches(market.starts_at)]
        if isinstance(batch, BarBatch)
        for b in batch.bars
    ]
    assert {key: sum(bar.key == key for bar in bars_of) for key in (SMALL, INFY)} == {SMALL: 150, INFY: 144}


async def test_a_dead_login_is_told_as_such(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        it.server.session.kill()
        with pytest.raises(LoginNeeded):
            await it.feed.history(SMALL, Interval.M5, 10, it.wall.at)
        assert it.session.lost_for
