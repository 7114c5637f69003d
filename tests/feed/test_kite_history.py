"""Candles for a strategy's warm-up: from the cache, from Kite what is missing, and never a wrong one."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from kite_feed_house import CALENDAR, FUTURE, INFY, MINUTE, SMALL, FakeKite, Wall, at, day, instruments

from trader.domain.errors import BrokerUnavailable, FeedError, LoginNeeded, UnknownName
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.feed.zerodha.candles import CandleCache
from trader.feed.zerodha.columns import label
from trader.feed.zerodha.history import CandleHistory
from trader.market.calendar import Calendar
from trader.market.symbols import instrument_of


class House:
    def __init__(self, folder: Path, now: str = "2026-11-20 12:00:30", calendar: Calendar = CALENDAR) -> None:
        self.wall = Wall(now)
        self.kite = FakeKite(self.wall)
        self.cache = CandleCache(folder / "candles")
        self.history = CandleHistory(self.kite, self.cache, instruments, calendar, self.wall, self.wall.sleep)

    @property
    def requests(self) -> int:
        return len(self.kite.asked)


async def test_the_last_bars_end_before_now_and_the_running_candle_is_none_of_them(tmp_path: Path) -> None:
    house = House(tmp_path)
    bars = await house.history.bars(SMALL, Interval.M1, 500, house.wall.at)
    assert len(bars) == 500
    assert bars[-1].start == at("2026-11-20 11:59")
    assert all(a.start < b.start for a, b in pairwise(bars))
    assert bars[0].start == at("2026-11-19 09:15") + (375 - (500 - 165)) * MINUTE
    assert (bars[-1].open, bars[-1].volume) == (
        house.kite.candles(day("2026-11-20"), MINUTE)[164]["open"],
        159,
    )


async def test_nothing_comes_from_the_future(tmp_path: Path) -> None:
    house = House(tmp_path)
    bars = await house.history.bars(SMALL, Interval.M1, 5, at("2026-11-20 13:00"))
    assert bars[-1].start == at("2026-11-20 11:59")
    assert (await house.history.bars(SMALL, Interval.M1, 5, at("2026-11-19 10:00")))[-1].start == at(
        "2026-11-19 09:59"
    )


async def test_a_second_warm_up_asks_only_for_the_day_under_way(tmp_path: Path) -> None:
    house = House(tmp_path)
    first = await house.history.bars(SMALL, Interval.M5, 300, house.wall.at)
    before = house.requests
    house.wall.at += timedelta(minutes=5)
    second = await house.history.bars(SMALL, Interval.M5, 300, house.wall.at)
    assert house.requests - before == 1
    _, start, end, word, oi = house.kite.asked[-1]
    assert (start.date(), end, word, oi) == (day("2026-11-16"), house.wall.at, "5minute", False), (
        "and what is compared"
    )
    assert second[:-1] == first[1:]


async def test_at_night_nothing_is_asked_twice(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    first = await house.history.bars(SMALL, Interval.M15, 100, house.wall.at)
    before = house.requests
    house.wall.at = at("2026-11-22 10:00")  # a Sunday
    assert await house.history.bars(SMALL, Interval.M15, 100, house.wall.at) == first
    assert house.requests == before


async def test_the_day_is_asked_for_again_until_its_candles_are_settled(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 15:31")
    await house.history.bars(SMALL, Interval.M5, 10, house.wall.at)
    for now, asked in (("2026-11-20 17:00", 1), ("2026-11-20 19:00", 1), ("2026-11-20 20:00", 0)):
        before = house.requests
        house.wall.at = at(now)
        await house.history.bars(SMALL, Interval.M5, 10, house.wall.at)
        assert house.requests - before == asked, now


@pytest.mark.parametrize(
    ("interval", "days"),
    [(Interval.M1, 60), (Interval.M5, 100), (Interval.M15, 200), (Interval.H1, 400), (Interval.D1, 2000)],
)
async def test_long_histories_come_in_requests_that_kite_allows(
    tmp_path: Path, interval: Interval, days: int
) -> None:
    """The fake refuses longer ones."""
    house = House(tmp_path)
    a_day = 1 if interval is Interval.D1 else -(-375 * 60 // interval.seconds)
    bars = await house.history.bars(SMALL, interval, a_day * days, house.wall.at)
    assert len(bars) == a_day * days
    assert house.requests > 1
    seen = {bar.start.date() for bar in bars}
    wanted = {d for d in _days(min(seen), max(seen)) if CALENDAR.is_trading_day(d)}
    assert seen == wanted, "no border between two requests swallowed a day"


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


async def test_a_days_bar_begins_with_its_session_and_todays_comes_when_it_is_over(tmp_path: Path) -> None:
    house = House(tmp_path)
    bars = await house.history.bars(SMALL, Interval.D1, 3, house.wall.at)
    assert [bar.start for bar in bars] == [at(f"2026-11-{d} 09:15") for d in (17, 18, 19)]
    house.wall.at = at("2026-11-20 15:30")
    assert (await house.history.bars(SMALL, Interval.D1, 3, house.wall.at))[-1].start == at(
        "2026-11-20 09:15"
    )


async def test_a_closing_auction_stock_has_no_bars_of_its_auction(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 16:00")
    ends = {key: (await house.history.bars(key, Interval.M5, 1, house.wall.at))[-1] for key in (INFY, SMALL)}
    assert ends[INFY].start == at("2026-11-20 15:10"), "INFY has futures"
    assert ends[SMALL].start == at("2026-11-20 15:25")


async def test_minutes_without_a_trade_are_no_gaps(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    house.kite.skips = 3
    bars = await house.history.bars(SMALL, Interval.M1, 200, house.wall.at)
    assert len(bars) == 200
    before = house.requests
    assert await house.history.bars(SMALL, Interval.M1, 200, house.wall.at) == bars
    assert house.requests == before


async def test_an_instrument_that_trades_seldom_is_followed_further_back(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    house.kite.silent = {d for d in _days(day("2026-01-01"), day("2026-11-20")) if d.day % 3}
    bars = await house.history.bars(SMALL, Interval.D1, 40, house.wall.at)
    assert len(bars) == 40
    assert not {bar.start.date() for bar in bars} & house.kite.silent


async def test_a_young_listing_has_few_bars_and_costs_few_requests(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.kite.listed = day("2026-11-17")
    bars = await house.history.bars(SMALL, Interval.H1, 2000, house.wall.at)
    assert bars[0].start == at("2026-11-17 09:15")
    assert len(bars) == 3 * 7 + 2
    assert house.requests <= 2


async def test_a_day_without_candles_is_believed_when_kite_says_so_on_two_days(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    house.kite.silent = {day("2026-11-18")}
    for now, asked in (("2026-11-20 23:00", True), ("2026-11-20 23:30", True), ("2026-11-21 10:00", True)):
        before = house.requests
        house.wall.at = at(now)
        await house.history.bars(SMALL, Interval.D1, 5, house.wall.at)
        assert (house.requests > before) is asked, now
    before = house.requests
    await house.history.bars(SMALL, Interval.D1, 5, house.wall.at)
    assert house.requests == before


async def test_a_day_that_kite_first_failed_to_give_is_refilled(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    house.kite.silent = {day("2026-11-18")}
    await house.history.bars(SMALL, Interval.M5, 300, house.wall.at)
    house.kite.silent = set()
    bars = await house.history.bars(SMALL, Interval.M5, 300, house.wall.at)
    assert sum(bar.start.date() == day("2026-11-18") for bar in bars) == 75


async def test_holidays_are_no_gaps_and_special_sessions_are_trading_days(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-22 10:00")
    bars = await house.history.bars(SMALL, Interval.M5, 2000, house.wall.at)
    seen = {bar.start.date() for bar in bars}
    muhurat = day("2026-11-08")  # a Sunday
    assert CALENDAR.special(muhurat)
    assert muhurat in seen
    assert day("2026-11-10") not in seen, "Diwali Balipratipada"
    before = house.requests
    await house.history.bars(SMALL, Interval.M5, 2000, house.wall.at)
    assert house.requests == before


async def test_a_session_that_no_calendar_announced_is_kept_as_it_comes(tmp_path: Path) -> None:
    closed = Calendar.load()
    closed.close(day("2026-11-18"), "thought to be closed")
    house = House(tmp_path, "2026-11-20 23:00", closed)
    bars = await house.history.bars(SMALL, Interval.M5, 300, house.wall.at)
    assert sum(bar.start.date() == day("2026-11-18") for bar in bars) == 75


async def test_a_split_makes_the_past_be_fetched_anew(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    old = await house.history.bars(SMALL, Interval.M5, 400, house.wall.at)
    house.wall.at = at("2026-11-23 09:21")
    house.kite.division = 5.0
    bars = await house.history.bars(SMALL, Interval.M5, 400, house.wall.at)
    assert len(bars) == 400
    past = {bar.start: bar for bar in bars}
    common = [bar for bar in old if bar.start in past]
    assert common
    assert all(past[bar.start].open == pytest.approx(bar.open / 5, abs=0.006) for bar in common)
    assert bars[-1].open > 1000, "today's are in today's rupees"


async def test_an_adjustment_that_comes_days_late_is_noticed(tmp_path: Path) -> None:
    """A demerger's: the prices since the ex-date stay, those before it change."""
    house = House(tmp_path, "2026-11-20 23:00")
    await house.history.bars(SMALL, Interval.M15, 200, house.wall.at)
    house.wall.at, house.kite.division = at("2026-11-23 09:31"), 2.0
    house.kite.divided_before = day("2026-11-18")
    bars = await house.history.bars(SMALL, Interval.M15, 200, house.wall.at)
    assert {bar.open < 600 for bar in bars if bar.start < at("2026-11-18 00:00")} == {True}
    assert {bar.open > 900 for bar in bars if bar.start > at("2026-11-18 00:00")} == {True}


async def test_older_candles_of_other_prices_do_not_mix_with_what_is_cached(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    await house.history.bars(SMALL, Interval.D1, 20, house.wall.at)
    house.kite.division, house.wall.at = 2.0, at("2026-11-22 23:00")
    bars = await house.history.bars(SMALL, Interval.D1, 60, house.wall.at)
    assert {round(bar.open) // 400 for bar in bars} == {1}, "all halved, none left at a thousand"


async def test_a_candle_that_lags_is_waited_for_once(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 12:00:01")
    house.kite.lag = timedelta(seconds=62)  # the fake's newest candle is then of 11:58
    bars = await house.history.bars(SMALL, Interval.M1, 5, at("2026-11-20 12:00:01"))
    assert house.wall.slept == [2.0]
    assert bars[-1].start == at("2026-11-20 11:59")
    house.wall.at = at("2026-11-20 12:05:30")
    house.kite.lag = timedelta(seconds=95)
    await house.history.bars(SMALL, Interval.M1, 5, house.wall.at)
    assert house.wall.slept == [2.0], "after half a minute it did not trade"


async def test_a_failed_read_is_tried_again_and_a_failure_keeps_what_came(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    house.kite.failures = [BrokerUnavailable("Kite answered 502."), BrokerUnavailable("again")]
    assert len(await house.history.bars(SMALL, Interval.M5, 10, house.wall.at)) == 10
    assert house.wall.slept == [1.0, 3.0]
    house.kite.failures = [BrokerUnavailable("down")] * 3
    with pytest.raises(BrokerUnavailable, match="down"):
        await house.history.bars(SMALL, Interval.M5, 9000, house.wall.at)
    house.kite.failures = [LoginNeeded("The access token is over.")]
    with pytest.raises(LoginNeeded):
        await house.history.bars(SMALL, Interval.M5, 9000, house.wall.at)
    assert house.wall.slept == [1.0, 3.0, 1.0, 3.0], "a login is not waited for"


async def test_several_strategies_that_start_together_share_one_request(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    many = await asyncio.gather(
        *(house.history.bars(SMALL, Interval.M5, 50, house.wall.at) for _ in range(5))
    )
    assert house.requests == 1
    assert all(bars == many[0] for bars in many)


async def test_contracts_are_asked_for_with_open_interest(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    await house.history.bars(FUTURE, Interval.M5, 5, house.wall.at)
    assert house.kite.asked[0][4] is True
    kept = house.cache.read(FUTURE, Interval.M5, day("2026-11-20"), day("2026-11-20"))
    assert set(kept.oi.tolist()) == {7}


async def test_what_cannot_be_had_says_why(tmp_path: Path) -> None:
    house = House(tmp_path)
    with pytest.raises(UnknownName, match="Did you mean"):
        await house.history.bars(InstrumentKey("NSE:INFYY"), Interval.M5, 5, house.wall.at)
    assert await house.history.bars(INFY, Interval.S5, 5, house.wall.at) == []
    assert await house.history.bars(INFY, Interval.M5, 0, house.wall.at) == []
    assert house.requests == 0


async def test_a_damaged_file_is_fetched_again_and_a_strangers_is_left_alone(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 23:00")
    bars = await house.history.bars(SMALL, Interval.M5, 50, house.wall.at)
    (file,) = (tmp_path / "candles" / "5m").iterdir()
    file.write_bytes(file.read_bytes()[:200])
    assert await house.history.bars(SMALL, Interval.M5, 50, house.wall.at) == bars
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"date": ["2026"]}), file)
    before = file.read_bytes()
    with pytest.raises(FeedError, match="not one of Munim's own"):
        await house.history.bars(SMALL, Interval.M5, 50, house.wall.at)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "key",
    ["NSE:INFY", "NSE:NIFTY 50", "NSE:M&M", "BSE:RELIANCE", "BSE:SENSEX", "NFO:NIFTY26DECFUT",
     "NFO:RELIANCE26DEC1412.5CE", "BFO:SENSEX26DECFUT", "BFO:RELIANCE26DECFUT"],
)  # fmt: skip
def test_a_replay_finds_the_key_that_was_recorded(key: str) -> None:
    assert instrument_of(label(InstrumentKey(key))).key == key
