"""The record of a stop that stands at the broker over the night."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from trader.desk.portfolio import Slot
from trader.domain.gtt import GttId, GttRow, GttStatus
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.money import rupees
from trader.domain.order import Gtt, OrderId, OrderType, OrderUpdate, Owner, Product, Side

STANDING = "standing_stops"  # the setting that carries them over a restart
# How much the broker's clock may be behind ours when it dates what we sent.
_CLOCKS = timedelta(minutes=1)


class Stage(StrEnum):
    SENT = "sent"  # recorded and sent, no answer yet
    UNKNOWN = "unknown"  # nobody knows whether the broker has it
    STANDS = "stands"
    DELETING = "deleting"  # asked the broker to delete it
    FIRED = "fired"  # its order is the position's stop now


@dataclass(frozen=True, slots=True)
class StandingStop:
    """Written down before it is sent. ``at``: when it came to this stage."""

    gtt: Gtt
    stage: Stage
    sent_at: datetime
    at: datetime
    gtt_id: GttId | None = None
    order_id: OrderId | None = None  # what it became

    def is_row(self, row: GttRow) -> bool:
        """Whether a row without a known id may be this one: Kite gives a GTT no tag."""
        young = row.created_at is None or row.created_at >= self.sent_at - _CLOCKS
        return young and row.status is not GttStatus.ENDED and same_terms(self.gtt, row.gtt)

    def became(self, update: OrderUpdate) -> bool:
        """Whether an order from elsewhere looks like what this one becomes."""
        gtt = self.gtt
        return (gtt.key, gtt.side, gtt.product, gtt.quantity, OrderType.LIMIT, gtt.price) == (
            update.key, update.side, update.product, update.quantity, update.order_type, update.price,
        )  # fmt: skip


def same_terms(one: Gtt, other: Gtt) -> bool:
    return _terms(one) == _terms(other)


def _terms(gtt: Gtt) -> tuple[object, ...]:
    return gtt.key, gtt.side, gtt.product, gtt.quantity, gtt.trigger_price, gtt.price


def dumped(stops: Mapping[Slot, StandingStop]) -> str:
    return json.dumps([
        [
            *slot, stop.gtt.side, stop.gtt.quantity, str(stop.gtt.trigger_price), str(stop.gtt.price),
            stop.stage, stop.sent_at.isoformat(), stop.at.isoformat(), stop.gtt_id, stop.order_id,
        ]
        for slot, stop in sorted(stops.items())
    ])  # fmt: skip


def loaded(text: str) -> dict[Slot, StandingStop]:
    stops = {}
    for row in json.loads(text or "[]"):
        owner, key, product, side, quantity, trigger, price, stage, sent_at, at, gtt_id, order_id = row
        slot = Slot(Owner(owner), InstrumentKey(key), Product(product))
        gtt = Gtt(slot.key, Side(side), quantity, slot.product, Decimal(trigger), Decimal(price))
        stops[slot] = StandingStop(
            gtt,
            Stage(stage),
            datetime.fromisoformat(sent_at),
            datetime.fromisoformat(at),
            None if gtt_id is None else GttId(gtt_id),
            None if order_id is None else OrderId(order_id),
        )
    return stops


def gtt_words(gtt: Gtt) -> str:
    """``SELL 98 RELIANCE at ₹990.00, limit ₹960.30``."""
    return (
        f"{gtt.side} {gtt.quantity} {symbol_of(gtt.key)} at {rupees(gtt.trigger_price)},"
        f" limit {rupees(gtt.price)}"
    )


def changed_words(known: Gtt, shown: Gtt, bare: int, *, anew: bool) -> str:
    """``bare``: units that it does not sell, below 0 too many. ``anew``: another may be placed now."""
    done = "it stays"
    if bare and anew:
        done = "it is deleted, and placed anew with the units held"
    elif bare < 0:
        done = "it is deleted"
    return (
        f"Expected: {gtt_words(known)}.\nBroker: {gtt_words(shown)}.\n"
        f"Done: {done}; the day's stop follows at the opening, at its plan's price."
    )
