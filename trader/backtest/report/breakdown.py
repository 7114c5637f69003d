"""The same trades, sorted into drawers. Every breakdown sums to the whole."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trader.backtest.report.daily import IST_MINUTES, MINUTE, date_of, day_of
from trader.backtest.report.growth import ratio
from trader.backtest.result import Reason, Result
from trader.domain.instrument import symbol_of


@dataclass(frozen=True, slots=True)
class Slice:
    """Rupees, and counts; a win gained after charges."""

    label: str
    trades: int
    wins: int
    pnl: float  # before charges
    charges: float
    net: float
    profit_factor: float

    @property
    def win_rate(self) -> float:
        return self.wins / self.trades


def breakdowns(result: Result) -> Mapping[str, tuple[Slice, ...]]:
    """By the name of the view. Months are those of the exits, as they are booked; weekdays and hours those
    of the entries, as that is what a trader decides."""
    return {name: _slices(result, key(result), label) for name, (key, label) in _VIEWS.items()}


Codes = NDArray[np.int64]
_Key = Callable[[Result], Codes]
_Label = Callable[[Result, int], str]


def _slices(result: Result, codes: Codes, label: _Label) -> tuple[Slice, ...]:
    trades = result.trades
    net = trades["pnl"] - trades["charges"]
    kinds, drawer = np.unique(codes, return_inverse=True)

    def sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(drawer, weights=values, minlength=len(kinds)).astype(np.float64)

    count, wins = np.bincount(drawer, minlength=len(kinds)), sums((net > 0).astype(np.float64))
    pnl, charges = sums(trades["pnl"]), sums(trades["charges"])
    won, lost = sums(np.maximum(net, 0.0)), sums(np.maximum(-net, 0.0))
    return tuple(
        Slice(
            label=label(result, int(kind)),
            trades=int(count[n]),
            wins=int(wins[n]),
            pnl=float(pnl[n]),
            charges=float(charges[n]),
            net=float(pnl[n] - charges[n]),
            profit_factor=ratio(float(won[n]), float(lost[n])),
        )
        for n, kind in enumerate(kinds)
    )


def _month(result: Result) -> Codes:
    days = day_of(result.trades["exit_at"]).astype("datetime64[D]")
    months: Codes = days.astype("datetime64[M]").astype(np.int64)
    return months


def _month_label(_: Result, month: int) -> str:
    return f"{calendar.month_abbr[month % 12 + 1]} {1970 + month // 12}"


def _weekday(result: Result) -> Codes:
    weekdays: Codes = (day_of(result.trades["entry_at"]) + date_of(0).weekday()) % 7
    return weekdays


def _hour(result: Result) -> Codes:
    hours: Codes = (result.trades["entry_at"] // MINUTE + IST_MINUTES) % 1440 // 60
    return hours


def _column(name: str) -> _Key:
    return lambda result: result.trades[name].astype(np.int64)


_VIEWS: Final[Mapping[str, tuple[_Key, _Label]]] = {
    "month": (_month, _month_label),
    "weekday": (_weekday, lambda _, day: calendar.day_abbr[day]),
    "hour": (_hour, lambda _, hour: f"{hour:02d}:00"),
    "symbol": (_column("symbol"), lambda result, n: symbol_of(result.symbols[n])),
    "side": (_column("side"), lambda _, side: "long" if side > 0 else "short"),
    "exit": (_column("reason"), lambda _, code: Reason(code).name.lower()),
    "strategy": (_column("leg"), lambda result, n: result.spec.legs[n].name),
}
