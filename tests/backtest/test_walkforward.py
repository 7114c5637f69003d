"""Walking forward never looks back from the future, and joins what it traded."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backtest.made import CAPITAL, trading_days
from tests.backtest.searched import Market, days_of, space
from trader.backtest.metrics import metrics
from trader.backtest.search import Plan, Progress, search
from trader.backtest.trials.evaluate import Span, split
from trader.backtest.trials.evaluate import trading_days as days_in
from trader.backtest.trials.goal import Goal
from trader.backtest.walkforward import held_out, join, walk_forward, windows
from trader.domain.errors import InvalidInput

GOAL = Goal.parse("sharpe", ["trades>=5"])
GRID = Plan("grid")
FEW = {"fast": "10:14:1"}


def test_the_last_quarter_is_held_out() -> None:
    days = trading_days(100)
    seen, unseen = split(days)
    assert (seen, unseen) == (Span(days[0], days[74]), Span(days[75], days[99]))


@pytest.mark.parametrize(("count", "share"), [(1, 0.25), (100, 0.0), (100, 1.0), (3, 0.01)])
def test_a_split_with_an_empty_part_is_refused(count: int, share: float) -> None:
    with pytest.raises(InvalidInput, match="Expected"):
        split(trading_days(count), share)


def test_the_search_is_never_shown_the_days_held_out() -> None:
    market = Market(edge=300)
    seen, unseen = split(days_of())
    found = search(market, space(**FEW), GOAL, span=seen, plan=GRID)
    assert {span for _, span in market.calls} == {seen}
    held = held_out(market, found, unseen)
    assert days_in(held.unseen)[0] > max(days_in(held.seen))
    assert held.settings == found.settings()
    assert held.value_seen == pytest.approx(found.best.value if found.best else math.nan)


def test_days_the_search_saw_cannot_be_held_out() -> None:
    days = days_of()
    found = search(Market(edge=300), space(**FEW), GOAL, span=Span(days[0], days[100]), plan=GRID)
    with pytest.raises(InvalidInput, match="held out"):
        held_out(Market(edge=300), found, Span(days[100], days[-1]))


def test_rolling_windows_move_and_anchored_ones_grow() -> None:
    days = trading_days(100)
    rolling, anchored = windows(days, 60, 15), windows(days, 60, 15, anchored=True)
    assert [w.test for w in rolling] == [w.test for w in anchored]
    assert [w.train for w in rolling] == [Span(days[i], days[i + 59]) for i in (0, 15, 30)]
    assert [w.train for w in anchored] == [Span(days[0], days[i]) for i in (59, 74, 89)]
    assert rolling[-1].test == Span(days[90], days[99])


@given(count=st.integers(2, 300), train=st.integers(1, 200), test=st.integers(1, 90), anchored=st.booleans())
def test_test_days_follow_their_training_and_cover_the_rest_once(
    count: int, train: int, test: int, anchored: bool
) -> None:
    days = trading_days(count)
    if count <= train:
        with pytest.raises(InvalidInput):
            windows(days, train, test, anchored=anchored)
        return
    covered: list[date] = []
    for window in windows(days, train, test, anchored=anchored):
        assert window.train.last is not None
        assert window.test.first is not None
        assert window.train.last < window.test.first
        covered += [day for day in days if window.test.first <= day <= (window.test.last or day)]
    assert covered == days[train:]


def test_a_walk_trades_each_window_with_what_the_days_before_it_chose() -> None:
    market = Market(edge=300)
    walk = windows(days_of(), 120, 40)
    walked = walk_forward(market, space(**FEW), GOAL, walk, plan=GRID)
    assert len(walked.steps) == len(walk) == 4
    for step in walked.steps:
        alone = search(Market(edge=300), space(**FEW), GOAL, span=step.window.train, plan=GRID)
        assert step.settings == alone.settings()
    assert walked.joined is not None
    assert days_in(walked.joined) == days_of()[120:]
    assert walked.joined.net == pytest.approx(sum(s.unseen.net for s in walked.steps if s.unseen))
    assert walked.joined.equity[-1] == pytest.approx(CAPITAL + walked.joined.net)
    assert not any("differ" in note for note in metrics(walked.joined).notes)


def test_the_future_changes_nothing_that_was_chosen_before_it() -> None:
    class Changed(Market):
        def made(self, settings: object) -> np.ndarray:
            made = super().made(settings)  # type: ignore[arg-type]  # as declared there
            made[160:] = -made[160:][::-1]
            return made

    walk = windows(days_of(), 120, 40)
    one = walk_forward(Market(edge=300, own=0.9), space(**FEW), GOAL, walk, plan=GRID)
    two = walk_forward(Changed(edge=300, own=0.9), space(**FEW), GOAL, walk, plan=GRID)
    assert one.steps[0].settings == two.steps[0].settings
    assert one.steps[0].value_unseen == two.steps[0].value_unseen
    assert one.steps[1].settings == two.steps[1].settings  # trained up to day 160
    assert one.steps[1].value_unseen != two.steps[1].value_unseen


def test_an_edge_walks_forward_and_noise_does_not() -> None:
    walk = windows(days_of(500), 120, 40)
    edge = walk_forward(Market(edge=700, own=0.05, width=12.0, days=500), space(**FEW), GOAL, walk, plan=GRID)
    assert 0.6 < edge.efficiency < 1.5
    assert edge.won > 0.7
    noise = [
        walk_forward(
            Market(edge=0, own=1.0, days=500, seed=s), space(), GOAL, walk, plan=Plan("grid", trials=8)
        )
        for s in range(4)
    ]
    assert abs(float(np.nanmedian([one.efficiency for one in noise]))) < 0.4


def test_a_window_in_which_nothing_kept_the_bounds_is_not_traded() -> None:
    goal = Goal.parse("net", ["trades>=100"])
    walk = windows(days_of(), 60, 95, anchored=True)  # 60 days hold too few trades, 155 enough
    walked = walk_forward(Market(edge=300), space(**FEW), goal, walk, plan=GRID)
    assert [bool(step.settings) for step in walked.steps] == [False, True]
    assert "kept the bounds" in walked.steps[0].why
    assert walked.joined is not None
    assert days_in(walked.joined)[0] == days_of()[155]


def test_nothing_traded_joins_to_nothing() -> None:
    assert join([]) is None
    walked = walk_forward(
        Market(edge=0), space(**FEW), Goal.parse("net", ["trades>=9999"]), windows(days_of(), 100, 75)
    )
    assert walked.joined is None
    assert math.isnan(walked.efficiency)
    assert math.isnan(walked.won)


def test_a_walk_can_be_stopped_between_windows() -> None:
    seen: list[tuple[int, int]] = []

    def progress(number: int, count: int, now: Progress) -> None:
        seen.append((number, count))

    walk = windows(days_of(), 100, 25)
    walked = walk_forward(
        Market(edge=0),
        space(**FEW),
        GOAL,
        walk,
        plan=GRID,
        progress=progress,
        cancel=lambda: seen[-1][0] == 3,
    )
    assert (walked.stopped, len(walked.steps)) == ("cancelled", 2)
    assert set(seen) == {(1, 6), (2, 6), (3, 6)}
