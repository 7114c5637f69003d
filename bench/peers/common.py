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
    """Each case as often as it says, after one run to warm up where it is run more than once; the median of
    the seconds and what the last run found, as one JSON line."""
    wanted = sys.argv[2].split(",")
    for name, (times, run) in cases.items():
        if name not in wanted:
            continue
        first = None
        if times > 1:
            began = time.perf_counter()
            run()
            first = time.perf_counter() - began
        took, found = [], None
        for _ in range(times):
            began = time.perf_counter()
            found = run()
            took.append(time.perf_counter() - began)
        told = {"peer": peer, "case": name, "seconds": statistics.median(took), "runs": times}
        print(json.dumps({**told, "first": first, "trades": found}), flush=True)
