"""Rows in which nothing happens but that prices move: most of them. They are passed over in one sweep."""

from __future__ import annotations

from trader.backtest.compiled.fields import (
    AVG,
    BOOKED,
    BOOKED_TODAY,
    CARRIED,
    GROSS,
    M_CAPITAL,
    M_DAILY_LOSS,
    M_MULTIPLE,
    M_SYMBOLS,
    MF_DRAWDOWN,
    N_OPEN,
    NEVER_STILL,
    PEAK,
    SYM,
    UNREALISED,
    WAKE_HIGH,
    WAKE_LOW,
    WIDTH,
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
    rupees_of,
)


@part
def quiet(m: Market, w: State, t: int, end: int) -> int:
    """Pass over the rows from ``t`` to before ``end`` while no price reaches a level of what is held and no
    limit can break; the first row that is left."""
    apart()
    d = w.desk
    held = d[N_OPEN]
    if held == 1:
        return quiet_alone(m, w, t, end)
    mult, symbols = m.limits[M_MULTIPLE], m.limits[M_SYMBOLS]
    worth = m.limits[M_CAPITAL] + d[BOOKED]
    peak = d[PEAK]
    floor = least(m, w, worth, peak)
    while t < end:
        cells, last = row(m.cells, t * symbols * 4), row(m.last, t * symbols)
        wake = False
        at_open, at_close, gross = 0, 0, 0
        for n in range(held):
            x = row(w.slot, w.open[n] * WIDTH)
            c = row(cells, x[SYM] * 4)
            low, high = x[WAKE_LOW], x[WAKE_HIGH]
            opened = closed = last[x[SYM]] * mult
            if c[3] != 0:
                wake |= (c[2] * mult <= low) | (c[1] * mult >= high)
                opened = c[0] * mult
            else:
                wake |= low == NEVER_STILL
            units, average = x[Q], x[AVG]
            at_open += (opened - average) * units
            at_close += (closed - average) * units
            gross += closed * abs(units)
        highest = worth + max(at_open, at_close)
        if highest > peak:
            floor = least(m, w, worth, highest)
        if wake or min(at_open, at_close) <= floor:
            break
        peak = max(peak, highest)
        w.worth[t] = rupees_of(worth + at_close)
        w.held[t] = rupees_of(gross)
        d[UNREALISED], d[GROSS] = at_close, gross
        t += 1
    d[PEAK] = peak
    return t


@part
def quiet_alone(m: Market, w: State, t: int, end: int) -> int:
    """The same for a single position, whose numbers need not be read again in every row."""
    apart()
    d = w.desk
    x = row(w.slot, w.open[0] * WIDTH)
    symbols = m.limits[M_SYMBOLS]
    mult = m.limits[M_MULTIPLE]
    worth, peak = m.limits[M_CAPITAL] + d[BOOKED], d[PEAK]
    floor = least(m, w, worth, peak)
    low, high, units, average = x[WAKE_LOW], x[WAKE_HIGH], x[Q], x[AVG]
    held = abs(units)
    cells, last = row(m.cells, x[SYM] * 4), row(m.last, x[SYM])
    while t < end:
        c = row(cells, t * symbols * 4)
        opened = closed = last[t * symbols] * mult
        if c[3] != 0:
            if c[2] * mult <= low or c[1] * mult >= high:
                break
            opened = c[0] * mult
        elif low == NEVER_STILL:
            break
        at_open, at_close = (opened - average) * units, (closed - average) * units
        highest = worth + max(at_open, at_close)
        if highest > peak:
            floor = least(m, w, worth, highest)
        if min(at_open, at_close) <= floor:
            break
        peak = max(peak, highest)
        w.worth[t] = rupees_of(worth + at_close)
        w.held[t] = rupees_of(closed * held)
        d[UNREALISED], d[GROSS] = at_close, closed * held
        t += 1
    d[PEAK] = peak
    return t


@part
def least(m: Market, w: State, worth: int, peak: int) -> int:
    """The unrealised result above which no limit breaks. It is taken higher than it is: a doubt wakes."""
    d = w.desk
    daily = d[CARRIED] - d[BOOKED_TODAY] - m.limits[M_DAILY_LOSS]
    drawdown = int(peak * (1.0 - m.fractions[MF_DRAWDOWN] / 100.0)) - worth + 100
    return max(daily, drawdown)
