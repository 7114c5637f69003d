"""The desk as chat sees it: frozen values, made in one go between two events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from trader.desk.exits import Exits
from trader.desk.exposure import day_pnl, day_unrealised, drawdown_pct, equity, exposure
from trader.desk.portfolio import Slot, own_sale, slot_of
from trader.desk.state import DeskState
from trader.desk.view import (
    DeskView,
    InstanceView,
    LimitView,
    LockView,
    OwnerPnl,
    PnlView,
    PositionView,
    QuoteView,
)
from trader.domain.money import ZERO
from trader.domain.order import EXTERNAL, Owner
from trader.domain.position import Position


def view(state: DeskState, exits: Exits, at: datetime, *, killing: bool, not_resumed: str) -> DeskView:
    day = state.counters.day
    results = {r.owner: r for r in state.portfolio.day_results() if r.day == day}
    unrealised = _by_owner(state)
    owners = sorted({*results, *unrealised})
    realised = sum((r.realised for r in results.values()), ZERO)
    charges = sum((r.charges for r in results.values()), ZERO)
    return DeskView(
        at=at,
        latch=state.latch,
        session=state.calendar.describe(at),
        capital=state.limits.capital,
        equity=equity(state),
        pnl=PnlView(realised, day_unrealised(state), charges, realised - charges + day_unrealised(state)),
        by_owner=[
            OwnerPnl(state.portfolio.day_result(owner, day), unrealised.get(owner, ZERO)) for owner in owners
        ],
        positions=[_position(state, exits, p) for p in state.portfolio.open_positions()],
        orders=sorted(state.working.values(), key=lambda o: o.tag),
        instances=[
            InstanceView(
                running.instance,
                len(state.portfolio.open_positions(name)),
                state.portfolio.day_result(name, day).net + unrealised.get(name, ZERO),
            )
            for name, running in sorted(state.instances.items())
        ],
        limits=_limits(state, at),
        quotes=len(state.quotes),
        last_tick_at=state.last_tick_at,
        killing=killing,
        armed=state.armed,
        locks=list(_locks(state)),
        not_resumed=not_resumed,
    )


def quote(state: DeskState, symbol: str) -> QuoteView:
    """Raises UnknownName with a suggestion."""
    instrument = state.instruments.find(symbol)
    return QuoteView(
        instrument.key,
        instrument.name,
        state.quotes.get(instrument.key),
        state.previous_close.get(instrument.key),
    )


def _locks(state: DeskState) -> Iterator[LockView]:
    for key, lock in sorted(state.locks.items()):
        held = {
            slot.product: position.quantity
            for slot, position in sorted(state.portfolio.open_slots().items())
            if (slot.owner, slot.key) == (EXTERNAL, key)
        }
        for product, quantity in (held or {lock.product: 0}).items():
            text = lock.text
            if product is not lock.product:  # what it was locked for first, or last, is another's
                text = f"{quantity:+d} {product} from elsewhere."
            yield LockView(key, product, quantity, lock.kind, text, lock.since)


def _by_owner(state: DeskState) -> dict[Owner, Decimal]:
    totals: dict[Owner, Decimal] = {}
    for slot, position in state.portfolio.open_slots().items():
        gain = position.unrealised(state.portfolio.mark(slot, position, state.quotes))
        totals[slot.owner] = totals.get(slot.owner, ZERO) + gain
    return totals


def _position(state: DeskState, exits: Exits, position: Position) -> PositionView:
    slot: Slot = slot_of(position)
    plan = state.plans.get(slot)
    mark = state.portfolio.mark(slot, position, state.quotes)
    return PositionView(
        owner=position.owner,
        key=position.key,
        product=position.product,
        quantity=position.quantity,
        average_price=position.average_price,
        last_price=mark,
        unrealised=position.unrealised(mark),
        stop=plan.stop if plan else None,
        target=plan.target if plan else None,
        opened_at=position.opened_at,
        protected=own_sale(position) or exits.protected(slot),
    )


def _limits(state: DeskState, at: datetime) -> list[LimitView]:
    limits, counters = state.limits, state.counters
    until = counters.cooldown_until
    waiting = []
    if until is not None and until > at:
        left = Decimal(-int((at - until).total_seconds() // 60))
        whole = Decimal(int(limits.cooldown.total_seconds() // 60))
        waiting = [LimitView("cooldown", f"Cooldown to {until:%H:%M}", left, max(whole, left), " min")]
    fallen = drawdown_pct(counters.peak_equity, equity(state))
    count = Decimal(len(state.portfolio.at_stake()))
    return [
        *waiting,
        LimitView("daily_loss", "Loss today", max(-day_pnl(state), ZERO), limits.daily_loss, "₹"),
        LimitView("drawdown", "Drawdown", fallen, limits.max_drawdown_pct, "%"),
        LimitView("exposure", "Exposure", exposure(state), limits.max_exposure, "₹"),
        LimitView("open_positions", "Positions", count, Decimal(limits.max_open_positions), ""),
        LimitView(
            "trades_per_day",
            "Trades today",
            Decimal(counters.entries),
            Decimal(limits.max_trades_per_day),
            "",
        ),
        LimitView("rate_day", "Orders today", Decimal(state.pace.in_day), Decimal(limits.orders_per_day), ""),
        LimitView(
            "loss_streak", "Losses in a row", Decimal(counters.loss_streak), Decimal(limits.loss_streak), ""
        ),
    ]
