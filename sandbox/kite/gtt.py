"""Good-till-triggered orders: kept by the broker, placed as LIMIT when a price is crossed (kite.md 9)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sandbox.kite.agenda import Agenda
from sandbox.kite.desk import OrderDesk
from sandbox.kite.errors import Json, KiteError, bad_input
from sandbox.kite.forms import Ask
from sandbox.kite.listings import Listing
from sandbox.kite.market import Quote
from sandbox.kite.tickets import find_listing
from sandbox.kite.times import stamp

LEGS = {"single": 1, "two-leg": 2}
PRODUCTS = ("CNC", "NRML", "MTF")
NEAREST = 0.0025  # how close a trigger may be to the last price


@dataclass(slots=True)
class Trigger:
    trigger_id: int
    user_id: str
    kind: str
    listing: Listing
    values: list[float]
    last_price: float  # when it was placed: decides from which side a value is reached
    orders: list[Json]
    created_at: datetime
    updated_at: datetime
    status: str = "active"
    results: dict[int, Json] = field(default_factory=dict)

    def reached(self, last: float) -> int | None:
        """The leg whose value the price has come to."""
        for leg, value in enumerate(self.values):
            if (last <= value) if value <= self.last_price else (last >= value):
                return leg
        return None

    def row(self) -> Json:
        orders = [order | {"result": self.results.get(leg)} for leg, order in enumerate(self.orders)]
        return {
            "id": self.trigger_id,
            "user_id": self.user_id,
            "parent_trigger": None,
            "type": self.kind,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
            "expires_at": stamp(self.created_at + timedelta(days=365)),
            "status": self.status,
            "condition": {
                "exchange": self.listing.exchange,
                "last_price": self.last_price,
                "tradingsymbol": self.listing.symbol,
                "trigger_values": self.values,
                "instrument_token": self.listing.token,
            },
            "orders": orders,
            "meta": {},
        }


class Triggers:
    def __init__(self, desk: OrderDesk, agenda: Agenda) -> None:
        self._desk, self._agenda, self._ids = desk, agenda, count(112_127)
        self._all: dict[int, Trigger] = {}
        desk.market.listeners.append(self.watch)

    def rows(self) -> list[Json]:
        return [trigger.row() for trigger in self._all.values()]

    def row(self, ask: Ask) -> Json:
        return self._find(ask).row()

    def place(self, ask: Ask) -> Json:
        trigger = self._read(ask, next(self._ids))
        self._all[trigger.trigger_id] = trigger
        return {"trigger_id": trigger.trigger_id}

    def modify(self, ask: Ask) -> Json:
        old = self._active(ask)
        changed = self._read(ask, old.trigger_id)
        changed.created_at = old.created_at
        self._all[old.trigger_id] = changed
        return {"trigger_id": old.trigger_id}

    def delete(self, ask: Ask) -> Json:
        trigger = self._active(ask)
        trigger.status, trigger.updated_at = "deleted", self._agenda.now
        return {"trigger_id": trigger.trigger_id}

    def watch(self, quote: Quote) -> None:
        """Fires once; of two legs the other is given up with it."""
        if not self._desk.market.open_now(quote.listing):
            return
        for trigger in self._all.values():
            if trigger.status == "active" and trigger.listing is quote.listing:
                leg = trigger.reached(quote.last)
                if leg is not None:
                    self._fire(trigger, leg)

    def _fire(self, trigger: Trigger, leg: int) -> None:
        now, order = self._agenda.now, trigger.orders[leg]
        trigger.status, trigger.updated_at = "triggered", now
        params = {name: str(value) for name, value in order.items()}
        outcome: Json = {"status": "success", "order_id": "", "rejection_reason": ""}
        try:
            outcome["order_id"] = self._desk.by_hand(Ask(path={"variety": "regular"}, params=params)).order_id
        except KiteError as error:
            outcome |= {"status": "failed", "rejection_reason": error.message}
        trigger.results[leg] = {
            "account_id": trigger.user_id,
            **order,
            "validity": "DAY",
            "meta": json.dumps({"app_id": 0, "gtt": trigger.trigger_id}),
            "timestamp": stamp(now),
            "triggered_at": trigger.values[leg],
            "order_result": outcome,
        }

    def _read(self, ask: Ask, trigger_id: int) -> Trigger:
        kind = ask.choice("type", tuple(LEGS))
        condition, orders = _decoded(ask, "condition", dict), _decoded(ask, "orders", list)
        exchange, symbol = str(condition.get("exchange")), str(condition.get("tradingsymbol"))
        listing = find_listing(self._desk.market.listings, exchange, symbol)
        values, last = condition.get("trigger_values"), condition.get("last_price")
        if not isinstance(values, list) or not len(values) == len(orders) == LEGS[kind]:
            raise bad_input(f"Invalid `trigger_values`: {kind} takes {LEGS[kind]} values and as many orders.")
        if not isinstance(last, int | float) or last <= 0:
            raise bad_input("Invalid `last_price`.")
        if any(order.get("order_type") != "LIMIT" for order in orders):
            raise bad_input("GTT orders can only be LIMIT.")
        if any(order.get("product") not in PRODUCTS for order in orders):
            raise bad_input(f"GTT orders can only be {', '.join(PRODUCTS)}.")
        if any(abs(float(value) - last) < NEAREST * last for value in values):
            raise bad_input("Trigger price should be at least 0.25% away from the last price.")
        now, user = self._agenda.now, self._desk.user_id
        return Trigger(
            trigger_id, user, kind, listing, [float(one) for one in values], last, orders, now, now
        )

    def _find(self, ask: Ask) -> Trigger:
        text = ask.path["trigger_id"]
        trigger = self._all.get(int(text)) if text.isdigit() else None
        if trigger is None:
            raise KiteError(404, "GeneralException", "Trigger not found.")
        return trigger

    def _active(self, ask: Ask) -> Trigger:
        trigger = self._find(ask)
        if trigger.status != "active":
            raise bad_input(f"The trigger is {trigger.status}.")
        return trigger


def _decoded(ask: Ask, name: str, kind: type) -> Any:
    try:
        value = json.loads(ask.text(name))
    except ValueError:
        raise bad_input(f"Invalid `{name}`: it is no JSON.") from None
    if not isinstance(value, kind):
        raise bad_input(f"Invalid `{name}`.")
    return value
