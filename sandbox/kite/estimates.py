"""Margins and charges asked for before an order is sent: JSON arrays in, rows out (kite.md 9)."""

from __future__ import annotations

from typing import Any

from sandbox.kite.account import Account
from sandbox.kite.charges import charges
from sandbox.kite.errors import Json, bad_input
from sandbox.kite.forms import Ask
from sandbox.kite.listings import Listing
from sandbox.kite.tickets import find_listing


def order_margins(account: Account, ask: Ask) -> list[Json]:
    return [_margin(account, *_read(account, item)) for item in _items(ask)]


def basket_margins(account: Account, ask: Ask) -> Json:
    """No benefit for hedges here: ``final`` is ``initial``."""
    orders = order_margins(account, ask)
    total = _empty("", "", "")
    for key in ("span", "exposure", "option_premium", "var", "total"):
        total[key] = sum(order[key] for order in orders)
    compact = ask.params.get("mode") == "compact"
    cost = _no_charges() | {"total": sum(order["charges"]["total"] for order in orders)}
    return {"initial": total, "final": dict(total), "orders": [] if compact else orders, "charges": cost}


def contract_notes(account: Account, ask: Ask) -> list[Json]:
    notes = []
    for item in _items(ask):
        if "order_id" not in item:
            raise bad_input("Missing required parameter `order_id`.")
        price = item.get("average_price")
        if not isinstance(price, int | float) or price <= 0:
            raise bad_input("Invalid `average_price`.")
        listing, side, product, quantity, _ = _read(account, item)
        notes.append({
            "transaction_type": side,
            "tradingsymbol": listing.symbol,
            "exchange": listing.exchange,
            "variety": item.get("variety", "regular"),
            "product": product,
            "order_type": item.get("order_type", "LIMIT"),
            "quantity": quantity,
            "price": price,
            "charges": charges(listing, side, product, quantity, price),
        })  # fmt: skip
    return notes


def _margin(account: Account, listing: Listing, side: str, product: str, quantity: int, price: float) -> Json:
    price = price or account.market.quote(listing).last
    total = account.required(listing, side, product, quantity, price)
    row = _empty("equity", listing.symbol, listing.exchange)
    part = "var"
    if listing.is_derivative:
        part = "option_premium" if listing.is_option and side == "BUY" else "span"
    leverage = round(quantity * price / total, 2) if total and not listing.is_derivative else 1
    cost = charges(listing, side, product, quantity, price)
    return row | {part: total, "total": total, "leverage": leverage, "charges": cost}


def _items(ask: Ask) -> list[dict[str, Any]]:
    if not isinstance(ask.body, list) or not all(isinstance(item, dict) for item in ask.body):
        raise bad_input("Expected a JSON array of orders.")
    return ask.body


def _read(account: Account, item: dict[str, Any]) -> tuple[Listing, str, str, int, float]:
    listing = find_listing(account.market.listings, str(item.get("exchange")), str(item.get("tradingsymbol")))
    side, product, quantity = item.get("transaction_type"), item.get("product"), item.get("quantity")
    if side not in {"BUY", "SELL"} or not isinstance(product, str):
        raise bad_input("Invalid `transaction_type` or `product`.")
    if not isinstance(quantity, int) or quantity <= 0:
        raise bad_input(f"Invalid request (failed to decode `quantity`, got: `{quantity}` (expected int))")
    return listing, str(side), product, quantity, float(item.get("price") or 0)


def _no_charges() -> Json:
    return {
        "transaction_tax": 0, "transaction_tax_type": "", "exchange_turnover_charge": 0,
        "sebi_turnover_charge": 0, "brokerage": 0, "stamp_duty": 0,
        "gst": {"igst": 0, "cgst": 0, "sgst": 0, "total": 0}, "total": 0,
    }  # fmt: skip


def _empty(kind: str, symbol: str, exchange: str) -> Json:
    return {
        "type": kind, "tradingsymbol": symbol, "exchange": exchange, "span": 0, "exposure": 0,
        "option_premium": 0, "additional": 0, "bo": 0, "cash": 0, "var": 0,
        "pnl": {"realised": 0, "unrealised": 0}, "leverage": 0, "charges": _no_charges(), "total": 0,
    }  # fmt: skip
