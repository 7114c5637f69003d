"""Bars keep the hours of their instrument's venue."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import count

import pytest

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval, Tick
from trader.domain.times import IST
from trader.feed.aggregator import Aggregator
from trader.feed.bars import Grid, Grids
from trader.market.calendar import Calendar, Session, Venue

AUCTION, PLAIN = InstrumentKey("NSE:RELIANCE"), InstrumentKey("NSE:EIHOTEL")
FUTURE, OPTION = InstrumentKey("NFO:NIFTY26NOVFUT"), InstrumentKey("NFO:NIFTY26NOV26500CE")
VENUES = {
    AUCTION: Venue.AUCTION_STOCK,
    PLAIN: Venue.STOCK,
    FUTURE: Venue.DERIVATIVE,
    OPTION: Venue.OPTION,
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def closing_hour(day: str, interval: Interval, calendar: Calendar) -> dict[InstrumentKey, list[Bar]]:
    """The bars of ticks every ten seconds from 15:00 to 15:45, of each kind of instrument."""
    aggregator = Aggregator(calendar, VENUES.__getitem__)
    for key in VENUES:
        aggregator.watch(key, interval)
    bars: list[Bar] = []
    begin = at(f"{day} 15:00")
    for i in range(271):
        moment = begin + timedelta(seconds=10 * i)
        bars += aggregator.on_ticks([Tick(key, moment, 100.0 + i, i) for key in VENUES])
        bars += aggregator.on_time(moment)
    return {key: [b for b in bars if b.key == key] for key in VENUES}


@pytest.mark.parametrize(
    ("day", "ends"),
    [
        ("2026-11-23", {AUCTION: "15:15", PLAIN: "15:30", FUTURE: "15:40", OPTION: "15:40"}),
        ("2026-08-03", {AUCTION: "15:15", PLAIN: "15:30", FUTURE: "15:40", OPTION: "15:40"}),
        ("2026-07-31", dict.fromkeys(VENUES, "15:30")),
        ("2023-05-02", dict.fromkeys(VENUES, "15:30")),
    ],
)
@pytest.mark.parametrize("interval", [Interval.M1, Interval.M5, Interval.M30, Interval.H1, Interval.D1])
def test_the_last_bar_ends_with_the_venues_continuous_trading(
    day: str, ends: dict[InstrumentKey, str], interval: Interval
) -> None:
    calendar = Calendar.load()
    grids = Grids(calendar, VENUES.__getitem__)
    for key, bars in closing_hour(day, interval, calendar).items():
        close = at(f"{day} {ends[key]}")
        assert grids.end_of(bars[-1]) == close
        last_inside = (close - at(f"{day} 15:00")) // timedelta(seconds=10) - 1
        assert bars[-1].close == 100.0 + last_inside, "what was printed later is in no bar"
        assert bars[-1].volume <= last_inside


def test_bars_of_one_moment_come_by_their_venues_ends() -> None:
    bars = [
        Bar(key, Interval.H1, at(f"2026-11-23 {start}"), 1, 1, 1, 1, 1)
        for key, start in [(FUTURE, "15:15"), (PLAIN, "15:15"), (AUCTION, "14:15")]
    ]
    grids = Grids(Calendar.load(), VENUES.__getitem__)
    assert [f"{grids.end_of(b):%H:%M}" for b in bars] == ["15:40", "15:30", "15:15"]


def test_the_venue_of_an_instrument_is_asked_for_once() -> None:
    asked = count()

    def venue(key: InstrumentKey) -> Venue:
        next(asked)
        return VENUES[key]

    grids = Grids(Calendar.load(), venue)
    assert {grids.of(AUCTION) for _ in range(5)} == {grids.of(AUCTION)}
    assert next(asked) == 1


def test_a_special_session_is_the_same_for_all() -> None:
    grids = Grids(Calendar.load(), VENUES.__getitem__)
    muhurat = Session(at("2026-11-08 13:45"), at("2026-11-08 14:45"))
    assert {grids.of(key).hours(date(2026, 11, 8))[1:] for key in VENUES} == {muhurat}


def test_a_day_closed_after_it_was_looked_at_is_closed() -> None:
    calendar = Calendar.load()
    grid = Grid(calendar, Venue.AUCTION_STOCK)
    usual = grid.hours(date(2026, 11, 26))
    calendar.close(date(2026, 11, 26), "mourning")
    assert grid.hours(date(2026, 11, 26)) != usual
    calendar.reopen(date(2026, 11, 26))
    assert grid.hours(date(2026, 11, 26)) == usual
