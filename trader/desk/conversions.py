"""A position that the owner converted to another product in the broker's app: nothing was traded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from trader.desk.exits import Exits
from trader.desk.locks import MANUAL, Held
from trader.desk.portfolio import Slot
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO
from trader.domain.order import EXTERNAL, Owner, Product
from trader.domain.values import replaced


class Conversion(NamedTuple):
    """``quantity``: units, signed as they are held."""

    key: InstrumentKey
    old: Product
    new: Product
    quantity: int


def conversions(state: DeskState, differences: Mapping[Held, int]) -> Iterator[Conversion]:
    """As many units are missing in one product as appeared in another. Those of earlier days are left out:
    which price the broker carries on for them is not documented."""
    by_key: dict[InstrumentKey, list[tuple[Product, int]]] = {}
    for (key, product), quantity in differences.items():
        by_key.setdefault(key, []).append((product, quantity))
    ours = state.portfolio.net()
    for key, changed in by_key.items():
        if len(changed) != 2 or sum(units for _, units in changed) != 0:
            continue
        for (old, gone), (new, came) in (changed, changed[::-1]):
            lost = ours.get((key, old), 0) * came >= came * came
            carried = any(slot in state.opening_mark for slot in _holders(state, key, old, came))
            if lost and not carried and ours.get((key, new), 0) * gone <= 0:
                yield Conversion(key, old, new, came)
                break


def halves(found: Mapping[Held, int], sure: Mapping[Held, int], at: Held) -> bool:
    """Whether this may be one half of a conversion whose other half, ``found`` too, is not ``sure`` yet."""
    return any(other[0] == at[0] and n == -found[at] and other not in sure for other, n in found.items())


def one_price(differences: Mapping[Held, int], averages: Mapping[Held, Decimal]) -> dict[Held, Decimal]:
    """The price of both halves where as many units came in one product as went in another: what was
    converted may be traded on before it is seen, and must not be counted as lost in one and again in the
    other."""
    prices: dict[Held, Decimal] = {}
    for at, came in differences.items():
        for other, gone in differences.items():
            if came > 0 and other[0] == at[0] and gone == -came and averages.get(at):
                prices[at] = prices[other] = averages[at]
    return prices


def take_from(turn: Turn, state: DeskState, exits: Exits, conversion: Conversion) -> tuple[str, Decimal]:
    """Take the units from those who hold them, with nothing gained, lost or charged: how many of whom, and
    what they were bought at on average."""
    key, old, new, quantity = conversion
    left, sign = abs(quantity), 1 if quantity > 0 else -1
    shares: dict[Owner, int] = {}
    value = ZERO
    for slot in _holders(state, key, old, quantity):
        held = state.portfolio.position(slot)
        share = min(left, abs(held.quantity))
        if not share:
            continue
        left -= share
        shares[slot.owner] = share
        value += held.average_price * share
        rest = replaced(held, quantity=held.quantity - share * sign, updated_at=turn.at)
        if not rest.quantity:
            rest = replaced(rest, average_price=ZERO, opened_at=None)
        state.portfolio.adopt(rest)
        turn.write(rest)
        if rest.quantity:
            exits.reduced(turn, slot)
        else:
            exits.closed(turn, slot)
    for product in (old, new):
        state.moved_at[key, product] = turn.at
    words = ", ".join(f"{owner}'s {units}" for owner, units in shares.items())
    return f"{words} {old} converted to {new}, no order for it", value / abs(quantity)


def _holders(state: DeskState, key: InstrumentKey, product: Product, sign: int) -> list[Slot]:
    """What was made elsewhere first."""
    slots = [
        slot
        for slot, held in state.portfolio.open_slots().items()
        if (slot.key, slot.product) == (key, product) and held.quantity * sign > 0
    ]
    return sorted(slots, key=lambda s: (s.owner != EXTERNAL, s.owner != MANUAL, s.owner))
