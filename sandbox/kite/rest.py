"""The routes of the API a desk uses, each with the budget it draws on (kite.md 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.kite import estimates
from sandbox.kite.errors import Json, KiteError, bad_input, no_permission
from sandbox.kite.forms import Ask
from sandbox.kite.limits import Budget
from sandbox.kite.quotes import quotes, trigger_ranges
from sandbox.kite.times import IST

if TYPE_CHECKING:
    from sandbox.kite.world import World


@dataclass(frozen=True, slots=True)
class Dump:
    """An answer that is CSV."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Route:
    """``name`` is what faults are put on. ``open``: served without a token."""

    method: str
    path: str
    name: str
    call: Callable[[Ask], Any]
    budget: Budget = Budget.OTHER
    open: bool = False


def rest_routes(world: World) -> list[Route]:
    return [
        *_session(world),
        *_orders(world),
        *_portfolio(world),
        *_market(world),
        *_gtt(world),
        *_estimates(world),
    ]


def _session(world: World) -> list[Route]:
    session = world.session

    def generate(ask: Ask) -> Json:
        return session.exchange_token(ask.text("api_key"), ask.text("request_token"), ask.text("checksum"))

    def logout(ask: Ask) -> bool:
        return True if "refresh_token" in ask.params else session.invalidate(ask.text("access_token"))

    def renew(_: Ask) -> Json:
        # for platforms the exchange approved; an individual's refresh token is empty
        raise KiteError(403, "TokenException", "Token is invalid or has expired.")

    return [
        Route("POST", "/session/token", "session", generate, open=True),
        Route("DELETE", "/session/token", "logout", logout, open=True),
        Route("POST", "/session/refresh_token", "renew", renew, open=True),
        Route("GET", "/user/profile", "profile", lambda _: session.profile()),
    ]


def _orders(world: World) -> list[Route]:
    desk, reads = world.desk, world.readings
    return [
        Route("GET", "/orders", "orders", lambda _: reads.orders()),
        Route("GET", "/trades", "trades", lambda _: reads.trades()),
        Route("GET", "/orders/{order_id}", "order", lambda ask: reads.history(ask.path["order_id"])),
        Route(
            "GET", "/orders/{order_id}/trades", "order.trades", lambda ask: reads.trades(ask.path["order_id"])
        ),
        Route("POST", "/orders/{variety}", "place", desk.place, Budget.PLACE),
        Route("PUT", "/orders/{variety}/{order_id}", "modify", desk.modify, Budget.CHANGE),
        Route("DELETE", "/orders/{variety}/{order_id}", "cancel", desk.cancel, Budget.CHANGE),
    ]


def _portfolio(world: World) -> list[Route]:
    reads = world.readings

    def segment(ask: Ask) -> Json:
        if ask.path["segment"] not in {"equity", "commodity"}:
            raise bad_input("Invalid segment.")
        found: Json = reads.margins()[ask.path["segment"]]
        return found

    def convert(ask: Ask) -> bool:
        listing = world.listings.find(f"{ask.text('exchange')}:{ask.text('tradingsymbol')}")
        side, quantity = ask.choice("transaction_type", ("BUY", "SELL")), ask.integer("quantity")
        ask.choice("position_type", ("day", "overnight"))
        old, new = ask.text("old_product"), ask.text("new_product")
        if listing is None or not world.account.convert(listing, side, quantity, old, new):
            raise bad_input("Not enough quantity to convert.")
        return True

    return [
        Route("GET", "/user/margins", "margins", lambda _: reads.margins()),
        Route("GET", "/user/margins/{segment}", "margins", segment),
        Route("GET", "/portfolio/positions", "positions", lambda _: reads.positions()),
        Route("PUT", "/portfolio/positions", "convert", convert),
        Route("GET", "/portfolio/holdings", "holdings", lambda _: reads.holdings()),
        Route("GET", "/portfolio/holdings/auctions", "auctions", lambda _: []),
    ]


def _market(world: World) -> list[Route]:
    market = world.market

    def priced(kind: str) -> Callable[[Ask], Json]:
        def call(ask: Ask) -> Json:
            _need_data_plan(world)
            return quotes(market, ask, kind)

        return call

    def historical(ask: Ask) -> Json:
        _need_data_plan(world)
        listing = world.listings.find(ask.path["token"])
        if listing is None:
            raise bad_input("invalid token")
        since, until = _moment(ask, "from"), _moment(ask, "to")
        candles = world.history.candles(listing, ask.path["interval"], since, until)
        with_oi = ask.params.get("oi") == "1"
        return {"candles": [candle.row(with_oi=with_oi) for candle in candles]}

    def dump(ask: Ask) -> Dump:
        exchange = ask.path.get("exchange")
        if exchange not in {None, "NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX", "NCO", "MF"}:
            raise bad_input("Invalid exchange.")
        return Dump(world.listings.dump(exchange))

    return [
        Route("GET", "/quote", "quote", priced("quote"), Budget.QUOTE),
        Route("GET", "/quote/ohlc", "ohlc", priced("ohlc"), Budget.QUOTE),
        Route("GET", "/quote/ltp", "ltp", priced("ltp"), Budget.QUOTE),
        Route("GET", "/instruments", "instruments", dump, Budget.FREE, open=True),
        Route("GET", "/instruments/{exchange}", "instruments", dump, Budget.FREE, open=True),
        Route("GET", "/instruments/historical/{token}/{interval}", "historical", historical, Budget.HISTORY),
        Route(
            "GET",
            "/instruments/trigger_range/{side}",
            "trigger_range",
            lambda ask: trigger_ranges(market, ask),
        ),
    ]


def _gtt(world: World) -> list[Route]:
    triggers = world.triggers
    return [
        Route("GET", "/gtt/triggers", "gtts", lambda _: triggers.rows()),
        Route("POST", "/gtt/triggers", "gtt.place", triggers.place),
        Route("GET", "/gtt/triggers/{trigger_id}", "gtt", triggers.row),
        Route("PUT", "/gtt/triggers/{trigger_id}", "gtt.modify", triggers.modify),
        Route("DELETE", "/gtt/triggers/{trigger_id}", "gtt.delete", triggers.delete),
    ]


def _estimates(world: World) -> list[Route]:
    account = world.account
    return [
        Route("POST", "/margins/orders", "order_margins", lambda ask: estimates.order_margins(account, ask)),
        Route(
            "POST", "/margins/basket", "basket_margins", lambda ask: estimates.basket_margins(account, ask)
        ),
        Route("POST", "/charges/orders", "charges", lambda ask: estimates.contract_notes(account, ask)),
    ]


def _need_data_plan(world: World) -> None:
    if not world.session.data_plan:
        raise no_permission()


def _moment(ask: Ask, name: str) -> datetime:
    text = ask.text(name)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=IST)
        except ValueError:
            continue
    raise bad_input(f"Invalid `{name}` date; expected yyyy-mm-dd hh:mm:ss.")
