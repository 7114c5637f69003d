"""What the peers' runs share: the candles, the cases and the clock. Runs in the peers' own environment."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FAST, SLOW = 9, 21
STOP, TARGET, FEE = 0.01, 0.02, 0.0003
PAIRS = [(fast, slow) for fast in range(4, 14) for slow in range(20, 40, 2)]  # a hundred


def frames(path: Path) -> dict[str, pd.DataFrame]:
    """One frame of Open, High, Low, Close, Volume for each symbol, indexed by time."""
    with np.load(path) as kept:
        return {
            name: pd.DataFrame(
                kept[name][1:].T,
                columns=["Open", "High", "Low", "Close", "Volume"],
                index=pd.DatetimeIndex(pd.to_datetime(kept[name][0].astype(np.int64), unit="us")),
            )
            for name in kept.files
        }


def report(peer: str, cases: dict[str, tuple[int, Callable[[], Any]]]) -> None:
    """Each case as often as it says, after one run to warm up where it is run more than once; the medians of
    the seconds and of the processor's seconds, and what the last run found, as one JSON line."""
    wanted = sys.argv[2].split(",")
    for name, (times, run) in cases.items():
        if name not in wanted:
            continue
        first = None
        if times > 1:
            busy = time.process_time()
            run()
            first = time.process_time() - busy
        took, used, found = [], [], None
        for _ in range(times):
            began, busy = time.perf_counter(), time.process_time()
            found = run()
            took.append(time.perf_counter() - began)
            used.append(time.process_time() - busy)
        told = {"seconds": statistics.median(took), "cpu": statistics.median(used), "runs": times}
        print(json.dumps({"peer": peer, "case": name, **told, "first": first, "trades": found}), flush=True)
