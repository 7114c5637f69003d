"""The risk gate: the only place that makes an Approved. A broker accepts nothing else."""

from __future__ import annotations

from collections.abc import Callable

from trader.desk.case import Case
from trader.desk.checks import limits, market, pace, readiness, shape
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

Check = Callable[[Case], Denied | None]

_EVERY_ORDER: tuple[Check, ...] = (
    shape.known_instrument,
    market.session_open,
    shape.lot_multiple,
    shape.tick_multiple,
    shape.prices_present,
    shape.type_taken,
    shape.product_taken,
    shape.validity_taken,
    shape.freeze_quantity,
)

# What reduces risk passes only what physics or the exchange demand, so no entry limit can ever hold a
# position captive.
EXIT_CHECKS: tuple[Check, ...] = (*_EVERY_ORDER, shape.reduces, pace.broker_pace)

ENTRY_CHECKS: tuple[Check, ...] = (
    readiness.trading_state,
    readiness.armed,
    readiness.book_read,
    readiness.strategy_state,
    *_EVERY_ORDER,
    market.entries_open,
    market.stop_can_rest,
    market.fresh_quote,
    market.price_collar,
    market.price_band,
    market.not_expired,
    readiness.settled_outcomes,
    readiness.locked,
    limits.order_value,
    limits.position_size,
    limits.risk_per_trade,
    limits.open_positions,
    limits.strategy_positions,
    limits.gross_exposure,
    limits.capital,
    limits.daily_loss,
    limits.drawdown,
    limits.trades_per_day,
    limits.cooldown,
    pace.entry_pace,
    readiness.duplicate_signal,
)


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
                return shape.off_tick(instrument, name, price)
        return ApprovedChange(change, gate_seal())

    def approve_gtt(self, gtt: Gtt, instrument: Instrument, position: Position) -> ApprovedGtt | Denied:
        """A stop for the night. It may never come to more than what is held."""
        held = abs(position.quantity) if position.quantity * gtt.side.sign < 0 else 0
        if not 0 < gtt.quantity <= held:
            return Denied("not_reducing", f"It would come to {gtt.quantity} units, but {held} are held.")
        for name, price in (("trigger", gtt.trigger_price), ("limit", gtt.price)):
            if price <= 0 or not instrument.on_tick(price):
                return shape.off_tick(instrument, name, price)
        return ApprovedGtt(gtt, gate_seal())
