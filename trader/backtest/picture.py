"""One picture of a backtest for the chat: readable on a phone, equal for equal results."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trader.backtest.benchmark import buy_and_hold
from trader.backtest.metrics import Metrics
from trader.backtest.report.daily import daily
from trader.backtest.report.drawdown import depth
from trader.backtest.report.thinning import kept
from trader.backtest.report.words import count, money, percent, plain
from trader.backtest.result import Result
from trader.backtest.summary import about, title
from trader.backtest.verdict import NOT_BELIEVED, disbelief
from trader.strategy.bars import moment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

WIDTH, HEIGHT = 1080, 1200  # pixels: what a phone shows without zooming
_DPI = 100
_POINTS = 2400  # more than the picture has columns
_INK, _FAINT, _LINES, _PAPER = "#14171a", "#5a6570", "#d9dee3", "#ffffff"
_OWN, _HELD, _GAIN, _LOSS = "#0b5fd6", "#8a949e", "#12873f", "#c62828"
_MANY_MONTHS = 3  # with fewer, days are drawn
_TICKS = 5
_LINE = 66  # letters of the second line that fit at its full size
_NOTE = 84  # letters of a line of the sentence at the bottom
_NOTE_LINES = 4  # of it, at most
_NOTE_LINE = 0.02  # of the height
_UNITS = {1e7: " Cr", 1e5: " L", 1e3: " k", 1.0: ""}


def picture(result: Result, metrics: Metrics) -> bytes:
    """PNG of 1080 × 1200: what came of it, equity against buy and hold, drawdown, and its months or days."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: two seconds
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI, facecolor=_PAPER)
    canvas = FigureCanvasAgg(figure)
    _heading(figure, result, metrics)
    said = [*disbelief(result.warnings), *metrics.notes]
    foot = textwrap.wrap(said[0], _NOTE, max_lines=_NOTE_LINES, placeholder=" …") if said else []
    if len(result.at):
        bottom = 0.07 + _NOTE_LINE * max(len(foot) - 2, 0)
        rows = figure.add_gridspec(
            3, 1, height_ratios=(5, 2, 2.2), left=0.125, right=0.965, top=0.745, bottom=bottom, hspace=0.32
        )
        shown = kept(result.equity, _POINTS)
        _equity(figure.add_subplot(rows[0]), result, shown)
        _drawdown(figure.add_subplot(rows[1]), result, shown)
        _periods(figure.add_subplot(rows[2]), result, metrics)
    else:
        _write(figure, 0.5, 0.4, "No candles in this period", 26, _FAINT, ha="center")
    if foot:
        _note(figure, foot)
    out = BytesIO()
    canvas.print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]  # as matplotlib has it
    return out.getvalue()


def _note(figure: Figure, lines: list[str]) -> None:
    """A long one in several lines: made smaller, nobody could read it on a phone."""
    size, y = (15.5 * min(1.0, _LINE * 1.1 / len(lines[0])), 0.016) if len(lines) == 1 else (14.0, 0.006)
    _write(figure, 0.035, y, "\n".join(lines), size, _FAINT)


def _heading(figure: Figure, result: Result, m: Metrics) -> None:
    bets, net = m.trading, m.trading.net
    what = about(result, most=3)
    _write(figure, 0.035, 0.962, title(result), 27, bold=True)
    _write(figure, 0.035, 0.928, what, 17.5 * min(1.0, _LINE / len(what)), _FAINT)
    worthless = bool(disbelief(result.warnings))  # pictures are passed on without the words beside them
    colour = _FAINT if worthless else _GAIN if net > 0 else _LOSS if net < 0 else _INK
    _write(
        figure, 0.035, 0.873, f"{money(net)}  ({percent(m.growth.total, signed=True)})", 31, colour, bold=True
    )
    after = "net after charges" if result.spec.charges else "without charges"
    if worthless:
        _write(figure, 0.965, 0.962, NOT_BELIEVED.upper(), 24, _LOSS, bold=True, ha="right")
    _write(figure, 0.965, 0.873, f"{after} of {money(bets.charges, signed=False)}", 17.5, _FAINT, ha="right")
    figures = (
        ("Buy & hold", percent(m.benchmark.growth.total, signed=True)),
        ("Sharpe", plain(m.growth.sharpe)),
        ("Drawdown", percent(-m.drawdown.share) if m.drawdown else "none"),
        ("Trades", count(bets.trades)),
        ("Won", percent(bets.win_rate, 0)),
        ("Profit f.", plain(bets.profit_factor)),
    )
    for n, (name, value) in enumerate(figures):
        left = 0.035 + n * 0.163
        _write(figure, left, 0.828, name, 16.5, _FAINT)
        _write(figure, left, 0.794, value, 21, bold=True)


def _equity(axes: Axes, result: Result, shown: NDArray[np.int64]) -> None:
    held = buy_and_hold(result)
    capital = float(result.spec.limits.capital)
    axes.plot(shown, held[shown], color=_HELD, linewidth=2.0, label="buy & hold")
    axes.plot(shown, result.equity[shown], color=_OWN, linewidth=2.6, label=title(result))
    axes.axhline(capital, color=_FAINT, linewidth=1.2, linestyle=(0, (2, 3)))
    _frame(axes, "Equity", result)
    _rupee_scale(axes)
    legend = axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 0.995), ncols=2, frameon=False, prop=_font(17),
        labelcolor=_INK, borderaxespad=0.0, handlelength=1.4, columnspacing=1.2,
    )  # fmt: skip
    legend.set_in_layout(False)


def _drawdown(axes: Axes, result: Result, shown: NDArray[np.int64]) -> None:
    below = 100 * depth(result.equity, float(result.spec.limits.capital))[shown]
    axes.fill_between(shown, below, 0, color=_LOSS, alpha=0.3, linewidth=0)
    axes.plot(shown, below, color=_LOSS, linewidth=1.8)
    axes.set_ylim(min(float(below.min()) * 1.1, -0.1), 0)
    _frame(axes, "Below the peak", result)
    _scale(axes, lambda value: f"{value:.3g}%", most=4)


def _periods(axes: Axes, result: Result, m: Metrics) -> None:
    own = daily(result.at, result.equity, float(result.spec.limits.capital))
    by_month = len(m.months) >= _MANY_MONTHS
    values = np.array([month.rupees for month in m.months]) if by_month else own.rupees
    names = (
        [f"{month.first:%b %y}" for month in m.months] if by_month else [f"{d.day} {d:%b}" for d in own.dates]
    )
    places = np.arange(len(values))
    axes.bar(places, values, width=0.78, color=np.where(values >= 0, _GAIN, _LOSS).tolist())
    axes.axhline(0, color=_INK, linewidth=1.2)
    axes.set_xlim(-0.7, max(len(values), 4) - 0.3)
    _frame(axes, "Rupees a month" if by_month else "Rupees a day", None)
    step = max(-(-len(names) // 6), 1)
    _label_x(axes, [int(n) for n in places[::step]], names[::step])
    _rupee_scale(axes, most=4)


# -- drawing --------------------------------------------------------------------------------------------


def _frame(axes: Axes, name: str, result: Result | None) -> None:
    """``result`` gives the dates below; places are candles, so that nights take no room."""
    axes.set_title(name, loc="left", color=_INK, pad=7, fontproperties=_font(18, bold=True))
    axes.grid(axis="y", color=_LINES, linewidth=1.2)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_LINES)
    axes.tick_params(length=0, colors=_FAINT)
    if result is not None:
        last = len(result.at) - 1
        axes.set_xlim(-0.5, max(last, 1) + 0.5)
        _label_x(axes, *date_ticks(result.at))


def date_ticks(at: NDArray[np.int64], most: int = _TICKS) -> tuple[list[int], list[str]]:
    """Where to write which date or, within one day, which time."""
    places = np.unique(np.linspace(0, len(at) - 1, most + 2).round().astype(np.int64)[1:-1])
    times = [moment(int(at[place])) for place in places]
    if moment(int(at[0])).date() == moment(int(at[-1])).date():
        form = "%H:%M"
    else:
        form = "%d %b" if at[-1] - at[0] < 300 * 86_400_000_000 else "%b %y"
    names = [time.strftime(form).lstrip("0") for time in times]
    fresh = [n for n, name in enumerate(names) if n == 0 or name != names[n - 1]]
    return [int(places[n]) for n in fresh], [names[n] for n in fresh]


def short_money(value: float, unit: float) -> str:
    """₹ as an axis has room for, in the axis' own unit: ``₹1.05 L``, ``-₹2.4 k``."""
    sign = "-" if value < 0 else ""
    return f"{sign}₹{abs(value) / unit:.4g}{_UNITS[unit] if value else ''}"


def _rupee_scale(axes: Axes, most: int = 6) -> None:
    size = max(abs(end) for end in axes.get_ylim())
    unit = next(unit for unit in _UNITS if size >= unit or unit == 1)
    _scale(axes, lambda value: short_money(value, unit), most)


def _scale(axes: Axes, text: Callable[[float], str], most: int) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    low, high = axes.get_ylim()
    ticks = [float(t) for t in MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.set_yticklabels([text(tick) for tick in ticks], fontproperties=_font(16), color=_FAINT)


def _label_x(axes: Axes, places: list[int], names: list[str]) -> None:
    axes.set_xticks(places)
    axes.set_xticklabels(names, fontproperties=_font(16), color=_FAINT)


def _write(
    figure: Figure,
    x: float,
    y: float,
    text: str,
    size: float,
    colour: str = _INK,
    *,
    bold: bool = False,
    ha: str = "left",
) -> None:
    figure.text(
        x,
        y,
        text,
        color=colour,
        ha=ha,
        va="baseline",
        fontproperties=_font(size, bold=bold),
        parse_math=False,
    )


def _font(size: float, *, bold: bool = False) -> FontProperties:
    """By its file: what the machine has installed, or is configured to prefer, changes nothing."""
    import matplotlib
    from matplotlib.font_manager import FontProperties

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return FontProperties(fname=str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size=size)
