"""A row of the market: the opens as ticks, each candle's range, the closes, the signals."""

from __future__ import annotations

from trader.backtest.compiled.days import (
    broker_clock,
)
from trader.backtest.compiled.exchange import (
    cell,
    execute_entry,
    flags_of,
    live_through,
    meet_open,
    opening,
    traded_in,
)
from trader.backtest.compiled.fields import (
    AVG,
    AWAKE,
    BEST,
    BOOKED,
    BOOKED_TODAY,
    CARRIED,
    CLOSING_TICKS,
    D_LATE,
    D_WIDTH,
    DAY,
    E_Q,
    E_SERIAL,
    GROSS,
    INSIDE,
    LATCH,
    LATCH_NONE,
    M_CAPITAL,
    M_DAILY_LOSS,
    M_MULTIPLE,
    M_SYMBOLS,
    MARK,
    MARK_AT,
    MF_DRAWDOWN,
    N_AWAKE,
    N_DEFERRED,
    N_ENTERING,
    N_LEAVING,
    N_OPEN,
    NEVER_STILL,
    NOW,
    OPEN,
    OPENING_TICKS,
    PEAK,
    RANGE_OF,
    ROW,
    S_LENGTH,
    S_SYM,
    S_WIDTH,
    SLM,
    STAGE,
    SYM,
    TARGET,
    TARGET_FIRST,
    UNREALISED,
    VARIANT,
    WAKE_HIGH,
    WAKE_LOW,
    WIDTH,
    WORST,
    X_RESTS,
    X_RMS,
    X_SERIAL,
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
    check,
)
from trader.backtest.compiled.jit import (
    part,
)
from trader.backtest.compiled.memory import (
    apart,
    row,
)
from trader.backtest.compiled.moments import (
    act,
    clock,
    on_prices,
)
from trader.backtest.compiled.money import (
    slipped,
)


@part
def wakes(m: Market, w: State, t: int) -> bool:
    """Whether anything happens in this row but that prices move. When not, they have moved; when so, the
    slots to which something may happen are awake."""
    d = w.desk
    d[ROW] = t
    d[N_AWAKE] = 0
    mult = m.limits[M_MULTIPLE]
    late = t >= m.days[d[DAY] * D_WIDTH + D_LATE]
    busy = late or d[N_ENTERING] > 0 or d[N_LEAVING] > 0 or d[N_DEFERRED] > 0
    cells = row(m.cells, t * m.limits[M_SYMBOLS] * 4)
    at_open, at_close = 0, 0
    for n in range(d[N_OPEN]):
        x = row(w.slot, w.open[n] * WIDTH)
        c = row(cells, x[SYM] * 4)
        first, last = x[MARK], x[MARK]
        wake = late or x[WAKE_LOW] == NEVER_STILL
        if c[3] != 0:
            first, last = c[0] * mult, c[3] * mult
            wake = wake or c[2] * mult <= x[WAKE_LOW] or c[1] * mult >= x[WAKE_HIGH]
        if wake:
            x[AWAKE] = t
            w.awake[d[N_AWAKE]] = w.open[n]
            d[N_AWAKE] += 1
        at_open += (first - x[AVG]) * x[Q]
        at_close += (last - x[AVG]) * x[Q]
    if busy or d[N_AWAKE] or breaks(m, w, at_open) or breaks(m, w, at_close):
        return True
    d[PEAK] = max(d[PEAK], m.limits[M_CAPITAL] + d[BOOKED] + max(at_open, at_close))
    see_closes(m, w, t)
    return False


@part
def breaks(m: Market, w: State, unrealised: int) -> bool:
    """Whether a limit may be broken at these prices. The peak is taken higher than it is: a doubt wakes."""
    d = w.desk
    if d[BOOKED_TODAY] + unrealised - d[CARRIED] + m.limits[M_DAILY_LOSS] <= 0:
        return True
    worth = m.limits[M_CAPITAL] + d[BOOKED] + unrealised
    peak = max(d[PEAK], worth) * 1.01
    return (peak - worth) * 100.0 >= m.fractions[MF_DRAWDOWN] * peak


@part
def see_closes(m: Market, w: State, t: int) -> None:
    """The closes of what is held are the last prices; best and worst are kept for the trade's record."""
    d = w.desk
    mult = m.limits[M_MULTIPLE]
    cells = row(m.cells, t * m.limits[M_SYMBOLS] * 4)
    unrealised, gross = 0, 0
    for n in range(d[N_OPEN]):
        x = row(w.slot, w.open[n] * WIDTH)
        c = row(cells, x[SYM] * 4)
        if c[3] != 0:
            high, low = c[1] * mult, c[2] * mult
            if x[Q] > 0:
                x[BEST] = max(x[BEST], high)
                x[WORST] = min(x[WORST], low)
            else:
                x[BEST] = min(x[BEST], low)
                x[WORST] = max(x[WORST], high)
            x[MARK] = c[3] * mult
            x[MARK_AT] = m.rows[t * 2 + 1]
        unrealised += (x[MARK] - x[AVG]) * x[Q]
        gross += x[MARK] * abs(x[Q])
    d[UNREALISED], d[GROSS] = unrealised, gross


@part
def see_opens(m: Market, w: State, t: int) -> None:
    d = w.desk
    mult = m.limits[M_MULTIPLE]
    cells = row(m.cells, t * m.limits[M_SYMBOLS] * 4)
    unrealised, gross = 0, 0
    for n in range(d[N_OPEN]):
        x = row(w.slot, w.open[n] * WIDTH)
        c = row(cells, x[SYM] * 4)
        if c[3] != 0:
            x[MARK] = c[0] * mult
            x[MARK_AT] = m.rows[t * 2]
        unrealised += (x[MARK] - x[AVG]) * x[Q]
        gross += x[MARK] * abs(x[Q])
    d[UNREALISED], d[GROSS] = unrealised, gross


@part
def play(m: Market, w: State, t: int) -> None:
    """The opens, what passes inside the candles, and the closes."""
    d = w.desk
    d[STAGE] = OPENING_TICKS
    d[NOW] = m.rows[t * 2]
    broker_clock(m, w)
    meet_opens(m, w, t)
    hear(m, w)
    show(m, w, t, 0)
    clock(m, w)
    settle(m, w)
    d[STAGE] = INSIDE
    d[NOW] = m.rows[t * 2 + 1]
    pass_ranges(m, w, t)
    d[STAGE] = CLOSING_TICKS
    show(m, w, t, 3)


@part
def show(m: Market, w: State, t: int, column: int) -> None:
    """Prices as ticks: all are known before any is acted on."""
    apart()
    d = w.desk
    if column == 3:
        see_closes(m, w, t)
    else:
        see_opens(m, w, t)
    for n in range(d[N_ENTERING]):
        mark(m, w, t, w.entering[n], column)
    for n in range(d[N_DEFERRED]):
        mark(m, w, t, w.deferred[n], column)
    if d[N_OPEN] == 0:
        return
    end = 1 if column == 3 else 0
    for n in range(d[N_AWAKE]):
        i = w.awake[n]
        sym = w.slot[i * WIDTH + SYM]
        if w.slot[i * WIDTH + Q] and traded_in(m, t, sym) and flags_of(m, t, sym, end) & OPEN:
            price = cell(m, t, sym, column)
            on_prices(m, w, i, price, price, False)
    check(m, w)


@part
def mark(m: Market, w: State, t: int, i: int, column: int) -> None:
    sym = w.slot[i * WIDTH + SYM]
    if traded_in(m, t, sym):
        w.slot[i * WIDTH + MARK] = cell(m, t, sym, column)
        w.slot[i * WIDTH + MARK_AT] = m.rows[t * 2 + (1 if column == 3 else 0)]


@part
def meet_opens(m: Market, w: State, t: int) -> None:
    """Orders that rest meet the opens: by symbol, then in the order of placing."""
    d = w.desk
    count = 0
    for n in range(d[N_ENTERING]):
        i = w.entering[n]
        if w.slot[i * WIDTH + E] == X_RESTS:
            count = put_sorted(m, w, count, i, 0, w.slot[i * WIDTH + E_SERIAL])
    for n in range(d[N_AWAKE]):
        i = w.awake[n]
        x = row(w.slot, i * WIDTH)
        if x[Q] and (x[XS] == X_RESTS or x[XS] == X_RMS):
            count = put_sorted(m, w, count, i, 1, x[X_SERIAL])
    for n in range(count):
        i = w.sorted[n * 3 + 0]
        sym = w.slot[i * WIDTH + SYM]
        if not traded_in(m, t, sym) or not flags_of(m, t, sym, 0) & OPEN:
            continue
        if w.sorted[n * 3 + 1]:
            meet_open(m, w, i)
        else:
            sign = 1 if w.slot[i * WIDTH + E_Q] > 0 else -1
            execute_entry(m, w, i, slipped(m, opening(m, w, i), sign, m.symbols[sym * Y_WIDTH + Y_TICK]))


@part
def put_sorted(m: Market, w: State, count: int, i: int, kind: int, serial: int) -> int:
    order = (w.slot[i * WIDTH + SYM] << 40) + serial
    at = count
    while at > 0 and w.sorted[(at - 1) * 3 + 2] > order:
        for column in range(3):
            w.sorted[at * 3 + column] = w.sorted[(at - 1) * 3 + column]
        at -= 1
    w.sorted[at * 3 + 0] = i
    w.sorted[at * 3 + 1] = kind
    w.sorted[at * 3 + 2] = order
    return count + 1


@part
def pass_ranges(m: Market, w: State, t: int) -> None:
    """Each candle's range, by symbol, of the slots that are awake."""
    d = w.desk
    count = 0
    for n in range(d[N_AWAKE]):
        x = row(w.slot, w.awake[n] * WIDTH)
        sym = x[SYM]
        if x[Q] and traded_in(m, t, sym):
            at = count
            while at > 0 and w.ranged[at - 1] > sym:
                w.ranged[at] = w.ranged[at - 1]
                at -= 1
            w.ranged[at] = sym
            count += 1
    known = -1
    for n in range(count):
        if w.ranged[n] != known:
            known = w.ranged[n]
            pass_range(m, w, t, known)


@part
def pass_range(m: Market, w: State, t: int, sym: int) -> None:
    """One candle's: stops first, then limits, then the desk's targets and trails."""
    apart()
    d = w.desk
    d[RANGE_OF] = sym
    if d[VARIANT] == TARGET_FIRST:
        touch_targets(m, w, t, sym)
    if flags_of(m, t, sym, 0) & OPEN:
        stopped = 0
        for stops in range(1, -1, -1):
            count = 0
            for n in range(d[N_AWAKE]):
                i = w.awake[n]
                x = row(w.slot, i * WIDTH)
                is_stop = 1 if x[X_TYPE] == SLM else 0
                if x[SYM] == sym and x[Q] and x[XS] == X_RESTS and is_stop == stops:
                    count = put_sorted(m, w, count, i, 1, x[X_SERIAL])
            for n in range(count):
                i = w.sorted[n * 3]
                side = 1 if w.slot[i * WIDTH + Q] > 0 else 2
                if stops == 0 and stopped & side:
                    continue
                live_through(m, w, i)
                if stops and w.slot[i * WIDTH + XS] != X_RESTS:
                    stopped |= side
    hear(m, w)
    high, low = cell(m, t, sym, 1), cell(m, t, sym, 2)
    for n in range(d[N_AWAKE]):
        i = w.awake[n]
        if w.slot[i * WIDTH + SYM] == sym and w.slot[i * WIDTH + Q]:
            on_prices(m, w, i, high, low, True)
    settle(m, w)


@part
def touch_targets(m: Market, w: State, t: int, sym: int) -> None:
    """The wrong order of events, for tests: the target is taken before the stop is looked at."""
    apart()
    for n in range(w.desk[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, (i) * WIDTH)
        best = cell(m, t, sym, 1) if x[Q] > 0 else cell(m, t, sym, 2)
        if (
            m.slots[i * S_WIDTH + S_SYM] == sym
            and x[TARGET]
            and (best - x[TARGET]) * x[Q] >= 0
            and x[XS] == X_RESTS
        ):
            on_prices(m, w, i, cell(m, t, sym, 1), cell(m, t, sym, 2), True)
    settle(m, w)


@part
def signals(m: Market, w: State, t: int) -> None:
    """What strategies ask for on the candles that closed in this row."""
    for n in range(m.calls[t], m.calls[t + 1]):
        if w.desk[LATCH] != LATCH_NONE:
            return
        i = m.call_slots[n]
        mark(m, w, t, i, 3)
        act(m, w, i, m.call_bits[n], w.desk[NOW] + m.slots[i * S_WIDTH + S_LENGTH])
