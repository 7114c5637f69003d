"""The backtest's loop: candles as the replay shows them, to the desk's rules in numbers.

A row of the market is three moments, as ``trader.service.pump`` plays them: the opens are shown as ticks,
each candle's range passes, the closes are shown and signals are acted on. Rows in which nothing can happen
are recognised and passed over; days without a position and without a signal too.
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
    AWAKE,
    BEST,
    BOOKED,
    BOOKED_TODAY,
    BROKER,
    CARRIED,
    CASH,
    CLOSING_TICKS,
    COOLDOWN,
    D_CLOSES,
    D_END,
    D_FIRST,
    D_LATE,
    D_WIDTH,
    DAY,
    E_Q,
    E_SERIAL,
    ENTRIES_TODAY,
    ENTRY_CANCELLED,
    EVENING,
    GROSS,
    IN_DAY,
    INSIDE,
    LATCH,
    LATCH_DAILY,
    LATCH_NONE,
    LEAVING,
    M_CAPITAL,
    M_DAILY_LOSS,
    M_LINES,
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
    STAGE,
    STILL,
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
from trader.backtest.compiled.guard import check, equity
from trader.backtest.compiled.jit import loop, part
from trader.backtest.compiled.memory import apart, as_market, as_state, row
from trader.backtest.compiled.moments import act, clock, hear, on_prices, settle
from trader.backtest.compiled.money import margin, nearest_tick_of, rupees_of, slipped

# Variants; the wrong ones are for tests of the parity check, which must find each of them.
RIGHT, FILL_AT_CLOSE, TARGET_FIRST, NO_CHARGES = range(4)


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
            elif wakes(m, w, t):
                play(m, w, t)
                signals(m, w, t)
                finish(m, w)
                w.worth[t] = equity(m, w)
                w.held[t] = d[GROSS]
                t += 1
                continue
            if m.calls[t] != m.calls[t + 1] and d[LATCH] == LATCH_NONE:
                d[STAGE] = CLOSING_TICKS
                d[NOW] = m.rows[t * 2 + 1]
                signals(m, w, t)
                if d[N_ASKED] or d[N_LEAVING] or d[N_DEFERRED]:
                    finish(m, w)
            w.worth[t] = equity(m, w)
            w.held[t] = d[GROSS]
            t += 1
        end_day(m, w, day)


# -- a row ----------------------------------------------------------------------------------------------


@part
def wakes(m: Market, w: State, t: int) -> bool:
    """Whether anything happens in this row but that prices move. When not, they have moved; when so, the
    slots to which something may happen are awake."""
    d = w.desk
    d[ROW] = t
    mult = m.limits[M_MULTIPLE]
    late = t >= m.days[d[DAY] * D_WIDTH + D_LATE]
    busy = late or d[N_ENTERING] > 0 or d[N_LEAVING] > 0 or d[N_DEFERRED] > 0
    at_open, at_close, gross = 0, 0, 0
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, i * WIDTH)
        c = row(m.cells, (t * m.limits[M_SYMBOLS] + m.slots[i * S_WIDTH + S_SYM]) * 4)
        first, last = x[MARK], x[MARK]
        wake = late or not x[STILL]
        if c[3] != 0:
            first, last = c[0] * mult, c[3] * mult
            high, low = c[1] * mult, c[2] * mult
            if x[Q] > 0:
                if (
                    low <= x[X_TRIGGER]
                    or (x[TARGET] and high >= x[TARGET])
                    or (x[TRAIL] and high > x[TRAIL_BEST])
                ):
                    wake = True
            elif (
                high >= x[X_TRIGGER] or (x[TARGET] and low <= x[TARGET]) or (x[TRAIL] and low < x[TRAIL_BEST])
            ):
                wake = True
        if wake:
            x[AWAKE] = t
            busy = True
        at_open += (first - x[AVG]) * x[Q]
        at_close += (last - x[AVG]) * x[Q]
        gross += last * abs(x[Q])
    if busy or breaks(m, w, at_open) or breaks(m, w, at_close):
        return True
    d[PEAK] = max(d[PEAK], m.limits[M_CAPITAL] + d[BOOKED] + max(at_open, at_close))
    d[UNREALISED], d[GROSS] = at_close, gross
    for n in range(d[N_OPEN]):
        see_close(m, w, t, w.open[n])
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
def see_close(m: Market, w: State, t: int, i: int) -> None:
    x = row(w.slot, i * WIDTH)
    c = row(m.cells, (t * m.limits[M_SYMBOLS] + m.slots[i * S_WIDTH + S_SYM]) * 4)
    if c[3] == 0:
        return
    mult = m.limits[M_MULTIPLE]
    high, low = c[1] * mult, c[2] * mult
    if x[Q] > 0:
        x[BEST] = max(x[BEST], high)
        x[WORST] = min(x[WORST], low)
    else:
        x[BEST] = min(x[BEST], low)
        x[WORST] = max(x[WORST], high)
    x[MARK] = c[3] * mult
    x[MARK_AT] = m.rows[t * 2 + 1]


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
    unrealised, gross = 0, 0
    for n in range(d[N_OPEN]):
        i = w.open[n]
        if column == 3:
            see_close(m, w, t, i)
        else:
            mark(m, w, t, i, column)
        x = row(w.slot, i * WIDTH)
        unrealised += (x[MARK] - x[AVG]) * x[Q]
        gross += x[MARK] * abs(x[Q])
    d[UNREALISED], d[GROSS] = unrealised, gross
    for n in range(d[N_ENTERING]):
        mark(m, w, t, w.entering[n], column)
    for n in range(d[N_DEFERRED]):
        mark(m, w, t, w.deferred[n], column)
    if d[N_OPEN] == 0:
        return
    end = 1 if column == 3 else 0
    for n in range(d[N_OPEN]):
        i = w.open[n]
        sym = m.slots[i * S_WIDTH + S_SYM]
        if w.slot[i * WIDTH + AWAKE] == t and m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] != 0:
            if flags_of(m, t, sym, end) & OPEN:
                price = cell(m, t, sym, column)
                on_prices(m, w, i, price, price, False)
    check(m, w)


@part
def flags_of(m: Market, t: int, sym: int, end: int) -> int:
    """What the instrument's venue allows at the row's beginning or end."""
    return m.flags[(t * m.limits[M_VENUES] + m.symbols[sym * Y_WIDTH + Y_VENUE]) * 2 + end]


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
        x = row(w.slot, i * WIDTH)
        if x[AWAKE] == t and (x[XS] == X_RESTS or x[XS] == X_RMS):
            count = put_sorted(m, w, count, i, 1, x[X_SERIAL])
    for n in range(count):
        i = w.sorted[n * 3 + 0]
        sym = m.slots[i * S_WIDTH + S_SYM]
        if m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] == 0 or not flags_of(m, t, sym, 0) & OPEN:
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
    """Each candle's range, by symbol, of the slots that are awake."""
    d = w.desk
    count = 0
    for n in range(d[N_OPEN]):
        i = w.open[n]
        sym = m.slots[i * S_WIDTH + S_SYM]
        if w.slot[i * WIDTH + AWAKE] == t and m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] != 0:
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
            for n in range(d[N_OPEN]):
                i = w.open[n]
                x = row(w.slot, i * WIDTH)
                is_stop = 1 if x[X_TYPE] == SLM else 0
                if m.slots[i * S_WIDTH + S_SYM] == sym and x[XS] == X_RESTS and is_stop == stops:
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


@part
def finish(m: Market, w: State) -> None:
    """The clock at the end of a row, and everything it causes; then, what is at rest."""
    apart()
    d = w.desk
    broker_clock(m, w)
    hear(m, w)
    clock(m, w)
    settle(m, w)
    for n in range(d[N_OPEN]):
        x = row(w.slot, w.open[n] * WIDTH)
        if x[AWAKE] == d[ROW]:
            rests = x[XS] == X_RESTS and x[X_TYPE] == SLM and x[X_STOP] != 0 and x[X_TRIGGER] == x[STOP]
            x[STILL] = 1 if rests and not x[LEAVING] else 0


@part
def broker_clock(m: Market, w: State) -> None:
    """The broker's square-off of intraday positions, and the exchange's end of stops."""
    d = w.desk
    if d[ROW] < m.days[d[DAY] * D_WIDTH + D_LATE]:
        return
    end = 1 if d[STAGE] == CLOSING_TICKS else 0
    for n in range(d[N_ENTERING]):
        i = w.entering[n]
        flags = flags_of(m, d[ROW], m.slots[i * S_WIDTH + S_SYM], end)
        if m.slots[i * S_WIDTH + S_PRODUCT] == MIS and flags & BROKER and w.slot[i * WIDTH + E] == X_RESTS:
            heard(w, ENTRY_CANCELLED, i)
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, (i) * WIDTH)
        flags = flags_of(m, d[ROW], m.slots[i * S_WIDTH + S_SYM], end)
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
    d[PEAK] = max(d[PEAK], equity(m, w))
    d[BOOKED_TODAY] = d[ENTRIES_TODAY] = d[STREAK] = d[COOLDOWN] = d[IN_DAY] = 0
    d[TOLD] = 0
    for line in range(m.limits[M_LINES]):
        w.scrips[line * 2] = w.scrips[line * 2 + 1] = 0
    if d[LATCH] == LATCH_DAILY:
        d[LATCH] = LATCH_NONE
    d[CARRIED] = d[UNREALISED]
    if d[N_OPEN] == 0:
        return
    for n in range(d[N_OPEN]):
        i = w.open[n]
        x = row(w.slot, i * WIDTH)
        x[OPENING] = x[MARK]
        x[AWAKE] = d[ROW]
        x[STILL] = 0
        d[TIED_ALL] -= x[TIED]
        x[TIED] = margin(m, m.slots[i * S_WIDTH + S_LINE], day, 1 if x[Q] > 0 else -1, x[AVG] * abs(x[Q]))
        d[TIED_ALL] += x[TIED]
    finish(m, w)


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
