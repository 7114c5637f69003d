"""How far a market order may run from the last price (kite.md 4)."""

from __future__ import annotations

from sandbox.kite.forms import to_tick
from sandbox.kite.market import Quote

AUTOMATIC = -1
# (price below, percent); beyond the last row the last percent holds
SHARES_AND_FUTURES = ((100.0, 2.0), (500.0, 1.0))
SHARES_BEYOND = 0.5
OPTIONS = ((10.0, 5.0), (100.0, 3.0), (500.0, 2.0))
OPTIONS_BEYOND = 1.0


def automatic_percent(price: float, *, option: bool) -> float:
    rows, beyond = (OPTIONS, OPTIONS_BEYOND) if option else (SHARES_AND_FUTURES, SHARES_BEYOND)
    return next((percent for below, percent in rows if price < below), beyond)


def protected_price(quote: Quote, side: str, protection: float) -> tuple[float, float]:
    """The limit it is sent with, inside the day's circuit, and the percent that was applied."""
    percent = protection
    if protection == AUTOMATIC:
        percent = automatic_percent(quote.last, option=quote.listing.is_option)
    low, high = quote.circuit
    if side == "BUY":
        limit = to_tick(quote.last * (1 + percent / 100), quote.listing.tick_size, up=False)
        return max(min(limit, high), quote.listing.tick_size), percent
    return max(to_tick(quote.last * (1 - percent / 100), quote.listing.tick_size, up=True), low), percent
