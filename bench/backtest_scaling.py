"""How a backtest's cost grows: 1, 10, 50 symbols of a year of minutes, 1, 10, 100 sets of parameters. Each
cell in a process of its own, so that its peak memory is its own. Sets are taken evenly from the hundred, for
quick averages trade more often than slow ones; small cells are run several times, and the median told."""

from __future__ import annotations

import json
import statistics
import sys
import time

from bench.made_candles import YEAR, instruments, made
from bench.ours import PAIRS, ROOMY_TEXT, child, crossover, machine, peak_rss, rss, verdict, world

SYMBOLS, SETS = (1, 10, 50), (1, 10, 100)
MODULE = "bench.backtest_scaling"
MOST = 1.5  # the dearest bar's cost to the cheapest's: above it, cost would not grow linearly
AT_LEAST = 5_000_000  # bars gone through in a cell, in as many runs as that takes


def main() -> None:
    cells = {(symbols, sets): child(MODULE, str(symbols), str(sets)) for symbols in SYMBOLS for sets in SETS}
    print(f"backtests of a year of minutes, by symbols and parameter sets ({machine()})")
    print(f"all risk rules and real charges: {ROOMY_TEXT}")
    print(
        f"  {'symbols':>7}{'sets':>6}{'bars':>14}{'CPU s':>10}{'ns/bar':>8}{'peak MB':>9}{'candles MB':>12}"
    )
    for (symbols, sets), cell in cells.items():
        print(
            f"  {symbols:>7}{sets:>6}{cell['bars']:>14,}{cell['seconds']:>10.3f}{_per_bar(cell):>8.0f}"
            f"{cell['peak']:>9,.0f}{cell['candles']:>12,.0f}"
        )
    costs = [_per_bar(cell) for cell in cells.values()]
    worst = max(costs) / min(costs)
    print(
        verdict(f"the dearest bar costs {worst:.2f} of the cheapest (linear: at most {MOST})", worst <= MOST)
    )
    for symbols in SYMBOLS:
        grown = cells[symbols, SETS[-1]]["peak"] - cells[symbols, SETS[0]]["peak"]
        print(f"  {SETS[-1]} sets instead of one on {symbols} symbols: {grown:+,.0f} MB of peak memory")


def _per_bar(cell: dict[str, float]) -> float:
    return cell["seconds"] / cell["bars"] * 1e9


def _child(symbols: int, sets: int) -> None:
    """The loop is compiled, or loaded, on a few days first."""
    from trader.backtest.run import Backtester

    traded = instruments(symbols)
    of = world(traded)
    few = made(traded[:1], 2)
    Backtester(of, few).run(crossover(of, list(few)))
    before = rss()
    data = made(traded, YEAR)
    candles = rss() - before
    spread = [PAIRS[(2 * n + 1) * len(PAIRS) // (2 * sets)] for n in range(sets)]
    specs = [crossover(of, list(data), fast, slow) for fast, slow in spread]
    backtester = Backtester(of, data)
    backtester.run(specs[0])  # lays out rates and hashes the candles, once for all runs
    took, bars = [], 0
    while not took or len(took) * bars < AT_LEAST:
        backtester._signals.clear()
        began = time.process_time()  # nothing else on the machine counts
        bars = sum(backtester.run(spec).bars for spec in specs)
        took.append(time.process_time() - began)
    seconds = statistics.median(took)
    print(json.dumps({"seconds": seconds, "bars": bars, "peak": peak_rss(), "candles": candles}))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _child(int(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
