"""The broker's trades against the fills of our ledger, order by order."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from trader.desk.differences import TOPIC
from trader.desk.events import BookRead
from trader.desk.locks import Difference, Lock
from trader.desk.notes import order_words
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.money import PAISA, ZERO, rupees
from trader.domain.order import Order, OrderId, Purpose
from trader.domain.position import Traded
from trader.domain.records import Priority

Sums = tuple[int, Decimal]  # units, average price


class Executions:
    """What two readings in a row show is told once. How many trades made it up is not compared: one update
    may bring several. After a restart the owner may be told twice, never not at all."""

    def __init__(self, state: DeskState, sending: Sending) -> None:
        self._state = state
        self._sending = sending
        self._waiting: dict[OrderId, tuple[Sums, datetime]] = {}  # seen once, and when
        self._told: dict[OrderId, Sums] = {}

    def compare(self, turn: Turn, book: BookRead) -> None:
        """Only orders that the same reading shows as we have them: those still moving say nothing."""
        if book.trades is None:
            return
        traded = {one.order_id: one for one in book.trades}
        waiting: dict[OrderId, tuple[Sums, datetime]] = {}
        for update in book.orders:
            order = self._order(update.order_id)
            if order is None or order.filled_quantity != update.filled_quantity:
                continue
            theirs = traded.get(update.order_id) or Traded(update.order_id, 0, 0, ZERO)
            sums = (theirs.quantity, theirs.average_price)
            if _agree(order, sums):
                self._agreed(turn, update.order_id, order)
                continue
            before, seen = self._waiting.get(update.order_id, (None, turn.at))
            if before == sums and book.asked_at >= seen:
                self._tell(turn, order, update.order_id, sums)
            waiting[update.order_id] = (sums, seen if before == sums else turn.at)
        self._waiting = waiting

    @property
    def apart(self) -> list[str]:
        """Those told of that still differ, a line each."""
        return [
            f"{order_words(order)}: {order.filled_quantity} booked, {quantity} traded at {rupees(average)}."
            for order_id, (quantity, average) in sorted(self._told.items())
            if (order := self._order(order_id)) is not None
        ]

    def _tell(self, turn: Turn, order: Order, order_id: OrderId, sums: Sums) -> None:
        if self._told.get(order_id) == sums:
            return
        self._told[order_id] = sums
        quantity, average = sums
        drift = quantity != order.filled_quantity
        done = self._lock(turn, order) if drift else "nothing; the profit is counted with the booked price."
        what, buttons = ("Quantity", "difference") if drift else ("Price", "seen")
        turn.alert(
            f"{buttons}:{order.key}:{order.product}:{turn.at:%Y%m%d%H%M%S}:{order.tag}",
            Priority.CRITICAL if drift else Priority.FILL,
            TOPIC,
            f"{what} drift: {order_words(order)}",
            f"Expected: {order.filled_quantity} @ {rupees(order.average_price)}, as booked.\n"
            f"Broker: its trades are {quantity} @ {rupees(average)}.\nDone: {done}",
        )

    def _lock(self, turn: Turn, order: Order) -> str:
        key, symbol = order.key, symbol_of(order.key)
        known = self._state.locks.get(key)
        if known is None:
            text = f"{Difference.QUANTITY}, order {order.order_id}."
            self._state.locks[key] = Lock(Difference.QUANTITY, text, turn.at, order.product)
        for entry in list(self._state.working.values()):
            if entry.purpose is Purpose.ENTRY and entry.key == key:
                self._sending.withdraw(turn, entry, f"{symbol} is locked", None, alone=True)
        return f"no entries in {symbol} until they agree, or /ignore {symbol}."

    def _agreed(self, turn: Turn, order_id: OrderId, order: Order) -> None:
        if self._told.pop(order_id, None) is None:
            return
        key = order.key
        lock = self._state.locks.get(key)
        if lock is None or lock.kind is not Difference.QUANTITY or self._drifts_in(key):
            return
        del self._state.locks[key]
        turn.alert(
            f"seen:{key}:{order.product}:{turn.at:%Y%m%d%H%M%S}:agreed",
            Priority.INFO,
            TOPIC,
            f"Unlocked: {symbol_of(key)}",
            "The broker's trades are what was booked. Strategies may enter again.",
        )

    def _drifts_in(self, key: InstrumentKey) -> bool:
        orders = (self._order(order_id) for order_id in self._told)
        return any(order is not None and order.key == key for order in orders)

    def _order(self, order_id: OrderId) -> Order | None:
        """None for one of an earlier day."""
        tag = self._state.tags_by_id.get(order_id)
        return self._state.orders.get(tag) if tag is not None else None


def _agree(order: Order, sums: Sums) -> bool:
    """To the paisa a unit: the broker rounds an order's average."""
    quantity, average = sums
    return quantity == order.filled_quantity and (not quantity or abs(average - order.average_price) <= PAISA)
