"""What the stream, the book and the positions tell of orders: whose they are, and what they filled."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from trader.desk import orders as machine
from trader.desk.booking import Booking
from trader.desk.portfolio import Booked
from trader.desk.register import Register
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey
from trader.domain.order import (
    EXTERNAL,
    BrokerStatus,
    Order,
    OrderId,
    OrderRequest,
    OrderType,
    OrderUpdate,
    Product,
    Purpose,
    Side,
    Tag,
)
from trader.domain.position import Fill

_TAKEN = "D"  # begins the ids of orders that only the broker's positions tell of; its own are digits

FillHook = Callable[[Turn, Order, Fill, Booked], None]
StrangerHook = Callable[[Turn, Order, OrderUpdate], None]
ClaimHook = Callable[[Turn, OrderUpdate], OrderRequest | None]


class Updates:
    """``on_fill`` is called after a fill is booked, ``on_stranger`` when an order from elsewhere is first
    seen, before what it filled is booked. ``claim`` says which order of ours one is that was not sent from
    here."""

    def __init__(self, state: DeskState, register: Register, sending: Sending) -> None:
        self._state = state
        self._register = register
        self._sending = sending
        self._booking = Booking(state)
        self.on_fill: FillHook = _ignore_fill
        self.on_stranger: StrangerHook = _ignore_stranger
        self.claim: ClaimHook = _claim_none

    def merge(self, turn: Turn, update: OrderUpdate, *, book: bool = False) -> None:
        """Merge what the stream or the ``book`` says of an order. The stream may leave the tag out
        (kite.md 4), so a stranger in it may be ours; the book's rows carry it."""
        state = self._state
        tag = state.tags_by_id.get(update.order_id)
        if tag is None and update.tag in state.orders:
            known = state.orders[update.tag].order_id
            if known in (None, update.order_id):  # two orders with one tag are told apart by their ids
                tag = update.tag
        if tag is None:
            if not book and self._unnamed(update):
                state.parked.setdefault(update.order_id, []).append(update)
                return
            tag = self._adopt(turn, update)
        self._merge_into(turn, state.orders[tag], update)
        if book:
            self.unpark(turn, update.order_id)

    def _merge_into(self, turn: Turn, order: Order, update: OrderUpdate) -> None:
        if machine.agrees(order, update):
            return  # most rows of a book, every minute
        idle = self._register.idle.get(order.tag)
        if idle is not None and idle[0] is order and idle[1] is update:
            return
        amended = machine.amended(order, update)
        merged = machine.merge(amended, update)
        after = merged.order
        same = (after.state, after.filled_quantity, after.order_id, after.prior_state) == (
            order.state, order.filled_quantity, order.order_id, order.prior_state,
        )  # fmt: skip
        if same and amended is order and merged.execution is None:
            self._register.idle[order.tag] = (order, update)
            return
        self._register.refusals.moved(order.tag)
        self._register.keep(turn, after, order, update.message)
        if merged.execution is not None:
            self._book(turn, order, after, merged.execution)
        if after.state.terminal and not order.state.terminal:
            self._register.ended(turn, after)
        if order.order_id is None and after.order_id is not None:
            self._sending.withdraw_again(turn, after.tag)
            self.unpark(turn, after.order_id)

    def unpark(self, turn: Turn, order_id: OrderId | None = None) -> None:
        """Look again at updates that came before anybody knew whose they were: those of ``order_id``, and
        those that no order of ours without an id could be any more, for they are from elsewhere."""
        parked = self._state.parked
        if not parked:
            return
        if order_id is not None:
            for update in parked.pop(order_id, ()):
                self.merge(turn, update)
        for order_id in [one for one, updates in parked.items() if not self._unnamed(updates[0])]:
            for update in parked.pop(order_id, ()):
                self.merge(turn, update)

    def _unnamed(self, update: OrderUpdate) -> bool:
        """Whether an order of ours that the broker has not named yet could be the one it tells of."""
        terms = update.key, update.side, update.product
        return any(
            order.order_id is None and (order.key, order.side, order.product) == terms
            for order in self._state.working.values()
        )

    def _adopt(self, turn: Turn, update: OrderUpdate) -> Tag:
        """An order from elsewhere (the broker's app, its own square-off): counted, never ours to manage; but
        what a GTT of ours became is."""
        claimed = self.claim(turn, update)
        if claimed is not None:
            order = machine.adopted(update, claimed)
            self._register.keep(turn, order, None, claimed.note)
            return order.tag
        request = OrderRequest(
            tag=Tag(f"X{update.order_id}"[:20]),
            owner=EXTERNAL,
            key=update.key,
            side=update.side,
            quantity=update.quantity,
            order_type=update.order_type,
            product=update.product,
            purpose=Purpose.EXTERNAL,
            at=update.at,
            price=update.price,
            trigger_price=update.trigger_price,
        )
        order = machine.adopted(update, request)
        self._register.keep(turn, order, None, "not made by this desk")
        self.on_stranger(turn, order, update)
        return order.tag

    # -- fills -----------------------------------------------------------------------------------

    def taken_away(
        self, turn: Turn, key: InstrumentKey, product: Product, quantity: int, price: Decimal
    ) -> int:
        """Book what the broker's positions show was closed by somebody else; ``quantity`` is the signed
        difference. The part of it that closes nothing, which is left to the caller."""
        state = self._state
        side = Side.BUY if quantity > 0 else Side.SELL
        against = [
            position
            for slot, position in state.portfolio.open_slots().items()
            if (slot.key, slot.product) == (key, product) and position.quantity * side.sign < 0
        ]
        closed = min(abs(quantity), sum(abs(position.quantity) for position in against))
        if closed:
            state.serial += 1
            update = OrderUpdate(
                order_id=OrderId(f"{_TAKEN}{turn.at:%y%m%d}{state.serial:06d}"),
                tag=None,
                key=key,
                side=side,
                product=product,
                order_type=OrderType.MARKET,
                status=BrokerStatus.COMPLETE,
                quantity=closed,
                filled_quantity=closed,
                average_price=price if price > 0 else against[0].average_price,
                at=turn.at,
                message="seen in the broker's positions only",
            )
            self._merge_into(turn, state.orders[self._adopt(turn, update)], update)
        return quantity - closed * side.sign

    def _book(self, turn: Turn, before: Order, after: Order, execution: machine.Execution) -> None:
        decided = self._register.decided_at.get(after.tag)
        for fill, booked in self._booking.book(turn, before, after, execution, decided):
            self.on_fill(turn, after, fill, booked)


def seen_in_positions_only(order: Order) -> bool:
    """Whether the order is ``taken_away``'s own: the broker never had it."""
    return order.purpose is Purpose.EXTERNAL and (order.order_id or "").startswith(_TAKEN)


def _ignore_fill(turn: Turn, order: Order, fill: Fill, booked: Booked) -> None:
    del turn, order, fill, booked


def _claim_none(turn: Turn, update: OrderUpdate) -> OrderRequest | None:
    del turn, update
    return None


def _ignore_stranger(turn: Turn, order: Order, update: OrderUpdate) -> None:
    del turn, order, update
