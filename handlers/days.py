"""Days as people type them. A day without a year is the nearest one, back or ahead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from handlers.render.text import one_line
from trader.domain.errors import InvalidInput
from trader.domain.times import date_text

EXPECTED = "expected a day like 2026-12-01, 1 Dec, 01/12/2026, today or tomorrow"
_WORDS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_FULL_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS = tuple(day[:3] for day in _FULL_WEEKDAYS)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_MONTH = "|".join((*_LONG, "sept", *_MONTHS))
_ISO = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_NUMBERS = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})(?:[/.-]([0-9]{4}))?")  # the day first, as in India
_NAMED = re.compile(rf"([0-9]{{1,2}})[ -]?({_MONTH})(?:[ ,-]*([0-9]{{4}}))?")
_TURNED = re.compile(rf"({_MONTH})[ -]?([0-9]{{1,2}})(?:[ ,-]+([0-9]{{4}}))?")
_YEARS = (2000, 2099)
_MOST_WORDS = 4  # Mon 23 Nov 2026, as our own screens write it


def day_of(text: str, today: date) -> date | None:
    """The day a text stands for; None when it does not look like one.

    Raises InvalidInput for what looks like a day but is none (31 Feb), or has another weekday than it says.
    """
    folded = " ".join(text.casefold().split())
    if folded in _WORDS:
        return today + timedelta(days=_WORDS[folded])
    head, _, rest = folded.partition(" ")
    weekday = head.rstrip(",")[:3] if rest and head.rstrip(",").isalpha() else ""
    if weekday not in _WEEKDAYS:
        weekday, rest = "", folded
    parts = _parts(rest)
    if parts is None:
        return None
    found = _made(parts, today)
    if found is None:
        raise InvalidInput(f"{one_line(text, 40)!r} is on no calendar; {EXPECTED}. Nothing was done.")
    if weekday and found.weekday() != _WEEKDAYS.index(weekday):
        raise InvalidInput(f"{date_text(found)} is a {found:%A}; {EXPECTED}. Nothing was done.")
    return found


def weekday_ahead(text: str, today: date) -> date | None:
    """The coming ``sunday`` or ``Sun``, which may be today; None for what is no weekday alone."""
    folded = text.casefold()
    found = next((n for n, day in enumerate(_FULL_WEEKDAYS) if folded in (day, day[:3])), None)
    return None if found is None else today + timedelta(days=(found - today.weekday()) % 7)


def day_asked(text: str, today: date) -> date:
    """Like ``day_of``, for where nothing but a day will do."""
    found = day_of(text, today)
    if found is None:
        raise InvalidInput(f"{one_line(text, 40)!r} is no day; {EXPECTED}. Nothing was done.")
    return found


def leading_day(words: Sequence[str], today: date) -> tuple[date, tuple[str, ...]] | None:
    """The day that ``words`` begin with, and the words behind it; None when they begin with none."""
    for n in range(min(_MOST_WORDS, len(words)), 0, -1):
        found = day_of(" ".join(words[:n]), today)
        if found is not None:
            return found, tuple(words[n:])
    return None


def _parts(text: str) -> tuple[int, int, int | None] | None:
    """Day, month, year if given."""
    if match := _ISO.fullmatch(text):
        return int(match[3]), int(match[2]), int(match[1])
    if match := _NUMBERS.fullmatch(text):
        return int(match[1]), int(match[2]), _year(match[3])
    if match := _NAMED.fullmatch(text):
        return int(match[1]), _MONTHS.index(match[2][:3]) + 1, _year(match[3])
    if match := _TURNED.fullmatch(text):
        return int(match[2]), _MONTHS.index(match[1][:3]) + 1, _year(match[3])
    return None


def _year(text: str | None) -> int | None:
    return int(text) if text else None


def _made(parts: tuple[int, int, int | None], today: date) -> date | None:
    day, month, year = parts
    if year is not None:
        return next(_dates(day, month, (year,)), None) if _YEARS[0] <= year <= _YEARS[1] else None
    found = list(_dates(day, month, range(today.year - 1, today.year + 2)))
    return min(found, key=lambda at: abs(at - today), default=None)


def _dates(day: int, month: int, years: Sequence[int]) -> Iterator[date]:
    for year in years:
        try:
            yield date(year, month, day)
        except ValueError:
            continue
