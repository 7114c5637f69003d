"""/funds: what the account can pay for."""

from __future__ import annotations

from handlers.common import refresh, tag_of
from handlers.message import Line, Pre, Reply
from handlers.registry import Call, Danger, Role, command
from handlers.render.table import ends
from handlers.typed import no_more
from trader.domain.money import rupees
from trader.domain.times import clock_text, day_text
from trader.service.port import DeskPort


@command(
    "funds",
    help="Cash, what is free, what is blocked, what is owed",
    role=Role.VIEWER,
    danger=Danger.READ,
    aliases=("margins",),
    more="Used is what open positions and orders block. Receivable is owed to the account, and free from the "
    "day it settles.",
)
async def funds(desk: DeskPort, call: Call) -> Reply:
    no_more(call.args, "/funds")
    found = await desk.funds()
    lines = [
        ends("Cash", rupees(found.cash)),
        ends("Available", rupees(found.available)),
        ends("Used", rupees(found.used)),
    ]
    if found.receivable or found.settles_on:
        lines.append(ends("Receivable", rupees(found.receivable)))
    if found.settles_on:
        lines.append(ends(" settles", day_text(found.settles_on)))
    head = Line(f"{tag_of(desk)} · funds at {clock_text(desk.now())}", bold=True)
    return Reply((head, Pre("\n".join(lines))), refresh("/funds"))
