"""What every kind of record is known by, and what may be written at all.

Both ledgers pass every record through ``storable`` before they touch anything, so a bad record is refused
by the twin exactly as by the database, and never half-way through a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from trader.domain.order import Order
from trader.domain.position import DayResult, Fill, Position, Trade
from trader.domain.records import (
    Alert,
    AlertDelivery,
    AuditEntry,
    CommandDone,
    ExitPlan,
    Latch,
    OrderEvent,
    RiskCounters,
    SessionRecord,
    Setting,
    StrategyInstance,
)
from trader.domain.times import ist

R = TypeVar("R")
Admit = Callable[[Any], Any]  # the value as it can be kept; TypeError or ValueError if it cannot

KEYS: Mapping[type, tuple[str, ...]] = {
    Order: ("tag",),
    OrderEvent: ("tag", "sequence"),
    Fill: ("fill_id",),
    Position: ("owner", "key", "product"),
    Trade: ("trade_id",),
    DayResult: ("day", "owner"),
    ExitPlan: ("owner", "key", "product"),
    RiskCounters: ("day",),
    StrategyInstance: ("name",),
    Latch: (),  # there is one; its history is kept
    Alert: ("alert_id",),
    AlertDelivery: ("alert_id", "recipient"),
    AuditEntry: ("source_id",),
    CommandDone: ("source_id",),
    SessionRecord: ("session_id",),
    Setting: ("key",),
}
ONCE = frozenset({Fill, Trade, OrderEvent, Alert})  # the first one of a key stays

COMMANDS_REMEMBERED = 1000


def storable(record: R) -> R:
    """``record``, or a copy whose times are on the exchange's clock and whose text every database takes.

    TypeError or ValueError, naming the field, for what cannot be kept exactly: a float where money
    belongs, NaN, a naive time, an integer beyond 64 bits.
    """
    kind: type = type(record)
    changed: dict[str, Any] = {}
    for name, plain, admit in _fields(kind):
        value = getattr(record, name)
        if type(value) in plain:
            continue
        try:
            kept = admit(value)
        except (TypeError, ValueError, OverflowError) as fault:
            raise type(fault)(f"{kind.__name__}.{name}: {fault}") from fault
        if kept is not value:
            changed[name] = kept
    return replace(record, **changed) if changed else record  # type: ignore[type-var]  # _fields saw a dataclass


@cache
def _fields(kind: type) -> tuple[tuple[str, tuple[type, ...], Admit], ...]:
    """Each field's name, the types whose every value can be kept as it is, and the look the others need."""
    if not is_dataclass(kind):
        raise TypeError(f"Expected a record, was {kind.__name__}")
    hints = get_type_hints(kind)
    return tuple((f.name, _plain(hints[f.name]), _admitting(hints[f.name])) for f in fields(kind))


def _plain(hint: Any) -> tuple[type, ...]:
    if get_origin(hint) in (Union, UnionType):
        return tuple(kind for part in get_args(hint) for kind in _plain(part))
    certain = isinstance(hint, type) and (issubclass(hint, Enum) or hint in (bool, date, NoneType))
    return (hint,) if certain else ()


def _admitting(hint: Any) -> Admit:
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    if get_origin(hint) in (Union, UnionType):  # X | None is one or the other, by what X is
        (inner,) = (_admitting(a) for a in get_args(hint) if a is not NoneType)
        return lambda value: None if value is None else inner(value)
    if get_origin(hint) is tuple:
        return _tuple_of(tuple(_admitting(a) for a in get_args(hint) if a is not ...))
    if is_dataclass(hint) and isinstance(hint, type):
        return _exactly(hint, storable)
    if issubclass(hint, Enum):
        return _exactly(hint, lambda value: value)
    return _SCALARS[hint]


def _exactly(kind: type, then: Admit) -> Admit:
    def admit(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"expected {kind.__name__}, was {value!r}")
        return then(value)

    return admit


def _tuple_of(items: tuple[Admit, ...]) -> Admit:
    """One admission for all items (``tuple[X, ...]``), or one for each (``tuple[X, Y]``)."""

    def each(value: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(items) > 1 and len(value) != len(items):
            raise ValueError(f"expected {len(items)} items, was {value!r}")
        kept = tuple(items[i if len(items) > 1 else 0](v) for i, v in enumerate(value))
        return value if all(k is v for k, v in zip(kept, value, strict=True)) else kept

    return _exactly(tuple, each)


def _text(value: Any) -> str:
    """Lone surrogates, which chat clients can send, and NUL, which PostgreSQL refuses, become U+FFFD:
    what a stranger types must not be able to fail a commit."""
    if not isinstance(value, str):
        raise TypeError(f"expected text, was {value!r}")
    if value.isascii():
        return value if "\0" not in value else value.replace("\0", "\ufffd")
    clean = "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in value)
    return value if clean == value else clean


def _integer(value: Any) -> int:
    """A bool or a NumPy integer is not one: SQLite would keep the latter as bytes."""
    if type(value) is not int:
        raise TypeError(f"expected int, was {value!r}")
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"expected at most 64 bits, was {value}")
    return value


def _finite(value: Any) -> Decimal:
    if type(value) is not Decimal:
        raise TypeError(f"expected Decimal, was {value!r}")
    if not value.is_finite():
        raise ValueError(f"expected a finite amount, was {value}")
    return value


_SCALARS: Mapping[type, Admit] = {
    str: _text,
    int: _integer,
    bool: _exactly(bool, lambda value: value),
    Decimal: _finite,
    date: _exactly(date, lambda value: value),
    datetime: _exactly(datetime, ist),
}
