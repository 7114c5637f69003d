"""Candles and ticks from a seed, for trying a strategy where no data is at hand: spells that trend and spells
that do not, gaps over night, standstills without volume, minutes in which nothing traded. No market."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval, Tick
from trader.strategy.bars import Bars, IntArray, moment
from trader.strategy.signals import FloatArray

_FIRST = date(2024, 1, 1)  # a Monday
_OPENS = 13_500  # 09:15 IST as seconds of the day in UTC
_SESSION = 375 * 60
_DAILY = 0.016  # standard deviation of a day's return
_MISSING = 0.004  # of all bars
_TICK = 0.05


def made_up(interval: Interval, count: int, symbols: int = 1, seed: int = 1) -> list[Bars]:
    """At most ``count`` bars for each symbol; a few are missing, not the same ones for all. Several symbols
    share most of their moves and drift apart and together again."""
    random = np.random.default_rng(seed)
    start = _starts(interval, count)
    per_day = max(_SESSION // interval.seconds, 1)
    shared = _path(random, count, per_day)
    return [
        _bars(InstrumentKey(f"NSE:MADEUP{n + 1}"), interval, start, shared + _apart(random, count), random)
        for n in range(symbols)
    ]


def otherwise(bars: Bars, end: int, seed: int) -> Bars:
    """The same bars up to ``end``, and another future behind it: other prices, other volumes."""
    random = np.random.default_rng([seed, end])
    later = len(bars) - end
    table = bars.table.copy()
    turns = np.exp(np.cumsum(0.004 * random.standard_normal(later)) + random.choice([-0.05, 0.05]))
    table[:4, end:] = np.maximum(np.round(table[:4, end:] * turns / _TICK), 1) * _TICK
    table[4, end:] = random.permutation(table[4, end:]) * 2
    table.flags.writeable = False
    return Bars(bars.key, bars.interval, bars.start, table)


def ticks(bars: Bars) -> Iterator[Tick]:
    """Four for each bar: open, the nearer end, the farther one, close; ``volume`` runs up over the day."""
    step = bars.interval.length / 4
    day, traded = -1, 0
    for n, today in enumerate(bars.day.tolist()):
        bar = bars[n]
        if today != day:
            day, traded = today, 0
        rising = bar.close >= bar.open
        path = (
            (bar.open, bar.low, bar.high, bar.close) if rising else (bar.open, bar.high, bar.low, bar.close)
        )
        for part, price in enumerate(path):
            traded += bar.volume // 4
            yield Tick(bars.key, moment(int(bars.start[n])) + part * step, price, traded)


def made_up_ticks(count: int, seed: int = 1) -> list[Tick]:
    """One a second of a single symbol: mostly back and forth, and spells in which all want the same."""
    random = np.random.default_rng(seed)
    lengths = random.integers(60, 300, count // 60 + 1)
    rising = random.choice([0.5, 0.5, 0.5, 0.95, 0.05], len(lengths))
    share = np.repeat(rising, lengths)[:count]
    moves = np.where(random.random(count) < share, 1, -1) * (random.random(count) < 0.7)
    price = np.maximum(np.round(500 / _TICK) + np.cumsum(moves), 20) * _TICK
    traded = np.cumsum(random.integers(0, 200, count) * np.where(share == 0.5, 1, 3))
    opens = moment(int(_starts(Interval.M1, 1)[0]))
    key = InstrumentKey("NSE:MADEUP1")
    return [
        Tick(key, opens + timedelta(seconds=n), float(np.round(price[n], 2)), int(traded[n]))
        for n in range(count)
    ]


def _starts(interval: Interval, count: int) -> IntArray:
    per_day = -(-_SESSION // interval.seconds)
    days: list[int] = []
    day = _FIRST
    while len(days) * per_day < count:
        if day.weekday() < 5:
            days.append((day - date(1970, 1, 1)).days)
        day += timedelta(days=1)
    seconds = (
        np.repeat(days, per_day) * 86_400 + _OPENS + np.tile(np.arange(per_day), len(days)) * interval.seconds
    )
    starts: IntArray = seconds[:count] * 1_000_000
    return starts


def _path(random: np.random.Generator, count: int, per_day: int) -> FloatArray:
    """Log prices: noise, spells of drift that mostly turn round, and a jump over each night."""
    scale = _DAILY / np.sqrt(per_day)
    lengths = random.integers(15, 90, count // 15 + 1)
    ways = np.cumprod(np.where(random.random(len(lengths)) < 0.7, -1.0, 1.0))
    drift = np.repeat(ways * 0.25 * random.random(len(lengths)), lengths)[:count]
    moves = scale * (random.standard_normal(count) + drift)
    moves[::per_day] += 0.004 * random.standard_normal(len(moves[::per_day]))
    path: FloatArray = np.log(500.0) + np.cumsum(moves)
    return path


def _apart(random: np.random.Generator, count: int) -> FloatArray:
    """A wandering that is pulled back: how far a symbol is from what all share."""
    noise = 0.0006 * random.standard_normal(count)
    weights = 0.97 ** np.arange(200)
    apart: FloatArray = np.convolve(noise, weights)[:count]
    return apart


def _bars(
    key: InstrumentKey, interval: Interval, start: IntArray, path: FloatArray, random: np.random.Generator
) -> Bars:
    count = len(start)
    close = np.maximum(np.round(np.exp(path) / _TICK), 20) * _TICK
    volume = random.integers(200, 5_000, count)
    for begin in random.integers(0, count, count // 500 + 1):  # nobody trades
        still = slice(begin, begin + 30)
        close[still] = close[begin]
        volume[still] = 0
    open_ = np.concatenate([close[:1], close[:-1]])
    reach = random.integers(0, 4, (2, count)) * _TICK * (volume > 0)
    high, low = np.maximum(open_, close) + reach[0], np.maximum(np.minimum(open_, close) - reach[1], _TICK)
    there = random.random(count) >= _MISSING
    open_, high, low, close = (np.round(column[there], 2) for column in (open_, high, low, close))
    return Bars.of_arrays(key, interval, start[there], open_, high, low, close, volume[there])
