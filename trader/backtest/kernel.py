"""The backtest's loop: candles as the replay shows them, to the desk's rules in numbers.

A row of the market is three moments, as ``trader.service.pump`` plays them: the opens are shown as ticks,
each candle's range passes, the closes are shown and signals are acted on. Rows in which nothing can happen
are recognised and passed over; days without a position and without a signal too.
"""

from __future__ import annotations

from typing import Any

from trader.backtest.compiled.days import (
    begin_day,
    end_day,
    finish,
)
from trader.backtest.compiled.fields import (
    BOOKED,
    CLOSES,
    CLOSING_TICKS,
    D_END,
    D_FIRST,
    D_LATE,
    D_WIDTH,
    ENDS,
    FILL_AT_CLOSE,
    GROSS,
    LATCH,
    LATCH_NONE,
    M_CAPITAL,
    MOMENTS,
    N_ASKED,
    N_AWAKE,
    N_CALL,
    N_DEFERRED,
    N_ENTERING,
    N_LEAVING,
    N_OPEN,
    NO_CALL,
    NO_CHARGES,
    NOW,
    RIGHT,
    ROW,
    SHOWN,
    TARGET_FIRST,
    WIDTH,
    Market,
    State,
)
from trader.backtest.compiled.fills import (
    reach,
)
from trader.backtest.compiled.guard import (
    equity,
)
from trader.backtest.compiled.jit import (
    loop,
    part,
)
from trader.backtest.compiled.memory import (
    apart,
    as_market,
    as_state,
    row,
)
from trader.backtest.compiled.money import (
    rupees_of,
)
from trader.backtest.compiled.prices import (
    begin_stage,
    refresh,
)
from trader.backtest.compiled.quiet import (
    quiet,
)
from trader.backtest.compiled.rows import (
    play,
    signals,
    waking,
)

__all__ = ["FILL_AT_CLOSE", "NO_CHARGES", "RIGHT", "TARGET_FIRST", "run"]


@loop
def run(market: Any, state: Any, first_day: int, last_day: int) -> None:
    """Trade the days ``first_day`` to ``last_day``. The tables are given as ``memory.pointed`` gives them."""
    trade(as_market(market), as_state(state), first_day, last_day)


@part
def trade(m: Market, w: State, first_day: int, last_day: int) -> None:
    apart()
    d = w.desk
    for day in range(first_day, last_day + 1):
        begin_day(m, w, day)
        t = m.days[day * D_WIDTH + D_FIRST]
        end = m.days[day * D_WIDTH + D_END]
        late = m.days[day * D_WIDTH + D_LATE]
        while t < end:
            call = next_call(m, w, t)
            waiting = d[N_ENTERING] + d[N_DEFERRED] + d[N_LEAVING]
            still = False
            if d[N_OPEN] == 0 and waiting == 0:
                t = flat(m, w, t, min(call, end))
                still = True
                if t == end:
                    break
            elif waiting == 0 and t < late:
                last = min(call + 1, late, end)
                t = quiet(m, w, t, last)
                still = t > call
                if still:
                    t = call
                elif t == last:
                    continue
            if still:
                d[ROW] = t
                d[N_AWAKE] = 0
                begin_stage(w, CLOSING_TICKS, ENDS)
                d[SHOWN] = CLOSES
                d[NOW] = m.rows[t * MOMENTS + ENDS]
                signals(m, w, t)
                if d[N_ASKED] or d[N_LEAVING] or d[N_DEFERRED]:
                    finish(m, w)
            else:
                waking(m, w, t)
                play(m, w, t)
                signals(m, w, t)
                finish(m, w)
            w.worth[t] = rupees_of(equity(m, w))
            w.held[t] = rupees_of(d[GROSS])
            t += 1
        end_day(m, w, day)
    for n in range(d[N_OPEN]):
        refresh(m, w, w.open[n])
        reach(m, row(w.slot, w.open[n] * WIDTH), m.days[last_day * D_WIDTH + D_END])


@part
def next_call(m: Market, w: State, t: int) -> int:
    """The row of the next signal that is listened to."""
    d = w.desk
    while m.calls[d[N_CALL]] < t:
        d[N_CALL] += 1
    return NO_CALL if d[LATCH] != LATCH_NONE else m.calls[d[N_CALL]]


@part
def flat(m: Market, w: State, t: int, end: int) -> int:
    """Rows without a position and without a signal."""
    now = rupees_of(m.limits[M_CAPITAL] + w.desk[BOOKED])
    for n in range(t, end):
        w.worth[n] = now
        w.held[n] = 0.0
    return end
