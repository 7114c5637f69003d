"""The exchange's days and hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.times import IST
from trader.market.calendar import Calendar, Phase, Session

CALENDAR = Calendar.load()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        ("2026-11-23 08:59:59", Phase.CLOSED),
        ("2026-11-23 09:00:00", Phase.PREOPEN),
        ("2026-11-23 09:14:59", Phase.PREOPEN),
        ("2026-11-23 09:15:00", Phase.OPEN),
        ("2026-11-23 15:29:59", Phase.OPEN),
        ("2026-11-23 15:30:00", Phase.CLOSED),
        ("2026-11-21 11:00:00", Phase.CLOSED),  # Saturday
        ("2026-11-24 11:00:00", Phase.CLOSED),  # Guru Nanak Jayanti
        ("2026-02-01 11:00:00", Phase.OPEN),  # Budget on a Sunday
        ("2026-11-08 11:00:00", Phase.CLOSED),  # Muhurat begins in the afternoon
        ("2026-11-08 14:00:00", Phase.OPEN),
    ],
)
def test_a_moment_has_its_phase(moment: str, phase: Phase) -> None:
    assert CALENDAR.phase(at(moment)) is phase


def test_the_phase_does_not_depend_on_the_zone_the_time_is_given_in() -> None:
    assert CALENDAR.phase(datetime(2026, 11, 23, 3, 45, tzinfo=UTC)) is Phase.OPEN
    with pytest.raises(ValueError, match="zone"):
        CALENDAR.phase(datetime(2026, 11, 23, 9, 15))  # noqa: DTZ001 the naive time is the test


def test_the_year_2026_has_247_sessions() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    open_days = [day for day in days if CALENDAR.is_trading_day(day)]
    assert len(open_days) == 247  # 261 weekdays - 16 holidays + 2 Sundays (facts/india.md, section 8)
    assert [day for day in open_days if day.weekday() > 4] == [date(2026, 2, 1), date(2026, 11, 8)]


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-11-23 10:00", "open until 15:30"),
        ("2026-11-23 09:05", "pre-open; opens 09:15"),
        ("2026-11-20 15:30", "closed; opens Mon 23 Nov 09:15"),
        ("2026-11-23 16:00", "closed; opens Wed 25 Nov 09:15"),  # Tuesday is a holiday
        ("2026-11-06 16:00", "closed; opens Sun 8 Nov 13:45"),
        ("2026-11-08 14:00", "open until 14:45"),
    ],
)
def test_it_is_described_in_few_words(moment: str, text: str) -> None:
    assert CALENDAR.describe(at(moment)) == text


def test_trading_days_step_over_weekends_and_holidays() -> None:
    assert CALENDAR.next_trading_day(date(2026, 11, 23)) == date(2026, 11, 25)
    assert CALENDAR.previous_trading_day(date(2026, 11, 25)) == date(2026, 11, 23)
    assert CALENDAR.previous_trading_day(date(2026, 11, 9)) == date(2026, 11, 8)
    assert CALENDAR.next_open(at("2026-11-23 09:15")) == at("2026-11-25 09:15"), "strictly after"


def test_own_squareoff_comes_before_the_brokers_and_entries_end_before_it() -> None:
    day = date(2026, 11, 23)
    assert CALENDAR.entries_until(day) == at("2026-11-23 15:00")
    assert CALENDAR.squareoff_at(day) == at("2026-11-23 15:10")
    muhurat = date(2026, 11, 8)
    assert CALENDAR.squareoff_at(muhurat) == at("2026-11-08 14:25"), "moves with a short session's close"


def test_years_without_a_table_trade_on_weekdays_only() -> None:
    assert CALENDAR.is_trading_day(date(2023, 5, 2))
    assert not CALENDAR.is_trading_day(date(2024, 1, 20)), "a Saturday, until data prove otherwise"


def test_a_recording_proves_sessions_and_closed_days() -> None:
    saturday, evening = date(2024, 1, 20), date(2023, 11, 12)
    muhurat = Session(at("2023-11-12 18:15"), at("2023-11-12 19:15"))
    proven = CALENDAR.with_sessions([saturday, muhurat], closed=[date(2023, 11, 14), saturday])
    assert proven.session(saturday) == (at("2024-01-20 09:15"), at("2024-01-20 15:30"))
    assert proven.session(evening) == muhurat
    assert proven.phase(at("2023-11-12 18:10")) is Phase.PREOPEN
    assert not proven.is_trading_day(date(2023, 11, 14))
    assert not CALENDAR.is_trading_day(saturday), "the calendar it came from is untouched"


@given(st.datetimes(datetime(2019, 1, 1), datetime(2028, 1, 1)))  # noqa: DTZ001 hypothesis wants them naive
def test_the_next_open_begins_a_session_and_nothing_is_open_between(naive: datetime) -> None:
    moment = naive.replace(tzinfo=IST)
    opens = CALENDAR.next_open(moment)
    assert opens > moment
    assert CALENDAR.phase(opens) is Phase.OPEN
    assert CALENDAR.phase(opens - timedelta(seconds=1)) is not Phase.OPEN
    day = moment.date() + timedelta(days=1)
    while day < opens.date():
        assert not CALENDAR.is_trading_day(day)
        day += timedelta(days=1)
    if CALENDAR.phase(moment) is Phase.OPEN:
        assert CALENDAR.phase(datetime.combine(moment.date(), time(15, 30), IST)) is Phase.CLOSED
