"""/not_there: the owner's word on an order nobody knows the outcome of."""

from __future__ import annotations

from handlers.common import money_tag, tell
from handlers.message import Button, Line, Reply, Style, say
from handlers.registry import Call, Danger, command
from trader.desk.commands import NotThere
from trader.desk.orders import describe
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput
from trader.domain.order import Order, OrderState
from trader.domain.times import clock_text
from trader.service.port import DeskPort

LOOKED = "@looked"  # behind the tag, on the button that answers the question


@command(
    "not_there",
    help="An order of unknown outcome is not in the broker's app",
    danger=Danger.ADDS_RISK,  # what it was for may be sent again
    usage="/not_there",
    more="An order whose answer was lost is looked for in the broker's book. Where that cannot prove it "
    "absent, look into the broker's own app and say so: it then counts as not placed, and what it was for "
    "goes on.",
)
async def not_there(desk: DeskPort, call: Call) -> Reply:
    unknown = [order for order in desk.view().orders if order.state is OrderState.UNKNOWN]
    if not call.args:
        return _which(desk, unknown)
    tag, *looked = call.args
    order = next((one for one in unknown if one.tag == tag), None)
    if order is None:
        raise InvalidInput("The outcome of that order is not unknown any more. Nothing was done.")
    if call.confirmed and looked == [LOOKED]:
        return await tell(desk, call, NotThere(order.tag))
    return _have_you_looked(desk, order)


def _which(desk: DeskPort, unknown: list[Order]) -> Reply:
    if not unknown:
        return say("Of every order the outcome is known.")
    head = Line(
        f"{money_tag(desk.about(), desk.view())} · {counted(len(unknown), 'unknown outcome')}", bold=True
    )
    lines = [Line(f"{clock_text(order.request.at)} {describe(order)}") for order in unknown]
    rows = [(Button(_short(order), f"/not_there {order.tag}"),) for order in unknown]
    return Reply((head, *lines, Line("Which is not in the broker's own app?")), rows)


def _have_you_looked(desk: DeskPort, order: Order) -> Reply:
    head = Line(f"{money_tag(desk.about(), desk.view())} · is it not there?", bold=True)
    asked = Line(
        f"{describe(order)}, sent {clock_text(order.request.at)}. Look into the orders of the broker's own"
        " app first: said of one that is there, it may be done twice."
    )
    go = Button("It is not there", f"/not_there {order.tag} {LOOKED}", Style.DANGER)
    return Reply((head, asked), ((go, Button("Leave it", "/orders")),))


def _short(order: Order) -> str:
    return f"{order.side} {order.quantity} {order.key.partition(':')[2]}"
