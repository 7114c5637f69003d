"""Prices on the tick, margins and charges in whole numbers, exact to the paisa.

Where the desk rounds a float by its shortest text, a float is compared with the float nearest to the decimal
in question: the same answer, for both are the double that the text parses to.
"""

from __future__ import annotations

import math

from trader.backtest.compiled.fields import (
    L_INTRADAY,
    L_LONG,
    L_OTHER,
    L_RATES,
    L_SHORT,
    L_WIDTH,
    M_DAYS,
    M_SCRIP,
    M_SLIPPAGE,
    NOTE_LINES,
    NOTE_RMS,
    PAISA,
    R_BROKERAGE,
    R_CAP,
    R_DP,
    R_FLAT,
    R_GST,
    R_GST_OF,
    R_GST_ON_SEBI,
    R_IPFT,
    R_RMS,
    R_SEBI,
    R_STAMP_BUY,
    R_STAMP_SELL,
    R_STT_BUY,
    R_STT_SELL,
    R_TRANSACTION,
    R_WIDTH,
    RUPEE,
    Ints,
    Market,
    State,
)
from trader.backtest.compiled.jit import (
    part,
)
from trader.backtest.compiled.memory import (
    apart,
    row,
)

FINE_PAISA = 100_000_000_000  # of 1e-13 rupees, in which a line of charges is exact
_CARRIED = 4_000_000_000_000_000_000  # what is left of a paisa in a line may grow to this: half of 64 bits
_MILLION = 1_000_000


@part
def rupees_of(price: int) -> float:
    """The double that the price's decimal text parses to."""
    return price / 10_000.0


@part
def on_tick_up(price: int, tick: int) -> int:
    return -(-price // tick) * tick


@part
def on_tick_down(price: int, tick: int) -> int:
    return price // tick * tick


@part
def slipped(m: Market, price: int, sign: int, tick: int) -> int:
    """As ``matching.slipped``; the slippage is in thousandths of a basis point."""
    apart()
    worse = price * (10_000_000 + sign * m.limits[M_SLIPPAGE])
    step = tick * 10_000_000
    steps = -(-worse // step) if sign > 0 else worse // step
    return max(steps * tick, tick)


@part
def nearest_tick_of(price: float, tick: int) -> int:
    """Of a float, half up: as ``Instrument.round_nearest`` of its text."""
    if price <= 0.0:
        return 0
    steps = int(math.floor(price * 10_000.0 / tick))
    steps = max(steps - 1, 0)
    while (2 * steps + 1) * tick / 20_000.0 <= price:
        steps += 1
    return steps * tick


@part
def stop_on_tick(price: float, side: int, tick: int) -> int:
    """Towards the entry, after rounding to a millionth: as ``plans.stop_on_tick``."""
    fine = int(math.floor(price * 1e6 + 0.5))
    step = tick * 100
    steps = -(-fine // step) if side > 0 else fine // step
    return steps * tick


@part
def floored(value: float) -> int:
    """A float's text, rounded down to four decimals."""
    units = int(math.floor(value * 10_000.0))
    while (units + 1) / 10_000.0 <= value:
        units += 1
    while units / 10_000.0 > value:
        units -= 1
    return units


@part
def margin(m: Market, line: int, day: int, sign: int, value: int) -> int:
    """What ``value`` ties up, to the paisa, half up."""
    apart()
    fraction = m.lines[(line * m.limits[M_DAYS] + day) * L_WIDTH + (L_LONG if sign > 0 else L_SHORT)]
    return (value * fraction + PAISA * _MILLION // 2) // (PAISA * _MILLION) * PAISA


@part
def _line(exact: int) -> int:
    return (exact + FINE_PAISA // 2) // FINE_PAISA


@part
def charge(m: Market, line: int, day: int, sign: int, value: int, by_broker: bool) -> int:
    """An executed order's charges, each line half up to the paisa, as ``Charges.order``."""
    apart()
    if value == 0:
        return 0
    of = row(m.rates, m.lines[(line * m.limits[M_DAYS] + day) * L_WIDTH + L_RATES] * R_WIDTH)
    brokerage = of[R_CAP] if of[R_FLAT] else min(of[R_CAP], value * of[R_BROKERAGE])
    transaction = value * of[R_TRANSACTION]
    sebi = value * of[R_SEBI]
    taxed = brokerage + transaction + (sebi if of[R_GST_ON_SEBI] else 0)
    paise = (
        _line(brokerage)
        + _line(value * (of[R_STT_BUY] if sign > 0 else of[R_STT_SELL]))
        + _line(transaction)
        + _line(value * of[R_IPFT])
        + _line(sebi)
        + _line(value * (of[R_STAMP_BUY] if sign > 0 else of[R_STAMP_SELL]))
        + rounded_part(taxed, of[R_GST], of[R_GST_OF])
    )
    return paise * PAISA + (of[R_RMS] if by_broker else 0)


@part
def note_down(m: Market, line: int, day: int, sign: int, value: int, by_broker: bool, note: Ints) -> None:
    """Add an order's exact lines to the day's: brokerage, STT, transaction, IPFT, SEBI, stamp, what GST is
    on, and the RMS fee."""
    apart()
    of = row(m.rates, m.lines[(line * m.limits[M_DAYS] + day) * L_WIDTH + L_RATES] * R_WIDTH)
    brokerage = of[R_CAP] if of[R_FLAT] else min(of[R_CAP], value * of[R_BROKERAGE])
    transaction = value * of[R_TRANSACTION]
    sebi = value * of[R_SEBI]
    _add(note, 0, brokerage)
    _add(note, 1, value * (of[R_STT_BUY] if sign > 0 else of[R_STT_SELL]))
    _add(note, 2, transaction)
    _add(note, 3, value * of[R_IPFT])
    _add(note, 4, sebi)
    _add(note, 5, value * (of[R_STAMP_BUY] if sign > 0 else of[R_STAMP_SELL]))
    _add(note, 6, brokerage + transaction + (sebi if of[R_GST_ON_SEBI] else 0))
    note[NOTE_RMS] += of[R_RMS] if by_broker else 0


@part
def _add(note: Ints, line: int, exact: int) -> None:
    fine = note[2 * line + 1] + exact
    if fine >= _CARRIED:
        note[2 * line] += fine // FINE_PAISA
        fine %= FINE_PAISA
    note[2 * line + 1] = fine


@part
def _paise(note: Ints, line: int) -> int:
    """A line to the paisa, half up."""
    return note[2 * line] + _line(note[2 * line + 1])


@part
def rounded_part(amount: int, share: int, of: int) -> int:
    """Paise of ``amount * share / of`` 1e-13 rupees, half up."""
    return (2 * amount * share + of * FINE_PAISA) // (2 * of * FINE_PAISA)


@part
def noted(note: Ints, share: int, of: int) -> int:
    """A chapter of the day's contract note: STT to the rupee, the other lines to the paisa."""
    stt = (note[2] + note[3] // FINE_PAISA + 50) // 100 * RUPEE
    paise = _paise(note, 0) + _paise(note, 2) + _paise(note, 3) + _paise(note, 4) + _paise(note, 5)
    # GST: what its whole paise leave beside whole paise is added to what is left of one.
    taxed = (note[12] + note[13] // FINE_PAISA) * share
    whole, left = taxed // of, taxed % of
    fine = left * FINE_PAISA + note[13] % FINE_PAISA * share
    rest = (2 * fine + of * FINE_PAISA) // (2 * of * FINE_PAISA)
    return stt + (paise + whole + rest) * PAISA + note[NOTE_RMS]


@part
def noted_at_most(note: Ints) -> int:
    """Not less than ``noted``, without its divisions: GST is below a third, roundings below three rupees."""
    paise, fine = note[12] // 3, note[13] / 3.0
    for line in range(NOTE_LINES - 1):
        paise += note[2 * line]
        fine += note[2 * line + 1]
    return (paise + int(fine / FINE_PAISA)) * PAISA + 3 * RUPEE + note[NOTE_RMS]


@part
def charge_delivery(
    m: Market, w: State, line: int, day: int, sign: int, units: int, price: int, serial: int, mtf: bool
) -> int:
    """What an order adds to the day's charges of its share: what is bought and sold within the day becomes
    intraday, and the depository charges once, however it is held. It may be negative. As
    ``Charges.added``."""
    apart()
    scrip = row(w.scrips, line * 3)
    orders = row(w.scrip_orders, line * m.limits[M_SCRIP] * 4)
    count = scrip[0]
    at = count
    while (
        at > 0 and orders[(at - 1) * 4 + 3] > serial
    ):  # first bought against first sold, as they were placed
        for column in range(4):
            orders[at * 4 + column] = orders[(at - 1) * 4 + column]
        at -= 1
    orders[at * 4] = sign
    orders[at * 4 + 1] = units
    orders[at * 4 + 2] = price
    orders[at * 4 + 3] = serial
    scrip[0] = count + 1
    of = row(m.lines, (line * m.limits[M_DAYS] + day) * L_WIDTH)
    fee = row(m.rates, of[L_RATES] * R_WIDTH)[R_DP]
    elsewhere = of[L_OTHER] != line and w.scrips[of[L_OTHER] * 3 + 2] != 0
    before = scrip[1] + (fee if elsewhere or scrip[2] else 0)
    bought, sold = 0, 0
    for n in range(count + 1):
        if orders[n * 4] > 0:
            bought += orders[n * 4 + 1]
        else:
            sold += orders[n * 4 + 1]
    buys = min(bought, sold)
    sells = buys
    total = 0
    for n in range(count + 1):
        taken = min(orders[n * 4 + 1], buys if orders[n * 4] > 0 else sells)
        if orders[n * 4] > 0:
            buys -= taken
        else:
            sells -= taken
        total += _part_intraday(m, line, day, row(orders, n * 4), taken, mtf)
    scrip[1] = total
    scrip[2] = sold > bought
    return total + (fee if elsewhere or scrip[2] else 0) - before


@part
def _part_intraday(m: Market, line: int, day: int, order: Ints, taken: int, mtf: bool) -> int:
    """A delivery order's charges of which ``taken`` units were traded back the same day."""
    at = (line * m.limits[M_DAYS] + day) * L_WIDTH
    own = row(m.rates, m.lines[at + L_RATES] * R_WIDTH)
    intraday = row(m.rates, m.lines[at + L_INTRADAY] * R_WIDTH)
    inside = order[2] * taken
    rest = order[2] * (order[1] - taken)
    if mtf:  # its own brokerage, whatever becomes of the shares
        brokerage = min(own[R_CAP], (inside + rest) * own[R_BROKERAGE])
    else:
        brokerage = min(intraday[R_CAP], inside * intraday[R_BROKERAGE]) + min(
            own[R_CAP], rest * own[R_BROKERAGE]
        )
    stt, stamp = (R_STT_BUY, R_STAMP_BUY) if order[0] > 0 else (R_STT_SELL, R_STAMP_SELL)
    transaction = inside * intraday[R_TRANSACTION] + rest * own[R_TRANSACTION]
    sebi = inside * intraday[R_SEBI] + rest * own[R_SEBI]
    taxed = brokerage + transaction + (sebi if own[R_GST_ON_SEBI] else 0)
    paise = (
        _line(brokerage)
        + _line(inside * intraday[stt] + rest * own[stt])
        + _line(transaction)
        + _line(inside * intraday[R_IPFT] + rest * own[R_IPFT])
        + _line(sebi)
        + _line(inside * intraday[stamp] + rest * own[stamp])
        + rounded_part(taxed, own[R_GST], own[R_GST_OF])
    )
    return paise * PAISA
