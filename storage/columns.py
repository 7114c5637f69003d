"""How values lie on the disk: exactly, readably, and the same in every database.

Money is the decimal's own text, never REAL. A time is ISO text on the exchange's clock, always of the same
width, so it sorts as it reads and a day is a prefix: ``2026-11-23T09:15:00.000000+05:30``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Text, TypeDecorator

from trader.domain.times import IST, ist

Whole = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in an INTEGER key


def instant_text(at: datetime) -> str:
    """ValueError for a naive time."""
    return ist(at).isoformat("T", "microseconds")


class Money(TypeDecorator[Decimal]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise TypeError(f"Expected money as a finite Decimal, was {value!r}")
        return str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Instant(TypeDecorator[datetime]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else instant_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value[:26]).replace(tzinfo=IST)


class Day(TypeDecorator[date]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:
        return None if value is None else date.fromisoformat(value)


class Word(TypeDecorator[Enum]):
    """A member of a StrEnum, as its value."""

    impl = Text
    cache_ok = True

    def __init__(self, words: Callable[[str], Enum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Enum | None, dialect: Dialect) -> str | None:
        return None if value is None else value._value_  # what ``value`` tells by a longer way

    def process_result_value(self, value: str | None, dialect: Dialect) -> Enum | None:
        return None if value is None else self.words(value)


class Rank(TypeDecorator[Enum]):
    """A member of an IntEnum, as its number, so it sorts."""

    impl = Integer
    cache_ok = True

    def __init__(self, ranks: Callable[[int], Enum]) -> None:
        super().__init__()
        self.ranks = ranks

    def process_bind_param(self, value: Enum | None, dialect: Dialect) -> int | None:
        return None if value is None else value.value

    def process_result_value(self, value: int | None, dialect: Dialect) -> Enum | None:
        return None if value is None else self.ranks(value)


class Tuples(TypeDecorator[tuple[Any, ...]]):
    """Tuples of text, or of tuples of text, as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Any, ...] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Any, ...] | None:
        return None if value is None else _frozen(json.loads(value))


def _frozen(items: list[Any]) -> tuple[Any, ...]:
    return tuple(_frozen(i) if isinstance(i, list) else i for i in items)
