"""The stop that protects a position: placed, moved, looked after, trailed; and its target. As ``stops``,
``exits`` and ``lookout`` of the desk do it."""

from __future__ import annotations

from trader.backtest.compiled.fields import (
    ASK_CANCEL_EXIT,
    ASK_CHANGE,
    BROKER_DAY,
    C_ASKED,
    FAILS,
    IN_DAY,
    LAGS_WATCHED,
    LEAVING,
    MODIFICATIONS,
    N_AWAKE,
    NOW,
    OPEN,
    P_EXIT,
    P_STOP,
    RESERVED,
    S_SYM,
    S_WIDTH,
    SLM,
    STOP,
    TARGET,
    TRAIL,
    TRAIL_BEST,
    WIDTH,
    X_AGAIN,
    X_KNOWN,
    X_LAGS,
    X_MODS,
    X_NONE,
    X_PENDING,
    X_PURPOSE,
    X_REFUSED,
    X_RMS,
    X_STOP,
    X_TRIGGER,
    X_UPDATED,
    XS,
    Y_TICK,
    Y_WIDTH,
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
from trader.backtest.compiled.money import (
    rupees_of,
    stop_on_tick,
)
from trader.backtest.compiled.orders import (
    allowed,
    ask,
    count_pace,
    keep_terms,
    leave,
    room,
    send_exit,
)
from trader.backtest.compiled.prices import (
    known_last,
)
from trader.strategy import rules


@part
def protect(m: Market, w: State, i: int) -> None:
    """Make the resting stop equal the plan."""
    apart()
    x = row(w.slot, (i) * WIDTH)
    if x[STOP] == 0 or x[Q] == 0 or x[LEAVING]:
        return
    if not allowed(m, w, i) & OPEN:
        return
    if x[XS] == X_NONE or not x[X_STOP]:
        if x[XS] != X_RMS:
            place_stop(m, w, i)
    elif x[X_PURPOSE] == P_STOP and x[X_TRIGGER] != x[STOP]:
        if x[X_PENDING] or not x[X_KNOWN]:
            return
        if x[X_MODS] >= MODIFICATIONS - RESERVED:
            if room(w, 0):
                count_pace(w, 0)
                x[X_PENDING] = C_ASKED
                ask(w, ASK_CANCEL_EXIT, i)
            return
        if not room(w, 1) or (x[X_REFUSED] == x[STOP] and w.desk[NOW] < x[X_AGAIN]):
            return
        count_pace(w, 0)
        keep_terms(w, i)
        x[X_TRIGGER] = x[STOP]
        x[X_MODS] += 1
        x[X_PENDING] = C_ASKED
        x[X_UPDATED] = w.desk[NOW]
        ask(w, ASK_CHANGE, i)


@part
def look_out(m: Market, w: State) -> None:
    """What is past the price where its stop belongs is left, if the broker would not move the stop there. As
    ``trader.desk.lookout``."""
    for n in range(w.desk[N_AWAKE]):
        i = w.awake[n]
        x = row(w.slot, i * WIDTH)
        rests = x[XS] != X_NONE and x[XS] != X_RMS and x[X_PURPOSE] == P_STOP
        if x[Q] == 0 or not rests or x[X_TRIGGER] == x[STOP] or x[LEAVING] or not allowed(m, w, i) & OPEN:
            x[X_LAGS] = 0
            continue
        if x[X_LAGS] == 0:
            x[X_LAGS] = w.desk[NOW]
        if x[X_PENDING] or w.desk[NOW] - x[X_LAGS] < LAGS_WATCHED:
            continue
        if (known_last(m, w, i) - x[STOP]) * x[Q] <= 0:
            leave(m, w, i, P_STOP, 0)


@part
def place_stop(m: Market, w: State, i: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    if x[FAILS] >= 3:
        leave(m, w, i, P_EXIT, 0)
        return
    last = known_last(m, w, i)
    beyond = last <= x[STOP] if x[Q] > 0 else last >= x[STOP]
    if beyond:
        leave(m, w, i, P_STOP, 0)
        return
    if not room(w, 1) or w.desk[IN_DAY] >= BROKER_DAY:
        return
    send_exit(w, i, SLM, P_STOP, x[STOP])
    x[X_STOP] = 1


@part
def trail(m: Market, w: State, i: int, high: int, low: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    side = 1 if x[Q] > 0 else -1
    before = rupees_of(x[TRAIL_BEST])
    best = rules.best_price(side, before, rupees_of(high), rupees_of(low))
    if best == before:
        return
    x[TRAIL_BEST] = high if side > 0 else low
    if x[XS] == X_NONE or not x[X_STOP]:
        return
    tick = m.symbols[(m.slots[i * S_WIDTH + S_SYM]) * Y_WIDTH + Y_TICK]
    wanted = rules.trailed_stop(side, best, rupees_of(x[TRAIL]), rupees_of(x[STOP]))
    stop = stop_on_tick(wanted, side, tick)
    if (stop - x[STOP]) * side * 10 >= max(tick * 10, x[TRAIL]):
        x[STOP] = stop
        protect(m, w, i)


@part
def reached(w: State, i: int, price: int) -> bool:
    x = row(w.slot, (i) * WIDTH)
    if x[TARGET] == 0:
        return False
    return rules.target_hit(1 if x[Q] > 0 else -1, x[TARGET], price, price)
