"""The desk's orders on their way out: the pace, leaving, taking back. As ``trader.desk.leaving`` and
``sending`` do it."""

from __future__ import annotations

from trader.backtest.compiled.fields import (
    ASK_CANCEL_ENTRY,
    ASK_CANCEL_EXIT,
    ASK_CHANGE,
    ASK_EXIT,
    AWAKE,
    BROKER_DAY,
    BROKER_MINUTE,
    BROKER_SECOND,
    C_ASKED,
    E_CANCEL,
    E_FATE,
    E_KNOWN,
    E_WITHDRAWN,
    EVENING,
    IN_DAY,
    IN_MINUTE,
    IN_MINUTE_OF,
    IN_SECOND,
    IN_SECOND_OF,
    L_AGAIN,
    L_ATTEMPTS,
    L_LIMIT,
    L_SINCE,
    LEAVING,
    LIMIT,
    MARKET,
    MINUTE,
    MODIFICATIONS,
    MOMENT,
    N_ASKED,
    N_AWAKE,
    N_LEAVING,
    NEVER_STILL,
    NOW,
    OPEN,
    P_EXIT,
    P_KILL,
    P_STOP,
    PATIENCE,
    ROW,
    S_SYM,
    S_WIDTH,
    SECOND,
    STAGE,
    WAKE_LOW,
    WIDTH,
    X_AGAIN,
    X_KNOWN,
    X_LAGS,
    X_LIMIT,
    X_MODS,
    X_NONE,
    X_OLD_LIMIT,
    X_OLD_PURPOSE,
    X_OLD_TRIGGER,
    X_OLD_TYPE,
    X_PENDING,
    X_PURPOSE,
    X_REFUSALS,
    X_REFUSED,
    X_RMS,
    X_SENT,
    X_STOP,
    X_TRIGGER,
    X_TYPE,
    X_UPDATED,
    XS,
    E,
    Ints,
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
from trader.backtest.compiled.prices import (
    flags_of,
)

AGAIN = (1, 2, 4, 8, 15, 30)  # seconds, trader.desk.refusals
PAUSES = (0, 1, 2, 4, 8, 15, 30, 60, 120, 300)  # seconds, trader.desk.leaving


@part
def allowed(m: Market, w: State, i: int) -> int:
    """What the slot's venue allows at this moment."""
    if w.desk[STAGE] == EVENING:
        return 0
    return flags_of(m, w.desk[ROW], m.slots[i * S_WIDTH + S_SYM], w.desk[MOMENT])


@part
def roll_pace(w: State) -> None:
    d = w.desk
    second = d[NOW] // SECOND
    if d[IN_SECOND_OF] != second:
        d[IN_SECOND_OF] = second
        d[IN_SECOND] = 0
        minute = d[NOW] // MINUTE
        if d[IN_MINUTE_OF] != minute:
            d[IN_MINUTE_OF] = minute
            d[IN_MINUTE] = 0


@part
def count_pace(w: State, placed: int) -> None:
    roll_pace(w)
    w.desk[IN_SECOND] += 1
    w.desk[IN_MINUTE] += 1
    w.desk[IN_DAY] += placed


@part
def room(w: State, spare: int) -> bool:
    roll_pace(w)
    return w.desk[IN_SECOND] < BROKER_SECOND - spare and w.desk[IN_MINUTE] < BROKER_MINUTE


@part
def ask(w: State, what: int, i: int) -> None:
    w.asked[(w.desk[N_ASKED]) * 2 + 0] = what
    w.asked[(w.desk[N_ASKED]) * 2 + 1] = i
    w.desk[N_ASKED] += 1


@part
def append(w: State, items: Ints, count: int, i: int) -> None:
    items[w.desk[count]] = i
    w.desk[count] += 1


@part
def remove(w: State, items: Ints, count: int, i: int) -> None:
    """Keeps the order of the others."""
    found = 0
    for n in range(w.desk[count]):
        if items[n] == i:
            found = 1
        elif found:
            items[n - 1] = items[n]
    w.desk[count] -= found


@part
def waken(w: State, i: int) -> None:
    """Something happens to the slot in this row; in the next one it is looked at whatever the prices."""
    x = row(w.slot, i * WIDTH)
    x[WAKE_LOW] = NEVER_STILL
    if x[AWAKE] != w.desk[ROW]:
        x[AWAKE] = w.desk[ROW]
        append(w, w.awake, N_AWAKE, i)


@part
def leave(m: Market, w: State, i: int, purpose: int, limit: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    if x[Q] == 0:
        return
    if x[LEAVING] == 0 or purpose == P_KILL:
        if x[LEAVING] == 0:
            append(w, w.leaving, N_LEAVING, i)
        x[LEAVING] = purpose
        x[L_SINCE] = w.desk[NOW]
        x[L_LIMIT] = limit
        x[L_ATTEMPTS] = 0
        x[L_AGAIN] = -1
    waken(w, i)
    pursue(m, w, i)


@part
def tried(w: State, i: int) -> None:
    x = row(w.slot, (i) * WIDTH)
    x[L_AGAIN] = w.desk[NOW] + PAUSES[min(x[L_ATTEMPTS], 9)] * SECOND
    x[L_ATTEMPTS] += 1


@part
def pursue(m: Market, w: State, i: int) -> None:
    """One step towards flat: the resting stop is changed into the exit; without one an exit is made."""
    apart()
    x = row(w.slot, (i) * WIDTH)
    if not allowed(m, w, i) & OPEN:
        return
    purpose = P_EXIT if x[LEAVING] == P_STOP else x[LEAVING]
    if x[XS] == X_RMS:
        return  # the broker closes it already
    if x[XS] != X_NONE and x[X_STOP] and not x[X_KNOWN]:
        return  # nothing can be asked of it before the broker names it
    if x[XS] != X_NONE:
        if x[X_TYPE] == MARKET:
            if w.desk[NOW] - x[X_UPDATED] >= PATIENCE:
                reshape(w, i, x[X_PURPOSE], 0)
        elif x[X_PURPOSE] == P_STOP:
            reshape(w, i, purpose, x[L_LIMIT])
        else:
            reshape(w, i, purpose, 0)
        return
    if x[L_AGAIN] >= 0 and w.desk[NOW] < x[L_AGAIN]:
        return
    tried(w, i)
    if not room(w, 1) or w.desk[IN_DAY] >= BROKER_DAY:
        return
    send_exit(w, i, MARKET, purpose, 0)
    x[X_STOP] = 0


@part
def send_exit(w: State, i: int, kind: int, purpose: int, trigger: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    count_pace(w, 1)
    x[XS] = X_SENT
    x[X_KNOWN] = 0
    x[X_TYPE] = kind
    x[X_PURPOSE] = purpose
    x[X_TRIGGER] = trigger
    x[X_LIMIT] = 0
    x[X_MODS] = 0
    x[X_PENDING] = 0
    x[X_LAGS] = 0
    x[X_REFUSED] = 0
    x[X_UPDATED] = w.desk[NOW]
    ask(w, ASK_EXIT, i)


@part
def reshape(w: State, i: int, purpose: int, limit: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    if x[L_AGAIN] >= 0 and w.desk[NOW] < x[L_AGAIN]:
        return
    if x[X_PENDING] or not x[X_KNOWN]:
        return
    if x[X_MODS] >= MODIFICATIONS:
        if room(w, 0):
            count_pace(w, 0)
            x[X_PENDING] = C_ASKED
            ask(w, ASK_CANCEL_EXIT, i)
        tried(w, i)
        return
    if not room(w, 1):
        return
    count_pace(w, 0)
    keep_terms(w, i)
    x[X_TYPE] = LIMIT if limit else MARKET
    x[X_LIMIT] = limit
    x[X_PURPOSE] = purpose
    x[X_MODS] += 1
    x[X_PENDING] = C_ASKED
    x[X_UPDATED] = w.desk[NOW]
    ask(w, ASK_CHANGE, i)
    tried(w, i)


@part
def keep_terms(w: State, i: int) -> None:
    """The broker works by them until it has taken the change."""
    x = row(w.slot, i * WIDTH)
    x[X_OLD_TYPE] = x[X_TYPE]
    x[X_OLD_TRIGGER] = x[X_TRIGGER]
    x[X_OLD_LIMIT] = x[X_LIMIT]
    x[X_OLD_PURPOSE] = x[X_PURPOSE]


@part
def old_terms(w: State, i: int) -> None:
    """The change was refused: the same of a stop is asked for ever less often."""
    x = row(w.slot, i * WIDTH)
    asked = x[X_TRIGGER] if x[X_PURPOSE] == P_STOP else 0
    x[X_REFUSALS] = x[X_REFUSALS] + 1 if asked == x[X_REFUSED] else 0
    x[X_REFUSED] = asked
    x[X_AGAIN] = w.desk[NOW] + AGAIN[min(x[X_REFUSALS], 5)] * SECOND
    x[X_TYPE] = x[X_OLD_TYPE]
    x[X_TRIGGER] = x[X_OLD_TRIGGER]
    x[X_LIMIT] = x[X_OLD_LIMIT]
    x[X_PURPOSE] = x[X_OLD_PURPOSE]


@part
def withdraw(w: State, i: int, fate: int) -> None:
    """Cancel an entry for good; what it fills before that is left with the purpose ``fate``."""
    apart()
    x = row(w.slot, (i) * WIDTH)
    if not x[E_WITHDRAWN] or fate:
        x[E_WITHDRAWN] = 1
        x[E_FATE] = fate
    cancel_entry(w, i)


@part
def cancel_entry(w: State, i: int) -> None:
    apart()
    x = row(w.slot, (i) * WIDTH)
    if x[E] == X_NONE or not x[E_KNOWN] or x[E_CANCEL] or not room(w, 0):
        return
    count_pace(w, 0)
    x[E_CANCEL] = 1
    ask(w, ASK_CANCEL_ENTRY, i)
