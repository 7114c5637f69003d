"""The ends of rows and days: the clock, the broker's own hours, what a new day resets."""

from __future__ import annotations

from trader.backtest.compiled.account import (
    close_account_day,
)
from trader.backtest.compiled.exchange import (
    execute_exit,
    heard,
)
from trader.backtest.compiled.fields import (
    AVG,
    AWAKE,
    BEGINS,
    BOOKED_TODAY,
    BROKER,
    CARRIED,
    CASH,
    CLOSES,
    COOLDOWN,
    D_CLOSES,
    D_END,
    D_FIRST,
    D_LATE,
    D_WIDTH,
    DAY,
    ENDS,
    ENTRIES_TODAY,
    ENTRY_CANCELLED,
    EVENING,
    GROSS,
    IN_DAY,
    LATCH,
    LATCH_DAILY,
    LATCH_NONE,
    LEAVING,
    M_LINES,
    MARK,
    MIS,
    MOMENT,
    MOMENTS,
    MORNING,
    N_AWAKE,
    N_DEFERRED,
    N_ENTERING,
    N_OPEN,
    NEVER_STILL,
    NOTHING,
    NOW,
    OPEN,
    OPENING,
    P_EXTERNAL,
    PEAK,
    ROW,
    S_LINE,
    S_PRODUCT,
    S_SYM,
    S_WIDTH,
    SERIAL,
    SHOWN,
    SLM,
    STOP,
    STOPS_END,
    STREAK,
    TARGET,
    TIED,
    TIED_ALL,
    TOLD,
    TRAIL,
    TRAIL_BEST,
    UNREALISED,
    WAKE_HIGH,
    WAKE_LOW,
    WIDTH,
    X_LAGS,
    X_NONE,
    X_PURPOSE,
    X_RESTS,
    X_RMS,
    X_SERIAL,
    X_STOP,
    X_TRIGGER,
    X_TYPE,
    XS,
    Y_TICK,
    Y_WIDTH,
    E,
    Market,
    Q,
    State,
)
from trader.backtest.compiled.fills import (
    hear,
    settle,
)
from trader.backtest.compiled.guard import (
    equity,
)
from trader.backtest.compiled.jit import (
    part,
)
from trader.backtest.compiled.memory import (
    apart,
    row,
)
from trader.backtest.compiled.moments import (
    clock,
    due_today,
)
from trader.backtest.compiled.money import (
    margin,
    nearest_tick_of,
    rupees_of,
)
from trader.backtest.compiled.orders import (
    waken,
)
from trader.backtest.compiled.prices import (
    begin_stage,
    flags_of,
    refresh,
)


@part
def finish(m: Market, w: State) -> None:
    """The clock at the end of a row, and everything it causes; then, what is at rest."""
    apart()
    d = w.desk
    broker_clock(m, w)
    hear(m, w)
    clock(m, w)
    settle(m, w)
    for n in range(d[N_AWAKE]):
        rest(w, w.awake[n])


@part
def rest(w: State, i: int) -> None:
    """Where its stop rests as it should, nothing happens to a slot until a price reaches a level of its."""
    x = row(w.slot, i * WIDTH)
    protected = x[XS] == X_RESTS and x[X_TYPE] == SLM and x[X_STOP] != 0 and x[X_TRIGGER] == x[STOP]
    if x[LEAVING] or not protected or x[Q] == 0:
        x[WAKE_LOW] = NEVER_STILL
        return
    x[X_LAGS] = 0
    if x[Q] > 0:
        x[WAKE_LOW] = x[X_TRIGGER]
        x[WAKE_HIGH] = x[TARGET] if x[TARGET] else NEVER_STILL
        if x[TRAIL]:
            x[WAKE_HIGH] = min(x[WAKE_HIGH], x[TRAIL_BEST] + 1)
    else:
        x[WAKE_HIGH] = x[X_TRIGGER]
        x[WAKE_LOW] = x[TARGET]
        if x[TRAIL]:
            x[WAKE_LOW] = max(x[WAKE_LOW], x[TRAIL_BEST] - 1)


@part
def broker_clock(m: Market, w: State) -> None:
    """The broker's square-off of intraday positions, and the exchange's end of stops."""
    d = w.desk
    if d[ROW] < m.days[d[DAY] * D_WIDTH + D_LATE]:
        return
    moment = w.desk[MOMENT]
    for n in range(d[N_ENTERING]):
        i = w.entering[n]
        flags = flags_of(m, d[ROW], m.slots[i * S_WIDTH + S_SYM], moment)
        if m.slots[i * S_WIDTH + S_PRODUCT] == MIS and flags & BROKER and w.slot[i * WIDTH + E] == X_RESTS:
            heard(w, ENTRY_CANCELLED, i)
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, (i) * WIDTH)
        flags = flags_of(m, d[ROW], m.slots[i * S_WIDTH + S_SYM], moment)
        if m.slots[i * S_WIDTH + S_PRODUCT] == MIS and flags & BROKER and x[XS] != X_RMS:
            x[X_STOP] = 0
            x[XS] = X_NONE
            if flags & OPEN:
                x[XS] = X_RMS
                x[X_PURPOSE] = P_EXTERNAL
                d[SERIAL] += 1
                x[X_SERIAL] = d[SERIAL]
        elif flags & STOPS_END and x[XS] == X_RESTS and x[X_TYPE] == SLM:
            x[XS] = X_NONE
            x[X_STOP] = 0


@part
def begin_day(m: Market, w: State, day: int) -> None:
    """A new trading day resets what is counted by the day; stops of what was carried rest again."""
    d = w.desk
    if d[DAY] >= 0:
        close_account_day(m, w)
    d[DAY] = day
    d[CASH] += w.credits[day]
    d[ROW] = m.days[day * D_WIDTH + D_FIRST]
    begin_stage(w, MORNING, BEGINS)
    d[SHOWN] = NOTHING
    d[NOW] = m.rows[d[ROW] * MOMENTS + BEGINS]
    d[PEAK] = max(d[PEAK], equity(m, w))
    d[BOOKED_TODAY] = d[ENTRIES_TODAY] = d[STREAK] = d[COOLDOWN] = d[IN_DAY] = 0
    d[TOLD] = 0
    for line in range(m.limits[M_LINES]):
        w.scrips[line * 3] = w.scrips[line * 3 + 1] = w.scrips[line * 3 + 2] = 0
    if d[LATCH] == LATCH_DAILY:
        d[LATCH] = LATCH_NONE
    d[CARRIED] = d[UNREALISED]
    d[N_AWAKE] = 0
    if d[N_OPEN] == 0:
        return
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, i * WIDTH)
        refresh(m, w, i)
        x[OPENING] = x[MARK]
        x[AWAKE] = -1
        waken(w, i)
        d[TIED_ALL] -= x[TIED]
        x[TIED] = margin(m, m.slots[i * S_WIDTH + S_LINE], day, 1 if x[Q] > 0 else -1, x[AVG] * abs(x[Q]))
        d[TIED_ALL] += x[TIED]
    finish(m, w)


@part
def end_day(m: Market, w: State, day: int) -> None:
    """The exchange forgets the day's orders; an intraday position that found no price is closed by the broker
    at the last one, for a fee; a contract on its last day is settled there without one."""
    d = w.desk
    if d[N_OPEN] == 0 and d[N_ENTERING] == 0 and d[N_DEFERRED] == 0:
        return
    d[ROW] = m.days[day * D_WIDTH + D_END] - 1
    begin_stage(w, EVENING, BEGINS)
    d[SHOWN] = CLOSES
    d[NOW] = max(m.rows[d[ROW] * MOMENTS + ENDS], m.days[day * D_WIDTH + D_CLOSES])
    for n in range(d[N_ENTERING]):
        heard(w, ENTRY_CANCELLED, w.entering[n])
    hear(m, w)
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, (i) * WIDTH)
        x[XS] = X_NONE
        x[X_STOP] = 0
        if due_today(m, w, i):
            x[XS] = X_RMS
            x[X_PURPOSE] = P_EXTERNAL
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, (i) * WIDTH)
        if x[XS] == X_RMS:
            refresh(m, w, i)
            tick = m.symbols[(m.slots[i * S_WIDTH + S_SYM]) * Y_WIDTH + Y_TICK]
            execute_exit(m, w, i, max(nearest_tick_of(rupees_of(x[MARK]), tick), tick))
    hear(m, w)
    settle(m, w)
    clock(m, w)
    settle(m, w)
    w.worth[d[ROW]] = rupees_of(equity(m, w))
    w.held[d[ROW]] = rupees_of(d[GROSS])
