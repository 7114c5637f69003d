"""The exchange: what becomes of an order after "accepted", and what it trades at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from sandbox.kite.agenda import Agenda
from sandbox.kite.market import Level, Market, Quote
from sandbox.kite.orders import Ids, Order, Status, Terms, Trade
from sandbox.kite.protection import protected_price


@dataclass(slots=True)
class Pace:
    """Seconds of the virtual clock each step takes; all 0 means as soon as the answer is out."""

    validation: float = 0.0  # RECEIVED to VALIDATION PENDING
    opening: float = 0.0  # then to OPEN or TRIGGER PENDING
    filling: float = 0.0  # from OPEN until it first meets the book
    modifying: float = 0.0
    cancelling: float = 0.0

    @classmethod
    def realistic(cls) -> Pace:
        """OPEN after 100 ms to 1 s is what users report (kite.md 11)."""
        return cls(validation=0.03, opening=0.12, filling=0.05, modifying=0.1, cancelling=0.1)


class Exchange:
    """Orders live here from acceptance on. ``refuse`` is asked once per order, after acceptance: the RMS.

    ``told`` hears of an order with the status the stream shows; ``filled`` books a trade.
    """

    def __init__(self, market: Market, agenda: Agenda, ids: Ids) -> None:
        self.market, self.agenda, self.ids = market, agenda, ids
        self.pace = Pace()
        self.orders: dict[str, Order] = {}
        self.live: dict[str, Order] = {}  # those of ``orders`` that have not ended
        self.trades: list[Trade] = []
        self.refuse: Callable[[Order], tuple[str, str] | None] = lambda _: None
        self.told: Callable[[Order, str], None] = lambda _order, _status: None
        self.filled: Callable[[Trade], None] = lambda _: None
        market.listeners.append(self.match)

    # -- what the broker asks for

    def accept(self, order: Order) -> None:
        self.orders[order.order_id] = self.live[order.order_id] = order
        order.record()
        if order.variety == "amo":
            self._move(order, Status.AMO_RECEIVED)
            return
        self.agenda.after(self.pace.validation, partial(self._validate, order))

    def modify(self, order: Order, terms: Terms) -> None:
        """Until the change is through, the old terms can still trade."""
        order.modifications += 1
        order.amended = terms
        if order.status is Status.AMO_RECEIVED:
            order.terms, order.amended = terms, None
            order.record()
            return
        self._move(order, Status.MODIFY_VALIDATION_PENDING)
        self._move(order, Status.MODIFY_PENDING)
        self.agenda.after(self.pace.modifying, partial(self._modified, order))

    def cancel(self, order: Order, message: str | None = None) -> None:
        if order.status is Status.AMO_RECEIVED:
            self._end(order, Status.AMO_CANCELLED, message)
            return
        self._move(order, Status.CANCEL_PENDING)
        self.agenda.after(self.pace.cancelling, partial(self._cancelled, order, message))

    def follow_sessions(self) -> None:
        """Send AMOs when the market opens; cancel what the exchange does not carry on.

        That is DAY orders at the end, and stops when a stock's closing auction begins (india.md 6).
        """
        now, hours = self.agenda.now, self.market.hours
        for order in list(self.live.values()):
            if order.status is Status.AMO_RECEIVED:
                if self.market.open_now(order.listing):
                    order.placed_at = now
                    self._validate(order)
                continue
            auction = (
                order.waits_for_trigger and now.time() >= order.listing.continuous_until and not hours.always
            )
            if hours.over(order.listing, now) or auction or order.placed_at.date() < now.date():
                self._end(order, Status.CANCELLED, None)

    def of_day(self, day: date) -> list[Order]:
        return [order for order in self.orders.values() if order.placed_at.date() == day]

    # -- steps of an order's life

    def _validate(self, order: Order) -> None:
        self._move(order, Status.VALIDATION_PENDING)
        if (refusal := self.refuse(order)) is not None:
            order.message, order.raw_message = refusal
            self._end(order, Status.REJECTED, refusal[0])
            return
        self.agenda.after(self.pace.opening, partial(self._open, order))

    def _open(self, order: Order) -> None:
        self._move(order, Status.OPEN_PENDING)
        order.exchange_order_id, order.at_exchange = self.ids.exchange_order(), True
        order.exchange_at = order.updated_at = self.agenda.now
        if order.terms.validity == "TTL":
            self.agenda.after(60 * order.terms.validity_ttl, partial(self._expire, order))
        self._rest(order)

    def _rest(self, order: Order) -> None:
        """At the exchange with terms in force: waiting for its trigger, or in the book."""
        quote, order.in_book = self.market.quote(order.listing), False
        if order.waits_for_trigger:
            self._move(order, Status.TRIGGER_PENDING)
            self._trigger(order, quote)
            return
        if order.terms.order_type == "MARKET":
            self._protect(order, quote)
        self._move(order, Status.OPEN)
        self.agenda.after(self.pace.filling, partial(self._arrive, order))

    def _arrive(self, order: Order) -> None:
        if order.ended or order.waits_for_trigger:
            return
        order.in_book = True
        self._cross(order, self.market.quote(order.listing), resting=False)
        if order.terms.validity == "IOC" and not order.ended:
            self._end(order, Status.CANCELLED, None)

    def _protect(self, order: Order, quote: Quote) -> None:
        """A market order is sent as a limit order around the last price, and the book shows that."""
        price, percent = protected_price(quote, order.side, order.terms.market_protection)
        order.terms = replace(order.terms, order_type="LIMIT", price=price, market_protection=0)
        order.tags = [*order.tags, "mktp", f"mktp:{percent:.2f}"]

    def _modified(self, order: Order) -> None:
        if order.ended:
            return
        if order.amended is None:  # its stop was triggered meanwhile: too late to change
            self._move(order, Status.OPEN)
            return
        order.terms, order.amended = order.amended, None
        order.updated_at = self.agenda.now
        self._move(order, Status.MODIFIED)
        self.told(order, "UPDATE")
        if order.filled >= order.terms.quantity:
            self._end(order, Status.COMPLETE, None)
            return
        self._rest(order)

    def _cancelled(self, order: Order, message: str | None) -> None:
        if not order.ended:
            self._end(order, Status.CANCELLED, message)

    def _expire(self, order: Order) -> None:
        if not order.ended:
            self._end(order, Status.CANCELLED, None)

    def _move(self, order: Order, status: Status) -> None:
        order.status = status
        order.record()

    def _end(self, order: Order, status: Status, message: str | None) -> None:
        order.message, order.at_exchange, order.amended = message, False, None
        self.live.pop(order.order_id, None)
        if order.exchange_order_id is not None:
            order.updated_at = self.agenda.now
        self._move(order, status)
        self.told(order, str(status))

    # -- matching

    def match(self, quote: Quote) -> None:
        """A new price: wake stops, then fill what rests, oldest first."""
        for order in [one for one in self.live.values() if one.listing is quote.listing and one.at_exchange]:
            if order.waits_for_trigger:
                self._trigger(order, quote)
            elif order.in_book:
                self._cross(order, quote, resting=True)

    def _trigger(self, order: Order, quote: Quote) -> None:
        trigger = order.terms.trigger_price
        reached = quote.last >= trigger if order.is_buy else quote.last <= trigger
        if not reached or quote.traded_at is None or not self.market.open_now(order.listing):
            return
        order_type = "LIMIT" if order.terms.order_type == "SL" else "MARKET"
        order.terms, order.amended, order.in_book = replace(order.terms, order_type=order_type), None, True
        if order_type == "MARKET":
            self._protect(order, quote)
        if order.status is Status.TRIGGER_PENDING:  # a pending modify or cancel keeps its own status
            self._move(order, Status.OPEN_PENDING)
            self._move(order, Status.OPEN)
        self.told(order, str(Status.OPEN))
        self._cross(order, quote, resting=False)

    def _cross(self, order: Order, quote: Quote, *, resting: bool) -> None:
        """Take what stands opposite, level by level. A resting order trades at its own price."""
        if not self.market.open_now(order.listing) or quote.traded_at is None:
            return
        for level in quote.asks if order.is_buy else quote.bids:
            if order.pending <= 0 or not _reaches(order, level):
                return
            quantity = min(order.pending, level.quantity)
            if quantity > 0:
                level.quantity -= quantity
                self.fill(order, quantity, order.terms.price if resting else level.price)

    def fill(self, order: Order, quantity: int, price: float) -> Trade:
        """Book a trade; called directly it forces one, even on an order that has ended."""
        now = self.agenda.now
        order.filled += quantity
        order.value += quantity * price
        order.exchange_order_id = order.exchange_order_id or self.ids.exchange_order()
        order.exchange_at, order.updated_at = order.exchange_at or now, now
        trade = Trade(self.ids.trade(), order, quantity, price, now)
        self.trades.append(trade)
        self.filled(trade)
        if order.filled >= order.terms.quantity:
            self._end(order, Status.COMPLETE, None)
        else:
            order.record()
            self.told(order, str(order.status) if order.ended else "UPDATE")
        return trade


def _reaches(order: Order, level: Level) -> bool:
    return level.price <= order.terms.price if order.is_buy else level.price >= order.terms.price
