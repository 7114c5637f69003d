"""Signals as the loop wants them: only the rows that ask for something, in the order they are acted on."""

from __future__ import annotations

import numpy as np

from trader.backtest.compiled.fields import Ints
from trader.backtest.compiled.jit import whole


@whole
def compressed(
    enter_long: Ints, exit_long: Ints, enter_short: Ints, exit_short: Ints, rows: Ints
) -> tuple[Ints, Ints]:
    """Rows of the market and bits of the candles with a signal. An array without a value is empty."""
    length = len(rows)
    a, b, c, d = len(enter_long) > 0, len(exit_long) > 0, len(enter_short) > 0, len(exit_short) > 0
    at = np.empty(length, np.int32)
    bits = np.empty(length, np.uint8)
    count = 0
    for n in range(length):
        code = 0
        if a and enter_long[n]:
            code |= 1
        if b and exit_long[n]:
            code |= 2
        if c and enter_short[n]:
            code |= 4
        if d and exit_short[n]:
            code |= 8
        if code:
            at[count] = rows[n]
            bits[count] = code
            count += 1
    return at[:count].copy(), bits[:count].copy()


@whole
def count_calls(calls: Ints, at: Ints) -> None:
    for n in range(len(at)):
        calls[at[n] + 1] += 1


@whole
def lay_calls(places: Ints, slot: int, at: Ints, bits: Ints, call_slots: Ints, call_bits: Ints) -> None:
    """Slot after slot, so that the calls of a row are in the order of slots."""
    for n in range(len(at)):
        place = places[at[n]]
        places[at[n]] = place + 1
        call_slots[place] = slot
        call_bits[place] = bits[n]
