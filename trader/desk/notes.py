"""What was come upon during an event, and how it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trader.desk.locks import Difference, Held
from trader.domain.instrument import symbol_of
from trader.domain.money import rupees
from trader.domain.order import EXTERNAL, Order, Owner, Tag

UNEXPLAINED = (Difference.DRIFT, Difference.VANISHED)
SETTLED = {Difference.CONVERTED: "Converted", Difference.EXPIRED: "Expired"}  # nobody traded


@dataclass(frozen=True, slots=True)
class Note:
    """A change of a position that no order of ours made: signed units, and whose position they changed."""

    kind: Difference
    owner: Owner
    quantity: int
    shown: str  # by the broker
    tag: Tag | None = None
    net: Decimal | None = None  # rupees of the round trip it ended


def title_of(at: Held, notes: Sequence[Note], kind: Difference) -> str:
    """The title alone tells it: in a digest there is room for nothing else."""
    note = notes[-1]
    if kind in UNEXPLAINED:
        total = sum(n.quantity for n in notes if n.kind in UNEXPLAINED)
        what = "Vanished" if kind is Difference.VANISHED else "Unexplained"
        return f"{what}: {held_words(at, total)}"
    if kind in SETTLED:
        return f"{SETTLED[kind]}: {held_words(at, note.quantity)}"
    start = "Squared off by the broker" if kind is Difference.SQUAREOFF else "Order from elsewhere"
    return f"{start}: {note.shown if note.tag else held_words(at, note.quantity)}"


def story(at: Held, now: int, notes: Sequence[Note]) -> str:
    """What was expected, what the broker shows (``now``, signed units), what the desk did."""
    before = now - sum(note.quantity for note in notes)
    shown = "; ".join(dict.fromkeys(note.shown for note in notes)) or "no order for it today"
    done = []
    for note in notes:
        worth = f", net {rupees(note.net, signed=True)}" if note.net is not None else ""
        done.append(f"{note.quantity:+d} to {note.owner}{worth}")
    closed = sorted({note.owner for note in notes if note.owner != EXTERNAL})
    stops = f"; the stop of {', '.join(closed)} was reduced with it" if closed else ""
    return (
        f"Expected: {before:+d} {at[1]}.\nBroker: {now:+d}; {shown}.\n"
        f"Done: {', '.join(done) or 'counted as external'}{stops}."
    )


def held_words(at: Held, quantity: int) -> str:
    return f"{symbol_of(at[0])} {at[1]} {quantity:+d}"


def order_words(order: Order) -> str:
    return f"{order.side} {order.quantity} {symbol_of(order.key)} {order.product}"
