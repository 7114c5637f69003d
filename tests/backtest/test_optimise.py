"""An optimisation shows the days held out beside the days searched, and warns."""

from __future__ import annotations

import pytest

from tests.backtest.searched import Market, days_of, space
from trader.backtest.optimise import optimise
from trader.backtest.search import Plan
from trader.backtest.trials.evaluate import Span
from trader.backtest.trials.goal import Goal
from trader.domain.errors import InvalidInput

SHARPE = Goal.parse("sharpe")
GRID = Plan("grid")


def test_an_edge_holds_on_the_days_held_out() -> None:
    market = Market(edge=700, own=0.05, width=12.0, days=500)
    done = optimise(market, space(), SHARPE, plan=GRID)
    assert done.found.span == Span(days_of(500)[0], days_of(500)[374])
    assert done.held is not None
    assert done.held.value_unseen > 0.5 * done.held.value_seen
    assert done.warnings == ()
    assert [row[0] for row in done.rows()][:3] == ["sharpe", "net", "max_drawdown"]
    assert all(len(row) == 3 for row in done.rows())


def test_noise_is_called_noise() -> None:
    done = optimise(Market(edge=0, own=1.0), space(), SHARPE, plan=GRID)
    assert any("likely luck" in text for text in done.warnings)


def test_nothing_within_the_bounds_is_said_not_raised() -> None:
    done = optimise(Market(edge=0), space(), Goal.parse("net", ["trades>=9999"]), plan=Plan("grid", trials=5))
    assert done.held is None
    assert done.rows() == []
    assert "nothing to judge" in done.warnings[0]


def test_a_search_cancelled_at_once_has_no_verdict() -> None:
    done = optimise(Market(edge=0), space(), SHARPE, plan=GRID, cancel=lambda: True)
    assert (done.found.stopped, done.verdict, done.warnings) == ("cancelled", None, ())


def test_without_a_part_held_out_there_is_only_the_search() -> None:
    done = optimise(Market(edge=300), space(), SHARPE, holdout=0.0, plan=GRID)
    assert done.found.span == Span()
    assert done.held is None
    assert done.verdict is not None


def test_all_the_days_cannot_be_held_out() -> None:
    with pytest.raises(InvalidInput, match="held out"):
        optimise(Market(edge=0), space(), SHARPE, holdout=1.0)
