"""The backtest's loop: candles as the replay shows them, to the desk's rules in numbers.

A row of the market is three moments, as ``trader.service.pump`` plays them: the opens are shown as ticks, each
candle's range passes, the closes are shown and signals are acted on. Rows in which nothing can happen are
recognised and passed over; days without a position and without a signal too.
"""

from __future__ import annotations

from typing import Any

from trader.backtest.compiled.exchange import (
    cell,
    close_account_day,
    execute_entry,
    execute_exit,
    heard,
    live_through,
    meet_open,
    opening,
)
from trader.backtest.compiled.fields import (
    AVG,
    BEST,
    BOOKED,
    BOOKED_TODAY,
    BROKER,
    CALM,
    CASH,
    CLOSING_TICKS,
    COOLDOWN,
    D_CLOSES,
    D_END,
    D_FIRST,
    D_WIDTH,
    DAY,
    E_Q,
    E_SERIAL,
    ENTRIES_TODAY,
    ENTRY_CANCELLED,
    EVENING,
    IN_DAY,
    INSIDE,
    LATCH,
    LATCH_DAILY,
    LATCH_NONE,
    M_CAPITAL,
    M_DAILY_LOSS,
    M_MULTIPLE,
    M_SYMBOLS,
    M_VENUES,
    MARK,
    MARK_AT,
    MF_DRAWDOWN,
    MIS,
    MORNING,
    N_ASKED,
    N_DEFERRED,
    N_ENTERING,
    N_LEAVING,
    N_OPEN,
    NOW,
    OPEN,
    OPENING,
    OPENING_TICKS,
    P_EXTERNAL,
    PEAK,
    RANGE_OF,
    ROW,
    S_LENGTH,
    S_LINE,
    S_PRODUCT,
    S_SYM,
    S_WIDTH,
    SERIAL,
    SLM,
    SQUARE,
    STAGE,
    STOP,
    STOPS_END,
    STREAK,
    TARGET,
    TIED,
    TIED_ALL,
    TOLD,
    TRAIL,
    TRAIL_BEST,
    VARIANT,
    WIDTH,
    WORST,
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
    Y_VENUE,
    Y_WIDTH,
    E,
    Market,
    Q,
    State,
)
from trader.backtest.compiled.guard import check, equity, exposure
from trader.backtest.compiled.jit import loop, part
from trader.backtest.compiled.memory import apart, as_market, as_state, row
from trader.backtest.compiled.moments import act, clock, hear, on_prices, settle
from trader.backtest.compiled.money import margin, nearest_tick_of, rupees_of, slipped

RIGHT, FILL_AT_CLOSE, TARGET_FIRST = 0, 1, 2  # variants; the wrong ones are for tests of the parity check


@loop
def run(market: Any, state: Any, first_day: int, last_day: int) -> None:
    """Trade the days ``first_day`` to ``last_day``. The tables are given as ``memory.pointed`` gives them."""
    trade(as_market(market), as_state(state), first_day, last_day)


@part
def trade(m: Market, w: State, first_day: int, last_day: int) -> None:
    apart()
    for day in range(first_day, last_day + 1):
        begin_day(m, w, day)
        t = m.days[day * D_WIDTH + D_FIRST]
        end = m.days[day * D_WIDTH + D_END]
        while t < end:
            d = w.desk
            if d[N_OPEN] == 0 and d[N_ENTERING] == 0 and d[N_DEFERRED] == 0:
                now = m.limits[M_CAPITAL] + d[BOOKED]
                while t < end and (m.calls[t] == m.calls[t + 1] or d[LATCH] != LATCH_NONE):
                    w.worth[t] = now
                    w.held[t] = 0
                    t += 1
                if t == end:
                    break
                d[ROW] = t
            elif not pass_quietly(m, w, t):
                play(m, w, t)
                close(m, w, t)
                signals(m, w, t)
                finish(m, w)
                w.worth[t] = equity(m, w)
                w.held[t] = exposure(w)
                t += 1
                continue
            if m.calls[t] != m.calls[t + 1] and d[LATCH] == LATCH_NONE:
                d[ROW] = t
                d[STAGE] = CLOSING_TICKS
                d[NOW] = m.rows[t * 2 + 1]
                signals(m, w, t)
                if d[N_ASKED] or d[N_LEAVING] or d[N_DEFERRED]:
                    finish(m, w)
            w.worth[t] = equity(m, w)
            w.held[t] = exposure(w)
            t += 1
        end_day(m, w, day)


# -- a row ----------------------------------------------------------------------------------------------


@part
def pass_quietly(m: Market, w: State, t: int) -> bool:
    """True when nothing happens in this row but that prices move; then they have moved."""
    apart()
    d = w.desk
    if not d[CALM]:
        return False
    mult = m.limits[M_MULTIPLE]
    at_open, at_close, before = 0, 0, 0
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, (i) * WIDTH)
        sym = m.slots[i * S_WIDTH + S_SYM]
        flags = row(m.flags, (t * m.limits[M_VENUES] + m.symbols[sym * Y_WIDTH + Y_VENUE]) * 2)
        if (flags[0] | flags[1]) & STOPS_END:
            return False
        if m.slots[i * S_WIDTH + S_PRODUCT] == MIS and (flags[0] | flags[1]) & SQUARE:
            return False
        o, h, l, c = x[MARK], x[MARK], x[MARK], x[MARK]
        if m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] != 0:
            o, h, l, c = (
                m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 0] * mult,
                m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 1] * mult,
                m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 2] * mult,
                m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] * mult,
            )
            if x[Q] > 0:
                if l <= x[X_TRIGGER] or (x[TARGET] and h >= x[TARGET]) or (x[TRAIL] and h > x[TRAIL_BEST]):
                    return False
            elif h >= x[X_TRIGGER] or (x[TARGET] and l <= x[TARGET]) or (x[TRAIL] and l < x[TRAIL_BEST]):
                return False
        at_open += (o - x[AVG]) * x[Q]
        at_close += (c - x[AVG]) * x[Q]
        if x[OPENING] >= 0:
            before += (x[OPENING] - x[AVG]) * x[Q]
    spare = d[BOOKED_TODAY] + m.limits[M_DAILY_LOSS] - before
    if at_open + spare <= 0 or at_close + spare <= 0:
        return False
    base = m.limits[M_CAPITAL] + d[BOOKED]
    peak = max(d[PEAK], base + at_open)
    last_peak = max(peak, base + at_close)
    part_of = m.fractions[MF_DRAWDOWN]
    if float(peak - base - at_open) * 100.0 >= part_of * float(peak):
        return False
    if float(last_peak - base - at_close) * 100.0 >= part_of * float(last_peak):
        return False
    d[PEAK] = last_peak
    d[ROW] = t
    for n in range(d[N_OPEN]):
        i = w.open[n]
        sym = m.slots[i * S_WIDTH + S_SYM]
        if m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] != 0:
            see_close(m, w, t, i)
    return True


@part
def see_close(m: Market, w: State, t: int, i: int) -> None:
    x = row(w.slot, (i) * WIDTH)
    sym = m.slots[i * S_WIDTH + S_SYM]
    high, low = cell(m, t, sym, 1), cell(m, t, sym, 2)
    if x[Q] > 0:
        x[BEST] = max(x[BEST], high)
        x[WORST] = min(x[WORST], low)
    else:
        x[BEST] = min(x[BEST], low)
        x[WORST] = max(x[WORST], high)
    x[MARK] = cell(m, t, sym, 3)
    x[MARK_AT] = m.rows[t * 2 + 1]


@part
def play(m: Market, w: State, t: int) -> None:
    """The opens, and what passes inside the candles."""
    d = w.desk
    d[ROW] = t
    d[STAGE] = OPENING_TICKS
    d[NOW] = m.rows[t * 2 + 0]
    broker_clock(m, w)
    meet_opens(m, w, t)
    hear(m, w)
    show(m, w, t, 0)
    clock(m, w)
    settle(m, w)
    d[STAGE] = INSIDE
    d[NOW] = m.rows[t * 2 + 1]
    pass_ranges(m, w, t)


@part
def close(m: Market, w: State, t: int) -> None:
    w.desk[STAGE] = CLOSING_TICKS
    show(m, w, t, 3)


@part
def show(m: Market, w: State, t: int, column: int) -> None:
    """Prices as ticks: all are known before any is acted on."""
    apart()
    d = w.desk
    for n in range(d[N_OPEN]):
        i = w.open[n]
        if m.cells[(t * m.limits[M_SYMBOLS] + m.slots[i * S_WIDTH + S_SYM]) * 4 + 3] != 0:
            if column == 3:
                see_close(m, w, t, i)
            else:
                mark(m, w, t, i, column)
    for n in range(d[N_ENTERING]):
        mark(m, w, t, w.entering[n], column)
    for n in range(d[N_DEFERRED]):
        mark(m, w, t, w.deferred[n], column)
    if d[N_OPEN] == 0:
        return
    for n in range(d[N_OPEN]):
        i = w.open[n]
        sym = m.slots[i * S_WIDTH + S_SYM]
        flags = m.flags[(t * m.limits[M_VENUES] + m.symbols[sym * Y_WIDTH + Y_VENUE]) * 2 + (1 if column == 3 else 0)]
        if m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] != 0 and flags & OPEN:
            price = cell(m, t, sym, column)
            on_prices(m, w, i, price, price, False)
    check(m, w)


@part
def mark(m: Market, w: State, t: int, i: int, column: int) -> None:
    sym = m.slots[i * S_WIDTH + S_SYM]
    if m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] != 0:
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
    for n in range(d[N_OPEN]):
        i = w.open[n]
        if w.slot[i * WIDTH + XS] == X_RESTS or w.slot[i * WIDTH + XS] == X_RMS:
            count = put_sorted(m, w, count, i, 1, w.slot[i * WIDTH + X_SERIAL])
    for n in range(count):
        i = w.sorted[n * 3 + 0]
        sym = m.slots[i * S_WIDTH + S_SYM]
        if m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] == 0 or not m.flags[(t * m.limits[M_VENUES] + m.symbols[sym * Y_WIDTH + Y_VENUE]) * 2 + 0] & OPEN:
            continue
        if w.sorted[n * 3 + 1]:
            meet_open(m, w, i)
        else:
            sign = 1 if w.slot[i * WIDTH + E_Q] > 0 else -1
            execute_entry(m, w, i, slipped(m, opening(m, w, i), sign, m.symbols[sym * Y_WIDTH + Y_TICK]))


@part
def put_sorted(m: Market, w: State, count: int, i: int, kind: int, serial: int) -> int:
    order = (m.slots[i * S_WIDTH + S_SYM] << 40) + serial
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
    """Each candle's range, by symbol: stops first, then the rest, then the desk's targets and trails."""
    d = w.desk
    sym = -1
    while True:
        sym = next_symbol(m, w, sym)
        if sym < 0:
            return
        if m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] == 0:
            continue
        d[RANGE_OF] = sym
        if d[VARIANT] == TARGET_FIRST:
            touch_targets(m, w, t, sym)
        if m.flags[(t * m.limits[M_VENUES] + m.symbols[sym * Y_WIDTH + Y_VENUE]) * 2 + 0] & OPEN:
            stopped = 0
            for stops in range(1, -1, -1):
                count = 0
                for n in range(d[N_OPEN]):
                    i = w.open[n]
                    x = row(w.slot, (i) * WIDTH)
                    is_stop = 1 if x[X_TYPE] == SLM else 0
                    if m.slots[i * S_WIDTH + S_SYM] == sym and x[XS] == X_RESTS and is_stop == stops:
                        count = put_sorted(m, w, count, i, 1, x[X_SERIAL])
                for n in range(count):
                    i = w.sorted[n * 3 + 0]
                    side = 1 if w.slot[i * WIDTH + Q] > 0 else 2
                    if stops == 0 and stopped & side:
                        continue
                    live_through(m, w, i)
                    if stops and w.slot[i * WIDTH + XS] != X_RESTS:
                        stopped |= side
        hear(m, w)
        high, low = cell(m, t, sym, 1), cell(m, t, sym, 2)
        for n in range(d[N_OPEN]):
            i = w.open[n]
            if m.slots[i * S_WIDTH + S_SYM] == sym:
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
        if m.slots[i * S_WIDTH + S_SYM] == sym and x[TARGET] and (best - x[TARGET]) * x[Q] >= 0 and x[XS] == X_RESTS:
            on_prices(m, w, i, cell(m, t, sym, 1), cell(m, t, sym, 2), True)
    settle(m, w)


@part
def next_symbol(m: Market, w: State, after: int) -> int:
    """The next symbol in which a position is held; -1 behind the last."""
    found = -1
    for n in range(w.desk[N_OPEN]):
        sym = m.slots[(w.open[n]) * S_WIDTH + S_SYM]
        if sym > after and (found < 0 or sym < found):
            found = sym
    return found


@part
def signals(m: Market, w: State, t: int) -> None:
    """What strategies ask for on the candles that closed in this row."""
    for n in range(m.calls[t], m.calls[t + 1]):
        if w.desk[LATCH] != LATCH_NONE:
            return
        i = m.call_slots[n]
        mark(m, w, t, i, 3)
        act(m, w, i, m.call_bits[n], w.desk[NOW] + m.slots[i * S_WIDTH + S_LENGTH])


@part
def finish(m: Market, w: State) -> None:
    """The clock at the end of a row, and everything it causes; then, whether all is at rest."""
    apart()
    d = w.desk
    broker_clock(m, w)
    hear(m, w)
    clock(m, w)
    settle(m, w)
    d[CALM] = 0
    if d[N_ENTERING] or d[N_LEAVING] or d[N_DEFERRED]:
        return
    for n in range(d[N_OPEN]):
        x = row(w.slot, (w.open[n]) * WIDTH)
        if x[XS] != X_RESTS or x[X_TYPE] != SLM or not x[X_STOP] or x[X_TRIGGER] != x[STOP]:
            return
    d[CALM] = 1


@part
def broker_clock(m: Market, w: State) -> None:
    """The broker's square-off of intraday positions, and the exchange's end of stops."""
    apart()
    d = w.desk
    end = 1 if d[STAGE] == CLOSING_TICKS else 0
    for n in range(d[N_ENTERING]):
        i = w.entering[n]
        flags = m.flags[((d[ROW]) * m.limits[M_VENUES] + m.symbols[(m.slots[i * S_WIDTH + S_SYM]) * Y_WIDTH + Y_VENUE]) * 2 + end]
        if m.slots[i * S_WIDTH + S_PRODUCT] == MIS and flags & BROKER and w.slot[i * WIDTH + E] == X_RESTS:
            heard(w, ENTRY_CANCELLED, i)
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, (i) * WIDTH)
        flags = m.flags[((d[ROW]) * m.limits[M_VENUES] + m.symbols[(m.slots[i * S_WIDTH + S_SYM]) * Y_WIDTH + Y_VENUE]) * 2 + end]
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


# -- a day ----------------------------------------------------------------------------------------------


@part
def begin_day(m: Market, w: State, day: int) -> None:
    """A new trading day resets what is counted by the day; stops of what was carried rest again."""
    d = w.desk
    if d[DAY] >= 0:
        close_account_day(m, w)
    d[DAY] = day
    d[CASH] += w.credits[day]
    d[ROW] = m.days[day * D_WIDTH + D_FIRST]
    d[STAGE] = MORNING
    d[NOW] = m.rows[(d[ROW]) * 2 + 0]
    for n in range(d[N_OPEN]):
        w.slot[(w.open[n]) * WIDTH + OPENING] = -1
    d[PEAK] = max(d[PEAK], equity(m, w))
    d[BOOKED_TODAY] = d[ENTRIES_TODAY] = d[STREAK] = d[COOLDOWN] = d[IN_DAY] = 0
    d[TOLD] = 0
    if d[LATCH] == LATCH_DAILY:
        d[LATCH] = LATCH_NONE
    if d[N_OPEN] == 0:
        d[CALM] = 1
        return
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, (i) * WIDTH)
        d[TIED_ALL] -= x[TIED]
        x[TIED] = margin(m, m.slots[i * S_WIDTH + S_LINE], day, 1 if x[Q] > 0 else -1, x[AVG] * abs(x[Q]))
        d[TIED_ALL] += x[TIED]
    finish(m, w)
    d[CALM] = 0


@part
def end_day(m: Market, w: State, day: int) -> None:
    """The exchange forgets the day's orders; an intraday position that found no price is closed by the broker
    at the last one, for a fee."""
    d = w.desk
    if d[N_OPEN] == 0 and d[N_ENTERING] == 0 and d[N_DEFERRED] == 0:
        return
    d[ROW] = m.days[day * D_WIDTH + D_END] - 1
    d[STAGE] = EVENING
    d[NOW] = max(m.rows[(d[ROW]) * 2 + 1], m.days[day * D_WIDTH + D_CLOSES])
    for n in range(d[N_ENTERING]):
        heard(w, ENTRY_CANCELLED, w.entering[n])
    hear(m, w)
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, (i) * WIDTH)
        x[XS] = X_NONE
        x[X_STOP] = 0
        if m.slots[i * S_WIDTH + S_PRODUCT] == MIS:
            tick = m.symbols[(m.slots[i * S_WIDTH + S_SYM]) * Y_WIDTH + Y_TICK]
            x[XS] = X_RMS
            x[X_PURPOSE] = P_EXTERNAL
            execute_exit(m, w, i, max(nearest_tick_of(rupees_of(x[MARK]), tick), tick))
    hear(m, w)
    settle(m, w)
    clock(m, w)
    settle(m, w)
