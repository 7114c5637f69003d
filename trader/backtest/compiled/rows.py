"""A row of the market: the opens as ticks, each candle's range, the closes, the signals."""

from __future__ import annotations

from trader.backtest.compiled.days import (
    broker_clock,
)
from trader.backtest.compiled.exchange import (
    execute_entry,
    live_through,
    meet_open,
    opening,
)
from trader.backtest.compiled.fields import (
    AT_CLOSE,
    AT_OPEN,
    AVG,
    AWAKE,
    BEGINS,
    CLOSES,
    CLOSING_TICKS,
    D_LATE,
    D_WIDTH,
    DAY,
    E_Q,
    E_SERIAL,
    ENDS,
    GROSS,
    GROSS_CLOSE,
    GROSS_OPEN,
    INSIDE,
    LAST_CHANCE,
    LATCH,
    LATCH_NONE,
    M_MULTIPLE,
    M_SYMBOLS,
    MARK,
    MARK_AT,
    MOMENT,
    MOMENTS,
    N_AWAKE,
    N_CALL,
    N_DEFERRED,
    N_ENTERING,
    N_OPEN,
    NEVER_STILL,
    NOTHING,
    NOW,
    OPEN,
    OPENING_TICKS,
    OPENS,
    RANGE_OF,
    ROW,
    S_LEG,
    S_LENGTH,
    S_PRODUCT,
    S_SYM,
    S_TOGETHER,
    S_WIDTH,
    SHOWN,
    SLM,
    SYM,
    TARGET,
    TARGET_FIRST,
    UNREALISED,
    VARIANT,
    WAKE_HIGH,
    WAKE_LOW,
    WIDTH,
    WITHIN,
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
from trader.backtest.compiled.legs import (
    decision_begins,
    decision_ends,
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
from trader.backtest.compiled.prices import (
    begin_stage,
    cell,
    flags_of,
    traded_in,
)


@part
def waking(m: Market, w: State, t: int) -> None:
    """The slots to which something may happen in this row are awake; what all are worth at its opens and its
    closes is summed up."""
    d = w.desk
    d[ROW] = t
    d[SHOWN] = NOTHING
    d[N_AWAKE] = 0
    mult, symbols = m.limits[M_MULTIPLE], m.limits[M_SYMBOLS]
    late = t >= m.days[d[DAY] * D_WIDTH + D_LATE]
    cells = row(m.cells, t * symbols * 4)
    at_open, at_close, gross_open, gross_close = 0, 0, 0, 0
    for n in range(d[N_OPEN]):
        x = row(w.slot, w.open[n] * WIDTH)
        c = row(cells, x[SYM] * 4)
        wake = late or x[WAKE_LOW] == NEVER_STILL
        opened = closed = m.last[t * symbols + x[SYM]] * mult
        if c[3] != 0:
            wake = wake or c[2] * mult <= x[WAKE_LOW] or c[1] * mult >= x[WAKE_HIGH]
            opened = c[0] * mult
        at_open += (opened - x[AVG]) * x[Q]
        at_close += (closed - x[AVG]) * x[Q]
        gross_open += opened * abs(x[Q])
        gross_close += closed * abs(x[Q])
        if wake:
            x[AWAKE] = t
            w.awake[d[N_AWAKE]] = w.open[n]
            d[N_AWAKE] += 1
    d[AT_OPEN], d[AT_CLOSE], d[GROSS_OPEN], d[GROSS_CLOSE] = at_open, at_close, gross_open, gross_close


@part
def play(m: Market, w: State, t: int) -> None:
    """The opens, what passes inside the candles, and the closes."""
    d = w.desk
    times = row(m.rows, t * MOMENTS)
    begin_stage(w, OPENING_TICKS, BEGINS)
    d[NOW] = times[BEGINS]
    quote(m, w, t, 0)
    begin_stage(w, INSIDE, WITHIN)
    d[NOW] = times[WITHIN]
    pass_ranges(m, w, t)
    if times[WITHIN] != times[ENDS]:
        begin_stage(w, LAST_CHANCE, WITHIN)
        quote(m, w, t, 3)
    begin_stage(w, CLOSING_TICKS, ENDS)
    d[NOW] = times[ENDS]
    show(m, w, t, 3)


@part
def quote(m: Market, w: State, t: int, column: int) -> None:
    """Prices on which orders trade: first those that rest, then what the desk makes of them."""
    apart()
    broker_clock(m, w)
    meet_quotes(m, w, t)
    hear(m, w)
    show(m, w, t, column)
    clock(m, w)
    settle(m, w)


@part
def show(m: Market, w: State, t: int, column: int) -> None:
    """Prices as ticks: all are known before any is acted on."""
    apart()
    d = w.desk
    if column == 3:
        d[SHOWN] = CLOSES
        d[UNREALISED], d[GROSS] = d[AT_CLOSE], d[GROSS_CLOSE]
    else:
        d[SHOWN] = OPENS
        d[UNREALISED], d[GROSS] = d[AT_OPEN], d[GROSS_OPEN]
    for n in range(d[N_ENTERING]):
        mark(m, w, t, w.entering[n], column)
    for n in range(d[N_DEFERRED]):
        mark(m, w, t, w.deferred[n], column)
    if d[N_OPEN] == 0:
        return
    moment = w.desk[MOMENT]
    for n in range(d[N_AWAKE]):
        i = w.awake[n]
        sym = w.slot[i * WIDTH + SYM]
        if w.slot[i * WIDTH + Q] and traded_in(m, t, sym) and flags_of(m, t, sym, moment) & OPEN:
            price = cell(m, t, sym, column)
            on_prices(m, w, i, price, price, False)
    check(m, w)


@part
def mark(m: Market, w: State, t: int, i: int, column: int) -> None:
    sym = w.slot[i * WIDTH + SYM]
    if traded_in(m, t, sym):
        w.slot[i * WIDTH + MARK] = cell(m, t, sym, column)
        w.slot[i * WIDTH + MARK_AT] = w.desk[NOW]


@part
def meet_quotes(m: Market, w: State, t: int) -> None:
    """Orders that rest meet the quotes: by symbol, then in the order of placing."""
    d = w.desk
    moment = w.desk[MOMENT]
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
        if not traded_in(m, t, sym) or not flags_of(m, t, sym, moment) & OPEN:
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
    if flags_of(m, t, sym, BEGINS) & OPEN:
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
                # The exchange knows a position by its product and side.
                mine = 1 << (2 * m.slots[i * S_WIDTH + S_PRODUCT] + (w.slot[i * WIDTH + Q] > 0))
                if stops == 0 and stopped & mine:
                    continue
                live_through(m, w, i)
                if stops and w.slot[i * WIDTH + XS] != X_RESTS:
                    stopped |= mine
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
    d = w.desk
    deciding = -1  # whose decision on several is under way
    while m.calls[d[N_CALL]] <= t:
        n = d[N_CALL]
        d[N_CALL] += 1
        if m.calls[n] < t or d[LATCH] != LATCH_NONE:
            continue
        i = m.call_slots[n]
        together, leg = m.slots[i * S_WIDTH + S_TOGETHER], m.slots[i * S_WIDTH + S_LEG]
        until = d[NOW] + m.slots[i * S_WIDTH + S_LENGTH]
        if together and deciding != leg:
            deciding = leg
            decision_begins(m, w, i)
        mark(m, w, t, i, 3)
        act(m, w, i, m.call_bits[n], until)
        more = m.calls[n + 1] == t and m.slots[m.call_slots[n + 1] * S_WIDTH + S_LEG] == leg
        if together and not more:
            deciding = -1
            decision_ends(m, w, i, until)
