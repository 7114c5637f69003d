"""Our calendar against two open-source ones and against recorded prices, every difference named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from trader.domain.times import IST
from trader.market.calendar import Calendar, Phase, Venue

CALENDAR = Calendar.load()
YEARS = range(2019, 2027)
OUTAGE = date(2021, 2, 24)  # the exchange stood still from 11:40 and traded again from 15:45 to 17:00
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="recorded prices (../shared/data) are not here")

WEEKEND_SESSIONS = {
    "2019-10-27": "Muhurat",
    "2020-02-01": "Union Budget",
    "2020-11-14": "Muhurat",
    "2023-11-12": "Muhurat",
    "2024-01-20": "Saturday session",
    "2024-03-02": "Disaster-recovery drill",
    "2024-05-18": "Disaster-recovery drill",
    "2025-02-01": "Union Budget",
    "2026-02-01": "Union Budget",
    "2026-11-08": "Muhurat",
}
NEW_CLOSES = {Venue.AUCTION_STOCK: "15:15", Venue.DERIVATIVE: "15:40", Venue.OPTION: "15:40"}  # 3 Aug 2026
WEEKDAY_MUHURATS = {
    "2021-11-04": "Muhurat",
    "2022-10-24": "Muhurat",
    "2024-11-01": "Muhurat",
    "2025-10-21": "Muhurat",
}


@cache
def ours(first: date, last: date) -> frozenset[date]:
    count = (last - first).days + 1
    return frozenset(day for n in range(count) if CALENDAR.is_trading_day(day := first + timedelta(days=n)))


def bombay() -> set[date]:
    import exchange_calendars

    calendar = exchange_calendars.get_calendar("XBOM", start=f"{YEARS[0]}-01-01", end=f"{YEARS[-1]}-12-31")
    return {session.date() for session in calendar.sessions}


def national() -> set[date]:
    import pandas_market_calendars

    calendar = pandas_market_calendars.get_calendar("NSE")
    return {day.date() for day in calendar.valid_days(f"{YEARS[0]}-01-01", f"{YEARS[-1]}-12-31")}


@pytest.mark.filterwarnings("ignore:Series.values returning")  # exchange_calendars 4.13 under pandas 3.1
@pytest.mark.parametrize(
    ("theirs", "missing_there"),
    [
        pytest.param(bombay, WEEKEND_SESSIONS | WEEKDAY_MUHURATS, id="exchange_calendars XBOM"),
        pytest.param(national, WEEKEND_SESSIONS, id="pandas_market_calendars NSE"),
    ],
)
def test_the_open_source_calendars_differ_by_these_days_only(
    theirs: Callable[[], set[date]], missing_there: dict[str, str]
) -> None:
    mine, other = ours(date(YEARS[0], 1, 1), date(YEARS[-1], 12, 31)), theirs()
    assert {day.isoformat(): CALENDAR.special(day) for day in mine - other} == missing_there
    assert other - mine == set(), "they trade on a day on which we do not"


def test_the_open_source_hours_differ_by_the_outage_and_since_the_closing_auction() -> None:
    import pandas_market_calendars

    schedule = pandas_market_calendars.get_calendar("NSE").schedule(f"{YEARS[0]}-01-01", f"{YEARS[-1]}-12-31")
    for venue in Venue:
        different: dict[date, tuple[str, str]] = {}
        for opens, closes in zip(schedule["market_open"], schedule["market_close"], strict=True):
            theirs = opens.tz_convert(IST), closes.tz_convert(IST)
            mine = CALENDAR.session(theirs[0].date(), venue)
            assert mine is not None
            assert mine.opens_at == theirs[0]
            if mine.closes_at != theirs[1]:
                different[mine.opens_at.date()] = f"{theirs[1]:%H:%M}", f"{mine.closes_at:%H:%M}"
        assert different.pop(OUTAGE) == ("17:00", "15:30"), "no table knows an outage; a recording proves it"
        since = [day for day in ours(date(2026, 8, 3), date(2026, 12, 31)) if day != date(2026, 11, 8)]
        new_close = NEW_CLOSES.get(venue)
        assert different == (dict.fromkeys(since, ("15:30", new_close)) if new_close else {})


# -- recorded prices -----------------------------------------------------------------------------------


@cache
def bars(path: str) -> tuple[datetime, ...]:
    """The opening times of a file's bars, on the exchange's clock."""
    import pyarrow.parquet as pq

    column = pq.read_table(DATA / path, columns=["date"])["date"]
    return tuple(
        at.replace(tzinfo=IST) if at.tzinfo is None else at.astimezone(IST) for at in column.to_pylist()
    )


DAILY = (
    "15minute/index/NIFTY_BANK_15minute_2015-2024.parquet",
    "day/stocks/TCS_day_2020-07_2026-01.parquet",
    "day_unadjusted/stocks/TCS_day_unadjusted_2019-08_2026-08.parquet",
)


@needs_data
@pytest.mark.parametrize("year", YEARS)
def test_the_days_with_prices_are_the_trading_days(year: int) -> None:
    recorded = {at.date() for path in DAILY for at in bars(path)}
    last = min(date(year, 12, 31), max(recorded))
    assert {day for day in recorded if day.year == year} == ours(date(year, 1, 1), last)


INTRADAY = {
    "15minute/index/NIFTY_BANK_15minute_2015-2024.parquet": 15,
    "5minute/stocks/ADANIENT_5minute_2023-07_2024-06.parquet": 5,
    "60minute/stocks/ADANIPORTS_60minute_2024-12_2026-01.parquet": 60,
}


@needs_data
@pytest.mark.parametrize("path", INTRADAY)
def test_sessions_out_of_the_ordinary_fill_their_hours_with_prices(path: str) -> None:
    begun: dict[date, list[datetime]] = {}
    for bar in bars(path):
        if bar.year >= YEARS[0] and CALENDAR.special(bar.date()):
            begun.setdefault(bar.date(), []).append(bar)
    assert begun
    for day, opens in begun.items():
        session = CALENDAR.session(day)
        assert session is not None
        assert opens[0] == session.opens_at
        assert opens[-1] < session.closes_at <= opens[-1] + timedelta(minutes=INTRADAY[path])
        assert all(CALENDAR.phase(bar) is Phase.OPEN for bar in opens), day


@needs_data
def test_ordinary_days_have_prices_inside_their_hours_only() -> None:
    path = "15minute/index/NIFTY_BANK_15minute_2015-2024.parquet"
    outside = {
        bar.date() for bar in bars(path) if bar.year >= YEARS[0] and CALENDAR.phase(bar) is not Phase.OPEN
    }
    assert outside == {OUTAGE}
