from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.errors import InvalidInput
from trader.domain.market import Bar, Interval
from trader.domain.times import IST
from trader.strategy.window import BarWindow


def bar(n: int) -> Bar:
    start = datetime(2026, 11, 20, 9, 15, tzinfo=IST) + timedelta(minutes=n)
    return Bar("NSE:SBIN", Interval.M1, start, n + 0.25, n + 0.5, n + 0.0, n + 0.3, n)


@given(capacity=st.integers(1, 12), count=st.integers(0, 60))
def test_the_window_holds_exactly_the_newest_bars(capacity, count):
    window = BarWindow("NSE:SBIN", Interval.M1, capacity)
    for n in range(count):
        assert window.append(bar(n))
        newest = [bar(m) for m in range(max(0, n + 1 - capacity), n + 1)]
        assert [*window.bars] == newest
        assert len(window) == len(window.bars) == len(newest)


def test_what_was_handed_out_never_changes():
    window = BarWindow("NSE:SBIN", Interval.M1, 3)
    handed_out = []
    for n in range(50):
        window.append(bar(n))
        handed_out.append((window.bars, [*window.bars]))
    for bars, was in handed_out:
        assert [*bars] == was


def test_a_bar_that_is_not_newer_is_not_taken_twice():
    window = BarWindow("NSE:SBIN", Interval.M1, 5)
    assert [window.append(bar(n)) for n in (0, 1, 1, 0, 2)] == [True, True, False, False, True]
    assert [*window.bars] == [bar(0), bar(1), bar(2)]


def test_views_share_memory_are_contiguous_and_cannot_be_written():
    window = BarWindow("NSE:SBIN", Interval.M1, 8)
    for n in range(5):
        window.append(bar(n))
    first, second = window.bars, window.bars
    assert np.shares_memory(first.close, second.close)
    for array in (first.open, first.high, first.low, first.close, first.volume, first.start):
        assert array.flags.c_contiguous
        assert not array.flags.writeable


def test_an_empty_window_shows_no_bars():
    assert len(BarWindow("NSE:SBIN", Interval.M1, 4).bars) == 0


def test_a_window_of_nothing_is_refused():
    with pytest.raises(InvalidInput, match="at least one bar"):
        BarWindow("NSE:SBIN", Interval.M1, 0)
