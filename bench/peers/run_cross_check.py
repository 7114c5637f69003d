"""The crossover without stops and charges in backtesting.py: its trades, for bench/cross_check.py to compare.

Usage: run_cross_check.py FILE.npz RULES, with RULES in JSON: ``shorts``; ``last_entry`` and ``square_off`` in
minutes of the day of the file's clock, null for none.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from backtesting import Backtest, Strategy, backtesting
from backtesting.lib import crossover
from common import FAST, SLOW, frames

warnings.filterwarnings("ignore")
backtesting._tqdm = lambda seq, **_: seq


def ema(values: np.ndarray, span: int) -> np.ndarray:
    """Begun with a simple average, as TA-Lib does it."""
    found = np.full(len(values), np.nan)
    found[span - 1] = values[:span].mean()
    for n in range(span, len(values)):
        found[n] = found[n - 1] + 2 / (span + 1) * (values[n] - found[n - 1])
    return found


class EmaCross(Strategy):
    shorts: bool = True
    last_entry: int | None = None
    square_off: int | None = None

    def init(self) -> None:
        self.quick = self.I(ema, self.data.Close, FAST)
        self.calm = self.I(ema, self.data.Close, SLOW)

    def next(self) -> None:
        begins = self.data.index[-1]
        ends = begins.hour * 60 + begins.minute + 1
        enters = self.last_entry is None or ends <= self.last_entry
        if self.square_off is not None and ends >= self.square_off:
            self.position.close()
        if crossover(self.quick, self.calm):
            self.position.close()
            if enters:
                self.buy(size=100)
        elif crossover(self.calm, self.quick):
            self.position.close()
            if enters and self.shorts:
                self.sell(size=100)


rules = json.loads(sys.argv[2])
for name, frame in frames(Path(sys.argv[1])).items():
    test = Backtest(frame, EmaCross, cash=1e9, commission=0, exclusive_orders=False, finalize_trades=True)
    found = test.run(**rules)["_trades"]
    trades = [
        [int(entry.value // 1000), int(leave.value // 1000), 1 if size > 0 else -1, abs(int(size)), paid, got]
        for entry, leave, size, paid, got in zip(
            found["EntryTime"], found["ExitTime"], found["Size"], found["EntryPrice"], found["ExitPrice"],
            strict=True,
        )
    ]  # fmt: skip
    print(json.dumps({"symbol": name, "trades": trades}))
