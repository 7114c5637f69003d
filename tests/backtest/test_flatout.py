"""The desk driven flat out does what it does behind its service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from storage.memory import MemoryLedger
from storage.paper import MemoryPaperJournal
from tests.service.sessions import ROOT
from tests.service.whole_house import running
from trader.backtest.flatout import FlatOut
from trader.desk.commands import StartStrategy
from trader.domain.instrument import instrument_key
from trader.domain.market import Interval
from trader.domain.position import Trade
from trader.domain.times import IST
from trader.feed.replay import ReplayMarket
from trader.feed.simulated import SimulatedMarket
from trader.service.settings import Settings, read_settings
from trader.strategy.catalogue import Catalogue

END = datetime(2026, 11, 20, 15, 30, tzinfo=IST)
DAYS = 3
BOTH = ("RELIANCE", "TCS")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _recorded(tmp_path_factory.mktemp("recording"), Interval.M1, DAYS)


@pytest.fixture(scope="module")
def quarters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _recorded(tmp_path_factory.mktemp("quarters"), Interval.M15, 20)


def _recorded(folder: Path, interval: Interval, days: int) -> Path:
    market = SimulatedMarket(11, END)
    for symbol in BOTH:
        bars = market.bars(instrument_key(symbol), interval, 375 * 60 // interval.seconds * days, END)
        rows = [
            f"{b.start:%Y-%m-%d %H:%M:%S}+05:30,{b.open},{b.high},{b.low},{b.close},{b.volume}" for b in bars
        ]
        text = "\n".join(["date,open,high,low,close,volume", *rows])
        name = {Interval.M1: "minute", Interval.M15: "15minute"}[interval]
        (folder / f"{symbol}_{name}.csv").write_text(text + "\n")
    return folder


STARTS = {
    "stops and targets": StartStrategy("ema_crossover", BOTH, "1m", {"stop": "0.2", "target": "0.3"}),
    "a trail": StartStrategy("breakout", BOTH, "1m", {"stop": "0.3", "target": "0", "trail": "0.2"}),
    "bars of five minutes": StartStrategy("rsi_mean_reversion", BOTH, "5m", {"period": "7"}),
}


@pytest.mark.parametrize("name", STARTS)
async def test_orders_fills_and_trades_are_those_of_the_whole_service(name: str, recording: Path) -> None:
    await _the_same(STARTS[name], recording, 2 * DAYS * 375, least=20)


async def test_so_are_those_that_leave_by_the_days_last_chance(quarters: Path) -> None:
    start = StartStrategy("supertrend", BOTH, "15m", {"stop": "5", "target": "0"})
    trades = await _the_same(start, quarters, 2 * 20 * 25, least=4)
    left = [f"{trade.exit_at:%H:%M}" for trade in trades]
    assert {at for at in left if at > "15:00"} == {"15:07"}


async def _the_same(start: StartStrategy, recording: Path, candles: int, least: int) -> Sequence[Trade]:
    settings = read_settings({"MARKET": "replay", "REPLAY_PATH": str(recording), "REPLAY_SPEED": "max"})
    settings = replace(settings, limits=replace(settings.limits, max_daily_loss=Decimal(1500)))
    behind = await _behind_the_service(settings, start)
    direct = MemoryLedger()
    market = ReplayMarket.from_path(recording)
    flat_out = FlatOut(
        market,
        Catalogue.discover(ROOT / "strategies"),
        direct,
        MemoryPaperJournal(),
        settings.limits,
        slippage_bps=float(settings.paper.slippage_bps),
    )
    assert flat_out.ask(start, "test:1").ok
    assert flat_out.run() == candles
    orders = await behind.orders()
    assert len(orders) > least
    assert await direct.orders() == orders
    assert await direct.fills(limit=10_000) == await behind.fills(limit=10_000)
    assert await direct.trades(limit=10_000) == await behind.trades(limit=10_000)
    days = {trade.exit_at.date() for trade in await behind.trades(limit=10_000)}
    for day in days:
        # The contract note's rounding is booked by the evening's job, which is not played here.
        traded = [result for result in await behind.day_results(day) if result.owner != "house"]
        assert await direct.day_results(day) == traded
    return await direct.trades(limit=10_000)


async def _behind_the_service(settings: Settings, start: StartStrategy) -> MemoryLedger:
    store = MemoryLedger()
    async with running(store, settings=settings) as desk:
        assert (await desk.ask(start, "test:1")).ok
        await desk.house.front.wait(until=END + timedelta(minutes=10))
    return store
