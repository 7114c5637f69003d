"""A replay of candles flat out through everything (feed, paper exchange, desk, gate, records), against a bare
loop that computes the same crossings on the same candles and does nothing else."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from trader.desk.commands import StartStrategy
from trader.domain.instrument import instrument_key
from trader.domain.market import Bar, Interval
from trader.domain.times import IST

ROOT = Path(__file__).resolve().parents[1]
SESSIONS = 20
RUNS = 3
END = datetime(2026, 11, 20, 15, 30, tzinfo=IST)


def candles() -> list[Bar]:
    from trader.feed.simulated import SimulatedMarket

    return SimulatedMarket(7, END).bars(instrument_key("RELIANCE"), Interval.M1, 375 * SESSIONS, END)


def bare(bars: Sequence[Bar]) -> int:
    """The strategy's own arithmetic over the same warm window, candle by candle; the crossings found."""
    from trader.strategy import crossed_above, crossed_below, ema
    from trader.strategy.window import BarWindow

    window = BarWindow(bars[0].key, Interval.M1, 525)
    found = 0
    for bar in bars:
        window.append(bar)
        close = window.bars.close
        fast, slow = ema(close, 9), ema(close, 21)
        found += int(crossed_above(fast, slow)[-1]) + int(crossed_below(fast, slow)[-1])
    return found


async def replayed(path: Path) -> tuple[float, int]:
    """Seconds the desk took for the recording, and the fills it made."""
    from storage.memory import MemoryLedger
    from storage.paper import MemoryPaperJournal
    from trader.service.opening import open_house
    from trader.service.settings import read_settings
    from trader.strategy.catalogue import Catalogue

    roomy = {"RISK_MAX_DAILY_LOSS": "90000", "RISK_MAX_DAILY_LOSS_PCT": "90", "RISK_MAX_DRAWDOWN_PCT": "99"}
    settings = read_settings({"MARKET": "replay", "REPLAY_PATH": str(path), "REPLAY_SPEED": "max", **roomy})
    store = MemoryLedger()
    await store.open()
    house = await open_house(
        settings,
        store,
        MemoryPaperJournal(),
        Catalogue.discover(ROOT / "strategies"),
        held=True,
        on_alert=lambda: None,
    )
    tasks = [asyncio.create_task(house.service.run()), asyncio.create_task(house.pump.run())]
    await house.service.settle()
    start = StartStrategy("ema_crossover", ("RELIANCE",), "1m")
    await house.front.ask(start, source_id="bench:1", actor="bench")
    began = time.perf_counter()
    await house.front.wait(until=END)
    took = time.perf_counter() - began
    for task in tasks:
        task.cancel()
    return took, len(await store.fills(limit=1_000_000))


def main() -> None:
    bars = candles()
    bare(bars[:600])  # TA-Lib's import is not what is measured
    with TemporaryDirectory() as folder:
        path = Path(folder) / "RELIANCE_minute.csv"
        rows = [
            f"{b.start:%Y-%m-%d %H:%M:%S}+05:30,{b.open},{b.high},{b.low},{b.close},{b.volume}" for b in bars
        ]
        path.write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n")
        alone, whole, fills = [], [], 0
        for _ in range(RUNS):
            began = time.perf_counter()
            bare(bars)
            alone.append(time.perf_counter() - began)
            took, fills = asyncio.run(replayed(path))
            whole.append(took)
    ratio = statistics.median(w / a for w, a in zip(whole, alone, strict=True))
    print(f"replay of {len(bars):,} one-minute candles, {fills} fills, median of {RUNS}:")
    print(f"  bare strategy loop   {statistics.median(alone):7.3f} s")
    print(f"  the whole desk       {statistics.median(whole):7.3f} s  ({ratio:.1f} times the bare loop,")
    print(f"                       {len(bars) / statistics.median(whole):,.0f} candles/s)")


if __name__ == "__main__":
    main()
