from __future__ import annotations

import io
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import SYMBOLS, curve, made_result

from trader.backtest.metrics import metrics
from trader.backtest.picture import HEIGHT, WIDTH, date_ticks, picture, short_money
from trader.backtest.report.thinning import kept
from trader.backtest.result import Result


def pixels(png: bytes) -> np.ndarray:
    from matplotlib.image import imread

    return np.asarray(imread(io.BytesIO(png)))


@pytest.mark.parametrize(
    "result",
    [
        made_result(1, days=130, symbols=SYMBOLS),
        made_result(2, days=1),
        curve([]),
        curve([100_000.0]),
        curve([100_000.0] * 5),
        curve([0.0, -5.0], trades=[-100_000.0, -5.0]),
        replace(curve([100_000.0] * 3), close=np.full((3, 1), np.nan)),
    ],
    ids=["months", "a day", "nothing", "one moment", "flat", "ruin", "no closes"],
)
def test_every_result_has_a_picture_of_a_phones_size(result: Result) -> None:
    drawn = pixels(picture(result, metrics(result)))
    assert drawn.shape[:2] == (HEIGHT, WIDTH)
    assert drawn[:, :8, :3].min() == 1.0  # nothing is cut off at the left …
    assert drawn[:, -8:, :3].min() == 1.0  # … or at the right


def test_equal_results_have_equal_pictures() -> None:
    first, again = (picture(result, metrics(result)) for result in (made_result(3), made_result(3)))
    other = made_result(4)
    assert first == again
    assert first != picture(other, metrics(other))


def test_long_names_are_not_cut_off() -> None:
    long = tuple(f"NFO:BAJAJFINSV26NOV{n}4500CE" for n in range(5))
    result = made_result(1, symbols=long)
    drawn = pixels(picture(result, metrics(result)))
    assert drawn[:, -8:, :3].min() == 1.0


def test_a_long_sentence_at_the_bottom_takes_a_second_line_instead_of_smaller_letters() -> None:
    result = made_result(1)
    said = "The limit drawdown ended all trading on 12 Dec 2025: the days after it are without trades. "
    found = replace(metrics(result), notes=(said + "drawdown=20 would set it to 20% for this test.",))
    drawn = pixels(picture(result, found))
    foot = drawn[-52:, :, :3].min(axis=(1, 2)) < 0.9  # rows of it that have ink
    lines = np.flatnonzero(np.diff(foot.astype(int)) == 1)
    assert len(lines) >= 2
    assert drawn[:, -8:, :3].min() == 1.0


def ink(drawn: np.ndarray) -> list[tuple[int, int]]:
    """First and last row of each line of ink left of the axes in the lowest tenth of the picture."""
    rows = np.flatnonzero(drawn[-HEIGHT // 10 :, :56, :3].min(axis=(1, 2)) < 0.9)
    parts = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts]


@pytest.mark.parametrize("words", [20, 30, 45, 300])
def test_a_sentence_of_many_lines_is_there_to_its_end_or_says_that_it_goes_on(words: int) -> None:
    result = made_result(1)
    found = replace(metrics(result), notes=(" ".join(["strategy"] * words),))
    drawn = pixels(picture(result, found))
    lines = ink(drawn)
    whole = -(-words // 9)  # nine of these words fill a line
    assert len(lines) == min(whole, 4)
    assert min(after[0] - before[1] for before, after in pairwise(lines)) >= 3
    dates = drawn[-HEIGHT // 10 :, 140:, :3].min(axis=(1, 2))[: lines[0][0]]
    assert dates[-5:].min() == 1.0  # what stands above it keeps its distance
    assert drawn[:, -8:, :3].min() == drawn[-2:, :, :3].min() == 1.0


def test_the_fonts_have_the_rupee_sign() -> None:
    import matplotlib
    from matplotlib.ft2font import FT2Font

    for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"):
        font = FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name))
        assert all(font.get_char_index(ord(sign)) for sign in "₹–∞·")


def test_no_state_of_pyplot_is_touched() -> None:
    picture(made_result(1), metrics(made_result(1)))
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (105_000, 1e5, "₹1.05 L"),
        (-2400, 1e3, "-₹2.4 k"),
        (0, 1e3, "₹0"),
        (3.2e7, 1e7, "₹3.2 Cr"),
        (250, 1.0, "₹250"),
    ],
)
def test_an_axis_writes_rupees_short(value: float, unit: float, text: str) -> None:
    assert short_money(value, unit) == text


def test_dates_below_the_curve_fit_its_length() -> None:
    _, a_day = date_ticks(made_result(1, days=1).at)
    assert all(":" in name for name in a_day)
    _, a_week = date_ticks(made_result(1, days=5).at)
    assert a_week == ["1 Jan", "2 Jan", "3 Jan", "4 Jan", "5 Jan"]
    places, names = date_ticks(curve([1.0]).at)
    assert (len(places), len(names)) == (1, 1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(4, 100))
@settings(max_examples=80, deadline=None)
def test_a_thinned_curve_keeps_its_ends_and_its_extremes(values: list[float], most: int) -> None:
    curve_ = np.array(values)
    rows = kept(curve_, most)
    assert len(rows) <= most or len(rows) == len(values) <= most
    assert (np.diff(rows) > 0).all()
    assert rows[0] == 0
    assert rows[-1] == len(values) - 1
    assert curve_[rows].min() == curve_.min()
    assert curve_[rows].max() == curve_.max()


def test_a_gain_that_is_not_to_be_believed_is_not_green() -> None:
    """The picture is passed on without the words that stood beside it in the chat."""
    result = made_result(1)
    result.trades["pnl"] = np.abs(result.trades["pnl"]) + 1000.0
    refused = replace(result, warnings=("Not to be believed, the desk refuses tomorrow. Look-ahead: …",))
    shown, doubted = (picture(one, metrics(one)) for one in (result, refused))

    def heading(png: bytes, colour: tuple[int, int, int]) -> bool:
        part = np.rint(pixels(png)[: HEIGHT // 5, :, :3] * 255)
        return bool((part == colour).all(axis=2).any())

    green, red = (0x12, 0x87, 0x3F), (0xC6, 0x28, 0x28)
    assert (heading(shown, green), heading(shown, red)) == (True, False)
    assert (heading(doubted, green), heading(doubted, red)) == (False, True)
