"""How long the first backtest of a new installation waits for the compiler, and the first of any process."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from bench.ours import child

CACHED_RUNS = 3
MODULE = "bench.first_start"


@dataclass(frozen=True, slots=True)
class Start:
    """The processor's seconds of the first run in a process, Numba's own import and the compiling or loading
    included."""

    compiled: float
    cached: float


def measure(vectorbt: float | None = None) -> Start:
    """``vectorbt``: its own first run with an empty cache, to print beside ours."""
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        first = child(MODULE, "child", environment=environment)
        later = [child(MODULE, "child", environment=environment) for _ in range(CACHED_RUNS)]
    start = Start(first["cpu"], statistics.median(one["cpu"] for one in later))
    clock = statistics.median(one["seconds"] for one in later)
    print("\nfirst backtest of a process, CPU s (by the clock)")
    print(f"  compiler's cache empty   {start.compiled:6.2f}  ({first['seconds']:.2f})")
    print(f"  cached                   {start.cached:6.2f}  ({clock:.2f})")
    if vectorbt is not None:
        print(f"  vectorbt, cache empty    {vectorbt:6.2f}  (its first run of the symbol-year)")
    return start


def _child() -> None:
    from bench.made_candles import instruments, made
    from bench.ours import crossover, world

    traded = instruments(1)
    data, of = made(traded, 5), world(traded)
    spec = crossover(of, list(data))
    began, busy = time.perf_counter(), time.process_time()
    from trader.backtest.run import Backtester

    result = Backtester(of, data).run(spec)
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    print(json.dumps({"seconds": seconds, "cpu": cpu, "trades": len(result.trades)}))


if __name__ == "__main__":
    if sys.argv[1:] == ["child"]:
        _child()
    else:
        measure()
