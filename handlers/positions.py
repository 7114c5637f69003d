"""/positions and /pnl: what is open, and what the day has made."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from handlers.common import money_tag, refresh
from handlers.locks import name_of_key
from handlers.message import Line, Pre, Reply
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import price
from handlers.render.table import pairs, table
from handlers.typed import no_more
from trader.desk.view import DeskView, OwnerPnl, PositionView
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey, symbol_of
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
    view = desk.view()
    return positions_screen(desk.about(), view, unpriced(desk, view))


def unpriced(desk: DeskPort, view: DeskView) -> frozenset[InstrumentKey]:
    """What is held and has no price yet: the view marks it at its entry."""
    return frozenset(p.key for p in view.positions if not _has_price(desk, p.key))


def _has_price(desk: DeskPort, key: InstrumentKey) -> bool:
    try:
        return desk.quote(key).tick is not None
    except InvalidInput:  # somebody else's, of an instrument that is not in the list
        return False


def positions_screen(about: About, view: DeskView, without: Collection[InstrumentKey] = ()) -> Reply:
    """``without`` are the instruments that have no price."""
    held = view.positions
    head = f"{money_tag(about, view)} · positions at {clock_text(view.at)}"
    locked = _locked_lines(view)
    if not held:
        return Reply((Line(head, bold=True), Line("Nothing is open."), *locked), refresh("/positions"))
    priced = [p.unrealised for p in held if p.key not in without]
    total = price(sum(priced, ZERO), signed=True) if priced else "–"
    rows = [
        (symbol_of(p.key), f"{p.quantity:+d}", "–" if p.key in without else price(p.unrealised, signed=True))
        for p in held
    ]
    shown = table(
        [*rows, (f"{len(held)} open", "", total)],
        ("Symbol", "Qty", "P&L ₹"),
        "<>>",
        details=[_details(p, priced=p.key not in without) for p in held],
        whole=True,
    )
    missing = [Line(_not_counted(len(without)))] if without else []
    return Reply((Line(head, bold=True), Pre(shown), *missing, *locked), refresh("/positions"))


def _not_counted(number: int) -> str:
    return f"{counted(number, 'instrument')} without a price: not in the P&L."


def _locked_lines(view: DeskView) -> list[Line]:
    lines = [Line(f"LOCKED {name_of_key(lock.key)}: {lock.text}") for lock in view.locks]
    return [*lines, Line("Nothing is entered there until you have decided: /locks")] if lines else []


def _details(position: PositionView, *, priced: bool) -> list[str]:
    legs = [
        f"{position.owner} {position.product}",
        f"{price(position.average_price)} → {price(position.last_price) if priced else 'no price'}",
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
    view = desk.view()
    return pnl_screen(desk.about(), view, unpriced(desk, view))


def pnl_screen(about: About, view: DeskView, without: Collection[InstrumentKey] = ()) -> Reply:
    """A strategy's open part counts from its entries, the day's from the last close. Where something was
    carried in they differ, and what a strategy booked is shown apart from what it has open."""
    head = Line(f"{money_tag(about, view)} · P&L today at {clock_text(view.at)}", bold=True)
    total = pairs(
        [
            ("Realised", rupees(view.pnl.realised, signed=True)),
            ("Unrealised", rupees(view.pnl.unrealised, signed=True)),
            ("Charges", rupees(-view.pnl.charges)),
            ("Net", rupees(view.pnl.net, signed=True)),
            ("Equity", rupees(view.equity)),
        ]
    )
    notes = [Line(_not_counted(len(without)))] if without else []
    if not view.by_owner:
        return Reply((head, Pre(total), *notes), refresh("/pnl"))
    since_entry = sum((o.unrealised for o in view.by_owner), ZERO)
    if before := since_entry - view.pnl.unrealised:
        notes.insert(0, Line(_carried(since_entry, before)))
    by_strategy = table(
        [(_name(o), _won(o), price(_net(o, carried=bool(before)), signed=True)) for o in view.by_owner],
        ("Strategy", "Won", "Booked ₹" if before else "Net ₹"),
        "<>>",
        details=[_parts(o) for o in view.by_owner],
        whole=True,
    )
    return Reply((head, Pre(by_strategy), Line("Total", bold=True), Pre(total), *notes), refresh("/pnl"))


def _carried(since_entry: Decimal, before: Decimal) -> str:
    return (
        f"Open positions stand at {rupees(since_entry, signed=True)} since entry, of which "
        f"{rupees(before, signed=True)} is from before today: the total's unrealised is today's part."
    )


def _name(owner: OwnerPnl) -> str:
    return ROUNDING if owner.result.owner == HOUSE else owner.result.owner


def _net(owner: OwnerPnl, *, carried: bool) -> Decimal:
    """Of today; without the open part where that is not all of today."""
    return owner.result.net if carried else owner.result.net + owner.unrealised


def _won(owner: OwnerPnl) -> str:
    return "" if owner.result.owner == HOUSE else f"{owner.result.wins}/{owner.result.trades}"


def _parts(owner: OwnerPnl) -> list[str]:
    if owner.result.owner == HOUSE:
        return ["the day's note less what was booked"]
    return [
        f"realised {price(owner.result.realised, signed=True)}",
        f"charges {price(owner.result.charges)}",
        f"open {price(owner.unrealised, signed=True)} since entry",
    ]
