"""What the stream tells its owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from trader.domain.instrument import InstrumentKey


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection stands. ``again``: it stood before, and order updates since then are lost for ever
    (kite.md 11.1), so the order book has to be read."""

    at: datetime
    connection: int
    again: bool


@dataclass(frozen=True, slots=True)
class Stale:
    """These prices are old from now on; ``retry_in`` is None where nothing is tried by itself."""

    at: datetime
    connection: int
    reason: str
    keys: tuple[InstrumentKey, ...]
    retry_in: float | None  # seconds


@dataclass(frozen=True, slots=True)
class Fresh:
    """Prices come again. An instrument whose own tick is still missing is not fresh by this."""

    at: datetime
    connection: int


@dataclass(frozen=True, slots=True)
class LoginNeeded:
    """Kite refused the access token; nothing is tried until ``KiteStream.renew`` brings a new one.
    ``access_token``: the one it refused. Secret: whoever hears of it late may have a newer one."""

    at: datetime
    reason: str
    access_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unverified:
    """Asked for twice and not come: ``silent`` sent nothing, ``other_mode`` sends another mode than asked.
    An instrument that does not trade may be silent by right."""

    at: datetime
    connection: int
    silent: tuple[InstrumentKey, ...]
    other_mode: tuple[InstrumentKey, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """Kite's own words."""

    at: datetime
    error: bool
    text: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something came that cannot be understood, for the ``count``-th time; a text may have been an order
    update. Told at counts that double."""

    at: datetime
    text: bool
    what: str
    count: int


@dataclass(frozen=True, slots=True)
class OrdersWaiting:
    """Nobody takes the order updates; they are kept. Told at counts that double."""

    at: datetime
    count: int


Report = Connected | Stale | Fresh | LoginNeeded | Unverified | Notice | Unreadable | OrdersWaiting
