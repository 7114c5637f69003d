"""What the desk is worth and the limits that close everything, as ``trader.desk.guard`` and ``exposure``."""

from __future__ import annotations

from trader.backtest.compiled.fields import (
    BOOKED,
    BOOKED_TODAY,
    CARRIED,
    COOLDOWN,
    DAY,
    HALTED_DAY,
    LATCH,
    LATCH_DAILY,
    LATCH_DRAWDOWN,
    LATCH_NONE,
    LEAVING,
    M_CAPITAL,
    M_COOLDOWN,
    M_DAILY_LOSS,
    M_STREAK,
    MF_DRAWDOWN,
    N_ENTERING,
    N_OPEN,
    NOW,
    OPEN,
    P_KILL,
    PEAK,
    STREAK,
    TOLD,
    UNREALISED,
    WIDTH,
    Market,
    State,
)
from trader.backtest.compiled.jit import (
    part,
)
from trader.backtest.compiled.memory import (
    apart,
)
from trader.backtest.compiled.orders import (
    allowed,
    leave,
    withdraw,
)


@part
def equity(m: Market, w: State) -> int:
    return m.limits[M_CAPITAL] + w.desk[BOOKED] + w.desk[UNREALISED]


@part
def day_result(w: State) -> int:
    """Today's, after charges; what was carried over night counts from where the day found it."""
    return w.desk[BOOKED_TODAY] + w.desk[UNREALISED] - w.desk[CARRIED]


@part
def fallen(m: Market, w: State, worth: int) -> bool:
    """Whether the drawdown limit is reached."""
    peak = w.desk[PEAK]
    return worth < peak and float(peak - worth) * 100.0 >= m.fractions[MF_DRAWDOWN] * float(peak)


@part
def halt(w: State, code: int) -> bool:
    """Whether it was told just now; a reason is told once until the desk is active again."""
    apart()
    d = w.desk
    if d[TOLD] & (1 << code) or d[LATCH] == code:
        return False
    d[TOLD] |= 1 << code
    if d[LATCH] == LATCH_NONE or (d[LATCH] == LATCH_DAILY and code == LATCH_DRAWDOWN):
        d[LATCH] = code
        d[HALTED_DAY] = d[DAY]
        withdraw_entries(w, 0)
    return True


@part
def withdraw_entries(w: State, fate: int) -> None:
    apart()
    for n in range(w.desk[N_ENTERING]):
        withdraw(w, w.entering[n], fate)


@part
def check(m: Market, w: State) -> None:
    """Daily loss and drawdown; a breach closes everything."""
    apart()
    d = w.desk
    if d[N_OPEN] == 0 and d[BOOKED_TODAY] == 0:
        return
    worth = equity(m, w)
    d[PEAK] = max(d[PEAK], worth)
    if d[LATCH] != LATCH_NONE and d[N_OPEN] == 0 and d[N_ENTERING] == 0:
        return
    over = False
    if -day_result(w) >= m.limits[M_DAILY_LOSS]:
        over = True
        halt(w, LATCH_DAILY)
    elif fallen(m, w, worth):
        over = True
        halt(w, LATCH_DRAWDOWN)
    if over or d[LATCH] != LATCH_NONE:
        withdraw_entries(w, P_KILL)
        for n in range(d[N_OPEN]):
            i = w.open[n]
            # What was leaving and could not be sent before the close is left for the breach.
            if w.slot[i * WIDTH + LEAVING] == 0 or not allowed(m, w, i) & OPEN:
                leave(m, w, i, P_KILL, 0)


@part
def traded(m: Market, w: State, net: int) -> None:
    """Losing trades in a row; too many and entries wait."""
    d = w.desk
    d[STREAK] = d[STREAK] + 1 if net < 0 else 0
    if d[STREAK] >= m.limits[M_STREAK]:
        d[COOLDOWN] = d[NOW] + m.limits[M_COOLDOWN]
        d[STREAK] = 0
