"""/risk: every limit and how much of it is used."""

from __future__ import annotations

from decimal import Decimal

from handlers.common import money_tag
from handlers.message import Line, Pre, Reply
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import bar, money_short, share
from handlers.render.table import ends
from handlers.render.text import WIDTH, wrap
from handlers.timetable import squareoff_line
from handlers.typed import no_more
from trader.desk.view import LimitView
from trader.domain.money import group_indian
from trader.domain.records import DeskMode
from trader.service.port import DeskPort


@command("risk", help="Each limit and how much of it is used", role=Role.VIEWER, danger=Danger.READ)
async def risk(desk: DeskPort, call: Call) -> Reply:
    no_more(call.args, "/risk")
    view = desk.view()
    blocks: list[Line | Pre] = [
        Line(f"{money_tag(desk.about(), view)} · risk · {view.latch.mode}", bold=True)
    ]
    if view.latch.mode is not DeskMode.ACTIVE:
        blocks.append(Line(view.latch.reason))
    times = [text for text in (view.session, squareoff_line(desk, view)) if text]
    blocks.append(Pre("\n".join(line for text in times for line in wrap(text, WIDTH))))
    if view.limits:
        blocks.append(Pre("\n".join(_limit(limit) for limit in view.limits)))
    return Reply(blocks)


def _limit(limit: LimitView) -> str:
    over = limit.used > limit.limit
    percent = "OVER" if over else f"{int(100 * share(limit.used, limit.limit))}%"
    name, *rest = wrap(limit.label, WIDTH - 5)
    amounts = f"{_amount(limit.used, limit.unit)} of {_amount(limit.limit, limit.unit)}"
    return "\n".join([ends(name, percent), *rest, ends(bar(limit.used, limit.limit), amounts)])


def _amount(value: Decimal, unit: str) -> str:
    if unit == "₹":
        return money_short(value)
    text = f"{abs(value):.2f}".rstrip("0").rstrip(".")
    whole, dot, fraction = text.partition(".")
    return f"{'-' if value < 0 else ''}{group_indian(whole)}{dot}{fraction}{unit}"
