"""How many orders the second, the minute and the day have room for."""

from __future__ import annotations

from trader.desk.case import Case
from trader.desk.limits import BROKER_ORDERS_PER_DAY, BROKER_ORDERS_PER_MINUTE, BROKER_ORDERS_PER_SECOND
from trader.desk.pace import OrderPace
from trader.domain.order import Denied


def broker_pace(case: Case) -> Denied | None:
    case.pace.roll(case.at)
    return _pace(
        case.pace,
        BROKER_ORDERS_PER_SECOND - 1,  # one of the ten is left to a cancel in the same second
        BROKER_ORDERS_PER_MINUTE,
        BROKER_ORDERS_PER_DAY,
    )


def entry_pace(case: Case) -> Denied | None:
    """Room for the entry, its stop, and the stops of the entries before it: a position must not wait for the
    next second to be protected."""
    limits, pace = case.limits, case.pace
    pace.roll(case.at)
    needed = pace.in_second + case.stops_owed + 1
    if limits.orders_per_second > 1 and needed >= limits.orders_per_second:
        return Denied(
            "rate_second",
            f"{pace.in_second} orders were sent this second and {case.stops_owed + 1} stops will be"
            f" needed; the limit is {limits.orders_per_second}.",
        )
    return _pace(pace, limits.orders_per_second, limits.orders_per_minute, limits.orders_per_day)


def _pace(pace: OrderPace, second: int, minute: int, day: int) -> Denied | None:
    if pace.in_second < second and pace.in_minute < minute and pace.in_day < day:
        return None
    for code, label, count, limit in (
        ("rate_second", "this second", pace.in_second, second),
        ("rate_minute", "this minute", pace.in_minute, minute),
        ("rate_day", "today", pace.in_day, day),
    ):
        if count >= limit:
            return Denied(code, f"Orders sent {label}: {count}; the limit is {limit}.")
    return None
