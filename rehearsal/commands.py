"""What only a rehearsal has: faults on demand, orders from "the app", the one-time code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from handlers.message import Line, Pre, Reply, say
from handlers.registry import Call, Command, Danger, command
from handlers.render.table import pairs
from sandbox.kite import KiteServer
from sandbox.kite.totp import code_at
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import symbol_of
from trader.service.port import DeskPort

FAULT_USAGE = "/fault NAME [times] or /fault off"
APP_USAGE = "/app BUY RELIANCE 10 [MIS|CNC]"


@dataclass(frozen=True, slots=True)
class Practice:
    """One fault the owner can call for: what it is, and how the server makes it."""

    says: str
    make: Callable[[KiteServer, int], object]


PRACTICES: dict[str, Practice] = {
    "timeout": Practice(
        "the broker takes the order but says it timed out",
        lambda kite, times: kite.faults.add("timed_out", "place", times=times, accepted=True),
    ),
    "lost": Practice(
        "the order is lost, and the broker says it timed out",
        lambda kite, times: kite.faults.add("timed_out", "place", times=times),
    ),
    "drop": Practice(
        "the connection drops after the broker took the order",
        lambda kite, times: kite.faults.add("drop", "place", times=times, accepted=True),
    ),
    "html": Practice(
        "a gateway answers orders with a web page",
        lambda kite, times: kite.faults.add("html", "place", times=times),
    ),
    "reject": Practice(
        "the risk desk rejects an order after taking it",
        lambda kite, times: kite.faults.add("reject", times=times, message="RMS: rehearsed rejection"),
    ),
    "busy": Practice(
        "too many requests", lambda kite, times: kite.faults.add("too_many", "place", times=times)
    ),
    "address": Practice(
        "orders from this address are refused", lambda kite, times: kite.faults.add("address", times=times)
    ),
    "invisible": Practice(
        "new orders are missing from the book for 90 s",
        lambda kite, times: kite.faults.add("invisible", times=times),
    ),
    "stale": Practice("the book stands still", lambda kite, _: kite.faults.add("stale", times=None)),
    "frozen": Practice(
        "prices stop, heartbeats go on", lambda kite, _: kite.faults.add("frozen", times=None)
    ),
    "halfopen": Practice(
        "the stream is dead and does not say so", lambda kite, _: kite.faults.add("half_open", times=None)
    ),
    "stream": Practice("the stream is cut", lambda kite, _: kite.faults.add("drop_stream")),
    "token": Practice("the session ends before its time", lambda kite, _: kite.faults.add("kill_token")),
    "login": Practice("another program logs in", lambda kite, _: kite.faults.add("other_login")),
    "squareoff": Practice(
        "the broker closes intraday positions now", lambda kite, _: kite.faults.add("square_off")
    ),
}


def rehearsal_commands(kite: KiteServer) -> Sequence[Command]:
    @command(
        "fault",
        help="Let the local broker misbehave",
        danger=Danger.READ,
        usage=FAULT_USAGE,
        more="Once, unless times says otherwise; /fault off ends what lasts.",
    )
    async def fault(desk: DeskPort, call: Call) -> Reply:
        del desk
        if not call.args:
            rows = [(name, practice.says) for name, practice in PRACTICES.items()]
            return Reply((Line("Faults to practise", bold=True), Pre(pairs(rows))))
        name = call.args[0].casefold()
        if name == "off":
            kite.faults.clear()
            return say("The broker behaves again.")
        if name not in PRACTICES:
            raise UnknownName("fault", name, PRACTICES)
        practice = PRACTICES[name]
        practice.make(kite, _times(call.args[1:]))
        return say(f"From now on: {practice.says}.")

    @command(
        "app",
        help='An order by hand in "the app"',
        danger=Danger.READ,
        usage=APP_USAGE,
        more="The desk did not make it, and has to notice.",
    )
    async def app(desk: DeskPort, call: Call) -> Reply:
        if len(call.args) not in (3, 4) or call.args[0].upper() not in ("BUY", "SELL"):
            raise InvalidInput(f"Usage: {APP_USAGE}")
        side, symbol, quantity = call.args[0].upper(), desk.find(call.args[1]).key, call.args[2]
        product = call.args[3].upper() if len(call.args) == 4 else "MIS"
        if not (quantity.isascii() and quantity.isdigit() and int(quantity) > 0):
            raise InvalidInput(f"Expected a quantity like 10, was {quantity}. Usage: {APP_USAGE}")
        order_id = kite.app.order(symbol, side, int(quantity), product=product)
        return say(f"The app sent {side} {quantity} {symbol_of(symbol)} {product}: order {order_id}.")

    @command("code", help="The one-time code your authenticator would show", danger=Danger.READ)
    async def code(desk: DeskPort, call: Call) -> Reply:
        del desk, call
        return say(code_at(kite.client.totp_secret, datetime.now(UTC)))

    return (fault, app, code)


def _times(args: Sequence[str]) -> int:
    if not args:
        return 1
    if len(args) > 1 or not (args[0].isascii() and args[0].isdigit() and 0 < int(args[0]) <= 100):
        raise InvalidInput(f"Expected how many times, 1 to 100. Usage: {FAULT_USAGE}")
    return int(args[0])
