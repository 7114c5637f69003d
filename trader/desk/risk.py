"""The risk gate: the only place that makes an Approved. A broker accepts nothing else."""

from __future__ import annotations

from trader.desk.case import Case
from trader.desk.checks import ENTRY_CHECKS, EXIT_CHECKS, off_tick
from trader.desk.limits import MODIFICATIONS_PER_ORDER
from trader.domain.instrument import Instrument
from trader.domain.order import (
    Approved,
    ApprovedChange,
    ApprovedGtt,
    Denied,
    Gtt,
    Order,
    OrderChange,
    Purpose,
    gate_seal,
)
from trader.domain.position import Position

_ENTRY = Purpose.ENTRY


class RiskGate:
    """Approves or denies. It holds no state: what it knows is in the Case."""

    def approve(self, case: Case) -> Approved | Denied:
        checks = ENTRY_CHECKS if case.request.purpose is _ENTRY else EXIT_CHECKS
        for check in checks:
            denial = check(case)
            if denial is not None:
                return denial
        return Approved(case.request, gate_seal())

    def approve_change(
        self, change: OrderChange, order: Order, instrument: Instrument, position: Position
    ) -> ApprovedChange | Denied:
        """New terms for a resting reducing order. It may never come to more than what is held."""
        held = abs(position.quantity) if position.quantity * order.side.sign < 0 else 0
        if order.purpose is Purpose.ENTRY:
            return Denied("change_entry", "An entry order is cancelled and placed anew, not changed.")
        if order.modifications >= MODIFICATIONS_PER_ORDER:
            return Denied(
                "modifications",
                f"The broker takes {MODIFICATIONS_PER_ORDER} changes to an order; this one had them.",
            )
        if change.quantity - order.filled_quantity > held:
            return Denied(
                "not_reducing",
                f"The order would come to {change.quantity - order.filled_quantity} units,"
                f" but only {held} are held.",
            )
        for name, price in (("limit", change.price), ("trigger", change.trigger_price)):
            if price is not None and not instrument.on_tick(price):
                return off_tick(instrument, name, price)
        return ApprovedChange(change, gate_seal())

    def approve_gtt(self, gtt: Gtt, instrument: Instrument, position: Position) -> ApprovedGtt | Denied:
        """A stop for the night. It may never come to more than what is held."""
        held = abs(position.quantity) if position.quantity * gtt.side.sign < 0 else 0
        if not 0 < gtt.quantity <= held:
            return Denied("not_reducing", f"It would come to {gtt.quantity} units, but {held} are held.")
        for name, price in (("trigger", gtt.trigger_price), ("limit", gtt.price)):
            if price <= 0 or not instrument.on_tick(price):
                return off_tick(instrument, name, price)
        return ApprovedGtt(gtt, gate_seal())
