"""One tunable value of a strategy, or one common option: its type, its range and its words.

Values travel as text (chat, ``desk.toml``, the ledger); ``parse`` and ``text`` are each other's inverse, so
what is recorded starts the same strategy again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Generic, NoReturn, TypeVar, cast, overload

from trader.domain.errors import InvalidInput, nearest

# bool before int: True is an int too, and the first type that fits is taken.
T = TypeVar("T", bool, int, float, str)

Value = bool | int | float | str

_WORDS = {int: "a whole number", float: "a number", bool: "yes or no", str: "a word"}
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_MINUTES = 24 * 60
_TRUE, _FALSE = ("yes", "true", "on", "1", "y"), ("no", "false", "off", "0", "n")


class Param(Generic[T]):
    """``fast = Param(9, low=2, high=50, help="bars of the fast average")`` in a strategy's body.

    The type is the default's. On an instance the attribute is the value itself. Bounds are inclusive;
    ``choices`` of texts ignore case. ``clock``: whole minutes of the exchange's day, as ``bars.minute``
    counts them; they are shown and typed as a time, ``13:00``, and taken as their number, 780, too. A
    definition that contradicts itself is a ValueError at import.
    """

    def __init__(
        self,
        default: T,
        *,
        low: T | None = None,
        high: T | None = None,
        choices: Sequence[T] = (),
        help: str = "",  # the word authors expect
        clock: bool = False,
    ) -> None:
        self.default: T = default
        self.low: T | None = low
        self.high: T | None = high
        self.choices: tuple[T, ...] = tuple(choices)
        self.help = help
        self.kind: type = type(default)
        self.clock = clock
        self.name = ""
        if self.kind not in _WORDS:
            raise ValueError(f"A Param's default is a bool, int, float or str, was {default!r}")
        times = [value for value in (default, low, high, *choices) if value is not None]
        if clock and not all(type(value) is int and 0 <= value < _MINUTES for value in times):
            raise ValueError(f"A clock Param's values are minutes of the day, 0 to {_MINUTES - 1}")
        try:
            self.check(default, name="the default")
        except InvalidInput as e:
            raise ValueError(str(e)) from None

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Param[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Param[T] | T:
        if instance is None:
            return self
        value: T = instance.__dict__[self.name]
        return value

    def __set__(self, instance: object, value: Any) -> NoReturn:
        # A strategy whose values drift answers differently for the same bars; make another object instead.
        raise AttributeError(f"{self.name} is fixed when the strategy is made")

    def check(self, value: object, *, name: str = "") -> T:
        """``value`` in the parameter's own type; InvalidInput when the type or the range is wrong."""
        name = name or self.name
        typed = self._typed(value, name)
        if self.clock and not 0 <= int(typed) < _MINUTES:
            self._refuse(name, value)
        if self.choices:
            return self._chosen(typed, name)
        if (self.low is not None and typed < self.low) or (self.high is not None and typed > self.high):
            raise InvalidInput(f"{name} is {self.text(typed)}: expected {self.span}")
        return typed

    def parse(self, text: str, *, name: str = "") -> T:
        """The value a text stands for. Percentages may carry their sign: ``1.5%``; InvalidInput for the sign
        where ``help`` speaks of another unit."""
        name, stripped = name or self.name, text.strip()
        value: object = stripped
        if self.kind in (int, float) and (not stripped.isascii() or "_" in stripped):
            self._refuse(name, text)  # Python would take other scripts' digits and 1_000 for numbers
        if self.kind is float and stripped.endswith("%") and self.help and "%" not in self.help:
            self._refuse(name, text, " without %")
        try:
            if self.clock and (time := _CLOCK.fullmatch(stripped)):
                value = self._minutes(time, name, text)
            elif self.kind is int:
                value = int(stripped)
            elif self.kind is float:
                value = float(stripped.removesuffix("%").rstrip())
        except ValueError:
            self._refuse(name, text)
        if self.kind is bool:
            folded = stripped.casefold()
            if folded not in _TRUE + _FALSE:
                self._refuse(name, text)
            value = folded in _TRUE
        return self.check(value, name=name)

    def text(self, value: T) -> str:
        """The one canonical text of a value; ``parse`` gives the value back."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if self.clock:
            return f"{int(value) // 60:02d}:{int(value) % 60:02d}"
        if isinstance(value, float):
            return repr(value).removesuffix(".0")
        return str(value)

    @property
    def span(self) -> str:
        """What is allowed, for help: ``2 to 50``, ``MIS or CNC``, ``yes or no``, ``any number``."""
        if self.choices:
            words = [self.text(choice) for choice in self.choices]
            return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
        low, high = self.low, self.high
        if low is not None and high is not None:
            return f"{self.text(low)} to {self.text(high)}"
        if low is not None:
            return f"at least {self.text(low)}"
        if high is not None:
            return f"at most {self.text(high)}"
        if self.clock:
            return "any time of the day"
        return {int: "any whole number", float: "any number", bool: "yes or no"}.get(self.kind, "any")

    def _typed(self, value: object, name: str) -> T:
        typed: Any = value
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            typed = float(value)
        elif self.kind is int and not isinstance(value, bool) and hasattr(value, "__index__"):
            typed = value.__index__()  # NumPy's integers, from a search grid
        elif self.kind is float and isinstance(value, float):
            typed = float(value)  # NumPy's too
        if type(typed) is not self.kind or (isinstance(typed, float) and not math.isfinite(typed)):
            self._refuse(name, value)
        return cast(T, typed)

    def _minutes(self, time: re.Match[str], name: str, text: str) -> int:
        hours, minutes = int(time[1]), int(time[2])
        if hours > 23 or minutes > 59:
            self._refuse(name, text)
        return 60 * hours + minutes

    def _chosen(self, value: T, name: str) -> T:
        for choice in self.choices:
            if value == choice or str(value).casefold() == str(choice).casefold():
                return choice
        near = nearest(self.text(value), [self.text(choice) for choice in self.choices])
        hint = f". Did you mean {near}?" if near else ""
        raise InvalidInput(f"{name} is {self.text(value)}: expected {self.span}{hint}")

    def _refuse(self, name: str, value: object, how: str = "") -> NoReturn:
        shown = value if isinstance(value, str) and value.strip() else repr(value)
        limits = self.low is not None or self.high is not None or bool(self.choices)
        span = f", {self.span}" if limits else ""
        word = "a time like 13:00" if self.clock else _WORDS[self.kind]
        raise InvalidInput(f"{name} is {shown}: expected {word}{how}{span}")
