"""Objectives and bounds as people type them."""

from __future__ import annotations

import math

import pytest

from tests.backtest.made import curve, made_result
from trader.backtest.metrics import NUMBERS, metrics
from trader.backtest.trials.goal import Constraint, Facts, Goal, figure_text
from trader.domain.errors import InvalidInput, UnknownName


def test_every_figure_of_the_report_can_be_the_objective() -> None:
    result = made_result(days=60, edge=0.001)
    facts = Facts.of(result)
    shown = metrics(result).numbers()
    for name in NUMBERS:
        value = Goal(name).value(facts.figures)
        assert math.isnan(value) or value == pytest.approx(shown[name]), name
    assert facts.sharpe_daily * math.sqrt(252) == pytest.approx(shown["sharpe"])


@pytest.mark.parametrize(
    ("typed", "name", "least", "bound"),
    [
        ("trades>=50", "trades", True, 50),
        ("drawdown<=10", "max_drawdown", False, 0.1),
        ("drawdown < 10%", "max_drawdown", False, 0.1),
        ("profit_factor>1.2", "profit_factor", True, 1.2),
        ("net>=-500", "net", True, -500),
    ],
)
def test_a_bound_is_read_in_the_unit_people_use(typed: str, name: str, least: bool, bound: float) -> None:
    assert Constraint.parse(typed) == Constraint(name, least, pytest.approx(bound))


@pytest.mark.parametrize("typed", ["trades", "trades=30", "trades>=", "trades>=x", "trades>=1.2.3"])
def test_what_is_no_bound_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput, match="expected a bound as in"):
        Constraint.parse(typed)


def test_a_bound_that_is_no_share_is_refused_with_a_percent_sign() -> None:
    with pytest.raises(InvalidInput, match="'trades>=30%': trades is no share, expected it without %"):
        Constraint.parse("trades>=30%")


def test_an_unknown_objective_suggests_one() -> None:
    with pytest.raises(UnknownName, match="sharpe"):
        Goal.parse("sharp")


def test_thirty_trades_are_asked_unless_told_otherwise() -> None:
    assert str(Goal.parse("sortino", ["drawdown<=12"])) == "sortino trades>=30 max_drawdown<=12%"
    assert str(Goal.parse("net", ["trades>=5"])) == "net trades>=5"


def test_a_bound_on_what_is_not_defined_is_broken() -> None:
    facts = Facts.of(curve([100_000.0] * 5))
    assert Constraint.parse("profit_factor>=1").breach(facts.figures) > 0
    assert Constraint.parse("trades>=0").breach(facts.figures) <= 0


def test_drawdown_is_better_when_smaller() -> None:
    goal = Goal.parse("drawdown")
    assert not goal.higher
    assert goal.better(0.05, 0.1)
    assert figure_text("max_drawdown", 0.0525) == "5.25%"


def test_rupees_are_written_as_rupees() -> None:
    assert figure_text("net", -121_506.4) == "-₹1,21,506"
    assert figure_text("expectancy", 4.257) == "₹4.26"
    assert str(Constraint.parse("net>=-500")) == "net>=-₹500"
