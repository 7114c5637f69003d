"""Orders on their way: through the gate, into the ledger, to the broker, and back as fills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from trader.desk import orders as machine
from trader.desk.effects import Cancel, Change, Submit
from trader.desk.exposure import case_of
from trader.desk.portfolio import Booked, Slot
from trader.desk.risk import RiskGate
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import symbol_of
from trader.domain.money import ZERO, decimal_of, to_paise
from trader.domain.order import (
    EXTERNAL,
    Denied,
    Order,
    OrderChange,
    OrderId,
    OrderRequest,
    OrderState,
    OrderType,
    OrderUpdate,
    Purpose,
    Tag,
)
from trader.domain.position import Fill
from trader.domain.records import OrderEvent, Priority

TELL_DENIAL_EVERY = timedelta(minutes=15)
_CHANGEABLE = (OrderState.OPEN, OrderState.TRIGGER_PENDING, OrderState.PARTIAL)

FillHook = Callable[[Turn, Order, Fill, Booked], None]
EndHook = Callable[[Turn, Order], None]


class OrderFlow:
    """``on_fill`` is called after a fill is booked, ``on_end`` when an order ended unfilled in part."""

    def __init__(self, state: DeskState, gate: RiskGate) -> None:
        self._state = state
        self._gate = gate
        self.on_fill: FillHook = _ignore_fill
        self.on_end: EndHook = _ignore_end
        # The terms before a change under way, to fall back to; a restart reads them from the broker.
        self._before_change: dict[Tag, Order] = {}
        self._decided_at: dict[Tag, Decimal] = {}  # last price when a resting order was sent to close

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
        entered = request.purpose is Purpose.ENTRY
        state.counters = replace(
            state.counters,
            orders=state.counters.orders + 1,
            entries=state.counters.entries + entered,
        )
        self._keep(turn, order, None, request.note)
        turn.write(state.counters)
        turn.send(Submit(verdict))
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
        if order.state not in _CHANGEABLE or order.order_id is None:
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
        state.pace.count(turn.at)
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
        """Ask the broker to cancel; an order without an id is cancelled once it has one."""
        if order.state.terminal or order.state is OrderState.PENDING_CANCEL or order.order_id is None:
            return
        self._keep(turn, machine.cancelling(order, turn.at), order, why)
        self._state.pace.count(turn.at)
        turn.send(Cancel(order.tag, order.order_id))

    # -- inwards ---------------------------------------------------------------------------------

    def acked(self, turn: Turn, tag: Tag, order_id: OrderId) -> None:
        order = self._state.orders.get(tag)
        if order is None:
            return
        if order.order_id is None:
            self._keep(turn, machine.acked(order, order_id, turn.at), order, f"broker id {order_id}")
        for update in self._state.parked.pop(order_id, ()):
            self.updated(turn, update)

    def refused(self, turn: Turn, tag: Tag, reason: str) -> None:
        order = self._state.orders.get(tag)
        if order is None:
            return
        after = machine.refused(order, reason, turn.at)
        if after is not order:
            self._keep(turn, after, order, reason)
            self._tell_rejection(turn, after)
            self.on_end(turn, after)

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
                f"Outcome unknown: {describe(after)}",
                "It may or may not be at the broker. It will not be sent again;"
                f" the order book is searched for its tag {tag}.",
            )

    def not_placed(self, turn: Turn, order: Order, proof: str) -> None:
        after = machine.not_placed(order, proof, turn.at)
        if after is not order:
            self._keep(turn, after, order, proof)
            turn.alert(
                f"notplaced:{order.tag}", Priority.STRATEGY, "order", f"Not placed: {describe(order)}", proof
            )
            self.on_end(turn, after)

    def change_answered(self, turn: Turn, tag: Tag, error: str, *, outcome_unknown: bool) -> None:
        order = self._state.orders.get(tag)
        if order is None or outcome_unknown:
            return  # what it came to shows in the book
        after = machine.change_answered(order, self._before_change.pop(tag, None), error, turn.at)
        if after is not order:
            self._keep(turn, after, order, error or "change accepted")

    def updated(self, turn: Turn, update: OrderUpdate) -> None:
        """Merge what the stream or the book says of an order."""
        state = self._state
        tag = state.tags_by_id.get(update.order_id)
        if tag is None and update.tag in state.orders:
            tag = update.tag
        if tag is None:
            if any(o.order_id is None for o in state.working.values()):
                state.parked.setdefault(update.order_id, []).append(update)
                return
            tag = self._adopt(turn, update)
        self.merge(turn, state.orders[tag], update)

    def merge(self, turn: Turn, order: Order, update: OrderUpdate) -> None:
        merged = machine.merge(order, update)
        after = merged.order
        same = (after.state, after.filled_quantity, after.order_id, after.prior_state) == (
            order.state, order.filled_quantity, order.order_id, order.prior_state,
        )  # fmt: skip
        if same and merged.execution is None:
            return
        self._keep(turn, after, order, update.message)
        if merged.execution is not None:
            self._book(turn, order, after, merged.execution)
        if after.state.terminal and not order.state.terminal:
            if after.state is OrderState.REJECTED:
                self._tell_rejection(turn, after)
            self.on_end(turn, after)

    def _adopt(self, turn: Turn, update: OrderUpdate) -> Tag:
        """An order from elsewhere (the broker's app, its own square-off): counted, never ours to manage."""
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
        turn.alert(
            f"external:{update.order_id}",
            Priority.CRITICAL,
            "order",
            f"Order from elsewhere: {describe(order)}",
            "It was not made by this desk. It counts in the exposure.",
        )
        return order.tag

    # -- fills -----------------------------------------------------------------------------------

    def _book(self, turn: Turn, before: Order, after: Order, execution: machine.Execution) -> None:
        state = self._state
        instrument = state.instrument(after.key)
        assert after.order_id is not None  # noqa: S101 - a fill names its order
        day = state.trading_day(turn.at)
        charges = ZERO
        if instrument is not None:
            charges = state.charges.fill_charges(
                machine.filled_value(before),
                machine.filled_value(after),
                segment=instrument.segment,
                product=after.product,
                side=after.side,
                on=day,
            )
        fill = Fill(
            fill_id=f"{after.tag}:{after.filled_quantity}",
            tag=after.tag,
            order_id=after.order_id,
            owner=after.owner,
            key=after.key,
            side=after.side,
            product=after.product,
            purpose=after.purpose,
            quantity=execution.quantity,
            price=execution.price,
            charges=to_paise(charges),
            at=after.updated_at,
            reference_price=self._reference(after),
        )
        booked = state.portfolio.book(fill, day)
        turn.write(fill)
        turn.write(booked.position)
        if booked.trade is not None:
            turn.write(booked.trade)
        turn.write(state.portfolio.day_result(fill.owner, day))
        net = booked.realised - fill.charges
        state.counters = replace(
            state.counters,
            booked=state.counters.booked + net,
            booked_today=state.counters.booked_today + net,
        )
        turn.write(state.counters)
        if after.filled_quantity > after.quantity:
            turn.alert(
                f"overfill:{fill.fill_id}",
                Priority.CRITICAL,
                "order",
                f"Overfilled: {describe(after)}",
                f"{after.filled_quantity} units were filled of {after.quantity} ordered.",
            )
        self.on_fill(turn, after, fill, booked)

    def _reference(self, order: Order) -> Decimal | None:
        """The price the fill is measured against: where the stop or target was, or the last price seen
        when the order was decided."""
        if order.purpose is Purpose.STOP:
            return order.trigger_price
        if order.purpose is Purpose.TARGET and order.price is not None:
            return order.price
        return self._decided_at.get(order.tag, order.request.reference_price)

    # -- recording -------------------------------------------------------------------------------

    def _keep(self, turn: Turn, after: Order, before: Order | None, detail: str) -> None:
        state = self._state
        tag = after.tag
        state.orders[tag] = after
        if after.order_id is not None:
            state.tags_by_id[after.order_id] = tag
        if after.working:
            state.working[tag] = after
        else:
            state.working.pop(tag, None)
            self._before_change.pop(tag, None)
            self._decided_at.pop(tag, None)
        sequence = state.sequences.get(tag, 0) + 1
        state.sequences[tag] = sequence
        turn.write(after)
        turn.write(OrderEvent(tag, sequence, turn.at, before.state if before else None, after.state, detail))

    def _deny(self, turn: Turn, request: OrderRequest, denial: Denied) -> None:
        """Record and tell a denial, but one that repeats every second only once in a while."""
        state = self._state
        cause = (request.owner, request.key, denial.code)
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
            f"Denied: {describe(order)}",
            f"{denial.sentence} [{denial.code}]",
        )

    def _tell_rejection(self, turn: Turn, order: Order) -> None:
        turn.alert(
            f"rejected:{order.tag}",
            Priority.CRITICAL,
            "order",
            f"Rejected by the broker: {describe(order)}",
            order.message,
        )


def describe(order: Order) -> str:
    """``BUY 98 RELIANCE MARKET (entry, ema_crossover)``."""
    return (
        f"{order.side} {order.quantity} {symbol_of(order.key)} {order.order_type}"
        f" ({order.purpose}, {order.owner})"
    )


def slot_of_order(order: Order) -> Slot:
    return Slot(order.owner, order.key, order.product)


def _ignore_fill(turn: Turn, order: Order, fill: Fill, booked: Booked) -> None:
    del turn, order, fill, booked


def _ignore_end(turn: Turn, order: Order) -> None:
    del turn, order
