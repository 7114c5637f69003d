"""backtesting.py in its idiomatic form: a Strategy with indicators, orders with stop and target."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from common import FAST, FEE, PAIRS, SLOW, STOP, TARGET, frames, report

warnings.filterwarnings("ignore")  # its own deprecations and open trades at the end
try:
    from backtesting import backtesting

    backtesting._tqdm = lambda seq, **_: seq  # its progress bar is not what is measured
except (ImportError, AttributeError):
    pass


def ema(values: object, span: int) -> pd.Series:
    return pd.Series(values).ewm(span=span, adjust=False).mean()


class EmaCross(Strategy):
    fast, slow = FAST, SLOW

    def init(self) -> None:
        self.quick = self.I(ema, self.data.Close, self.fast)
        self.calm = self.I(ema, self.data.Close, self.slow)

    def next(self) -> None:
        price = self.data.Close[-1]
        if crossover(self.quick, self.calm):
            self.position.close()
            self.buy(size=100, sl=price * (1 - STOP), tp=price * (1 + TARGET))
        elif crossover(self.calm, self.quick):
            self.position.close()
            self.sell(size=100, sl=price * (1 + STOP), tp=price * (1 - TARGET))


def simulate(data: dict[str, pd.DataFrame], pairs: list[tuple[int, int]]) -> int:
    trades = 0
    for frame in data.values():
        test = Backtest(
            frame, EmaCross, cash=1e8, commission=FEE, exclusive_orders=False, finalize_trades=True
        )
        for fast, slow in pairs:
            trades += int(test.run(fast=fast, slow=slow)["# Trades"])
    return trades


data = frames(Path(sys.argv[1]))
first = dict([next(iter(data.items()))])
year = {name: frame.iloc[:93_750] for name, frame in first.items()}
report(
    "backtesting.py",
    {
        "year": (3, lambda: simulate(year, [(FAST, SLOW)])),
        "big": (1, lambda: simulate(data, [(FAST, SLOW)])),
        "sweep": (1, lambda: simulate(year, PAIRS)),
    },
)
