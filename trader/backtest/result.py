"""What a backtest found: its trades, its equity, and what must be known to do it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trader.backtest.spec import Spec

if TYPE_CHECKING:
    import pandas as pd


class Reason(IntEnum):
    """Why a trade ended."""

    SIGNAL = 0
    STOP = 1
    TARGET = 2
    SQUAREOFF = 3
    BREACH = 4  # a loss limit closed everything
    END = 5  # still open at the last candle: valued at its close, not executed


# One row a round trip, in the order of their exits. Times are microseconds since 1970 UTC; rupees.
TRADE = np.dtype(
    [
        ("leg", np.int32),  # index into spec.legs
        ("symbol", np.int32),  # index into Result.symbols
        ("side", np.int8),  # 1 long, -1 short
        ("reason", np.int8),  # Reason
        ("quantity", np.int64),
        ("entry_at", np.int64),
        ("exit_at", np.int64),
        ("entry_price", np.float64),
        ("exit_price", np.float64),
        ("pnl", np.float64),  # before charges
        ("charges", np.float64),  # of both orders
        ("best", np.float64),  # best and worst price seen while it was held
        ("worst", np.float64),
    ]
)


@dataclass(frozen=True, slots=True)
class Result:
    """``at`` and ``equity`` are of equal length: capital plus everything booked plus the unrealised, after
    every moment at which candles closed (microseconds since 1970 UTC, rupees). ``exposure`` is the gross
    rupees held then. ``close`` holds the closes of ``symbols`` then, forward filled, NaN before the first:
    shape (len(at), len(symbols)). ``denied`` counts entries the risk rules refused, by their code.
    ``halted``: the code of a limit that ended all trading, else "". ``warnings`` are sentences to show."""

    spec: Spec
    symbols: Sequence[str]
    trades: NDArray[Any]  # dtype TRADE
    at: NDArray[np.int64]
    equity: NDArray[np.float64]
    exposure: NDArray[np.float64]
    close: NDArray[np.float64]
    bars: int  # candles gone through
    days: int  # trading days
    denied: Mapping[str, int] = field(default_factory=dict)
    halted: str = ""
    halted_on: date | None = None
    warnings: Sequence[str] = ()
    code_hash: str = ""  # of the rules, the strategies and the tables used
    data_hash: str = ""  # of the candles used
    seconds: float = 0.0

    @property
    def net(self) -> float:
        """Rupees of all trades after charges."""
        return float(self.trades["pnl"].sum() - self.trades["charges"].sum())

    def frame(self) -> pd.DataFrame:
        """The trades for people: times in IST, names for indexes, ``net`` beside pnl and charges."""
        import pandas as pd  # late: half a second

        table = pd.DataFrame(self.trades)
        names = [leg.name for leg in self.spec.legs]
        table["leg"] = [names[i] for i in self.trades["leg"]]
        table["symbol"] = [self.symbols[i] for i in self.trades["symbol"]]
        table["side"] = np.where(self.trades["side"] > 0, "long", "short")
        table["reason"] = [Reason(int(code)).name.lower() for code in self.trades["reason"]]
        for column in ("entry_at", "exit_at"):
            table[column] = pd.to_datetime(table[column], unit="us", utc=True).dt.tz_convert("Asia/Kolkata")
        # To the paisa, as they are: in a spreadsheet -176.51999999999998 is nobody's loss.
        for column in ("pnl", "charges"):
            table[column] = table[column].round(2)
        table["net"] = (table["pnl"] - table["charges"]).round(2)
        return table
