"""The owner's limits on what an entry puts at stake."""

from __future__ import annotations

from trader.desk.case import Case
from trader.desk.limits import RISK_PER_TRADE_CEILING_PCT
from trader.domain.counting import counted
from trader.domain.money import ZERO, rupees
from trader.domain.order import Denied


def order_value(case: Case) -> Denied | None:
    value = case.value
    if value <= case.limits.max_order_value:
        return None
    return Denied(
        "order_value",
        f"The order is worth {rupees(value)}; the limit is {rupees(case.limits.max_order_value)}.",
    )


def position_size(case: Case) -> Denied | None:
    limits, value = case.limits, case.price * (abs(case.position.quantity) + case.request.quantity)
    if value <= limits.max_position_value:
        return None
    return Denied(
        "position_size",
        f"The position would be worth {rupees(value)}; the limit is {rupees(limits.max_position_value)}.",
    )


def risk_per_trade(case: Case) -> Denied | None:
    distance = case.request.stop_distance
    if distance is None or distance <= 0:
        return Denied("no_stop", "An entry needs a protective stop, so that its risk is known.")
    percent = min(case.owner_risk_pct, case.limits.risk_per_trade_pct, RISK_PER_TRADE_CEILING_PCT)
    allowed = case.limits.capital * percent  # a hundred times
    risk = distance * case.request.quantity
    if risk * 100 <= allowed:
        return None
    return Denied(
        "risk_per_trade",
        f"The trade risks {rupees(risk)} to its stop; {percent} % of capital is {rupees(allowed / 100)}.",
    )


def open_positions(case: Case) -> Denied | None:
    if case.position.quantity or case.positions_open < case.limits.max_open_positions:
        return None
    return Denied(
        "open_positions",
        f"Positions open: {case.positions_open}; the limit is {case.limits.max_open_positions}.",
    )


def strategy_positions(case: Case) -> Denied | None:
    if case.position.quantity or case.owner_positions < case.owner_max_positions:
        return None
    return Denied(
        "strategy_positions",
        f"{case.request.owner} holds {counted(case.owner_positions, 'position')};"
        f" its limit is {case.owner_max_positions}.",
    )


def gross_exposure(case: Case) -> Denied | None:
    limits, exposure = case.limits, case.exposure + case.value
    if exposure <= limits.max_exposure:
        return None
    return Denied(
        "exposure",
        f"Exposure would be {rupees(exposure)}; the limit is {rupees(limits.max_exposure)}.",
    )


def capital(case: Case) -> Denied | None:
    needed = case.margin_needed
    free, where = case.equity - case.margin_used, "is free"
    if case.broker_free is not None and case.broker_free < free:
        free, where = case.broker_free, "is free at the broker"
    if needed <= free:
        return None
    return Denied("capital", f"The order needs {rupees(needed)}; {rupees(max(free, ZERO))} {where}.")


def daily_loss(case: Case) -> Denied | None:
    if case.day_pnl > -case.limits.daily_loss:
        return None
    return Denied(
        "daily_loss",
        f"Today's loss is {rupees(-case.day_pnl)}; the limit is {rupees(case.limits.daily_loss)}.",
    )


def drawdown(case: Case) -> Denied | None:
    if case.drawdown_pct < case.limits.max_drawdown_pct:
        return None
    return Denied(
        "drawdown",
        f"Equity is {case.drawdown_pct:.1f} % below its peak; the limit is {case.limits.max_drawdown_pct} %.",
    )


def trades_per_day(case: Case) -> Denied | None:
    if case.counters.entries < case.limits.max_trades_per_day:
        return None
    return Denied(
        "trades_per_day",
        f"Trades entered today: {case.counters.entries}; the limit is {case.limits.max_trades_per_day}.",
    )


def cooldown(case: Case) -> Denied | None:
    until = case.counters.cooldown_until
    if until is None or case.at >= until:
        return None
    return Denied(
        "cooldown",
        f"{counted(case.limits.loss_streak, 'losing trade')} in a row; entries wait until {until:%H:%M}.",
    )
