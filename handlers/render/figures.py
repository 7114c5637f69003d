"""Rupees, shares of a limit and times, as short as a phone wants them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from trader.domain.money import group_indian, rupees
from trader.domain.times import clock_text, day_short, ist

_UNITS = ((Decimal(10_000_000), "Cr"), (Decimal(100_000), "L"))  # crore, lakh


def money_short(amount: Decimal) -> str:
    """``₹950``, ``₹12,500``, ``₹1.25L``, ``₹3.4Cr``; about three digits from a lakh on."""
    whole = abs(amount).quantize(Decimal(1), ROUND_HALF_UP)
    for n, (size, unit) in enumerate(_UNITS):
        if whole < size:
            continue
        scaled = _scaled(whole, size)
        if n and scaled >= 100:  # 99,99,999 is a crore, not 100 lakh
            size, unit = _UNITS[n - 1]
            scaled = _scaled(whole, size)
        head, _, fraction = f"{scaled:f}".partition(".")
        fraction = fraction.rstrip("0")
        sign = "-" if amount < 0 else ""
        return f"{sign}₹{group_indian(head)}{'.' + fraction if fraction else ''}{unit}"
    return rupees(amount, paise=False) if whole else "₹0"


def _scaled(whole: Decimal, size: Decimal) -> Decimal:
    return (whole / size).quantize(Decimal("0.01"), ROUND_HALF_UP)


def price(amount: Decimal | float, *, signed: bool = False) -> str:
    """``1,512.40``: rupees without the sign, where a table has none to spare."""
    return rupees(amount, signed=signed).replace("₹", "")


def bar(used: Decimal, limit: Decimal, width: int = 10) -> str:
    """``████░░░░░░``: full only when the limit is reached; a gain uses nothing of it."""
    return "█" * (filled := int(share(used, limit) * width)) + "░" * (width - filled)


def share(used: Decimal, limit: Decimal) -> Decimal:
    """How much of ``limit`` is used, 0 to 1. Nothing is allowed under a limit of zero."""
    if used <= 0:
        return Decimal(0)
    return Decimal(1) if limit <= 0 or used >= limit else used / limit


def ago(age: timedelta) -> str:
    """``12 s``, ``9 min``, ``2 h``, ``3 d``: whole units, rounded down; less than nothing is ``0 s``."""
    seconds = max(int(age.total_seconds()), 0)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def moment(at: datetime, *, seen_from: datetime) -> str:
    """``10:15:02``, with the day in front when it is another one."""
    clock = clock_text(at)
    return clock if ist(at).date() == ist(seen_from).date() else f"{day_short(at)} {clock}"


def speed_text(speed: float | None) -> str:
    """``×60``; nothing at the wall clock's own speed, ``flat out`` without one."""
    if speed is None:
        return "flat out"
    return "" if speed == 1 else f"×{speed:g}"
