"""Frozen values, quick to pickle and to copy with changes.

``dataclasses`` does both by looking up every field by name, with several Python calls for each: of a round
trip at the desk, which makes some forty new values and writes as many down, that was a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

_T = TypeVar("_T", bound="Value")


class Value:
    """Of a frozen, slotted dataclass whose fields are all given to its constructor, in their order, and that
    checks nothing in ``__post_init__``."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[Value], tuple[Any, ...]]:
        kind = type(self)
        return kind, (_SHAPES.get(kind) or _shape(kind)).read(self)


def replaced(value: _T, /, **changes: Any) -> _T:
    """As ``dataclasses.replace``. KeyError for a field there is not."""
    kind = type(value)
    read, places, twin = _SHAPES.get(kind) or _shape(kind)
    given = list(read(value))
    for name, one in changes.items():
        given[places[name]] = one
    made = twin(*given)
    made.__class__ = kind
    return made  # type: ignore[no-any-return] # it has just become one


class _Shape(NamedTuple):
    """``read`` gives all fields, ``places`` says where each of them stands. ``twin`` has the same slots and
    is not frozen: its constructor simply assigns, where a frozen one must call ``object.__setattr__`` for
    each field and takes five to ten times as long."""

    read: Callable[[Any], tuple[Any, ...]]
    places: dict[str, int]
    twin: Callable[..., Any]


_SHAPES: dict[type[Value], _Shape] = {}


def _shape(kind: type[Value]) -> _Shape:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type] # every kind is a dataclass
    read = attrgetter(*names)
    whole = read if len(names) > 1 else (lambda value: (read(value),))
    twin = make_dataclass(kind.__name__, names, bases=kind.__bases__, slots=True)
    found = _SHAPES[kind] = _Shape(whole, {name: place for place, name in enumerate(names)}, twin)
    return found
