"""Reading parameters as strictly as Kite does: "65.0" is not an int, "True" is no number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.kite.errors import bad_input, missing

INTEGER = re.compile(r"-?\d+")
NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)")


@dataclass(frozen=True, slots=True)
class Ask:
    """One call: what stood in the path, in the query and form, and a JSON body where the route takes one."""

    path: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    instruments: tuple[str, ...] = ()  # every ``i=`` of the query
    body: Any = None

    def text(self, name: str, default: str | None = None) -> str:
        value = self.params.get(name, default)
        if value is None:
            raise missing(name)
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(name, default)
        if value not in allowed:
            raise bad_input(f"Invalid `{name}`.")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.params.get(name)
        if value is None:
            if default is None:
                raise missing(name)
            return default
        if not INTEGER.fullmatch(value):
            raise bad_input(f"Invalid request (failed to decode `{name}`, got: `{value}` (expected int))")
        return int(value)

    def number(self, name: str, default: float | None = None) -> float:
        value = self.params.get(name)
        if value is None:
            if default is None:
                raise missing(name)
            return default
        if not NUMBER.fullmatch(value):
            raise bad_input(f"Invalid request (failed to decode `{name}`, got: `{value}` (expected float))")
        return float(value)


def on_tick(price: float, tick: float) -> bool:
    return Decimal(str(price)) % Decimal(str(tick)) == 0


def to_tick(price: float, tick: float, *, up: bool) -> float:
    """The nearest whole tick at or beyond ``price`` in the given direction."""
    step = Decimal(str(tick))
    ticks, rest = divmod(Decimal(str(round(price, 6))), step)
    return float((ticks + (1 if up and rest else 0)) * step)
