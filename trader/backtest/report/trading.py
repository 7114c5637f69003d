"""The trades as a list of bets, and how much of the capital they used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trader.backtest.report.growth import NAN, ratio
from trader.backtest.result import Reason, Result
from trader.strategy.bars import moment

_NORMAL = NormalDist()
_STILL = 1e-9  # rupees: a deviation below this is rounding


@dataclass(frozen=True, slots=True)
class Marked:
    """One trade worth naming; ``n`` is its row in Result.trades."""

    n: int
    symbol: str
    exit_at: datetime
    net: float


@dataclass(frozen=True, slots=True)
class Trading:
    """Rupees, and counts, of round trips; a win is one that gained after its charges. NaN: not defined."""

    trades: int
    wins: int
    losses: int
    open_at_end: int  # valued at the last close, not executed
    pnl: float  # before charges
    charges: float
    net: float
    gross_profit: float  # of the trades that gained before charges
    charges_share: float  # of gross_profit
    win_rate: float
    profit_factor: float  # net of the wins over net of the losses
    expectancy: float  # mean net
    expectancy_r: float  # the same, in average losses
    payoff: float  # average win over average loss
    average_win: float
    average_loss: float  # positive
    sqn: float  # system quality number: sqrt(trades) · mean / deviation, uncapped
    best: Marked | None
    worst: Marked | None
    win_streak: int
    loss_streak: int
    held_minutes: float  # mean, on the clock, nights included
    gave_back: float  # mean rupees between the best price seen and the exit


@dataclass(frozen=True, slots=True)
class Holding:
    """``in_market``: share of the candle closes at which anything was held. The others as shares of capital:
    gross value held, on average over all closes and at most; value bought and sold, a day and in all."""

    in_market: float
    average_gross: float
    most_gross: float
    turnover: float  # rupees bought plus rupees sold
    turnover_a_day: float


def trading(result: Result) -> Trading:
    trades = result.trades
    net = trades["pnl"] - trades["charges"]
    count = len(net)
    won, lost = net[net > 0], -net[net < 0]
    mean = float(net.mean()) if count else NAN
    average_win = float(won.mean()) if len(won) else NAN
    average_loss = float(lost.mean()) if len(lost) else NAN
    gross_profit = float(trades["pnl"][trades["pnl"] > 0].sum())
    charges = float(trades["charges"].sum())
    return Trading(
        trades=count,
        wins=len(won),
        losses=len(lost),
        open_at_end=int((trades["reason"] == Reason.END).sum()),
        pnl=float(trades["pnl"].sum()),
        charges=charges,
        net=result.net,
        gross_profit=gross_profit,
        charges_share=charges / gross_profit if gross_profit > 0 else NAN,
        win_rate=len(won) / count if count else NAN,
        profit_factor=ratio(float(won.sum()), float(lost.sum())) if count else NAN,
        expectancy=mean,
        expectancy_r=mean / average_loss if len(lost) else NAN,
        payoff=average_win / average_loss if len(won) and len(lost) else NAN,
        average_win=average_win,
        average_loss=average_loss,
        sqn=sqn(net),
        best=_marked(result, net, int(np.argmax(net))) if count else None,
        worst=_marked(result, net, int(np.argmin(net))) if count else None,
        win_streak=streak(net > 0),
        loss_streak=streak(net < 0),
        held_minutes=float((trades["exit_at"] - trades["entry_at"]).mean()) / 60e6 if count else NAN,
        gave_back=float(_given_back(trades).mean()) if count else NAN,
    )


def holding(result: Result) -> Holding:
    capital = float(result.spec.limits.capital)
    trades, held = result.trades, result.exposure
    bought = float((trades["quantity"] * trades["entry_price"]).sum())
    executed = trades[trades["reason"] != Reason.END]
    turnover = bought + float((executed["quantity"] * executed["exit_price"]).sum())
    return Holding(
        in_market=float((held > 0).mean()) if len(held) else NAN,
        average_gross=float(held.mean()) / capital if len(held) else NAN,
        most_gross=float(held.max()) / capital if len(held) else NAN,
        turnover=turnover,
        turnover_a_day=turnover / capital / result.days if result.days else NAN,
    )


def sqn(net: NDArray[np.float64]) -> float:
    """Van Tharp's, on rupees. The same number as the t statistic of the mean trade."""
    if len(net) < 2:
        return NAN
    deviation = float(net.std(ddof=1))
    return math.sqrt(len(net)) * float(net.mean()) / deviation if deviation > _STILL else NAN


def luck(net: NDArray[np.float64]) -> float:
    """How probable a mean trade this good is without any edge (one-sided t test); NaN for fewer than two
    trades, or all alike. It takes trades as independent, which trades of one day are not quite."""
    if len(net) < 2 or not float(net.std(ddof=1)) > _STILL:
        return NAN
    from scipy.special import stdtr  # scipy.stats takes a second and a half to import, this a quarter

    return float(stdtr(len(net) - 1, -sqn(net)))


def win_rate_band(wins: int, trades: int) -> tuple[float, float]:
    """Where the true share of wins is, 95 times of 100 (Wilson)."""
    if not trades:
        return NAN, NAN
    z = _NORMAL.inv_cdf(0.975)
    share, doubt = wins / trades, z * z / trades
    middle = (share + doubt / 2) / (1 + doubt)
    half = math.sqrt(share * (1 - share) * doubt + doubt * doubt / 4) / (1 + doubt)
    return max(0.0, middle - half), min(1.0, middle + half)


def streak(hits: NDArray[np.bool_]) -> int:
    """The longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], hits, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def _given_back(trades: NDArray[Any]) -> NDArray[np.float64]:
    given: NDArray[np.float64] = (trades["best"] - trades["exit_price"]) * trades["side"] * trades["quantity"]
    return np.maximum(given, 0.0)  # slippage may execute beyond the best price of the candles


def _marked(result: Result, net: NDArray[np.float64], n: int) -> Marked:
    trade = result.trades[n]
    return Marked(n, result.symbols[int(trade["symbol"])], moment(int(trade["exit_at"])), float(net[n]))
