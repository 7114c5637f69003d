from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.errors import InvalidInput
from trader.domain.market import Bar, Interval
from trader.domain.times import IST
from trader.strategy import Bars
from trader.strategy.bars import micros, moment

OPENING = datetime(2026, 11, 20, 9, 15, tzinfo=IST)


def bar(n: int, *, key: str = "NSE:SBIN", close: float = 101.5) -> Bar:
    return Bar(key, Interval.M1, OPENING + timedelta(minutes=n), 101.0, 102.0, 100.5, close + n, 1000 + n)


def test_columns_come_out_as_they_went_in():
    bars = Bars.of([bar(0), bar(1), bar(2)])
    assert len(bars) == 3
    assert bars.open.tolist() == [101.0] * 3
    assert bars.high.tolist() == [102.0] * 3
    assert bars.low.tolist() == [100.5] * 3
    assert bars.close.tolist() == [101.5, 102.5, 103.5]
    assert bars.volume.tolist() == [1000.0, 1001.0, 1002.0]
    assert (bars.key, bars.interval) == ("NSE:SBIN", Interval.M1)
    assert bars.close.flags.c_contiguous
    assert repr(bars) == "<Bars NSE:SBIN 1m: 3, 2026-11-20 09:15 to 2026-11-20 09:17>"


def test_one_row_comes_back_as_the_bar_it_was():
    given_bars = [bar(0), bar(1), bar(2)]
    bars = Bars.of(given_bars)
    assert [bars[n] for n in range(3)] == given_bars
    assert bars[-1] == given_bars[-1]


def test_a_slice_is_a_view():
    bars = Bars.of([bar(n) for n in range(5)])
    assert bars[:3].close.tolist() == bars.close[:3].tolist()
    assert bars[2:].start.tolist() == bars.start[2:].tolist()
    assert np.shares_memory(bars[:3].close, bars.close)


def test_nothing_can_be_written():
    bars = Bars.of([bar(0), bar(1)])
    for array in (bars.close, bars.start, bars[:1].close):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        bars.close = np.zeros(2)


def test_the_exchanges_clock_is_read_off_the_start_times():
    late = Bar("NSE:SBIN", Interval.M1, datetime(2026, 11, 20, 23, 59, tzinfo=IST), 1, 1, 1, 1, 1)
    bars = Bars.of([bar(0), bar(1), late])
    assert bars.minute.tolist() == [555, 556, 1439]
    assert len(set(bars.day.tolist())) == 1
    assert bars.day[0] == (datetime(2026, 11, 20, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days


def test_the_frame_is_indexed_by_ist():
    frame = Bars.of([bar(0), bar(1)]).frame
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    assert frame.index[0].isoformat() == "2026-11-20T09:15:00+05:30"
    assert frame.close.tolist() == [101.5, 102.5]


def test_datetime64_starts_are_taken_as_utc():
    starts = np.array(["2026-11-20T03:45"], dtype="datetime64[m]")
    assert Bars.of_arrays("NSE:X", Interval.M1, starts, [1], [1], [1], [1], [0])[0].start == OPENING


def test_bars_survive_the_way_to_another_process():
    bars = Bars.of([bar(0), bar(1)])
    back = pickle.loads(pickle.dumps(bars))  # noqa: S301 - our own bytes
    assert [*back] == [*bars]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "at least one bar"),
        ([bar(0), bar(1, key="NSE:TCS")], "one instrument and interval"),
        ([bar(1), bar(0)], "in order of time, 20 Nov 2026 09:15:00 is not"),
        ([bar(0), bar(0)], "in order of time"),
        ([bar(0), bar(1, close=float("nan"))], "bar 1 holds"),
    ],
)
def test_bars_that_cannot_be_are_refused(rows, words):
    with pytest.raises(InvalidInput, match=words):
        Bars.of(rows)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InvalidInput, match="columns of 2 bars, were 2, 2, 1, 2, 2"):
        Bars.of_arrays("NSE:X", Interval.M1, np.array([1, 2]), [1, 1], [1, 1], [1], [1, 1], [1, 1])


@given(st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(IST)))  # noqa: DTZ001 - given below
def test_times_survive_the_way_to_microseconds_and_back(at):
    assert moment(micros(at)) == at
    assert micros(at.astimezone(UTC)) == micros(at)
