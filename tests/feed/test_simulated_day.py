"""A simulated day by venue: the silence of the auction, derivatives to their end, days without trading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import correlation

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader.domain.instrument import Exchange, InstrumentKey, Segment
from trader.domain.market import Bar, Interval, Tick
from trader.domain.times import IST
from trader.feed.aggregator import Aggregator
from trader.feed.port import Batch, Silence, TickBatch
from trader.feed.simulated import SimulatedMarket
from trader.market.calendar import Calendar, Venue, venue_of
from trader.market.symbols import listings

CALENDAR = Calendar.load()
DAY = "2026-11-25"
INDEX = InstrumentKey("NSE:NIFTY 50")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text if len(text) > 8 else f"{DAY} {text}").replace(tzinfo=IST)


async def taken(batches: AsyncIterator[Batch], end: datetime) -> list[TickBatch | Silence]:
    found: list[TickBatch | Silence] = []
    async for batch in batches:
        assert isinstance(batch, TickBatch | Silence)
        if batch.at > end:
            break
        found.append(batch)
    return found


async def ticks(market: SimulatedMarket, since: str, end: str) -> dict[InstrumentKey, list[Tick]]:
    found: dict[InstrumentKey, list[Tick]] = defaultdict(list)
    for batch in await taken(market.batches(at(since)), at(end)):
        for tick in batch.ticks if isinstance(batch, TickBatch) else ():
            found[tick.key].append(tick)
    return found


async def test_each_venue_trades_to_its_own_close() -> None:
    market = SimulatedMarket(7, at("09:15"), CALENDAR)
    found = await ticks(market, "15:10:00", "15:45:00")
    latest = {
        Venue.AUCTION_STOCK: "15:15:00", Venue.STOCK: "15:30:00",
        Venue.DERIVATIVE: "15:40:00", Venue.OPTION: "15:40:00",
    }  # fmt: skip
    for instrument in market.instruments():
        mine = found[instrument.key]
        venue = venue_of(instrument)
        ends = at("15:15:00") if instrument.segment is Segment.INDEX else at(latest[venue])
        continuous = [t for t in mine if t.at < ends]
        assert ends - continuous[-1].at < timedelta(seconds=30), instrument.key
        late = [t for t in mine if t.at >= ends]
        assert len(late) == (1 if venue is Venue.AUCTION_STOCK else 0), instrument.key


async def test_an_auction_stock_is_silent_until_one_print_within_three_per_cent() -> None:
    market = SimulatedMarket(7, at("09:15"), CALENDAR)
    found = await ticks(market, "15:00:00", "15:45:00")
    moments = set()
    for listing in listings():
        if not listing.instrument.derivatives:
            continue
        before, auction = found[listing.instrument.key][:-1], found[listing.instrument.key][-1]
        assert before[-1].at < at("15:15:00")
        assert at("15:28:00") <= auction.at < at("15:30:00")
        traded = [(b.last, b.volume - a.volume) for a, b in pairwise(before)]
        reference = sum(price * size for price, size in traded) / sum(size for _, size in traded)
        assert abs(auction.last / reference - 1) <= 0.0301
        assert auction.volume > before[-1].volume
        assert (auction.bid, auction.ask) == (0.0, 0.0), "no book is shown"
        moments.add(auction.at)
    assert len(moments) > 10, "each stock's auction ends at its own random moment"


@pytest.mark.parametrize("move", [0.2, -0.2])
def test_the_auction_price_stays_in_its_band_however_far_the_close_is(move: float) -> None:
    import numpy as np

    from trader.feed.day import DayPath
    from trader.feed.walk import _into_auction

    seconds = np.arange(1800)
    last = np.where(seconds < 900, 100_000, 100_000 * (1 + move)).astype(np.int32)
    path = DayPath(
        at("15:00:00"), last, last - 5, last + 5, (seconds + 1).astype(np.int32), seconds >= 0, 1800
    )
    cut = _into_auction(path, 10, 900, 1700)
    assert cut.last[1700] == 100_000 + (3000 if move > 0 else -3000)
    assert cut.traded[900:].sum() == 1
    assert (cut.last[:900] == last[:900]).all()
    assert cut.volume[1700] == 1800


async def test_before_the_closing_auction_came_all_trade_to_half_past_three() -> None:
    market = SimulatedMarket(7, at("2026-07-31 09:15:00"), CALENDAR)
    found = await ticks(market, "2026-07-31 15:29:00", "2026-07-31 15:45:00")
    for instrument in market.instruments():
        assert found[instrument.key][-1].at >= at("2026-07-31 15:29:50"), instrument.key


async def test_the_index_is_quoted_only_and_moves_with_its_stocks() -> None:
    market = SimulatedMarket(7, at("09:15"), CALENDAR)
    index = next(i for i in market.instruments() if i.key == INDEX)
    assert index.segment is Segment.INDEX
    found = await ticks(market, "10:00:00", "10:02:00")
    assert len(found[INDEX]) == 121
    assert {(t.volume, t.bid, t.ask) for t in found[INDEX]} == {(0, 0.0, 0.0)}
    days = {
        key: market.bars(key, Interval.D1, 60, at("09:15:00"))
        for key in (INDEX, *(listing.instrument.key for listing in listings()[:10]))
    }
    moves = {key: [b.close / a.close - 1 for a, b in pairwise(d)] for key, d in days.items()}
    of_index = moves.pop(INDEX)
    of_stocks = [sum(day) / len(moves) for day in zip(*moves.values(), strict=True)]
    assert correlation(of_index, of_stocks) > 0.75
    assert all(20_000 < b.close < 34_000 for b in days[INDEX])


@pytest.mark.parametrize("interval", [Interval.S30, Interval.M5, Interval.H1, Interval.D1])
async def test_history_of_every_venue_is_what_its_ticks_make(interval: Interval) -> None:
    market = SimulatedMarket(7, at("2026-11-23 13:15:00"), CALENDAR)
    hours = {i.key: venue_of(i) for i in market.instruments()}
    aggregator = Aggregator(CALENDAR, hours.__getitem__)
    for key in hours:
        aggregator.watch(key, interval)
    built: list[Bar] = []
    end = at("2026-11-25 09:47:31")
    begin = at("2026-11-23 09:15:00") if interval is Interval.D1 else at("2026-11-23 13:15:00")
    for batch in await taken(market.batches(begin), end):
        if isinstance(batch, TickBatch):
            built += aggregator.on_ticks(batch.ticks)
        built += aggregator.on_time(batch.at)
    fresh = SimulatedMarket(7, at("2026-11-23 13:15:00"), CALENDAR)
    for key in hours:
        mine = [b for b in built if b.key == key]
        if begin.hour != 9:  # counting began in the middle of a day
            mine = mine[1:]
        assert mine
        assert await fresh.history(key, interval, len(mine), end) == mine, key


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 26_000))
async def test_a_restart_at_any_moment_sees_the_same_market_of_every_kind(second: int) -> None:
    moment = at("2026-11-25 09:15:00") + timedelta(seconds=second)
    end = moment + timedelta(seconds=40)
    through = SimulatedMarket(7, at("2026-11-25 09:15:00"), CALENDAR)
    restarted = SimulatedMarket(7, moment, CALENDAR)
    came = await taken(through.batches(moment - timedelta(seconds=7)), end)
    fresh = await taken(restarted.batches(moment), end)
    known = {i.key for i in through.instruments()}
    seen = {b.at: [t for t in b.ticks if t.key in known] for b in fresh if isinstance(b, TickBatch)}
    assert seen == {b.at: list(b.ticks) for b in came if b.at >= moment and isinstance(b, TickBatch)}


async def test_a_start_on_a_holiday_stands_still_until_the_next_session() -> None:
    market = SimulatedMarket(7, at("2026-11-24 10:30:00"), CALENDAR)
    assert market.starts_at == at("2026-11-24 10:30:00")
    batches = await taken(market.batches(market.starts_at), at("2026-11-25 09:15:00"))
    assert batches[0] == Silence(at("2026-11-25 09:15:00"))
    assert isinstance(batches[1], TickBatch)
    assert len(batches) == 2


async def test_a_day_the_owner_closes_is_passed_over_and_one_reopened_trades() -> None:
    calendar = Calendar.load()
    market = SimulatedMarket(7, at("2026-11-25 15:39:58"), calendar, listings()[:2])
    market.bars(listings()[0].instrument.key, Interval.M1, 5, at("2026-11-27 10:00:00"))  # a day looked at
    batches = market.batches(market.starts_at)
    first = [await anext(batches) for _ in range(3)]
    assert first[-1] == Silence(at("2026-11-25 15:40:00"))
    calendar.close(date(2026, 11, 26), "mourning")
    calendar.close(date(2026, 11, 27), "mistaken")
    calendar.reopen(date(2026, 11, 27))
    assert await anext(batches) == Silence(at("2026-11-27 09:15:00"))
    assert isinstance(await anext(batches), TickBatch)
    bars = market.bars(listings()[0].instrument.key, Interval.M1, 3, at("2026-11-27 09:16:30"))
    assert [f"{b.start:%d %H:%M}" for b in bars] == ["25 15:13", "25 15:14", "27 09:15"]


async def test_a_day_closed_while_it_trades_ends_within_a_minute() -> None:
    calendar = Calendar.load()
    market = SimulatedMarket(7, at("2026-11-25 11:00:00"), calendar, listings()[:2])
    batches = market.batches(market.starts_at)
    assert isinstance(await anext(batches), TickBatch)
    calendar.close(date(2026, 11, 25), "the exchange is down")
    rest = await taken(batches, at("2026-11-26 09:15:00"))
    assert rest[-2] == Silence(at("2026-11-26 09:15:00"))
    assert rest[-3].at < at("2026-11-25 11:01:00")


def test_plain_stocks_are_among_those_offered() -> None:
    stocks = [i for i in SimulatedMarket().instruments() if i.segment is Segment.EQUITY]
    assert {i.symbol for i in stocks if not i.derivatives} == {"EIHOTEL", "VIPIND"}
    assert sum(i.derivatives for i in stocks) >= 20
    assert all(i.exchange is Exchange.NSE for i in stocks)
