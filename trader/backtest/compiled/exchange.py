"""The paper exchange: what it answers to what is asked, what it trades, and what its account allows. As
``trader.broker.paper`` does it for orders that trade whole and at once."""

from __future__ import annotations

from trader.backtest.compiled.fields import (
    ASK_CANCEL_ENTRY,
    ASK_CHANGE,
    ASK_ENTRY,
    ASK_EXIT,
    C_ASKED,
    C_REFUSED,
    C_TAKEN,
    CASH,
    D_SETTLES,
    D_WIDTH,
    DAY,
    E_Q,
    E_SERIAL,
    ENTRY_CANCELLED,
    ENTRY_FILLED,
    ENTRY_PLACED,
    ENTRY_REJECTED,
    EXIT_CANCELLED,
    EXIT_CHANGED,
    EXIT_FILLED,
    EXIT_PLACED,
    EXIT_REFUSED,
    FILL,
    GAIN,
    INSIDE,
    L_CHAPTER,
    L_RATES,
    L_WIDTH,
    LIMIT,
    M_ACCOUNT,
    M_CHAPTERS,
    M_DAYS,
    M_LENGTH,
    M_LINES,
    M_MULTIPLE,
    M_SINGLE,
    M_SYMBOLS,
    MARK,
    MARKET,
    N_ASKED,
    N_ENTERING,
    N_HEARD,
    N_OPEN,
    NOW,
    OPENING_TICKS,
    R_GST,
    R_GST_OF,
    R_WIDTH,
    RANGE_OF,
    ROW,
    S_LINE,
    S_SYM,
    S_WIDTH,
    SERIAL,
    SLM,
    STAGE,
    TIED,
    VARIANT,
    WIDTH,
    X_ACTIVE,
    X_GONE,
    X_LIMIT,
    X_MET,
    X_OLD_LIMIT,
    X_OLD_TRIGGER,
    X_OLD_TYPE,
    X_PENDING,
    X_RESTS,
    X_RMS,
    X_SERIAL,
    X_TRADED,
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
from trader.backtest.compiled.jit import part
from trader.backtest.compiled.memory import apart, row
from trader.backtest.compiled.money import (
    margin,
    note_down,
    noted,
    noted_at_most,
    on_tick_down,
    on_tick_up,
    slipped,
)
from trader.strategy import rules

FILL_AT_CLOSE = 1  # a variant for tests


@part
def cell(m: Market, t: int, sym: int, column: int) -> int:
    return m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + column] * m.limits[M_MULTIPLE]


@part
def opening(m: Market, w: State, i: int) -> int:
    """The price at which a market order meets the row's open."""
    if w.desk[VARIANT] == FILL_AT_CLOSE:
        return w.slot[i * WIDTH + MARK]
    return cell(m, w.desk[ROW], m.slots[i * S_WIDTH + S_SYM], 0)


@part
def heard(w: State, what: int, i: int) -> None:
    w.heard[(w.desk[N_HEARD]) * 2 + 0] = what
    w.heard[(w.desk[N_HEARD]) * 2 + 1] = i
    w.desk[N_HEARD] += 1


# -- what trades ----------------------------------------------------------------------------------------


@part
def execute_entry(m: Market, w: State, i: int, price: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    x[E] = X_TRADED
    x[FILL] = price
    book(m, w, i, x[E_Q], price, False)
    heard(w, ENTRY_FILLED, i)


@part
def execute_exit(m: Market, w: State, i: int, price: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    by_broker = x[XS] == X_RMS
    x[XS] = X_TRADED
    x[FILL] = price
    book(m, w, i, -x[Q], price, by_broker)
    heard(w, EXIT_FILLED, i)


@part
def book(m: Market, w: State, i: int, signed: int, price: int, by_broker: bool) -> None:
    """The broker's own net position, the day's gain and its contract note."""
    apart()
    line = m.slots[i * S_WIDTH + S_LINE]
    net = row(w.net, line * 2)
    held = net[0]
    sign = 1 if signed > 0 else -1
    if held * signed < 0:
        closed = min(abs(signed), abs(held))
        cost = net[1] if closed == abs(held) else net[1] * closed // abs(held)
        w.desk[GAIN] += (price * closed - cost) * (1 if held > 0 else -1)
        net[1] -= cost
        net[1] += price * (abs(signed) - closed)
    else:
        net[1] += price * abs(signed)
    net[0] += signed
    chapter = m.lines[(line * m.limits[M_DAYS] + w.desk[DAY]) * L_WIDTH + L_CHAPTER]
    note_down(m, line, w.desk[DAY], sign, price * abs(signed), by_broker, row(w.note, chapter * 8))


@part
def meet_open(m: Market, w: State, i: int) -> None:
    """An exit that rests meets the open of a candle."""
    apart()
    x = row(w.slot, (i) * WIDTH)
    sign = -1 if x[Q] > 0 else 1
    tick = m.symbols[(m.slots[i * S_WIDTH + S_SYM]) * Y_WIDTH + Y_TICK]
    if x[XS] == X_RMS or x[X_TYPE] == MARKET:
        execute_exit(m, w, i, slipped(m, opening(m, w, i), sign, tick))
        return
    price = cell(m, w.desk[ROW], m.slots[i * S_WIDTH + S_SYM], 0)
    if x[X_TYPE] == SLM:
        if rules.stop_hit(-sign, x[X_TRIGGER], price, price):
            execute_exit(m, w, i, slipped(m, price, sign, tick))
    elif rules.target_hit(-sign, x[X_LIMIT], price, price):
        if x[X_MET]:
            execute_exit(m, w, i, x[X_LIMIT])
        else:
            execute_exit(m, w, i, on_tick_up(price, tick) if sign > 0 else on_tick_down(price, tick))
    else:
        x[X_MET] = 1


@part
def live_through(m: Market, w: State, i: int) -> None:
    """An exit that rests lives through the range of a candle; a market order waits for the next open."""
    apart()
    x = row(w.slot, (i) * WIDTH)
    t = w.desk[ROW]
    sym = m.slots[i * S_WIDTH + S_SYM]
    start = m.rows[t * 2 + 0]
    sign = -1 if x[Q] > 0 else 1
    low, high = cell(m, t, sym, 2), cell(m, t, sym, 1)
    if x[X_TYPE] == SLM:
        if x[X_ACTIVE] >= start + m.limits[M_LENGTH]:
            return
        if rules.stop_hit(-sign, x[X_TRIGGER], low, high):
            price = cell(m, t, sym, 0)
            price = max(x[X_TRIGGER], price) if sign > 0 else min(x[X_TRIGGER], price)
            execute_exit(m, w, i, slipped(m, price, sign, m.symbols[sym * Y_WIDTH + Y_TICK]))
    elif x[X_TYPE] == LIMIT and x[X_ACTIVE] <= start and rules.target_hit(-sign, x[X_LIMIT], low, high):
        execute_exit(m, w, i, x[X_LIMIT])


# -- what is asked --------------------------------------------------------------------------------------


@part
def answer_all(m: Market, w: State) -> None:
    """Carry out what was asked, in order; what comes of it is heard in order."""
    apart()
    n = 0
    while n < w.desk[N_ASKED]:
        what, i = w.asked[n * 2 + 0], w.asked[n * 2 + 1]
        n += 1
        if what == ASK_ENTRY:
            take_entry(m, w, i)
        elif what == ASK_EXIT:
            take_exit(m, w, i)
        elif what == ASK_CHANGE:
            take_change(m, w, i)
        elif what == ASK_CANCEL_ENTRY:
            if w.slot[i * WIDTH + E] == X_RESTS:
                w.slot[i * WIDTH + E] = X_GONE
                heard(w, ENTRY_CANCELLED, i)
        elif w.slot[i * WIDTH + XS] == X_RESTS:
            w.slot[i * WIDTH + XS] = X_GONE
            heard(w, EXIT_CANCELLED, i)
    w.desk[N_ASKED] = 0


@part
def quoted_now(m: Market, w: State, i: int) -> bool:
    """Whether the quote of this very instant is known: opens are, a candle's close is not for trading."""
    return (
        w.desk[STAGE] == OPENING_TICKS
        and m.cells[((w.desk[ROW]) * m.limits[M_SYMBOLS] + m.slots[i * S_WIDTH + S_SYM]) * 4 + 3] != 0
    )


@part
def take_entry(m: Market, w: State, i: int) -> None:
    x = row(w.slot, (i) * WIDTH)
    w.desk[SERIAL] += 1
    x[E_SERIAL] = w.desk[SERIAL]
    if m.limits[M_ACCOUNT] and not funded(m, w, i):
        heard(w, ENTRY_REJECTED, i)
        return
    x[E] = X_RESTS
    if quoted_now(m, w, i):
        sign = 1 if x[E_Q] > 0 else -1
        tick = m.symbols[(m.slots[i * S_WIDTH + S_SYM]) * Y_WIDTH + Y_TICK]
        execute_entry(m, w, i, slipped(m, opening(m, w, i), sign, tick))
    else:
        heard(w, ENTRY_PLACED, i)


@part
def fires_now(w: State, i: int, trigger: int, sym: int) -> bool:
    """Whether the last price has reached the trigger already; nobody knows it inside a candle."""
    if w.desk[STAGE] == INSIDE and w.desk[RANGE_OF] == sym:
        return False
    mark = w.slot[i * WIDTH + MARK]
    return rules.stop_hit(1 if w.slot[i * WIDTH + Q] > 0 else -1, trigger, mark, mark)


@part
def take_exit(m: Market, w: State, i: int) -> None:
    x = row(w.slot, (i) * WIDTH)
    w.desk[SERIAL] += 1
    x[X_SERIAL] = w.desk[SERIAL]
    x[X_ACTIVE] = w.desk[NOW]
    x[X_MET] = 0
    if x[X_TYPE] == SLM:
        if fires_now(w, i, x[X_TRIGGER], m.slots[i * S_WIDTH + S_SYM]):
            x[XS] = X_GONE
            heard(w, EXIT_REFUSED, i)
            return
    before = blocked(m, w, -1) if opens_more(m, w, i) else -1
    x[XS] = X_RESTS
    if before >= 0 and not covered(m, w, before):
        x[XS] = X_GONE
        heard(w, EXIT_REFUSED, i)
        return
    heard(w, EXIT_PLACED, i)
    if x[X_TYPE] != SLM and quoted_now(m, w, i):
        meet_open(m, w, i)


@part
def opens_more(m: Market, w: State, i: int) -> bool:
    """Whether an exit would open a position at the broker, who nets what several strategies hold."""
    if m.limits[M_SINGLE] or not m.limits[M_ACCOUNT]:
        return False
    x = row(w.slot, i * WIDTH)
    sign = -1 if x[Q] > 0 else 1
    return opens(abs(x[Q]), sign, w.net[m.slots[i * S_WIDTH + S_LINE] * 2]) > 0


@part
def covered(m: Market, w: State, before: int) -> bool:
    """Whether the cash covers what is blocked now, beside what was blocked before."""
    after = blocked(m, w, -1)
    cash = w.desk[CASH] + min(w.desk[GAIN], 0) - note_total(m, w)
    return after <= cash or after <= before


@part
def take_change(m: Market, w: State, i: int) -> None:
    x = row(w.slot, (i) * WIDTH)
    if x[XS] != X_RESTS:
        return  # it has traded: that is heard before the refusal
    sym = m.slots[i * S_WIDTH + S_SYM]
    before = blocked(m, w, -1) if opens_more(m, w, i) else -1
    x[X_PENDING] = C_TAKEN
    fires = x[X_TYPE] == SLM and fires_now(w, i, x[X_TRIGGER], sym)
    if fires or (before >= 0 and not covered(m, w, before)):
        x[X_PENDING] = C_REFUSED
        heard(w, EXIT_CHANGED, i)
        return
    x[X_ACTIVE] = w.desk[NOW]
    x[X_MET] = 0
    if w.desk[STAGE] == INSIDE and w.desk[RANGE_OF] == sym:
        if x[X_TYPE] == LIMIT:
            low, high = cell(m, w.desk[ROW], sym, 2), cell(m, w.desk[ROW], sym, 1)
            if low <= x[X_LIMIT] <= high:
                execute_exit(m, w, i, x[X_LIMIT])
    elif quoted_now(m, w, i):
        meet_open(m, w, i)
    heard(w, EXIT_CHANGED, i)


# -- the account ----------------------------------------------------------------------------------------


@part
def funded(m: Market, w: State, i: int) -> bool:
    """The broker's margin check: gains of today are no cash before they are settled."""
    x = row(w.slot, (i) * WIDTH)
    line = m.slots[i * S_WIDTH + S_LINE]
    sign = 1 if x[E_Q] > 0 else -1
    if opens(abs(x[E_Q]), sign, w.net[line * 2 + 0]) == 0:
        return True
    after = blocked(m, w, i)
    losses = min(w.desk[GAIN], 0)
    if after <= w.desk[CASH] + losses - note_at_most(m, w):
        return True
    cash = w.desk[CASH] + losses - note_total(m, w)
    return after <= cash or after <= blocked(m, w, -1)


@part
def note_at_most(m: Market, w: State) -> int:
    total = 0
    for n in range(m.limits[M_CHAPTERS]):
        total += noted_at_most(row(w.note, n * 8))
    return total


@part
def note_total(m: Market, w: State) -> int:
    total = 0
    rates = row(m.rates, m.lines[(0 * m.limits[M_DAYS] + w.desk[DAY]) * L_WIDTH + L_RATES] * R_WIDTH)
    for n in range(m.limits[M_CHAPTERS]):  # the last row is the desk's scratch
        total += noted(row(w.note, n * 8), rates[R_GST], rates[R_GST_OF])
    return total


@part
def opens(units: int, sign: int, net: int) -> int:
    return max(units - max(-net * sign, 0), 0)


@part
def blocked(m: Market, w: State, new: int) -> int:
    """What positions and working orders block, with the entry of slot ``new`` besides them."""
    apart()
    total = 0
    if m.limits[M_SINGLE]:
        for n in range(w.desk[N_OPEN]):
            x = row(w.slot, w.open[n] * WIDTH)
            if x[XS] != X_TRADED:  # closed here, though the desk has not heard of it
                total += x[TIED]
        for n in range(w.desk[N_ENTERING]):
            k = w.entering[n]
            x = row(w.slot, k * WIDTH)
            if x[E] == X_RESTS or x[E] == X_TRADED or k == new:
                sign = 1 if x[E_Q] > 0 else -1
                price = x[FILL] if x[E] == X_TRADED else x[MARK]
                total += margin(m, m.slots[k * S_WIDTH + S_LINE], w.desk[DAY], sign, price * abs(x[E_Q]))
        return total
    for line in range(m.limits[M_LINES]):
        w.seen[line] = 0
    for n in range(w.desk[N_OPEN] + w.desk[N_ENTERING]):
        k = w.open[n] if n < w.desk[N_OPEN] else w.entering[n - w.desk[N_OPEN]]
        line = m.slots[k * S_WIDTH + S_LINE]
        if not w.seen[line]:
            w.seen[line] = 1
            total += _blocked_line(m, w, line, new)
    return total


@part
def _blocked_line(m: Market, w: State, line: int, new: int) -> int:
    apart()
    day = w.desk[DAY]
    net = w.net[line * 2 + 0]
    buys, sells = 0, 0
    if net > 0:
        buys = margin(m, line, day, 1, w.net[line * 2 + 1])
    elif net < 0:
        sells = margin(m, line, day, -1, w.net[line * 2 + 1])
    for n in range(w.desk[N_ENTERING]):
        k = w.entering[n]
        x = row(w.slot, (k) * WIDTH)
        if m.slots[k * S_WIDTH + S_LINE] == line and (x[E] == X_RESTS or k == new):
            sign = 1 if x[E_Q] > 0 else -1
            needed = margin(m, line, day, sign, x[MARK] * opens(abs(x[E_Q]), sign, net))
            if sign > 0:
                buys += needed
            else:
                sells += needed
    for n in range(w.desk[N_OPEN]):
        k = w.open[n]
        x = row(w.slot, (k) * WIDTH)
        if m.slots[k * S_WIDTH + S_LINE] == line and x[XS] == X_RESTS:
            sign = -1 if x[Q] > 0 else 1
            units = opens(abs(x[Q]), sign, net)
            if units:
                price = working_price(w, k)
                needed = margin(m, line, day, sign, price * units)
                if sign > 0:
                    buys += needed
                else:
                    sells += needed
    return max(buys, sells)


@part
def working_price(w: State, i: int) -> int:
    """Of an exit, by the terms the broker knows: the limit, else the trigger, else the last price."""
    x = row(w.slot, i * WIDTH)
    old = x[X_PENDING] == C_ASKED or x[X_PENDING] == C_REFUSED
    kind = x[X_OLD_TYPE] if old else x[X_TYPE]
    if kind == SLM:
        return x[X_OLD_TRIGGER] if old else x[X_TRIGGER]
    if kind == LIMIT:
        return x[X_OLD_LIMIT] if old else x[X_LIMIT]
    return x[MARK]


@part
def close_account_day(m: Market, w: State) -> None:
    """The day's loss and charges leave at once, its gain comes when it is settled."""
    d = w.desk
    d[CASH] -= note_total(m, w) - min(d[GAIN], 0)
    settles = m.days[(d[DAY]) * D_WIDTH + D_SETTLES]
    if d[GAIN] > 0 and settles < m.limits[M_DAYS]:
        w.credits[settles] += d[GAIN]
    d[GAIN] = 0
    for n in range(m.limits[M_CHAPTERS]):
        for column in range(8):
            w.note[n * 8 + column] = 0
