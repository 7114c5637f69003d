"""The bars that somebody waits for."""

from __future__ import annotations

from datetime import datetime, timedelta

from trader.domain.instrument import InstrumentKey, instrument_key
from trader.domain.market import Bar, Interval, Tick
from trader.domain.times import IST
from trader.feed.aggregator import Aggregator

SBIN, TCS = instrument_key("SBIN"), instrument_key("TCS")
OPEN = datetime(2026, 11, 23, 9, 15, tzinfo=IST)


def tick(key: InstrumentKey, second: int, last: float = 100.0) -> Tick:
    return Tick(key, OPEN + timedelta(seconds=second), last, second)


def candle(key: InstrumentKey, minute: int, length: Interval = Interval.M1) -> Bar:
    return Bar(key, length, OPEN + timedelta(minutes=minute), 100, 101, 99, 100, 10)


def named(bars: list[Bar]) -> list[str]:
    return [f"{b.key}/{b.interval}@{b.start:%H:%M}" for b in bars]


def test_only_watched_pairs_come_out() -> None:
    aggregator = Aggregator()
    aggregator.watch(SBIN, Interval.M1)
    assert aggregator.on_ticks([tick(SBIN, 1), tick(TCS, 1)]) == []
    assert named(aggregator.on_ticks([tick(SBIN, 60), tick(TCS, 60)])) == ["NSE:SBIN/1m@09:15"]
    assert aggregator.on_bar(candle(TCS, 1)) == []


def test_bars_come_by_end_then_key_then_interval_whoever_watched_first() -> None:
    aggregator = Aggregator()
    for key, interval in [(TCS, Interval.M5), (TCS, Interval.M1), (SBIN, Interval.M5), (SBIN, Interval.M1)]:
        aggregator.watch(key, interval)
    aggregator.on_ticks([tick(TCS, 250), tick(SBIN, 250)])
    assert named(aggregator.on_time(OPEN + timedelta(minutes=5))) == [
        "NSE:SBIN/1m@09:19", "NSE:SBIN/5m@09:15", "NSE:TCS/1m@09:19", "NSE:TCS/5m@09:15",
    ]  # fmt: skip


def test_several_bars_closed_by_one_batch_come_by_their_end() -> None:
    aggregator = Aggregator()
    aggregator.watch(SBIN, Interval.M1)
    aggregator.watch(TCS, Interval.M1)
    closed = aggregator.on_ticks(
        [tick(TCS, 0), tick(TCS, 60), tick(SBIN, 60), tick(TCS, 120), tick(SBIN, 120)]
    )
    assert named(closed) == ["NSE:TCS/1m@09:15", "NSE:SBIN/1m@09:16", "NSE:TCS/1m@09:16"]


def test_recorded_bars_pass_through_and_merge() -> None:
    aggregator = Aggregator()
    aggregator.watch(SBIN, Interval.M1)
    aggregator.watch(SBIN, Interval.M3)
    out = [named(aggregator.on_bar(candle(SBIN, minute))) for minute in (0, 1, 2, 3)]
    assert out[:2] == [["NSE:SBIN/1m@09:15"], ["NSE:SBIN/1m@09:16"]]
    assert out[2] == ["NSE:SBIN/1m@09:17", "NSE:SBIN/3m@09:15"]
    assert named(aggregator.on_time(OPEN + timedelta(minutes=6))) == ["NSE:SBIN/3m@09:18"]


def test_recorded_bars_too_large_for_what_is_watched_make_nothing() -> None:
    aggregator = Aggregator()
    aggregator.watch(SBIN, Interval.M1)
    aggregator.watch(SBIN, Interval.M15)
    assert aggregator.on_bar(candle(SBIN, 0, Interval.M5)) == []
    assert aggregator.on_bar(candle(SBIN, 5, Interval.M5)) == []
    assert named(aggregator.on_bar(candle(SBIN, 10, Interval.M5))) == ["NSE:SBIN/15m@09:15"]


def test_a_new_watch_leaves_forming_bars_alone() -> None:
    aggregator = Aggregator()
    aggregator.watch(SBIN, Interval.M3)
    aggregator.on_bar(candle(SBIN, 0))
    aggregator.watch(SBIN, Interval.M1)
    aggregator.on_bar(candle(SBIN, 1))
    closed = aggregator.on_bar(candle(SBIN, 2))
    assert [(b.interval, b.volume) for b in closed] == [(Interval.M1, 10), (Interval.M3, 30)]


def test_a_pair_watched_twice_makes_each_bar_once() -> None:
    aggregator = Aggregator()
    aggregator.watch(SBIN, Interval.M1)
    aggregator.watch(SBIN, Interval.M1)
    assert named(aggregator.on_bar(candle(SBIN, 0))) == ["NSE:SBIN/1m@09:15"]
