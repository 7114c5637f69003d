"""The broker's order desk (OMS and RMS): takes orders from the API, from the app, and sends its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sandbox.kite.account import Account
from sandbox.kite.errors import KiteError, being_processed, too_many_modifications, unknown_order
from sandbox.kite.exchange import Exchange
from sandbox.kite.forms import Ask
from sandbox.kite.market import Market
from sandbox.kite.orders import CHANGEABLE, Order, Status
from sandbox.kite.tickets import Ticket, read_change, read_ticket

Json = dict[str, Any]
MODIFICATIONS = 25  # per order, then cancel and place anew
SLICES = 10
APP_ID = 12617


@dataclass(slots=True)
class Conduct:
    """How the desk is to behave; faults set the lower ones.

    ``refuse_at_post`` answers a lack of funds at the POST instead of later as REJECTED: both occur.
    """

    refuse_at_post: bool = False
    invisible_seconds: Callable[[], float] = lambda: 0.0  # how long the next order is missing from the book
    reject_with: Callable[[Order], str | None] = lambda _: None  # a reason rejects the order after acceptance


class OrderDesk:
    def __init__(self, exchange: Exchange, account: Account, market: Market, user_id: str) -> None:
        self.exchange, self.account, self.market, self.user_id = exchange, account, market, user_id
        self.conduct = Conduct()
        exchange.refuse = self._refuse

    # -- the API

    def place(self, ask: Ask) -> Json:
        if ask.params.get("autoslice") == "true":
            return self._place_slices(ask)
        ticket = read_ticket(ask, self.market)
        order = self._draft(ticket)
        self._refuse_now(order)
        self.exchange.accept(order)
        return {"order_id": order.order_id}

    def modify(self, ask: Ask) -> Json:
        order = self.find(ask.path["order_id"])
        if order.modifications >= MODIFICATIONS:
            raise too_many_modifications()
        if order.status not in CHANGEABLE:
            raise being_processed("modified")
        self.exchange.modify(order, read_change(ask, order))
        return {"order_id": order.order_id}

    def cancel(self, ask: Ask) -> Json:
        order = self.find(ask.path["order_id"])
        if order.status not in CHANGEABLE:
            raise being_processed("cancelled")
        self.exchange.cancel(order)
        return {"order_id": order.order_id}

    def find(self, order_id: str) -> Order:
        """An order of today."""
        order = self.exchange.orders.get(order_id)
        if order is None or order.placed_at.date() != self.market.now.date():
            raise unknown_order()
        return order

    # -- what is readable

    def book(self) -> list[Json]:
        return [order.row() for order in self._visible()]

    def history(self, order_id: str) -> list[Json]:
        order = self.find(order_id)
        if order not in self._visible():
            raise unknown_order()
        return list(order.history)

    def trades(self, order_id: str | None = None) -> list[Json]:
        if order_id is not None:
            self.find(order_id)
        visible = {order.order_id for order in self._visible()}
        wanted = visible if order_id is None else visible & {order_id}
        return [trade.row() for trade in self.exchange.trades if trade.order.order_id in wanted]

    # -- without the API

    def by_hand(self, ask: Ask, *, placed_by: str | None = None) -> Order:
        """An order of the app, or of the broker itself when ``placed_by`` says so: no tag, no app id."""
        order = self._draft(read_ticket(ask, self.market))
        order.app_id, order.placed_by = 0, placed_by or self.user_id
        self.exchange.accept(order)
        return order

    # -- within

    def _draft(self, ticket: Ticket) -> Order:
        now = self.market.now
        hidden = self.conduct.invisible_seconds()
        return Order(
            order_id=self.exchange.ids.order(now),
            listing=ticket.listing,
            side=ticket.side,
            product=ticket.product,
            terms=ticket.terms,
            variety=ticket.variety,
            placed_at=now,
            account_id=self.user_id,
            placed_by=self.user_id,
            tag=ticket.tag,
            tags=[ticket.tag] if ticket.tag else [],
            app_id=APP_ID,
            visible_from=_later(now, hidden),
        )

    def _place_slices(self, ask: Ask) -> Json:
        """Cut at the freeze quantity; each child succeeds or fails for itself."""
        ticket = read_ticket(ask, self.market, slices=True)
        left, children = ticket.terms.quantity, list[Json]()
        parent = self.exchange.ids.order(self.market.now)
        freeze = ticket.listing.freeze_quantity or left
        size = freeze - freeze % ticket.listing.lot_size
        if left > SLICES * size:
            raise KiteError(400, "InputException", f"Order can be sliced into at most {SLICES} orders.")
        while left > 0:
            order = self._draft(replace(ticket, terms=replace(ticket.terms, quantity=min(left, size))))
            order.tags, order.parent_order_id = [*order.tags, "autoslice", f"autoslice:{parent}"], None
            left -= order.terms.quantity
            try:
                self._refuse_now(order)
            except KiteError as error:
                told = {
                    "code": error.status,
                    "error_type": error.error_type,
                    "message": error.message,
                    "data": None,
                }
                children.append({"error": told})
                continue
            self.exchange.accept(order)
            children.append({"order_id": order.order_id})
        return {"order_id": parent, "children": children}

    def _refuse_now(self, order: Order) -> None:
        if not self.account.authorised and order.product == "CNC" and not order.is_buy:
            message = f"{order.terms.quantity} quantity needs authorisation at depository."
            raise KiteError(428, "HoldingException", message)
        if self.conduct.refuse_at_post and (refusal := self.account.refusal(order)) is not None:
            raise KiteError(400, "MarginException", refusal[0].split(" Check")[0])

    def _refuse(self, order: Order) -> tuple[str, str] | None:
        """The RMS, after the order was accepted."""
        if reason := self.conduct.reject_with(order):
            return reason, f"RMS:{reason}"
        if order.placed_by != self.user_id:
            return None
        low, high = self.market.quote(order.listing).circuit
        if order.terms.price and not low <= order.terms.price <= high:
            side, limit = ("lower", low) if order.terms.price < low else ("higher", high)
            edge = "lower" if side == "lower" else "upper"
            text = f"Your order price is {side} than the current {edge} circuit limit of {limit:g}."
            return (
                f"{text} Place an order within the daily range.",
                f"RMS:Rule: Check circuit limit {limit:g}",
            )
        if order.product == "CNC" and not order.is_buy and order.terms.quantity > self._deliverable(order):
            have = self._deliverable(order)
            text = f"Insufficient holdings. Tried to sell {order.terms.quantity}, available is {have}."
            return text, f"RMS:Rule: Check holdings including used for entity account-{order.account_id}"
        return self.account.refusal(order)

    def _deliverable(self, order: Order) -> int:
        holding = self.account.holdings.get(order.listing.key)
        position = self.account.positions.get((order.listing.key, "CNC"))
        selling = sum(
            other.pending
            for other in self.account.working()
            if other is not order
            and other.listing is order.listing
            and other.product == "CNC"
            and not other.is_buy
        )
        bought = max(0, position.bought) if position is not None else 0
        sold = position.sold if position is not None else 0
        owned = holding.quantity + holding.t1 if holding is not None else 0
        return owned + bought - sold - selling

    def _visible(self) -> list[Order]:
        now = self.market.now
        return [
            order
            for order in self.exchange.of_day(now.date())
            if order.visible_from is None or order.visible_from <= now
        ]


def working_orders(exchange: Exchange) -> list[Order]:
    return [order for order in exchange.live.values() if order.status is not Status.AMO_RECEIVED]


def _later(now: datetime, seconds: float) -> datetime | None:
    return now + timedelta(seconds=seconds) if seconds else None
