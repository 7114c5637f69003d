"""When nothing can happen: the prices and times at which the desk would do something next.

A replay may pass over the candles before them: shown, they would change nothing but the quotes. What
strategies decide is for whoever knows the candles; everything else that acts is asked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf

from trader.desk.exposure import day_pnl, equity
from trader.desk.plans import resting_exit
from trader.desk.state import DeskState
from trader.domain.instrument import InstrumentKey
from trader.domain.order import EXTERNAL, OrderState, OrderType, Product
from trader.domain.position import Position
from trader.domain.records import ExitPlan

_TRIGGERED = (OrderType.SL, OrderType.SL_M)


@dataclass(frozen=True, slots=True)
class Stillness:
    """Until ``until`` the desk does nothing of itself while every price stays strictly between the two
    ``levels`` of its instrument (rupees) and the ``units`` held (signed) lose less than ``loss_room`` rupees
    from their last prices and gain less than ``gain_room``. ``noted``: the prices of what is held are written
    down every few minutes (guard.py), for it may stay overnight. ``asking``: strategies are asked; a halted
    desk asks none."""

    until: datetime
    levels: Mapping[InstrumentKey, tuple[float, float]]
    units: Mapping[InstrumentKey, int]
    loss_room: float
    gain_room: float
    noted: bool
    asking: bool


def stillness(state: DeskState, until: datetime) -> Stillness | None:
    """None while something is under way: an order that does not simply rest, a position without its stop, a
    fill that no quote is newer than."""
    if not state.reconciled or state.locks or state.parked or state.portfolio.unquoted():
        return None
    resting = set()
    levels: dict[InstrumentKey, tuple[float, float]] = {}
    units: dict[InstrumentKey, int] = {}
    for slot, position in state.portfolio.open_slots().items():
        plan, order = state.plans.get(slot), resting_exit(state, slot)
        if slot.owner == EXTERNAL or plan is None or order is None or slot.key not in state.quotes:
            return None
        if order.state is not OrderState.TRIGGER_PENDING or order.order_type not in _TRIGGERED:
            return None
        if order.trigger_price != plan.stop or order.pending_quantity != abs(position.quantity):
            return None
        resting.add(order.tag)
        levels[slot.key] = _narrower(levels.get(slot.key), _levels(plan, position))
        units[slot.key] = units.get(slot.key, 0) + position.quantity
    if state.working.keys() != resting:
        return None
    unrealised = state.portfolio.unrealised(state.quotes)
    worth, limits, peak = equity(state, unrealised), state.limits, state.counters.peak_equity
    before_drawdown = worth - peak * (1 - limits.max_drawdown_pct / 100)
    room = min(limits.daily_loss + day_pnl(state, unrealised), before_drawdown)
    noted = any(slot.product is not Product.MIS for slot in state.portfolio.open_slots())
    return Stillness(until, levels, units, float(room), float(peak - worth), noted, not state.halted)


def _levels(plan: ExitPlan, position: Position) -> tuple[float, float]:
    """Where the stop fires, and where the target is reached or a trailing stop may move."""
    goals = [plan.target] if plan.target is not None else []
    if plan.trail is not None and plan.best_price is not None:
        goals.append(plan.best_price)
    long = position.quantity > 0
    stop = float(plan.stop) if plan.stop is not None else (-inf if long else inf)
    if long:
        return stop, min((float(goal) for goal in goals), default=inf)
    return max((float(goal) for goal in goals), default=-inf), stop


def _narrower(one: tuple[float, float] | None, other: tuple[float, float]) -> tuple[float, float]:
    return other if one is None else (max(one[0], other[0]), min(one[1], other[1]))
