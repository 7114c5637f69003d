"""What somebody typed, taken apart. Numbers and times are ASCII: an Arabic or Devanagari digit is a typing
mistake to ask about, not an amount to trade on."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal

from handlers.render.text import clean, one_line
from trader.domain.errors import InvalidInput
from trader.domain.times import clock_text, ist

MESSAGE_LENGTH = 4096  # Telegram's limit for one message; the terminal gets the same
# Groups make Telegram append @botname, telephones make two blanks a full stop.
_COMMAND = re.compile(r"/([A-Za-z0-9_]+)(?:@[A-Za-z0-9_]+)?[.,!…]*")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))  # keyboards, pages copied from
_DURATION = re.compile(r"([0-9]{1,5})(s|m|h)")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_WHOLE = re.compile(r"[0-9]{1,9}|[0-9]{1,3}(?:,[0-9]{2,3}){1,3}")
_AMOUNT = re.compile(rf"(?:{_WHOLE.pattern})(?:\.[0-9]{{1,4}})?")
_UNDERSCORED = re.compile(r"[+-]?[0-9.]+(?:_[0-9.]*)+%?")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours"}


@dataclass(frozen=True, slots=True)
class Typed:
    """``name`` is empty when it is no command; ``raw`` is everything behind the name."""

    name: str
    raw: str
    args: tuple[str, ...]


def typed(text: str) -> Typed:
    """The command and its words; of a message too long, the first words."""
    head, _, raw = " ".join(clean(text[:MESSAGE_LENGTH]).translate(_DASHES).split()).partition(" ")
    match = _COMMAND.fullmatch(head)
    if match is None:
        return Typed("", "", ())
    return Typed(match[1].casefold(), raw, tuple(raw.split()))


def like_a_command(text: str) -> str:
    """The letters of the first word of what is no command: ``kill`` of ``Kill it!``, of ``/ kill`` and
    ``//kill;``. Empty when there are none."""
    bare = (re.sub(r"[^a-z0-9_]", "", word) for word in clean(text[:MESSAGE_LENGTH]).casefold().split())
    return next((word for word in bare if word), "")


def duration(text: str) -> timedelta | None:
    """``30s``, ``15m``, ``2h``; None for anything else."""
    match = _DURATION.fullmatch(text.casefold())
    return timedelta(**{_UNIT[match[2]]: int(match[1])}) if match else None


def clock_today(text: str, now: datetime) -> datetime | None:
    """``10:15`` or ``10:15:30`` on the market's day; None for anything else.

    Raises InvalidInput for a time no clock shows, or one that has passed.
    """
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    try:
        wanted = time(int(match[1]), int(match[2]), int(match[3] or 0))
    except ValueError:
        raise InvalidInput(f"{text} is not a time of day; expected something like 10:15.") from None
    at = datetime.combine(ist(now).date(), wanted, ist(now).tzinfo)
    if at <= now:
        raise InvalidInput(f"{text} has passed, the market's clock shows {clock_text(now)}.")
    return at


def count(text: str, *, most: int) -> int | None:
    """A whole number from 1 to ``most`` in ASCII digits; None for anything else."""
    if not re.fullmatch(r"[0-9]{1,6}", text):
        return None
    return int(text) if 1 <= int(text) <= most else None


def whole_number(text: str) -> int | None:
    """``100`` or ``1,00,000``, above zero; None for anything else."""
    return int(text.replace(",", "")) or None if _WHOLE.fullmatch(text) else None


def rupee_amount(text: str) -> Decimal | None:
    """``1420``, ``₹1,420.50``, above zero; None for anything else."""
    bare = text.removeprefix("₹")
    return Decimal(bare.replace(",", "")) or None if _AMOUNT.fullmatch(bare) else None


def plain_digits(name: str, value: str) -> None:
    """Raises InvalidInput for a number in other digits than 0 to 9: ``int("٣")`` is 3 to Python, and
    ``int("1_0")`` is 10."""
    foreign = any(not char.isascii() and unicodedata.category(char)[0] == "N" for char in value)
    if foreign or _UNDERSCORED.fullmatch(value):
        raise InvalidInput(
            f"{one_line(name, 40)} is {one_line(value, 40)}: expected a number in the digits 0 to 9. "
            "Nothing was done."
        )


def no_more(args: tuple[str, ...], usage: str) -> None:
    """Raises InvalidInput when there are words left that mean nothing here: a typing mistake must not be
    taken for a shorter command."""
    if args:
        raise InvalidInput(f"I don't know what {one_line(args[0], 40)!r} means here. Usage: {usage}")
