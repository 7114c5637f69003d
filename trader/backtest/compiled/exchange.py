"""The paper exchange: what it answers to what is asked, what it trades, and what its account allows. As
``trader.broker.paper`` does it for orders that trade whole and at once."""

from __future__ import annotations

from trader.backtest.compiled.account import (
    blocked,
    book,
    broker_cost,
    covered,
    funded,
    note,
    opens_more,
)
from trader.backtest.compiled.fields import (
    ASK_CANCEL_ENTRY,
    ASK_CHANGE,
    ASK_ENTRY,
    ASK_EXIT,
    BEGINS,
    C_REFUSED,
    C_TAKEN,
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
    FILL_AT_CLOSE,
    INSIDE,
    LIMIT,
    M_ACCOUNT,
    M_LENGTH,
    MARK,
    MARKET,
    MIS,
    MOMENTS,
    N_ASKED,
    N_HEARD,
    NOW,
    OPEN,
    RANGE_OF,
    ROW,
    S_LINE,
    S_PRODUCT,
    S_SYM,
    S_WIDTH,
    SERIAL,
    SLM,
    STAGE,
    SYM,
    VARIANT,
    WIDTH,
    X_ACTIVE,
    X_COST,
    X_GONE,
    X_LIMIT,
    X_MET,
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
from trader.backtest.compiled.jit import (
    part,
)
from trader.backtest.compiled.memory import (
    apart,
    row,
)
from trader.backtest.compiled.money import (
    on_tick_down,
    on_tick_up,
    slipped,
)
from trader.backtest.compiled.prices import (
    cell,
    flags_of,
    quoted,
    quotes_of,
    refresh,
    traded_in,
)
from trader.strategy import rules


@part
def opening(m: Market, w: State, i: int) -> int:
    """The price at which a market order meets a quote."""
    if w.desk[VARIANT] == FILL_AT_CLOSE:
        refresh(m, w, i)
        return w.slot[i * WIDTH + MARK]
    return quoted(m, w, m.slots[i * S_WIDTH + S_SYM])


@part
def heard(w: State, what: int, i: int) -> None:
    w.heard[(w.desk[N_HEARD]) * 2 + 0] = what
    w.heard[(w.desk[N_HEARD]) * 2 + 1] = i
    w.desk[N_HEARD] += 1


@part
def deal(w: State, sym: int, price: int) -> None:
    """It is the last traded price until the next quote; inside a candle none is known."""
    quotes = quotes_of(w)
    if quotes >= 0:
        w.dealt[sym * 2] = quotes
        w.dealt[sym * 2 + 1] = price


@part
def dealt_now(w: State, sym: int) -> bool:
    quotes = quotes_of(w)
    return quotes >= 0 and w.dealt[sym * 2] == quotes


@part
def execute_entry(m: Market, w: State, i: int, price: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    x[E] = X_TRADED
    x[FILL] = price
    deal(w, x[SYM], price)
    book(m, w, i, x[E_Q], price)
    note(m, w, m.slots[i * S_WIDTH + S_LINE], x[E_Q], price, False)
    heard(w, ENTRY_FILLED, i)


@part
def execute_exit(m: Market, w: State, i: int, price: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    if x[XS] != X_RMS:
        note(m, w, m.slots[i * S_WIDTH + S_LINE], -x[Q], price, False)
    elif m.slots[i * S_WIDTH + S_PRODUCT] == MIS:
        x[X_COST] = broker_cost(m, w, i, price)
    x[XS] = X_TRADED
    x[FILL] = price
    deal(w, x[SYM], price)
    book(m, w, i, -x[Q], price)
    heard(w, EXIT_FILLED, i)


@part
def meet_open(m: Market, w: State, i: int) -> None:
    """An exit that rests meets a quote: the open of a candle, or its close as the last chance."""
    apart()
    x = row(w.slot, (i) * WIDTH)
    sign = -1 if x[Q] > 0 else 1
    tick = m.symbols[(m.slots[i * S_WIDTH + S_SYM]) * Y_WIDTH + Y_TICK]
    if x[XS] == X_RMS or x[X_TYPE] == MARKET:
        execute_exit(m, w, i, slipped(m, opening(m, w, i), sign, tick))
        return
    price = quoted(m, w, m.slots[i * S_WIDTH + S_SYM])
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
    start = m.rows[t * MOMENTS + BEGINS]
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
    """Whether a quote of this very instant is known: opens are, a candle's close is for trading only as the
    last chance."""
    return quotes_of(w) >= 0 and traded_in(m, w.desk[ROW], m.slots[i * S_WIDTH + S_SYM])


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
def fires_now(m: Market, w: State, i: int, trigger: int, sym: int) -> bool:
    """Whether the last price has reached the trigger already; nobody knows it inside a candle."""
    if w.desk[STAGE] == INSIDE and w.desk[RANGE_OF] == sym:
        return False
    refresh(m, w, i)
    mark = w.slot[i * WIDTH + MARK]
    if dealt_now(w, sym):
        mark = w.dealt[sym * 2 + 1]
    return rules.stop_hit(1 if w.slot[i * WIDTH + Q] > 0 else -1, trigger, mark, mark)


@part
def take_exit(m: Market, w: State, i: int) -> None:
    x = row(w.slot, (i) * WIDTH)
    w.desk[SERIAL] += 1
    x[X_SERIAL] = w.desk[SERIAL]
    x[X_ACTIVE] = w.desk[NOW]
    x[X_MET] = 0
    if x[X_TYPE] == SLM:
        if fires_now(m, w, i, x[X_TRIGGER], m.slots[i * S_WIDTH + S_SYM]):
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
def take_change(m: Market, w: State, i: int) -> None:
    x = row(w.slot, (i) * WIDTH)
    if x[XS] != X_RESTS:
        return  # it has traded: that is heard before the refusal
    sym = m.slots[i * S_WIDTH + S_SYM]
    before = blocked(m, w, -1) if opens_more(m, w, i) else -1
    x[X_PENDING] = C_TAKEN
    fires = x[X_TYPE] == SLM and fires_now(m, w, i, x[X_TRIGGER], sym)
    inside = w.desk[STAGE] == INSIDE and w.desk[RANGE_OF] == sym
    closed = (
        inside and not flags_of(m, w.desk[ROW], sym, BEGINS) & OPEN
    )  # a candle that begins in a day's break
    if fires or closed or (before >= 0 and not covered(m, w, before)):
        x[X_PENDING] = C_REFUSED
        heard(w, EXIT_CHANGED, i)
        return
    x[X_ACTIVE] = w.desk[NOW]
    x[X_MET] = 0
    if inside:
        if x[X_TYPE] == LIMIT:
            low, high = cell(m, w.desk[ROW], sym, 2), cell(m, w.desk[ROW], sym, 1)
            if low <= x[X_LIMIT] <= high:
                execute_exit(m, w, i, x[X_LIMIT])
    elif quoted_now(m, w, i) and not (x[X_TYPE] == SLM and dealt_now(w, sym)):
        meet_open(m, w, i)
    heard(w, EXIT_CHANGED, i)
