"""One order of the paper exchange and what can happen to it; every step makes a new value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from trader.broker.paper.journal import PaperExecution, PaperOrder
from trader.broker.paper.matching import STOPS
from trader.domain.money import ZERO
from trader.domain.order import (
    BrokerStatus,
    OrderChange,
    OrderId,
    OrderRequest,
    OrderType,
    OrderUpdate,
    Validity,
)
from trader.domain.times import ist
from trader.domain.values import Value, replaced

IOC = "IOC"  # the message of such an order while it lives: the journal has no other place for its validity
BY_RMS = "RMS: intraday square-off by the broker"  # the message of such an order: it is charged a fee
AT_EXPIRY = "Settled by the exchange at expiry"  # of such an order: no trade, it costs no more than its tax
_FIRED = {OrderType.SL: OrderType.LIMIT, OrderType.SL_M: OrderType.MARKET}


@dataclass(frozen=True, slots=True)
class WorkingOrder(Value):
    """``update`` is what the book shows.

    ``active_at`` is when the present terms reach the exchange; until then ``before``, if there is one,
    holds the terms that still work. ``met``: a limit order that has faced a quote and rests at its price.
    ``value`` is the rupees of what was executed in ``executions`` pieces.
    """

    update: OrderUpdate
    placed_at: datetime
    active_at: datetime
    met: bool = False
    value: Decimal = ZERO
    executions: int = 0
    modifications: int = 0
    before: OrderUpdate | None = None
    validity: Validity = Validity.DAY

    @classmethod
    def taken(
        cls, request: OrderRequest, order_id: OrderId, now: datetime, active_at: datetime
    ) -> WorkingOrder:
        update = OrderUpdate(
            order_id=order_id,
            tag=request.tag,
            key=request.key,
            side=request.side,
            product=request.product,
            order_type=request.order_type,
            status=BrokerStatus.PENDING,
            quantity=request.quantity,
            filled_quantity=0,
            average_price=ZERO,
            at=now,
            price=request.price,
            trigger_price=request.trigger_price,
            message=IOC if request.validity is Validity.IOC else "",
        )
        return cls(update, placed_at=now, active_at=active_at, validity=request.validity)

    @classmethod
    def recorded(cls, order: PaperOrder, executions: list[PaperExecution]) -> WorkingOrder:
        """As the journal knows it. A limit order is written PENDING until it has met a quote (there is
        no other place for that), which the book shows as OPEN."""
        update, arrived = order.update, order.update.at >= order.active_at
        unmet = update.status is BrokerStatus.PENDING
        if unmet and arrived:
            update = replaced(update, status=BrokerStatus.OPEN)
        value = sum((e.price * e.quantity for e in executions), ZERO)
        validity = Validity.IOC if update.message == IOC else Validity.DAY
        return cls(
            update, order.placed_at, order.active_at, not unmet, value, len(executions), validity=validity
        )

    @property
    def record(self) -> PaperOrder:
        unmet_limit = self.update.order_type is OrderType.LIMIT and not self.met
        update = self.update
        if unmet_limit and update.status is BrokerStatus.OPEN:
            update = replaced(update, status=BrokerStatus.PENDING)
        return PaperOrder(update, self.placed_at, self.active_at)

    @property
    def order_id(self) -> OrderId:
        return self.update.order_id

    @property
    def final(self) -> bool:
        return self.update.status.final

    @property
    def in_transit(self) -> bool:
        return self.update.status is BrokerStatus.PENDING

    @property
    def day(self) -> date:
        return ist(self.placed_at).date()

    def terms_at(self, at: datetime) -> OrderUpdate | None:
        """The terms the exchange works by at ``at``; None while the order is on its way."""
        return self.update if at >= self.active_at else self.before

    def arrived(self, at: datetime) -> WorkingOrder:
        return replaced(
            self, update=replaced(self.update, status=resting_status(self.update.order_type), at=at)
        )

    def rested(self) -> WorkingOrder:
        """Has faced a quote without trading all of itself; only limit orders need to remember it."""
        if self.met or self.final or self.update.order_type is not OrderType.LIMIT:
            return self
        return replaced(self, met=True)

    def fired(self, at: datetime) -> WorkingOrder:
        if at < self.active_at and self.before is not None:
            return replaced(self, before=replaced(self.before, status=BrokerStatus.OPEN))
        return replaced(self, update=replaced(self.update, status=BrokerStatus.OPEN, at=at))

    def ended(self, status: BrokerStatus, message: str, at: datetime) -> WorkingOrder:
        return replaced(
            self, update=replaced(self.update, status=status, message=message, at=at), before=None
        )

    def executed(self, quantity: int, price: Decimal, at: datetime) -> tuple[WorkingOrder, PaperExecution]:
        """Trade ``quantity`` units. A change still on its way is lost when the old terms are used up, or
        when more is filled than it wants in all."""
        filled, value = self.update.filled_quantity + quantity, self.value + price * quantity
        terms, before = self.update, self.before if at < self.active_at else None
        if before is not None and filled >= min(before.quantity, terms.quantity):
            terms, before = before, None
        done = filled >= terms.quantity
        terms = replaced(
            terms,
            filled_quantity=filled,
            average_price=value / filled,
            status=BrokerStatus.COMPLETE if done else terms.status,
            at=at,
            message="" if done and terms.message == IOC else terms.message,
        )
        order = replaced(self, update=terms, before=before, value=value, executions=self.executions + 1)
        return order, PaperExecution(
            f"{self.order_id}-{order.executions}", self.order_id, quantity, price, at
        )

    def changed(self, change: OrderChange, at: datetime, active_at: datetime) -> WorkingOrder:
        """New terms from ``active_at`` on. A stop that has fired is what it became, a limit or a market
        order, unless the change moves its trigger."""
        order_type = change.order_type
        fired = self.update.status is BrokerStatus.OPEN and self.update.trigger_price is not None
        if fired and change.trigger_price == self.update.trigger_price:
            order_type = _FIRED.get(order_type, order_type)
        update = replaced(
            self.update,
            quantity=change.quantity,
            order_type=order_type,
            price=change.price,
            trigger_price=change.trigger_price,
            status=resting_status(order_type),
            at=at,
        )
        return replaced(
            self,
            update=update,
            active_at=active_at,
            met=False,
            modifications=self.modifications + 1,
            before=self.terms_at(at) if active_at > at else None,
        )


def resting_status(order_type: OrderType) -> BrokerStatus:
    return BrokerStatus.TRIGGER_PENDING if order_type in STOPS else BrokerStatus.OPEN
