"""A frozen look at the desk, for chat. Made on request, in one go, between two events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.domain.order import Order, Owner, Product
from trader.domain.position import DayResult
from trader.domain.records import Latch, StrategyInstance


@dataclass(frozen=True, slots=True)
class PositionView:
    """An open position, marked to the last price. Rupees; ``unrealised`` is gross."""

    owner: Owner
    key: InstrumentKey
    product: Product
    quantity: int
    average_price: Decimal
    last_price: Decimal
    unrealised: Decimal
    stop: Decimal | None
    target: Decimal | None
    opened_at: datetime | None
    protected: bool  # a stop rests at the broker, or nothing is at stake: shares of the owner's that he sold


@dataclass(frozen=True, slots=True)
class PnlView:
    """Rupees, of today. ``net`` = realised + unrealised − charges."""

    realised: Decimal
    unrealised: Decimal
    charges: Decimal
    net: Decimal


@dataclass(frozen=True, slots=True)
class OwnerPnl:
    result: DayResult
    unrealised: Decimal


@dataclass(frozen=True, slots=True)
class LimitView:
    """One limit with what is used of it, in the limit's own unit."""

    code: str
    label: str
    used: Decimal
    limit: Decimal
    unit: str  # "₹", "%", ""


@dataclass(frozen=True, slots=True)
class InstanceView:
    instance: StrategyInstance
    open_positions: int
    net_today: Decimal


@dataclass(frozen=True, slots=True)
class LockView:
    """An instrument without entries until the owner's verdict, with what is held there from elsewhere:
    signed units, 0 where a position of ours is gone."""

    key: InstrumentKey
    product: Product
    quantity: int
    kind: str  # "manual order", "unexplained position" …
    text: str
    since: datetime


@dataclass(frozen=True, slots=True)
class DeskView:
    at: datetime
    latch: Latch
    session: str  # "pre-open", "open", "closed", with the next edge: "open until 15:30"
    capital: Decimal
    equity: Decimal
    pnl: PnlView
    by_owner: Sequence[OwnerPnl]
    positions: Sequence[PositionView]
    orders: Sequence[Order]  # working
    instances: Sequence[InstanceView]
    limits: Sequence[LimitView]
    quotes: int  # instruments with a price
    last_tick_at: datetime | None
    killing: bool  # a flatten is under way
    armed: bool = True  # a live desk may enter positions
    locks: Sequence[LockView] = ()
    not_resumed: str = ""  # why /resume would be refused


@dataclass(frozen=True, slots=True)
class QuoteView:
    key: InstrumentKey
    name: str
    tick: Tick | None
    previous_close: float | None
