"""/calendar: what the exchange does today, on another day, or with one instrument; what is coming."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import cache
from itertools import islice

from handlers.days import day_of, weekday_ahead
from handlers.message import Button, Line, Pre, Reply
from handlers.registry import Call, Danger, Role, command
from handlers.render.table import pairs
from handlers.symbols import one_symbol
from handlers.timetable import day_table, deadline_lines, kind_text, timetable
from trader.domain.errors import InvalidInput
from trader.domain.times import day_text, ist
from trader.market import tables
from trader.market.calendar import Calendar
from trader.service.port import DeskPort

USAGE = "/calendar [day or symbol]"
_HOLIDAYS, _FEW = 5, 3
_YEAR_AHEAD = 366  # days
_YEARS = (2000, 2099)
NOT_RECORDED = "nothing recorded"  # Calendar.with_sessions: a weekday that a recording lacks


@command(
    "calendar",
    help="The exchange's hours, deadlines and holidays",
    role=Role.VIEWER,
    danger=Danger.READ,
    usage=USAGE,
    aliases=("cal",),
    more="Of today, of a day (/calendar 8 Nov, /calendar friday), or one instrument's timetable with its "
    "square-off and the broker's (/calendar RELIANCE). Auction: stocks with derivatives, which end in the "
    "closing auction.",
)
async def calendar(desk: DeskPort, call: Call) -> Reply:
    now = ist(desk.now())
    if not call.args:
        return _today(desk.calendar(), now)
    day = day_of(call.raw, now.date()) or weekday_ahead(call.raw, now.date())
    return _one_day(desk.calendar(), day, now) if day else _instrument(desk, call, now)


def _today(found: Calendar, now: datetime) -> Reply:
    day = now.date()
    blocks: list[Line | Pre] = [Line(day_text(day), bold=True), Line(_state(found, now))]
    shown = day if found.is_trading_day(day) else found.next_trading_day(day)
    if shown != day:
        blocks.append(Line(f"The next day, {day_text(shown)}:"))
    blocks.append(Pre(day_table(found, shown)))
    for title, days in (
        ("Holidays", _holidays(found, day)),
        ("Special sessions", _specials(found, day)),
        ("No settlement", _unsettled(found, day)),
    ):
        if days:
            blocks += [Line(title, bold=True), Pre(pairs([(_short(at, day), name) for at, name in days]))]
    if not found.covers(day.year):
        blocks += _caveat(found, day)
    elif not found.covers(day.year + 1):
        blocks.append(Line(f"The holidays of {day.year + 1} are not in the calendar yet."))
    return Reply(blocks, ((Button("Refresh", "/calendar"),),))


def _state(found: Calendar, now: datetime) -> str:
    why, special = found.why_closed(now.date()), found.special(now.date())
    text = found.describe(now)
    extra = why or special
    return f"{text[:1].upper()}{text[1:]}{f' ({extra})' if extra else ''}"


def _one_day(found: Calendar, day: date, now: datetime) -> Reply:
    if not _YEARS[0] <= day.year < _YEARS[1]:
        raise InvalidInput(f"Expected a day from {_YEARS[0]} to {_YEARS[1] - 1}, was {day}")
    head = Line(day_text(day), bold=True)
    if why := found.why_closed(day):
        after = found.next_trading_day(day)
        closed = Line(f"Closed: {why}. The next trading day is {day_text(after)}.")
        return Reply((head, closed, *_caveat(found, day, after)))
    special = found.special(day)
    settles_on = found.settles_on(day)
    settles = f"Trades settle {day_text(settles_on)}."
    if not found.is_settlement_day(day):
        settles += " No settlement on the day itself."
    lines = [Line(text) for text in (f"Special session: {special}" if special else "", settles) if text]
    if special and day in _unverified():
        lines.insert(1, Line("Its hour is not verified: look it up at the exchange before you rely on it."))
    return Reply((head, Pre(day_table(found, day)), *lines, *_caveat(found, day, settles_on)))


def _caveat(found: Calendar, *days: date) -> list[Line]:
    """What is said of days in years without holidays; nothing of others."""
    years = sorted({day.year for day in days if not found.covers(day.year)})
    return [
        Line(f"The holidays of {year} are not in the calendar: any weekday of it may turn out to be one.")
        for year in years
    ]


@cache
def _unverified() -> frozenset[date]:
    """The special sessions whose hours the table does not vouch for."""
    rows = tables.read("calendar")["session"]
    return frozenset(row["day"] for row in rows if row["certainty"] == "not verified")


def _instrument(desk: DeskPort, call: Call, now: datetime) -> Reply:
    instrument, found = desk.find(one_symbol(call.raw)), desk.calendar()
    day = now.date() if found.is_trading_day(now.date()) else found.next_trading_day(now.date())
    blocks: list[Line | Pre] = [
        Line(f"{instrument.symbol} · {kind_text(found, instrument, day)}", bold=True),
        Line(day_text(day)),
        Pre(timetable(found, instrument, day, now)),
    ]
    if lines := deadline_lines(found, instrument, day):
        blocks.append(Pre(lines))
    return Reply([*blocks, *_caveat(found, day)])


# -- what is coming -------------------------------------------------------------------------------------


def _short(day: date, today: date) -> str:
    return f"{day:%a} {day.day:2d} {day:%b}{f' {day.year}' if day.year != today.year else ''}"


def _holidays(found: Calendar, today: date) -> list[tuple[date, str]]:
    """The exchange's, and the owner's closures among them. A recording closes weekends too, and days that it
    lacks: those are no holidays."""
    named = {day: name for year in (today.year, today.year + 1) for day, name in found.holidays(year)}
    coming = sorted((day, name) for day, name in {**named, **found.closures()}.items() if day > today)
    closed = [(day, name) for day, name in coming if not found.is_trading_day(day)]
    return [(day, name) for day, name in closed if _is_holiday(found, day, name)][:_HOLIDAYS]


def _is_holiday(found: Calendar, day: date, name: str) -> bool:
    if day in found.closures():
        return True
    return day.weekday() < 5 and (name != NOT_RECORDED or not found.covers(day.year))


def _specials(found: Calendar, today: date) -> list[tuple[date, str]]:
    named = ((day, found.special(day)) for day in _ahead(today))
    return list(islice(((day, name) for day, name in named if name), _FEW))


def _unsettled(found: Calendar, today: date) -> list[tuple[date, str]]:
    """Trading days on which nothing is settled, apart from special sessions, which are listed anyway."""
    days = (d for d in _ahead(today) if found.is_trading_day(d) and not found.special(d))
    return [(d, "trades wait a day") for d in islice(_not_settling(found, days), _FEW)]


def _not_settling(found: Calendar, days: Iterable[date]) -> Iterator[date]:
    return (day for day in days if not found.is_settlement_day(day))


def _ahead(today: date) -> Iterator[date]:
    return (today + timedelta(days=n) for n in range(1, _YEAR_AHEAD))
