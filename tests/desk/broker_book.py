"""A broker for the desk's tests: its book is the truth, and it misbehaves on demand."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import count

from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO, decimal_of
from trader.domain.order import (
    BrokerPosition,
    BrokerStatus,
    OrderChange,
    OrderId,
    OrderRequest,
    OrderType,
    OrderUpdate,
    Product,
    Side,
)

STOPS = (OrderType.SL, OrderType.SL_M)


class Reply(StrEnum):
    """How a request is answered. The broker has what it took, whatever the desk hears."""

    OK = "ok"
    REFUSED = "refused"
    TOO_MANY = "refused for the pace of requests"
    TAKEN = "taken, but nobody knows"
    LOST = "not taken, but nobody knows"
    SILENT = "taken, and no answer ever"
    GONE = "not taken, and no answer ever"
    UNSENT = "not sent"

    @property
    def taken(self) -> bool:
        return self in (Reply.OK, Reply.TAKEN, Reply.SILENT)


@dataclass(slots=True)
class BrokerBook:
    """``tell`` gets every update the stream would carry. ``replies`` are used up one by one, then OK."""

    tell: Callable[[OrderUpdate], None]
    now: Callable[[], datetime]
    rows: dict[OrderId, OrderUpdate] = field(default_factory=dict)
    prices: dict[InstrumentKey, float] = field(default_factory=dict)
    opening: dict[tuple[InstrumentKey, Product], int] = field(default_factory=dict)
    # Of positions; else the last price.
    averages: dict[tuple[InstrumentKey, Product], Decimal] = field(default_factory=dict)
    replies: deque[Reply] = field(default_factory=deque)
    change_replies: deque[Reply] = field(default_factory=deque)
    fills: bool = True  # whether market orders find somebody
    slice: int | None = None  # units a fill, all when None
    hidden: set[OrderId] = field(default_factory=set)  # accepted, but not shown in the book
    readable: bool = True
    announces: bool = True  # tells that an order came to rest; Kite does not (kite.md 11.1)
    _ids: count[int] = field(default_factory=lambda: count(1))

    # -- requests --------------------------------------------------------------------------------

    def place(self, request: OrderRequest) -> tuple[Reply, OrderId | None]:
        reply = self.replies.popleft() if self.replies else Reply.OK
        if not reply.taken:
            return reply, None
        order_id = OrderId(f"19{next(self._ids):017d}")
        stop = request.order_type in STOPS
        self.rows[order_id] = row = OrderUpdate(
            order_id=order_id,
            tag=request.tag,
            key=request.key,
            side=request.side,
            product=request.product,
            order_type=request.order_type,
            status=BrokerStatus.TRIGGER_PENDING if stop else BrokerStatus.OPEN,
            quantity=request.quantity,
            filled_quantity=0,
            average_price=ZERO,
            at=self.now(),
            price=request.price,
            trigger_price=request.trigger_price,
        )
        if self.announces:
            self.tell(row)
        self._match(order_id)
        return reply, order_id

    def modify(self, change: OrderChange) -> tuple[Reply, str]:
        reply = self.change_replies.popleft() if self.change_replies else Reply.OK
        row = self.rows[change.order_id]
        if row.status.final:
            return Reply.REFUSED, "Order cannot be modified as it is being processed"
        if reply.taken:
            stop = change.order_type in STOPS
            self._put(
                replace(
                    row,
                    quantity=change.quantity,
                    order_type=change.order_type,
                    price=change.price,
                    trigger_price=change.trigger_price,
                    status=BrokerStatus.TRIGGER_PENDING if stop else BrokerStatus.OPEN,
                    at=self.now(),
                )
            )
            self._match(change.order_id)
        return reply, "refused on demand"

    def cancel(self, order_id: OrderId) -> tuple[Reply, str]:
        reply = self.change_replies.popleft() if self.change_replies else Reply.OK
        row = self.rows[order_id]
        if row.status.final:
            return Reply.REFUSED, "Order cannot be cancelled as it is being processed"
        if reply.taken:
            self._put(replace(row, status=BrokerStatus.CANCELLED, at=self.now()))
        return reply, "refused on demand"

    # -- the market ------------------------------------------------------------------------------

    def price(self, key: InstrumentKey, last: float) -> None:
        self.prices[key] = last
        for order_id in [i for i, row in self.rows.items() if row.key == key and not row.status.final]:
            self._match(order_id)

    def _match(self, order_id: OrderId) -> None:
        row = self.rows[order_id]
        last = self.prices.get(row.key)
        if last is None or row.status.final:
            return
        price = decimal_of(last)
        buying = row.side is Side.BUY
        if row.status is BrokerStatus.TRIGGER_PENDING:
            assert row.trigger_price is not None
            if price >= row.trigger_price if buying else price <= row.trigger_price:
                row = self._put(replace(row, status=BrokerStatus.OPEN))
            else:
                return
        if row.price is not None and (price > row.price if buying else price < row.price):
            return
        if self.fills:
            self.fill(order_id, min(self.slice or row.quantity, row.quantity - row.filled_quantity), price)

    def fill(self, order_id: OrderId, quantity: int, price: Decimal) -> None:
        row = self.rows[order_id]
        filled = row.filled_quantity + quantity
        value = row.average_price * row.filled_quantity + price * quantity
        status = BrokerStatus.COMPLETE if filled >= row.quantity else BrokerStatus.OPEN
        if row.status is BrokerStatus.CANCELLED:
            status = row.status
        self._put(
            replace(row, filled_quantity=filled, average_price=value / filled, status=status, at=self.now())
        )

    def reject(self, order_id: OrderId, why: str) -> None:
        self._put(replace(self.rows[order_id], status=BrokerStatus.REJECTED, message=why, at=self.now()))

    def elsewhere(
        self,
        key: InstrumentKey,
        side: Side,
        quantity: int,
        price: str = "100",
        *,
        product: Product = Product.MIS,
        told: bool = True,
        filled: bool = True,
    ) -> OrderId:
        """An order from the broker's own app or risk desk."""
        order_id = OrderId(f"29{next(self._ids):017d}")
        row = OrderUpdate(
            order_id, None, key, side, product, OrderType.MARKET,
            BrokerStatus.COMPLETE if filled else BrokerStatus.OPEN,
            quantity, quantity if filled else 0, Decimal(price) if filled else ZERO, self.now(),
        )  # fmt: skip
        self.rows[order_id] = row
        if told:
            self.tell(row)
        return order_id

    def _put(self, row: OrderUpdate) -> OrderUpdate:
        self.rows[row.order_id] = row
        self.tell(row)
        return row

    # -- the book --------------------------------------------------------------------------------

    def orders(self) -> list[OrderUpdate]:
        return [row for row in self.rows.values() if row.order_id not in self.hidden]

    def net(self) -> dict[tuple[InstrumentKey, Product], int]:
        totals: defaultdict[tuple[InstrumentKey, Product], int] = defaultdict(int, self.opening)
        for row in self.rows.values():
            totals[row.key, row.product] += row.filled_quantity * row.side.sign
        return {at: quantity for at, quantity in totals.items() if quantity}

    def positions(self) -> list[BrokerPosition]:
        return [
            BrokerPosition(*at, quantity, self.averages.get(at) or decimal_of(self.prices.get(at[0], 100.0)))
            for at, quantity in self.net().items()
        ]

    def new_day(self) -> None:
        """Overnight the book is emptied; delivery stays."""
        self.opening = {at: n for at, n in self.net().items() if at[1] is Product.CNC}
        self.rows.clear()
