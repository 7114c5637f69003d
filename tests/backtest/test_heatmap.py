"""The picture of a search shows its values where they belong."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from tests.backtest.searched import Market, space
from trader.backtest.heatmap import HEIGHT, WIDTH, _cells, _ends, heatmap
from trader.backtest.search import Found, Plan, search
from trader.backtest.trials.goal import Goal
from trader.domain.errors import InvalidInput, UnknownName


def found_in(objective: str = "sharpe", bounds: tuple[str, ...] = (), **typed: str) -> Found:
    return search(Market(edge=300), space(**typed), Goal.parse(objective, bounds), plan=Plan("grid"))


def pixels(png: bytes) -> np.ndarray:
    from matplotlib.image import imread

    return np.asarray(imread(BytesIO(png)))


def test_the_picture_has_the_size_of_a_phone_and_repeats_itself() -> None:
    found = found_in()
    assert pixels(heatmap(found)).shape[:2] == (HEIGHT, WIDTH)
    assert heatmap(found) == heatmap(found)


def test_every_cell_holds_the_best_over_the_parameters_not_drawn() -> None:
    found = found_in(fast="5:12:1", slow="20,30", stop="0.5:1.5:0.5")
    fast, _, stop = found.space.axes
    cells, allowed = _cells(found, fast, stop)
    assert cells.shape == (3, 8)
    assert allowed.all()
    for row, distance in enumerate(stop.texts):
        for column, length in enumerate(fast.texts):
            there = [
                t.value
                for t in found.tried
                if t.settings["fast"] == length and t.settings["stop"] == distance
            ]
            assert cells[row, column] == max(there)


def test_a_cell_shows_what_keeps_the_bounds_before_what_scores_higher() -> None:
    free = found_in("net", fast="5:12:1", slow="20:50:5")
    middle = sorted(one.figures["max_drawdown"] for one in free.tried)[len(free.tried) // 2]
    found = found_in("net", (f"drawdown<={100 * middle:.6f}",), fast="5:12:1", slow="20:50:5")
    fast = found.space.axes[0]
    cells, allowed = _cells(found, fast, None)
    for column, length in enumerate(fast.texts):
        there = [one for one in found.tried if one.settings["fast"] == length]
        kept = [one.value for one in there if one.allowed]
        assert cells[0, column] == max(kept or [one.value for one in there])
        assert allowed[0, column] == bool(kept)
    assert not allowed.all() or len(set(allowed.ravel())) == 1
    assert heatmap(found)


def test_the_least_of_many_losses_is_not_coloured_as_a_gain() -> None:
    assert _ends(np.array([[-2.0, -0.5]])) == pytest.approx((-1.97, 1.97), abs=0.01)
    assert _ends(np.array([[-1.0, 3.0]])) == pytest.approx((-2.92, 2.92), abs=0.01)
    low, high = _ends(np.array([[1.0, 2.0, np.nan]]))
    assert 1.0 <= low < high <= 2.0
    low, high = _ends(np.array([[1.0, 1.0]]))
    assert low < high


def test_one_parameter_alone_is_one_row() -> None:
    assert pixels(heatmap(found_in(fast="5:12:1"))).shape[:2] == (HEIGHT // 2, WIDTH)


def test_the_marked_cell_differs_from_an_unmarked_picture() -> None:
    from dataclasses import replace

    found = found_in()
    assert heatmap(found) != heatmap(replace(found, best=found.tried[0]))
    assert heatmap(replace(found, best=None))


def red(png: bytes, *, above: float, below: float) -> int:
    """Pixels in the colour of the mark, between two heights of the picture (0 is its top)."""
    shown = pixels(png)
    band = shown[int(above * len(shown)) : int(below * len(shown)), :, :3]
    return int((np.abs(band - np.array([0xC6, 0x28, 0x28]) / 255).max(axis=2) < 0.01).sum())


@pytest.mark.parametrize("typed", [{}, {"fast": "5:12:1"}])
def test_a_search_that_is_not_to_be_believed_says_so_in_the_picture(typed: dict[str, str]) -> None:
    found = found_in(**typed)
    luck = "After 96 trials the best is likely luck: noise alone would show a Sharpe ratio of 2.10."
    refused = "Not to be believed, the desk refuses ema_crossover. Future: it looks ahead."
    calm, doubted = heatmap(found), heatmap(found, doubts=[luck])
    marked = heatmap(found, doubts=[luck, refused])
    assert pixels(marked).shape == pixels(doubted).shape == pixels(calm).shape
    assert not red(calm, above=0, below=1)
    assert not red(doubted, above=0, below=0.5)
    assert red(doubted, above=0.9, below=1) > 500  # the sentence at the bottom
    assert red(marked, above=0, below=0.5) > 2000  # and the mark above the map


@pytest.mark.parametrize(
    ("x", "y", "error", "words"),
    [
        ("fsat", None, UnknownName, "Did you mean fast"),
        ("fast", "fast", InvalidInput, "two different"),
    ],
)
def test_parameters_that_cannot_be_drawn_are_refused(
    x: str, y: str | None, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        heatmap(found_in(), x, y)


def test_a_search_without_any_value_has_no_picture() -> None:
    found = search(Market(edge=0), space(), Goal.parse(), plan=Plan("grid", seconds=0))
    with pytest.raises(InvalidInput, match="to draw"):
        heatmap(found)
