"""What the calendar has in store for a trading day, in short lines."""

from __future__ import annotations

from datetime import date, timedelta

from trader.domain.times import ist
from trader.market.calendar import Calendar
from trader.market.phases import Venue

_DAY = timedelta(days=1)
_NAMES = (
    (Venue.AUCTION_STOCK, "Auction stocks"),  # those with derivatives: they close in the auction
    (Venue.STOCK, "Stocks"),
    (Venue.DERIVATIVE, "F&O"),
)


def day_plan(calendar: Calendar, day: date) -> list[str]:
    """Hours and own deadlines of each kind of instrument, and what is unusual about today and the days to
    come."""
    lines = [f"Special session: {special}"] if (special := calendar.special(day)) else []
    lines += _hours(calendar, day)
    if not calendar.is_settlement_day(day):
        lines.append(f"No settlement today, next {_name(calendar.settles_on(day))}")
    return [*lines, *_ahead(calendar, day)]


def _hours(calendar: Calendar, day: date) -> list[str]:
    """``F&O to 15:40, out 15:21``; kinds that keep the same hours share a line."""
    rows: dict[str, list[str]] = {}
    for venue, name in _NAMES:
        session = calendar.session(day, venue)
        if session is not None:
            out = ist(calendar.deadlines(day, venue).squareoff_at)
            usual = "" if session.opens_at.hour == 9 else f"from {session.opens_at:%H:%M} "
            rows.setdefault(f"{usual}to {session.closes_at:%H:%M}, out {out:%H:%M}", []).append(name)
    if len(rows) == 1:
        return [f"All {hours}" for hours in rows]
    # Where stocks with derivatives close like the others there is no auction to speak of.
    return [f"{_joined(names)} {hours}" for hours, names in rows.items()]


def _joined(names: list[str]) -> str:
    if names == ["Auction stocks", "Stocks"]:
        return "Stocks"
    return ", ".join(names)


def _ahead(calendar: Calendar, day: date) -> list[str]:
    """Weekdays without trading before the next session, and a session on a day that has none as a rule."""
    following = calendar.next_trading_day(day)
    lines = []
    ahead = day + _DAY
    while ahead < following:
        if ahead.weekday() < 5:
            when = "tomorrow" if ahead == day + _DAY else _name(ahead)
            lines.append(f"Closed {when}: {calendar.why_closed(ahead)}")
        ahead += _DAY
    if special := calendar.special(following):
        lines.append(f"Next session {_name(following)}: {special}")
    return lines


def _name(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"
