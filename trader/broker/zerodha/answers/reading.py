"""A row of JSON into a dataclass, by its fields' types.

Amounts are exact (through the number's shortest text), times are on the exchange's clock, words nobody knows
stay text, and what a row says beyond the fields is left out: Kite adds fields without notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from trader.broker.zerodha.mapping import UnreadableRow, moment, number
from trader.domain.times import IST

T = TypeVar("T")
Read = Callable[[Any], Any]  # ValueError for what it is not


def read(kind: type[T], row: object) -> T:
    """``kind``: a dataclass. A field with a default may be missing. UnreadableRow, naming the field."""
    if not isinstance(row, Mapping):
        raise UnreadableRow(f"Expected {kind.__name__}, came {type(row).__name__}")
    values: dict[str, Any] = {}
    of_kind: type = kind
    for name, needed, of in _fields(of_kind):
        if name not in row:
            if needed:
                raise UnreadableRow(f"Expected {name} in {kind.__name__}, came {sorted(row)}")
            continue
        try:
            values[name] = of(row[name])
        except UnreadableRow as error:
            raise UnreadableRow(f"{kind.__name__}.{name}: {error}") from None
    return kind(**values)


def read_all(kind: type[T], rows: object) -> list[T]:
    if not isinstance(rows, list):
        raise UnreadableRow(f"Expected a list of {kind.__name__}, came {type(rows).__name__}")
    return [read(kind, row) for row in rows]


def read_by_key(kind: type[T], rows: object) -> dict[str, T]:
    """``{"NSE:INFY": …}``"""
    if not isinstance(rows, Mapping):
        raise UnreadableRow(f"Expected {kind.__name__} by key, came {type(rows).__name__}")
    return {str(key): read(kind, row) for key, row in rows.items()}


@cache
def _fields(kind: type) -> tuple[tuple[str, bool, Read], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (f.name, f.default is MISSING and f.default_factory is MISSING, _reader(hints[f.name]))
        for f in fields(kind)
    )


def _reader(hint: Any) -> Read:
    if hint is Any:
        return lambda value: value
    if get_origin(hint) in (Union, UnionType):
        return _either(get_args(hint))
    if get_origin(hint) is tuple:
        item = _reader(get_args(hint)[0])
        return lambda value: tuple(item(one) for one in _exactly(list, value))
    if get_origin(hint) is dict:
        of = _reader(get_args(hint)[1])
        return lambda value: {str(key): of(one) for key, one in _exactly(dict, value).items()}
    if is_dataclass(hint) and isinstance(hint, type):
        kind: type[Any] = hint
        return lambda value: read(kind, value)
    return _SCALARS[hint]


def _either(kinds: tuple[Any, ...]) -> Read:
    """``X | None``, where an empty text or a time before all time is None too; or ``Words | str``."""
    words = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum)), None)
    if words is not None:
        known = {str(one.value): one for one in words}
        return lambda value: known.get(text := _exactly(str, value), text)
    (inner,) = (kind for kind in kinds if kind is not NoneType)
    of, dated = _reader(inner), inner in (date, datetime)
    return lambda value: None if value is None or (dated and value in _NEVER) else of(value)


def _exactly(kind: type[T], value: object) -> T:
    if type(value) is not kind:
        raise UnreadableRow(f"expected {kind.__name__}, came {value!r}")
    return value


def _amount(value: object) -> Decimal:
    if value is None or value == "":
        raise UnreadableRow(f"expected a number, came {value!r}")
    return number({"number": value}, "number")


def _whole(value: object) -> int:
    amount = _amount(value)
    if amount != int(amount):
        raise UnreadableRow(f"expected a whole number, came {value!r}")
    return int(amount)


def _instant(value: object) -> datetime:
    at = moment(value)
    if at is None:
        raise UnreadableRow(f"expected a time, came {value!r}")
    return at


def _iso(kind: Any) -> Read:
    def of(value: object) -> Any:
        try:
            return kind.fromisoformat(_exactly(str, value))
        except ValueError:
            raise UnreadableRow(f"expected a {kind.__name__}, came {value!r}") from None

    return of


_NEVER = ("", "0001-01-01 00:00:00")
_SCALARS: dict[Any, Read] = {
    str: lambda value: _exactly(str, value),
    bool: lambda value: _exactly(bool, value),
    int: _whole,
    Decimal: _amount,
    datetime: _instant,
    date: _iso(date),
    time: lambda value: _iso(time)(value).replace(tzinfo=IST),
}
