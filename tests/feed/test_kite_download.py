"""The download command's work, and that what it leaves can be replayed."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from datetime import date
from pathlib import Path

import pytest
from kite_feed_house import CALENDAR, INFY, MINUTE, SBIN, SMALL, FakeKite, Wall, at, day, instruments

from trader.domain.errors import BrokerUnavailable, InvalidInput, LoginNeeded, UnknownName
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.feed.port import BarBatch
from trader.feed.replay import ReplayMarket
from trader.feed.zerodha.candles import CandleCache
from trader.feed.zerodha.download import Step, Summary, download, progress_bar


class House:
    def __init__(self, folder: Path, now: str = "2026-11-21 12:00") -> None:
        self.wall = Wall(now)
        self.kite = FakeKite(self.wall)
        self.cache = CandleCache(folder)
        self.steps: list[Step] = []

    async def get(
        self,
        keys: list[InstrumentKey],
        interval: Interval = Interval.M5,
        first: str = "2026-01-01",
        last: str = "2026-11-20",
        progress: Callable[[Step], None] | None = None,
    ) -> Summary:
        return await download(
            self.kite, self.cache, instruments(), keys, interval, day(first), day(last),
            progress or self.steps.append, calendar=CALENDAR, now=self.wall, sleep=self.wall.sleep,
        )  # fmt: skip


def trading_days(first: str, last: str) -> list[date]:
    span = range(day(first).toordinal(), day(last).toordinal() + 1)
    return [d for n in span if CALENDAR.is_trading_day(d := date.fromordinal(n))]


async def test_a_download_has_every_candle_and_a_second_one_asks_for_none(tmp_path: Path) -> None:
    house = House(tmp_path)
    summary = await house.get([SMALL, SBIN, SMALL])
    days = trading_days("2026-01-01", "2026-11-20")
    expected = sum(len(house.kite.candles(d, 5 * MINUTE)) for d in days)
    assert [(one.key, one.candles, one.empty, one.open) for one in summary.fetched] == [
        (SMALL, expected, 0, 0), (SBIN, expected, 0, 0),
    ]  # fmt: skip
    assert summary.requests == len(house.kite.asked) == 2 * 4, "324 days, a hundred at a time"
    assert house.steps[-1] == Step(8, 8, "SBIN")
    assert [step.done for step in house.steps] == sorted(step.done for step in house.steps)
    again = await house.get([SMALL, SBIN])
    assert again.requests == 0
    assert [one.candles for one in again.fetched] == [expected, expected]
    assert str(again).endswith(f"5m candles of 2 instruments in {tmp_path / '5m'}, 0 requests.")


async def test_downloaded_candles_replay(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.get([INFY, SMALL], Interval.M1, "2026-11-16", "2026-11-20")
    market = ReplayMarket.from_path(f"{tmp_path / '1m'}?day=2026-11-19", CALENDAR)
    assert market.interval is Interval.M1
    assert {one.key for one in market.instruments()} == {INFY, SMALL}
    bars = [
        bar
        async for batch in market.batches(market.starts_at)
        if isinstance(batch, BarBatch)
        for bar in batch.bars
    ]
    for key, minutes in ((INFY, 360), (SMALL, 375)):  # INFY closes in the auction
        rows = house.kite.candles(day("2026-11-19"), MINUTE)[:minutes]
        mine = [bar for bar in bars if bar.key == key]
        assert [(b.start, b.open, b.high, b.low, b.close, b.volume) for b in mine] == [
            tuple(row[name] for name in ("date", "open", "high", "low", "close", "volume")) for row in rows
        ]
    warm = await market.history(SMALL, Interval.M5, 10, market.starts_at)
    assert (len(warm), warm[-1].start) == (10, at("2026-11-18 15:25"))


@pytest.mark.parametrize("interval", list(Interval)[3:])
async def test_every_interval_of_kites_replays(tmp_path: Path, interval: Interval) -> None:
    house = House(tmp_path)
    await house.get([SMALL], interval, "2025-12-29", "2026-01-02")
    market = ReplayMarket.from_path(tmp_path / interval, CALENDAR)
    assert market.interval is interval
    bars = [b async for b in market.batches(market.starts_at) if isinstance(b, BarBatch)]
    a_day = 1 if interval is Interval.D1 else -(-375 * 60 // interval.seconds)
    assert len(bars) == a_day * len(trading_days("2025-12-29", "2026-01-02"))
    assert not market.flaws


async def test_years_without_a_candle_leave_nothing_a_replay_stumbles_over(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.kite.listed = day("2026-11-18")
    summary = await house.get([SMALL], Interval.D1, "2025-06-01", "2026-11-20")
    assert (summary.fetched[0].candles, summary.fetched[0].open) == (3, 0)
    assert summary.fetched[0].empty > 300
    market = ReplayMarket.from_path(tmp_path / "1d", CALENDAR)
    assert len([b async for b in market.batches(market.starts_at) if isinstance(b, BarBatch)]) == 3


async def test_today_is_kept_as_far_as_it_went_and_completed_later(tmp_path: Path) -> None:
    house = House(tmp_path, "2026-11-20 12:00:30")
    summary = await house.get([SMALL], Interval.M5, "2026-11-19", "2026-11-30")
    (one,) = summary.fetched
    assert (one.candles, one.open) == (75 + 32, 1), "11:55 closed half a minute ago and may still change"
    assert "1 not over" in str(summary)
    house.wall.at = at("2026-11-21 08:00")
    (one,) = (await house.get([SMALL], Interval.M5, "2026-11-19", "2026-11-20")).fetched
    assert (one.candles, one.open) == (150, 0)


async def test_candles_far_apart_are_compared_too(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.get([SMALL], Interval.D1, "2026-01-05", "2026-01-09")
    (one,) = (await house.get([SMALL], Interval.D1, "2026-06-01", "2026-06-05")).fetched
    assert not one.anew
    house.kite.division = 10.0
    (one,) = (await house.get([SMALL], Interval.D1, "2026-11-16", "2026-11-20")).fetched
    assert one.anew
    kept = house.cache.read(SMALL, Interval.D1, day("2026-01-01"), day("2026-11-20"))
    assert len(kept) == 5, "what was of other prices is gone"
    assert kept.close.max() < 200


async def test_fetching_anew_does_not_overrun_the_bar(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.get([SMALL], first="2026-11-02")
    house.kite.division = 2.0
    house.kite.divided_before = day("2026-12-01")
    summary = await house.get([SMALL])
    assert summary.fetched[0].anew
    assert summary.requests > house.steps[-1].of
    assert max(step.done for step in house.steps) == house.steps[-1].of
    assert house.cache.read(SMALL, Interval.M5, day("2026-01-01"), day("2026-11-20")).close.max() < 600


async def test_one_failure_is_told_and_stops_no_other(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.kite.failures = [BrokerUnavailable("Kite answered 502.")] * 3
    summary = await house.get([SMALL, SBIN])
    assert summary.failed == ((SMALL, "Kite answered 502."),)
    assert [one.key for one in summary.fetched] == [SBIN]
    assert "CENTRALBK: Kite answered 502." in str(summary)
    assert house.steps[-1].done == house.steps[-1].of


async def test_what_cannot_be_meant_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    house = House(tmp_path)
    with pytest.raises(InvalidInput, match="no 5s candles; it has 1m, 3m"):
        await house.get([SMALL], Interval.S5)
    with pytest.raises(InvalidInput, match="no later than"):
        await house.get([SMALL], first="2026-11-20", last="2026-11-19")
    with pytest.raises(InvalidInput, match="today"):
        await house.get([SMALL], first="2027-01-01", last="2027-01-02")
    with pytest.raises(UnknownName, match="Did you mean"):
        await house.get([SMALL, InstrumentKey("NSE:INFYY")])
    assert house.kite.asked == []


async def test_a_lost_login_ends_it_and_what_came_is_kept(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.get([SMALL], first="2026-06-01")
    house.kite.failures = [LoginNeeded("Log in again.")]
    with pytest.raises(LoginNeeded):
        await house.get([SMALL, SBIN])
    house.kite.asked.clear()
    await house.get([SMALL])
    assert max(asked[2].date() for asked in house.kite.asked) == day("2026-06-01")


async def test_the_bar_is_drawn(tmp_path: Path) -> None:
    shown = io.StringIO()
    with redirect_stderr(shown), progress_bar() as progress:
        await House(tmp_path).get([SMALL], progress=progress)
    assert "CENTRALBK" in shown.getvalue()
    assert "4/4" in shown.getvalue()
