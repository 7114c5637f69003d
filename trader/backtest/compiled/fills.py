"""What the desk does with what it hears of its orders, as ``trader.desk.desk`` and ``booking`` do."""

from __future__ import annotations

from trader.backtest.compiled.entries import (
    enter,
)
from trader.backtest.compiled.exchange import (
    answer_all,
)
from trader.backtest.compiled.fields import (
    AVG,
    AWAKE,
    BEST,
    BOOKED,
    BOOKED_TODAY,
    C_NONE,
    C_REFUSED,
    CARRIED,
    CNC,
    COMING,
    DAY,
    E_FATE,
    E_KNOWN,
    E_PRICE,
    E_Q,
    E_SERIAL,
    E_TIED,
    E_WITHDRAWN,
    ENTRY_AT,
    ENTRY_CANCELLED,
    ENTRY_CHARGES,
    ENTRY_FILLED,
    ENTRY_PLACED,
    ENTRY_REJECTED,
    ENTRY_ROW,
    ENTRY_SHOWN,
    EXIT_CANCELLED,
    EXIT_CHANGED,
    EXIT_FILLED,
    EXIT_PLACED,
    EXIT_REFUSED,
    FAILS,
    FILL,
    GROSS,
    LAST_CHANCE,
    LATCH,
    LATCH_NONE,
    LEAVING,
    M_MULTIPLE,
    M_ROOM,
    M_SYMBOLS,
    MIS,
    MTF,
    N_ASKED,
    N_AWAKE,
    N_ENTERING,
    N_FUNDS,
    N_HEARD,
    N_LEAVING,
    N_OPEN,
    N_TRADES,
    NOW,
    OPENING,
    P_EXTERNAL,
    P_STOP,
    REVERSAL,
    REVERSAL_UNTIL,
    ROW,
    S_LEG,
    S_LINE,
    S_PRODUCT,
    S_SYM,
    S_TOGETHER,
    S_WIDTH,
    SF_STOP,
    SF_TARGET,
    SF_TRAIL,
    SF_WIDTH,
    SHOWN,
    STAGE,
    STOP,
    SYM,
    T_BEST,
    T_CHARGES,
    T_ENTRY,
    T_ENTRY_AT,
    T_EXIT,
    T_EXIT_AT,
    T_PURPOSE,
    T_QUANTITY,
    T_SLOT,
    T_WORST,
    TARGET,
    TIED,
    TIED_ALL,
    TRAIL,
    TRAIL_BEST,
    UNREALISED,
    WIDTH,
    WORST,
    X_COST,
    X_GONE,
    X_KNOWN,
    X_NONE,
    X_PENDING,
    X_PURPOSE,
    X_RESTS,
    X_SERIAL,
    X_STOP,
    XS,
    Y_TICK,
    Y_WIDTH,
    E,
    Ints,
    Market,
    Q,
    State,
)
from trader.backtest.compiled.guard import (
    check,
    traded,
)
from trader.backtest.compiled.jit import (
    part,
)
from trader.backtest.compiled.legs import (
    break_up,
    turned,
)
from trader.backtest.compiled.memory import (
    apart,
    row,
)
from trader.backtest.compiled.money import (
    charge,
    charge_delivery,
    margin,
    nearest_tick_of,
    rupees_of,
    stop_on_tick,
)
from trader.backtest.compiled.orders import (
    append,
    cancel_entry,
    leave,
    old_terms,
    remove,
    waken,
)
from trader.backtest.compiled.prices import (
    foresee,
    known_last,
)
from trader.backtest.compiled.stops import (
    protect,
)
from trader.strategy import rules


@part
def hear(m: Market, w: State) -> None:
    """Everything heard so far, in order."""
    apart()
    for n in range(w.desk[N_HEARD]):
        what, i = w.heard[n * 2 + 0], w.heard[n * 2 + 1]
        if what == ENTRY_FILLED:
            entry_filled(m, w, i)
        elif what == EXIT_FILLED:
            exit_filled(m, w, i)
        elif what == ENTRY_PLACED:
            entry_placed(w, i)
        elif what == ENTRY_REJECTED or what == ENTRY_CANCELLED:
            entry_gone(m, w, i)
            w.denied[N_FUNDS] += what == ENTRY_REJECTED
            if not w.slot[i * WIDTH + E_WITHDRAWN]:
                break_up(m, w, i)
        else:
            exit_told(m, w, what, i)
    w.desk[N_HEARD] = 0


@part
def entry_placed(w: State, i: int) -> None:
    x = row(w.slot, i * WIDTH)
    if x[E] == X_RESTS:
        x[E_KNOWN] = 1
        if x[E_WITHDRAWN]:
            cancel_entry(w, i)


@part
def exit_told(m: Market, w: State, what: int, i: int) -> None:
    """Of an exit that has not traded: it rests, it is gone, its change was answered."""
    apart()
    x = row(w.slot, i * WIDTH)
    if what == EXIT_PLACED:
        x[X_KNOWN] = 1
    elif what == EXIT_CHANGED:
        if x[X_PENDING] == C_REFUSED:
            old_terms(w, i)
        x[X_PENDING] = C_NONE
    elif x[XS] == X_GONE:
        x[FAILS] += what == EXIT_REFUSED and x[X_PURPOSE] == P_STOP
        x[XS] = X_NONE
        x[X_STOP] = 0
        x[X_PENDING] = C_NONE
        if what == EXIT_CANCELLED:  # its changes were used up
            protect(m, w, i)


@part
def settle(m: Market, w: State) -> None:
    """What was asked is answered, the answers are heard, until nothing is under way."""
    apart()
    while w.desk[N_ASKED]:
        answer_all(m, w)
        hear(m, w)


@part
def entry_gone(m: Market, w: State, i: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    x[E] = X_NONE
    w.desk[TIED_ALL] -= x[E_TIED]
    w.desk[COMING] -= x[E_PRICE] * abs(x[E_Q])
    w.legs[m.slots[i * S_WIDTH + S_LEG]] -= 1
    remove(w, w.entering, N_ENTERING, i)


@part
def entry_filled(m: Market, w: State, i: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    d = w.desk
    line = m.slots[i * S_WIDTH + S_LINE]
    side = 1 if x[E_Q] > 0 else -1
    entry_gone(m, w, i)
    x[Q] = x[E_Q]
    x[AVG] = x[FILL]
    value = x[AVG] * abs(x[Q])
    x[TIED] = margin(m, line, d[DAY], side, value)
    d[TIED_ALL] += x[TIED]
    x[ENTRY_AT] = d[NOW]
    x[OPENING] = -1
    x[ENTRY_ROW] = d[ROW]
    x[ENTRY_SHOWN] = d[SHOWN]
    x[ENTRY_CHARGES] = cost_of(m, w, i, side, x[E_SERIAL])
    d[BOOKED] -= x[ENTRY_CHARGES]
    d[BOOKED_TODAY] -= x[ENTRY_CHARGES]
    append(w, w.open, N_OPEN, i)
    w.legs[m.slots[i * S_WIDTH + S_LEG]] += 1
    foresee(m, w, x, 1)
    d[GROSS] += value  # nothing unrealised: its own price is the last one known
    if x[AWAKE] == d[ROW]:  # closed and opened anew in one row: its turn is behind the others now
        remove(w, w.awake, N_AWAKE, i)
        x[AWAKE] = -1
    waken(w, i)
    plan(m, w, i, side)
    protect(m, w, i)
    if x[E_WITHDRAWN] and x[E_FATE]:
        leave(m, w, i, x[E_FATE], 0)
    check(m, w)


@part
def cost_of(m: Market, w: State, i: int, sign: int, serial: int) -> int:
    """What the slot's fill adds to the day's charges."""
    x = row(w.slot, i * WIDTH)
    line, day, units = m.slots[i * S_WIDTH + S_LINE], w.desk[DAY], abs(x[Q])
    product = m.slots[i * S_WIDTH + S_PRODUCT]
    if product == CNC or product == MTF:
        return charge_delivery(m, w, line, day, sign, units, x[FILL], serial, product == MTF)
    return charge(m, line, day, sign, x[FILL] * units, False)


@part
def plan(m: Market, w: State, i: int, side: int) -> None:
    """Stop, target and trail from the entry's price, on the tick: as ``plans.planned``."""
    x = row(w.slot, (i) * WIDTH)
    tick = m.symbols[(m.slots[i * S_WIDTH + S_SYM]) * Y_WIDTH + Y_TICK]
    entry = rupees_of(x[AVG])
    stop = stop_on_tick(rules.stop_price(entry, side, m.terms[i * SF_WIDTH + SF_STOP]), side, tick)
    if (x[AVG] - stop) * side <= 0:
        stop -= tick * side
    x[STOP] = stop
    x[TARGET] = 0
    if m.terms[i * SF_WIDTH + SF_TARGET] > 0.0:
        x[TARGET] = nearest_tick_of(rules.target_price(entry, side, m.terms[i * SF_WIDTH + SF_TARGET]), tick)
    x[TRAIL] = 0
    if m.terms[i * SF_WIDTH + SF_TRAIL] > 0.0:
        x[TRAIL] = max(nearest_tick_of(entry * m.terms[i * SF_WIDTH + SF_TRAIL] / 100, tick), tick)
    x[TRAIL_BEST] = x[AVG]
    x[XS] = X_NONE
    x[X_STOP] = 0
    x[X_PENDING] = 0
    x[FAILS] = 0


@part
def reach(m: Market, x: Ints, end: int) -> None:
    """The best and the worst price while the position was held, to before the row ``end``."""
    mult, symbols = m.limits[M_MULTIPLE], m.limits[M_SYMBOLS]
    top, bottom = 0, 1 << 40  # cells are 32 bits wide
    cells = row(m.cells, x[SYM] * 4)
    for t in range(x[ENTRY_ROW], end):
        c = row(cells, t * symbols * 4)
        if c[3] != 0:
            top = max(top, c[1])
            bottom = min(bottom, c[2])
    high = max(x[AVG], top * mult)
    low = min(x[AVG], bottom * mult)
    x[BEST], x[WORST] = (high, low) if x[Q] > 0 else (low, high)


@part
def exit_filled(m: Market, w: State, i: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    d = w.desk
    side = 1 if x[Q] > 0 else -1
    if x[X_PURPOSE] == P_EXTERNAL and m.slots[i * S_WIDTH + S_PRODUCT] == MIS:
        cost = x[X_COST]
    else:
        cost = cost_of(m, w, i, -side, x[X_SERIAL])
    gross = (x[FILL] - x[AVG]) * x[Q]
    d[BOOKED] += gross - cost
    d[BOOKED_TODAY] += gross - cost
    d[TIED_ALL] -= x[TIED]
    last = known_last(m, w, i)
    foresee(m, w, x, -1)
    d[UNREALISED] -= (last - x[AVG]) * x[Q]
    d[GROSS] -= last * abs(x[Q])
    if x[OPENING] >= 0:  # earlier days have had that already
        carried = (x[OPENING] - x[AVG]) * x[Q]
        d[CARRIED] -= carried
        d[BOOKED_TODAY] -= carried
    w.legs[m.slots[i * S_WIDTH + S_LEG]] -= 1
    paid = x[ENTRY_CHARGES] + cost
    trade = row(w.trades, d[N_TRADES])
    room = m.limits[M_ROOM]
    d[N_TRADES] += 1
    trade[T_SLOT * room] = i
    trade[T_PURPOSE * room] = x[X_PURPOSE]
    trade[T_QUANTITY * room] = x[Q]
    trade[T_ENTRY_AT * room] = x[ENTRY_AT]
    trade[T_EXIT_AT * room] = d[NOW]
    trade[T_ENTRY * room] = x[AVG]
    trade[T_EXIT * room] = x[FILL]
    trade[T_CHARGES * room] = paid
    reach(m, x, d[ROW] + (1 if d[STAGE] >= LAST_CHANCE else 0))
    trade[T_BEST * room] = max(x[BEST], x[FILL]) if side > 0 else min(x[BEST], x[FILL])
    trade[T_WORST * room] = min(x[WORST], x[FILL]) if side > 0 else max(x[WORST], x[FILL])
    x[Q] = 0
    x[STOP] = x[TARGET] = x[TRAIL] = 0
    x[XS] = X_NONE
    x[X_STOP] = 0
    x[X_PENDING] = C_NONE
    x[X_KNOWN] = 0
    x[FAILS] = 0
    if x[LEAVING]:
        x[LEAVING] = 0
        remove(w, w.leaving, N_LEAVING, i)
    remove(w, w.open, N_OPEN, i)
    traded(m, w, gross - paid)
    check(m, w)
    if m.slots[i * S_WIDTH + S_TOGETHER]:
        turned(m, w, i)
        return
    reversal = x[REVERSAL]
    x[REVERSAL] = 0
    if reversal and d[NOW] <= x[REVERSAL_UNTIL] and d[LATCH] == LATCH_NONE:
        enter(m, w, i, reversal)
