"""What a request is judged by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from trader.desk.limits import RiskLimits
from trader.desk.pace import OrderPace
from trader.domain.instrument import Instrument
from trader.domain.market import Tick
from trader.domain.money import ZERO, decimal_of
from trader.domain.order import Order, OrderRequest
from trader.domain.position import Position
from trader.domain.records import Latch, RiskCounters
from trader.domain.values import Value
from trader.market.phases import Phase


@dataclass(frozen=True, slots=True)
class Case(Value):
    """Everything a check may look at, taken in one moment. Money in rupees, quantities in units."""

    request: OrderRequest
    at: datetime
    limits: RiskLimits
    latch: Latch
    armed: bool
    paused: bool  # the strategy instance is
    reconciled: bool  # the broker's book was read since the start
    phase: Phase  # of the instrument's own timetable
    session_text: str
    entries_until: datetime | None
    instrument: Instrument | None
    today: date
    last_day: date | None  # on which a contract trades: its expiry, or the trading day before a closed one
    closes_at: datetime | None  # today's end of the instrument's continuous trading
    band: tuple[Decimal, Decimal] | None  # the exchange's price limits of the day, where known
    quote: Tick | None
    position: Position  # the owner's own
    positions_open: int  # (instrument, product, owner) with a position or an entry under way
    owner_positions: int
    owner_max_positions: int
    owner_risk_pct: Decimal
    exposure: Decimal  # gross, with entries under way
    margin_used: Decimal
    margin_needed: Decimal
    equity: Decimal
    day_pnl: Decimal
    drawdown_pct: Decimal
    counters: RiskCounters
    pace: OrderPace
    stops_owed: int  # protective stops that entries under way and bare positions still need
    leaving: int  # units already being closed by working exits
    unresolved: bool  # an order of this instrument has an unknown outcome
    locked: str  # why the instrument is, until the owner's verdict; empty when it is not
    recent: Iterable[Order]  # orders of this instrument and owner, newest last
    broker_free: Decimal | None = None  # what the broker has for new positions, where it is known

    @property
    def price(self) -> Decimal:
        return price_of(self.request, self.quote)

    @property
    def value(self) -> Decimal:
        return price_of(self.request, self.quote) * self.request.quantity


def price_of(request: OrderRequest, quote: Tick | None) -> Decimal:
    """What a unit is taken to cost: the limit, else the trigger, else the last price."""
    price = request.price or request.trigger_price or request.reference_price
    if price is not None:
        return price
    return decimal_of(quote.last) if quote is not None else ZERO
