"""The live desk, the paper exchange and their records over a symbol-year of minutes, as fast as they go,
against NautilusTrader's and backtesting.py's bar backtests of the same strategy on the same candles. Reading
the candles is left out on all sides."""

from __future__ import annotations

import json
import pickle
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.made_candles import MINUTES, YEAR, instruments, made, save, save_csv
from bench.ours import ROOMY, ROOMY_TEXT, ROOT, child, machine, peak_rss, peer, rss, verdict
from trader.backtest.flatout import FlatOut
from trader.broker.paper.journal import PaperExecution, PaperOrder, PaperState
from trader.desk.commands import StartStrategy
from trader.desk.limits import RiskLimits
from trader.domain.position import Trade
from trader.domain.records import Record
from trader.feed.replay import DayTable, ReplayMarket
from trader.strategy.catalogue import Catalogue

MODULE = "bench.flat_out"
RUNS = 3
FLAT = 1.10  # of the memory at a quarter of the year: more at its end would be a leak
LIMITS = {"default": RiskLimits(), "roomy": ROOMY}
SETTINGS = {"default": {}, "roomy": {"quantity": "100"}}


class Written:
    """The desk's records and the paper exchange's journal, into one file: nothing of them is kept, as with
    the ledger, whose database is elsewhere."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.records = self.trades = 0

    async def commit(self, records: Sequence[Record]) -> None:
        self.records += len(records)
        self.trades += sum(type(record) is Trade for record in records)
        self._write(records)

    async def load(self) -> PaperState:
        return PaperState((), (), 0)

    async def append(self, orders: Sequence[PaperOrder], executions: Sequence[PaperExecution] = ()) -> None:
        self._write((orders, executions))

    def _write(self, what: Any) -> None:
        pickle.dump(what, self._file, pickle.HIGHEST_PROTOCOL)
        self._file.flush()


class Watched(ReplayMarket):
    """Notes the process's memory as each day begins."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.megabytes: list[float] = []

    def table(self, day: date) -> DayTable:
        self.megabytes.append(rss())
        return super().table(day)


def main() -> None:
    traded = instruments(1)
    data = made(traded, YEAR)
    with TemporaryDirectory() as folder:
        candles = Path(folder) / f"{traded[0].symbol}_minute.csv"
        save_csv(data[traded[0].key], candles)
        warm = Path(folder) / "warm"
        warm.mkdir()
        save_csv(data[traded[0].key][: 2 * MINUTES], warm / candles.name)
        arrays = Path(folder) / "candles.npz"
        save(data, arrays)
        ours = {
            limits: [child(MODULE, limits, str(candles), folder) for _ in range(RUNS)] for limits in LIMITS
        }
        peers = {"NautilusTrader": peer("nautilus", arrays, ["year"])["year"]}
        peers["backtesting.py"] = peer("backtesting", arrays, ["year"])["year"]
    print(f"the live desk flat out, {YEAR * MINUTES:,} one-minute candles ({machine()}), median of {RUNS}")
    print(f"roomy: {ROOMY_TEXT}")
    print(f"  {'':<18}{'seconds':>9}{'CPU s':>9}{'trades':>8}{'records':>9}   MB at ¼, ½, end (peak)")
    took, used = {}, {}
    for limits, runs in ours.items():
        took[limits] = statistics.median(run["seconds"] for run in runs)
        used[limits] = statistics.median(run["cpu"] for run in runs)
        last = runs[-1]
        memory = ", ".join(f"{one:.1f}" for one in last["memory"]) + f" ({last['peak']:.1f})"
        times = f"{took[limits]:>9.2f}{used[limits]:>9.2f}"
        print(f"  desk, {limits:<12}{times}{last['trades']:>8,}{last['records']:>9,}   {memory}")
    for name, told in peers.items():
        print(f"  {name:<18}{told.seconds:>9.2f}{told.cpu:>9.2f}{told.trades:>8,}")
    for limits, runs in ours.items():
        nautilus, backtesting = (told.cpu / used[limits] for told in peers.values())
        quarter, _, end = runs[-1]["memory"]
        print(f"{limits} limits, by the processor's seconds")
        print(verdict(f"at least 5 times as fast as NautilusTrader: {nautilus:.2f}", nautilus >= 5))
        print(verdict(f"no slower than backtesting.py: {backtesting:.2f} times as fast", backtesting >= 1))
        print(verdict(f"memory flat: {end / quarter:.3f} of a quarter's at the end", end / quarter <= FLAT))


def _child(limits: str, candles: Path, folder: Path) -> None:
    market = Watched.from_path(candles)
    assert isinstance(market, Watched)
    symbol = market.instruments()[0].symbol
    catalogue = Catalogue.discover(ROOT / "strategies")
    few = ReplayMarket.from_path(folder / "warm" / candles.name)  # late imports are not what is measured
    _desk(few, catalogue, LIMITS[limits], Written(folder / "warm" / "records"), symbol, limits).run()
    written = Written(folder / "records")
    began, busy = time.perf_counter(), time.process_time()
    desk = _desk(market, catalogue, LIMITS[limits], written, symbol, limits)
    bars = desk.run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    assert bars == YEAR * MINUTES, bars
    days = market.megabytes
    told = {
        "seconds": seconds,
        "cpu": cpu,
        "trades": written.trades,
        "records": written.records,
        "memory": [days[len(days) // 4], days[len(days) // 2], rss()],
        "peak": peak_rss(),
    }
    print(json.dumps(told))


def _desk(
    market: ReplayMarket, catalogue: Catalogue, limits: RiskLimits, written: Written, symbol: str, kind: str
) -> FlatOut:
    desk = FlatOut(market, catalogue, written, written, limits)
    answer = desk.ask(StartStrategy("ema_crossover", (symbol,), "1m", SETTINGS[kind]), "bench:1")
    assert answer.ok, answer.text
    return desk


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _child(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
