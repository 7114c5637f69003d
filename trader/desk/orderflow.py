"""Orders on their way: through the gate, into the ledger, to the broker, and back as fills."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from trader.desk import orders as machine
from trader.desk.booking import Booking
from trader.desk.effects import Cancel, Change, Submit
from trader.desk.exposure import CLOSING, case_of
from trader.desk.limits import (
    BROKER_ORDERS_PER_MINUTE,
    BROKER_ORDERS_PER_SECOND,
    MODIFICATIONS_PER_ORDER,
)
from trader.desk.portfolio import Booked, Slot
from trader.desk.refusals import Refusals
from trader.desk.risk import RiskGate
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey
from trader.domain.money import decimal_of, rupees
from trader.domain.order import (
    EXTERNAL,
    BrokerStatus,
    Denied,
    Order,
    OrderChange,
    OrderId,
    OrderRequest,
    OrderState,
    OrderType,
    OrderUpdate,
    Product,
    Purpose,
    Side,
    Tag,
)
from trader.domain.position import Fill
from trader.domain.records import OrderEvent, Priority
from trader.domain.values import quick, replaced

REST_PATIENCE = timedelta(seconds=5)  # how long the rest of a market entry may look for somebody
TELL_DENIAL_EVERY = timedelta(minutes=15)
DESK_WIDE = frozenset({
    "mode", "disarmed", "paused", "session_closed", "entries_over", "open_positions", "strategy_positions",
    "exposure", "capital", "book_unread", "daily_loss", "drawdown", "trades_per_day", "cooldown", "rate_day",
})  # fmt: skip
# ACKED too: Kite tells nothing of an order that comes to rest (kite.md 11.1), so waiting to hear of it could
# last for ever. The broker refuses what comes too early, and it is asked again.
_CHANGEABLE = (OrderState.ACKED, OrderState.OPEN, OrderState.TRIGGER_PENDING, OrderState.PARTIAL)
_TAKEN = "D"  # begins the ids of orders that only the broker's positions tell of; its own are digits
_ANSWERING = (OrderState.PENDING_CANCEL, OrderState.PENDING_MODIFY)

_ENTRY = Purpose.ENTRY
_event, _submit = quick(OrderEvent), quick(Submit)

FillHook = Callable[[Turn, Order, Fill, Booked], None]
EndHook = Callable[[Turn, Order], None]
StrangerHook = Callable[[Turn, Order, OrderUpdate], None]
ClaimHook = Callable[[Turn, OrderUpdate], OrderRequest | None]


class OrderFlow:
    """``on_fill`` is called after a fill is booked, ``on_end`` when an order ended unfilled in part,
    ``on_stranger`` when an order from elsewhere is first seen, before what it filled is booked. ``claim``
    says which order of ours one is that was not sent from here."""

    def __init__(self, state: DeskState, gate: RiskGate) -> None:
        self._state = state
        self._gate = gate
        self._booking = Booking(state)
        self.on_fill: FillHook = _ignore_fill
        self.on_end: EndHook = _ignore_end
        self.on_stranger: StrangerHook = _ignore_stranger
        self.claim: ClaimHook = _claim_none
        # The terms before a change under way, to fall back to; a restart reads them from the broker.
        self._before_change: dict[Tag, Order] = {}
        self._decided_at: dict[Tag, Decimal] = {}  # last price when a resting order was sent to close
        # Entries nobody wants any more, and what is to become of what they fill all the same.
        self._withdrawn: dict[Tag, tuple[str, Purpose | None]] = {}
        self._lost_answers: set[Tag] = set()  # changes and cancels whose outcome is unknown
        self.refusals = Refusals()
        # The last update that told nothing new of an order, and that order: the book shows it every minute.
        self._idle: dict[Tag, tuple[Order, OrderUpdate]] = {}

    # -- outwards --------------------------------------------------------------------------------

    def submit(self, turn: Turn, request: OrderRequest) -> Order | Denied:
        """Gate, record, send. The intent is in the ledger before the broker hears of it."""
        state = self._state
        verdict = self._gate.approve(case_of(state, turn.at, request))
        if isinstance(verdict, Denied):
            self._deny(turn, request, verdict)
            return verdict
        order = machine.intent(request)
        state.serial += 1
        state.pace.count(turn.at)
        entered = request.purpose is _ENTRY
        state.counters = replaced(
            state.counters,
            orders=state.counters.orders + 1,
            entries=state.counters.entries + entered,
        )
        self._keep(turn, order, None, request.note)
        turn.write(state.counters)
        turn.send(_submit(verdict))
        return order

    def change(
        self,
        turn: Turn,
        order: Order,
        *,
        quantity: int,
        order_type: OrderType,
        price: Decimal | None,
        trigger_price: Decimal | None,
        purpose: Purpose,
    ) -> bool:
        """Change a resting order in place. False when it can't be changed just now."""
        state = self._state
        if order.state not in _CHANGEABLE or order.order_id is None or not self._room(turn, spare=1):
            return False
        terms = (quantity, order_type, price, trigger_price)
        # Whoever leaves has pauses of his own.
        if purpose is Purpose.STOP and self.refusals.hold(order.tag, terms, turn.at):
            return False
        instrument = state.instrument(order.key)
        assert instrument is not None  # noqa: S101 - it rests at the broker, so it was known
        change = OrderChange(
            order.tag, order.order_id, quantity, order_type, price, trigger_price, purpose, turn.at
        )
        position = state.portfolio.position(Slot(order.owner, order.key, order.product))
        verdict = self._gate.approve_change(change, order, instrument, position)
        if isinstance(verdict, Denied):
            return False
        state.pace.count(turn.at, placed=False)
        self.refusals.sent(order.tag, terms)
        self._before_change[order.tag] = order
        quote = state.quotes.get(order.key)
        if order_type is OrderType.MARKET and quote is not None:
            self._decided_at[order.tag] = decimal_of(quote.last)
        detail = f"{purpose}: {order_type} {quantity}" + (
            f" at {trigger_price or price}" if price or trigger_price else ""
        )
        self._keep(turn, machine.modifying(order, change), order, detail)
        turn.send(Change(verdict))
        return True

    def cancel(self, turn: Turn, order: Order, why: str) -> None:
        """Ask the broker to cancel. Nothing happens while the order has no id, while an answer to an earlier
        request is due (an answer names the order, not the request) or while the second is used up: whoever
        wants it gone asks again with the next second. Refused, it is asked for ever less often."""
        if order.state.terminal or order.state in _ANSWERING or order.order_id is None:
            return
        if not self._room(turn) or self.refusals.hold(order.tag, None, turn.at):
            return
        self.refusals.sent(order.tag, None)
        self._keep(turn, machine.cancelling(order, turn.at), order, why)
        self._state.pace.count(turn.at, placed=False)
        turn.send(Cancel(order.tag, order.order_id))

    def withdraw(self, turn: Turn, order: Order, why: str, fate: Purpose | None) -> None:
        """Cancel an entry for good: as soon as it can be, and what it fills before that is left again with
        the purpose ``fate``, or kept when that is None."""
        known = self._withdrawn.get(order.tag)
        if known is None or fate is not None:
            self._withdrawn[order.tag] = (why, fate)
        self.cancel(turn, order, why)

    @property
    def settled(self) -> bool:
        """Nothing is to be withdrawn, and no answer is waited for that may never come."""
        return not self._withdrawn and not self._lost_answers

    def fate(self, tag: Tag) -> Purpose | None:
        """What is to become of a fill of a withdrawn entry."""
        return self._withdrawn.get(tag, ("", None))[1]

    def on_clock(self, turn: Turn) -> None:
        """Ask again for the cancels that could not be sent; give up what entries left over."""
        if self._state.config.live:
            self._drop_rests(turn)
        for tag in list(self._withdrawn):
            if tag in self._state.orders:
                self._withdraw_again(turn, tag)
            else:
                del self._withdrawn[tag]  # of an earlier day

    def _drop_rests(self, turn: Turn) -> None:
        """Kite turns a market order into a limit at its protection price (kite.md 4): what finds nobody there
        rests, for a decision that gets old. Elsewhere a market order waits for the next price only."""
        for order in list(self._state.working.values()):
            if (
                order.purpose is Purpose.ENTRY
                and order.order_type is OrderType.MARKET
                and order.state in (OrderState.OPEN, OrderState.PARTIAL)
                and turn.at - order.updated_at >= REST_PATIENCE
                and order.tag not in self._withdrawn
            ):
                self.withdraw(turn, order, "what is left of it finds nobody at its price", None)

    def _withdraw_again(self, turn: Turn, tag: Tag) -> None:
        order = self._state.working.get(tag)
        if order is not None and tag in self._withdrawn:
            self.cancel(turn, order, self._withdrawn[tag][0])

    def _room(self, turn: Turn, *, spare: int = 0) -> bool:
        """Whether the broker takes another request now; it counts placements, changes and cancels by
        calendar second and minute (kite.md 10)."""
        pace = self._state.pace
        pace.roll(turn.at)
        return pace.in_second < BROKER_ORDERS_PER_SECOND - spare and pace.in_minute < BROKER_ORDERS_PER_MINUTE

    # -- inwards ---------------------------------------------------------------------------------

    def acked(self, turn: Turn, tag: Tag, order_id: OrderId) -> None:
        order = self._state.orders.get(tag)
        if order is None:
            return
        if order.order_id is None:
            self._keep(turn, machine.acked(order, order_id, turn.at), order, f"broker id {order_id}")
            self._withdraw_again(turn, tag)
        self._unpark(turn, order_id)

    def refused(self, turn: Turn, tag: Tag, reason: str) -> None:
        order = self._state.orders.get(tag)
        if order is None:
            return
        after = machine.refused(order, reason, turn.at)
        if after is not order:
            self._keep(turn, after, order, reason)
            self._tell_rejection(turn, after)
            self.on_end(turn, after)
            self._unpark(turn)

    def outcome_unknown(self, turn: Turn, tag: Tag, reason: str) -> None:
        order = self._state.orders.get(tag)
        if order is None:
            return
        after = machine.unknown(order, reason, turn.at)
        if after is not order:
            self._keep(turn, after, order, reason)
            turn.alert(
                f"unknown:{tag}",
                Priority.CRITICAL,
                "order",
                f"Outcome unknown: {machine.describe(after)}",
                "It may or may not be at the broker. It will not be sent again;"
                f" the order book is searched for its tag {tag}.{_bare(after)}",
            )

    def not_placed(self, turn: Turn, order: Order, proof: str) -> None:
        after = machine.not_placed(order, proof, turn.at)
        if after is not order:
            self._keep(turn, after, order, proof)
            turn.alert(
                f"notplaced:{order.tag}",
                Priority.STRATEGY,
                "order",
                f"Not placed: {machine.describe(order)}",
                proof,
            )
            self.on_end(turn, after)
            self._unpark(turn)

    def expire(self, turn: Turn, order: Order) -> None:
        """A day order of an earlier day."""
        self._keep(turn, machine.expired(order, turn.at), order, "its trading day is over")
        self.on_end(turn, self._state.orders[order.tag])

    def change_answered(
        self, turn: Turn, tag: Tag, error: str, *, outcome_unknown: bool, used_up: bool = False
    ) -> None:
        order = self._state.orders.get(tag)
        if order is None:
            return
        if outcome_unknown:
            if order.state in _ANSWERING:
                self._lost_answers.add(tag)  # what it came to shows in the book
            return
        if error and order.state in _ANSWERING:
            self.refusals.refused(tag, turn.at)
        after = machine.change_answered(order, self._before_change.pop(tag, None), error, turn.at)
        if used_up:  # it was changed elsewhere too
            after = replaced(after, modifications=max(after.modifications, MODIFICATIONS_PER_ORDER))
        if after is not order:
            self._keep(turn, after, order, error or "change accepted")

    def answer_lost(self, order: Order, at: datetime, patience: timedelta) -> bool:
        """Whether a change or cancel of this order will not be answered any more."""
        return order.state in _ANSWERING and (
            order.tag in self._lost_answers or at - order.updated_at > patience
        )

    def settle(self, turn: Turn, order: Order, update: OrderUpdate) -> None:
        """A change or cancel whose answer was lost, by a reading that began after it."""
        after = machine.settled(order, update, turn.at)
        if after is not order:
            self._keep(turn, after, order, f"as the book shows it: {after.order_type} {after.quantity}")

    def updated(self, turn: Turn, update: OrderUpdate, *, book: bool = False) -> None:
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
        self.merge(turn, state.orders[tag], update)
        if book:
            self._unpark(turn, update.order_id)

    def merge(self, turn: Turn, order: Order, update: OrderUpdate) -> None:
        if machine.agrees(order, update):
            return  # most rows of a book, every minute
        idle = self._idle.get(order.tag)
        if idle is not None and idle[0] is order and idle[1] is update:
            return
        merged = machine.merge(order, update)
        after = merged.order
        same = (after.state, after.filled_quantity, after.order_id, after.prior_state) == (
            order.state, order.filled_quantity, order.order_id, order.prior_state,
        )  # fmt: skip
        if same and merged.execution is None:
            self._idle[order.tag] = (order, update)
            return
        self.refusals.moved(order.tag)
        self._keep(turn, after, order, update.message)
        if merged.execution is not None:
            self._book(turn, order, after, merged.execution)
        if after.state.terminal and not order.state.terminal:
            if after.state is OrderState.REJECTED:
                self._tell_rejection(turn, after)
            self.on_end(turn, after)
        if order.order_id is None and after.order_id is not None:
            self._withdraw_again(turn, after.tag)
            self._unpark(turn, after.order_id)

    def _unpark(self, turn: Turn, order_id: OrderId | None = None) -> None:
        """Look again at updates that came before anybody knew whose they were: those of ``order_id``, and
        those that no order of ours without an id could be any more, for they are from elsewhere."""
        parked = self._state.parked
        if not parked:
            return
        if order_id is not None:
            for update in parked.pop(order_id, ()):
                self.updated(turn, update)
        for order_id in [one for one, updates in parked.items() if not self._unnamed(updates[0])]:
            for update in parked.pop(order_id, ()):
                self.updated(turn, update)

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
            self._keep(turn, order, None, claimed.note)
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
        self._keep(turn, order, None, "not made by this desk")
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
            self.merge(turn, state.orders[self._adopt(turn, update)], update)
        return quantity - closed * side.sign

    def _book(self, turn: Turn, before: Order, after: Order, execution: machine.Execution) -> None:
        decided = self._decided_at.get(after.tag)
        for fill, booked in self._booking.book(turn, before, after, execution, decided):
            self.on_fill(turn, after, fill, booked)

    # -- recording -------------------------------------------------------------------------------

    def _keep(self, turn: Turn, after: Order, before: Order | None, detail: str) -> None:
        state = self._state
        tag = after.tag
        state.orders[tag] = after
        if after.order_id is not None:
            state.tags_by_id[after.order_id] = tag
        if after.state.working:
            state.working[tag] = after
        else:
            state.working.pop(tag, None)
            self._before_change.pop(tag, None)
            self._decided_at.pop(tag, None)
            self._idle.pop(tag, None)
            self.refusals.forget(tag)
        if after.state not in _ANSWERING:
            self._lost_answers.discard(tag)
        sequence = state.sequences.get(tag, 0) + 1
        state.sequences[tag] = sequence
        turn.write(after)
        turn.write(_event(tag, sequence, turn.at, before.state if before else None, after.state, detail))

    def _deny(self, turn: Turn, request: OrderRequest, denial: Denied) -> None:
        """Record and tell a denial, but one that repeats every second only once in a while."""
        state = self._state
        if denial.code == "rate_second":
            return  # who wanted it asks again in the next second
        # What concerns the whole desk is told once, not for every instrument that asks.
        where = InstrumentKey("") if denial.code in DESK_WIDE else request.key
        cause = (request.owner, where, denial.code)
        told = state.denials_told.get(cause)
        if told is not None and turn.at - told < TELL_DENIAL_EVERY:
            return
        state.denials_told[cause] = turn.at
        state.serial += 1
        order = machine.denied(request, f"{denial.code}: {denial.sentence}")
        self._keep(turn, order, None, order.message)
        turn.alert(
            f"denied:{order.tag}",
            Priority.STRATEGY if request.purpose is Purpose.ENTRY else Priority.CRITICAL,
            "denied",
            f"Denied: {machine.describe(order)}",
            f"{denial.sentence} [{denial.code}]",
        )

    def _tell_rejection(self, turn: Turn, order: Order) -> None:
        turn.alert(
            f"rejected:{order.tag}",
            Priority.CRITICAL,
            "order",
            f"Rejected by the broker: {machine.describe(order)}",
            order.message,
        )


def seen_in_positions_only(order: Order) -> bool:
    """Whether the order is ``taken_away``'s own: the broker never had it."""
    return order.purpose is Purpose.EXTERNAL and (order.order_id or "").startswith(_TAKEN)


def _bare(order: Order) -> str:
    """What it means while nobody knows whether a stop rests (lookout.py), or an exit is on its way."""
    if order.purpose in CLOSING:
        return (
            "\nUntil then the desk sends no other exit, which could close twice. If it cannot wait, look into"
            " the broker's own app."
        )
    if order.purpose is not Purpose.STOP or order.trigger_price is None:
        return ""
    past = "below" if order.side is Side.SELL else "above"
    return (
        f"\nUntil then no stop may rest: at or {past} {rupees(order.trigger_price)} the desk, while it runs,"
        " leaves at the market."
    )


def _ignore_fill(turn: Turn, order: Order, fill: Fill, booked: Booked) -> None:
    del turn, order, fill, booked


def _ignore_end(turn: Turn, order: Order) -> None:
    del turn, order


def _claim_none(turn: Turn, update: OrderUpdate) -> OrderRequest | None:
    del turn, update
    return None


def _ignore_stranger(turn: Turn, order: Order, update: OrderUpdate) -> None:
    del turn, order, update
