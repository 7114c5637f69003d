"""What is suggested for a name nobody knows."""

from __future__ import annotations

import pytest

from trader.domain.errors import UnknownName, nearest
from trader.domain.market import Interval

STRATEGIES = ["breakout", "ema_crossover", "macd_crossover", "rsi_mean_reversion", "supertrend"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ema", "ema_crossover"),
        ("RSI", "rsi_mean_reversion"),
        ("super", "supertrend"),
        ("ema_crosover", "ema_crossover"),
        ("e", None),
        ("", None),
        ("crossover", "ema_crossover"),  # as near as the other
        ("xyz", None),
    ],
)
def test_the_beginning_of_one_name_is_enough(typed: str, meant: str | None) -> None:
    assert nearest(typed, STRATEGIES) == meant


def test_a_beginning_of_several_suggests_none_of_them() -> None:
    assert nearest("st", ["status_of_the_day", "strategies_there_are"]) is None


def test_intervals_are_listed_by_their_length() -> None:
    with pytest.raises(UnknownName) as refused:
        Interval.parse("1w2")
    assert "Known: 5s, 15s, 30s, 1m, 3m, 5m, 10m, 15m, 30m, 1h, 1d." in str(refused.value)
