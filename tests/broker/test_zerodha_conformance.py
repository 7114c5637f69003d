"""The Zerodha broker held to what every broker must do, against the local Kite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from sandbox.kite import Pace
from tests.broker.conformance import BrokerConformance, House
from tests.broker.kite_house import KEY, KiteDesk, adapter, kite_desk
from trader.broker.zerodha.broker import ZerodhaBroker
from trader.domain.instrument import InstrumentKey


class KiteMarket:
    def __init__(self, desk: KiteDesk) -> None:
        self._desk = desk

    @property
    def key(self) -> InstrumentKey:
        return KEY

    async def trade_at(self, last: float, bid: float = 0.0, ask: float = 0.0) -> None:
        """Orders on their way meet this price; then enough time passes for all of them to have met it."""
        self._desk.server.market.price(KEY, last, bid or None, ask or None)
        self._desk.wait(1)
        await asyncio.sleep(0)

    async def pass_time(self) -> None:
        self._desk.wait(0.1)
        await asyncio.sleep(0.001)


@asynccontextmanager
async def opened(pace: Pace, cash: float = 1_000_000.0) -> AsyncIterator[House]:
    async with kite_desk(streamed=True, cash=cash) as desk:
        desk.server.exchange.pace = pace

        async def reopen() -> ZerodhaBroker:
            await desk.close()
            desk.broker, desk.rest = adapter(desk.server, desk.session, desk.wall)
            await desk.broker.open()
            await desk.connect()
            return desk.broker

        yield House(desk.broker, KiteMarket(desk), reopen)


class TestZerodhaBroker(BrokerConformance):
    @pytest_asyncio.fixture(params=[Pace(filling=0.05), Pace.realistic()], ids=["quick", "in steps"])
    async def house(self, request: pytest.FixtureRequest) -> AsyncIterator[House]:
        async with opened(request.param) as house:
            yield house

    @pytest_asyncio.fixture
    async def poor_house(self) -> AsyncIterator[House]:
        async with opened(Pace(), cash=1_000.0) as house:
            yield house
