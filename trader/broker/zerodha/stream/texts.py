"""Text frames: order updates, Kite's own words, and what may be ignored (kite.md 13.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

_SHOWN = 200  # characters of an unreadable text that are worth repeating


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order update as Kite sends it: values raw, as in the rows of ``GET /orders``."""

    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    error: bool
    text: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A type nobody needs: ``instruments_meta`` and ``app_code`` of the greeting, and whatever is new."""

    kind: str


@dataclass(frozen=True, slots=True)
class Garbled:
    what: str


def read_text(text: str) -> OrderRow | Words | Passed | Garbled:
    """Never raises."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return Garbled(f"expected JSON, came {text[:_SHOWN]!r}")
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str):
        return Garbled(f"expected an object with a type, came {text[:_SHOWN]!r}")
    data = message.get("data")
    if kind == "order":
        return (
            OrderRow(data) if isinstance(data, dict) else Garbled(f"an order without data: {text[:_SHOWN]!r}")
        )
    if kind in ("error", "message"):
        return Words(kind == "error", data if isinstance(data, str) else json.dumps(data))
    return Passed(kind)
