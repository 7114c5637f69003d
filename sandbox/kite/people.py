"""Hands other than the API's: the client in the app, and the broker's risk department."""

from __future__ import annotations

from datetime import datetime

from sandbox.kite.desk import OrderDesk
from sandbox.kite.errors import Json
from sandbox.kite.forms import Ask
from sandbox.kite.orders import CHANGEABLE, Order

SQUARE_OFF = "ADMINSQF"  # who placed an RMS order; the real name is not documented


class App:
    """The phone app of the same client: orders without our tag."""

    def __init__(self, desk: OrderDesk) -> None:
        self._desk = desk

    def order(
        self,
        symbol: str,
        side: str,
        quantity: int,
        *,
        product: str = "MIS",
        order_type: str = "MARKET",
        price: float = 0,
        trigger_price: float = 0,
    ) -> str:
        """Place by hand; the order id. ``symbol`` like "NSE:INFY"."""
        exchange, _, name = symbol.partition(":")
        params: Json = {
            "exchange": exchange, "tradingsymbol": name, "transaction_type": side, "quantity": quantity,
            "product": product, "order_type": order_type, "price": price, "trigger_price": trigger_price,
            "market_protection": -1,
        }  # fmt: skip
        return self._desk.by_hand(_ask(params)).order_id

    def cancel(self, order_id: str) -> None:
        """Raises KiteError as the API would."""
        self._desk.cancel(Ask(path={"order_id": order_id}))

    def modify(self, order_id: str, **changes: object) -> None:
        params = {name: str(value) for name, value in changes.items()}
        self._desk.modify(Ask(path={"order_id": order_id}, params=params))


class Rms:
    """Squares MIS positions off at the broker's deadlines, with orders nobody tagged.

    ``automatic`` follows each instrument's own time; ``square_off`` does it now.
    """

    def __init__(self, desk: OrderDesk) -> None:
        self._desk = desk
        self.automatic = True
        self._done: set[tuple[str, object]] = set()

    def square_off_at(self, when: datetime) -> None:
        """Once, whatever the instruments' own deadlines are."""

        def act() -> None:
            self.square_off()

        self._desk.exchange.agenda.at(when, act)

    def square_off(self, symbol: str | None = None) -> list[Order]:
        """Cancel what works in MIS, then trade every MIS position flat."""
        desk = self._desk
        for order in desk.exchange.orders.values():
            ours = order.product == "MIS" and symbol in {None, order.listing.key}
            if ours and order.status in CHANGEABLE and order.placed_by != SQUARE_OFF:
                desk.exchange.cancel(order)
        desk.exchange.agenda.run()
        return [
            order
            for (key, product), position in list(desk.account.positions.items())
            if product == "MIS" and position.quantity and symbol in {None, key}
            for order in self._flatten(key, position.quantity)
        ]

    def follow_deadlines(self) -> None:
        """Called as time goes on."""
        now, account = self._desk.market.now, self._desk.account
        if not self.automatic or self._desk.market.hours.always:
            return
        for (key, product), position in list(account.positions.items()):
            listing = position.listing
            due = now.time() >= listing.squared_off_at and self._desk.market.hours.matches(listing, now)
            if product == "MIS" and position.quantity and due and (key, now.date()) not in self._done:
                self._done.add((key, now.date()))
                self.square_off(key)

    def _flatten(self, key: str, quantity: int) -> list[Order]:
        """In pieces no larger than the freeze quantity."""
        exchange, _, symbol = key.partition(":")
        listing, left, orders = self._desk.market.listings[key], abs(quantity), list[Order]()
        freeze = listing.freeze_quantity or left
        size = freeze - freeze % listing.lot_size
        while left > 0:
            params: Json = {
                "exchange": exchange, "tradingsymbol": symbol, "product": "MIS", "order_type": "MARKET",
                "transaction_type": "SELL" if quantity > 0 else "BUY", "quantity": min(left, size),
                "market_protection": -1,
            }  # fmt: skip
            orders.append(self._desk.by_hand(_ask(params), placed_by=SQUARE_OFF))
            left -= size
        return orders


def _ask(params: Json) -> Ask:
    return Ask(path={"variety": "regular"}, params={name: str(value) for name, value in params.items()})
