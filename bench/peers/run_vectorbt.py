"""vectorbt in its idiomatic form: whole arrays, one Portfolio.from_signals for all columns."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt as vbt
from common import FAST, FEE, PAIRS, SLOW, STOP, TARGET, frames, report


def simulate(data: dict[str, pd.DataFrame], pairs: list[tuple[int, int]]) -> int:
    names = list(data)
    price = {
        field: pd.DataFrame({n: data[n][field].to_numpy() for n in names}, index=data[names[0]].index)
        for field in ("Open", "High", "Low", "Close")
    }
    fast = vbt.MA.run(price["Close"], [f for f, _ in pairs], ewm=True, short_name="fast")
    slow = vbt.MA.run(price["Close"], [s for _, s in pairs], ewm=True, short_name="slow")
    up, down = fast.ma_crossed_above(slow).to_numpy(), fast.ma_crossed_below(slow).to_numpy()
    # A signal at a close trades at the next open.
    up, down = np.roll(up, 1, axis=0), np.roll(down, 1, axis=0)
    up[0] = down[0] = False
    wide = len(pairs)
    columns = {field: np.tile(frame.to_numpy(), (1, wide)) for field, frame in price.items()}
    portfolio = vbt.Portfolio.from_signals(
        columns["Close"],
        entries=up,
        exits=down,
        short_entries=down,
        short_exits=up,
        price=columns["Open"],
        open=columns["Open"],
        high=columns["High"],
        low=columns["Low"],
        sl_stop=STOP,
        tp_stop=TARGET,
        fees=FEE,
        freq="1min",
        size=100_000.0,
        size_type="value",
        init_cash=1e9,
    )
    return int(np.sum(portfolio.trades.count()))


data = frames(Path(sys.argv[1]))
first = dict([next(iter(data.items()))])
year = {name: frame.iloc[:93_750] for name, frame in first.items()}
report(
    "vectorbt",
    {
        "year": (5, lambda: simulate(year, [(FAST, SLOW)])),
        "big": (3, lambda: simulate(data, [(FAST, SLOW)])),
        "sweep": (3, lambda: simulate(year, PAIRS)),
    },
)
