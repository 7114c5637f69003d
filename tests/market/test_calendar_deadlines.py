"""When intraday positions must be gone; and a table that cannot be meant is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.errors import SettingsError
from trader.domain.times import IST
from trader.market import tables
from trader.market.calendar import Calendar, Deadlines, Session, Venue

CALENDAR = Calendar.load()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


@pytest.mark.parametrize(
    ("day", "venue", "entries", "own", "broker", "stops"),
    [
        ("2026-11-23", Venue.AUCTION_STOCK, "14:55", "15:07", "15:12", "15:15"),
        ("2026-11-23", Venue.STOCK, "15:05", "15:20", "15:25", None),
        ("2026-11-23", Venue.DERIVATIVE, "15:05", "15:20", "15:26", None),
        ("2026-11-23", Venue.OPTION, "15:05", "15:20", "15:26", None),
        ("2026-08-03", Venue.AUCTION_STOCK, "14:55", "15:07", "15:12", "15:15"),
        ("2026-07-31", Venue.AUCTION_STOCK, "15:00", "15:10", "15:20", None),
        ("2026-07-31", Venue.STOCK, "15:00", "15:10", "15:20", None),
        ("2026-07-31", Venue.DERIVATIVE, "15:00", "15:15", "15:25", None),
        ("2023-05-02", Venue.OPTION, "15:00", "15:15", "15:25", None),
        ("2026-02-01", Venue.STOCK, "15:00", "15:10", "15:20", None),  # Budget: usual hours, usual deadlines
        ("2026-11-24", Venue.STOCK, "15:05", "15:20", "15:25", None),  # a closed day answers as if open
        # Muhurat: Zerodha leaves ten minutes before the close, and ours keep their distance to that
        ("2026-11-08", Venue.AUCTION_STOCK, "14:18", "14:30", "14:35", None),
        ("2026-11-08", Venue.STOCK, "14:15", "14:30", "14:35", None),
        ("2026-11-08", Venue.DERIVATIVE, "14:14", "14:29", "14:35", None),
        ("2022-10-24", Venue.STOCK, "18:45", "18:55", "19:05", None),
        # without the broker's word: as far from the close as usual
        ("2024-03-02", Venue.STOCK, "12:00", "12:10", "12:20", None),
        ("2024-03-02", Venue.OPTION, "12:00", "12:15", "12:25", None),
    ],
)
def test_a_day_has_its_deadlines(
    day: str, venue: Venue, entries: str, own: str, broker: str, stops: str | None
) -> None:
    assert CALENDAR.deadlines(date.fromisoformat(day), venue) == Deadlines(
        at(f"{day} {entries}"),
        at(f"{day} {own}"),
        at(f"{day} {broker}"),
        at(f"{day} {stops}") if stops else None,
    )


def test_the_deadlines_of_a_recorded_session_lie_inside_it() -> None:
    tiny = Session(at("2026-11-22 11:00"), at("2026-11-22 11:10"))
    calendar = CALENDAR.with_sessions([tiny])
    assert calendar.deadlines(date(2026, 11, 22), Venue.STOCK) == (
        at("2026-11-22 11:00"),  # 25 minutes before the close would be before the opening
        at("2026-11-22 11:00"),
        at("2026-11-22 11:05"),
        None,
    )


@given(st.dates(date(2019, 1, 1), date(2027, 12, 31)), st.sampled_from([*Venue]))
def test_entries_end_before_our_squareoff_and_that_five_minutes_before_the_brokers(
    day: date, venue: Venue
) -> None:
    entries, own, broker, stops = CALENDAR.deadlines(day, venue)
    assert entries < own <= broker - timedelta(minutes=5)
    session = CALENDAR.session(day, venue)
    if session is not None:
        assert session.opens_at <= entries
        assert broker <= session.closes_at
    if stops is not None:
        assert broker <= stops, "a stop protects until the broker has left"


def _row(table: dict[str, Any], kind: str, since: date, venue: str) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in table[kind] if r["from"] == since and venue in r["venues"])
    return found


def late_squareoff(table: dict[str, Any]) -> None:
    _row(table, "deadlines", date(2026, 8, 3), "closing-auction stock")["squareoff_at"] = time(15, 7, 1)


def late_entries(table: dict[str, Any]) -> None:
    _row(table, "deadlines", date(2026, 8, 3), "stock")["entries_until"] = time(15, 20)


def old_deadlines(table: dict[str, Any]) -> None:
    table["deadlines"] = [row for row in table["deadlines"] if row["from"] < date(2026, 8, 3)]


def no_options(table: dict[str, Any]) -> None:
    for row in table["phases"]:
        row["venues"] = [venue for venue in row["venues"] if venue != "option"]


def unordered(table: dict[str, Any]) -> None:
    _row(table, "phases", date(2026, 8, 3), "option")["times"].reverse()


def never_open(table: dict[str, Any]) -> None:
    _row(table, "phases", date(2026, 8, 3), "option")["times"].pop(0)


def weekend_holiday(table: dict[str, Any]) -> None:
    table["year"][-1]["holidays"].append([date(2026, 11, 8), "Diwali"])


def wrong_year(table: dict[str, Any]) -> None:
    table["year"][-1]["holidays"].append([date(2027, 1, 26), "Republic Day"])


def backward_hours(table: dict[str, Any]) -> None:
    table["session"][-1]["hours"] = [[time(14, 45), time(13, 45)]]


def broker_after_hours(table: dict[str, Any]) -> None:
    table["session"][-1]["broker_at"] = time(14, 46)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (late_squareoff, "own square-off at 15:07 must come at least 5 minutes before the broker's at 15:12"),
        (late_entries, "entries must end before the own square-off at 15:20, not at 15:20"),
        (
            old_deadlines,
            "closing-auction stock trades 09:15 to 15:15 from 2026-08-03, and a deadline lies outside",
        ),
        (no_options, "has no row for 'option'"),
        (unordered, "phases of option from 2026-08-03: expected rising times, were 15:40, 09:15"),
        (never_open, "phases of option from 2026-08-03: expected 'open' once and 'closed' last, were closed"),
        (weekend_holiday, r"2026-11-08 \(Diwali\) is a Sunday"),
        (wrong_year, r"2027-01-26 \(Republic Day\) stands in the row of 2026"),
        (backward_hours, r"the hours of 2026-11-08 \(Muhurat\) must be rising times"),
        (broker_after_hours, r"broker_at of 2026-11-08 \(Muhurat\) must lie inside its hours"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(
    spoil: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    table = copy.deepcopy(tables.read("calendar"))
    Calendar.read(table)
    spoil(table)
    with pytest.raises(SettingsError, match=sentence):
        Calendar.read(table)


def test_every_row_names_its_source_and_how_sure_it_is() -> None:
    table = tables.read("calendar")
    rows = [row for kind in ("phases", "deadlines", "settlement", "year", "session") for row in table[kind]]
    assert all(row["source"] for row in rows)
    assert {row["certainty"] for row in rows} <= {"verified", "secondary", "observed", "not verified"}
