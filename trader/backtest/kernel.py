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
    CLOSING_TICKS,
    D_END,
    D_FIRST,
    D_WIDTH,
    FILL_AT_CLOSE,
    GROSS,
    LATCH,
    LATCH_NONE,
    M_CAPITAL,
    N_ASKED,
    N_AWAKE,
    N_DEFERRED,
    N_ENTERING,
    N_LEAVING,
    N_OPEN,
    NO_CHARGES,
    NOW,
    RIGHT,
    ROW,
    STAGE,
    TARGET_FIRST,
    Market,
    State,
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
)
from trader.backtest.compiled.rows import (
    play,
    signals,
    wakes,
)

__all__ = ["FILL_AT_CLOSE", "NO_CHARGES", "RIGHT", "TARGET_FIRST", "run"]


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
                d[N_AWAKE] = 0
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
