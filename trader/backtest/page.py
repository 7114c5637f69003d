"""The report as one HTML file that opens without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from trader.backtest.benchmark import buy_and_hold
from trader.backtest.metrics import Metrics, refusals
from trader.backtest.report.candles import IST_SECONDS, MOST_CANDLES, Charts, charts
from trader.backtest.report.daily import daily
from trader.backtest.report.drawdown import depth
from trader.backtest.report.thinning import kept
from trader.backtest.report.words import moment_text, money, percent
from trader.backtest.result import Reason, Result
from trader.backtest.summary import SLICE_HEAD, about, sections, settings, slice_cells, summary, title
from trader.backtest.verdict import disbelief
from trader.desk.limits import RiskLimits
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.strategy.bars import Bars

MOST_TRADES: Final = 20_000  # rows of the table: about 2 MB
_POINTS: Final = 6_000  # of a curve
_TEMPLATES = Path(__file__).parent / "report" / "templates"
_SECOND = 1_000_000


def page(
    result: Result,
    metrics: Metrics,
    data: Mapping[InstrumentKey, Bars] | None = None,
    *,
    most_candles: int = MOST_CANDLES,
    most_trades: int = MOST_TRADES,
) -> str:
    """HTML with scripts, styles and data inside: 5 MB of plotly.js and at most about as much of data.
    ``data`` are the candles tested, for the charts of the trades; what did not fit is said on the page."""
    import jinja2  # late, with all of plotly's script
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    drawn = charts(result, data or {}, most_candles)
    worthless = disbelief(result.warnings)  # above the figures, which are then neither green nor red
    others = [note for note in result.warnings if note not in worthless]
    said = [*others, *metrics.notes, *_left_out(result, drawn, bool(data), most_trades)]
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    template = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    template.filters["unbroken"] = _unbroken
    return template.get_template("report.html.j2").render(
        title=title(result),
        about=about(result, most=12),
        net=money(metrics.trading.net),
        worthless=worthless,
        mood="faint"
        if worthless
        else "gain"
        if metrics.trading.net > 0
        else "loss"
        if metrics.trading.net < 0
        else "",
        share=percent(metrics.growth.total, 2, signed=True),
        charged=result.spec.charges,
        cards=summary(metrics)[1:],
        said=said,
        sections=sections(metrics),
        slice_head=SLICE_HEAD,
        slices={name: [slice_cells(one) for one in found] for name, found in metrics.breakdowns.items()},
        falls=_falls(metrics),
        settings=settings(result),
        made_of=_made_of(result),
        style=Markup((_TEMPLATES / "report.css").read_text("utf-8")),  # noqa: S704 - our own file
        script=Markup((_TEMPLATES / "report.js").read_text("utf-8")),  # noqa: S704 - our own file
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - the library's own script
        data=Markup(_json(_contents(result, metrics, drawn, most_trades))),  # noqa: S704 - escaped by _json
    )


def _unbroken(text: str) -> str:
    """A browser ends a line behind a sign, and a loss then looks like a gain."""
    return text.replace("-₹", "-\N{WORD JOINER}₹").replace("+₹", "+\N{WORD JOINER}₹")


def _json(contents: Any) -> str:
    """Safe inside a script element: no text of it can close the element or open a comment."""
    text = json.dumps(contents, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _contents(result: Result, metrics: Metrics, drawn: Charts, most_trades: int) -> dict[str, Any]:
    capital = float(result.spec.limits.capital)
    shown = kept(result.equity, _POINTS)
    own = daily(result.at, result.equity, capital)
    return {
        "name": title(result),
        "capital": capital,
        "curve": {
            "t": (result.at[shown] // _SECOND + IST_SECONDS).tolist(),
            "own": np.round(result.equity[shown], 2).tolist(),
            "held": np.round(buy_and_hold(result)[shown], 2).tolist(),
            "below": np.round(100 * depth(result.equity, capital)[shown], 3).tolist(),
        },
        "days": {"d": [f"{day}" for day in own.dates], "made": np.round(own.rupees, 2).tolist()},
        "months": _months(metrics),
        "symbols": [symbol_of(name) for name in result.symbols],
        "legs": [leg.name for leg in result.spec.legs],
        "reasons": [reason.name.lower() for reason in Reason],
        "trades": _trades(result, most_trades),
        "charts": {str(row): chart for row, chart in drawn.trades.items()},
        "candles": {str(n): packed for n, packed in drawn.symbols.items()},
    }


def _months(metrics: Metrics) -> dict[str, Any]:
    """A row a year, None where no month was tested."""
    years = sorted({month.first.year for month in metrics.months})
    share: list[list[float | None]] = [[None] * 12 for _ in years]
    made: list[list[float | None]] = [[None] * 12 for _ in years]
    for month in metrics.months:
        row, column = years.index(month.first.year), month.first.month - 1
        share[row][column] = round(100 * month.share, 3) if np.isfinite(month.share) else None
        made[row][column] = round(month.rupees, 2)
    names = [f"{date(2000, n, 1):%b}" for n in range(1, 13)]
    return {"years": years, "names": names, "share": share, "made": made}


def _trades(result: Result, most: int) -> dict[str, list[Any]]:
    """Columns; of too many the last."""
    first = max(len(result.trades) - most, 0)
    trades = result.trades[first:]
    side = trades["side"].astype(np.int64)
    ahead = 100 * np.stack([trades["best"], trades["worst"]]) / trades["entry_price"] - 100
    found, against = ahead * side
    return {
        "n": list(range(first, len(result.trades))),
        **{name: trades[name].tolist() for name in ("leg", "symbol", "side", "reason", "quantity")},
        "entry": (trades["entry_at"] // _SECOND + IST_SECONDS).tolist(),
        "exit": (trades["exit_at"] // _SECOND + IST_SECONDS).tolist(),
        "bought": np.round(trades["entry_price"], 4).tolist(),
        "left": np.round(trades["exit_price"], 4).tolist(),
        "pnl": np.round(trades["pnl"], 2).tolist(),
        "charges": np.round(trades["charges"], 2).tolist(),
        "net": np.round(trades["pnl"] - trades["charges"], 2).tolist(),
        "found": np.round(found, 3).tolist(),
        "against": np.round(against, 3).tolist(),
    }


def _left_out(result: Result, drawn: Charts, candles: bool, most_trades: int) -> list[str]:
    said = []
    count = len(result.trades)
    if count > most_trades:
        said.append(f"The table holds the last {most_trades:,} of {count:,} trades; trades.csv has them all.")
    if count and not candles:
        said.append("Made without candles: the trades have no charts.")
    elif drawn.untold:
        said.append(
            f"{len(drawn.trades):,} of {count:,} trades have a chart, those that moved most money; "
            "the candles of the others would have made this file too large."
        )
    return said


def _falls(metrics: Metrics) -> list[list[str]]:
    return [
        [
            percent(-fall.share, 2),
            money(-fall.rupees),
            moment_text(fall.peak_at),
            moment_text(fall.trough_at),
            moment_text(fall.recovered_at) if fall.recovered_at else "not yet",
            f"{fall.days}",
        ]
        for fall in metrics.drawdowns
    ]


def _made_of(result: Result) -> list[tuple[str, str]]:
    limits, spec = result.spec.limits, result.spec
    return [
        ("Candles", f"{result.bars:,} on {result.days:,} days"),
        ("Charges", "Zerodha's, by date" if spec.charges else "none"),
        ("Slippage", f"{spec.slippage_bps:g} basis points a market execution"),
        ("Capital", money(float(limits.capital), signed=False)),
        ("Limits", _limited(limits)),
        ("Entries refused by the risk rules", refusals(result)),
        ("Code", result.code_hash or "not recorded"),
        ("Data", result.data_hash or "not recorded"),
    ]


def _limited(limits: RiskLimits) -> str:
    loss, order = (
        money(float(rupees), signed=False) for rupees in (limits.daily_loss, limits.max_order_value)
    )
    drawdown = f"{limits.max_drawdown_pct:f}%"
    return (
        f"drawdown {drawdown}, a day's loss {loss}, {limits.max_open_positions} positions, orders to {order}"
    )
