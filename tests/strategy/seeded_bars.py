"""Bars from a seed: a random walk on a tick grid, with standstills, gaps and nights."""

from __future__ import annotations

import numpy as np

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.strategy.bars import Bars


def walk(count: int, seed: int = 1) -> Bars:
    random = np.random.default_rng(seed)
    moves = random.choice([-3, -2, -1, 0, 0, 0, 1, 2, 3], count) * 0.05
    moves[random.random(count) < 0.01] *= 20  # gaps
    for begin in random.integers(0, count, max(count // 400, 1)):
        moves[begin : begin + 30] = 0.0  # nobody trades
    close = np.round(np.maximum(500 + np.cumsum(moves), 50), 2)
    open_ = np.roll(close, 1)
    open_[0] = 500.0
    reach = random.integers(0, 4, (2, count)) * 0.05
    high = np.round(np.maximum(open_, close) + reach[0], 2)
    low = np.round(np.minimum(open_, close) - reach[1], 2)
    minute = np.arange(count)
    # 09:15 IST is 03:45 UTC; 375 minutes a day, from 1 Jan 2024.
    start = (1_704_067_200 + (minute // 375) * 86_400 + 13_500 + (minute % 375) * 60) * 1_000_000
    volume = random.integers(0, 5_000, count)
    return Bars.of_arrays(InstrumentKey("NSE:SBIN"), Interval.M1, start, open_, high, low, close, volume)
