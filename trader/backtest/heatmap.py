"""A search as a picture: its objective over two of the parameters, the best marked."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trader.backtest.search import Found
from trader.backtest.space import Axis
from trader.backtest.trials.tried import Tried
from trader.backtest.verdict import NOT_BELIEVED, disbelief
from trader.domain.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 1080, 1200  # pixels: what a phone shows without zooming
_DPI = 100
_LABELS = 11  # along an axis, at most
_WRITTEN = 120  # cells up to which their numbers are written into them
_NOTE = 96  # letters of a line of the sentence at the bottom
_NOTE_LINES = 3  # of it, at most
_LOSS = "#c62828"


def heatmap(found: Found, x: str | None = None, y: str | None = None, *, doubts: Sequence[str] = ()) -> bytes:
    """PNG. ``x`` and ``y`` are searched parameters, the first two unless named; with more of them every cell
    shows the best over the others. Cells nothing was tried in stay empty, those outside the bounds are
    hatched. One parameter alone is a single row. ``doubts``: sentences against what was found, the gravest of
    which stands below, for pictures are passed on without the words beside them. InvalidInput when nothing
    has a value."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across, down = _axes(found, x, y)
    best, allowed = _cells(found, across, down)
    if not np.isfinite(best).any():
        raise InvalidInput(f"No trial of {found.name} has a {found.goal.objective} to draw")
    height = HEIGHT if down is not None else HEIGHT // 2
    figure = Figure(figsize=(WIDTH / _DPI, height / _DPI), dpi=_DPI, facecolor="white", layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    low, high = _ends(best)
    shades = "RdYlGn" if found.goal.higher else "RdYlGn_r"
    drawn = axes.imshow(best, cmap=shades, vmin=low, vmax=high, origin="lower", aspect="auto")
    axes.set_facecolor("#eeeeee")
    _hatch(axes, best, allowed)
    _write(axes, found, best, low, high)
    _label(axes, across, down)
    _mark(axes, found, across, down)
    figure.colorbar(drawn, ax=axes, orientation="horizontal", shrink=0.9, pad=0.02, aspect=40).ax.tick_params(
        labelsize=16
    )
    hatched = bool((np.isfinite(best) & ~allowed).any())
    figure.suptitle(_title(found, across, down, hatched=hatched), fontsize=20, x=0.02, ha="left")
    _doubt(figure, axes, doubts)
    out = BytesIO()
    canvas.print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]  # as matplotlib has it
    return out.getvalue()


def _axes(found: Found, x: str | None, y: str | None) -> tuple[Axis, Axis | None]:
    named = {axis.name: axis for axis in found.space.axes}
    for name in (x, y):
        if name is not None and name not in named:
            raise UnknownName("searched parameter", name, named)
    if x is None and len(named) == 1:
        x, y = y, None
    rest = [axis for axis in found.space.axes if axis.name not in (x, y)]
    across = named[x] if x is not None else rest.pop(0)
    down = named[y] if y is not None else (rest[0] if rest else None)
    if down is not None and across.name == down.name:
        raise InvalidInput(f"Expected two different parameters to draw, was {across.name} twice")
    return across, down


def _cells(found: Found, across: Axis, down: Axis | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The value of each cell, rows along ``down``; and whether it is one within the bounds."""
    shape = (len(down.texts) if down is not None else 1, len(across.texts))
    best, allowed = np.full(shape, np.nan), np.zeros(shape, dtype=np.bool_)
    for one in found.tried:
        if not one.defined:
            continue
        row, column = _place(one, across, down)
        better = math.isnan(best[row, column]) or found.goal.better(one.value, best[row, column])
        if (one.allowed, better) >= (bool(allowed[row, column]), True):  # bounds before values
            best[row, column], allowed[row, column] = one.value, one.allowed
    return best, allowed


def _place(one: Tried, across: Axis, down: Axis | None) -> tuple[int, int]:
    row = down.texts.index(one.settings[down.name]) if down is not None else 0
    return row, across.texts.index(one.settings[across.name])


def _ends(best: NDArray[np.float64]) -> tuple[float, float]:
    """Colours part at zero where there are losses, so that the least bad of them is not shown as a gain. One
    extreme does not drown the rest."""
    values = best[np.isfinite(best)]
    low, high = (float(v) for v in np.percentile(values, [2, 98]))
    if low < 0:
        far = max(-low, abs(high))
        return -far, far
    return (low, high) if low < high else (low - 1.0, high + 1.0)


def _hatch(axes: Axes, best: NDArray[np.float64], allowed: NDArray[np.bool_]) -> None:
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(np.isfinite(best) & ~allowed):
        axes.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5), 1, 1, fill=False, hatch="//", edgecolor="#777777", linewidth=0
            )
        )


def _write(axes: Axes, found: Found, best: NDArray[np.float64], low: float, high: float) -> None:
    if best.size > _WRITTEN:
        return
    size = 18 if best.shape[1] <= 8 else 13
    for (row, column), value in np.ndenumerate(best):
        if math.isfinite(value):
            pale = 0.2 < (value - low) / (high - low) < 0.8
            text = found.goal.text(round(float(value), 2) if abs(value) < 1000 else float(value))
            colour = "#222222" if pale else "white"
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _label(axes: Axes, across: Axis, down: Axis | None) -> None:
    axes.set_xticks(*_ticks(across.texts), fontsize=17)
    axes.set_xlabel(across.name, fontsize=19)
    if down is None:
        axes.set_yticks([])
        return
    axes.set_yticks(*_ticks(down.texts), fontsize=17)
    axes.set_ylabel(down.name, fontsize=19)


def _ticks(texts: Sequence[str]) -> tuple[list[int], list[str]]:
    step = -(-len(texts) // _LABELS)
    places = list(range(0, len(texts), step))
    return places, [texts[i] for i in places]


def _mark(axes: Axes, found: Found, across: Axis, down: Axis | None) -> None:
    """A frame where numbers are written, which a ring would hide; a ring where cells are small."""
    from matplotlib.patches import Rectangle

    if found.best is None:
        return
    row, column = _place(found.best, across, down)
    written = len(across.texts) * (len(down.texts) if down else 1) <= _WRITTEN
    for colour, width in (("black", 5.0), ("white", 2.0)):
        if written:
            corner = (column - 0.47, row - 0.47)
            axes.add_patch(Rectangle(corner, 0.94, 0.94, fill=False, edgecolor=colour, linewidth=width))
        else:
            axes.plot(column, row, marker="o", markersize=30, mfc="none", mec=colour, mew=0.8 * width)


def _doubt(figure: Figure, axes: Axes, doubts: Sequence[str]) -> None:
    if worthless := disbelief(doubts):
        axes.set_title(NOT_BELIEVED.upper(), loc="right", color=_LOSS, fontsize=24, fontweight="bold")
    if said := [*worthless, *doubts]:
        foot = textwrap.wrap(said[0], _NOTE, max_lines=_NOTE_LINES, placeholder=" …")
        figure.supxlabel("\n".join(foot), fontsize=15, x=0.02, ha="left", color=_LOSS)


def _title(found: Found, across: Axis, down: Axis | None, *, hatched: bool) -> str:
    lines = [f"{found.space.strategy.name}: {found.goal.objective}, {len(found.tried)} trials"]
    if found.best is not None:
        at = " ".join(f"{name}={text}" for name, text in found.best.settings.items())
        lines.append(f"best {found.goal.text(found.best.value)} at {at}")
    else:
        lines.append("none kept the bounds")
    others = [a.name for a in found.space.axes if a.name not in (across.name, down.name if down else "")]
    if others:
        lines.append(f"each cell: the best over {', '.join(others)}")
    if hatched:
        lines.append(f"hatched: not {' '.join(map(str, found.goal.constraints))}")
    return "\n".join(lines)
