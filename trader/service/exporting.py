"""``bot.py export``: fills or trades of the ledger as CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from trader.domain.counting import counted
from trader.domain.errors import InvalidInput
from trader.domain.records import SessionRecord
from trader.domain.times import date_text
from trader.ports.store import Store

USAGE = "bot.py export trades 2026-04-01..2027-03-31 trades.csv"
_FINANCIAL_YEAR = 4, 1  # India's begins on 1 April
_MOST = 1_000_000  # records of a day

Csv = Callable[[Sequence[Any], Sequence[SessionRecord]], str]


@dataclass(frozen=True, slots=True)
class Export:
    """``kind`` is fills or trades; without ``path`` it goes to the output."""

    kind: str
    first: date
    last: date
    path: Path | None

    @classmethod
    def meant(cls, words: Sequence[str], today: date) -> Export:
        """Without days the financial year."""
        if not words or words[0] not in ("fills", "trades") or len(words) > 3:
            raise InvalidInput(f"Expected fills or trades, days and a file, as in {USAGE}")
        kind, rest = words[0], list(words[1:])
        year = today.year - ((today.month, today.day) < _FINANCIAL_YEAR)
        first = date(year, *_FINANCIAL_YEAR)
        last = date(year + 1, *_FINANCIAL_YEAR) - timedelta(days=1)
        if rest and rest[0][:1].isdigit():
            first, last = _days(rest.pop(0))
        if len(rest) > 1:
            raise InvalidInput(f"Expected days before the file, as in {USAGE}")
        if rest and not Path(rest[0]).suffix and len(Path(rest[0]).parts) == 1:  # a file called yesterday
            raise InvalidInput(f"{rest[0]!r} is neither days nor a file's name; expected them as in {USAGE}")
        return cls(kind, first, last, Path(rest[0]).expanduser() if rest else None)


async def export(store: Store, asked: Export, csv: Mapping[str, Csv]) -> tuple[str, str]:
    """The CSV, and a sentence on it. A file is written only where there is none yet."""
    read = store.trades if asked.kind == "trades" else store.fills
    records: list[Any] = []
    for n in range((asked.last - asked.first).days + 1):
        records += await read(asked.first + timedelta(days=n), limit=_MOST)
    text = csv[asked.kind](records, await store.sessions())
    said = f"{counted(len(records), asked.kind[:-1])} of {date_text(asked.first)} to {date_text(asked.last)}"
    if asked.path is not None:
        try:
            with asked.path.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError:
            raise InvalidInput(f"{asked.path} is there already; name another file, or remove it") from None
        except OSError as fault:
            raise InvalidInput(f"{asked.path} cannot be written: {fault.strerror}") from None
        said += f", in {asked.path}"
    return text, said


def _days(text: str) -> tuple[date, date]:
    first, dots, last = text.partition("..")
    try:
        days = date.fromisoformat(first), date.fromisoformat(last if dots else first)
    except ValueError:
        raise InvalidInput(f"Expected days like 2026-04-01..2027-03-31, were {text}") from None
    if days[0] > days[1]:
        raise InvalidInput(f"Expected the earlier day first, was {text}")
    return days
