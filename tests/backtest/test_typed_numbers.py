"""Numbers typed behind the options of a test, in the unit each is explained in."""

from __future__ import annotations

import pytest

from trader.backtest.asked import OWN
from trader.backtest.work import number, whole
from trader.domain.errors import InvalidInput

PERCENTS = [name for name, meaning in OWN.items() if meaning.startswith("%")]


@pytest.mark.parametrize("name", PERCENTS)
@pytest.mark.parametrize("text", ["5", "5%", "5 %", "5.0%"])
def test_what_is_in_per_cent_may_carry_its_sign(name: str, text: str) -> None:
    assert number(name, text, 0, 90) == 5.0


def test_slippage_drawdown_and_the_like_are_in_per_cent() -> None:
    assert {"drawdown", "daily_loss", "slippage", "holdout", "noise", "cap"} == set(PERCENTS)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("slippage", "50%", "Expected slippage from 0 to 10%, was '50%'"),
        ("slippage", "%", "Expected slippage from 0 to 10%, was '%'"),
        ("slippage", "5%%", "Expected slippage from 0 to 10%, was '5%%'"),
        ("trials", "5%", "Expected trials from 0 to 10, was '5%'"),
        ("slippage", "५", "Expected slippage from 0 to 10%, was '५'"),
        ("slippage", "1_0", "Expected slippage from 0 to 10%, was '1_0'"),
        ("slippage", "nan", "Expected slippage from 0 to 10%, was 'nan'"),
    ],
)
def test_what_is_no_such_number_is_told_with_its_unit(name: str, text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as told:
        number(name, text, 0, 10)
    assert str(told.value) == says


def test_a_count_is_not_cut_off_behind_its_point() -> None:
    assert whole("trials", "100", 1, 1000) == 100
    assert whole("trials", "1e2", 1, 1000) == 100
    with pytest.raises(InvalidInput, match=r"Expected trials as a whole number, was '3\.7'"):
        whole("trials", "3.7", 1, 1000)
