"""Positions and holdings as the broker reports them (kite.md 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.kite.listings import Listing

Json = dict[str, Any]


@dataclass(slots=True)
class Position:
    """``overnight`` was carried in, at ``overnight_price``; the rest was traded today."""

    listing: Listing
    product: str
    overnight: int = 0
    overnight_price: float = 0.0
    close: float = 0.0  # yesterday's, for what was carried
    bought: int = 0
    bought_value: float = 0.0
    sold: int = 0
    sold_value: float = 0.0
    average: float = 0.0

    @property
    def quantity(self) -> int:
        return self.overnight + self.bought - self.sold

    def trade(self, side: str, quantity: int, price: float) -> None:
        before, signed = self.quantity, quantity if side == "BUY" else -quantity
        if side == "BUY":
            self.bought, self.bought_value = self.bought + quantity, self.bought_value + quantity * price
        else:
            self.sold, self.sold_value = self.sold + quantity, self.sold_value + quantity * price
        after = before + signed
        if after == 0:
            self.average = 0.0
        elif before == 0 or (before > 0) != (after > 0):
            self.average = price
        elif abs(after) > abs(before):
            self.average = (abs(before) * self.average + quantity * price) / abs(after)

    def profit(self, last: float) -> float:
        """Since it was opened, charges not counted."""
        return (
            self.sold_value - self.bought_value - self.overnight * self.overnight_price + self.quantity * last
        )

    def row(self, last: float, *, day: bool = False) -> Json:
        """A row of ``net``, or of ``day``, which leaves out what was carried in."""
        carried = 0 if day else self.overnight
        long, short = max(carried, 0), max(-carried, 0)
        bought, sold = self.bought + long, self.sold + short
        bought_value = self.bought_value + long * self.overnight_price
        sold_value = self.sold_value + short * self.overnight_price
        quantity, value = bought - sold, sold_value - bought_value
        bought_m2m, sold_m2m = self.bought_value + long * self.close, self.sold_value + short * self.close
        profit = value + quantity * last
        return {
            "tradingsymbol": self.listing.symbol,
            "exchange": self.listing.exchange,
            "instrument_token": self.listing.token,
            "product": self.product,
            "quantity": quantity,
            "overnight_quantity": carried,
            "multiplier": 1,
            "average_price": round(self.average, 4) if quantity else 0,
            "close_price": self.close if carried else 0,
            "last_price": last,
            "value": round(value, 2),
            "pnl": round(profit, 2),
            "m2m": round(sold_m2m - bought_m2m + quantity * last, 2),
            "unrealised": round(profit, 2),  # all of it, and realised 0, as in the official sample
            "realised": 0,
            "buy_quantity": bought,
            "buy_price": _price(bought_value, bought),
            "buy_value": round(bought_value, 2),
            "buy_m2m": round(bought_m2m, 2),
            "sell_quantity": sold,
            "sell_price": _price(sold_value, sold),
            "sell_value": round(sold_value, 2),
            "sell_m2m": round(sold_m2m, 2),
            "day_buy_quantity": self.bought,
            "day_buy_price": _price(self.bought_value, self.bought),
            "day_buy_value": round(self.bought_value, 2),
            "day_sell_quantity": self.sold,
            "day_sell_price": _price(self.sold_value, self.sold),
            "day_sell_value": round(self.sold_value, 2),
        }


@dataclass(slots=True)
class Holding:
    listing: Listing
    quantity: int
    average: float
    t1: int = 0  # bought yesterday, delivered today
    used: int = 0  # sold today
    authorised: int = 0
    authorised_on: str = ""
    on_margin: int = 0  # MTF, which is counted apart
    margin_average: float = 0.0
    margin_used: int = 0

    @property
    def sellable(self) -> int:
        return self.quantity + self.t1 - self.used

    def row(self, last: float, close: float) -> Json:
        owned = self.quantity + self.t1
        return {
            "tradingsymbol": self.listing.symbol,
            "exchange": self.listing.exchange,
            "instrument_token": self.listing.token,
            "isin": self.listing.isin,
            "product": "CNC",
            "price": 0,
            "quantity": self.quantity,
            "used_quantity": self.used,
            "t1_quantity": self.t1,
            "realised_quantity": self.quantity,
            "authorised_quantity": self.authorised,
            "authorised_date": self.authorised_on,
            "authorisation": {},
            "opening_quantity": owned,
            "short_quantity": 0,
            "collateral_quantity": 0,
            "collateral_type": "",
            "discrepancy": False,
            "average_price": self.average,
            "last_price": last,
            "close_price": close,
            "pnl": round((last - self.average) * owned, 2),
            "day_change": round(last - close, 4),
            "day_change_percentage": round((last - close) / close * 100, 6) if close else 0,
            "mtf": {
                "quantity": self.on_margin,
                "used_quantity": self.margin_used,
                "average_price": self.margin_average,
                "value": self.on_margin * self.margin_average,
                "initial_margin": 0,
            },
        }


def _price(value: float, quantity: int) -> float:
    return round(value / quantity, 4) if quantity else 0
