"""Real candles for tests, where the machine has them; never part of the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from trader.domain.instrument import instrument_key
from trader.domain.market import Interval
from trader.strategy import Bars

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "minute" / "stocks"


def real_bars(symbol: str) -> Bars:
    """All one-minute bars of a symbol; skips the test where there are none."""
    files = sorted(FOLDER.glob(f"{symbol}_minute_*.parquet"))
    if not files:
        pytest.skip(f"no candles of {symbol} beside the project")
    table = pq.read_table(files[0])
    columns = (table[name].to_numpy() for name in ("open", "high", "low", "close", "volume"))
    start = table["date"].to_numpy().astype("datetime64[us]")
    return Bars.of_arrays(instrument_key(symbol), Interval.M1, np.asarray(start), *columns)
