"""Kite's clock: everything in IST, written without a zone and to the second (kite.md 2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30), "IST")
Clock = Callable[[], datetime]

SESSION_END = time(6, 0)  # access tokens die then, every day (kite.md 1.3)


def wall_now() -> datetime:
    return datetime.now(UTC)


def stamp(at: datetime) -> str:
    """``2026-11-23 09:15:04``"""
    return at.astimezone(IST).strftime("%Y-%m-%d %H:%M:%S")


def zoned(at: datetime) -> str:
    """``2026-11-23T09:15:00+0530``, as candles carry it."""
    return at.astimezone(IST).strftime("%Y-%m-%dT%H:%M:%S%z")


def next_session_end(at: datetime) -> datetime:
    """The first 06:00 IST after ``at``."""
    local = at.astimezone(IST)
    end = datetime.combine(local.date(), SESSION_END, IST)
    return end if local < end else end + timedelta(days=1)
