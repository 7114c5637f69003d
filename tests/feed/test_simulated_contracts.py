"""The futures and options of the simulated market."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader.domain.instrument import Exchange, Instrument, OptionType, Segment
from trader.domain.market import Interval, Tick
from trader.domain.money import decimal_of
from trader.domain.times import IST
from trader.feed.index_contracts import _black, _normal
from trader.feed.port import TickBatch
from trader.feed.simulated import SimulatedMarket
from trader.market.calendar import Calendar
from trader.market.symbols import instrument_of

CALENDAR = Calendar.load()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def market(start: str, seed: int = 7, calendar: Calendar = CALENDAR) -> SimulatedMarket:
    return SimulatedMarket(seed, at(start), calendar)


def contracts(start: str, seed: int = 7, calendar: Calendar = CALENDAR) -> list[Instrument]:
    return [i for i in market(start, seed, calendar).instruments() if i.exchange is Exchange.NFO]


@pytest.mark.parametrize(
    ("start", "option", "weekly_expiry", "future", "monthly_expiry"),
    [
        # Tue 24 Nov is a holiday and November's last Tuesday: the monthly contracts expire on Monday
        ("2026-11-18 09:15", "NIFTY26NOV", "2026-11-23", "NIFTY26NOVFUT", "2026-11-23"),
        ("2026-11-23 09:15", "NIFTY26NOV", "2026-11-23", "NIFTY26NOVFUT", "2026-11-23"),
        ("2026-11-23 15:40", "NIFTY26D01", "2026-12-01", "NIFTY26DECFUT", "2026-12-29"),
        ("2026-11-24 10:00", "NIFTY26D01", "2026-12-01", "NIFTY26DECFUT", "2026-12-29"),
        # Tue 10 Nov is a holiday, but not the month's last Tuesday
        ("2026-11-05 12:00", "NIFTY26N09", "2026-11-09", "NIFTY26NOVFUT", "2026-11-23"),
        ("2026-11-11 12:00", "NIFTY26N17", "2026-11-17", "NIFTY26NOVFUT", "2026-11-23"),
        ("2026-09-01 12:00", "NIFTY26901", "2026-09-01", "NIFTY26SEPFUT", "2026-09-29"),
        ("2026-12-30 12:00", "NIFTY27105", "2027-01-05", "NIFTY27JANFUT", "2027-01-26"),
    ],
)
def test_the_nearest_weekly_options_and_the_nearest_monthly_future_are_listed(
    start: str, option: str, weekly_expiry: str, future: str, monthly_expiry: str
) -> None:
    listed = contracts(start)
    futures = [i for i in listed if i.segment is Segment.FUTURES]
    options = [i for i in listed if i.segment is Segment.OPTIONS]
    assert [(i.symbol, i.expiry) for i in futures] == [(future, date.fromisoformat(monthly_expiry))]
    assert {i.expiry for i in options} == {date.fromisoformat(weekly_expiry)}
    for i in options:
        assert i.strike is not None
        assert i.symbol == f"{option}{i.strike}{i.option_type}"
        understood = instrument_of(i.symbol)
        assert (understood.key, understood.token) == (i.key, i.token)
        assert (understood.underlying, understood.strike, understood.option_type) == (
            "NIFTY", i.strike, i.option_type,
        )  # fmt: skip
        assert understood.expiry in (i.expiry, None)
    assert {(i.underlying, i.lot_size, i.freeze_quantity) for i in listed} == {("NIFTY", 65, 1800)}
    assert {i.tick_size for i in options} == {Decimal("0.05")}
    assert futures[0].tick_size == Decimal("0.10")
    assert len({i.token for i in listed}) == len(listed)


@pytest.mark.parametrize("seed", [1, 7, 2026])
def test_strikes_surround_the_money_and_both_sides_exist(seed: int) -> None:
    for day in range(25, 30):
        start = f"2026-11-{day} 09:15"
        offered = market(start, seed)
        (opening,) = offered.bars(
            next(i.key for i in offered.instruments() if i.segment is Segment.INDEX),
            Interval.M1, 1, at("2026-11-30 09:16"),
        )  # fmt: skip
        sides: dict[Decimal, set[OptionType]] = defaultdict(set)
        for i in contracts(start, seed):
            if i.strike is not None and i.option_type is not None:
                sides[i.strike].add(i.option_type)
        assert all(len(both) == 2 for both in sides.values())
        assert len(sides) >= 7
        assert len(sides) <= 16
        if day == 29:  # Sunday: those of Monday
            assert min(sides) < opening.open < max(sides)


def test_a_desk_started_again_in_the_week_finds_its_contracts_at_the_same_prices() -> None:
    days = ["2026-11-25", "2026-11-26", "2026-11-27", "2026-11-28", "2026-11-30", "2026-12-01"]
    listed = [{i.key for i in contracts(f"{day} 10:00")} for day in days]
    assert all(earlier <= later for earlier, later in pairwise(listed))
    first, later = market("2026-11-25 10:00"), market("2026-12-01 10:00")
    for key in sorted(listed[0])[:4]:
        bars = [m.bars(key, Interval.M5, 200, at("2026-12-01 10:00")) for m in (first, later)]
        assert bars[0] == bars[1]
        assert len(bars[0]) == 200


def test_a_closure_that_the_owner_adds_renames_no_contract() -> None:
    calendar = Calendar.load()
    before = contracts("2026-11-25 10:00", calendar=calendar)
    calendar.close(date(2026, 12, 1), "mourning")
    assert contracts("2026-11-25 10:00", calendar=calendar) == before


async def test_after_their_expiry_contracts_trade_no_more() -> None:
    feed = market("2026-11-23 15:39:58")
    keys = {i.key for i in feed.instruments() if i.exchange is Exchange.NFO}
    last: dict[str, datetime] = {}
    async for batch in feed.batches(feed.starts_at):
        assert not hasattr(batch, "bars")
        if batch.at > at("2026-11-25 09:16"):
            break
        last |= {t.key: t.at for t in batch.ticks if t.key in keys} if isinstance(batch, TickBatch) else {}
    assert set(last) == keys
    assert all(moment.date() == date(2026, 11, 23) for moment in last.values())
    key = sorted(keys)[0]
    bars = await feed.history(key, Interval.M1, 5, at("2026-11-25 12:00"))
    assert bars[-1].start == at("2026-11-23 15:39"), "its last day is still history"
    long = await feed.history(key, Interval.D1, 500, at("2026-11-23 15:40"))
    assert 20 < len(long) < 70, "back to the day it was listed"


def test_nothing_is_listed_where_the_table_knows_no_terms() -> None:
    assert contracts("2025-06-02 10:00") == []


async def test_contract_ticks_are_sound() -> None:
    feed = market("2026-11-25 09:15")
    listed = {i.key: i for i in feed.instruments() if i.exchange is Exchange.NFO}
    last: dict[str, Tick] = {}
    total = 0
    async for batch in feed.batches(feed.starts_at):
        assert isinstance(batch, TickBatch)
        for tick in batch.ticks:
            instrument = listed.get(tick.key)
            if instrument is not None:
                assert instrument.on_tick(decimal_of(tick.last))
                assert instrument.on_tick(decimal_of(tick.bid))
                assert instrument.on_tick(decimal_of(tick.ask))
                assert 0 < tick.bid <= tick.last <= tick.ask
                assert tick.ask - tick.bid >= float(instrument.tick_size) - 1e-9
                assert tick.volume % instrument.lot_size == 0
                assert tick.volume > (last[tick.key].volume if tick.key in last else 0)
                total += 1
                last[tick.key] = tick
        if batch.at >= at("2026-11-25 09:20"):
            break
    assert set(last) == set(listed)
    assert 0.5 < total / (301 * len(listed)) < 1


@settings(max_examples=15, deadline=None)
@given(
    day=st.sampled_from(["2026-11-23", "2026-11-25", "2026-11-27", "2026-12-01", "2026-07-28", "2026-02-24"]),
    second=st.integers(0, 21_000),
    seed=st.integers(0, 50),
)
def test_calls_and_puts_are_at_parity_within_their_spreads(day: str, second: int, seed: int) -> None:
    """A call less a put is worth the discounted future less the strike: no free money between the quotes."""
    from trader.feed.day import DayHours

    feed = market(f"{day} 09:15", seed)
    hours = DayHours.of(CALENDAR, date.fromisoformat(day))
    assert hours is not None
    listed = {i.symbol: i for i in feed.instruments()}
    index = next(i for i in listed.values() if i.segment is Segment.INDEX)
    path = feed._path(index.key, hours)
    assert path is not None
    for call in [i for i in listed.values() if i.option_type is OptionType.CALL]:
        put = listed[call.symbol[:-2] + "PE"]
        quotes = [feed._path(i.key, hours) for i in (call, put)]
        assert quotes[0] is not None
        assert quotes[1] is not None
        assert call.expiry is not None
        assert call.strike is not None
        settles = datetime.combine(call.expiry, datetime.min.time(), IST).replace(hour=15, minute=30)
        left = max((settles - at(f"{day} 09:15")).total_seconds() - second, 0)
        worth = path.last[second] / 100 - float(call.strike) * math.exp(-0.06 * left / (365 * 86_400))
        tolerance = 0.05 + 0.05  # the index's own tick, and a bid of a tick for what is worth less
        best = (quotes[0].bid[second] - quotes[1].ask[second]) / 100
        worst = (quotes[0].ask[second] - quotes[1].bid[second]) / 100
        assert best - tolerance <= worth <= worst + tolerance


def test_dearer_with_time_and_towards_the_money() -> None:
    feed = market("2026-11-25 09:15")
    options = [i for i in feed.instruments() if i.option_type is OptionType.CALL]
    closes = [feed.bars(i.key, Interval.M1, 1, at("2026-11-25 12:00"))[0].close for i in options]
    assert all(a > b for a, b in pairwise(closes)), "a higher strike makes a cheaper call"
    index = next(i for i in feed.instruments() if i.segment is Segment.INDEX)
    level = feed.bars(index.key, Interval.M1, 1, at("2026-11-25 12:00"))[0].close
    nearest = min(range(len(options)), key=lambda n: abs(float(options[n].strike or 0) - level))
    assert 80 < closes[nearest] < 350, "about 0.4 of a deviation: six days at 11 %"
    future = next(i for i in feed.instruments() if i.segment is Segment.FUTURES)
    carried = feed.bars(future.key, Interval.M1, 1, at("2026-11-25 12:00"))[0].close
    assert 1.003 < carried / level < 1.008, "five weeks at 6 %"


@pytest.mark.parametrize(
    ("forward", "strike", "days", "call"),
    [  # Black 1976 with 11 %, undiscounted part worked by hand: N(0.055) by its series
        (26_000.0, 26_000.0, 365.0, 26_000 * 2 * (0.5219307678 - 0.5) * math.exp(-0.06)),
        (26_000.0, 26_000.0, 0.0, 0.0),
        (26_150.0, 26_000.0, 0.0, 150.0),
        (25_900.0, 26_000.0, 0.0, 0.0),
    ],
)
def test_options_cost_what_blacks_formula_says(
    forward: float, strike: float, days: float, call: float
) -> None:
    import numpy as np

    price = _black(np.array([forward]), strike, np.array([days / 365]), 0.11, OptionType.CALL)
    assert price[0] == pytest.approx(call, abs=0.01)


def test_the_normal_distribution_is_exact_enough() -> None:
    import numpy as np

    points = np.linspace(-9, 9, 5001)
    exact = [0.5 * (1 + math.erf(x / math.sqrt(2))) for x in points]
    assert np.abs(_normal(points) - exact).max() < 1e-7


# -- from one day to the next ------------------------------------------------------------------------------


async def test_a_market_left_running_offers_each_days_contracts_and_shows_their_prices() -> None:
    feed = market("2026-11-23 15:39:58")
    before = {i.key for i in feed.instruments()}
    seen: set[str] = set()
    async for batch in feed.batches(feed.starts_at):
        if batch.at > at("2026-11-25 09:20"):
            break
        if isinstance(batch, TickBatch) and batch.at.date() == date(2026, 11, 25):
            seen |= {tick.key for tick in batch.ticks}
    wednesdays = {i.key for i in contracts("2026-11-25 10:00")}
    assert not wednesdays & before, "the expiry was on Monday: nothing of then is offered now"
    assert wednesdays <= seen
    assert wednesdays <= {i.key for i in feed.instruments()}


def test_what_a_day_lists_is_what_a_start_on_that_day_lists() -> None:
    feed = market("2026-11-18 10:00")
    for day in ("2026-11-19", "2026-11-20", "2026-11-25", "2026-12-02"):
        assert list(feed.listed(date.fromisoformat(day))) == list(market(f"{day} 10:00").instruments())
        assert feed.listed_on == date.fromisoformat(day)
