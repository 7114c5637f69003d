"""A day's phases, minute by minute, against tables written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.instrument import Exchange, Instrument, Segment
from trader.domain.times import IST
from trader.market.calendar import Calendar
from trader.market.phases import Phase, Venue, venue_of

CALENDAR = Calendar.load()
RELIANCE = Instrument(Exchange.NSE, "RELIANCE", 1, Decimal("0.10"), derivatives=True)
PLAIN = Instrument(Exchange.NSE, "RAJOOENG", 2, Decimal("0.01"))
NIFTY_CALL = Instrument(Exchange.NFO, "NIFTY26NOV26000CE", 3, Decimal("0.05"), 65, Segment.OPTIONS)
NIFTY_FUTURE = Instrument(Exchange.NFO, "NIFTY26NOVFUT", 4, Decimal("0.10"), 65, Segment.FUTURES)

Ranges = Sequence[tuple[str, str, Phase]]  # begin, end (exclusive); what lies between them is CLOSED

AUCTION_DAY: Ranges = (
    ("09:00", "09:05", Phase.PREOPEN),
    ("09:05", "09:10", Phase.PREOPEN_LIMIT),
    ("09:10", "09:15", Phase.MATCHING),
    ("09:15", "15:15", Phase.OPEN),
    ("15:15", "15:20", Phase.AUCTION_REFERENCE),
    ("15:20", "15:25", Phase.AUCTION),
    ("15:25", "15:30", Phase.AUCTION_LIMIT),
    ("15:30", "15:35", Phase.AUCTION_MATCHING),
    ("15:50", "16:00", Phase.POST_CLOSE),
)
PLAIN_DAY: Ranges = (
    ("09:00", "09:05", Phase.PREOPEN),
    ("09:05", "09:10", Phase.PREOPEN_LIMIT),
    ("09:10", "09:15", Phase.MATCHING),
    ("09:15", "15:30", Phase.OPEN),
    ("15:50", "16:00", Phase.POST_CLOSE),
)
FUTURE_DAY: Ranges = (
    ("09:00", "09:05", Phase.PREOPEN),
    ("09:05", "09:10", Phase.PREOPEN_LIMIT),
    ("09:10", "09:15", Phase.MATCHING),
    ("09:15", "15:40", Phase.OPEN),
)
HOUSE_DAY: Ranges = (
    ("09:00", "09:05", Phase.PREOPEN),
    ("09:05", "09:10", Phase.PREOPEN_LIMIT),
    ("09:10", "09:15", Phase.MATCHING),
    ("09:15", "15:40", Phase.OPEN),
    ("15:50", "16:00", Phase.POST_CLOSE),
)
OLD_PREOPEN: Ranges = (("09:00", "09:08", Phase.PREOPEN), ("09:08", "09:15", Phase.MATCHING))
OLD_CASH: Ranges = (
    *OLD_PREOPEN,
    ("09:15", "15:30", Phase.OPEN),
    ("15:40", "16:00", Phase.POST_CLOSE),
)
AUGUST_AUCTION: Ranges = (*OLD_PREOPEN, *AUCTION_DAY[3:])
MUHURAT_CASH: Ranges = (("13:30", "13:45", Phase.PREOPEN), ("13:45", "14:45", Phase.OPEN))

DAYS: list[tuple[str, Instrument | None, Ranges]] = [
    ("2026-11-23", RELIANCE, AUCTION_DAY),
    ("2026-11-23", PLAIN, PLAIN_DAY),
    ("2026-11-23", NIFTY_CALL, (("09:15", "15:40", Phase.OPEN),)),
    ("2026-11-23", NIFTY_FUTURE, FUTURE_DAY),
    ("2026-11-23", None, HOUSE_DAY),
    # the last day of the old pre-open and the first of the new one
    ("2026-09-04", RELIANCE, AUGUST_AUCTION),
    ("2026-09-04", NIFTY_FUTURE, (*OLD_PREOPEN, ("09:15", "15:40", Phase.OPEN))),
    ("2026-09-07", RELIANCE, AUCTION_DAY),
    ("2026-09-07", NIFTY_FUTURE, FUTURE_DAY),
    # the last day without and the first with a closing auction
    ("2026-07-31", RELIANCE, OLD_CASH),
    ("2026-07-31", NIFTY_CALL, (("09:15", "15:30", Phase.OPEN),)),
    ("2026-08-03", RELIANCE, AUGUST_AUCTION),
    ("2026-08-03", PLAIN, (*OLD_PREOPEN, *PLAIN_DAY[3:])),
    ("2026-08-03", NIFTY_CALL, (("09:15", "15:40", Phase.OPEN),)),
    # futures got their pre-open
    ("2025-12-05", NIFTY_FUTURE, (("09:15", "15:30", Phase.OPEN),)),
    ("2025-12-08", NIFTY_FUTURE, (*OLD_PREOPEN, ("09:15", "15:30", Phase.OPEN))),
    # years before
    ("2023-05-02", RELIANCE, OLD_CASH),
    ("2023-05-02", PLAIN, OLD_CASH),
    ("2023-05-02", NIFTY_CALL, (("09:15", "15:30", Phase.OPEN),)),
    ("2023-05-02", None, OLD_CASH),
    ("2005-05-03", PLAIN, OLD_CASH),  # before the first row: its hours
    # sessions out of the ordinary
    ("2026-11-08", RELIANCE, MUHURAT_CASH),
    ("2026-11-08", PLAIN, MUHURAT_CASH),
    ("2026-11-08", NIFTY_FUTURE, MUHURAT_CASH),
    ("2026-11-08", NIFTY_CALL, (("13:45", "14:45", Phase.OPEN),)),
    ("2026-11-08", None, MUHURAT_CASH),
    ("2026-02-01", RELIANCE, OLD_CASH),  # the Budget's Sunday keeps the usual hours
    (
        "2024-03-02",  # the drill: two sessions, each with its pre-open
        RELIANCE,
        (
            ("09:00", "09:15", Phase.PREOPEN),
            ("09:15", "10:00", Phase.OPEN),
            ("11:15", "11:30", Phase.PREOPEN),
            ("11:30", "12:30", Phase.OPEN),
        ),
    ),
    ("2026-11-24", RELIANCE, ()),
    ("2026-11-22", None, ()),
]


def at(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=IST)


def expected(ranges: Ranges, clock: str) -> Phase:
    return next((phase for begin, end, phase in ranges if begin <= clock < end), Phase.CLOSED)


@pytest.mark.parametrize(
    ("day", "instrument", "ranges"), DAYS, ids=[f"{d} {i.symbol if i else 'house'}" for d, i, _ in DAYS]
)
def test_a_day_minute_by_minute(day: str, instrument: Instrument | None, ranges: Ranges) -> None:
    venue = venue_of(instrument) if instrument else None
    minute = at(day, "08:55")
    while minute <= at(day, "16:05"):
        phase = expected(ranges, f"{minute:%H:%M}")
        assert CALENDAR.phase(minute, venue) is phase, minute
        assert CALENDAR.phase(minute + timedelta(seconds=59, microseconds=999_999), venue) is phase, minute
        minute += timedelta(minutes=1)


@pytest.mark.parametrize(
    ("instrument", "venue"),
    [
        (RELIANCE, Venue.AUCTION_STOCK),
        (Instrument(Exchange.BSE, "RELIANCE", 5, Decimal("0.05"), derivatives=True), Venue.AUCTION_STOCK),
        (PLAIN, Venue.STOCK),
        (Instrument(Exchange.NSE, "NIFTY 50", 6, Decimal("0.05"), segment=Segment.INDEX), Venue.STOCK),
        (
            Instrument(Exchange.NSE, "NIFTY 50", 6, Decimal("0.05"), segment=Segment.INDEX, derivatives=True),
            Venue.STOCK,  # an index has derivatives, but is in no auction
        ),
        (NIFTY_FUTURE, Venue.DERIVATIVE),
        (
            Instrument(Exchange.BFO, "SENSEX26NOVFUT", 7, Decimal("0.05"), 20, Segment.FUTURES),
            Venue.DERIVATIVE,
        ),
        (NIFTY_CALL, Venue.OPTION),
    ],
)
def test_an_instrument_follows_one_timetable(instrument: Instrument, venue: Venue) -> None:
    assert venue_of(instrument) is venue


VENUES = st.sampled_from([*Venue])
MOMENTS = st.datetimes(datetime(2019, 1, 1), datetime(2028, 1, 1)).map(  # noqa: DTZ001 hypothesis wants them naive
    lambda naive: naive.replace(tzinfo=IST)
)
BUSY = st.sampled_from(["2023-05-02", "2024-03-02", "2025-10-21", "2026-02-01", "2026-08-03", "2026-11-08"])
MINUTES = st.builds(lambda day, n: at(day, "00:00") + timedelta(minutes=n), BUSY, st.integers(0, 24 * 60 - 1))


@given(st.one_of(MOMENTS, MINUTES), VENUES)
def test_the_phase_of_a_moment_is_the_last_that_started(moment: datetime, venue: Venue) -> None:
    phases = CALENDAR.phases(moment.date(), venue)
    begun = [phase for start, phase in phases if start <= moment]
    assert CALENDAR.phase(moment, venue) is (begun[-1] if begun else Phase.CLOSED)


@given(MOMENTS, VENUES)
def test_phases_rise_within_the_day_and_end_closed(moment: datetime, venue: Venue) -> None:
    day = moment.date()
    phases = CALENDAR.phases(day, venue)
    session = CALENDAR.session(day, venue)
    assert bool(phases) == CALENDAR.is_trading_day(day) == (session is not None)
    if session is None:
        return
    assert all(start.date() == day and start.tzinfo is IST for start, _ in phases)
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(phases))
    assert phases[-1][1] is Phase.CLOSED
    opened = [start for start, phase in phases if phase is Phase.OPEN]
    assert session.opens_at == opened[0]
    assert session.closes_at > opened[-1]


@given(st.one_of(MOMENTS, MINUTES))
def test_the_house_is_open_while_any_venue_is(moment: datetime) -> None:
    each = {venue: CALENDAR.phase(moment, venue) for venue in Venue}
    house = CALENDAR.phase(moment)
    assert house is (Phase.OPEN if Phase.OPEN in each.values() else each[Venue.STOCK])
    whole = CALENDAR.session(moment.date())
    parts = [session for venue in Venue if (session := CALENDAR.session(moment.date(), venue))]
    if whole is not None:
        assert whole.opens_at == min(part.opens_at for part in parts)
        assert whole.closes_at == max(part.closes_at for part in parts)


@given(MOMENTS)
def test_the_next_open_is_open_for_some_venue_and_nothing_opens_before_it(moment: datetime) -> None:
    opens = CALENDAR.next_open(moment)
    assert opens > moment
    assert Phase.OPEN in {CALENDAR.phase(opens, venue) for venue in Venue}
    assert CALENDAR.phase(opens) is Phase.OPEN
    assert CALENDAR.phase(opens - timedelta(microseconds=1)) is not Phase.OPEN
    day = moment.date() + timedelta(days=1)
    while day < opens.date():
        assert not CALENDAR.is_trading_day(day)
        day += timedelta(days=1)


def test_the_second_part_of_a_split_day_is_an_opening_of_its_own() -> None:
    assert CALENDAR.next_open(at("2024-03-02", "09:15")) == at("2024-03-02", "11:30")
    assert CALENDAR.next_open(at("2024-03-02", "10:30")) == at("2024-03-02", "11:30")
    assert CALENDAR.session(date(2024, 3, 2)) == (at("2024-03-02", "09:15"), at("2024-03-02", "12:30"))
    assert CALENDAR.describe(at("2024-03-02", "09:30")) == "open until 10:00"
    assert CALENDAR.describe(at("2024-03-02", "10:30")) == "closed; opens Sat 2 Mar 11:30"
