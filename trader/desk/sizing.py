"""How many units an entry is for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from trader.desk.costs import margin
from trader.desk.exposure import equity, exposure, margin_used
from trader.desk.limits import RISK_PER_TRADE_CEILING_PCT
from trader.desk.state import DeskState
from trader.domain.instrument import Instrument
from trader.domain.money import decimal_of
from trader.domain.order import Side
from trader.strategy import rules
from trader.strategy.options import Options


def size(
    state: DeskState,
    day: date,
    options: Options,
    instrument: Instrument,
    side: Side,
    price: float,
    stop_distance: float,
) -> int:
    """Units, whole lots: what the risk per trade allows and every limit of value leaves room for."""
    limits = state.limits
    if options.quantity:
        return int(options.quantity)
    lot_size = instrument.lot_size
    lot_value = decimal_of(price) * lot_size
    blocked = margin(state, instrument, options.product, side, lot_size, decimal_of(price), day)
    free = (equity(state) - margin_used(state, day)) * (lot_value / blocked if blocked > 0 else 1)
    room = min(
        limits.max_order_value,
        limits.max_position_value,
        limits.max_exposure - exposure(state),
        free,
    )
    percent = min(Decimal(str(options.risk)), limits.risk_per_trade_pct, RISK_PER_TRADE_CEILING_PCT)
    return rules.position_size(
        float(limits.capital), float(percent), stop_distance, price, lot_size, max(float(room), 0.0)
    )
