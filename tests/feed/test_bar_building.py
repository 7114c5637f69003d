"""Ticks into bars, and bars into larger bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.errors import FeedError
from trader.domain.instrument import instrument_key
from trader.domain.market import Bar, Interval, Tick
from trader.domain.times import IST
from trader.feed.bars import BarBuilder, BarMerger, Grid, merged
from trader.market.calendar import Calendar, Session

KEY = instrument_key("RELIANCE")
DAY = "2026-11-23 "  # a Monday


def at(clock: str) -> datetime:
    return datetime.fromisoformat(clock if len(clock) > 12 else DAY + clock).replace(tzinfo=IST)


def tick(clock: str, last: float, volume: int = 0) -> Tick:
    return Tick(KEY, at(clock), last, volume)


def bar(
    clock: str, o: float, h: float, lo: float, c: float, volume: int, interval: Interval = Interval.M1
) -> Bar:
    return Bar(KEY, interval, at(clock), o, h, lo, c, volume)


def build(ticks: Sequence[Tick], interval: Interval = Interval.M1, until: str | None = None) -> list[Bar]:
    builder = BarBuilder(KEY, interval)
    closed = [b for t in ticks if (b := builder.add(t)) is not None]
    last = builder.close_due(at(until) if until else ticks[-1].at + timedelta(days=1))
    return [*closed, last] if last else closed


def test_a_tick_of_a_later_minute_closes_the_bar() -> None:
    builder = BarBuilder(KEY, Interval.M1)
    assert builder.add(tick("10:00:00", 100, 50)) is None
    assert builder.add(tick("10:00:30", 103, 60)) is None
    assert builder.add(tick("10:00:59.999", 99, 70)) is None
    assert builder.add(tick("10:01:00", 101, 75)) == bar("10:00:00", 100, 103, 99, 99, 20)


def test_time_alone_closes_the_bar_and_only_once() -> None:
    builder = BarBuilder(KEY, Interval.M1)
    builder.add(tick("10:00:10", 100))
    assert builder.close_due(at("10:00:59.999")) is None
    assert builder.close_due(at("10:01:00")) == bar("10:00:00", 100, 100, 100, 100, 0)
    assert builder.close_due(at("10:02:00")) is None
    assert builder.add(tick("10:00:59", 90)) is None, "a late tick opens no closed bar again"
    assert builder.close_due(at("10:03:00")) is None


@pytest.mark.parametrize(
    ("interval", "clock", "start", "ends"),
    [
        (Interval.S5, "09:15:07", "09:15:05", "09:15:10"),
        (Interval.M30, "09:50:00", "09:45:00", "10:15:00"),
        (Interval.H1, "10:14:59", "09:15:00", "10:15:00"),
        (Interval.H1, "10:15:00", "10:15:00", "11:15:00"),
        (Interval.H1, "15:29:59", "15:15:00", "15:30:00"),  # the session ends it
        (Interval.D1, "13:00:00", "09:15:00", "15:30:00"),
    ],
)
def test_bars_align_from_the_opening_and_end_with_the_session(
    interval: Interval, clock: str, start: str, ends: str
) -> None:
    builder = BarBuilder(KEY, interval)
    builder.add(tick(clock, 100))
    assert builder.close_due(at(ends) - timedelta(microseconds=1)) is None
    closed = builder.close_due(at(ends))
    assert closed is not None
    assert closed.start == at(start)
    assert Grid().end_of(closed) == at(ends)


def test_special_sessions_have_their_own_alignment_and_unannounced_ones_lose_nothing() -> None:
    muhurat = Session(at("2026-11-08 13:45:00"), at("2026-11-08 14:45:00"))
    grid = Grid(Calendar.load().with_sessions([muhurat]))
    assert grid.bucket(at("2026-11-08 14:00:00"), Interval.H1) == muhurat
    assert grid.bucket(at("2026-11-08 09:30:00"), Interval.H1) is None
    saturday = grid.bucket(at("2026-11-21 11:07:00"), Interval.M5)
    assert saturday == (at("2026-11-21 11:05:00"), at("2026-11-21 11:10:00"))


def test_a_late_tick_changes_no_price_but_its_volume_counts() -> None:
    builder = BarBuilder(KEY, Interval.M1)
    builder.add(tick("09:15:01", 100, 10))
    builder.add(tick("09:16:05", 100, 30))
    assert builder.add(tick("09:15:50", 500, 45)) is None
    assert builder.close_due(at("09:17:00")) == bar("09:16:00", 100, 100, 100, 100, 35)


def test_a_late_tick_between_two_bars_leaves_its_volume_to_the_next() -> None:
    builder = BarBuilder(KEY, Interval.M1)
    builder.add(tick("09:15:01", 100, 10))
    assert builder.close_due(at("09:16:00")) is not None
    builder.add(tick("09:15:59", 500, 25))
    builder.add(tick("09:16:01", 101, 26))
    assert builder.close_due(at("09:17:00")) == bar("09:16:00", 101, 101, 101, 101, 16)


def test_out_of_order_inside_the_bar_stretches_it_but_does_not_close_it() -> None:
    ticks = [
        tick("09:15:10", 100, 5),
        tick("09:15:40", 101, 9),
        tick("09:15:20", 110, 7),
        tick("09:15:05", 98, 2),
    ]
    assert build(ticks) == [bar("09:15:00", 98, 110, 98, 101, 9)]


def test_of_two_ticks_at_one_instant_the_first_opens_and_the_last_closes() -> None:
    assert build([tick("09:15:10", 100), tick("09:15:10", 102)]) == [bar("09:15:00", 100, 102, 100, 102, 0)]


def test_a_day_first_seen_after_its_opening_minute_books_only_what_it_sees() -> None:
    bars = build(
        [tick("11:00:10", 100, 5_000_000), tick("11:00:20", 100, 5_000_300), tick("11:01:00", 100, 5_000_400)]
    )
    assert [b.volume for b in bars] == [300, 100]


def test_a_day_seen_from_its_opening_minute_books_everything_since_the_preopen() -> None:
    opening = build([tick("09:15:12", 100, 280_601), tick("09:15:20", 100, 280_700)])
    assert [b.volume for b in opening] == [280_700]
    with_preopen = build([tick("09:08:00", 99, 40_000), tick("09:15:02", 100, 41_000)])
    assert with_preopen == [bar("09:15:00", 100, 100, 100, 100, 1000)], "the auction is in no bar"


def test_a_new_day_starts_its_own_count() -> None:
    bars = build(
        [
            tick("09:15:01", 100, 900),
            tick("2026-11-25 09:15:02", 105, 30),
            tick("2026-11-25 09:15:09", 105, 80),
        ]
    )
    assert [b.volume for b in bars] == [900, 80]
    stale = build(
        [
            tick("2026-11-25 09:15:01", 100, 900),
            tick("15:29:00", 90, 5_000),
            tick("2026-11-25 09:15:30", 100, 950),
        ]
    )
    assert [b.volume for b in stale] == [950], "yesterday's counter counts for nothing today"


def test_a_counter_that_steps_back_is_ignored() -> None:
    bars = build(
        [
            tick("09:15:01", 100, 100),
            tick("09:15:02", 100, 40),
            tick("09:15:03", 100, 120),
            tick("09:16:01", 100, 60),
        ]
    )
    assert [b.volume for b in bars] == [120, 0]


def test_what_comes_after_the_close_is_in_no_bar() -> None:
    builder = BarBuilder(KEY, Interval.M1)
    builder.add(tick("15:29:30", 100, 10))
    closed = builder.add(tick("15:40:00", 120, 90))
    assert closed is not None
    assert (closed.high, closed.volume) == (100, 0)
    assert builder.close_due(at("18:00:00")) is None


@pytest.mark.parametrize("price", [0.0, -5.0, float("nan")])
def test_a_price_that_is_none_changes_nothing(price: float) -> None:
    bars = build([tick("10:00:01", 100), tick("10:00:02", price), tick("10:01:30", price)], until="10:01:00")
    assert bars == [bar("10:00:00", 100, 100, 100, 100, 0)]


# -- properties -----------------------------------------------------------------------------------------

SECONDS = st.integers(min_value=0, max_value=22_499)
PRICES = st.integers(min_value=1, max_value=20_000).map(lambda ticks: ticks / 20)


@st.composite
def days(draw: st.DrawFn) -> list[Tick]:
    """Ticks of one session in order, cumulative volume from the opening minute on."""
    rows = draw(st.lists(st.tuples(SECONDS, PRICES, st.integers(0, 500)), min_size=1, max_size=60))
    rows = [(0, rows[0][1], rows[0][2]), *sorted(rows, key=lambda row: row[0])]
    ticks, volume = [], 0
    for second, price, traded in rows:
        volume += traded
        ticks.append(Tick(KEY, at("09:15:00") + timedelta(seconds=second), price, volume))
    return ticks


INTERVALS = st.sampled_from(list(Interval))


@given(days(), INTERVALS)
def test_bars_are_sound_in_order_and_lose_no_volume(ticks: list[Tick], interval: Interval) -> None:
    bars = build(ticks, interval)
    for b in bars:
        assert 0 < b.low <= b.open <= b.high
        assert b.low <= b.close <= b.high
        assert b.volume >= 0
    assert all(a.start < b.start for a, b in pairwise(bars)), "rising, so none comes twice"
    assert sum(b.volume for b in bars) == ticks[-1].volume
    assert {b.start for b in bars} == {Grid().bucket(t.at, interval)[0] for t in ticks}


@given(days(), INTERVALS, st.randoms(use_true_random=False))
def test_the_order_inside_a_bucket_changes_neither_range_nor_volume(
    ticks: list[Tick], interval: Interval, random: Random
) -> None:
    buckets: dict[datetime, list[Tick]] = {}
    for t in ticks:
        start, _ = Grid().bucket(t.at, interval) or (t.at, t.at)
        buckets.setdefault(start, []).append(t)
    shuffled = []
    for _, inside in sorted(buckets.items()):
        random.shuffle(inside)
        shuffled += inside
    facts = [
        [(b.start, b.high, b.low, b.volume) for b in build(some, interval)] for some in (ticks, shuffled)
    ]
    assert facts[0] == facts[1]


@given(days(), st.lists(st.integers(0, 70), max_size=5), INTERVALS)
def test_arbitrary_disorder_never_gives_a_bar_twice_or_loses_volume(
    ticks: list[Tick], moved: list[int], interval: Interval
) -> None:
    disordered = list(ticks)
    for position in moved:
        disordered.insert(0, disordered.pop(position % len(disordered)))
    disordered.insert(0, ticks[0])  # the opening comes first, or the count would start later
    bars = build(disordered, interval)
    assert all(a.start < b.start for a, b in pairwise(bars))
    assert sum(b.volume for b in bars) <= ticks[-1].volume
    assert all(b.low <= min(b.open, b.close) and b.high >= max(b.open, b.close) for b in bars)


@given(days(), st.sampled_from([Interval.M3, Interval.M5, Interval.M15, Interval.H1, Interval.D1]))
def test_merged_minutes_equal_bars_straight_from_ticks(ticks: list[Tick], interval: Interval) -> None:
    minutes = build(ticks, Interval.M1)
    assert merged(minutes, interval, Grid(), at("15:30:00")) == build(ticks, interval)


# -- merging --------------------------------------------------------------------------------------------


def test_a_larger_bar_closes_with_its_last_part() -> None:
    merger = BarMerger(KEY, Interval.M1, Interval.M5)
    parts = [bar(f"09:{15 + i}:00", 100 + i, 110 + i, 90 - i, 105 + i, 10) for i in range(5)]
    closed = [merger.add(part) for part in parts]
    assert closed == [[], [], [], [], [bar("09:15:00", 100, 114, 86, 109, 50, Interval.M5)]]


def test_a_missing_last_part_is_made_up_for_by_time_or_by_the_next_bar() -> None:
    by_time = BarMerger(KEY, Interval.M1, Interval.M5)
    by_time.add(bar("09:15:00", 1, 2, 1, 2, 5))
    assert by_time.close_due(at("09:19:59")) is None
    assert by_time.close_due(at("09:20:00")) == bar("09:15:00", 1, 2, 1, 2, 5, Interval.M5)
    by_next = BarMerger(KEY, Interval.M1, Interval.M5)
    by_next.add(bar("09:15:00", 1, 2, 1, 2, 5))
    both = by_next.add(bar("09:24:00", 3, 3, 3, 3, 7))
    assert [b.start for b in both] == [at("09:15:00"), at("09:20:00")], "the one before it, and its own"


def test_a_repeated_or_older_part_is_ignored() -> None:
    merger = BarMerger(KEY, Interval.M1, Interval.M5)
    part = bar("09:16:00", 1, 2, 1, 2, 5)
    assert merger.add(part) == merger.add(part) == merger.add(bar("09:15:00", 9, 9, 9, 9, 9)) == []
    assert merger.close_due(at("09:20:00")) == bar("09:15:00", 1, 2, 1, 2, 5, Interval.M5)


@pytest.mark.parametrize(
    ("base", "interval"), [(Interval.M5, Interval.M1), (Interval.M3, Interval.M5), (Interval.D1, Interval.H1)]
)
def test_what_cannot_be_merged_is_refused(base: Interval, interval: Interval) -> None:
    with pytest.raises(FeedError, match=f"{interval} candles cannot be made of {base}"):
        BarMerger(KEY, base, interval)
