"""On which days the exchange trades and settles, and how that is told."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.times import IST
from trader.market.calendar import Calendar, Phase, Session, Venue

CALENDAR = Calendar.load()

HOLIDAYS_2026 = """
    Thu 15 Jan, Mon 26 Jan, Tue 3 Mar, Thu 26 Mar, Tue 31 Mar, Fri 3 Apr, Tue 14 Apr, Fri 1 May, Thu 28 May,
    Fri 26 Jun, Mon 14 Sep, Fri 2 Oct, Tue 20 Oct, Tue 10 Nov, Tue 24 Nov, Fri 25 Dec
"""  # NSE/CMTR/71775 and the ad-hoc one of January, typed a second time with its weekdays


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def day_of(text: str) -> date:
    return date.fromisoformat(text)


def days_of(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]


def test_the_phase_does_not_depend_on_the_zone_the_time_is_given_in() -> None:
    assert CALENDAR.phase(datetime(2026, 11, 23, 3, 45, tzinfo=UTC)) is Phase.OPEN
    with pytest.raises(ValueError, match="zone"):
        CALENDAR.phase(datetime(2026, 11, 23, 9, 15))  # noqa: DTZ001 the naive time is the test


# -- trading days --------------------------------------------------------------------------------------


def test_the_holidays_of_2026_are_the_circulars() -> None:
    listed = [text.strip() for text in HOLIDAYS_2026.split(",")]
    assert [f"{day:%a} {day.day} {day:%b}" for day, _ in CALENDAR.holidays(2026)] == listed
    assert all(name for _, name in CALENDAR.holidays(2026))


def test_the_year_2026_has_245_weekday_sessions_and_two_on_sundays() -> None:
    open_days = [day for day in days_of(2026) if CALENDAR.is_trading_day(day)]
    assert len([day for day in open_days if day.weekday() < 5]) == 245  # 261 weekdays - 16 holidays
    sundays = {day: CALENDAR.special(day) for day in open_days if day.weekday() >= 5}
    assert sundays == {date(2026, 2, 1): "Union Budget", date(2026, 11, 8): "Muhurat"}


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("2026-11-24", "Guru Nanak Jayanti"),
        ("2026-01-15", "Municipal elections"),
        ("2026-11-21", "Saturday"),
        ("2026-11-22", "Sunday"),
        ("2026-11-23", ""),
        ("2026-11-08", ""),  # Diwali, but Muhurat is traded
        ("2025-10-21", ""),  # the same on a weekday
        ("2023-06-28", ""),  # Bakri Id was moved
        ("2023-06-29", "Bakri Id"),
        ("2027-01-26", ""),  # no row for 2027 yet
    ],
)
def test_a_closed_day_has_its_reason(day: str, reason: str) -> None:
    assert CALENDAR.why_closed(day_of(day)) == reason
    assert CALENDAR.is_trading_day(day_of(day)) == (not reason)


def test_a_holiday_with_a_muhurat_session_is_not_listed_as_closed() -> None:
    assert day_of("2025-10-21") not in dict(CALENDAR.holidays(2025))
    assert dict(CALENDAR.holidays(2025))[day_of("2025-10-22")] == "Diwali Balipratipada"


def test_years_without_a_row_trade_on_weekdays_and_are_known_to_be_guesses() -> None:
    assert CALENDAR.covers(2026)
    assert not CALENDAR.covers(2027)
    assert [CALENDAR.is_trading_day(day) for day in days_of(2027)] == [
        day.weekday() < 5 for day in days_of(2027)
    ]
    assert CALENDAR.holidays(2027) == []


def test_trading_days_step_over_weekends_and_holidays() -> None:
    assert CALENDAR.next_trading_day(date(2026, 11, 23)) == date(2026, 11, 25)
    assert CALENDAR.previous_trading_day(date(2026, 11, 25)) == date(2026, 11, 23)
    assert CALENDAR.previous_trading_day(date(2026, 11, 9)) == date(2026, 11, 8)
    assert CALENDAR.next_open(at("2026-11-23 09:15")) == at("2026-11-25 09:15"), "strictly after"


@pytest.mark.parametrize(
    ("day", "ends"),
    [
        ("2026-11-20", True),  # Friday
        ("2026-11-19", False),
        ("2026-10-01", True),  # Thursday before Gandhi Jayanti
        ("2026-10-02", False),  # the holiday itself
        ("2026-01-30", False),  # Friday before the Budget's Sunday
        ("2026-02-01", True),
        ("2026-12-31", False),  # Thursday; 1 January is a Friday of the same ISO week
        ("2027-01-01", True),
    ],
)
def test_the_week_ends_with_its_last_trading_day(day: str, ends: bool) -> None:
    assert CALENDAR.ends_week(day_of(day)) is ends


# -- settlement ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("traded", "settled"),
    [
        ("2026-11-18", "2026-11-19"),
        ("2026-11-20", "2026-11-23"),  # Friday
        ("2026-11-23", "2026-11-25"),  # holiday between
        ("2026-03-18", "2026-03-20"),  # 19 March trades and does not settle
        ("2026-03-19", "2026-03-20"),
        ("2026-03-30", "2026-04-02"),  # 31 March closed, 1 April annual bank closing
        ("2026-04-01", "2026-04-02"),
        ("2026-04-02", "2026-04-06"),  # Good Friday
        ("2026-08-25", "2026-08-27"),  # Id-E-Milad
        ("2026-02-18", "2026-02-20"),  # Shivaji Jayanti
        ("2026-01-30", "2026-02-02"),  # the Budget's Sunday trades and does not settle
        ("2026-02-01", "2026-02-02"),
        ("2026-11-06", "2026-11-09"),  # Muhurat on Sunday neither
        ("2026-11-08", "2026-11-09"),
        ("2026-11-09", "2026-11-11"),  # Balipratipada
        ("2025-10-20", "2025-10-23"),  # a broker's notice: 20 and 21 October settle together on the 23rd
        ("2025-10-21", "2025-10-23"),
        ("2025-09-04", "2025-09-09"),  # Zerodha's notice: Id-E-Milad on the 5th and the 8th
        ("2024-04-08", "2024-04-10"),  # Gudi Padwa
        ("2024-09-17", "2024-09-19"),  # Id-E-Milad, moved
        ("2023-01-27", "2023-01-30"),  # the first day of T+1 for every stock
        ("2023-01-25", "2023-01-30"),  # T+2 before: Republic Day, Friday, Monday
        ("2021-08-13", "2021-08-18"),  # T+2: Parsi New Year on the 16th
    ],
)
def test_shares_settle_on_the_next_settlement_day(traded: str, settled: str) -> None:
    assert CALENDAR.is_trading_day(day_of(traded))
    assert CALENDAR.settles_on(day_of(traded)) == day_of(settled)


def test_settlement_holidays_of_2026_are_19_weekdays() -> None:
    """ICCL's notice lists 19; the ad-hoc closure of 15 January came later."""
    weekdays = [day for day in days_of(2026) if day.weekday() < 5 and day != date(2026, 1, 15)]
    quiet = [day for day in weekdays if not CALENDAR.is_settlement_day(day)]
    assert len(quiet) == 19
    assert [day for day in quiet if CALENDAR.is_trading_day(day)] == [
        date(2026, 2, 19),
        date(2026, 3, 19),
        date(2026, 4, 1),
        date(2026, 8, 26),
    ]


@given(st.dates(date(2019, 1, 1), date(2028, 1, 1)))
def test_settlement_comes_after_the_trade_on_a_trading_weekday(day: date) -> None:
    settled = CALENDAR.settles_on(day)
    assert settled > day
    assert settled.weekday() < 5
    assert CALENDAR.is_trading_day(settled)
    assert CALENDAR.settles_on(day + timedelta(days=1)) >= settled or day < date(
        2023, 1, 27
    ) <= day + timedelta(1)


# -- the owner's closures ------------------------------------------------------------------------------


def test_the_owner_closes_a_day_and_opens_it_again() -> None:
    calendar = Calendar.load()
    day, before = date(2026, 12, 1), at("2026-11-30 16:30")
    assert calendar.phase(at("2026-12-01 11:00")) is Phase.OPEN
    assert calendar.describe(before) == "closed; opens Tue 1 Dec 09:15"

    calendar.close(day, " Mourning ")
    assert calendar.why_closed(day) == "Mourning"
    assert calendar.closures() == {day: "Mourning"}
    assert calendar.session(day) is None
    assert calendar.phases(day, Venue.STOCK) == ()
    assert calendar.phase(at("2026-12-01 11:00")) is Phase.CLOSED
    assert calendar.next_open(before) == at("2026-12-02 09:15")
    assert calendar.describe(before) == "closed; opens Wed 2 Dec 09:15"
    assert calendar.settles_on(date(2026, 11, 30)) == date(2026, 12, 2)
    assert day not in dict(calendar.holidays(2026))

    calendar.reopen(day)
    assert calendar.phase(at("2026-12-01 11:00")) is Phase.OPEN
    assert calendar.describe(before) == "closed; opens Tue 1 Dec 09:15"
    assert calendar.closures() == {}


def test_a_closure_stops_a_special_session_and_reopening_brings_it_back() -> None:
    calendar = Calendar.load()
    muhurat = date(2026, 11, 8)
    calendar.close(muhurat, "")
    assert calendar.why_closed(muhurat) == "closed by the owner"
    assert calendar.special(muhurat) == ""
    calendar.reopen(muhurat)
    assert calendar.special(muhurat) == "Muhurat"
    assert calendar.session(muhurat) == (at("2026-11-08 13:45"), at("2026-11-08 14:45"))


def test_reopening_does_not_open_a_holiday_of_the_table() -> None:
    calendar = Calendar.load()
    holiday = date(2026, 11, 24)
    calendar.close(holiday, "announced twice")
    calendar.reopen(holiday)
    calendar.reopen(holiday)
    assert calendar.why_closed(holiday) == "Guru Nanak Jayanti"


def test_a_closure_is_of_one_calendar_only() -> None:
    calendar = Calendar.load()
    calendar.close(date(2026, 12, 1), "Mourning")
    assert Calendar.load().is_trading_day(date(2026, 12, 1))


# -- recordings ----------------------------------------------------------------------------------------


def test_a_recording_proves_sessions_and_closed_days() -> None:
    saturday, evening = date(2017, 7, 1), date(2027, 10, 29)
    muhurat = Session(at("2027-10-29 18:15"), at("2027-10-29 19:15"))
    proven = CALENDAR.with_sessions([saturday, muhurat], closed=[date(2027, 11, 1), saturday])
    assert proven.session(saturday) == (at("2017-07-01 09:15"), at("2017-07-01 15:30"))
    assert {proven.session(evening, venue) for venue in Venue} == {muhurat}
    assert proven.phase(at("2027-10-29 18:10")) is Phase.PREOPEN
    assert proven.phase(at("2027-10-29 19:15")) is Phase.CLOSED
    assert proven.why_closed(date(2027, 11, 1)) == "nothing recorded"
    assert not CALENDAR.is_trading_day(saturday), "the calendar it came from is untouched"
    assert CALENDAR.session(evening) != muhurat


def test_a_recording_overrules_the_table_and_keeps_the_owners_closures() -> None:
    calendar = Calendar.load()
    calendar.close(date(2026, 12, 1), "Mourning")
    calendar.close(date(2026, 12, 2), "a rumour")
    proven = calendar.with_sessions([date(2026, 11, 24), date(2026, 12, 2)], closed=[date(2026, 11, 8)])
    assert proven.is_trading_day(date(2026, 11, 24)), "the holiday was traded after all"
    assert not proven.is_trading_day(date(2026, 11, 8)), "Muhurat was not"
    assert proven.closures() == {date(2026, 12, 1): "Mourning"}
    assert proven.is_trading_day(date(2026, 12, 2))


# -- in words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-11-23 08:59:59", "closed; opens Mon 23 Nov 09:15"),
        ("2026-11-23 09:00", "pre-open; opens 09:15"),
        ("2026-11-23 09:14:59", "pre-open; opens 09:15"),
        ("2026-11-23 09:15", "open until 15:15, F&O 15:40"),
        ("2026-11-23 15:14:59", "open until 15:15, F&O 15:40"),
        ("2026-11-23 15:15", "auction; stocks 15:30, F&O 15:40"),
        ("2026-11-23 15:20", "auction; stocks 15:30, F&O 15:40"),
        ("2026-11-23 15:29:59", "auction; stocks 15:30, F&O 15:40"),
        ("2026-11-23 15:30", "F&O open until 15:40"),
        ("2026-11-23 15:39:59", "F&O open until 15:40"),
        ("2026-11-23 15:40", "closed; opens Wed 25 Nov 09:15"),  # Tuesday is a holiday
        ("2026-11-23 15:50", "post-close; opens Wed 25 Nov 09:15"),
        ("2026-11-23 16:00", "closed; opens Wed 25 Nov 09:15"),
        ("2026-11-06 16:00", "closed; opens Sun 8 Nov 13:45"),
        ("2026-11-08 13:44", "pre-open; opens 13:45"),
        ("2026-11-08 14:00", "open until 14:45"),
        ("2023-05-02 15:29", "open until 15:30"),
        ("2023-05-02 15:30", "closed; opens Wed 3 May 09:15"),
    ],
)
def test_the_market_is_told_in_few_words(moment: str, text: str) -> None:
    assert CALENDAR.describe(at(moment)) == text
    assert Calendar.load().describe(at(moment)) == text, "asked first or in passing, the answer is the same"


@given(st.datetimes(datetime(2019, 1, 1), datetime(2028, 1, 1)))  # noqa: DTZ001 hypothesis wants them naive
def test_the_words_fit_a_phone_and_do_not_depend_on_what_was_asked_before(naive: datetime) -> None:
    moment = naive.replace(tzinfo=IST)
    text = CALENDAR.describe(moment)
    assert len(text) <= 34
    assert Calendar.load().describe(moment) == text


@given(
    st.dates(date(2024, 1, 1), date(2027, 12, 31)),
    st.lists(st.integers(0, 2 * 86_400), min_size=1, max_size=8),
    st.sampled_from(Venue),
)
def test_a_moment_says_what_each_question_alone_is_answered(
    day: date, seconds: list[int], venue: Venue
) -> None:
    calendar = Calendar.load()
    for second in seconds:
        asked = datetime.combine(day, datetime.min.time(), IST) + timedelta(seconds=second)
        moment = calendar.moment(asked, venue)
        assert moment.since <= asked < moment.until
        assert moment[2:] == (
            CALENDAR.phase(asked, venue),
            CALENDAR.session(asked.date(), venue),
            CALENDAR.deadlines(asked.date(), venue),
            CALENDAR.describe(asked),
        )


def test_a_moment_is_asked_anew_once_the_owner_closes_the_day() -> None:
    calendar, now = Calendar.load(), at("2026-11-23 10:00")
    assert calendar.moment(now, Venue.STOCK).phase is Phase.OPEN
    calendar.close(now.date(), "a mourning")
    assert calendar.moment(now, Venue.STOCK).phase is Phase.CLOSED
    calendar.reopen(now.date())
    assert calendar.moment(now, Venue.STOCK).phase is Phase.OPEN


# -- the page for owners -------------------------------------------------------------------------------

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "calendar.md").read_text(encoding="utf-8")


def test_the_page_for_owners_names_the_holidays_of_2026() -> None:
    cells = re.findall(r"\| (\w{3} \d+ \w{3}) \| ([^|]+?) (?=\|)", PAGE)
    assert sorted(cells) == sorted((f"{d:%a} {d.day} {d:%b}", name) for d, name in CALENDAR.holidays(2026))


def test_the_page_for_owners_gives_the_deadlines_of_today() -> None:
    venues = (Venue.AUCTION_STOCK, Venue.STOCK, Venue.DERIVATIVE)
    for n, line in enumerate(
        ("Munim opens no more", "Munim closes", "Zerodha closes", "the exchange cancels")
    ):
        deadlines = [CALENDAR.deadlines(date(2026, 11, 23), venue)[n] for venue in venues]
        row = " | ".join(f"{deadline:%H:%M}" if deadline else "–" for deadline in deadlines)
        assert re.search(rf"^\| {line}.* \| {row} \|$", PAGE, re.MULTILINE), line


def test_the_page_for_owners_gives_the_hours_of_today() -> None:
    named = {
        Phase.PREOPEN: "pre-open: market",
        Phase.PREOPEN_LIMIT: "pre-open: limit",
        Phase.MATCHING: "matching",
        Phase.OPEN: r"\*\*continuous",
        Phase.AUCTION_REFERENCE: "closing auction: reference",
        Phase.AUCTION: "closing auction: market",
        Phase.AUCTION_LIMIT: "closing auction: limit",
        Phase.AUCTION_MATCHING: "closing auction: matching",
        Phase.POST_CLOSE: "post-close",
    }
    for phase, line in named.items():
        cells = []
        for venue in Venue:
            spans = pairwise(CALENDAR.phases(date(2026, 11, 23), venue))
            span = next(((begin, end) for (begin, p), (end, _) in spans if p is phase), None)
            cells.append(f"{span[0]:%H:%M}–{span[1]:%H:%M}" if span else "–")
        row = re.search(rf"^\| {line}[^|]*\|(.*)\|$", PAGE, re.MULTILINE)
        assert row is not None, line
        assert row[1].replace("*", "").replace(" ", "").split("|") == cells, line
