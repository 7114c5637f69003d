"""Orders on their way out: through the gate, into the ledger, to the broker; changed there, taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import copy
from datetime import timedelta
from decimal import Decimal

from trader.desk import orders as machine
from trader.desk.denials import Denials
from trader.desk.effects import Cancel, Change, Submit
from trader.desk.exposure import case_of
from trader.desk.fellows import none_of
from trader.desk.limits import BROKER_ORDERS_PER_MINUTE, BROKER_ORDERS_PER_SECOND
from trader.desk.portfolio import slot_of
from trader.desk.register import Register
from trader.desk.risk import RiskGate
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey
from trader.domain.money import decimal_of
from trader.domain.order import (
    Approved,
    Denied,
    Order,
    OrderChange,
    OrderRequest,
    OrderState,
    OrderType,
    Purpose,
    Tag,
)
from trader.domain.records import Setting
from trader.domain.values import quick, replaced

_WITHDRAWN = "withdrawn"  # the setting under which what was taken back survives a restart
REST_PATIENCE = timedelta(seconds=5)  # how long the rest of a market entry may look for somebody
# ACKED too: Kite tells nothing of an order that comes to rest (kite.md 11.1), so waiting to hear of it could
# last for ever. The broker refuses what comes too early, and it is asked again.
_CHANGEABLE = (OrderState.ACKED, OrderState.OPEN, OrderState.TRIGGER_PENDING, OrderState.PARTIAL)

_ENTRY = Purpose.ENTRY
_submit = quick(Submit)


class Sending:
    def __init__(self, state: DeskState, gate: RiskGate, register: Register) -> None:
        self._state = state
        self._gate = gate
        self._register = register
        self._denials = Denials(state, register)
        # Entries nobody wants any more, and what is to become of what they fill all the same.
        self._withdrawn: dict[Tag, tuple[str, Purpose | None]] = {}
        self._alone: set[Tag] = set()  # of these, those whose fellows of one decision were not meant

    def restore(self, settings: Mapping[str, str]) -> None:
        """What was taken back before a restart stays so."""
        for tag, (why, fate, alone) in json.loads(settings.get(_WITHDRAWN) or "{}").items():
            self._withdrawn[Tag(tag)] = (why, None if fate is None else Purpose(fate))
            if alone:
                self._alone.add(Tag(tag))

    def _keep_withdrawn(self, turn: Turn) -> None:
        kept = {tag: [why, fate, tag in self._alone] for tag, (why, fate) in self._withdrawn.items()}
        turn.write(Setting(_WITHDRAWN, json.dumps(kept)))

    def submit(self, turn: Turn, request: OrderRequest) -> Order | Denied:
        """Gate, record, send. The intent is in the ledger before the broker hears of it."""
        state = self._state
        verdict = self._gate.approve(case_of(state, turn.at, request))
        if isinstance(verdict, Denied):
            self._denials.record(turn, request, verdict)
            return verdict
        return self._let_go(turn, request, verdict)

    def submit_together(
        self, turn: Turn, makers: Mapping[InstrumentKey, Callable[[], OrderRequest]]
    ) -> Denied | None:
        """All or none. Each is sized and judged with those before it on their way; the first that is denied
        takes them back, before anybody heard of them, and is the reason for all."""
        state = self._state
        told, known = len(turn.effects), (state.serial, state.counters, copy(state.pace))
        sent: list[Order] = []
        for make in makers.values():
            request = make()
            verdict = self._gate.approve(case_of(state, turn.at, request))
            if not isinstance(verdict, Denied):
                sent.append(self._let_go(turn, request, verdict))
                continue
            for order in sent:
                for kept in (state.orders, state.working, state.sequences):
                    del kept[order.tag]
            del turn.effects[told:]
            state.serial, state.counters, state.pace = known
            others = [key for key in makers if key != request.key]
            if others:
                verdict = replaced(verdict, sentence=f"{verdict.sentence} {none_of(others)}")
            self._denials.record(turn, replaced(request, tag=state.next_tag(turn.at)), verdict)
            return verdict
        return None

    def _let_go(self, turn: Turn, request: OrderRequest, verdict: Approved) -> Order:
        state = self._state
        order = machine.intent(request)
        state.serial += 1
        state.pace.count(turn.at)
        entered = request.purpose is _ENTRY
        state.counters = replaced(
            state.counters,
            orders=state.counters.orders + 1,
            entries=state.counters.entries + entered,
        )
        self._register.keep(turn, order, None, request.note)
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
        if purpose is Purpose.STOP and self._register.refusals.hold(order.tag, terms, turn.at):
            return False
        instrument = state.instrument(order.key)
        assert instrument is not None  # noqa: S101 - it rests at the broker, so it was known
        change = OrderChange(
            order.tag, order.order_id, quantity, order_type, price, trigger_price, purpose, turn.at
        )
        position = state.portfolio.position(slot_of(order))
        verdict = self._gate.approve_change(change, order, instrument, position)
        if isinstance(verdict, Denied):
            return False
        state.pace.count(turn.at, placed=False)
        self._register.refusals.sent(order.tag, terms)
        self._register.before_change[order.tag] = order
        quote = state.quotes.get(order.key)
        if order_type is OrderType.MARKET and quote is not None:
            self._register.decided_at[order.tag] = decimal_of(quote.last)
        detail = f"{purpose}: {order_type} {quantity}" + (
            f" at {trigger_price or price}" if price or trigger_price else ""
        )
        self._register.keep(turn, machine.modifying(order, change), order, detail)
        turn.send(Change(verdict))
        return True

    def cancel(self, turn: Turn, order: Order, why: str) -> None:
        """Ask the broker to cancel. Nothing happens while the order has no id, while an answer to an earlier
        request is due (an answer names the order, not the request) or while the second is used up: whoever
        wants it gone asks again with the next second. Refused, it is asked for ever less often."""
        if order.state.terminal or order.state in machine.ANSWER_DUE or order.order_id is None:
            return
        if not self._room(turn) or self._register.refusals.hold(order.tag, None, turn.at):
            return
        self._register.refusals.sent(order.tag, None)
        self._register.cancels_taken.discard(order.tag)
        self._register.keep(turn, machine.cancelling(order, turn.at), order, why)
        self._state.pace.count(turn.at, placed=False)
        turn.send(Cancel(order.tag, order.order_id))

    def cancel_taken(self, order: Order) -> bool:
        """Whether the broker has taken the cancel of this order; that it is gone is told later, or never."""
        return order.state is OrderState.PENDING_CANCEL and order.tag in self._register.cancels_taken

    def too_many(self, order: Order) -> bool:
        """Whether the broker refused it for the pace of requests, which says nothing about the order."""
        return self._register.refusals.too_many(order.tag)

    def withdraw(
        self, turn: Turn, order: Order, why: str, fate: Purpose | None, *, alone: bool = False
    ) -> None:
        """Cancel an entry for good: as soon as it can be, and what it fills before that is left again with
        the purpose ``fate``, or kept when that is None. ``alone``: the reason is its instrument's, and what
        was entered with it in one decision goes too."""
        tag = order.tag
        known, before = self._withdrawn.get(tag), tag in self._alone
        if not alone:
            self._alone.discard(tag)
        elif known is None:
            self._alone.add(tag)
        if known is None or fate is not None:
            self._withdrawn[tag] = (why, fate)
        same = known is not None and known[1] is self._withdrawn[tag][1] and before == (tag in self._alone)
        if not same:  # why is for the order's own journal
            self._keep_withdrawn(turn)
        self.cancel(turn, order, why)

    def give_up_kill(self, turn: Turn) -> None:
        """What a kill could not cancel and its owner ordered elsewhere is his again."""
        orders = self._state.orders
        given_up = [
            tag
            for tag, (_, fate) in self._withdrawn.items()
            if fate is Purpose.KILL and tag in orders and orders[tag].purpose is Purpose.EXTERNAL
        ]
        for tag in given_up:
            del self._withdrawn[tag]
        if given_up:
            self._keep_withdrawn(turn)

    @property
    def settled(self) -> bool:
        """Nothing is to be withdrawn, and no answer is waited for that may never come."""
        return not self._withdrawn and not self._register.lost_answers

    def wanted(self, tag: Tag) -> bool:
        """Whether nobody here took the entry's whole decision back."""
        return tag not in self._withdrawn or tag in self._alone

    def withdrawn(self, order: Order) -> bool:
        """Whether it is an entry that is to be cancelled, or was."""
        return order.tag in self._withdrawn

    def taken_back(self, tag: Tag) -> str:
        """Why it is, or ``""``."""
        return self._withdrawn.get(tag, ("", None))[0]

    def fate(self, tag: Tag) -> Purpose | None:
        """What is to become of a fill of a withdrawn entry."""
        return self._withdrawn.get(tag, ("", None))[1]

    def on_clock(self, turn: Turn) -> None:
        """Ask again for the cancels that could not be sent; give up what entries left over."""
        if self._state.config.live:
            self._drop_rests(turn)
        over = [tag for tag in self._withdrawn if tag not in self._state.orders]  # of an earlier day
        for tag in over:
            del self._withdrawn[tag]
            self._alone.discard(tag)
        if over:
            self._keep_withdrawn(turn)
        for tag in list(self._withdrawn):
            self.withdraw_again(turn, tag)

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
                self.withdraw(turn, order, "what is left of it finds nobody at its price", None, alone=True)

    def withdraw_again(self, turn: Turn, tag: Tag) -> None:
        order = self._state.working.get(tag)
        if order is not None and tag in self._withdrawn:
            self.cancel(turn, order, self._withdrawn[tag][0])

    def _room(self, turn: Turn, *, spare: int = 0) -> bool:
        """Whether the broker takes another request now; it counts placements, changes and cancels by
        calendar second and minute (kite.md 10)."""
        pace = self._state.pace
        pace.roll(turn.at)
        return pace.in_second < BROKER_ORDERS_PER_SECOND - spare and pace.in_minute < BROKER_ORDERS_PER_MINUTE
