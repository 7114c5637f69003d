"""The paper broker held to what every broker must do, in several manners."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.broker.conformance import BrokerConformance, House
from tests.broker.paperhouse import Bench
from trader.broker.paper.conduct import Conduct
from trader.domain.instrument import InstrumentKey


class BenchMarket:
    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @property
    def key(self) -> InstrumentKey:
        return self._bench.key

    async def trade_at(self, last: float, bid: float = 0.0, ask: float = 0.0) -> None:
        """Long enough later for requests to have arrived, often enough for part fills to be completed."""
        for _ in range(20):
            await self._bench.trade_at(last, bid, ask)

    async def pass_time(self) -> None:
        self._bench.clock.at += timedelta(milliseconds=100)
        await self._bench.broker.on_time(self._bench.clock.at)
        await asyncio.sleep(0)


class TestPaperBroker(BrokerConformance):
    @pytest.fixture(
        params=[
            Conduct(),
            Conduct(slippage_bps=3),
            Conduct(partial_fill_probability=0.9, seed=7),
            Conduct(latency=timedelta(milliseconds=300)),
            Conduct(slippage_bps=5, latency=timedelta(seconds=2), partial_fill_probability=0.5),
        ],
        ids=["perfect", "slipping", "in parts", "slow", "all at once"],
    )
    async def house(self, request: pytest.FixtureRequest) -> House:
        return await opened(Bench(request.param))

    @pytest.fixture
    async def poor_house(self) -> House:
        return await opened(Bench(cash=Decimal(1_000)))


async def opened(bench: Bench) -> House:
    await bench.broker.open()
    await bench.trade_at(100.0)
    bench.clock.at += timedelta(seconds=1)
    return House(bench.broker, BenchMarket(bench), bench.restart)
