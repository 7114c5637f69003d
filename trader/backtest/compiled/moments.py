"""Prices, signals and the clock, as ``trader.desk.exits`` and ``runner`` take them."""

from __future__ import annotations

from trader.backtest.compiled.entries import (
    enter,
    undefer,
)
from trader.backtest.compiled.fields import (
    D_LATE,
    D_WIDTH,
    DAY,
    DEFERRED,
    DEFERRED_UNTIL,
    E_Q,
    E_WITHDRAWN,
    ENTER_LONG,
    ENTER_SHORT,
    EXIT_LONG,
    EXIT_SHORT,
    JOIN,
    LATCH,
    LATCH_NONE,
    LEAVING,
    M_LEGS,
    MIS,
    N_AWAKE,
    N_DEFERRED,
    N_ENTERING,
    N_LEAVING,
    N_OPEN,
    NOW,
    OPEN,
    P_EXIT,
    P_SQUARE,
    P_TARGET,
    REVERSAL,
    REVERSAL_UNTIL,
    ROW,
    S_LEG,
    S_LONGS,
    S_PRODUCT,
    S_SHORTS,
    S_SYM,
    S_TOGETHER,
    S_WIDTH,
    SQUARE,
    STOP,
    TARGET,
    TRAIL,
    WIDTH,
    X_NONE,
    XS,
    Y_LAST_DAY,
    Y_WIDTH,
    E,
    Market,
    Q,
    State,
)
from trader.backtest.compiled.guard import (
    check,
)
from trader.backtest.compiled.jit import (
    part,
)
from trader.backtest.compiled.legs import (
    enter_together,
)
from trader.backtest.compiled.memory import (
    apart,
    row,
)
from trader.backtest.compiled.orders import (
    allowed,
    cancel_entry,
    leave,
    pursue,
    withdraw,
)
from trader.backtest.compiled.stops import (
    look_out,
    protect,
    reached,
    trail,
)
from trader.strategy import rules


@part
def on_prices(m: Market, w: State, i: int, high: int, low: int, limited: bool) -> None:
    """A target or trail of one position, at a price or inside a candle."""
    apart()
    x = row(w.slot, (i) * WIDTH)
    if x[STOP] == 0 or x[LEAVING]:
        return
    if reached(w, i, high if x[Q] > 0 else low):
        leave(m, w, i, P_TARGET, x[TARGET] if limited else 0)
    elif x[TRAIL]:
        trail(m, w, i, high, low)


@part
def act(m: Market, w: State, i: int, bits: int, until: int) -> None:
    """Go where the signal wants to be; from one side to the other by way of flat."""
    apart()
    x = row(w.slot, (i) * WIDTH)
    undefer(w, i)
    exit_long, exit_short = bits & EXIT_LONG != 0, bits & EXIT_SHORT != 0
    held = 1 if x[Q] > 0 else (-1 if x[Q] < 0 else 0)
    wanted = rules.wanted_side(
        held,
        bits & ENTER_LONG != 0,
        exit_long,
        bits & ENTER_SHORT != 0,
        exit_short,
        m.slots[i * S_WIDTH + S_LONGS] != 0,
        m.slots[i * S_WIDTH + S_SHORTS] != 0,
    )
    if wanted * held > 0:
        return
    if held:
        leave(m, w, i, P_EXIT, 0)
        if wanted:
            x[REVERSAL] = wanted
            x[REVERSAL_UNTIL] = until
        return
    if x[E] != X_NONE:
        side = 1 if x[E_Q] > 0 else -1
        if wanted == -side or (exit_long if side > 0 else exit_short):
            withdraw(w, i, P_EXIT)
    elif wanted and m.slots[i * S_WIDTH + S_TOGETHER]:
        x[JOIN] = wanted
    elif wanted:
        enter(m, w, i, wanted)


@part
def clock(m: Market, w: State) -> None:
    """One tick of the clock: limits, square-off, what is leaving, what is bare, what waits."""
    apart()
    d = w.desk
    check(m, w)
    if d[ROW] >= m.days[d[DAY] * D_WIDTH + D_LATE]:
        square_off(m, w)
    for n in range(d[N_ENTERING]):
        if w.slot[w.entering[n] * WIDTH + E_WITHDRAWN]:
            cancel_entry(w, w.entering[n])
    look_out(m, w)
    for n in range(d[N_LEAVING]):
        pursue(m, w, w.leaving[n])
    for n in range(d[N_AWAKE]):
        protect(m, w, w.awake[n])
    if d[N_DEFERRED]:
        retry(m, w)


@part
def due_today(m: Market, w: State, i: int) -> bool:
    """An intraday position, or one in a contract on its last day."""
    last_day = m.symbols[m.slots[i * S_WIDTH + S_SYM] * Y_WIDTH + Y_LAST_DAY]
    return m.slots[i * S_WIDTH + S_PRODUCT] == MIS or w.desk[DAY] == last_day


@part
def square_off(m: Market, w: State) -> None:
    """What must not outlive the day is left, and entries into it taken back, from the day's own hour on."""
    apart()
    d = w.desk
    for n in range(d[N_ENTERING]):
        i = w.entering[n]
        if due_today(m, w, i) and allowed(m, w, i) & SQUARE:
            withdraw(w, i, P_SQUARE)
    for n in range(d[N_OPEN]):
        i = w.open[n]
        now = allowed(m, w, i)
        if due_today(m, w, i) and now & SQUARE and now & OPEN:
            if not w.slot[i * WIDTH + LEAVING]:
                leave(m, w, i, P_SQUARE, 0)


@part
def retry(m: Market, w: State) -> None:
    """The entries that a busy second had no room for, while they are young."""
    d = w.desk
    waiting = d[N_DEFERRED]
    # By strategy, then in the order in which they came to wait.
    count = 0
    for leg in range(m.limits[M_LEGS]):
        for n in range(waiting):
            if m.slots[w.deferred[n] * S_WIDTH + S_LEG] == leg:
                w.sorted[count * 3] = w.deferred[n]
                count += 1
    d[N_DEFERRED] = 0
    for n in range(count):
        i = w.sorted[n * 3]
        x = row(w.slot, i * WIDTH)
        side, until = x[DEFERRED], x[DEFERRED_UNTIL]
        x[DEFERRED] = 0
        leg = m.slots[i * S_WIDTH + S_LEG]
        over = d[NOW] > until or d[LATCH] != LATCH_NONE or x[Q] != 0 or x[E] != X_NONE or x[XS] != X_NONE
        if m.slots[i * S_WIDTH + S_TOGETHER]:
            x[JOIN] = 0 if over else side
            if n + 1 == count or m.slots[w.sorted[(n + 1) * 3] * S_WIDTH + S_LEG] != leg:
                enter_together(m, w, i, until)
            continue
        if over:
            continue
        enter(m, w, i, side)
        if x[DEFERRED]:
            x[DEFERRED_UNTIL] = until  # its time goes on
