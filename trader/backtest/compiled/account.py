"""The paper exchange's account: what is blocked, what a day cost, when a gain can be used. As
``trader.broker.paper.account``, ``blocked`` and ``riskdesk`` do it for everything but delivery."""

from __future__ import annotations

from trader.backtest.compiled.fields import (
    C_ASKED,
    C_REFUSED,
    CASH,
    D_SETTLES,
    D_WIDTH,
    DAY,
    E_Q,
    EVENING,
    FILL,
    GAIN,
    L_CHAPTER,
    L_RATES,
    L_WIDTH,
    LIMIT,
    M_ACCOUNT,
    M_CHAPTERS,
    M_DAYS,
    M_LINES,
    M_SINGLE,
    MARK,
    N_ENTERING,
    N_OPEN,
    NOTE_WIDTH,
    P_EXTERNAL,
    PAISA,
    R_GST,
    R_GST_OF,
    R_WIDTH,
    S_LEG,
    S_LINE,
    S_WIDTH,
    SLM,
    STAGE,
    SYM,
    TIED,
    WIDTH,
    X_LIMIT,
    X_OLD_LIMIT,
    X_OLD_TRIGGER,
    X_OLD_TYPE,
    X_PENDING,
    X_PURPOSE,
    X_RESTS,
    X_RMS,
    X_TRADED,
    X_TRIGGER,
    X_TYPE,
    XS,
    Y_CHUNK,
    Y_LAST_DAY,
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
    charge,
    margin,
    note_down,
    noted,
    noted_at_most,
)
from trader.backtest.compiled.prices import (
    refresh,
)


@part
def book(m: Market, w: State, i: int, signed: int, price: int) -> None:
    """The broker's own net position and the day's gain."""
    apart()
    line = m.slots[i * S_WIDTH + S_LINE]
    net = row(w.net, line * 2)
    held = net[0]
    if held * signed < 0:
        closed = min(abs(signed), abs(held))
        each, left = net[1] // abs(held), net[1] % abs(held)
        cost = each * closed + left * closed // abs(held)
        w.desk[GAIN] += (price * closed - cost) * (1 if held > 0 else -1)
        net[1] -= cost
        net[1] += price * (abs(signed) - closed)
    else:
        net[1] += price * abs(signed)
    net[0] += signed


@part
def note(m: Market, w: State, line: int, signed: int, price: int, by_broker: bool) -> None:
    """An order on the day's contract note."""
    chapter = m.lines[(line * m.limits[M_DAYS] + w.desk[DAY]) * L_WIDTH + L_CHAPTER]
    sign = 1 if signed > 0 else -1
    note_down(m, line, w.desk[DAY], sign, price * abs(signed), by_broker, row(w.note, chapter * NOTE_WIDTH))


@part
def broker_cost(m: Market, w: State, i: int, price: int) -> int:
    """A position's part of the charges of the broker's own orders. It closes what all strategies hold of a
    line at once, in orders as large as they may be, with a fee for each; strategies bear them by name. What
    no order closed of a contract on its last day the exchange settles at once, and that is on no note."""
    apart()
    x = row(w.slot, i * WIDTH)
    line, leg = m.slots[i * S_WIDTH + S_LINE], m.slots[i * S_WIDTH + S_LEG]
    before, total = 0, 0
    for n in range(w.desk[N_OPEN]):
        k = w.open[n]
        y = row(w.slot, k * WIDTH)
        leaves = y[X_PURPOSE] == P_EXTERNAL and (y[XS] == X_RMS or y[XS] == X_TRADED)
        if m.slots[k * S_WIDTH + S_LINE] == line and leaves and y[Q] * x[Q] > 0:
            total += abs(y[Q])
            if m.slots[k * S_WIDTH + S_LEG] < leg:
                before += abs(y[Q])
    of = row(m.symbols, x[SYM] * Y_WIDTH)
    settled = w.desk[STAGE] == EVENING and of[Y_LAST_DAY] == w.desk[DAY]
    most = total if settled else of[Y_CHUNK]
    sign = -1 if x[Q] > 0 else 1
    cost, begin = 0, 0
    while begin < total:
        units = min(total - begin, most)
        share = min(begin + units, before + abs(x[Q])) - max(begin, before)
        if share > 0:
            whole = charge(m, line, w.desk[DAY], sign, price * units, True)
            cost += (2 * whole * share + units * PAISA) // (2 * units * PAISA) * PAISA
        if before == 0 and not settled:
            note(m, w, line, sign * units, price, True)
        begin += units
    return cost


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
        total += noted_at_most(row(w.note, n * NOTE_WIDTH))
    return total


@part
def note_total(m: Market, w: State) -> int:
    total = 0
    rates = row(m.rates, m.lines[(0 * m.limits[M_DAYS] + w.desk[DAY]) * L_WIDTH + L_RATES] * R_WIDTH)
    for n in range(m.limits[M_CHAPTERS]):  # the last row is the desk's scratch
        total += noted(row(w.note, n * NOTE_WIDTH), rates[R_GST], rates[R_GST_OF])
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
                price = working_price(m, w, k)
                needed = margin(m, line, day, sign, price * units)
                if sign > 0:
                    buys += needed
                else:
                    sells += needed
    return max(buys, sells)


@part
def working_price(m: Market, w: State, i: int) -> int:
    """Of an exit, by the terms the broker knows: the limit, else the trigger, else the last price."""
    x = row(w.slot, i * WIDTH)
    old = x[X_PENDING] == C_ASKED or x[X_PENDING] == C_REFUSED
    kind = x[X_OLD_TYPE] if old else x[X_TYPE]
    if kind == SLM:
        return x[X_OLD_TRIGGER] if old else x[X_TRIGGER]
    if kind == LIMIT:
        return x[X_OLD_LIMIT] if old else x[X_LIMIT]
    refresh(m, w, i)
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
        for column in range(NOTE_WIDTH):
            w.note[n * NOTE_WIDTH + column] = 0
