"""Which days are asked for, and in what requests."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kite_feed_house import CALENDAR, at, day

from trader.feed.zerodha.gaps import Run, beside, chunks, missing
from trader.market.calendar import Calendar, Venue

NIGHT = at("2026-11-20 23:00")
FIRST, LAST = day("2026-10-01"), day("2026-11-20")
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
TRADING = [d for d in DAYS if CALENDAR.is_trading_day(d)]


def gaps(*complete: str, run: Run, calendar: Calendar = CALENDAR) -> list[Run]:
    return list(missing(calendar, Venue.STOCK, run, {day(text) for text in complete}, NIGHT))


def test_weekends_and_holidays_are_inside_a_gap_but_none_themselves() -> None:
    week = Run(day("2026-11-07"), day("2026-11-15"))  # Saturday, Muhurat on Sunday, Balipratipada on Tuesday
    assert gaps(run=week) == [Run(day("2026-11-08"), day("2026-11-13"))]
    assert gaps("2026-11-08", "2026-11-09", "2026-11-11", "2026-11-13", run=week) == [
        Run(day("2026-11-12"), day("2026-11-12"))
    ], "the holiday between two complete days is no gap"
    assert gaps(run=Run(day("2026-11-14"), day("2026-11-15"))) == []


def test_a_day_the_owner_closed_is_no_gap_until_it_is_reopened() -> None:
    calendar, run = Calendar.load(), Run(day("2026-11-19"), day("2026-11-20"))
    calendar.close(day("2026-11-19"), "mourning")
    assert gaps(run=run, calendar=calendar) == [Run(day("2026-11-20"), day("2026-11-20"))]
    calendar.reopen(day("2026-11-19"))
    assert gaps(run=run, calendar=calendar) == [run]


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-11-20 09:15", "2026-11-19"),
        ("2026-11-20 09:16", "2026-11-20"),
        ("2026-11-21 12:00", "2026-11-20"),
    ],
)
def test_what_has_not_begun_is_not_asked_for(now: str, last: str) -> None:
    found = missing(CALENDAR, Venue.STOCK, Run(FIRST, day("2026-12-31")), set(), at(now))
    assert found[-1].last == day(last)


@given(st.sets(st.sampled_from(DAYS)))
def test_gaps_are_all_the_trading_days_that_are_not_complete(complete: set[date]) -> None:
    found = missing(CALENDAR, Venue.STOCK, Run(FIRST, LAST), complete, NIGHT)
    inside = {d for gap in found for d in TRADING if gap.first <= d <= gap.last}
    assert inside == set(TRADING) - complete
    for before, after in pairwise(found):
        assert any(before.last < d < after.first for d in complete), "two gaps have a complete day between"


@given(st.dates(date(2015, 1, 1), date(2026, 1, 1)), st.integers(1, 3000), st.integers(1, 2000))
def test_requests_cover_every_day_once_within_kites_limit(first: date, length: int, most: int) -> None:
    run = Run(first, first + timedelta(days=length - 1))
    parts = list(chunks(run, most))
    assert [n for part in parts for n in range(part.first.toordinal(), part.last.toordinal() + 1)] == list(
        range(run.first.toordinal(), run.last.toordinal() + 1)
    )
    assert max(part.days for part in parts) <= most


def test_the_nearest_complete_days_are_compared() -> None:
    gap = Run(day("2026-11-10"), day("2026-11-12"))
    known = {day("2026-11-03"), day("2026-11-09"), day("2026-11-20")}
    assert beside(gap, known) == (day("2026-11-09"), day("2026-11-20"))
    assert beside(gap, set()) == (None, None)
    assert (gap.distance(day("2026-11-09")), gap.distance(day("2026-11-20"))) == (1, 8)
