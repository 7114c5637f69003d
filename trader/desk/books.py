"""The broker's book against ours: orders whose outcome nobody knows, fills that were missed, positions
that nobody can explain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from datetime import datetime, timedelta

from trader.desk.answers import Answers
from trader.desk.conversions import halves
from trader.desk.differences import Differences
from trader.desk.effects import ReadBook
from trader.desk.events import BookPurpose, BookRead
from trader.desk.executions import Executions
from trader.desk.guard import Guard
from trader.desk.locks import Held
from trader.desk.portfolio import DELIVERED
from trader.desk.state import DeskState, Turn
from trader.desk.terms import Terms
from trader.desk.unread import Unread
from trader.desk.unseen import PROOF_AFTER, PROOF_READS, Unseen
from trader.desk.updates import Updates, seen_in_positions_only
from trader.domain.counting import counted
from trader.domain.instrument import InstrumentKey, symbol_of, symbols_text
from trader.domain.order import Order, OrderId, OrderState, OrderType, OrderUpdate, Product, Purpose, Tag
from trader.domain.records import DeskMode, Priority, Setting
from trader.market.phases import Phase

# What should have moved on by now (an accepted order, a change, a market order) is looked up after this long:
# updates are sent once and some are lost (kite.md 11.1).
SETTLES_WITHIN = timedelta(seconds=5)
# Once anything was ordered, the book is compared this often even when nothing looks amiss.
HEARTBEAT = timedelta(seconds=60)
# How long an accepted order may be missing from the book, or a row be behind what was heard of it.
BEHIND_AFTER = timedelta(seconds=10)
BACKOFF = tuple(timedelta(seconds=s) for s in (1, 2, 4, 8, 15, 30))
# An intent without any answer for this long has lost its answer.
ANSWER_WITHIN = timedelta(seconds=30)
_ASKED = "reconcile_asked"  # the setting that keeps who waits for an answer to /reconcile
_MOVING = (OrderState.ACKED, OrderState.PENDING_CANCEL, OrderState.PENDING_MODIFY)


class Books:
    def __init__(
        self,
        state: DeskState,
        updates: Updates,
        answers: Answers,
        guard: Guard,
        differences: Differences,
        executions: Executions,
        terms: Terms,
    ) -> None:
        self._state = state
        self._updates = updates
        self._answers = answers
        self._guard = guard
        self._differences = differences
        self._executions = executions
        self._terms = terms
        self._unread = Unread(state)
        self._absent: dict[Tag, int] = {}  # complete and fresh readings without a trace
        self._unseen = Unseen(state, answers)
        self._reads = 0
        self._next_read: datetime | None = None
        # As of the last look: of unknown outcome, or refused and perhaps taken all the same.
        self._sought: Set[Tag] = frozenset()
        # Differences seen once: how large, and when. And those that the last reading proved.
        self._waiting: dict[Held, tuple[int, datetime]] = {}
        self._lasting: dict[Held, int] = {}
        self._asked: dict[str, datetime] = {}  # /reconcile by source id, until its result is told
        self._first = True
        self._read_at: datetime | None = None
        self._asked_at: datetime | None = None  # for the newest reading
        # Rows of the last reading that tell of ended orders of ours what is known: nearly all of a book.
        self._ended: dict[OrderId, OrderUpdate] = {}
        self._lost_at: datetime | None = None  # the session; what was asked before tells of before

    def restore(self, turn: Turn, settings: Mapping[str, str]) -> None:
        """Who asked before the restart is answered by the first reading after it."""
        self._asked = dict.fromkeys(json.loads(settings.get(_ASKED) or "[]"), turn.at)

    # -- asking ----------------------------------------------------------------------------------

    def on_clock(self, turn: Turn) -> None:
        """While anything is unsettled, read the book: soon at first, then every half minute."""
        for order in list(self._state.working.values()):
            if order.state is OrderState.INTENT and turn.at - order.updated_at > ANSWER_WITHIN:
                self._answers.outcome_unknown(turn, order.tag, "no answer from the broker")
        refused = self._answers.may_turn_up(turn.at)
        sought = {o.tag for o in self._state.working.values() if o.state is OrderState.UNKNOWN}
        if self._state.config.live:
            sought |= refused
        if not sought <= self._sought:  # what another one has waited already is nothing to it
            soon = turn.at + BACKOFF[0]
            self._reads, self._next_read = 0, min(self._next_read or soon, soon)
        self._sought = sought
        if not self._unsettled(turn.at):
            self._reads, self._next_read = 0, None
            self._look_in(turn)
            return
        if self._next_read is None:
            self._next_read = turn.at + BACKOFF[0]
        if turn.at >= self._next_read:
            self._reads += 1
            self._next_read = turn.at + BACKOFF[min(self._reads, len(BACKOFF) - 1)]
            first = not self._state.reconciled
            turn.send(ReadBook(BookPurpose.RECONCILE if first else BookPurpose.RESOLVE))

    def _unsettled(self, at: datetime) -> bool:
        if not self._state.reconciled or self._waiting or self._terms.waiting or self._unread.failing:
            return True
        if self._sought:
            return True  # two stops could both sell; what turns up is cancelled, or taken up
        for order in self._state.working.values():
            if self._answers.refused_since(order, self._asked_at):
                return True
            if order.state is OrderState.PENDING_CANCEL and order.purpose is Purpose.STOP:
                return True  # the position has none before this one is known to be gone
            moving = order.state in _MOVING or order.order_type is OrderType.MARKET
            if order.state is not OrderState.INTENT and moving and at - order.updated_at > SETTLES_WITHIN:
                return True
        return False

    def _unresolved(self, key: InstrumentKey, product: Product, sign: int) -> int:
        """Units that orders of unknown outcome may have traded in this direction: a position can show before
        the order that made it (faults.md 3)."""
        return sum(
            order.quantity
            for order in self._state.working.values()
            if order.order_id is None
            and (order.key, order.product) == (key, product)
            and order.side.sign * sign > 0
        )

    def _look_in(self, turn: Turn) -> None:
        state = self._state
        if not state.config.live and not state.orders and not state.portfolio.open_slots():
            return  # nothing was done today; a live account has its owner's hands in it too
        if self._read_at is None:
            self._read_at = turn.at
        elif turn.at - self._read_at >= HEARTBEAT and state.calendar.phase(turn.at) is Phase.OPEN:
            self._read_at = turn.at
            turn.send(ReadBook(BookPurpose.RECONCILE))

    # -- reading ---------------------------------------------------------------------------------

    def on_broker_lost(self, turn: Turn) -> None:
        """What is held is hearsay until a reading that begins after the next login (faults.md 9)."""
        self._lost_at = turn.at
        self._state.reconciled = False

    def on_book(self, turn: Turn, book: BookRead) -> None:
        self._read_at = turn.at
        self._asked_at = book.asked_at
        self._unread.read(turn)
        state = self._state
        shown = {update.order_id for update in book.orders}
        self._differences.settled(turn, book)
        behind = self._behind(turn, book, shown)
        known, self._ended = self._ended, {}
        for update in book.orders:
            before = known.get(update.order_id)
            # Nearly all are the very rows of the last reading; to compare their fields takes far longer.
            same = before is update or before == update
            if same and update.order_id in state.tags_by_id:
                self._ended[update.order_id] = update
                continue
            self._merge(turn, update, book)
            tag = state.tags_by_id.get(update.order_id)
            order = state.working.get(tag) if tag is not None else None
            if order is None:
                ended = state.orders.get(tag) if tag is not None and update.status.final else None
                if ended is not None and ended.filled_quantity == update.filled_quantity:
                    self._ended[update.order_id] = update
                continue
            older = order.updated_at <= book.asked_at
            if (older and self._answers.lost(order, turn.at, ANSWER_WITHIN)) or not state.reconciled:
                self._answers.settle(turn, order, update)
        unseen = [order for order in state.working.values() if order.order_id not in shown]
        if unseen:  # under another id, perhaps
            tags = {update.tag for update in book.orders}
            for order in unseen:
                if order.tag not in tags:
                    self._missing(turn, order, book)
        self._lasting = {}
        if not behind:
            self._compare(turn, book)
            self._executions.compare(turn, book)
            self._terms.compare(turn, book)
        self._differences.orphans(turn, book)
        self._report(turn, book, behind=behind)
        self._first = False
        if self._lost_at is None or book.asked_at >= self._lost_at:
            self._state.reconciled = True

    def _merge(self, turn: Turn, update: OrderUpdate, book: BookRead) -> None:
        tag = self._state.tags_by_id.get(update.order_id)
        before = self._state.orders.get(tag) if tag is not None else None
        self._updates.merge(turn, update, book=True)
        if before is not None and before.filled_quantity < update.filled_quantity:
            self._differences.missed(turn, before, update, book.asked_at)

    def _behind(self, turn: Turn, book: BookRead, shown: Set[OrderId]) -> bool:
        """Whether the book shows less than was heard already: a stale reading proves nothing about what is
        held (faults.md 27)."""
        found = False
        tags, orders = self._state.tags_by_id, self._state.orders
        for update in book.orders:
            tag = tags.get(update.order_id)
            order = orders.get(tag) if tag is not None else None
            if order is None or update.filled_quantity >= order.filled_quantity:
                continue
            found = True
            if book.asked_at - order.updated_at > BEHIND_AFTER:
                self._stale(turn, order, f"Order {order.order_id} is shown with fewer fills than it had.")
        return self._leaves_out(turn, book, shown) or found

    def _leaves_out(self, turn: Turn, book: BookRead, shown: Set[OrderId]) -> bool:
        """Whether something that was filled today is not in the book at all: then its positions, too, are
        of an earlier hour, and a position of ours that they lack is not gone."""
        state, day = self._state, self._state.trading_day(turn.at)
        left_out = [
            order
            for order in state.orders.values()
            if order.order_id not in shown
            and order.order_id is not None
            and order.filled_quantity
            and order.updated_at <= book.asked_at
            and state.trading_day(order.request.at) == day
            and not seen_in_positions_only(order)
        ]
        for order in left_out:
            if book.asked_at - order.updated_at > BEHIND_AFTER:
                self._stale(turn, order, f"Order {order.order_id} was filled but is not shown.")
                break
        return bool(left_out)

    def _stale(self, turn: Turn, order: Order, why: str) -> None:
        """The reads lag behind the market while orders may still be taken: nothing is opened on them."""
        turn.alert(
            f"stale:{order.tag}:{turn.at:%Y%m%d%H%M}",
            Priority.CRITICAL,
            "order",
            "The broker's book looks stale",
            f"{why} No entries until /resume.",
        )
        self._guard.latch(turn, DeskMode.REDUCING, "stale_book", "the broker's book looks stale", "the books")

    def _missing(self, turn: Turn, order: Order, book: BookRead) -> None:
        if order.updated_at > book.asked_at or order.request.at > book.asked_at:
            return  # younger than the reading
        if order.state in (OrderState.INTENT, OrderState.UNKNOWN):
            if order.state is OrderState.INTENT and self._first:
                # Found in the ledger at start: the process died between the commit and the answer.
                self._answers.outcome_unknown(turn, order.tag, "the process ended before an answer came")
                return
            self._unseen.read(order)
            if book.proven_at is not None and book.proven_at <= order.request.at:
                # The reading may be older than the order: its absence says nothing (faults.md 27).
                self._unseen.unproven(turn, order)
                return
            count = self._absent[order.tag] = self._absent.get(order.tag, 0) + 1
            waited = turn.at - order.request.at
            if order.state is OrderState.UNKNOWN and count >= PROOF_READS and waited >= PROOF_AFTER:
                self._answers.not_placed(
                    turn,
                    order,
                    f"Absent from {count} complete readings of the order book over"
                    f" {int(waited.total_seconds())} s.",
                )
        elif order.order_id is not None and book.asked_at - order.request.at > BEHIND_AFTER:
            # We hold an acknowledgement for it, so the reading is stale (faults.md 27).
            self._stale(turn, order, f"Order {order.order_id} was accepted but is not shown.")

    def not_there(self, turn: Turn, tag: str) -> str:
        return self._unseen.not_there(turn, tag)

    def _compare(self, turn: Turn, book: BookRead) -> None:
        """A difference counts when two readings, one begun after the other was seen, show it, or at start,
        when nothing moves yet. What filled since the reading began is not a difference."""
        ours = self._state.portfolio.net()
        theirs: dict[Held, int] = {}
        for position in book.positions:
            at = (position.key, position.product)
            theirs[at] = theirs.get(at, 0) + position.quantity
        owned: dict[Held, int] = {}
        sold: dict[Held, int] = {}
        for holding in book.holdings:
            at = (holding.key, holding.product)
            owned[at] = owned.get(at, 0) + holding.quantity + holding.t1_quantity
            sold[at] = sold.get(at, 0) + holding.sold_today
        for at in {*ours, *theirs}:
            # Shares of earlier days are no positions there any more, and a sale of them is a negative one,
            # though nothing is short, or is taken from what was bought today. What the account holds beside
            # ours is its owner's, so only as much is looked for as is missing.
            shown = theirs.get(at, 0)
            missing = ours.get(at, 0) - shown
            if at[1] in DELIVERED and missing > 0:
                theirs[at] = shown + min(missing, owned.get(at, 0) + max(sold.get(at, 0), -shown))
        found = {
            at: theirs.get(at, 0) - ours.get(at, 0)
            for at in sorted({*ours, *theirs})
            if theirs.get(at, 0) != ours.get(at, 0)
        }
        moved = self._state.moved_at
        lasting = self._lasting
        once: dict[Held, tuple[int, datetime]] = {}
        for at, n in found.items():
            if at in moved and moved[at] >= book.asked_at:
                continue
            known, seen = self._waiting.get(at, (0, turn.at))
            lasts = self._first or (known == n and book.asked_at >= seen)
            if lasts and abs(n) > self._unresolved(*at, n):
                lasting[at] = n
            else:
                once[at] = (n, seen if known == n else turn.at)
        for at in [at for at in lasting if halves(found, lasting, at)]:
            once[at] = (lasting.pop(at), self._waiting.get(at, (0, turn.at))[1])
        self._waiting = once
        if lasting:
            self._drift(turn, book, lasting)

    def _drift(self, turn: Turn, book: BookRead, lasting: dict[Held, int]) -> None:
        """At the start nobody trades until the owner has looked; later the instrument alone is locked."""
        lines = self._differences.drifted(turn, book, lasting)
        if self._first and lines:
            self._guard.halt(
                turn,
                "unexplained_position",
                "positions nobody can explain",
                "The broker shows what this desk did not trade: " + ", ".join(lines) + ".",
                by="reconciliation",
            )

    # -- the owner asked -------------------------------------------------------------------------

    def ask(self, turn: Turn, source_id: str) -> str:
        """/reconcile: read the book now; what it showed is told, by the next run if this one ends before."""
        self._asked[source_id] = turn.at
        self._keep_asked(turn)
        turn.send(ReadBook(BookPurpose.RECONCILE))
        return "Reading the broker's book; the result follows."

    def on_book_failed(self, turn: Turn, reason: str) -> None:
        severed = self._lost_at is not None and not self._state.reconciled
        self._unread.failed(turn, reason, severed=severed)
        if not self._asked:
            return
        for source_id in self._asked:
            self._answer(turn, source_id, "NOT reconciled: the broker cannot be read", reason)
        self._asked.clear()
        self._keep_asked(turn)

    def _report(self, turn: Turn, book: BookRead, *, behind: bool) -> None:
        due = [source_id for source_id, at in self._asked.items() if book.asked_at >= at]
        if not due:
            return
        held = [p for p in book.positions if p.quantity]
        read = f"{counted(len(book.orders), 'order')}, {counted(len(held), 'position')}"
        lines = [f"{_named(at)}: {n:+d} that this desk did not trade." for at, n in self._lasting.items()]
        lines += [
            f"{_named(at)}: {n:+d}, not ours so far; read again to be sure."
            for at, (n, _) in self._waiting.items()
        ]
        lines += self._executions.apart
        title = f"{counted(len(lines), 'difference')} in {read}" if lines else f"In order: {read}"
        if behind:
            title = "NOT reconciled: the book is behind"
            lines = ["It shows less than was heard of already, so it proves nothing. It is read again."]
        if self._state.funding is not None:
            lines.append(self._state.funding.text)
        locked = symbols_text(sorted(self._state.locks))
        if locked:
            lines.append(f"Locked until your verdict: {locked}.")
        for source_id in due:
            del self._asked[source_id]
            self._answer(turn, source_id, title, "\n".join(lines))
        self._keep_asked(turn)

    def _keep_asked(self, turn: Turn) -> None:
        turn.write(Setting(_ASKED, json.dumps(sorted(self._asked))))

    def _answer(self, turn: Turn, source_id: str, title: str, body: str) -> None:
        turn.alert(f"reconcile:{source_id}", Priority.FILL, "reconcile", title, body)


def _named(at: Held) -> str:
    return f"{symbol_of(at[0])} {at[1]}"
