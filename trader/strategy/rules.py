"""Risk and execution numbers, each written once. The live desk, the paper broker and the backtest kernel call
these, so that they cannot disagree.

Plain numbers in, plain numbers out, no exceptions and no objects, so that Numba compiles every one of them.
``side`` is +1 for long and -1 for short, and 0 for flat where that is possible. Prices are rupees; as a stop,
target or best price 0.0 means there is none. Percentages are of 100. What a bar leaves open is decided
against the trader.
"""

from __future__ import annotations

import math

NO_EXIT, STOP_EXIT, TARGET_EXIT = 0, 1, 2  # codes of exit_in_range

_WHOLE = 1e-9  # 0.29 / 0.01 is 28.999999999999996: a quotient this close to a whole number is meant to be it
_TICK_SLACK = 1e-6  # of a tick: what rounding may leave of a price a thousand million ticks high
_MOST_UNITS = 1e12  # beyond this a size is a mistake of the input, not a trade


# -- size -----------------------------------------------------------------------------------------------


def position_size(
    capital: float, risk_pct: float, stop_distance: float, price: float, lot_size: int, max_value: float
) -> int:
    """Units to trade, in whole lots: as many as lose at most ``risk_pct`` of ``capital`` over
    ``stop_distance`` rupees a unit and cost at most ``max_value`` rupees at ``price``. 0 when not one lot
    fits, and when any input is not above zero."""
    if not (capital > 0.0 and risk_pct > 0.0 and stop_distance > 0.0 and price > 0.0 and max_value > 0.0):
        return 0
    if lot_size < 1:
        return 0
    by_risk = capital * risk_pct / 100.0 / stop_distance
    by_value = max_value / price
    units = by_risk if by_risk < by_value else by_value
    if not units < _MOST_UNITS:
        return 0
    return math.floor(units / lot_size + _WHOLE) * lot_size


# -- levels ---------------------------------------------------------------------------------------------


def stop_price(entry: float, side: int, stop_pct: float) -> float:
    """``stop_pct`` on the losing side of ``entry``; 0.0 without one."""
    return entry * (1.0 - side * stop_pct / 100.0) if stop_pct > 0.0 else 0.0


def target_price(entry: float, side: int, target_pct: float) -> float:
    """``target_pct`` on the winning side of ``entry``; 0.0 without one, and where a short's would be at or
    below zero."""
    return max(entry * (1.0 + side * target_pct / 100.0), 0.0) if target_pct > 0.0 else 0.0


def best_price(side: int, best: float, high: float, low: float) -> float:
    """The most favourable price so far, after a range from ``low`` to ``high``."""
    if side > 0:
        return high if high > best else best
    return low if best == 0.0 or low < best else best


def trailed_stop(side: int, best: float, trail_distance: float, current_stop: float) -> float:
    """The stop ``trail_distance`` rupees behind the best price; never looser than ``current_stop``.

    Within one bar, ask ``exit_in_range`` with the stop from before the bar first, and trail afterwards: which
    came first, the high or the low, nobody knows.
    """
    if trail_distance <= 0.0 or best <= 0.0:
        return current_stop
    stop = best - side * trail_distance
    if current_stop == 0.0:
        return max(stop, 0.0)
    if side > 0:
        return stop if stop > current_stop else current_stop
    return stop if stop < current_stop else current_stop


# -- exits ----------------------------------------------------------------------------------------------


def stop_hit(side: int, stop: float, low: float, high: float) -> bool:
    """A touch is a hit."""
    if stop == 0.0:
        return False
    return low <= stop if side > 0 else high >= stop


def target_hit(side: int, target: float, low: float, high: float) -> bool:
    """A touch is a hit: the desk leaves at the market when a price reaches the target."""
    if target == 0.0:
        return False
    return high >= target if side > 0 else low <= target


def exit_in_range(
    side: int, stop: float, target: float, open: float, high: float, low: float
) -> tuple[int, float]:
    """How a bar ends a position held since before its open, and at what price: (code, price), with
    (NO_EXIT, 0.0) when it does not. A bar that opens beyond a level fills at the open; a bar that reaches
    both levels reached the stop first."""
    if stop_hit(side, stop, open, open):
        return STOP_EXIT, open
    if target_hit(side, target, open, open):
        return TARGET_EXIT, open
    if stop_hit(side, stop, low, high):
        return STOP_EXIT, stop
    if target_hit(side, target, low, high):
        return TARGET_EXIT, target
    return NO_EXIT, 0.0


# -- signals --------------------------------------------------------------------------------------------


def wanted_side(
    held: int,
    enter_long: bool,
    exit_long: bool,
    enter_short: bool,
    exit_short: bool,
    long_allowed: bool,
    short_allowed: bool,
) -> int:
    """The side a signal asks for, given the side held. An entry against the position closes it even where
    the new direction is not allowed; an exit wins over an entry of its own direction; entries in both
    directions cancel out."""
    both = enter_long and enter_short
    wants_long = enter_long and not exit_long and not both
    wants_short = enter_short and not exit_short and not both
    if held > 0:
        leaves = exit_long or wants_short
    elif held < 0:
        leaves = exit_short or wants_long
    else:
        leaves = True
    if not leaves:
        return held
    if wants_long and long_allowed and held <= 0:
        return 1
    if wants_short and short_allowed and held >= 0:
        return -1
    return 0


# -- ticks ----------------------------------------------------------------------------------------------


def floor_to_tick(price: float, tick: float) -> float:
    """The highest multiple of ``tick`` not above ``price``, as the double nearest to its decimal text."""
    return _on_grid(math.floor(price / tick + _TICK_SLACK) * tick)


def ceil_to_tick(price: float, tick: float) -> float:
    """The lowest multiple of ``tick`` not below ``price``."""
    return _on_grid(math.ceil(price / tick - _TICK_SLACK) * tick)


def nearest_tick(price: float, tick: float) -> float:
    """The nearest multiple of ``tick``; the higher of two equally near."""
    return _on_grid(math.floor(price / tick + 0.5 + _TICK_SLACK) * tick)


def _on_grid(price: float) -> float:
    # Ticks have at most four decimals (NSE's are 0.01 to 5 rupees). A whole number divided by 10,000 is the
    # double that "101.1" itself parses to; 2022 * 0.05 is not.
    return math.floor(price * 10_000.0 + 0.5) / 10_000.0


# Every rule, callees first: what a compiler registers (numba.extending.register_jitable) before it compiles
# a function that calls them.
RULES = (
    position_size,
    stop_price,
    target_price,
    best_price,
    trailed_stop,
    stop_hit,
    target_hit,
    exit_in_range,
    wanted_side,
    _on_grid,
    floor_to_tick,
    ceil_to_tick,
    nearest_tick,
)
