"""Figures as people read them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from trader.domain.money import group_indian, rupees
from trader.domain.times import date_text, ist

NOTHING = "–"  # a figure that is not defined


def money(amount: float, *, signed: bool = True) -> str:
    """Whole rupees: paise of a backtest are noise."""
    return rupees(amount, signed=signed, paise=False) if math.isfinite(amount) else plain(amount)


def percent(share: float, decimals: int = 1, *, signed: bool = False) -> str:
    if not math.isfinite(share):
        return plain(share)
    if abs(share) >= 100:  # a year extrapolated from one lucky day
        return f"{'>' if share > 0 else '<-'}9,999%"
    text = f"{100 * share:{'+' if signed else ''}.{decimals}f}%"
    return text.replace("-0.0%", "0.0%").replace("+0.0%", "0.0%") if decimals == 1 else text


def plain(number: float, decimals: int = 2) -> str:
    if math.isnan(number):
        return NOTHING
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    return f"{number:,.{decimals}f}"


def count(things: int) -> str:
    """``1,23,456``."""
    return group_indian(str(things))


def moment_text(at: datetime) -> str:
    return f"{date_text(at)} {ist(at):%H:%M}"


def length(minutes: float) -> str:
    """``47 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if not math.isfinite(minutes):
        return NOTHING
    passed = timedelta(minutes=round(minutes))
    hours, rest = divmod(passed.seconds // 60, 60)
    if passed.days:
        return f"{passed.days} d {hours} h"
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"
