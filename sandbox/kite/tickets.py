"""What the API refuses before an order exists: the strict reading of kite.md 4."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sandbox.kite.errors import CLOSED, HOLIDAY, NO_PROTECTION, bad_input
from sandbox.kite.forms import Ask, on_tick
from sandbox.kite.listings import Listing, Listings
from sandbox.kite.market import Market
from sandbox.kite.orders import Order, Terms

TAG_LENGTH = 20
VARIETIES = ("regular", "amo", "co", "iceberg", "auction")
SERVED_VARIETIES = ("regular", "amo")
PRODUCTS = ("CNC", "MIS", "NRML", "MTF")
ORDER_TYPES = ("MARKET", "LIMIT", "SL", "SL-M")
VALIDITIES = ("DAY", "IOC", "TTL")
SIDES = ("BUY", "SELL")


@dataclass(frozen=True, slots=True)
class Ticket:
    listing: Listing
    side: str
    product: str
    variety: str
    terms: Terms
    tag: str | None


def read_ticket(ask: Ask, market: Market, *, slices: bool = False) -> Ticket:
    """A placement. ``slices``: the quantity is to be cut, so the freeze quantity does not bound it."""
    variety = ask.path["variety"]
    if variety not in VARIETIES:
        raise bad_input("Invalid `variety`.")
    if variety not in SERVED_VARIETIES:
        raise bad_input(f"The sandbox does not do {variety} orders; it does {', '.join(SERVED_VARIETIES)}.")
    listing = find_listing(market.listings, ask.text("exchange"), ask.text("tradingsymbol"))
    tag = ask.params.get("tag") or None
    if tag is not None and len(tag) > TAG_LENGTH:
        raise bad_input(f"Invalid `tag`. Tag should be at most {TAG_LENGTH} characters.")
    ticket = Ticket(
        listing,
        ask.choice("transaction_type", SIDES),
        ask.choice("product", PRODUCTS),
        variety,
        Terms(
            quantity=ask.integer("quantity"),
            order_type=ask.choice("order_type", ORDER_TYPES),
            price=ask.number("price", 0),
            trigger_price=ask.number("trigger_price", 0),
            validity=ask.choice("validity", VALIDITIES, "DAY"),
            validity_ttl=ask.integer("validity_ttl", 0),
            disclosed_quantity=ask.integer("disclosed_quantity", 0),
            market_protection=ask.number("market_protection", 0),
        ),
        tag,
    )
    _check_product(ticket)
    _check_session(ticket, market)
    check_terms(listing, ticket.terms, slices=slices)
    return replace(ticket, terms=_tidy(ticket.terms))


def read_change(ask: Ask, order: Order) -> Terms:
    """A modification: what is not given stays. ``quantity`` is the total, filled part included."""
    old = order.amended or order.terms
    terms = Terms(
        quantity=ask.integer("quantity", old.quantity),
        order_type=ask.choice("order_type", ORDER_TYPES, old.order_type),
        price=ask.number("price", old.price),
        trigger_price=ask.number("trigger_price", old.trigger_price),
        validity=ask.choice("validity", VALIDITIES, old.validity),
        validity_ttl=old.validity_ttl,
        disclosed_quantity=ask.integer("disclosed_quantity", old.disclosed_quantity),
        market_protection=ask.number("market_protection", old.market_protection),
    )
    check_terms(order.listing, terms)
    if terms.quantity < order.filled:
        raise bad_input(f"Quantity cannot be less than the filled quantity ({order.filled}).")
    return _tidy(terms)


def find_listing(listings: Listings, exchange: str, symbol: str) -> Listing:
    found = listings.find(f"{exchange}:{symbol}")
    if found is None or found.is_index:
        raise bad_input(f"The instrument you are placing an order for has either expired or does not exist. "
                        f"({exchange}:{symbol})")  # fmt: skip
    return found


def check_terms(listing: Listing, terms: Terms, *, slices: bool = False) -> None:
    _check_quantity(listing, terms.quantity, slices=slices)
    limited, stopped = terms.order_type in {"LIMIT", "SL"}, terms.order_type in {"SL", "SL-M"}
    if limited and terms.price <= 0:
        raise bad_input("Price is required for LIMIT and SL orders.")
    if stopped and terms.trigger_price <= 0:
        raise bad_input("Trigger price is required for SL and SL-M orders.")
    for name, price in (("Price", terms.price), ("Trigger price", terms.trigger_price)):
        if not on_tick(price, listing.tick_size):
            raise bad_input(f"{name} should be a multiple of the tick size {listing.tick_size:g}.")
    if terms.order_type == "SL-M" and (listing.is_option or listing.exchange in {"BSE", "BFO"}):
        raise bad_input("SL-M orders are not allowed for this instrument. Use an SL order.")
    if not limited:
        protection = terms.market_protection
        if protection == 0:
            raise bad_input(NO_PROTECTION)
        if protection != -1 and not 0 < protection <= 100:
            raise bad_input("Invalid `market_protection`.")
    if terms.validity == "TTL" and terms.validity_ttl <= 0:
        raise bad_input("Invalid `validity_ttl`.")


def _check_quantity(listing: Listing, quantity: int, *, slices: bool) -> None:
    freeze = listing.freeze_quantity
    if quantity <= 0:
        raise bad_input("Quantity should be a positive number.")
    if quantity % listing.lot_size:
        raise bad_input(f"Quantity should be a multiple of the lot size {listing.lot_size}.")
    if slices and (freeze is None or quantity <= freeze):
        least = listing.lot_size if freeze is None else freeze + listing.lot_size
        raise bad_input(f"Quantity should be greater than or equal to {least} for order slicing.")
    if not slices and freeze is not None and quantity > freeze:
        raise bad_input(f"Quantity is above the freeze quantity {freeze} of {listing.symbol}.")


def _check_product(ticket: Ticket) -> None:
    if ticket.listing.is_derivative and ticket.product in {"CNC", "MTF"}:
        raise bad_input("CNC is for shares; use NRML or MIS for futures and options.")
    if not ticket.listing.is_derivative and ticket.product == "NRML":
        raise bad_input("NRML is for futures and options; use CNC or MIS for shares.")


def _check_session(ticket: Ticket, market: Market) -> None:
    now = market.now
    if ticket.variety == "amo":
        if market.hours.matches(ticket.listing, now):
            raise bad_input("AMO orders can only be placed after market hours.")
        return
    if not market.hours.trading_day(now.date()):
        raise bad_input(HOLIDAY if ticket.product == "MIS" else CLOSED)
    if not market.hours.takes_orders(ticket.listing, now):
        raise bad_input(CLOSED)


def _tidy(terms: Terms) -> Terms:
    """The book shows 0 for prices an order type has no use for."""
    return replace(
        terms,
        price=terms.price if terms.order_type in {"LIMIT", "SL"} else 0,
        trigger_price=terms.trigger_price if terms.order_type in {"SL", "SL-M"} else 0,
        market_protection=terms.market_protection if terms.order_type in {"MARKET", "SL-M"} else 0,
    )
