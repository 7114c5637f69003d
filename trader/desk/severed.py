"""What the owner hears when the broker's session ends while something is open (faults.md 9)."""

from __future__ import annotations

from trader.desk.exits import Exits
from trader.desk.orders import describe
from trader.desk.portfolio import slot_of
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import symbol_of
from trader.domain.money import rupees
from trader.domain.order import OrderState, Purpose
from trader.domain.position import Position
from trader.domain.records import Priority


def tell_what_stays_open(turn: Turn, state: DeskState, exits: Exits) -> None:
    """Positions with what protects them, and orders nobody knows the outcome of. At night nothing moves, and
    every session ends in one."""
    at_stake = state.portfolio.at_stake()
    held = [at_stake[slot] for slot in sorted(at_stake) if state.trades_now(slot.key, turn.at)]
    unknown = [order for order in state.working.values() if order.state is OrderState.UNKNOWN]
    entering = [
        order
        for order in state.working.values()
        if order.purpose is Purpose.ENTRY and order not in unknown and state.trades_now(order.key, turn.at)
    ]
    if not held and not unknown and not entering:
        return
    lines = [_line(state, exits, position) for position in held]
    lines += [f"On its way in, without a stop if it fills: {describe(order)}" for order in entering]
    lines += [f"Outcome unknown: {describe(order)}" for order in unknown]
    turn.alert(
        f"severed:{turn.at:%Y%m%d%H%M%S}",
        Priority.CRITICAL,
        "desk",
        "Open while nobody is logged in",
        "\n".join([*lines, "Nothing can be closed or moved from here before the next login; after it the book"
                   " is read first. Kite's own app works meanwhile."]),
    )  # fmt: skip


def _line(state: DeskState, exits: Exits, position: Position) -> str:
    slot = slot_of(position)
    plan = state.plans.get(slot)
    stop = "no stop rests"
    if exits.protected(slot) and plan is not None and plan.stop is not None:
        stop = f"stop {rupees(plan.stop)} rests at the broker"
    return f"{symbol_of(position.key)} {position.quantity:+d} {position.product}: {stop}"
