"""The entries of one decision on several instruments, as ``legs`` of the desk has them: all or none."""

from __future__ import annotations

from trader.backtest.compiled.entries import (
    ACCEPTED,
    decided,
    sent,
    undefer,
)
from trader.backtest.compiled.fields import (
    COMING,
    DEFERRED_FOR,
    E_PRICE,
    E_Q,
    E_TIED,
    ENTRIES_TODAY,
    IN_DAY,
    IN_MINUTE,
    IN_SECOND,
    JOIN,
    LAST_AT,
    LATCH,
    LATCH_NONE,
    M_SECOND,
    N_ASKED,
    N_ENTERING,
    NOW,
    P_EXIT,
    REVERSAL,
    REVERSAL_UNTIL,
    S_FIRST,
    S_LEG,
    S_TOGETHER,
    S_WIDTH,
    TIED_ALL,
    WIDTH,
    X_NONE,
    X_SENT,
    E,
    Market,
    Q,
    State,
)
from trader.backtest.compiled.jit import (
    part,
)
from trader.backtest.compiled.memory import (
    apart,
    row,
)
from trader.backtest.compiled.orders import (
    leave,
    remove,
    withdraw,
)
from trader.backtest.compiled.prices import (
    look_up,
)


@part
def decision_begins(m: Market, w: State, i: int) -> None:
    """What waited for an earlier one of this strategy is forgotten; legs that are being left still are."""
    apart()
    first = m.slots[i * S_WIDTH + S_FIRST]
    for k in range(first, first + m.slots[i * S_WIDTH + S_TOGETHER]):
        undefer(w, k)
        if w.slot[k * WIDTH + Q] == 0:
            w.slot[k * WIDTH + REVERSAL] = 0


@part
def decision_ends(m: Market, w: State, i: int, until: int) -> None:
    """What is to be entered goes together: at once, or with the leg that is on its way to the other side."""
    apart()
    first = m.slots[i * S_WIDTH + S_FIRST]
    end = first + m.slots[i * S_WIDTH + S_TOGETHER]
    turning = False
    for k in range(first, end):
        turning = turning or w.slot[k * WIDTH + REVERSAL] != 0
    if not turning:
        enter_together(m, w, i, w.desk[NOW] + DEFERRED_FOR)
        return
    for k in range(first, end):
        x = row(w.slot, k * WIDTH)
        if x[JOIN]:
            x[REVERSAL] = x[JOIN]
            x[REVERSAL_UNTIL] = until
            x[JOIN] = 0


@part
def enter_together(m: Market, w: State, i: int, until: int) -> None:
    """The entries of one decision (``JOIN``) of the strategy that slot ``i`` is of: all or
    none, if a second has room for them at all. ``until``: how long they wait for one that has."""
    apart()
    first = m.slots[i * S_WIDTH + S_FIRST]
    end = first + m.slots[i * S_WIDTH + S_TOGETHER]
    wanted = 0
    for k in range(first, end):
        wanted += w.slot[k * WIDTH + JOIN] != 0
    if 2 * wanted - 1 < m.limits[M_SECOND]:
        denial = all_sent(m, w, first, end)
        for k in range(first, end):
            side = w.slot[k * WIDTH + JOIN]
            if side:
                if denial != ACCEPTED and w.slot[k * WIDTH + E] == X_SENT:
                    take_back(m, w, k)
                decided(w, k, side, denial, until)
    else:
        for k in range(first, end):
            side = w.slot[k * WIDTH + JOIN]
            if side:
                decided(w, k, side, sent(m, w, k, side), until)
    for k in range(first, end):
        w.slot[k * WIDTH + JOIN] = 0


@part
def all_sent(m: Market, w: State, first: int, end: int) -> int:
    """ACCEPTED, or why the first one that is denied is."""
    for k in range(first, end):
        side = w.slot[k * WIDTH + JOIN]
        if side:
            denial = sent(m, w, k, side)
            if denial != ACCEPTED:
                return denial
    return ACCEPTED


@part
def take_back(m: Market, w: State, i: int) -> None:
    """An entry that nobody has heard of yet; those of one decision are the last that was asked for."""
    x = row(w.slot, i * WIDTH)
    d = w.desk
    d[IN_SECOND] -= 1  # no other second has begun since
    d[IN_MINUTE] -= 1
    d[IN_DAY] -= 1
    d[ENTRIES_TODAY] -= 1
    d[TIED_ALL] -= x[E_TIED]
    d[COMING] -= x[E_PRICE] * abs(x[E_Q])
    w.legs[m.slots[i * S_WIDTH + S_LEG]] -= 1
    x[E] = X_NONE
    remove(w, w.entering, N_ENTERING, i)
    d[N_ASKED] -= 1


@part
def turned(m: Market, w: State, i: int) -> None:
    """What waited for this leg of several enters once no other that turns is held."""
    apart()
    first = m.slots[i * S_WIDTH + S_FIRST]
    end = first + m.slots[i * S_WIDTH + S_TOGETHER]
    for k in range(first, end):
        if w.slot[k * WIDTH + REVERSAL] and w.slot[k * WIDTH + Q]:
            return
    for k in range(first, end):
        x = row(w.slot, k * WIDTH)
        if x[REVERSAL] and w.desk[NOW] <= x[REVERSAL_UNTIL] and w.desk[LATCH] == LATCH_NONE:
            look_up(m, w, k)
            x[JOIN] = x[REVERSAL]
        x[REVERSAL] = 0
    enter_together(m, w, i, w.desk[NOW] + DEFERRED_FOR)


@part
def break_up(m: Market, w: State, i: int) -> None:
    """An entry came to nothing: what was entered with it is taken out again."""
    apart()
    first = m.slots[i * S_WIDTH + S_FIRST]
    for k in range(first, first + m.slots[i * S_WIDTH + S_TOGETHER]):
        x = row(w.slot, k * WIDTH)
        if k != i and x[LAST_AT] == w.slot[i * WIDTH + LAST_AT]:
            if x[E] != X_NONE:
                withdraw(w, k, P_EXIT)
            if x[Q]:
                leave(m, w, k, P_EXIT, 0)
