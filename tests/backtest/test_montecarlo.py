"""Bands are those of the trades and candles given, whatever the size of the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backtest.made import CAPITAL, curve, made_data, made_result
from trader.backtest import montecarlo
from trader.backtest.montecarlo import LEVELS, Bands, fan, noisy, perturbed, reorder
from trader.backtest.result import Result
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.strategy.bars import Bars


def of_trades(*made: float) -> Result:
    return curve(list(CAPITAL + np.cumsum(made)), trades=made)


def test_a_shuffle_changes_the_way_and_not_the_end() -> None:
    result = made_result(days=60)
    bands = reorder(result, order="shuffle", runs=400)
    assert bands.final == pytest.approx([CAPITAL + result.net] * len(LEVELS))
    assert bands.drawdown[0] < bands.drawdown[-1]


def test_a_bootstrap_spreads_as_the_central_limit_says() -> None:
    made = np.random.default_rng(4).normal(20.0, 500.0, 400)
    bands = reorder(of_trades(*made), runs=4000)
    assert bands.final[2] == pytest.approx(CAPITAL + made.sum(), rel=0.01)
    wide = 1.645 * made.std() * np.sqrt(len(made))
    assert bands.final[4] - bands.final[2] == pytest.approx(wide, rel=0.06)
    assert bands.final[2] - bands.final[0] == pytest.approx(wide, rel=0.06)


def test_drawdown_and_ruin_of_trades_that_can_be_counted_by_hand() -> None:
    # Two losses of 30,000 and one gain of 30,000: three orders, each as likely.
    result = of_trades(-30_000, -30_000, 30_000)
    bands = reorder(result, order="shuffle", runs=6000)
    # gain first: 130,000 to 70,000. Else the deepest is 40,000 or 70,000 below 100,000.
    assert bands.ruin == pytest.approx(1 / 3, abs=0.03)  # only loss, loss, gain touches 40,000
    assert bands.seen_drawdown == pytest.approx(0.6)
    assert bands.drawdown[0] == pytest.approx(0.3)  # loss, gain, loss
    assert bands.drawdown[-1] == pytest.approx(0.6)
    assert bands.drawdown[2] == pytest.approx(60 / 130)
    assert bands.gained == 0.0


def test_the_bands_do_not_depend_on_how_many_runs_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    result = made_result(days=30)
    whole = reorder(result, runs=300, seed=5)
    monkeypatch.setattr(montecarlo, "_CELLS", 7 * len(result.trades))
    parts = reorder(result, runs=300, seed=5)
    assert parts.drawdown == pytest.approx(whole.drawdown)
    np.testing.assert_allclose(parts.fan, whole.fan)


def test_the_same_seed_gives_the_same_bands() -> None:
    result = made_result(days=30)
    assert reorder(result, runs=50, seed=3).final == reorder(result, runs=50, seed=3).final
    assert reorder(result, runs=50, seed=3).final != reorder(result, runs=50, seed=4).final


def test_the_fan_begins_with_the_capital_and_is_ordered() -> None:
    result = made_result(days=60)
    bands = reorder(result, runs=200)
    assert (bands.fan[:, 0] == CAPITAL).all()
    assert (np.diff(bands.fan, axis=0) >= 0).all()
    assert bands.fan[:, -1] == pytest.approx(bands.final)
    assert bands.seen_path[-1] == pytest.approx(CAPITAL + result.net)


@pytest.mark.parametrize(
    ("trades", "options", "words"),
    [
        ((5.0,), {}, "two trades"),
        ((5.0, 6.0), {"runs": 0}, "one run"),
        ((5.0, 6.0), {"order": "x"}, "bootstrap or"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    trades: tuple[float, ...], options: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        reorder(of_trades(*trades), **options)  # type: ignore[arg-type]  # wrong on purpose


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    strength=st.floats(0.01, 3.0),
    tick=st.sampled_from([0.01, 0.05, 0.1, 0.25, 1.0, 5.0]),
)
def test_perturbed_candles_are_candles_on_the_grid(seed: int, strength: float, tick: float) -> None:
    (bars,) = made_data(seed=seed % 50, days=2, symbols=("NSE:INFY",)).values()
    other = perturbed(bars, tick, strength, np.random.default_rng(seed))
    assert (other.start == bars.start).all()
    assert (other.volume == bars.volume).all()
    assert (other.low > 0).all()
    for row in (other.open, other.close):
        assert (other.low <= row).all()
        assert (row <= other.high).all()
    ticks = other.table[:4] / tick
    np.testing.assert_allclose(ticks, np.round(ticks), atol=1e-6)


def test_noise_is_as_strong_as_asked_and_leaves_no_trend() -> None:
    (bars,) = made_data(days=40, symbols=("NSE:INFY",)).values()
    other = perturbed(bars, 0.01, 0.5, np.random.default_rng(1))
    moved = np.log(other.close / bars.close)
    usual = np.median((bars.high - bars.low) / bars.close)
    assert moved.std() == pytest.approx(0.5 * usual, rel=0.05)
    assert abs(moved.mean()) < 0.1 * usual
    assert perturbed(bars, 0.05, 0.0, np.random.default_rng(1)) is bars


def test_every_noisy_run_is_tested_on_other_candles_and_the_first_on_the_real_ones() -> None:
    data = made_data(days=3)
    seen: list[Mapping[InstrumentKey, Bars]] = []

    def run(given: Mapping[InstrumentKey, Bars]) -> Result:
        seen.append(given)
        return made_result(days=3, data=given)

    bands = noisy(run, data, dict.fromkeys(data, 0.05), runs=5)
    assert bands.runs == 5
    assert seen[0] is data
    closes = {tuple(next(iter(given.values())).close) for given in seen}
    assert len(closes) == 6
    again = noisy(run, data, dict.fromkeys(data, 0.05), runs=5)
    assert again.final == bands.final
    assert len(set(bands.final)) > 1


def test_noisy_runs_can_be_stopped_with_what_is_done() -> None:
    data, done = made_data(days=3), []

    def run(given: Mapping[InstrumentKey, Bars]) -> Result:
        return made_result(days=3, data=given)

    ticks = dict.fromkeys(data, 0.05)
    bands = noisy(
        run,
        data,
        ticks,
        runs=50,
        progress=lambda at, of: done.append((at, of)),
        cancel=lambda: len(done) >= 4,
    )
    assert bands.runs == 4
    assert done == [(1, 50), (2, 50), (3, 50), (4, 50)]
    with pytest.raises(InvalidInput, match="Stopped"):
        noisy(run, data, ticks, cancel=lambda: True)


def test_the_fan_is_a_picture_for_a_phone_and_says_its_odds() -> None:
    from io import BytesIO

    from matplotlib.image import imread

    bands = reorder(made_result(days=60), runs=100)
    assert np.asarray(imread(BytesIO(fan(bands)))).shape[:2] == (montecarlo.HEIGHT, montecarlo.WIDTH)
    assert fan(bands) == fan(bands)
    assert isinstance(replace(bands, ruin=0.25), Bands)
    assert "25.0% fell below 50% of the capital" in replace(bands, ruin=0.25).sentence


@pytest.mark.parametrize(
    ("amount", "text"), [(950, "₹950"), (12_500, "₹12.5k"), (125_000, "₹1.25L"), (-3e7, "-₹3.00Cr")]
)
def test_axes_are_read_in_lakhs(amount: float, text: str) -> None:
    assert montecarlo._short(amount) == text
