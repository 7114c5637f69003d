"""What the candles of a row say: prices, whether they are there, what the venue allows; and what the desk
knows of them at this moment."""

from __future__ import annotations

from trader.backtest.compiled.fields import (
    AT_CLOSE,
    AT_OPEN,
    AVG,
    BEGINS,
    CLOSES,
    ENDS,
    ENTRY_ROW,
    ENTRY_SHOWN,
    GROSS_CLOSE,
    GROSS_OPEN,
    LAST_CHANCE,
    M_MULTIPLE,
    M_SYMBOLS,
    M_VENUES,
    MARK,
    MARK_AT,
    MOMENT,
    MOMENTS,
    OPENING_TICKS,
    OPENS,
    ROW,
    SHOWN,
    STAGE,
    SYM,
    WIDTH,
    Y_VENUE,
    Y_WIDTH,
    Ints,
    Market,
    Q,
    State,
)
from trader.backtest.compiled.jit import (
    part,
)
from trader.backtest.compiled.memory import (
    row,
)


@part
def cell(m: Market, t: int, sym: int, column: int) -> int:
    return m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + column] * m.limits[M_MULTIPLE]


@part
def traded_in(m: Market, t: int, sym: int) -> bool:
    """Whether the instrument has a candle in the row."""
    return m.cells[(t * m.limits[M_SYMBOLS] + sym) * 4 + 3] != 0


@part
def flags_of(m: Market, t: int, sym: int, moment: int) -> int:
    """What the instrument's venue allows at one of the row's times."""
    return m.flags[(t * m.limits[M_VENUES] + m.symbols[sym * Y_WIDTH + Y_VENUE]) * MOMENTS + moment]


@part
def begin_stage(w: State, stage: int, moment: int) -> None:
    """``moment``: which of the row's times it is."""
    w.desk[STAGE] = stage
    w.desk[MOMENT] = moment


@part
def quotes_of(w: State) -> int:
    """A number for the quotes on which orders trade at this moment: the row's opens, or its closes where they
    are the last chance; -1 where there are none."""
    stage = w.desk[STAGE]
    if stage != OPENING_TICKS and stage != LAST_CHANCE:
        return -1
    return w.desk[ROW] * 2 + (stage == LAST_CHANCE)


@part
def quoted(m: Market, w: State, sym: int) -> int:
    """The instrument's price among these quotes."""
    return cell(m, w.desk[ROW], sym, 3 if w.desk[STAGE] == LAST_CHANCE else 0)


@part
def refresh(m: Market, w: State, i: int) -> None:
    """The last price of an open slot, and its time: they are looked up when they are asked for."""
    if w.slot[i * WIDTH + Q]:  # the prices of entries are kept as they are shown
        look_up(m, w, i)


@part
def look_up(m: Market, w: State, i: int) -> None:
    """The last price of a slot, and its time; the instrument has traded before."""
    x = row(w.slot, i * WIDTH)
    t, symbols = w.desk[ROW], m.limits[M_SYMBOLS]
    opened = w.desk[SHOWN] == OPENS and traded_in(m, t, x[SYM])
    if opened:
        x[MARK] = cell(m, t, x[SYM], 0)
        x[MARK_AT] = m.rows[t * MOMENTS + BEGINS]
        return
    if w.desk[SHOWN] != CLOSES:
        t -= 1
    x[MARK] = m.last[t * symbols + x[SYM]] * m.limits[M_MULTIPLE]
    while not traded_in(m, t, x[SYM]):
        t -= 1
    x[MARK_AT] = m.rows[t * MOMENTS + ENDS]


@part
def known_last(m: Market, w: State, i: int) -> int:
    """The price by which the desk judges an open slot: the last one shown, or its entry's while nothing was
    shown since."""
    x = row(w.slot, i * WIDTH)
    refresh(m, w, i)
    if x[ENTRY_ROW] == w.desk[ROW] and x[ENTRY_SHOWN] == w.desk[SHOWN]:
        return x[AVG]
    return x[MARK]


@part
def foresee(m: Market, w: State, x: Ints, sign: int) -> None:
    """A position that is opened (1) or closed (-1) in a row changes what will be shown there."""
    d = w.desk
    t = d[ROW]
    opened = closed = m.last[t * m.limits[M_SYMBOLS] + x[SYM]] * m.limits[M_MULTIPLE]
    if traded_in(m, t, x[SYM]):
        opened = cell(m, t, x[SYM], 0)
    units = sign * x[Q]
    d[AT_OPEN] += (opened - x[AVG]) * units
    d[AT_CLOSE] += (closed - x[AVG]) * units
    d[GROSS_OPEN] += sign * opened * abs(units)
    d[GROSS_CLOSE] += sign * closed * abs(units)
