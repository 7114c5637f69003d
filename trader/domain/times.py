"""Time as the exchange keeps it. India has one zone without daylight saving, so IST is a fixed offset;
comparing datetimes that share it costs nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

IST = timezone(timedelta(hours=5, minutes=30), "IST")


def ist(at: datetime) -> datetime:
    """The same instant on the exchange's clock. Naive times are refused."""
    if at.tzinfo is None:
        raise ValueError(f"Expected a time with a zone, was {at!r}")
    return at if at.tzinfo is IST else at.astimezone(IST)


def clock_text(at: datetime) -> str:
    """``09:41:07`` on the exchange's clock."""
    at = ist(at)
    return f"{at.hour:02d}:{at.minute:02d}:{at.second:02d}"


def span_text(length: timedelta) -> str:
    """``90 s``, ``5 min``, ``3 h``."""
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


@lru_cache(maxsize=64)  # it stands in every order's name
def day_digits(day: date) -> str:
    """``261123``."""
    return f"{day:%y%m%d}"


def date_short(day: date) -> str:
    """``6 Nov``; of a moment, the day it is on the exchange's clock. So are the others."""
    day = _here(day)
    return f"{day.day} {day:%b}"


def date_text(day: date) -> str:
    """``6 Nov 2026``."""
    return f"{date_short(day)} {_here(day).year}"


def day_short(day: date) -> str:
    """``Fri 6 Nov``."""
    return f"{_here(day):%a} {date_short(day)}"


def day_text(day: date) -> str:
    """``Fri 6 Nov 2026``."""
    return f"{_here(day):%a} {date_text(day)}"


def _here(day: date) -> date:
    return ist(day) if isinstance(day, datetime) else day
