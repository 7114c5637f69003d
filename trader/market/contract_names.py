"""How people write a contract: ``NIFTY 26DEC 26000 CE``, ``nifty 8 dec 26000 ce``, ``BANKNIFTY FUT``.

    <underlying> [<expiry>] [<strike>] CE | PE | FUT

An expiry is ``26DEC`` (Kite's YYMMM: the monthly contract of December 2026; or the 26th of December),
``8 DEC``, ``8 DEC 2026``, ``DEC`` (that month's last expiry) or ``2026-12-08``; without one the nearest is
meant. Where both readings of ``29DEC`` exist as contracts nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey, OptionType, symbol_of
from trader.domain.times import date_text
from trader.market.contracts import Series, nearest_of

_MONTHS = (
    *("JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST"),
    *("SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER"),
)
_KINDS: Mapping[str, OptionType | None] = {
    "CE": OptionType.CALL,
    "CALL": OptionType.CALL,
    "PE": OptionType.PUT,
    "PUT": OptionType.PUT,
    "FUT": None,
    "FUTURE": None,
    "FUTURES": None,
}
_SHOWN = 6  # expiries in a sentence
_YEAR = 365  # days: a day and month without a year are of the coming twelve months
_PIECE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|[A-Z]+|\d+(?:\.\d+)?")
_REST = re.compile(
    r"(?:(?P<iso>\d{4}-\d{1,2}-\d{1,2})"
    r"|(?:(?P<number>\d{1,2}) )?(?P<month>[A-Z]{3,9})(?: (?P<year>\d{4}|\d\d)(?= \d|$))?)?"
    r" ?(?P<strike>\d+(?:\.\d+)?)?"
)


@dataclass(frozen=True, slots=True)
class Expiry:
    """An expiry as typed, not yet looked up. ``number`` is the 26 of ``26DEC``."""

    month: int
    number: int | None = None
    year: int | None = None
    exact: date | None = None

    def readings(self, listed: Sequence[date], monthly: Callable[[date], bool]) -> Sequence[date]:
        """Those of ``listed`` (ascending) it can mean, Kite's YYMMM first: two where both readings of 29DEC
        are listed."""
        if self.exact is not None:
            return [self.exact] if self.exact in listed else []
        month = [d for d in listed if d.month == self.month and self.year in (None, d.year)]
        if self.number is None:
            return _months([d for d in month if d.year == month[0].year], monthly)
        of_year = _months([d for d in month if d.year == 2000 + self.number], monthly)
        of_day = [d for d in month if d.day == self.number and (d - listed[0]).days < _YEAR][:1]
        return list(dict.fromkeys([*of_year, *of_day]))


def _months(days: Sequence[date], monthly: Callable[[date], bool]) -> Sequence[date]:
    """Of one month's expiries the one that Kite names after the month; the last where none is."""
    return [d for d in days if monthly(d)][-1:] or days[-1:]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A contract as typed. ``option_type`` None is a future, ``expiry`` None the nearest."""

    text: str
    option_type: OptionType | None
    strike: Decimal | None
    expiry: Expiry | None


def read(rest: str) -> Wanted | None:
    """What follows the underlying's name, in capitals; None when it is no contract, InvalidInput when it is
    an incomplete one."""
    pieces = _PIECE.findall(rest.replace(",", ""))
    if "".join(pieces) != re.sub(r"[\s,]+", "", rest):
        return None
    kinds = [p for p in pieces if p in _KINDS]
    found = _REST.fullmatch(" ".join(p for p in pieces if p not in _KINDS))
    if found is None or len(kinds) > 1:
        return None
    option_type = _KINDS[kinds[0]] if kinds else None
    strike, year = found["strike"], found["year"]
    if option_type is not None and strike is None:  # 26DEC 1100 CE: the number is the strike, not a year
        strike, year = year, None
    expiry = _expiry(found, year)
    if found["month"] and expiry is None:
        return None
    if not kinds:
        if strike is None and expiry is None:
            return None
        raise InvalidInput(f"{rest.strip()!r} names no kind of contract. Add CE, PE or FUT.")
    if option_type is None and strike is not None:
        raise InvalidInput(
            f"A future has no strike, was {rest.strip()!r}. Leave {strike} out, or say CE or PE."
        )
    if option_type is not None and strike is None:
        raise InvalidInput(
            f"An option needs its strike, was {rest.strip()!r}. Write it as in 26DEC 26000 CE."
        )
    return Wanted(rest.strip(), option_type, Decimal(strike) if strike else None, expiry)


_SYMBOL = re.compile(
    r"(?P<year>\d\d)(?:(?P<month>[A-Z]{3})|(?P<week>[1-9OND])(?P<day>\d\d))"
    r"(?:(?P<strike>\d+(?:\.\d+)?)(?P<side>CE|PE)|FUT)"
)


def read_symbol(rest: str) -> Wanted | None:
    """What follows the underlying in Kite's own symbol: ``26DEC26000CE`` monthly, ``26D0826000CE`` weekly
    (the months are 1-9, O, N, D), ``26DECFUT``. None when it is none."""
    found = _SYMBOL.fullmatch(rest)
    if found is None:
        return None
    year = 2000 + int(found["year"])
    if found["month"]:
        month = _month(found["month"])
        if month is None:
            return None
        expiry = Expiry(month, year=year)
    else:
        try:
            day = date(year, "123456789OND".index(found["week"]) + 1, int(found["day"]))
        except ValueError:
            return None
        expiry = Expiry(day.month, exact=day)
    strike = Decimal(found["strike"]) if found["strike"] else None
    return Wanted(rest, OptionType(found["side"]) if found["side"] else None, strike, expiry)


def _expiry(found: re.Match[str], typed_year: str | None) -> Expiry | None:
    if found["iso"]:
        return _exact(*map(int, found["iso"].split("-")))
    if not found["month"]:
        return None
    month = _month(found["month"])
    if month is None:
        return None
    number = int(found["number"]) if found["number"] else None
    year = 2000 + int(typed_year) % 100 if typed_year else None
    if number is not None and year is not None:
        return _exact(year, month, number)
    return Expiry(month, number, year)


def _month(word: str) -> int | None:
    """Of its name or a beginning of three letters at least."""
    return next((n for n, month in enumerate(_MONTHS, 1) if month.startswith(word)), None)


def _exact(year: int, month: int, day: int) -> Expiry:
    try:
        return Expiry(month, exact=date(year, month, day))
    except ValueError:
        raise InvalidInput(f"There is no day {year}-{month:02}-{day:02}.") from None


# -- from the name to the contract --------------------------------------------------------------------------


def resolve(wanted: Wanted, series: Series, today: date | None) -> InstrumentKey:
    """The key of the contract meant. Expiries before ``today`` are past (None: none is). InvalidInput, with
    what there is instead, when it does not exist or two could be meant."""
    strike, side = wanted.strike, wanted.option_type
    kind = "futures" if side is None else "options"
    listed = series.future_expiries() if side is None else series.option_expiries()
    listed = [d for d in listed if today is None or d >= today]
    if not listed:
        raise InvalidInput(f"{series.underlying} has no {kind}.")
    days = listed[:1] if wanted.expiry is None else wanted.expiry.readings(listed, series.monthly)
    if not days:
        raise InvalidInput(
            f"{series.underlying} has no {kind} for {wanted.text!r}; expiries {expiries_text(listed)}."
        )
    found = {day: key for day in days if (key := _at(series, day, strike, side)) is not None}
    if len(found) == 1:
        return found.popitem()[1]
    if found:
        both = " or ".join(f"{date_text(day)} ({symbol_of(key)})" for day, key in found.items())
        raise InvalidInput(f"{wanted.text!r} can mean {both}. Type the symbol in brackets.")
    near = nearest_of(series.strikes(days[-1], side), strike or Decimal(0), 2)
    raise InvalidInput(
        f"{series.underlying} has no {strike} {side} on {date_text(days[-1])}; "
        f"nearest strikes {', '.join(str(s) for s in near)}."
    )


def _at(series: Series, day: date, strike: Decimal | None, side: OptionType | None) -> InstrumentKey | None:
    return series.future(day) if strike is None or side is None else series.option(day, strike, side)


def expiries_text(listed: Sequence[date]) -> str:
    return ", ".join(map(date_text, listed[:_SHOWN])) + (" …" if len(listed) > _SHOWN else "")
