"""Fills and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO
from trader.domain.order import OrderId, Owner, Product, Purpose, Side, Tag
from trader.domain.values import Value


@dataclass(frozen=True, slots=True)
class Fill(Value):
    """An increase of an order's filled quantity. ``fill_id`` is tag and cumulative quantity, so a
    repeated update makes the same fill and the ledger takes it once. ``price`` is rupees a unit;
    ``charges`` is what this fill added to the order's charges."""

    fill_id: str
    tag: Tag
    order_id: OrderId
    owner: Owner
    key: InstrumentKey
    side: Side
    product: Product
    purpose: Purpose
    quantity: int
    price: Decimal
    charges: Decimal
    at: datetime
    reference_price: Decimal | None = None

    @property
    def value(self) -> Decimal:
        return self.price * self.quantity

    @property
    def slippage(self) -> Decimal:
        """Rupees lost against the price the decision was made on; negative is a gain."""
        if self.reference_price is None:
            return ZERO
        return (self.price - self.reference_price) * self.quantity * self.side.sign


@dataclass(frozen=True, slots=True)
class Traded(Value):
    """What the broker's trade book says of one order: how many trades, their units, their average price."""

    order_id: OrderId
    trades: int
    quantity: int
    average_price: Decimal


@dataclass(frozen=True, slots=True)
class Position(Value):
    """One owner's net holding of one (instrument, product): the sum of its fills.

    ``quantity`` is signed units, ``average_price`` the average entry of what is open,
    ``realised`` gross rupees booked so far, ``charges`` all charges paid so far.
    """

    owner: Owner
    key: InstrumentKey
    product: Product
    quantity: int = 0
    average_price: Decimal = ZERO
    realised: Decimal = ZERO
    charges: Decimal = ZERO
    opened_at: datetime | None = None
    updated_at: datetime | None = None

    def unrealised(self, price: Decimal) -> Decimal:
        """Gross rupees the open part would book at ``price``."""
        return (price - self.average_price) * self.quantity


@dataclass(frozen=True, slots=True)
class Trade(Value):
    """A finished round trip: from flat, through a position, to flat again.

    ``pnl`` is gross, ``charges`` those of all its fills; net is the difference.
    """

    trade_id: str
    owner: Owner
    key: InstrumentKey
    product: Product
    side: Side  # of the entry
    quantity: int  # largest held
    entry_price: Decimal
    exit_price: Decimal
    entry_at: datetime
    exit_at: datetime
    pnl: Decimal
    charges: Decimal
    reason: Purpose

    @property
    def net(self) -> Decimal:
        return self.pnl - self.charges


@dataclass(frozen=True, slots=True)
class DayResult(Value):
    """One owner's figures of one trading day; ``realised`` is gross rupees."""

    day: date
    owner: Owner
    realised: Decimal = ZERO
    charges: Decimal = ZERO
    slippage: Decimal = ZERO
    fills: int = 0
    trades: int = 0
    wins: int = 0

    @property
    def net(self) -> Decimal:
        return self.realised - self.charges
