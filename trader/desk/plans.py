"""The plan by which a position is to be left: where its stop, target and trail are."""

from __future__ import annotations

from decimal import Decimal

from trader.desk.portfolio import Slot
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import Instrument
from trader.domain.money import decimal_of, rupees
from trader.domain.order import Order, Side
from trader.domain.position import Position
from trader.domain.records import ExitPlan
from trader.strategy import rules
from trader.strategy.options import Options


def planned(
    slot: Slot, position: Position, instrument: Instrument, options: Options, known: ExitPlan | None
) -> ExitPlan:
    """The exit plan of a position at its average price. A stop trailed already is not loosened."""
    side = 1 if position.quantity > 0 else -1
    entry = float(position.average_price)
    stop = stop_on_tick(instrument, side, rules.stop_price(entry, side, options.stop))
    if (position.average_price - stop) * side <= 0:
        stop -= instrument.tick_size * side  # a stop nearer than a tick would be at the entry itself
    if known is not None and known.stop is not None and options.trail:
        stop = max(stop, known.stop) if side > 0 else min(stop, known.stop)
    target = None
    if options.target:
        target = instrument.round_nearest(decimal_of(rules.target_price(entry, side, options.target)))
    trail = None
    if options.trail:
        trail = max(instrument.round_nearest(decimal_of(entry * options.trail / 100)), instrument.tick_size)
    return ExitPlan(
        owner=slot.owner,
        key=slot.key,
        product=slot.product,
        stop=stop,
        target=target,
        trail=trail,
        best_price=known.best_price if known else position.average_price,
        stop_tag=known.stop_tag if known else None,
    )


def keep_plan(state: DeskState, turn: Turn, plan: ExitPlan) -> None:
    state.plans[Slot(plan.owner, plan.key, plan.product)] = plan
    turn.write(plan)


def resting_exit(state: DeskState, slot: Slot) -> Order | None:
    """The working order that closes this slot's position, stop or converted stop."""
    plan = state.plans.get(slot)
    if plan is None or plan.stop_tag is None:
        return None
    return state.working.get(plan.stop_tag)


def stop_on_tick(instrument: Instrument, side: int, price: float) -> Decimal:
    """Rounded towards the entry, so that rounding never risks more than was sized for."""
    exact = decimal_of(round(price, 6))
    return instrument.round_up(exact) if side > 0 else instrument.round_down(exact)


def reached(position: Position, plan: ExitPlan, price: float) -> bool:
    if plan.target is None:
        return False
    target = float(plan.target)
    return price >= target if position.quantity > 0 else price <= target


def closing_side(position: Position) -> Side:
    return Side.SELL if position.quantity > 0 else Side.BUY


def plan_text(plan: ExitPlan | None) -> str:
    """``stop ₹1,289.10 · target ₹1,328.00``."""
    if plan is None:
        return ""
    legs = []
    if plan.stop is not None:
        legs.append(f"stop {rupees(plan.stop)}")
    if plan.target is not None:
        legs.append(f"target {rupees(plan.target)}")
    if plan.trail is not None:
        legs.append(f"trail {rupees(plan.trail)}")
    return " · ".join(legs)
