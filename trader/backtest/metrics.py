"""Every figure of a backtest. docs/backtest.md defines each; ratios are shares, not percents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trader.backtest.benchmark import Benchmark, benchmark
from trader.backtest.report.breakdown import Slice, breakdowns
from trader.backtest.report.daily import Daily, daily
from trader.backtest.report.drawdown import Drawdown, deepest, drawdowns
from trader.backtest.report.growth import NAN, Growth, Period, growth, months, ratio
from trader.backtest.report.trading import Holding, Trading, holding, luck, trading, win_rate_band
from trader.backtest.report.words import money
from trader.backtest.result import Result
from trader.domain.times import date_text

FEW_TRADES = 30  # below this a mean says little, whatever it is
FEW_DAYS = 60  # below this a yearly figure is an extrapolation
_REASONS = 2  # why entries were refused, named in the notes
_DRAWDOWNS = 5  # named in the report
_WIDER = (20, 50, 99)  # % that a limit may be set to for a test
_MANY_REFUSED = 0.1  # of the entries asked for: from here on the figures are the limits', too
# The hours in which nothing is entered are the strategy's own affair; what is in here is not.
_REFUSALS: Final[Mapping[str, str]] = {
    "not_tradable": "an index cannot be traded",
    "product": "the product cannot be had in it",
    "open_positions": "as many positions as the desk allows were open",
    "strategy_positions": "as many as its max_positions were open",
    "order_value": "the order was too large for the desk",
    "position_size": "the position would have been too large",
    "exposure": "the desk held as much as it may",
    "capital": "the capital was in use",
    "trades_per_day": "the day's trades were used up",
    "cooldown": "the pause after losses in a row lasted",
    "price_band": "the price was at its circuit limit",
    "broker_funds": "the broker's money did not reach",
}
_OTHER_REFUSALS: Final[Mapping[str, str]] = {
    "mode": "trading had been halted",
    "session_closed": "the market was closed",
    "entries_over": "the day's entries were over",
    "lot_multiple": "the quantity was no whole lot",
    "freeze_quantity": "the exchange takes no order as large",
    "no_quote": "there was no price yet",
    "stale_quote": "the last price was too old",
    "expired": "the contract had expired",
    "expires_today": "the contract expired that day",
    "risk_per_trade": "the trade risked more than one may",
    "daily_loss": "the day's loss was at its limit",
    "drawdown": "the drawdown was at its limit",
    "rate_second": "too many orders were sent in that second",
    "rate_minute": "too many orders were sent in that minute",
    "rate_day": "too many orders were sent that day",
    "duplicate_signal": "the same entry had just been made",
}
_A_RUPEE = 1.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """``months`` are of the equity, ``breakdowns`` of the trades. ``notes`` are sentences on what these
    figures do not prove."""

    growth: Growth
    calmar: float
    drawdown: Drawdown | None  # the deepest, at any candle's close
    longest: Drawdown | None
    drawdowns: Sequence[Drawdown]  # the deepest first
    trading: Trading
    luck: float  # probability of a mean trade this good without an edge
    win_rate_band: tuple[float, float]
    holding: Holding
    months: Sequence[Period]
    breakdowns: Mapping[str, Sequence[Slice]]
    benchmark: Benchmark
    notes: Sequence[str]

    def numbers(self) -> dict[str, float]:
        """Flat, under the names of ``NUMBERS``."""
        return {
            **_numbers(self.growth, self.calmar, self.drawdown, self.trading, self.holding),
            "buy_and_hold": self.benchmark.growth.total,
        }


def metrics(result: Result, *, risk_free: float = 0.0) -> Metrics:
    """``risk_free`` is a yearly rate as a share: 0.065 for 6.5%."""
    own, grown, fall, calmar = _curve(result, risk_free)
    bets = trading(result)
    net = result.trades["pnl"] - result.trades["charges"]
    falls = drawdowns(result.at, result.equity, float(result.spec.limits.capital))
    chance = luck(net)
    return Metrics(
        growth=grown,
        calmar=calmar,
        drawdown=fall,
        longest=falls.longest(),
        drawdowns=falls.deepest(_DRAWDOWNS),
        trading=bets,
        luck=chance,
        win_rate_band=win_rate_band(bets.wins, bets.trades),
        holding=holding(result),
        months=months(own),
        breakdowns=breakdowns(result),
        benchmark=benchmark(result, own, risk_free),
        notes=_notes(result, grown, bets, chance),
    )


def numbers(result: Result, *, risk_free: float = 0.0) -> dict[str, float]:
    """The figures a search may rank by, without what takes time: breakdowns, benchmark, tests of chance."""
    _, grown, fall, calmar = _curve(result, risk_free)
    return _numbers(grown, calmar, fall, trading(result), holding(result))


# What each number of ``numbers`` is, for help texts. Shares are of 1; rupees are after charges.
NUMBERS: Final[Mapping[str, str]] = {
    "net": "rupees of all trades after charges",
    "return": "equity at the end over the capital, less 1",
    "cagr": "the same a year",
    "volatility": "deviation of daily returns, a year",
    "sharpe": "mean over deviation of daily returns, a year",
    "sortino": "mean over downside deviation, a year",
    "calmar": "cagr over the deepest drawdown",
    "max_drawdown": "deepest fall from a peak, as a share of it",
    "drawdown_days": "calendar days from that peak until it was reached again, or to the end",
    "days": "trading days",
    "days_up": "share of days that gained",
    "worst_day": "rupees of the worst day",
    "best_day": "rupees of the best day",
    "trades": "round trips",
    "win_rate": "share of trades that gained",
    "profit_factor": "rupees won over rupees lost",
    "expectancy": "rupees of the mean trade",
    "expectancy_r": "the mean trade in average losses",
    "payoff": "average win over average loss",
    "sqn": "square root of trades, times mean over deviation of trades",
    "charges": "rupees of charges",
    "charges_share": "charges over the gross profit of winning trades",
    "best_trade": "rupees of the best trade",
    "worst_trade": "rupees of the worst trade",
    "win_streak": "wins in a row",
    "loss_streak": "losses in a row",
    "in_market": "share of candle closes at which anything was held",
    "average_gross": "mean gross value held over capital",
    "turnover": "rupees bought plus rupees sold",
}


def _numbers(
    grown: Growth, calmar: float, fall: Drawdown | None, bets: Trading, held: Holding
) -> dict[str, float]:
    return {
        "net": bets.net,
        "return": grown.total,
        "cagr": grown.cagr,
        "volatility": grown.volatility,
        "sharpe": grown.sharpe,
        "sortino": grown.sortino,
        "calmar": calmar,
        "max_drawdown": fall.share if fall else 0.0,
        "drawdown_days": float(fall.days) if fall else 0.0,
        "days": float(grown.days),
        "days_up": grown.days_up,
        "worst_day": grown.worst_day.rupees if grown.worst_day else NAN,
        "best_day": grown.best_day.rupees if grown.best_day else NAN,
        "trades": float(bets.trades),
        "win_rate": bets.win_rate,
        "profit_factor": bets.profit_factor,
        "expectancy": bets.expectancy,
        "expectancy_r": bets.expectancy_r,
        "payoff": bets.payoff,
        "sqn": bets.sqn,
        "charges": bets.charges,
        "charges_share": bets.charges_share,
        "best_trade": bets.best.net if bets.best else NAN,
        "worst_trade": bets.worst.net if bets.worst else NAN,
        "win_streak": float(bets.win_streak),
        "loss_streak": float(bets.loss_streak),
        "in_market": held.in_market,
        "average_gross": held.average_gross,
        "turnover": held.turnover,
    }


def _curve(result: Result, risk_free: float) -> tuple[Daily, Growth, Drawdown | None, float]:
    capital = float(result.spec.limits.capital)
    own = daily(result.at, result.equity, capital)
    grown = growth(own, risk_free)
    fall = deepest(result.at, result.equity, capital)
    return own, grown, fall, ratio(grown.cagr, fall.share if fall else 0.0)


def _notes(result: Result, grown: Growth, bets: Trading, chance: float) -> tuple[str, ...]:
    notes = []
    if result.halted:
        day = f" on {date_text(result.halted_on)}" if result.halted_on else ""
        notes.append(
            f"The limit {result.halted} ended all trading{day}: the days after it are without trades."
            f"{_wider(result)}"
        )
    notes += _refusals(result, bets.trades)
    if not result.spec.charges:
        notes.append("Without charges, which every trade of the desk pays.")
    if not bets.trades:
        notes.append("No trade was made: nothing follows about the strategy.")
    elif bets.trades < FEW_TRADES:
        count = "1 trade" if bets.trades == 1 else f"{bets.trades} trades"
        notes.append(f"Only {count}: chance alone explains most results this small.")
    if 0 < grown.days < FEW_DAYS:
        days = "1 trading day" if grown.days == 1 else f"{grown.days} trading days"
        notes.append(f"Only {days}: yearly figures are extrapolations.")
    if bets.trades >= FEW_TRADES and bets.net > 0 and chance > 0.05:
        notes.append(f"A mean trade this good comes without any edge {100 * chance:.0f} times in 100.")
    if bets.pnl > 0 > bets.net:
        gained, took = money(bets.pnl, signed=False), money(bets.charges, signed=False)
        notes.append(f"Gained {gained} before charges, and charges took {took}.")
    if bets.open_at_end:
        still = "1 position was" if bets.open_at_end == 1 else f"{bets.open_at_end} positions were"
        notes.append(f"{still} still open at the end: valued at the last close, not sold.")
    gap = grown.rupees - bets.net
    if abs(gap) > max(_A_RUPEE, 1e-6 * abs(grown.start)) and math.isfinite(gap):
        notes.append(f"Equity and trades differ by {money(gap)}: do not trust this result.")
    return tuple(notes)


def _wider(result: Result) -> str:
    """What would let the test go on, where anything would."""
    limits = result.spec.limits
    set_to = {"drawdown": limits.max_drawdown_pct, "daily_loss": limits.max_daily_loss_pct}.get(result.halted)
    wider = next((percent for percent in _WIDER if set_to is not None and percent > set_to), None)
    return f" {result.halted}={wider} would set it to {wider}% for this test." if wider else ""


def _refusals(result: Result, trades: int) -> list[str]:
    """A strategy of which the limits leave a part is another one, and its figures do not say so."""
    refused = {code: count for code, count in result.denied.items() if code in _REFUSALS}
    every, total = trades + sum(result.denied.values()), sum(refused.values())
    if not total or total < _MANY_REFUSED * every:
        return []
    most = sorted(refused.items(), key=lambda one: -one[1])[:_REASONS]
    why = "; ".join(_refused(code, count) for code, count in most)
    return [f"Of {every:,} entries asked for {total:,} were refused: {why}."]


def refusals(result: Result) -> str:
    """Every entry that was refused, the commonest reason first: ``3 because the market was closed; 1 …``."""
    most = sorted(result.denied.items(), key=lambda one: -one[1])
    return "; ".join(_refused(code, count) for code, count in most) or "none"


def _refused(code: str, count: int) -> str:
    return f"{count:,} because {_REFUSALS.get(code) or _OTHER_REFUSALS.get(code, code)}"
