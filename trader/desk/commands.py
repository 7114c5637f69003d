"""What the owner can tell the desk to do. Texts are as typed; the desk parses and answers for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from trader.domain.order import Owner


@dataclass(frozen=True, slots=True)
class StartStrategy:
    strategy: str
    symbols: tuple[str, ...]
    interval: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StopStrategy:
    name: str
    close: bool  # else its positions stay, with their stops, until closed otherwise


@dataclass(frozen=True, slots=True)
class Pause:
    """No new entries: of one strategy, or of the whole desk when ``name`` is None. ``by`` is said of a
    strategy."""

    name: Owner | None = None
    by: str = "the owner"


@dataclass(frozen=True, slots=True)
class Resume:
    name: Owner | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """Latch HALTED, cancel everything, and, if ``flatten``, close everything and prove it."""

    flatten: bool = True


@dataclass(frozen=True, slots=True)
class CloseDay:
    """The exchange announced that it stays closed on ``day`` (a mourning, an election)."""

    day: date
    reason: str


@dataclass(frozen=True, slots=True)
class ReopenDay:
    """Take back what CloseDay said."""

    day: date


@dataclass(frozen=True, slots=True)
class Arm:
    """Let a live desk enter positions. Whoever sends it has asked the owner for a one-time code."""


@dataclass(frozen=True, slots=True)
class Disarm:
    """Take that back at once. Positions keep their stops, exits go on."""


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Read the broker's book now and compare."""


class Verdict(StrEnum):
    """What the owner decides about a position the desk did not make."""

    ADOPT = "adopt"  # the desk looks after it: a stop, the square-off
    IGNORE = "ignore"  # the owner looks after it; it counts in the exposure
    FLATTEN = "flatten"  # close it now


@dataclass(frozen=True, slots=True)
class Judge:
    """The owner's verdict on the external position in an instrument; unlocks the instrument."""

    symbol: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class NotThere:
    """An order of unknown outcome: the owner has looked in the broker's own app, and it is not there."""

    tag: str


Command = (
    StartStrategy
    | StopStrategy
    | Pause
    | Resume
    | Kill
    | CloseDay
    | ReopenDay
    | Arm
    | Disarm
    | Reconcile
    | Judge
    | NotThere
)
