"""Splits and bonuses, as dated data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from trader.market import tables


@dataclass(frozen=True, slots=True)
class Split:
    """From ``ex_date`` on a share is quoted at 1/``factor`` of what it was."""

    ex_date: date
    factor: float
    what: str


def splits_of(symbol: str) -> Sequence[Split]:
    """By date; none for what the table does not know."""
    return _splits().get(symbol, ())


@cache
def _splits() -> dict[str, tuple[Split, ...]]:
    found: dict[str, tuple[Split, ...]] = {}
    for row in tables.read("adjustments")["split"]:
        split = Split(row["ex_date"], float(row["factor"]), row["what"])
        found[row["symbol"]] = tuple(
            sorted((*found.get(row["symbol"], ()), split), key=lambda one: one.ex_date)
        )
    return found
