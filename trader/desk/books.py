"""The broker's book against ours: orders whose outcome nobody knows, fills that were missed, positions
that nobody can explain."""

from __future__ import annotations

from datetime import datetime, timedelta

from trader.desk.effects import ReadBook
from trader.desk.events import BookPurpose, BookRead
from trader.desk.guard import Guard
from trader.desk.orderflow import OrderFlow
from trader.desk.portfolio import Slot, slot_of
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.order import EXTERNAL, Order, OrderState, Product, Tag
from trader.domain.position import Position
from trader.domain.records import Priority

# faults.md 2: an accepted order was invisible for 83 s. Only after more than that, and several complete
# readings that began later, is an order proven absent.
PROOF_AFTER = timedelta(seconds=120)
PROOF_READS = 3
BACKOFF = tuple(timedelta(seconds=s) for s in (1, 2, 4, 8, 15, 30))
# An intent without any answer for this long has lost its answer.
ANSWER_WITHIN = timedelta(seconds=30)


class Books:
    def __init__(self, state: DeskState, flow: OrderFlow, guard: Guard) -> None:
        self._state = state
        self._flow = flow
        self._guard = guard
        self._absent: dict[Tag, int] = {}  # complete readings without a trace
        self._reads = 0
        self._next_read: datetime | None = None
        self._differences: dict[tuple[InstrumentKey, Product], int] = {}
        self._first = True

    # -- asking ----------------------------------------------------------------------------------

    def on_clock(self, turn: Turn) -> None:
        """While an outcome is unknown, read the book: soon at first, then every half minute."""
        for order in list(self._state.working.values()):
            if order.state is OrderState.INTENT and turn.at - order.updated_at > ANSWER_WITHIN:
                self._flow.outcome_unknown(turn, order.tag, "no answer from the broker")
        if not self._unresolved():
            self._reads, self._next_read = 0, None
            return
        if self._next_read is None:
            self._next_read = turn.at + BACKOFF[0]
        if turn.at >= self._next_read:
            self._reads += 1
            self._next_read = turn.at + BACKOFF[min(self._reads, len(BACKOFF) - 1)]
            turn.send(ReadBook(BookPurpose.RESOLVE))

    def _unresolved(self) -> list[Order]:
        return [o for o in self._state.working.values() if o.state is OrderState.UNKNOWN]

    # -- reading ---------------------------------------------------------------------------------

    def on_book(self, turn: Turn, book: BookRead) -> None:
        for update in book.orders:
            self._flow.updated(turn, update)
        seen = {update.tag for update in book.orders} | {
            self._state.tags_by_id.get(update.order_id) for update in book.orders
        }
        for order in list(self._state.working.values()):
            if order.tag not in seen:
                self._missing(turn, order, book)
        self._compare(turn, book)
        self._first = False

    def _missing(self, turn: Turn, order: Order, book: BookRead) -> None:
        if order.updated_at > book.asked_at or order.request.at > book.asked_at:
            return  # younger than the reading
        if order.state in (OrderState.INTENT, OrderState.UNKNOWN):
            if order.state is OrderState.INTENT and self._first:
                # Found in the ledger at start: the process died between the commit and the answer.
                self._flow.outcome_unknown(turn, order.tag, "the process ended before an answer came")
                return
            count = self._absent[order.tag] = self._absent.get(order.tag, 0) + 1
            waited = turn.at - order.request.at
            if order.state is OrderState.UNKNOWN and count >= PROOF_READS and waited >= PROOF_AFTER:
                self._flow.not_placed(
                    turn,
                    order,
                    f"Absent from {count} complete readings of the order book over"
                    f" {int(waited.total_seconds())} s.",
                )
        elif order.order_id is not None and not order.state.terminal:
            # We hold an acknowledgement for it, so the reading is stale (faults.md 27).
            turn.alert(
                f"stale:{order.tag}:{turn.at:%Y%m%d%H%M}",
                Priority.CRITICAL,
                "order",
                "The broker's book looks stale",
                f"Order {order.order_id} was accepted but is not shown.",
            )

    def _compare(self, turn: Turn, book: BookRead) -> None:
        """A difference counts when two readings in a row show it, or at start, when nothing moves yet."""
        ours = self._state.portfolio.net()
        theirs: dict[tuple[InstrumentKey, Product], int] = {}
        for position in book.positions:
            at = (position.key, position.product)
            theirs[at] = theirs.get(at, 0) + position.quantity
        found = {
            at: theirs.get(at, 0) - ours.get(at, 0)
            for at in sorted({*ours, *theirs})
            if theirs.get(at, 0) != ours.get(at, 0)
        }
        lasting = {at: n for at, n in found.items() if self._first or self._differences.get(at) == n}
        self._differences = {at: n for at, n in found.items() if at not in lasting}
        if lasting:
            self._adopt(turn, book, lasting)

    def _adopt(
        self, turn: Turn, book: BookRead, differences: dict[tuple[InstrumentKey, Product], int]
    ) -> None:
        """The broker is right about what is held: the difference becomes an external position, and nobody
        trades until the owner has looked."""
        averages = {(p.key, p.product): p.average_price for p in book.positions}
        lines = []
        for (key, product), quantity in differences.items():
            slot = Slot(EXTERNAL, key, product)
            held = self._state.portfolio.position(slot)
            average = averages.get((key, product), held.average_price)
            position = Position(
                EXTERNAL,
                key,
                product,
                quantity=held.quantity + quantity,
                average_price=average,
                realised=held.realised,
                charges=held.charges,
                opened_at=held.opened_at or turn.at,
                updated_at=turn.at,
            )
            self._state.portfolio.adopt(position)
            turn.write(self._state.portfolio.position(slot_of(position)))
            lines.append(f"{symbol_of(key)} {product} {quantity:+d}")
        self._guard.halt(
            turn,
            "unexplained_position",
            "positions nobody can explain",
            "The broker shows what this desk did not trade: " + ", ".join(lines) + ".",
            by="reconciliation",
        )
