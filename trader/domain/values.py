"""Frozen values, quick to pickle and to copy with changes.

``dataclasses`` does both by looking up every field by name, with several Python calls for each: of a round
trip at the desk, which makes some forty new values and writes as many down, that was a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

_T = TypeVar("_T", bound="Value")
_P = ParamSpec("_P")
_Made = TypeVar("_Made")


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
    read, places, make = _SHAPES.get(kind) or _shape(kind)
    given = list(read(value))
    for name, one in changes.items():
        given[places[name]] = one
    return cast(_T, make(*given))


def quick(kind: Callable[_P, _Made]) -> Callable[_P, _Made]:
    """The constructor of a frozen, slotted dataclass, several times as quick; for what is made with every
    order. TypeError for one that has a ``__post_init__`` or a default factory."""
    return cast("Callable[_P, _Made]", (_SHAPES.get(cast(Any, kind)) or _shape(kind)).make)


class _Shape(NamedTuple):
    """``read`` gives all fields, ``places`` says where each of them stands, ``make`` takes what the
    constructor takes. It assigns to an object of the same slots that is not frozen, and then makes that a
    ``kind``; a frozen one must call ``object.__setattr__`` for each field and takes five times as long."""

    read: Callable[[Any], tuple[Any, ...]]
    places: dict[str, int]
    make: Callable[..., Any]


_SHAPES: dict[type[Value], _Shape] = {}


def _shape(kind: Any) -> _Shape:
    known = fields(kind)
    if hasattr(kind, "__post_init__") or any(one.default_factory is not MISSING for one in known):
        raise TypeError(f"{kind.__name__} does more than to assign: only its own constructor may make it")
    names = [one.name for one in known]
    room: dict[str, Any] = {
        "_blank": type(kind.__name__, kind.__bases__, {"__slots__": names}),
        "_kind": kind,
        "_new": object.__new__,
        **{f"_{one.name}": one.default for one in known},
    }
    terms = ", ".join(name if room[f"_{name}"] is MISSING else f"{name}=_{name}" for name in names)
    # Written out as dataclasses does it, for setattr and attrgetter look up every name anew.
    written = [
        f"def make({terms}):",
        "    _made = _new(_blank)",
        *(f"    _made.{name} = {name}" for name in names),
        "    _made.__class__ = _kind",
        "    return _made",
        f"def read(_made): return ({''.join(f'_made.{name}, ' for name in names)})",
    ]
    exec("\n".join(written), room)  # noqa: S102 - nothing but the names of fields goes in
    places = {name: place for place, name in enumerate(names)}
    found = _SHAPES[kind] = _Shape(room["read"], places, room["make"])
    return found
