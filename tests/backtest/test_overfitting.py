"""Luck is called luck, an edge is left alone; formulas equal their authors' examples."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tests.backtest.searched import Market, days_of, space
from trader.backtest.overfitting import (
    deflated_sharpe,
    expected_best,
    independent,
    judge,
    moments,
    overfitting_probability,
    plateau,
)
from trader.backtest.result import Result
from trader.backtest.search import Plan, search
from trader.backtest.trials.evaluate import EVERYTHING, Span, split
from trader.backtest.trials.goal import Goal
from trader.backtest.walkforward import held_out

SHARPE = Goal.parse("sharpe")
GRID = Plan("grid")


@pytest.mark.parametrize(("trials", "expected"), [(100, 0.9004), (46, 0.9505)])
def test_the_deflated_ratio_equals_the_articles_example(trials: int, expected: float) -> None:
    # Bailey & López de Prado (2014), numerical example: annualised 2.5 over five years of daily returns.
    got = deflated_sharpe(
        2.5 / math.sqrt(250), 1250, skew=-3.0, kurtosis=10.0, trials=trials, variance=0.5 / 250
    )
    assert got == pytest.approx(expected, abs=5e-4)


def test_the_best_of_noise_is_as_good_as_expected() -> None:
    random = np.random.default_rng(1)
    best = random.normal(0.0, 0.3, (4000, 50)).max(axis=1).mean()
    assert expected_best(50, 0.09) == pytest.approx(best, rel=0.03)


def test_moments_are_scipys() -> None:
    from scipy import stats

    returns = np.random.default_rng(3).gamma(2.0, 0.01, 250)
    assert moments(returns) == pytest.approx((stats.skew(returns), stats.kurtosis(returns, fisher=False)))
    assert moments(np.zeros(250)) == (0.0, 3.0)


def test_copies_of_one_trial_are_one_trial() -> None:
    random = np.random.default_rng(1)
    one = random.normal(size=(300, 1))
    assert independent(np.repeat(one, 20, axis=1)) == pytest.approx(1.0)
    assert independent(random.normal(size=(3000, 20))) == pytest.approx(20, rel=0.05)


def test_choosing_among_noise_is_a_coin_and_choosing_an_edge_is_not() -> None:
    random = np.random.default_rng(5)
    found = [overfitting_probability(random.normal(size=(250, 40))) for _ in range(8)]
    assert 0.3 < float(np.mean(found)) < 0.8
    edge = random.normal(size=(250, 40))
    edge[:, 3] += 0.5
    assert overfitting_probability(edge) < 0.05
    assert math.isnan(overfitting_probability(edge[:15]))


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_pure_noise_is_warned_of(seed: int) -> None:
    market = Market(edge=0, own=1.0, seed=seed)
    verdict = judge(search(market, space(), SHARPE, plan=GRID), market)
    assert verdict.deflated < 0.95
    assert any("likely luck" in text for text in verdict.warnings)


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_a_real_edge_is_not_warned_of(seed: int) -> None:
    market = Market(edge=700, own=0.05, width=12.0, seed=seed, days=500)
    seen, unseen = split(days_of(500))
    found = search(market, space(), SHARPE, span=seen, plan=GRID)
    held = held_out(market, found, unseen)
    verdict = judge(found, market, value_unseen=held.value_unseen)
    assert verdict.deflated > 0.95
    assert verdict.warnings == ()


def test_a_lonely_peak_is_told_from_a_plateau() -> None:
    broad, lonely = Market(edge=900, own=0.02, width=14.0), Market(edge=900, own=0.02, width=0.9)
    kept = []
    for market in (broad, lonely):
        flat = plateau(search(market, space(fast="5:20:1"), SHARPE, plan=GRID))
        assert flat is not None
        kept.append(flat.kept)
    assert kept[0] > 0.7
    assert kept[1] < 0.5
    found = search(lonely, space(fast="5:20:1"), SHARPE, plan=GRID)
    assert any("stands alone" in text for text in judge(found, lonely).warnings)


def test_a_best_at_the_border_is_named() -> None:
    market = Market(edge=2000, own=0.02, peak=30, width=20.0)
    verdict = judge(search(market, space(), SHARPE, plan=GRID), market)
    assert any("fast=20" in text for text in verdict.warnings)


def test_a_fall_on_days_not_seen_is_named() -> None:
    market = Market(edge=700, own=0.05, width=12.0, days=500)
    found = search(market, space(), SHARPE, plan=GRID)
    assert any(
        "On the days held out sharpe fell" in text
        for text in judge(found, market, value_unseen=-0.3).warnings
    )
    nothing = judge(found, market, value_unseen=math.nan)
    assert any("not defined" in text for text in nothing.warnings)


def test_a_best_that_lost_or_was_halted_is_named() -> None:
    losing = Market(edge=-3000, own=0.05, width=60.0)

    def halted(settings: Mapping[str, str], span: Span = EVERYTHING) -> Result:
        return replace(losing(settings, span), halted="drawdown", halted_on=date(2024, 5, 6))

    warnings = judge(search(halted, space(), SHARPE, plan=GRID), halted).warnings
    assert any(re.match(r"Even the best lost ₹[0-9,]+ after charges\.", text) for text in warnings)
    held = judge(search(halted, space(), SHARPE, plan=GRID), halted, value_unseen=2.0).warnings
    assert any(re.match(r"Even the best lost ₹[0-9,]+ after charges on the days searched\.", t) for t in held)
    assert any("The limit drawdown ended the best's trading on 6 May 2024" in text for text in warnings)


def test_without_a_best_there_is_nothing_to_judge() -> None:
    market = Market(edge=0)
    found = search(market, space(), Goal.parse("net", ["trades>=9999"]), plan=Plan("grid", trials=5))
    assert judge(found, market).warnings == ("No settings kept the bounds, so there is nothing to judge.",)
    assert plateau(found) is None
