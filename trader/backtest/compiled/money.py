"""Prices on the tick, margins and charges in whole numbers, exact to the paisa.

Where the desk rounds a float by its shortest text, a float is compared with the float nearest to the decimal
in question: the same answer, for both are the double that the text parses to.
"""

from __future__ import annotations

import math

from trader.backtest.compiled.fields import (
    L_LONG,
    L_RATES,
    L_SHORT,
    L_WIDTH,
    M_DAYS,
    M_SLIPPAGE,
    PAISA,
    R_BROKERAGE,
    R_CAP,
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
)
from trader.backtest.compiled.jit import part
from trader.backtest.compiled.memory import apart, row

FINE_PAISA = 100_000_000_000  # of 1e-13 rupees, in which a line of charges is exact
FINE_RUPEE = 100 * FINE_PAISA
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
    """Add an order's exact lines to the day's: brokerage, STT, transaction, IPFT, SEBI, stamp, what GST is on,
    and the RMS fee."""
    apart()
    of = row(m.rates, m.lines[(line * m.limits[M_DAYS] + day) * L_WIDTH + L_RATES] * R_WIDTH)
    brokerage = of[R_CAP] if of[R_FLAT] else min(of[R_CAP], value * of[R_BROKERAGE])
    transaction = value * of[R_TRANSACTION]
    sebi = value * of[R_SEBI]
    note[0] += brokerage
    note[1] += value * (of[R_STT_BUY] if sign > 0 else of[R_STT_SELL])
    note[2] += transaction
    note[3] += value * of[R_IPFT]
    note[4] += sebi
    note[5] += value * (of[R_STAMP_BUY] if sign > 0 else of[R_STAMP_SELL])
    note[6] += brokerage + transaction + (sebi if of[R_GST_ON_SEBI] else 0)
    note[7] += of[R_RMS] if by_broker else 0


@part
def rounded_part(amount: int, share: int, of: int) -> int:
    """Paise of ``amount * share / of`` 1e-13 rupees, half up."""
    return (2 * amount * share + of * FINE_PAISA) // (2 * of * FINE_PAISA)


@part
def noted(row: Ints, share: int, of: int) -> int:
    """A chapter of the day's contract note: STT to the rupee, the other lines to the paisa."""
    stt = (row[1] + FINE_RUPEE // 2) // FINE_RUPEE * RUPEE
    paise = _line(row[0]) + _line(row[2]) + _line(row[3]) + _line(row[4]) + _line(row[5])
    return stt + (paise + rounded_part(row[6], share, of)) * PAISA + row[7]


@part
def noted_at_most(note: Ints) -> int:
    """Not less than ``noted``, without its divisions: GST is below a third, roundings below two rupees."""
    lines = note[0] + note[1] + note[2] + note[3] + note[4] + note[5] + note[6] // 3
    return lines // 1_000_000_000 + 2 * RUPEE + note[7]
