"""Shares of the capital are sums one can trust, from the past alone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.ema_crossover import EmaCrossover
from tests.backtest.made import CAPITAL, curve, made_result, made_spec
from trader.backtest.allocation import (
    METHODS,
    Returns,
    Weights,
    apply,
    capped,
    realised,
    rebalanced,
    standalone,
    weigh,
)
from trader.backtest.result import Result
from trader.backtest.spec import Spec
from trader.desk.limits import RiskLimits
from trader.domain.errors import InvalidInput, UnknownName
from trader.strategy.options import parse_settings
from trader.strategy.rules import position_size

ALL = tuple(METHODS)


def returns_of(*columns: np.ndarray) -> Returns:
    table = np.column_stack(columns)
    return Returns(tuple(f"s{n}" for n in range(table.shape[1])), np.arange(len(table)), table)


def noise(seed: int, days: int = 250, mean: float = 0.001, spread: float = 0.01) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, spread, days)


@pytest.mark.parametrize("method", ALL)
def test_shares_and_cash_are_the_whole_and_keep_the_cap(method: str) -> None:
    returns = returns_of(noise(1), noise(2, spread=0.02), noise(3), noise(4, spread=0.005))
    weights = weigh(returns, method, cap=0.4)
    assert sum(weights.shares) + weights.cash == pytest.approx(1.0)
    assert all(0.0 <= share <= 0.4 + 1e-9 for share in weights.shares)
    assert weights.cash == pytest.approx(0.0, abs=1e-6) or method == "kelly"
    assert weights.notes == ()


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    "columns",
    [
        (np.zeros(100), np.zeros(100)),
        (noise(1, 100), np.zeros(100)),
        (noise(1, 100), noise(1, 100)),
        (noise(1, 3), noise(2, 3)),
        (noise(1, 100, -0.01), noise(2, 100, -0.01)),
        (noise(1, 100),),
        (noise(1, 0), noise(2, 0)),
    ],
    ids=["none traded", "one traded", "twins", "three days", "both lose", "one alone", "no day"],
)
def test_poor_data_give_poor_but_sound_shares(method: str, columns: tuple[np.ndarray, ...]) -> None:
    weights = weigh(returns_of(*columns), method)
    assert len(weights.shares) == len(columns)
    assert all(0.0 <= share <= 0.5 + 1e-9 for share in weights.shares)
    assert sum(weights.shares) + weights.cash == pytest.approx(1.0)


def test_what_swings_twice_as_much_gets_half() -> None:
    calm = noise(1)
    weights = weigh(returns_of(calm, 2 * calm[::-1]), "inverse_volatility", cap=1.0)
    assert weights.shares == pytest.approx((2 / 3, 1 / 3))


def test_kelly_bets_a_fraction_of_mean_over_variance_and_nothing_on_a_loser() -> None:
    random = np.random.default_rng(7)
    win, lose = random.normal(0.0004, 0.02, 4000), random.normal(-0.0004, 0.02, 4000)
    weights = weigh(returns_of(win, lose), "kelly", cap=1.0)
    assert weights.shares[0] == pytest.approx(0.25 * win.mean() / win.var(), rel=0.1)
    assert weights.shares[1] == 0.0
    assert weights.cash > 0.5
    nothing = weigh(returns_of(lose, lose[::-1]), "kelly")
    assert nothing.cash == 1.0
    assert "cash" in nothing.notes[0]


def test_twins_share_one_place_by_hierarchical_risk_parity() -> None:
    one, other = noise(1), noise(2)
    twin = one + noise(3, spread=0.001)
    weights = weigh(returns_of(one, twin, other), "hrp", cap=0.9)
    assert weights.shares[2] > 0.4
    assert weights.shares[0] + weights.shares[1] < 0.6


def test_the_best_ratio_prefers_what_earned_more_for_its_risk() -> None:
    weights = weigh(
        returns_of(noise(1, mean=0.003), noise(2, mean=0.0005), noise(3, mean=0.0005)), "max_sharpe", cap=0.8
    )
    assert weights.shares[0] == max(weights.shares)


def test_losers_have_no_best_ratio_and_the_answer_says_what_was_done_instead() -> None:
    weights = weigh(
        returns_of(noise(1, mean=-0.01), noise(2, mean=-0.01), noise(3, mean=-0.01)), "max_sharpe"
    )
    assert "inverse volatility instead" in weights.notes[0]


@given(
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=12).map(np.array),
    cap=st.floats(0.05, 1.0),
)
def test_capping_keeps_the_sum_where_it_can(shares: np.ndarray, cap: float) -> None:
    found = capped(shares, cap)
    assert (found <= cap + 1e-9).all()
    assert (found >= 0).all()
    if shares.sum() > 0:
        possible = min(1.0, cap * np.count_nonzero(shares / shares.sum() >= 1e-9))
        assert found.sum() <= 1.0 + 1e-9
        assert found.sum() >= min(1.0, possible) - 1e-6


@settings(max_examples=15, deadline=None)
@given(row=st.integers(131, 249), method=st.sampled_from(["inverse_volatility", "kelly"]))
def test_shares_come_from_the_past_alone(row: int, method: str) -> None:
    returns = returns_of(noise(1), noise(2, spread=0.02), noise(3))
    changed = returns.table.copy()
    changed[row:] = -5 * changed[row:][::-1] + 0.01
    one = rebalanced(returns, method)
    two = rebalanced(replace(returns, table=changed), method)
    for (first, before), (_, after) in zip(one.weights, two.weights, strict=True):
        if 126 + first <= row:
            assert before == after
    np.testing.assert_array_equal(one.returns[: row - 126], two.returns[: row - 126])
    assert len(one.returns) == len(one.day) == 250 - 126


def test_an_equal_portfolio_earns_the_mean_of_its_parts() -> None:
    returns = returns_of(noise(1), noise(2), noise(3))
    np.testing.assert_allclose(rebalanced(returns, "equal").returns, returns.table[126:].mean(axis=1))


def test_correlation_knows_twins_and_opposites() -> None:
    one = noise(1)
    found = returns_of(one, 2 * one, -one, noise(2)).correlation
    assert found[0, 1] == pytest.approx(1.0)
    assert found[0, 2] == pytest.approx(-1.0)
    assert abs(found[0, 3]) < 0.2
    assert np.isnan(returns_of(one, np.zeros(250)).correlation[0, 1])


def test_each_leg_is_valued_alone_and_days_are_lined_up() -> None:
    spec = made_spec(legs=2)

    def run(asked: Spec) -> Result:
        (leg,) = asked.legs
        made = [100.0, 200.0, 300.0] if leg.name.endswith("1") else [50.0, -50.0]
        return replace(curve(list(CAPITAL + np.cumsum(made))), spec=asked)

    returns = standalone(run, spec)
    assert returns.names == tuple(leg.name for leg in spec.legs)
    np.testing.assert_allclose(returns.table * CAPITAL, [[100, 50], [200, -50], [300, 0]])


def test_realised_profit_of_the_legs_sums_to_the_results() -> None:
    result = made_result(days=20, legs=3)
    returns = realised(result)
    assert returns.table.sum() * CAPITAL == pytest.approx(result.net)
    own = result.trades[result.trades["leg"] == 1]
    assert returns.table[:, 1].sum() * CAPITAL == pytest.approx(own["pnl"].sum() - own["charges"].sum())


def two_legs(**given: str) -> Spec:
    texts = parse_settings(EmaCrossover, given).settings
    spec = made_spec(legs=2)
    return replace(spec, legs=tuple(replace(leg, settings=texts) for leg in spec.legs))


@pytest.mark.parametrize(("stop", "risk"), [("1", "0.5"), ("0.5", "2"), ("2", "1")])
def test_a_share_of_the_capital_is_that_share_of_the_size(stop: str, risk: str) -> None:
    # Also where the limit on a position's value, not its risk, decides: 2% risk on a 0.5% stop asks for 400%.
    spec = replace(two_legs(stop=stop, risk=risk), limits=RiskLimits(capital=Decimal(100_000)))
    weights = Weights("equal", tuple(leg.name for leg in spec.legs), (0.25, 0.5))

    def units(one: Spec, leg: int) -> int:
        texts = dict(one.legs[leg].settings)
        distance = 10.0 * float(texts["stop"]) / 100
        return int(position_size(100_000.0, float(texts["risk"]), distance, 10.0, 1, 100_000.0))

    shared = apply(weights, spec)
    for leg, share in enumerate(weights.shares):
        assert units(shared, leg) == pytest.approx(share * units(spec, leg), rel=0.002)
        parse_settings(EmaCrossover, dict(shared.legs[leg].settings))


def test_a_fixed_quantity_is_shared_and_a_leg_without_a_share_left_out() -> None:
    spec = two_legs(quantity="40")
    names = tuple(leg.name for leg in spec.legs)
    shared = apply(Weights("kelly", names, (0.3, 0.0)), spec)
    assert [leg.name for leg in shared.legs] == [names[0]]
    assert dict(shared.legs[0].settings)["quantity"] == "12"
    with pytest.raises(InvalidInput, match="nothing to test"):
        apply(Weights("kelly", names, (0.0, 0.0)), spec)


@pytest.mark.parametrize(
    ("method", "options", "error"),
    [
        ("kely", {}, UnknownName),
        ("equal", {"cap": 0.0}, InvalidInput),
        ("kelly", {"fraction": 2.0}, InvalidInput),
    ],
)
def test_what_cannot_be_meant_is_refused(
    method: str, options: dict[str, float], error: type[Exception]
) -> None:
    with pytest.raises(error):
        weigh(returns_of(noise(1), noise(2)), method, **options)
