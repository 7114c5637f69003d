"""Rows of /quote, /quote/ohlc and /quote/ltp (kite.md 8)."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.kite.errors import Json, bad_input, missing
from sandbox.kite.forms import Ask, to_tick
from sandbox.kite.market import LEVELS, Level, Market, Quote
from sandbox.kite.times import stamp

MOST = {"quote": 500, "ohlc": 1000, "ltp": 1000}


def quotes(market: Market, ask: Ask, kind: str) -> Json:
    """Keyed by what was asked for; what does not exist is left out without a word."""
    if not ask.instruments:
        raise missing("i")
    if len(ask.instruments) > MOST[kind]:
        raise bad_input(f"Too many tokens requested. Max permitted is {MOST[kind]}.")
    rows: dict[str, Callable[[Quote, Market], Json]] = {"quote": _quote, "ohlc": _ohlc, "ltp": _ltp}
    found = ((name, market.listings.find(name)) for name in ask.instruments)
    return {name: rows[kind](market.quote(listing), market) for name, listing in found if listing is not None}


def trigger_ranges(market: Market, ask: Ask) -> Json:
    """Invented: within 5 % of the last price, below it for a buyer's stop."""
    rows: Json = {}
    for name in ask.instruments:
        if (listing := market.listings.find(name)) is not None:
            last, buy = market.quote(listing).last, ask.path["side"] == "buy"
            lower, upper = (last * 0.95, last) if buy else (last, last * 1.05)
            prices = {"lower": to_tick(lower, listing.tick_size, up=True),
                      "upper": to_tick(upper, listing.tick_size, up=False)}  # fmt: skip
            rows[name] = {"instrument_token": listing.token} | prices
    return rows


def _ltp(quote: Quote, _: Market) -> Json:
    return {"instrument_token": quote.listing.token, "last_price": quote.last}


def _ohlc(quote: Quote, market: Market) -> Json:
    day = {"open": quote.open, "high": quote.high, "low": quote.low, "close": quote.close}
    return _ltp(quote, market) | {"ohlc": day}


def _quote(quote: Quote, market: Market) -> Json:
    low, high = quote.circuit
    return _ohlc(quote, market) | {
        "timestamp": stamp(market.now),
        "last_trade_time": stamp(quote.traded_at) if quote.traded_at else None,
        "last_quantity": quote.last_quantity,
        "buy_quantity": sum(level.quantity for level in quote.bids),
        "sell_quantity": sum(level.quantity for level in quote.asks),
        "volume": quote.volume,
        "average_price": quote.average,
        "oi": quote.oi,
        "oi_day_high": quote.oi_high,
        "oi_day_low": quote.oi_low,
        "net_change": round(quote.last - quote.close, 4),
        "lower_circuit_limit": low,
        "upper_circuit_limit": high,
        "depth": {"buy": _levels(quote.bids), "sell": _levels(quote.asks)},
    }


def _levels(levels: list[Level]) -> list[Json]:
    padded = [*levels, *[Level(0, 0, 0)] * LEVELS][:LEVELS]
    return [{"price": one.price, "quantity": one.quantity, "orders": one.orders} for one in padded]
