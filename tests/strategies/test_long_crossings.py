"""Years of bars go through a compiled loop; it must find what the plain one does."""

from __future__ import annotations

import numpy as np
import pytest

from trader.strategy import crossed_above, crossed_below
from trader.strategy.indicators import _WORTH_COMPILING


@pytest.mark.parametrize("against", ["an array", "one number"])
def test_crossings_in_long_arrays_are_those_in_short_ones(against: str) -> None:
    random = np.random.default_rng(4)
    length = _WORTH_COMPILING + 5_000
    a = np.round(np.cumsum(random.normal(0, 0.05, length)), 2) + 100
    a[random.random(length) < 0.01] = np.nan
    near = np.round(a + random.normal(0, 0.02, length), 2)
    b: np.ndarray | float = near if against == "an array" else 100.0
    for crossed in (crossed_above, crossed_below):
        whole = crossed(a, b)
        part = 4_000
        for begin in range(0, length, part - 1):  # each part begins with the last bar of the one before
            end = min(begin + part, length)
            other = b[begin:end] if isinstance(b, np.ndarray) else b
            assert (whole[begin + 1 : end] == crossed(a[begin:end], other)[1:]).all()
        assert 50 < whole.sum() < length / 2
