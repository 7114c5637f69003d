"""Symbols in a line of words. A contract's name has blanks in it: ``NIFTY 26DEC 26000 CE`` is one symbol,
and so is whatever stands in quotation marks, or has underscores for its blanks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from handlers.render.text import one_line
from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, Instrument

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»‘’‚'`´", '"'))  # phones curl them unasked
# A comma between digits belongs to the number: 1,00,000, and quantity=1,000 is one mistake, not two words.
_TOKEN = re.compile(
    r'"([^"]*)"|,|₹?[0-9]{1,3}(?:,[0-9]{2,3})+(?:\.[0-9]+)?(?=\s|$)'
    r'|[^\s,"=]+=(?:[^\s,"]|(?<=[0-9]),(?=[0-9]))*|[^\s,"]+'
)
_NUMBER = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,2})?")
_MONTH = r"(?:JAN|FEB|MAR|APR|MAY|JUNE?|JULY?|AUG|SEPT?|OCT|NOV|DEC)"
_EXPIRY = re.compile(
    rf"[0-9]{{0,2}}{_MONTH}(?:[0-9]{{2}}|[0-9]{{4}})?|[0-9]{{1,2}}|20[0-9]{{2}}|20[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}"
)
_DAY_ALONE = re.compile(r"[0-9]{1,2}|20[0-9]{2}")
_ENDS = {"CE": "CE", "PE": "PE", "CALL": "CE", "PUT": "PE", "FUT": "FUT", "FUTURE": "FUT", "FUTURES": "FUT"}
_MOST_EXPIRY_WORDS = 3  # 26 DEC 2026
COMMA = ","


def words_of_line(raw: str) -> list[str]:
    """The line's words; commas are words of their own, and what was quoted is one word.

    Raises InvalidInput for a quotation mark without its partner.
    """
    text = raw.translate(_QUOTES)
    if text.count('"') % 2:
        raise InvalidInput(f"A quotation mark is open in {one_line(raw, 60)!r}; close it and send it again.")
    text = re.sub(r"\s*=\s*", "=", text)
    found = [match[1].strip() if match[1] is not None else match[0] for match in _TOKEN.finditer(text)]
    return [word for word in found if word]


def joined(words: Sequence[str]) -> list[str]:
    """Symbols: a contract's words put together, commas gone, capitals throughout."""
    symbols: list[str] = []
    since = 0  # the first symbol behind the last comma
    for word in words:
        if word == COMMA:
            since = len(symbols)
            continue
        upper = word.upper().replace("_", " ").strip()
        begins = _contract_begin(symbols[since:], upper)
        if begins is None:
            symbols.append(upper)
        else:
            symbols[since + begins :] = [" ".join((*symbols[since + begins :], _ENDS[upper]))]
    return [symbol for symbol in symbols if symbol]


def symbols_in(raw: str) -> list[str]:
    """The symbols of a line that has nothing else, each once."""
    return list(dict.fromkeys(joined(words_of_line(raw))))


def leading_symbol(raw: str) -> tuple[str, tuple[str, ...]]:
    """The symbol a line begins with, and the words behind it."""
    words = [word for word in words_of_line(raw) if word != COMMA]
    for n in range(min(len(words), _MOST_EXPIRY_WORDS + 3), 1, -1):
        together = joined(words[:n])
        if len(together) == 1:
            return together[0], tuple(words[n:])
    return "".join(joined(words[:1])), tuple(words[1:])


def one_symbol(raw: str) -> str:
    """The line as a single symbol, for where only one makes sense: ``NIFTY 50`` needs no quotation marks."""
    found = symbols_in(raw)
    return found[0] if len(found) == 1 else raw.strip()


def quoted(symbol: str) -> str:
    """The symbol as it can be typed in a line of others."""
    return f'"{symbol}"' if " " in symbol else symbol


def name_of(instrument: Instrument) -> str:
    """The shortest name that finds this instrument and no other: contracts' names are the exchange's own, a
    stock's is taken for NSE's."""
    return instrument.key if instrument.exchange is Exchange.BSE else instrument.symbol


def _contract_begin(before: Sequence[str], word: str) -> int | None:
    """Where in ``before`` the contract begins that ``word`` (CE, PE, FUT) ends; None when it ends none."""
    end = len(before)
    if word not in _ENDS:
        return None
    if _ENDS[word] != "FUT":
        if not end or not _NUMBER.fullmatch(before[end - 1]):
            return None
        end -= 1
    first = end
    while first > 1 and end - first < _MOST_EXPIRY_WORDS and _EXPIRY.fullmatch(before[first - 1]):
        first -= 1
    return first - 1 if first >= 1 and not _DAY_ALONE.fullmatch(before[first - 1]) else None
