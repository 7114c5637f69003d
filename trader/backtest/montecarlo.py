"""What else might have come of it: the same trades in another order, the same days with other noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trader.backtest.result import Result
from trader.backtest.verdict import NOT_BELIEVED
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.strategy.bars import Bars

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS: Final = (5, 25, 50, 75, 95)  # percentiles of every band
RUNS = 2000
RUIN = 0.5  # of the capital: below this share of it, one has been ruined
_COLUMNS = 200  # of the fan
_CELLS = 2_000_000  # held at a time, so that memory stays flat: 16 MB
WIDTH, HEIGHT = 1080, 900  # pixels

Array = NDArray[np.float64]
Order = Literal["bootstrap", "shuffle"]


@dataclass(frozen=True, slots=True)
class Bands:
    """Percentiles as ``LEVELS``, over ``runs`` curves of equity. ``drawdown``: deepest, shares of the peak;
    ``final``: rupees. ``ruin``: share of the runs whose equity fell below ``ruin_at`` rupees. ``fan``: shape
    (len(LEVELS), points), rupees, with ``steps`` the share of the way each point is at. ``seen`` is what
    the backtest itself had: its drawdown and its end, measured the same way."""

    what: str
    runs: int
    capital: float
    drawdown: tuple[float, ...]
    final: tuple[float, ...]
    ruin: float
    ruin_at: float
    gained: float  # share of the runs that ended above the capital
    fan: Array
    steps: Array
    seen_path: Array  # at the same steps
    seen_drawdown: float
    seen_final: float

    @property
    def sentence(self) -> str:
        return (
            f"In 95 of 100 runs the drawdown stayed within {self.drawdown[-1]:.1%} "
            f"(the backtest's own: {self.seen_drawdown:.1%}); {self.gained:.0%} of them gained, "
            f"{self.ruin:.1%} fell below {self.ruin_at / self.capital:.0%} of the capital."
        )


def reorder(
    result: Result,
    *,
    order: Order = "bootstrap",
    runs: int = RUNS,
    seed: int = 1,
    ruin: float = RUIN,
) -> Bands:
    """The result's trades drawn anew: ``bootstrap`` with replacement, so the end varies too; ``shuffle`` only
    their order, so the end is the same. Drawdowns are those of closed trades. Trades that depend on one
    another (a portfolio in one crash) fall more together than this shows. InvalidInput for too few trades."""
    made = np.asarray(result.trades["pnl"] - result.trades["charges"], dtype=np.float64)
    if len(made) < 2:
        raise InvalidInput(f"Expected at least two trades to draw anew, were {len(made)}")
    if order not in ("bootstrap", "shuffle"):
        raise InvalidInput(f"Expected bootstrap or shuffle, was {order}")
    if runs < 1:
        raise InvalidInput(f"Expected at least one run, was {runs}")
    random = np.random.default_rng(seed)
    capital = float(result.spec.limits.capital)
    kept: list[_Sums] = []
    at_once = max(1, _CELLS // len(made))
    for first in range(0, runs, at_once):
        count = min(at_once, runs - first)
        if order == "bootstrap":
            drawn = made[random.integers(0, len(made), (count, len(made)))]
        else:
            drawn = random.permuted(np.broadcast_to(made, (count, len(made))), axis=1)
        kept.append(_sums(drawn, capital))
    words = {"bootstrap": "trades drawn with replacement", "shuffle": "trades in another order"}
    return _bands(words[order], kept, _sums(made[np.newaxis], capital), capital, ruin)


def noisy(
    run: Callable[[Mapping[InstrumentKey, Bars]], Result],
    data: Mapping[InstrumentKey, Bars],
    ticks: Mapping[InstrumentKey, float],
    *,
    runs: int = 100,
    strength: float = 0.2,
    seed: int = 1,
    ruin: float = RUIN,
    progress: Callable[[int, int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Bands:
    """The same test on perturbed candles: an edge that hangs on single ticks of single candles is gone.
    ``run`` tests on given candles; ``strength`` is the noise of each price as a share of the usual range of
    candles; ``ticks`` are rupees. Ctrl-C and ``cancel`` end it with the runs done; none: InvalidInput."""
    actual = run(data)
    capital = float(actual.spec.limits.capital)
    kept: list[_Sums] = []
    try:
        for number, source in enumerate(np.random.SeedSequence(seed).spawn(runs)):
            if cancel is not None and cancel():
                break
            random = np.random.default_rng(source)
            other = {key: perturbed(bars, ticks[key], strength, random) for key, bars in data.items()}
            kept.append(_curve(run(other), capital))
            if progress is not None:
                progress(number + 1, runs)
    except KeyboardInterrupt:
        pass
    if not kept:
        raise InvalidInput("Stopped before the first run with noise was done")
    return _bands(f"candles with {strength:.0%} noise", kept, _curve(actual, capital), capital, ruin)


def perturbed(bars: Bars, tick: float, strength: float, random: np.random.Generator) -> Bars:
    """Every price moved by normal noise of ``strength`` times the median range of the candles, in proportion
    to the price; then high and low hold the others again and all lie on the grid of ``tick`` rupees. Volumes
    and times stay. What lasts from candle to candle, trends and gaps, is not changed."""
    if not len(bars) or strength == 0:
        return bars
    if strength < 0 or tick <= 0:
        raise InvalidInput(f"Expected noise and tick above zero, were {strength:g} and {tick:g}")
    table = bars.table[:4]
    usual = float(np.median((bars.high - bars.low) / bars.close))
    moved = table * np.exp(random.normal(0.0, strength * usual, table.shape))
    moved = np.maximum(np.round(moved / tick), 1.0)
    moved[1], moved[2] = moved.max(axis=0), moved.min(axis=0)
    # In whole paise at most: a count of ticks times 0.05 has digits of its own.
    open_, high, low, close = np.round(moved * tick, 4)
    return Bars.of_arrays(bars.key, bars.interval, bars.start, open_, high, low, close, bars.volume)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of some runs: what the bands are made of. ``path``: (runs, _COLUMNS + 1), beginning with capital."""

    drawdown: Array
    final: Array
    lowest: Array
    path: Array


def _sums(made: Array, capital: float) -> _Sums:
    """``made``: rupees of each trade, a row for each run."""
    equity = np.empty((len(made), made.shape[1] + 1))
    equity[:, 0] = capital
    np.cumsum(made, axis=1, out=equity[:, 1:])
    equity[:, 1:] += capital
    return _measured(equity)


def _curve(result: Result, capital: float) -> _Sums:
    return _measured(np.concatenate(([capital], result.equity))[np.newaxis])


def _measured(equity: Array) -> _Sums:
    peak = np.maximum.accumulate(equity, axis=1)
    fall = (peak - equity) / peak
    places = _places(equity.shape[1])
    return _Sums(fall.max(axis=1), equity[:, -1].copy(), equity.min(axis=1), equity[:, places])


def _places(length: int) -> NDArray[np.int64]:
    return np.linspace(0, length - 1, _COLUMNS + 1).astype(np.int64)


def _bands(what: str, kept: list[_Sums], seen: _Sums, capital: float, ruin: float) -> Bands:
    drawdown = np.concatenate([one.drawdown for one in kept])
    final = np.concatenate([one.final for one in kept])
    lowest = np.concatenate([one.lowest for one in kept])
    return Bands(
        what=what,
        runs=len(final),
        capital=capital,
        drawdown=tuple(float(v) for v in np.percentile(drawdown, LEVELS)),
        final=tuple(float(v) for v in np.percentile(final, LEVELS)),
        ruin=float((lowest < ruin * capital).mean()),
        ruin_at=ruin * capital,
        gained=float((final > capital).mean()),
        fan=np.percentile(np.concatenate([one.path for one in kept]), LEVELS, axis=0),
        steps=np.linspace(0.0, 1.0, _COLUMNS + 1),
        seen_path=seen.path[0],
        seen_drawdown=float(seen.drawdown[0]),
        seen_final=float(seen.final[0]),
    )


def fan(bands: Bands, *, worthless: bool = False) -> bytes:
    """PNG of 1080 × 900: the bands of equity along the way, and the backtest's own. ``worthless``: of a
    result that is not to be believed; pictures are passed on without the words beside them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (WIDTH / 100, HEIGHT / 100)
    figure = Figure(figsize=size, dpi=100, facecolor="white", layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    way, rows = 100.0 * bands.steps, bands.fan
    axes.fill_between(way, rows[0], rows[4], color="#0b5fd6", alpha=0.15, lw=0, label="90 of 100 runs")
    axes.fill_between(way, rows[1], rows[3], color="#0b5fd6", alpha=0.30, lw=0, label="half of the runs")
    axes.plot(way, rows[2], color="#0b5fd6", lw=2.5, label="middle run")
    axes.plot(way, bands.seen_path, color="#14171a", lw=2, label="the backtest")
    axes.axhline(bands.capital, color="#5a6570", lw=1)
    _decorate(axes, bands)
    if worthless:
        low = _rises(bands)  # the corner that fan and legend leave free
        axes.text(
            0.98, 0.04 if low else 0.96, NOT_BELIEVED.upper(), transform=axes.transAxes, ha="right",
            va="bottom" if low else "top", color="#c62828", fontsize=24, fontweight="bold",
        )  # fmt: skip
    percents = " to ".join(f"{bands.drawdown[i]:.1%}" for i in (0, -1))
    title = (
        f"Monte Carlo: {bands.runs:,} runs, {bands.what}\n"
        f"drawdown {percents} (5 to 95 of 100), seen {bands.seen_drawdown:.1%}\n"
        f"{bands.gained:.0%} gained, {bands.ruin:.1%} fell below {bands.ruin_at / bands.capital:.0%} "
        "of the capital"
    )
    figure.suptitle(title, fontsize=20, x=0.02, ha="left")
    out = BytesIO()
    canvas.print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]  # as matplotlib has it
    return out.getvalue()


def _decorate(axes: Axes, bands: Bands) -> None:
    low = min(float(bands.fan.min()), float(bands.seen_path.min()))
    if low < bands.ruin_at:
        axes.axhline(bands.ruin_at, color="#c62828", lw=1.5, ls="--", label="ruin")
    axes.yaxis.set_major_formatter(lambda value, _: _short(value))
    axes.tick_params(labelsize=16)
    axes.set_xlabel("% of the way", fontsize=17)
    axes.grid(color="#d9dee3", lw=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0)
    # The fan leaves the other corner free.
    axes.legend(fontsize=16, loc="upper left" if _rises(bands) else "lower left", frameon=False)


def _rises(bands: Bands) -> bool:
    return bool(bands.fan[:, -1].mean() >= bands.seen_path[0])


def _short(amount: float) -> str:
    """``₹1.25L``: as axes are read in India."""
    for size, letter in ((1e7, "Cr"), (1e5, "L"), (1e3, "k")):
        if abs(amount) >= size:
            digits = 2 - int(math.log10(abs(amount) / size) >= 1)
            return f"{'-' if amount < 0 else ''}₹{abs(amount) / size:.{digits}f}{letter}"
    return f"₹{amount:.0f}"
