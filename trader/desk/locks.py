"""Instruments in which nothing is entered until the owner has judged what the broker shows there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from trader.domain.instrument import InstrumentKey
from trader.domain.order import Owner, Product

LOCKS = "locks"  # the setting that carries them over a restart
MANUAL = Owner("manual")  # what the owner made elsewhere and asked the desk to look after

Held = tuple[InstrumentKey, Product]


class Difference(StrEnum):
    """Why the broker's book is not what this desk's orders made it."""

    MANUAL = "manual order"  # an order without our tag: the broker's app
    SQUAREOFF = "broker square-off"  # the same, intraday, once the broker closes such positions
    QUANTITY = "quantity drift"  # the broker's trades of an order are not what was booked of it
    DRIFT = "unexplained position"  # no order explains it
    CONVERTED = "converted position"  # to another product, in the broker's app
    EXPIRED = "expired contract"  # settled by the exchange
    VANISHED = "vanished position"  # ours is not there any more, and no order explains it


# These hold without a position from elsewhere.
STANDING = frozenset({Difference.QUANTITY, Difference.VANISHED})


@dataclass(frozen=True, slots=True)
class Lock:
    """``product`` is that of the position it began with; ``flattening`` that the owner wants it left."""

    kind: Difference
    text: str
    since: datetime
    product: Product
    flattening: bool = False


def dumped(locks: dict[InstrumentKey, Lock], asked: dict[Held, int]) -> str:
    """As JSON; ``asked`` are the external positions, in units, that the owner was last asked about."""
    return json.dumps(
        {
            "locks": {
                key: [lock.kind, lock.text, lock.since.isoformat(), lock.product, lock.flattening]
                for key, lock in sorted(locks.items())
            },
            "asked": [[*at, quantity] for at, quantity in sorted(asked.items())],
        }
    )


NOTHING_LOCKED: Final = dumped({}, {})


def loaded(text: str) -> tuple[dict[InstrumentKey, Lock], dict[Held, int]]:
    kept = json.loads(text or "{}")
    locks = {
        InstrumentKey(key): Lock(
            Difference(kind), why, datetime.fromisoformat(since), Product(product), flattening
        )
        for key, (kind, why, since, product, flattening) in kept.get("locks", {}).items()
    }
    asked = {(InstrumentKey(key), Product(product)): n for key, product, n in kept.get("asked", [])}
    return locks, asked
