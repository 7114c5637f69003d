"""A price that the market cannot have come to is kept from bars, positions and limits (faults.md 45)."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from kite_feed_house import FUTURE, INFY, SBIN, at
from test_kite_feed import House, tick

from trader.domain.instrument import InstrumentKey, Segment
from trader.domain.market import Tick
from trader.feed.port import Silence, TickBatch
from trader.feed.zerodha.leaps import LASTS, Leaps

OPTION = InstrumentKey("NFO:NIFTY26DEC26000CE")
SEGMENTS = {INFY: Segment.EQUITY, SBIN: Segment.EQUITY, FUTURE: Segment.FUTURES, OPTION: Segment.OPTIONS}
TEN = at("2026-11-20 10:00:00")


def shown(*prices: float, key: InstrumentKey = INFY, apart: float = 1.0) -> list[float]:
    """What is left of prices that come so many seconds apart."""
    leaps = Leaps(SEGMENTS.__getitem__)
    left = []
    for number, price in enumerate(prices):
        moment = TEN + number * timedelta(seconds=apart)
        left += leaps.believable([Tick(key, moment, price)], moment)
    return [one.last for one in left]


@pytest.mark.parametrize("wrong", [100_000.0, 10.0, 1_300.0, 790.0])
def test_one_price_that_cannot_be_meant_is_held_back(wrong: float) -> None:
    assert shown(1000.0, wrong, 1001.0) == [1000.0, 1001.0]


def test_a_price_that_stands_is_the_markets() -> None:
    many = int(LASTS.total_seconds())
    assert shown(1000.0, *[600.0] * many, 599.0, 598.0) == [1000.0, 599.0, 598.0]


def test_wrong_prices_that_have_nothing_in_common_are_never_the_markets() -> None:
    assert shown(1000.0, 100_000.0, 10.0, 50_000.0, 1.0, 90_000.0, 3.0, 70_000.0, 1002.0) == [1000.0, 1002.0]


def test_a_wrong_price_between_right_ones_stays_wrong_however_often_it_comes() -> None:
    assert shown(1000.0, *[100_000.0, 1000.0] * 10) == [1000.0] * 11


def test_a_market_that_falls_step_by_step_is_followed() -> None:
    falling = [1000 * 0.9**step for step in range(20)]
    assert shown(*falling) == falling


def test_an_option_may_leap_where_a_future_may_not() -> None:
    assert shown(10.0, 60.0, 8.0, key=OPTION) == [10.0, 60.0, 8.0]
    assert shown(10.0, 1000.0, 11.0, key=OPTION) == [10.0, 11.0]
    assert shown(26_000.0, 36_000.0, 26_001.0, key=FUTURE) == [26_000.0, 26_001.0]


def test_over_a_night_a_share_may_be_split() -> None:
    leaps, next_day = Leaps(SEGMENTS.__getitem__), TEN + timedelta(days=3)
    for moment, price in ((TEN, 1000.0), (next_day, 100.0)):
        assert leaps.believable([Tick(INFY, moment, price)], moment)


def test_one_instruments_leap_says_nothing_of_another() -> None:
    leaps = Leaps(SEGMENTS.__getitem__)
    leaps.believable([Tick(INFY, TEN, 1000.0), Tick(SBIN, TEN, 800.0)], TEN)
    mixed = [Tick(INFY, TEN, 100_000.0), Tick(SBIN, TEN, 801.0)]
    assert leaps.believable(mixed, TEN) == mixed[1:]
    assert leaps.held_back == 1


async def test_the_feed_shows_none_of_it_and_the_market_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.feed.load()
    async with aclosing(house.feed.batches(house.wall.at)) as batches:
        house.stream.send(tick("09:20:00", 100.0))
        assert isinstance(await house.take(batches), TickBatch)
        await house.pulse.second()
        house.stream.send(tick("09:20:01", 10_000.0))
        assert isinstance(await house.passed(batches), Silence)
        house.stream.send(tick("09:20:02", 10_000.0), tick("09:20:02", 100.5))
        batch = await house.take(batches)
        assert isinstance(batch, TickBatch)
        assert [one.last for one in batch.ticks] == [100.5]
