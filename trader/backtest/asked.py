"""What a person types to have something tested, in chat and in the shell alike:

    ema_crossover RELIANCE,TCS 5m 90d fast=9 slow=21 stop=0.5
    ema_crossover RELIANCE 5m 2023-07-03..2024-06-28 fast=5:20:1 slow=20:60:5 goal=sharpe trials=100

The strategy, symbols, a candle interval, a span (``90d 12w 6mo 2y``, or two days), and settings: the
strategy's own, the common options, and those of the test itself, which are listed in ``OWN``.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

from trader.domain.errors import InvalidInput
from trader.domain.market import Interval

# Settings of the test, not of the strategy, and what they mean.
OWN: Final[Mapping[str, str]] = {
    "capital": "rupees the test may use; the desk's own unless given",
    "drawdown": "% below the peak at which the test stops trading; the desk's own unless given",
    "daily_loss": "% of capital a day may lose; the desk's own unless given",
    "slippage": "% lost by every market order; the paper desk's own unless given",
    "charges": "off: without brokerage and taxes, to compare with others",
    "data": "a folder, a file or a pattern of candles",
    "goal": "the figure to search by: net, sharpe, calmar, sqn …",
    "where": "bounds to keep, as in trades>=30;drawdown<=10",
    "trials": "how many settings to try at most",
    "sampler": "grid or tpe",
    "holdout": "% of the days kept from the search",
    "name": "of a search, to go on with it",
    "seed": "of what is drawn at random",
    "workers": "processes that search together",
    "storage": "database of searches, as in postgresql://user@host/name, for several machines",
    "train": "trading days that are searched, of walking forward",
    "test": "trading days that are then traded with what was found",
    "anchored": "yes: every search begins on the first day",
    "runs": "how many times it is drawn anew",
    "order": "bootstrap: trades drawn with replacement; shuffle: only in another order",
    "noise": "% of a candle's usual range by which its prices are moved",
    "weigh": "how capital is shared out: equal, inverse_volatility, kelly, risk_parity, hrp, max_sharpe",
    "cap": "% of the capital for one strategy, at most",
}
CANDLES: Final = ("data",)
RULES: Final = ("capital", "drawdown", "daily_loss", "slippage", "charges", *CANDLES)
SEARCHING: Final = ("goal", "where", "trials", "sampler", "name", "seed", "storage")
OPTIMIZING: Final = (*RULES, *SEARCHING, "holdout", "workers")
WALKING: Final = (*RULES, *SEARCHING, "train", "test", "anchored")
SHELL: Final = ("data", "storage", "workers")  # these name files, passwords and processes: not for chat
DEFAULT_SPAN = "365d"
_NO_TRADING: Final = timedelta(days=7)  # a long weekend, and candles that are fetched once a day
_FIRST_YEAR, _LAST_YEAR = 1990, 2100  # the NSE began in 1994
_SPAN = re.compile(r"([0-9]{1,4})(d|w|mo|y)", re.IGNORECASE)
_INTERVAL = re.compile(r"[0-9]+(s|m|h|min|minute)|1d|minute|day", re.IGNORECASE)
_BARE = re.compile(r"[0-9]{1,4}")  # of "3 months", "1 oct", "5 min"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAYS = re.compile(rf"{_DAY.pattern}(?:(?:\.\.+|[:,]){_DAY.pattern})?")
# No symbol looks like these, which mean days and spans in other people's ways.
_LIKE_DAYS = re.compile(r"[0-9]{1,4}([-/.][0-9]{1,2}){1,2}([-/.][0-9]{2,4})?|[0-9]{8}|.*\.\..*")
_LIKE_SPAN = re.compile(r"[0-9]{1,4} ?(days?|wk?s?|weeks?|mos?|mths?|months?|yrs?|years?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """``settings`` are the strategy's and the options', as typed; ``own`` those of ``OWN``. ``last`` None: to
    the newest candle. ``span``: what was counted back, "" where days were given. ``counted``: from where, if
    not from today."""

    strategy: str
    symbols: tuple[str, ...]
    interval: Interval
    first: date
    last: date | None
    settings: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    span: str = field(default="", compare=False)
    counted: str = field(default="", compare=False)


def asked(words: Sequence[str], today: date, usage: str, *, bare: bool = False) -> Asked:
    """Raises InvalidInput with ``usage`` behind it. ``bare``: symbols need not be given."""
    if not words or "=" in words[0]:
        raise InvalidInput(f"Expected a strategy{'' if bare else ' and symbols'}. Usage: {usage}")
    symbols: list[str] = []
    days: list[date] = []
    settings: dict[str, str] = {}
    own: dict[str, str] = {}
    interval: Interval | None = None
    span: str | None = None
    for word in words[1:]:
        name, equals, value = word.partition("=")
        name = name.casefold()
        if equals and name:
            target = own if name in OWN else settings
            if not value:
                raise InvalidInput(f"Expected {name}=value, was {word!r}. Usage: {usage}")
            if name in target:
                raise InvalidInput(f"{name} is given twice.")
            target[name] = value
        elif equals:
            raise InvalidInput(f"Expected name=value without blanks, was {word!r}. Usage: {usage}")
        elif _INTERVAL.fullmatch(word):
            if interval is not None:
                raise InvalidInput(f"Two intervals, {interval} and {word}; expected one. Usage: {usage}")
            interval = Interval.parse(word)
        elif _SPAN.fullmatch(word):
            span = word
        elif _DAYS.fullmatch(word):
            days += [_day(text, usage) for text in _DAY.findall(word)]
        elif _DAY.search(word) or _LIKE_DAYS.fullmatch(word):
            raise InvalidInput(
                f"Expected a day like 2026-11-20, or two, 2026-01-01..2026-11-20, was {word}. Usage: {usage}"
            )
        elif _BARE.fullmatch(word):
            raise InvalidInput(
                f"{word!r} is no symbol: a span is written 90d, 12w, 6mo or 2y, days 2026-10-01..2026-11-20, "
                f"candles 5m. Usage: {usage}"
            )
        elif _LIKE_SPAN.fullmatch(word):
            raise InvalidInput(f"Expected a span like 90d, 12w, 6mo or 2y, was {word!r}. Usage: {usage}")
        else:
            symbols += [symbol for symbol in word.upper().split(",") if symbol]
    if not symbols and not bare:
        raise InvalidInput(f"Expected symbols, as in RELIANCE,TCS. Usage: {usage}")
    first, last = _span(days, span, today, usage)
    return Asked(
        words[0].casefold(),
        tuple(dict.fromkeys(symbols)),
        interval or Interval.M5,
        first,
        last,
        settings,
        own,
        "" if days else span or DEFAULT_SPAN,
    )


def from_newest(asked: Asked, newest: date | None, today: date) -> Asked:
    """Its span counted back from the ``newest`` candle there is, where that is older than some days without
    trading explain: from today it would be a shorter span than was asked for, or an empty one."""
    if not asked.span or newest is None or today - newest <= _NO_TRADING:
        return asked
    first = before(newest, asked.span)
    return replace(asked, first=first, last=newest, counted=f"{asked.span} back from the newest candle")


def _span(days: list[date], span: str | None, today: date, usage: str) -> tuple[date, date | None]:
    if days and span:
        raise InvalidInput(f"Expected {span} or days, not both. Usage: {usage}")
    if len(days) > 2 or (len(days) == 2 and days[0] > days[1]):
        raise InvalidInput(f"Expected a first and a last day, in this order. Usage: {usage}")
    if days and not all(_FIRST_YEAR <= day.year <= _LAST_YEAR for day in days):
        raise InvalidInput(f"Expected days from {_FIRST_YEAR} to {_LAST_YEAR}. Usage: {usage}")
    if days:
        return days[0], days[1] if len(days) == 2 else None
    return before(today, span or DEFAULT_SPAN), None


def only(own: Mapping[str, str], names: Collection[str], usage: str) -> None:
    """InvalidInput for settings of the test that mean nothing here: passed over in silence, one would believe
    in them."""
    for name in own:
        if name not in names:
            raise InvalidInput(f"{name}= means nothing here: it is {OWN[name]}. Usage: {usage}")


def again(words: Sequence[str], asked: Asked) -> list[str]:
    """``words`` with the days they meant, so that they mean the same tomorrow, and without passwords."""
    days = f"{asked.first}..{asked.last}" if asked.last else f"{asked.first}"
    kept = [word for word in words[1:] if not _SPAN.fullmatch(word) or _INTERVAL.fullmatch(word)]
    kept = [_without_password(word) for word in kept if "=" in word or not _DAYS.fullmatch(word)]
    place = next((n for n, word in enumerate(kept) if "=" in word), len(kept))
    return [*words[:1], *kept[:place], days, *kept[place:]]


def _without_password(word: str) -> str:
    name, equals, value = word.partition("=")
    if name.casefold() != "storage":
        return word
    return f"{name}{equals}{without_password(value)}"


def without_password(storage: str) -> str:
    """A database's address as it may be shown."""
    scheme, separator, rest = storage.partition("://")
    who, at, where = rest.rpartition("@")
    if not separator:
        return storage
    where = where.partition("?")[0]  # a password may be there, too
    return f"{scheme}://{who.partition(':')[0]}{at}{where}"


def before(today: date, span: str) -> date:
    """The day ``90d``, ``12w``, ``6mo`` or ``2y`` before ``today``."""
    found = _SPAN.fullmatch(span)
    if found is None or not int(found[1]):
        raise InvalidInput(f"Expected a span like 90d, 12w, 6mo or 2y, was {span!r}")
    count, unit = int(found[1]), found[2].casefold()
    try:
        if unit in ("d", "w"):
            return today - timedelta(days=count * (7 if unit == "w" else 1))
        months = today.year * 12 + today.month - 1 - count * (12 if unit == "y" else 1)
        year, month = divmod(months, 12)
        return date(year, month + 1, min(today.day, calendar.monthrange(year, month + 1)[1]))
    except (ValueError, OverflowError):
        raise InvalidInput(f"{span} reaches back before there were candles.") from None


def _day(text: str, usage: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"Expected a day like 2026-11-20, was {text}. Usage: {usage}") from None
