"""An entry: its size and the gate's checks in the gate's order, as ``runner`` and ``checks`` have them."""

from __future__ import annotations

from trader.backtest.compiled.fields import (
    ASK_ENTRY,
    COMING,
    COOLDOWN,
    DAY,
    DEFERRED,
    DEFERRED_FOR,
    DEFERRED_UNTIL,
    E_CANCEL,
    E_FATE,
    E_KNOWN,
    E_PRICE,
    E_Q,
    E_TIED,
    E_WITHDRAWN,
    ENTRIES,
    ENTRIES_TODAY,
    GROSS,
    IN_DAY,
    IN_MINUTE,
    IN_SECOND,
    LAST_AT,
    LAST_Q,
    LATCH,
    LATCH_NONE,
    M_DAILY_LOSS,
    M_DAY,
    M_DUPLICATE,
    M_EXPOSURE,
    M_MINUTE,
    M_MULTIPLE,
    M_ORDER,
    M_POSITION,
    M_POSITIONS,
    M_SECOND,
    M_STALE,
    M_SYMBOLS,
    M_TRADES,
    MARK,
    MARK_AT,
    MF_CAPITAL,
    MIS,
    N_BAND,
    N_CAPITAL,
    N_COOLDOWN,
    N_DAY_TRADES,
    N_DEFERRED,
    N_DRAWDOWN,
    N_DUPLICATE,
    N_ENTERING,
    N_EXPIRED,
    N_EXPIRES,
    N_EXPOSURE,
    N_FREEZE,
    N_LOSS,
    N_LOT,
    N_MODE,
    N_OPEN,
    N_ORDER,
    N_OVER,
    N_POSITION,
    N_POSITIONS,
    N_PRODUCT,
    N_RATE_DAY,
    N_RATE_MINUTE,
    N_RATE_SECOND,
    N_RISK,
    N_SESSION,
    N_STALE,
    N_STRATEGY,
    N_TRADABLE,
    NEVER_STILL,
    NOW,
    OPEN,
    S_LEG,
    S_LINE,
    S_MAX,
    S_PRODUCT,
    S_QUANTITY,
    S_SYM,
    S_TAKEN_LONG,
    S_TAKEN_SHORT,
    S_WIDTH,
    SF_RISK,
    SF_STOP,
    SF_WIDTH,
    STOPS,
    TIED_ALL,
    WAKE_LOW,
    WIDTH,
    X_NONE,
    X_SENT,
    X_STOP,
    XS,
    Y_BANDED,
    Y_EXPIRED,
    Y_FREEZE,
    Y_LAST_DAY,
    Y_LOT,
    Y_TICK,
    Y_TRADED,
    Y_WIDTH,
    E,
    Market,
    State,
)
from trader.backtest.compiled.guard import (
    day_result,
    equity,
    fallen,
)
from trader.backtest.compiled.jit import (
    part,
)
from trader.backtest.compiled.memory import (
    apart,
    row,
)
from trader.backtest.compiled.money import (
    floored,
    margin,
    rupees_of,
)
from trader.backtest.compiled.orders import (
    allowed,
    append,
    ask,
    count_pace,
    remove,
    roll_pace,
)
from trader.strategy import rules

ACCEPTED = -1


@part
def enter(m: Market, w: State, i: int, side: int) -> None:
    """Size an entry, have it judged, send it. What a busy second has no room for waits a few seconds."""
    decided(w, i, side, sent(m, w, i, side), w.desk[NOW] + DEFERRED_FOR)


@part
def decided(w: State, i: int, side: int, denial: int, until: int) -> None:
    if denial == ACCEPTED:
        remember(w, i)
        return
    w.denied[denial] += 1
    if denial == N_RATE_SECOND and w.slot[i * WIDTH + DEFERRED] == 0:
        defer(w, i, side, until)


@part
def defer(w: State, i: int, side: int, until: int) -> None:
    w.slot[i * WIDTH + DEFERRED] = side
    w.slot[i * WIDTH + DEFERRED_UNTIL] = until
    append(w, w.deferred, N_DEFERRED, i)


@part
def undefer(w: State, i: int) -> None:
    x = row(w.slot, i * WIDTH)
    if x[DEFERRED]:
        x[DEFERRED] = 0
        remove(w, w.deferred, N_DEFERRED, i)


@part
def remember(w: State, i: int) -> None:
    """Against the same entry twice in a few seconds."""
    x = row(w.slot, i * WIDTH)
    x[LAST_AT] = w.desk[NOW]
    x[LAST_Q] = x[E_Q]


@part
def sent(m: Market, w: State, i: int, side: int) -> int:
    """ACCEPTED and on its way, or why not.

    What does not depend on the size is asked first: most entries that are refused are refused for it."""
    apart()
    denial = barred(m, w, i, side)
    if denial != ACCEPTED:
        return denial
    x = row(w.slot, i * WIDTH)
    sym = m.slots[i * S_WIDTH + S_SYM]
    last = rupees_of(x[MARK])
    distance = abs(last - rules.stop_price(last, side, m.terms[i * SF_WIDTH + SF_STOP]))
    distance = max(distance, rupees_of(m.symbols[sym * Y_WIDTH + Y_TICK]))
    worth = equity(m, w)
    gross = w.desk[GROSS] + w.desk[COMING]
    quantity = size(m, w, i, side, distance, worth, gross)
    lot = m.symbols[sym * Y_WIDTH + Y_LOT]
    freeze = m.symbols[sym * Y_WIDTH + Y_FREEZE]
    if quantity == 0:
        quantity = lot
    elif freeze and m.slots[i * S_WIDTH + S_QUANTITY] == 0:
        quantity = min(quantity, freeze // lot * lot)
    value = x[MARK] * quantity
    tied = margin(m, m.slots[i * S_WIDTH + S_LINE], w.desk[DAY], side, value)
    denial = judged(m, w, i, side, quantity, floored(distance), worth, gross, tied)
    if denial != ACCEPTED:
        return denial
    count_pace(w, 1)
    w.desk[ENTRIES_TODAY] += 1
    w.desk[TIED_ALL] += tied
    w.desk[COMING] += value
    w.legs[m.slots[i * S_WIDTH + S_LEG]] += 1
    x[E] = X_SENT
    x[E_Q] = side * quantity
    x[E_PRICE] = x[MARK]
    x[E_TIED] = tied
    x[E_WITHDRAWN] = x[E_FATE] = x[E_CANCEL] = x[E_KNOWN] = 0
    append(w, w.entering, N_ENTERING, i)
    ask(w, ASK_ENTRY, i)
    return ACCEPTED


@part
def barred(m: Market, w: State, i: int, side: int) -> int:
    """The first of the checks that look at no size and deny it."""
    d = w.desk
    x = row(w.slot, i * WIDTH)
    sym = m.slots[i * S_WIDTH + S_SYM]
    limits = m.limits
    if d[LATCH] != LATCH_NONE:
        return N_MODE
    if not m.symbols[sym * Y_WIDTH + Y_TRADED]:
        return N_TRADABLE
    now = allowed(m, w, i)
    if not now & OPEN:
        return N_SESSION
    if not m.slots[i * S_WIDTH + (S_TAKEN_LONG if side > 0 else S_TAKEN_SHORT)]:
        return N_PRODUCT
    product = m.slots[i * S_WIDTH + S_PRODUCT]
    if (product == MIS and not now & ENTRIES) or not now & STOPS:
        return N_OVER
    if d[NOW] - x[MARK_AT] > limits[M_STALE]:
        return N_STALE
    if d[DAY] >= m.symbols[sym * Y_WIDTH + Y_EXPIRED]:
        return N_EXPIRED
    if d[DAY] == m.symbols[sym * Y_WIDTH + Y_LAST_DAY] and product != MIS:
        return N_EXPIRES
    if d[N_OPEN] + d[N_ENTERING] >= limits[M_POSITIONS]:
        return N_POSITIONS
    if w.legs[m.slots[i * S_WIDTH + S_LEG]] >= m.slots[i * S_WIDTH + S_MAX]:
        return N_STRATEGY
    if day_result(w) <= -limits[M_DAILY_LOSS]:
        return N_LOSS
    if fallen(m, w, equity(m, w)):
        return N_DRAWDOWN
    if d[ENTRIES_TODAY] >= limits[M_TRADES]:
        return N_DAY_TRADES
    if d[NOW] < d[COOLDOWN]:
        return N_COOLDOWN
    return ACCEPTED


@part
def size(m: Market, w: State, i: int, side: int, distance: float, worth: int, gross: int) -> int:
    if m.slots[i * S_WIDTH + S_QUANTITY]:
        return m.slots[i * S_WIDTH + S_QUANTITY]
    x = row(w.slot, (i) * WIDTH)
    lot = m.symbols[(m.slots[i * S_WIDTH + S_SYM]) * Y_WIDTH + Y_LOT]
    room = min(m.limits[M_ORDER], m.limits[M_POSITION])
    room = min(room, m.limits[M_EXPOSURE] - gross)
    value = x[MARK] * lot
    blocked = margin(m, m.slots[i * S_WIDTH + S_LINE], w.desk[DAY], side, value)
    free = float(worth - w.desk[TIED_ALL])
    if blocked > 0:
        free *= value / blocked
    most = min(rupees_of(room), free / 10_000.0)
    return rules.position_size(
        m.fractions[MF_CAPITAL],
        m.terms[i * SF_WIDTH + SF_RISK],
        distance,
        rupees_of(x[MARK]),
        lot,
        max(most, 0.0),
    )


@part
def judged(
    m: Market,
    w: State,
    i: int,
    side: int,
    quantity: int,
    distance: int,
    worth: int,
    gross: int,
    tied: int,
) -> int:
    """The code of the first check of the size that denies it; ACCEPTED when none does."""
    x = row(w.slot, i * WIDTH)
    sym = m.slots[i * S_WIDTH + S_SYM]
    limits = m.limits
    lot = m.symbols[sym * Y_WIDTH + Y_LOT]
    if lot > 1 and quantity % lot:
        return N_LOT
    freeze = m.symbols[sym * Y_WIDTH + Y_FREEZE]
    if freeze and quantity > freeze:
        return N_FREEZE
    if m.symbols[sym * Y_WIDTH + Y_BANDED] and beyond_band(m, w, sym, x[MARK] - distance * side):
        return N_BAND
    value = x[MARK] * quantity
    if value > limits[M_ORDER]:
        return N_ORDER
    if value > limits[M_POSITION]:
        return N_POSITION
    percent = m.terms[i * SF_WIDTH + SF_RISK]
    if float(distance * quantity) * 100.0 > m.fractions[MF_CAPITAL] * 10_000.0 * percent:
        return N_RISK
    if gross + value > limits[M_EXPOSURE]:
        return N_EXPOSURE
    if tied > worth - w.desk[TIED_ALL]:
        return N_CAPITAL
    return _pace(m, w, i, side, quantity)


@part
def beyond_band(m: Market, w: State, sym: int, stop: int) -> bool:
    """Whether a stop would lie beyond the day's price limits."""
    before = m.previous[w.desk[DAY] * m.limits[M_SYMBOLS] + sym]
    if before < 0:
        return False
    close = m.cells[(before * m.limits[M_SYMBOLS] + sym) * 4 + 3] * m.limits[M_MULTIPLE]
    tick = m.symbols[sym * Y_WIDTH + Y_TICK]
    return stop < -(-close * 9 // (tick * 10)) * tick or stop > close * 11 // (tick * 10) * tick


@part
def _pace(m: Market, w: State, i: int, side: int, quantity: int) -> int:
    """Room for the entry, its stop, and the stops of the entries before it."""
    d = w.desk
    x = row(w.slot, (i) * WIDTH)
    limits = m.limits
    roll_pace(w)
    owed = d[N_ENTERING]
    for n in range(d[N_OPEN]):
        y = row(w.slot, (w.open[n]) * WIDTH)
        if y[WAKE_LOW] == NEVER_STILL:
            owed += y[XS] == X_NONE or not y[X_STOP]
    if limits[M_SECOND] > 1 and d[IN_SECOND] + owed + 1 >= limits[M_SECOND]:
        return N_RATE_SECOND
    if d[IN_SECOND] >= limits[M_SECOND]:
        return N_RATE_SECOND
    if d[IN_MINUTE] >= limits[M_MINUTE]:
        return N_RATE_MINUTE
    if d[IN_DAY] >= limits[M_DAY]:
        return N_RATE_DAY
    if x[LAST_Q] == side * quantity and d[NOW] - x[LAST_AT] < limits[M_DUPLICATE]:
        return N_DUPLICATE
    return ACCEPTED
