"""/positions and /pnl: what is open, and what the day has made."""

from __future__ import annotations

from decimal import Decimal

from handlers.common import money_tag, refresh
from handlers.message import Line, Pre, Reply
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import price
from handlers.render.table import pairs, table
from handlers.typed import no_more
from trader.desk.view import DeskView, OwnerPnl, PositionView
from trader.domain.instrument import symbol_of
from trader.domain.money import ZERO, rupees
from trader.domain.order import HOUSE
from trader.domain.times import clock_text
from trader.service.port import About, DeskPort

ROUNDING = "note rounding"  # all the house ever books: the contract note's differences


@command(
    "positions",
    help="Open positions with stop, target and P&L",
    role=Role.VIEWER,
    danger=Danger.READ,
    aliases=("pos",),
)
async def positions(desk: DeskPort, call: Call) -> Reply:
    no_more(call.args, "/positions")
    return positions_screen(desk.about(), desk.view())


def positions_screen(about: About, view: DeskView) -> Reply:
    held = view.positions
    head = f"{money_tag(about)} · positions at {clock_text(view.at)}"
    if not held:
        return Reply((Line(head, bold=True), Line("Nothing is open.")), refresh("/positions"))
    total = sum((p.unrealised for p in held), ZERO)
    rows = [(symbol_of(p.key), f"{p.quantity:+d}", price(p.unrealised, signed=True)) for p in held]
    shown = table(
        [*rows, (f"{len(held)} open", "", price(total, signed=True))],
        ("Symbol", "Qty", "P&L ₹"),
        "<>>",
        details=[_details(p) for p in held],
    )
    return Reply((Line(head, bold=True), Pre(shown)), refresh("/positions"))


def _details(position: PositionView) -> list[str]:
    legs = [
        f"{position.owner} {position.product}",
        f"{price(position.average_price)} → {price(position.last_price)}",
    ]
    guards = []
    if position.stop is not None:
        guards.append(f"stop {price(position.stop)}")
    if position.target is not None:
        guards.append(f"target {price(position.target)}")
    if guards:
        legs.append(", ".join(guards))
    if not position.protected:
        legs.append("UNPROTECTED: no stop at the broker")
    return legs


@command("pnl", help="Today's profit and loss by strategy", role=Role.VIEWER, danger=Danger.READ)
async def pnl(desk: DeskPort, call: Call) -> Reply:
    no_more(call.args, "/pnl")
    return pnl_screen(desk.about(), desk.view())


def pnl_screen(about: About, view: DeskView) -> Reply:
    head = Line(f"{money_tag(about)} · P&L today at {clock_text(view.at)}", bold=True)
    total = pairs(
        [
            ("Realised", rupees(view.pnl.realised, signed=True)),
            ("Unrealised", rupees(view.pnl.unrealised, signed=True)),
            ("Charges", rupees(-view.pnl.charges)),
            ("Net", rupees(view.pnl.net, signed=True)),
            ("Equity", rupees(view.equity)),
        ]
    )
    if not view.by_owner:
        return Reply((head, Pre(total)), refresh("/pnl"))
    by_strategy = table(
        [(_name(o), _won(o), price(_net(o), signed=True)) for o in view.by_owner],
        ("Strategy", "Won", "Net ₹"),
        "<>>",
        details=[_parts(o) for o in view.by_owner],
    )
    return Reply((head, Pre(by_strategy), Line("Total", bold=True), Pre(total)), refresh("/pnl"))


def _name(owner: OwnerPnl) -> str:
    return ROUNDING if owner.result.owner == HOUSE else owner.result.owner


def _net(owner: OwnerPnl) -> Decimal:
    return owner.result.net + owner.unrealised


def _won(owner: OwnerPnl) -> str:
    return "" if owner.result.owner == HOUSE else f"{owner.result.wins}/{owner.result.trades}"


def _parts(owner: OwnerPnl) -> list[str]:
    if owner.result.owner == HOUSE:
        return ["the day's note less what was booked"]
    return [
        f"realised {price(owner.result.realised, signed=True)}",
        f"open {price(owner.unrealised, signed=True)}, charges {price(owner.result.charges)}",
    ]
