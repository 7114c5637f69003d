"""The simulated market: endless, seeded, the same from wherever it is begun."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader.domain.errors import UnknownName
from trader.domain.instrument import instrument_key
from trader.domain.market import Bar, Interval, Tick
from trader.domain.money import decimal_of
from trader.domain.times import IST
from trader.feed.aggregator import Aggregator
from trader.feed.port import Batch, Feed, Silence, TickBatch
from trader.feed.simulated import SimulatedMarket
from trader.market.calendar import Calendar, venue_of
from trader.market.symbols import listings

CALENDAR = Calendar.load()
FEW = listings()[:3]
KEY = FEW[0].instrument.key


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def market(start: str = "2026-11-23 09:15", seed: int = 7) -> SimulatedMarket:
    return SimulatedMarket(seed, at(start), CALENDAR, FEW)


async def until(batches: AsyncIterator[Batch], end: datetime) -> list[Batch]:
    taken = []
    async for batch in batches:
        assert isinstance(batch, TickBatch | Silence)
        if batch.at > end:
            break
        taken.append(batch)
    return taken


@pytest.mark.parametrize(
    ("start", "first"),
    [
        ("2026-11-23 11:00:03", "2026-11-23 11:00:03"),
        ("2026-11-21 11:00:00", "2026-11-23 09:15:00"),  # Saturday
        ("2026-11-24 10:00:00", "2026-11-25 09:15:00"),  # Guru Nanak Jayanti
        ("2026-11-23 15:40:00", "2026-11-25 09:15:00"),
        ("2026-11-23 03:00:00", "2026-11-23 09:15:00"),
    ],
)
async def test_its_clock_begins_when_told_though_nothing_trades_then(start: str, first: str) -> None:
    feed: Feed = market(start)
    assert feed.name == "simulated"
    assert feed.starts_at == at(start)
    batches = await until(feed.batches(feed.starts_at), at(first))
    assert batches[-1].at == at(first)
    assert isinstance(batches[0], TickBatch) == (start == first)
    assert len(batches) == (1 if start == first else 2), "only the Silence that jumps to the opening"


def test_without_a_start_it_begins_five_minutes_into_a_session() -> None:
    starts = SimulatedMarket().starts_at
    assert f"{starts:%H:%M}" in ("09:20", "13:45")  # a Muhurat session opens later
    assert CALENDAR.is_trading_day(starts.date())


async def test_every_second_of_the_session_has_its_batch_and_the_night_is_jumped_over() -> None:
    feed = SimulatedMarket(7, at("2026-11-23 15:39:30"), CALENDAR)
    batches = await until(feed.batches(feed.starts_at), at("2026-11-25 09:15:02"))
    assert [b.at for b in batches if isinstance(b, TickBatch)] == [
        *(at("2026-11-23 15:39:30") + timedelta(seconds=s) for s in range(30)),
        *(at("2026-11-25 09:15:00") + timedelta(seconds=s) for s in range(3)),
    ]
    assert [b.at for b in batches if isinstance(b, Silence)] == [
        at("2026-11-23 15:40"),
        at("2026-11-25 09:15"),
    ]
    assert all(a.at <= b.at for a, b in pairwise(batches))


async def test_a_day_ends_earlier_before_the_closing_auction_came() -> None:
    batches = await until(market().batches(at("2026-07-31 15:29:58")), at("2026-08-03 09:15"))
    silences = [b.at for b in batches if isinstance(b, Silence)]
    assert silences == [at("2026-07-31 15:30"), at("2026-08-03 09:15")]


async def test_nothing_comes_from_before_since() -> None:
    batches = await until(market().batches(at("2026-11-23 11:00:03.500")), at("2026-11-23 11:00:06"))
    assert [b.at for b in batches] == [at(f"2026-11-23 11:00:0{s}") for s in (4, 5, 6)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 22_400), st.integers(0, 3))
async def test_a_restart_at_any_moment_goes_on_along_the_same_path(second: int, days_before: int) -> None:
    moment = at("2026-11-18 09:15") + timedelta(seconds=second)
    warm = market()
    warm.bars(KEY, Interval.M1, 400 * days_before, moment)  # an older process has seen other days
    end = moment + timedelta(seconds=70)
    fresh = await until(market().batches(moment), end)
    assert fresh == await until(warm.batches(moment), end)
    earlier = await until(market().batches(moment - timedelta(seconds=5)), end)
    assert [b for b in earlier if b.at >= moment and isinstance(b, TickBatch)] == [
        b for b in fresh if isinstance(b, TickBatch)
    ]


async def test_ticks_are_sound() -> None:
    feed = market()
    by_key = {i.key: i for i in feed.instruments()}
    seen: dict[str, Tick] = {}
    traded = 0
    for batch in await until(feed.batches(feed.starts_at), at("2026-11-23 09:45")):
        assert isinstance(batch, TickBatch)
        for tick in batch.ticks:
            instrument = by_key[tick.key]
            assert tick.at == batch.at
            assert all(instrument.on_tick(decimal_of(p)) for p in (tick.last, tick.bid, tick.ask))
            assert tick.bid <= tick.last <= tick.ask
            assert decimal_of(tick.ask) - decimal_of(tick.bid) in (
                instrument.tick_size,
                2 * instrument.tick_size,
            )
            assert tick.volume > (seen[tick.key].volume if tick.key in seen else 0)
            seen[tick.key] = tick
            traded += 1
    assert 0.8 < traded / (1801 * len(by_key)) < 1, "most seconds, not all"


@pytest.mark.parametrize("interval", [Interval.S15, Interval.M1, Interval.M5, Interval.H1, Interval.D1])
async def test_history_is_what_the_ticks_make(interval: Interval) -> None:
    feed = market()
    hours = {i.key: venue_of(i) for i in feed.instruments()}
    aggregator = Aggregator(CALENDAR, hours.__getitem__)
    built: list[Bar] = []
    for instrument in feed.instruments():
        aggregator.watch(instrument.key, interval)
    end = at("2026-11-25 11:07:31")
    for batch in await until(feed.batches(feed.starts_at), end):
        built += (
            aggregator.on_ticks(batch.ticks) if isinstance(batch, TickBatch) else aggregator.on_time(batch.at)
        )
    built += aggregator.on_time(end)
    for instrument in feed.instruments():
        mine = [b for b in built if b.key == instrument.key]
        assert await market().history(instrument.key, interval, len(mine), end) == mine
        assert mine


async def test_history_gives_closed_bars_only_as_many_as_asked() -> None:
    feed = market()
    moment = at("2026-11-23 09:17:30")
    minutes = await feed.history(KEY, Interval.M1, 5, moment)
    assert [f"{b.start:%d %H:%M}" for b in minutes] == [
        "20 15:12",
        "20 15:13",
        "20 15:14",
        "23 09:15",
        "23 09:16",
    ]
    days = await feed.history(KEY, Interval.D1, 3, at("2026-11-23 15:15"))
    assert [f"{b.start:%d}" for b in days] == ["19", "20", "23"], "the session's end closes its day"
    assert await feed.history(KEY, Interval.M1, 0, moment) == []
    with pytest.raises(UnknownName, match="simulated market"):
        await feed.history(instrument_key("NOSUCH"), Interval.M1, 5, moment)


def test_seeds_make_different_markets_and_the_same_seed_the_same() -> None:
    def closes(seed: int) -> list[float]:
        return [b.close for b in market(seed=seed).bars(KEY, Interval.M1, 50, at("2026-11-23 15:30"))]

    assert closes(7) == closes(7)
    assert closes(7) != closes(8)


def test_prices_look_like_a_market() -> None:
    """Moves near the table's volatility, gaps at the opening, busy openings and ends, a bounded path."""
    for stock in listings()[:6]:
        days = SimulatedMarket(3, at("2026-11-23 09:15"), CALENDAR, [stock]).bars(
            stock.instrument.key, Interval.D1, 120, at("2026-11-23 09:15")
        )
        moves = [abs(b.close / a.close - 1) for a, b in pairwise(days)]
        assert 0.4 * stock.volatility < sum(moves) / len(moves) < 1.5 * stock.volatility
        assert max(moves) < 0.15
        assert sum(a.close != b.open for a, b in pairwise(days)) > 100
        assert all(0.6 < b.close / stock.base_price < 1.6 for b in days)
        assert 0.6 < sum(b.volume for b in days) / len(days) / stock.volume < 1.4
    hours = market().bars(FEW[0].instrument.key, Interval.M15, 25, at("2026-07-30 15:30"))
    first, noon, last = hours[0].volume, hours[12].volume, hours[-1].volume
    assert first > noon < last
