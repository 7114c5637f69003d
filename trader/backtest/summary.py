"""The figures as rows of words: a few for a phone, all of them for the shell and the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trader.backtest.metrics import Metrics
from trader.backtest.report.breakdown import Slice
from trader.backtest.report.drawdown import Drawdown
from trader.backtest.report.growth import Period
from trader.backtest.report.trading import Marked, Trading
from trader.backtest.report.words import NOTHING, count, length, moment_text, money, percent, plain
from trader.backtest.result import Result
from trader.domain.instrument import symbol_of
from trader.domain.times import date_text
from trader.strategy.bars import moment

Row = tuple[str, str]
_VALUE = 34 - len("Charges ")
SLICE_HEAD = ("Trades", "Won", "P&L", "Charges", "Net", "Profit f.")


def summary(metrics: Metrics) -> list[Row]:
    """Name and value, together at most 34 columns with a blank between them."""
    grown, bets, fall = metrics.growth, metrics.trading, metrics.drawdown
    return [
        ("Net", f"{money(bets.net)} ({percent(grown.total, signed=True)})"),
        ("Buy & hold", percent(metrics.benchmark.growth.total, signed=True)),
        ("A year", percent(grown.cagr, signed=True)),
        ("Sharpe", plain(grown.sharpe)),
        ("Sortino", plain(grown.sortino)),
        ("Drawdown", f"{percent(-fall.share)} in {fall.days} d" if fall else "none"),
        ("Trades", f"{count(bets.trades)}, {percent(bets.win_rate, 0)} won" if bets.trades else "none"),
        ("Profit f.", plain(bets.profit_factor)),
        ("A trade", money(bets.expectancy)),
        ("SQN", plain(bets.sqn)),
        ("Charges", _charges(bets)),
        ("In market", percent(metrics.holding.in_market, 0)),
        ("Best day", money(grown.best_day.rupees) if grown.best_day else NOTHING),
        ("Worst day", money(grown.worst_day.rupees) if grown.worst_day else NOTHING),
    ]


def sections(metrics: Metrics) -> list[tuple[str, list[Row]]]:
    """Every figure under its heading, in the words docs/backtest.md defines."""
    return [
        ("Returns", _returns(metrics)),
        ("Drawdown", _drawdown(metrics)),
        ("Trades", _trades(metrics)),
        ("Costs and use of capital", _costs(metrics)),
        ("Against buy and hold", _against(metrics)),
    ]


def title(result: Result) -> str:
    """``ema_crossover``, or how many strategies."""
    kinds = list(dict.fromkeys(leg.strategy for leg in result.spec.legs))
    return kinds[0] if len(kinds) == 1 else f"{len(kinds)} strategies"


def about(result: Result, most: int = 4) -> str:
    """``RELIANCE, INFY · 5m · 3 Jul 2023 – 28 Jun 2024``; of many symbols the first ``most``."""
    names = list(dict.fromkeys(symbol_of(key) for leg in result.spec.legs for key in leg.symbols))
    more = [f"{len(names) - most} more"] if len(names) > most else []
    intervals = "/".join(dict.fromkeys(leg.interval.value for leg in result.spec.legs))
    return " · ".join([", ".join(names[:most] + more), intervals, span(result)])


def span(result: Result) -> str:
    """The first and last day of candles; of the spec where there were none."""
    if len(result.at):
        first, last = moment(int(result.at[0])).date(), moment(int(result.at[-1])).date()
        return date_text(first) if first == last else f"{date_text(first)} – {date_text(last)}"
    ends = [date_text(end) if end else "…" for end in (result.spec.first, result.spec.last)]
    return " – ".join(ends)


def settings(result: Result) -> list[Row]:
    """Each strategy tested and how it was set."""
    return [
        (leg.name, " ".join(f"{name}={value}" for name, value in leg.settings)) for leg in result.spec.legs
    ]


def slice_cells(one: Slice) -> list[str]:
    """One line of a breakdown, under its label and ``SLICE_HEAD``."""
    return [
        one.label,
        count(one.trades),
        percent(one.win_rate, 0),
        money(one.pnl),
        money(one.charges, signed=False),
        money(one.net),
        plain(one.profit_factor),
    ]


# -- sections -------------------------------------------------------------------------------------------


def _returns(m: Metrics) -> list[Row]:
    grown = m.growth
    return [
        ("Capital", money(grown.start, signed=False)),
        ("Equity at the end", money(grown.end, signed=False)),
        ("Net after charges", money(m.trading.net)),
        ("Return", percent(grown.total, 2, signed=True)),
        ("Return a year (CAGR)", percent(grown.cagr, 2, signed=True)),
        ("Volatility a year", percent(grown.volatility, 2)),
        ("Sharpe", plain(grown.sharpe)),
        ("Sortino", plain(grown.sortino)),
        ("Calmar", plain(m.calmar)),
        ("Mean of the worst 5% of days", percent(-grown.tail, 2)),
        ("Trading days", f"{grown.days}, {percent(grown.days_up, 0)} gained"),
        ("Best day", _period(grown.best_day)),
        ("Worst day", _period(grown.worst_day)),
    ]


def _drawdown(m: Metrics) -> list[Row]:
    return [("Deepest", _fall(m.drawdown)), ("Longest", _fall(m.longest))]


def _trades(m: Metrics) -> list[Row]:
    bets = m.trading
    low, high = m.win_rate_band
    return [
        ("Trades", f"{count(bets.trades)}: {count(bets.wins)} won, {count(bets.losses)} lost"),
        ("Win rate", f"{percent(bets.win_rate)} (95%: {percent(low, 0)} to {percent(high, 0)})"),
        ("Profit factor", plain(bets.profit_factor)),
        ("Expectancy", f"{money(bets.expectancy)} a trade, {plain(bets.expectancy_r)} R"),
        ("Average win", money(bets.average_win)),
        ("Average loss", money(-bets.average_loss)),
        ("Win over loss", plain(bets.payoff)),
        ("SQN", plain(bets.sqn)),
        ("Chance of this without an edge", percent(m.luck)),
        ("Best trade", _trade(bets.best)),
        ("Worst trade", _trade(bets.worst)),
        ("Wins in a row", str(bets.win_streak)),
        ("Losses in a row", str(bets.loss_streak)),
        ("Held on average", length(bets.held_minutes)),
        ("Given back from the best price", f"{money(bets.gave_back, signed=False)} a trade"),
    ]


def _costs(m: Metrics) -> list[Row]:
    bets, held = m.trading, m.holding
    share = bets.charges_share
    return [
        ("P&L before charges", money(bets.pnl)),
        ("Charges", money(bets.charges, signed=False)),
        ("Gross profit of winning trades", money(bets.gross_profit, signed=False)),
        ("Charges of that", percent(share) if not share > 1 else "more than all of it"),
        ("Turnover", money(held.turnover, signed=False)),
        ("Turnover a day", f"{plain(held.turnover_a_day)} × capital"),
        ("Time in the market", percent(held.in_market)),
        ("Average gross held", f"{percent(held.average_gross)} of capital"),
        ("Most gross held", f"{percent(held.most_gross)} of capital"),
    ]


def _against(m: Metrics) -> list[Row]:
    held = m.benchmark
    return [
        ("Buy and hold", f"{percent(held.growth.total, 2, signed=True)}, {money(held.growth.rupees)}"),
        ("Its return a year", percent(held.growth.cagr, 2, signed=True)),
        ("Its Sharpe", plain(held.growth.sharpe)),
        ("Its deepest drawdown", _fall(held.drawdown)),
        ("Return beyond it", percent(m.growth.total - held.growth.total, 2, signed=True)),
        ("Beta", plain(held.beta)),
        ("Alpha a year", percent(held.alpha, 2, signed=True)),
        ("Correlation", plain(held.correlation)),
    ]


def _charges(bets: Trading) -> str:
    """Beside what they were paid from. Of gains near nothing no percentage says anything."""
    rupees = money(bets.charges, signed=False)
    if not bets.charges:
        return rupees
    if math.isnan(bets.charges_share):
        beside = "no gains"
    elif bets.charges_share > 1:
        beside = "exceed gains"
    else:
        beside = f"{percent(bets.charges_share, 0)} of gains"
    told = f"{rupees} ({beside})"
    return told if len(told) <= _VALUE else rupees


def _period(period: Period | None) -> str:
    if period is None:
        return NOTHING
    return f"{money(period.rupees)} ({percent(period.share, 2, signed=True)}) on {date_text(period.first)}"


def _fall(fall: Drawdown | None) -> str:
    if fall is None:
        return "none"
    back = date_text(fall.recovered_at) if fall.recovered_at else "not yet"
    return (
        f"{percent(-fall.share, 2)}, {money(-fall.rupees)}: peak {date_text(fall.peak_at)}, "
        f"trough {date_text(fall.trough_at)}, recovered {back}; {fall.days} days"
    )


def _trade(trade: Marked | None) -> str:
    if trade is None:
        return NOTHING
    return f"{money(trade.net)} {symbol_of(trade.symbol)}, {moment_text(trade.exit_at)}"


def table(rows: Sequence[Sequence[str]], aligns: str) -> str:
    """Columns as wide as their widest cell, for the shell. ``aligns`` has one of < and > per column."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(aligns))]
    cells = zip(widths, aligns, strict=True)
    marks = [f"{{:{align}{width}}}" for width, align in cells]
    return "\n".join("  ".join(m.format(c) for m, c in zip(marks, row, strict=True)).rstrip() for row in rows)


def text(result: Result, metrics: Metrics) -> str:
    """The whole report for a terminal: figures, breakdowns, warnings and notes."""
    parts = [f"{title(result)}\n{about(result)}"]
    parts += [f"{heading}\n{table(rows, '<<')}" for heading, rows in sections(metrics) if rows]
    for name, slices in metrics.breakdowns.items():
        if len(slices) > 1 or name == "symbol":
            parts.append(
                table([[f"By {name}", *SLICE_HEAD], *(slice_cells(one) for one in slices)], "<>>>>>>")
            )
    said = [*result.warnings, *metrics.notes]
    if said:
        parts.append("\n".join(f"- {sentence}" for sentence in said))
    return "\n\n".join(parts)
