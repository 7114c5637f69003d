"""Backtests against a bare compiled loop, vectorbt and backtesting.py: the same candles, the same rules (EMA
9/21, stop 1 %, target 2 %, 0.03 % fee; ours with the real charges), peers in their idiomatic form.

Candles are made from a seed. Medians of several runs, after one that is thrown away; backtesting.py's two
long cases run once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from bench import first_start
from bench.bare import bare, compile_bare
from bench.made_candles import MINUTES, YEAR, instruments, made, save
from bench.ours import FAST, PAIRS, ROOMY_TEXT, SLOW, Told, crossover, machine, peer, verdict, world
from trader.backtest.result import Result
from trader.backtest.run import Backtester
from trader.domain.instrument import InstrumentKey
from trader.strategy.bars import Bars

_T = TypeVar("_T")
Data = Mapping[InstrumentKey, Bars]
Pairs = Sequence[tuple[int, int]]
CASES = {"year": "one symbol, a year", "big": "ten symbols, three years", "sweep": "a year, 100 pairs"}
RUNS = {"year": 21, "big": 7, "sweep": 5}


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds by the clock, and by the processor. Everything here runs in one thread, so on a machine with
    nothing else to do they are the same; on a busy one only the second can be compared."""

    seconds: float
    cpu: float

    @classmethod
    def of(cls, runs: Sequence[Timed]) -> Timed:
        return cls(statistics.median(r.seconds for r in runs), statistics.median(r.cpu for r in runs))


@dataclass(frozen=True, slots=True)
class Measured:
    """``first``: the first run on new candles, which also lays out their tables of rates and their hash;
    ``again``: with the signals still known."""

    ours: Timed
    trades: int
    bare: Timed
    bare_trades: int
    laid: Timed
    first: Timed
    again: Timed
    denied: Mapping[str, int]
    halted: str


def run_bare(data: Data, pairs: Pairs) -> int:
    trades = 0
    for bars in data.values():
        for fast, slow in pairs:
            trades += bare(bars.open, bars.high, bars.low, bars.close, fast, slow)[0]
    return trades


def measure(data: Data, pairs: Pairs, runs: int) -> Measured:
    """Ours and the bare loop in turns, so that both meet the same neighbours on the machine."""
    of = world(instruments(len(data)))
    specs = [crossover(of, list(data), fast, slow) for fast, slow in pairs]
    laid, backtester = timed(lambda: Backtester(of, data))

    def ours() -> tuple[int, Result]:
        trades = 0
        for spec in specs:
            result = backtester.run(spec)
            trades += len(result.trades)
        return trades, result

    first, _ = timed(ours)
    again, _ = timed(ours)
    took, loops = [], []
    for _ in range(runs):
        loop, bare_trades = timed(lambda: run_bare(data, pairs))
        loops.append(loop)
        backtester._signals.clear()  # the strategy's own arithmetic is part of what is measured
        seconds, (trades, last) = timed(ours)
        took.append(seconds)
    return Measured(
        Timed.of(took), trades, Timed.of(loops), bare_trades, laid, first, again, last.denied, last.halted
    )


def timed(work: Callable[[], _T]) -> tuple[Timed, _T]:
    began, busy = time.perf_counter(), time.process_time()
    found = work()
    return Timed(time.perf_counter() - began, time.process_time() - busy), found


def main(days: int = 3 * YEAR, peers: Sequence[str] = ("vectorbt", "backtesting")) -> None:
    compile_bare()
    few = made(instruments(1), 2)
    Backtester(world(instruments(1)), few).run(crossover(world(instruments(1)), list(few)))  # compiles
    data = made(instruments(10), days)
    key, bars = next(iter(data.items()))
    year = {key: bars[: YEAR * MINUTES]}
    print(f"backtests ({machine()})")
    print(f"ours with all risk rules and the real charges: {ROOMY_TEXT}")
    ours = {
        "year": measure(year, [(FAST, SLOW)], RUNS["year"]),
        "big": measure(data, [(FAST, SLOW)], RUNS["big"]),
        "sweep": measure(year, PAIRS, RUNS["sweep"]),
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / "candles.npz"
        save(data, path)
        told = {name: peer(name, path, list(CASES), Path(folder) / name) for name in peers}
    sizes = {
        "year": len(year[key]),
        "big": sum(map(len, data.values())),
        "sweep": len(PAIRS) * len(year[key]),
    }
    for case, name in CASES.items():
        _show(f"{name}: {sizes[case]:,} bars", ours[case], {peer: told[peer][case] for peer in told})
    start = first_start.measure(told["vectorbt"]["year"].first if "vectorbt" in told else None)
    _judge(ours, told, start)


def _show(title: str, own: Measured, others: Mapping[str, Told]) -> None:
    print(f"\n{title}")
    print(f"  {'':<16}{'seconds':>10}{'CPU s':>10}{'× bare':>9}{'trades':>10}  ours is")
    _row("bare loop", own.bare, own.bare, own.bare_trades, "")
    _row("ours", own.ours, own.bare, own.trades, "")
    for name, told in others.items():
        faster = f"{told.cpu / own.ours.cpu:,.1f} times as fast"
        _row(name + (".py" if name == "backtesting" else ""), told, own.bare, told.trades, faster)
    denied = ", ".join(f"{code} {n}" for code, n in own.denied.items()) or "nothing"
    print(
        f"  ours: {own.laid.cpu:.4f} s to lay the candles out, {own.first.cpu:.4f} s the first run, "
        f"{own.again.cpu:.4f} s with the signals known"
    )
    print(
        f"  the rules refused (last run): {denied}; {'HALTED by ' + own.halted if own.halted else 'no halt'}"
    )


def _row(name: str, took: Timed | Told, loop: Timed, trades: int, note: str) -> None:
    times = f"{took.seconds:>10.4f}{took.cpu:>10.4f}{took.cpu / loop.cpu:>9.1f}"
    print(f"  {name:<16}{times}{trades:>10,}  {note}")


def _judge(
    ours: Mapping[str, Measured], told: Mapping[str, Mapping[str, Told]], start: first_start.Start
) -> None:
    print("\ngoals (by the processor's seconds)")
    big = ours["big"].ours.cpu / ours["big"].bare.cpu
    print(verdict(f"big case within 4 times the bare loop: {big:.1f}", big <= 4))
    for case in CASES if "vectorbt" in told else ():
        ratio = told["vectorbt"][case].cpu / ours[case].ours.cpu
        print(verdict(f"{case} at least 5 times as fast as vectorbt: {ratio:.1f}", ratio >= 5))
    if "backtesting" in told:
        ratio = told["backtesting"]["year"].cpu / ours["year"].ours.cpu
        print(verdict(f"year at least 200 times as fast as backtesting.py: {ratio:.0f}", ratio >= 200))
    print(verdict(f"first run compiles in under 10 s: {start.compiled:.1f} s", start.compiled < 10))
    print(verdict(f"cached under 1 s: {start.cached:.2f} s", start.cached < 1))


if __name__ == "__main__":
    main()
