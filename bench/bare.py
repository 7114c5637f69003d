"""A bare compiled loop: what the machine needs at least for this strategy. Two averages, their crossing,
entry at the next open, stop and target inside the bar, a fee. No desk, no limits, no clock, no records."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

STOP, TARGET, FEE = 0.01, 0.02, 0.0003


@numba.njit(error_model="numpy")
def bare(open_: Any, high: Any, low: Any, close: Any, fast: int, slow: int) -> tuple[int, float]:
    """The trades and their rupees after fees, for one share a trade."""
    a, b = 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    quick = calm = close[0]
    above = False
    side, entry, stop, target, wanted = 0, 0.0, 0.0, 0.0, 0
    trades, net = 0, 0.0
    for t in range(len(close)):
        if wanted:
            price = open_[t]
            if side:
                net += side * (price - entry) - FEE * (price + entry)
                trades += 1
            side, entry, wanted = wanted, price, 0
            stop, target = entry * (1.0 - side * STOP), entry * (1.0 + side * TARGET)
        if side:
            hit = low[t] <= stop if side > 0 else high[t] >= stop
            won = high[t] >= target if side > 0 else low[t] <= target
            if hit or won:
                price = stop if hit else target
                if (price - open_[t]) * (side if hit else -side) > 0.0:
                    price = open_[t]
                net += side * (price - entry) - FEE * (price + entry)
                trades += 1
                side = 0
        quick += a * (close[t] - quick)
        calm += b * (close[t] - calm)
        now = quick > calm
        if t > slow and now != above:
            wanted = 1 if now else -1
        above = now
    return trades, net


def compile_bare() -> None:
    flat = np.ones(2)
    bare(flat, flat, flat, flat, 2, 3)
