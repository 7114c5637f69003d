"""What a search may try: typed ranges of a strategy's own parameters and of the common options.

``fast=5:30:1`` is low:high:step, ``until=12:00:14:00:30`` a clock's, ``side=long,short`` a list, ``risk=0.5``
fixed, ``fast=*`` whatever the parameter allows. Every axis is a finite row of texts, so a point is a tuple of
places in those rows: points can be counted, kept apart and walked to their neighbours.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from trader.domain.errors import InvalidInput, UnknownName
from trader.strategy.options import OPTIONS, parse_settings
from trader.strategy.param import Param
from trader.strategy.strategy import Strategy

Point = tuple[int, ...]  # one index into Axis.texts for each axis

MOST_VALUES = 1000  # of one axis
MOST_POINTS = 100_000  # of a space that is gone through whole
_LOOKED_AT = 20_000  # points, for one that is taken, before a search begins: two seconds
_DEFAULT_VALUES = 25  # of an axis whose step nobody gave
_ROUND_STEPS = (1, 2, 5)
_TIME = r"[0-9]{1,2}:[0-9]{2}"
_TIMES = re.compile(rf"({_TIME}):({_TIME})(?::([0-9]+))?")
_TIMES_LISTED = re.compile(rf"{_TIME}(?:\s*,\s*{_TIME})*")
_RANGE = re.compile(r"([0-9.]*[0-9]%?)\s*(?:-|–|—|\.\.\.?|…|to)\s*([0-9.]*[0-9]%?)")  # as people write one


@dataclass(frozen=True, slots=True)
class Axis:
    """``texts`` are canonical and differ. ``numeric`` axes ascend: their neighbours mean something."""

    name: str
    texts: tuple[str, ...]
    numeric: bool
    whole: bool = False  # counts, not measures

    @property
    def numbers(self) -> tuple[float, ...]:
        return tuple(float(_number(text)) for text in self.texts)

    @property
    def step(self) -> Decimal | None:
        """Between one value and the next where that is always the same; None in a list of any others."""
        if not self.numeric or len(self.texts) < 2:
            return None
        steps = {_number(b) - _number(a) for a, b in itertools.pairwise(self.texts)}
        return steps.pop() if len(steps) == 1 else None

    def __str__(self) -> str:
        step = self.step
        if step is None or len(self.texts) < 3:
            return f"{self.name}={','.join(self.texts)}"
        return f"{self.name}={self.texts[0]}:{self.texts[-1]}:{step.normalize():f}"


@dataclass(frozen=True, slots=True)
class Space:
    """``fixed`` are the settings given with one value; ``defaults`` the desk's for options left out."""

    strategy: type[Strategy]
    axes: tuple[Axis, ...]
    fixed: tuple[tuple[str, str], ...] = ()
    defaults: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(
        cls, strategy: type[Strategy], given: Mapping[str, str], defaults: Mapping[str, str] | None = None
    ) -> Space:
        """``given`` as typed. When it has no range at all, every parameter of the strategy's own that has
        bounds is searched. UnknownName and InvalidInput say what was meant or allowed; also when no point
        of the space is a combination the strategy takes."""
        known: dict[str, Param[Any]] = {**OPTIONS, **strategy.params()}
        spelled = {name.casefold(): name for name in known}
        axes: list[Axis] = []
        fixed: dict[str, str] = {}
        for typed, text in given.items():
            name = spelled.get(typed.strip().casefold(), typed)
            if name not in known:
                raise UnknownName(f"setting of {strategy.name}", typed, known)
            if name in fixed or name in {axis.name for axis in axes}:
                raise InvalidInput(f"{name} is given twice: expected it once")
            texts = axis_texts(known[name], name, text)
            if len(texts) == 1:
                fixed[name] = texts[0]
            else:
                axes.append(_axis(known[name], name, texts))
        if not axes:
            axes = _open_axes(strategy, fixed)
        space = cls(strategy, tuple(axes), tuple(fixed.items()), tuple((defaults or {}).items()))
        space._check()
        return space

    @property
    def size(self) -> int:
        """Points, also those the strategy would refuse."""
        return math.prod(len(axis.texts) for axis in self.axes)

    def settings(self, point: Point) -> dict[str, str]:
        """What was typed as fixed, and this point's values."""
        return {**dict(self.fixed), **self.searched(point)}

    def searched(self, point: Point) -> dict[str, str]:
        """This point's values only: what one reads in a table."""
        return {axis.name: axis.texts[i] for axis, i in zip(self.axes, point, strict=True)}

    def point(self, settings: Mapping[str, str]) -> Point | None:
        """Where these settings lie; None when not in this space."""
        try:
            return tuple(axis.texts.index(settings[axis.name]) for axis in self.axes)
        except (KeyError, ValueError):
            return None

    def objection(self, point: Point) -> str | None:
        """Why the strategy or the options refuse this combination; None when they take it."""
        try:
            parse_settings(self.strategy, self.settings(point), dict(self.defaults))
        except InvalidInput as e:
            return str(e)
        return None

    def points(self) -> Iterator[Point]:
        """Every combination the strategy takes, the last axis fastest."""
        return (point for point in self._all() if self.objection(point) is None)

    def grid(self) -> list[Point]:
        """``points`` as a list; InvalidInput when there are too many to go through."""
        if self.size > MOST_POINTS:
            raise InvalidInput(
                f"{self} has {self.size:,} points: expected at most {MOST_POINTS:,} to try them all; "
                "make the steps larger, or search with tpe"
            )
        return list(self.points())

    def neighbours(self, point: Point) -> list[Point]:
        """Taken combinations one step away, diagonals too, along the numeric axes."""
        moves = [(-1, 0, 1) if axis.numeric else (0,) for axis in self.axes]
        near = []
        for step in itertools.product(*moves):
            other = tuple(i + by for i, by in zip(point, step, strict=True))
            inside = all(0 <= i < len(axis.texts) for i, axis in zip(other, self.axes, strict=True))
            if any(step) and inside and self.objection(other) is None:
                near.append(other)
        return near

    def start(self) -> tuple[tuple[str, str], ...]:
        """Every setting at the first combination taken: what a leg to be searched begins with."""
        point = next(self.points())
        return parse_settings(self.strategy, self.settings(point), dict(self.defaults)).settings

    def _check(self) -> None:
        objection = None
        for point in itertools.islice(self._all(), _LOOKED_AT):
            objection = self.objection(point)
            if objection is None:
                return
        if self.size <= _LOOKED_AT:
            raise InvalidInput(f"No combination of {self} can be used. The last: {objection}")

    def _all(self) -> Iterator[Point]:
        return itertools.product(*(range(len(axis.texts)) for axis in self.axes))

    def __str__(self) -> str:
        return " ".join([*map(str, self.axes), *(f"{name}={text}" for name, text in self.fixed)])


def axis_texts(param: Param[Any], name: str, text: str) -> tuple[str, ...]:
    """The canonical texts a typed range stands for, ascending where they are numbers; InvalidInput else."""
    text = text.strip()
    if text == "*":
        return _all_of(param, name)
    if param.clock and (span := _TIMES.fullmatch(text)):  # whose colons are not all the range's
        text = ":".join(f"{_number(part)}" for part in span.groups() if part)
    if ":" in text and not (param.clock and _TIMES_LISTED.fullmatch(text)):
        return _stepped(param, name, text)
    if param.kind in (int, float) and (meant := _RANGE.fullmatch(text)):
        raise InvalidInput(
            f"{name} is {text}: a range is low:high or low:high:step, as in {name}={meant[1]}:{meant[2]}"
        )
    values = {param.parse(part, name=name): None for part in text.split(",")}
    ordered = sorted(values) if param.kind in (int, float) else list(values)
    return tuple(param.text(value) for value in ordered)


def _number(text: str) -> Decimal:
    """Of a time of the day, its minutes."""
    hours, colon, minutes = text.partition(":")
    return Decimal(60 * int(hours) + int(minutes)) if colon else Decimal(text)


def _axis(param: Param[Any], name: str, texts: tuple[str, ...]) -> Axis:
    return Axis(name, texts, numeric=param.kind in (int, float), whole=param.kind is int)


def _stepped(param: Param[Any], name: str, text: str) -> tuple[str, ...]:
    if param.kind not in (int, float):
        raise InvalidInput(f"{name} is {text}: expected a list, as in {name}=first,second; {param.span}")
    typed = [part.strip() for part in text.split(":")]
    parts = [part.removesuffix("%").rstrip() for part in typed]
    shape = f"{name} is {text}: expected low:high:step, as in {name}=5:30:1"
    if len(parts) not in (2, 3):
        raise InvalidInput(shape)
    for part in typed[:2]:
        param.parse(part, name=name)  # its own words when a bound is no number or not allowed
    try:
        low, high = Decimal(parts[0]), Decimal(parts[1])
        step = Decimal(parts[2]) if len(parts) == 3 else _round_step(param, low, high)
    except InvalidOperation:
        raise InvalidInput(shape) from None
    if low > high:
        raise InvalidInput(f"{name} is {text}: expected the low end first, as in {name}={high}:{low}")
    if not step.is_finite() or step <= 0 or (param.kind is int and step != int(step)):
        kind = "a whole number above 0" if param.kind is int else "a number above 0"
        raise InvalidInput(f"{name} is {text}: expected the step as {kind}")
    count = int((high - low) / step) + 1
    if count > MOST_VALUES:
        raise InvalidInput(
            f"{name} is {text}: that is {count:,} values, expected at most {MOST_VALUES:,}; "
            "make the step larger"
        )
    return tuple(param.text(param.parse(f"{low + step * i:f}", name=name)) for i in range(count))


def _round_step(param: Param[Any], low: Decimal, high: Decimal) -> Decimal:
    """The smallest 1, 2 or 5 times a power of ten that makes no more than the usual number of values."""
    least = (high - low) / (_DEFAULT_VALUES - 1)
    if param.kind is int and least <= 1:
        return Decimal(1)
    power = Decimal(10) ** (least.adjusted() if least else 0)
    for factor in (*_ROUND_STEPS, 10):
        if power * factor >= least:
            return power * factor
    return power * 10


def _all_of(param: Param[Any], name: str) -> tuple[str, ...]:
    if param.choices:
        return tuple(param.text(choice) for choice in param.choices)
    if param.kind is bool:
        return ("yes", "no")
    if param.low is None or param.high is None:
        raise InvalidInput(
            f"{name}=* needs bounds, and {name} allows {param.span}: give {name}=low:high:step"
        )
    return axis_texts(param, name, f"{param.text(param.low)}:{param.text(param.high)}")


def _open_axes(strategy: type[Strategy], fixed: Mapping[str, str]) -> list[Axis]:
    found = []
    for name, param in strategy.params().items():
        bounded = param.choices or param.kind is bool or not (param.low is None or param.high is None)
        if name not in fixed and bounded:
            texts = _all_of(param, name)
            if len(texts) > 1:
                found.append(_axis(param, name, texts))
    if not found:
        raise InvalidInput(f"Nothing to search in {strategy.name}: give a range, as in stop=0.5:2:0.25")
    return found
