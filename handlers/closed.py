"""/closed and /reopened: days the exchange announced at short notice that it stays closed."""

from __future__ import annotations

from datetime import date

from handlers.common import tag_of, tell
from handlers.days import EXPECTED, leading_day
from handlers.message import Button, Line, Reply, Style, say
from handlers.registry import Call, Danger, command
from handlers.render.text import one_line
from handlers.typed import no_more
from trader.desk.commands import CloseDay, ReopenDay
from trader.domain.errors import InvalidInput
from trader.domain.times import day_text, ist
from trader.service.port import DeskPort

CLOSED_USAGE = "/closed [day reason…]"
REOPENED_USAGE = "/reopened DAY"
LONGEST_REASON = 80  # it stands in one line of /calendar and of the checklist


@command(
    "closed",
    help="The exchange stays closed on a day: note it, or list",
    danger=Danger.ADDS_RISK,
    usage=CLOSED_USAGE,
    more="For instance /closed 2026-12-01 municipal elections. Nothing trades on that day: no strategy is "
    "asked and no position squared off. You are asked before it is noted; /reopened takes it back.",
)
async def closed(desk: DeskPort, call: Call) -> Reply:
    if not call.args:
        return _listed(desk)
    day, words = _day(desk, call.args, CLOSED_USAGE)
    reason = one_line(" ".join(words), LONGEST_REASON)
    if not reason:
        raise InvalidInput(f"Why is it closed on {day_text(day)}? Usage: {CLOSED_USAGE}. Nothing was done.")
    if call.confirmed:
        return await tell(desk, call, CloseDay(day, reason))
    if day < ist(desk.now()).date():
        raise InvalidInput(f"{day_text(day)} is past. Nothing was done.")
    return _are_you_sure(desk, day, reason)


@command(
    "reopened",
    help="Take back a day noted by /closed",
    danger=Danger.ADDS_RISK,
    usage=REOPENED_USAGE,
    more="Only your own closures; what the exchange's calendar holds closed stays closed.",
)
async def reopened(desk: DeskPort, call: Call) -> Reply:
    if not call.args:
        return _listed(desk)
    day, words = _day(desk, call.args, REOPENED_USAGE)
    no_more(words, REOPENED_USAGE)
    return await tell(desk, call, ReopenDay(day))


def _day(desk: DeskPort, words: tuple[str, ...], usage: str) -> tuple[date, tuple[str, ...]]:
    found = leading_day(words, ist(desk.now()).date())
    if found is None:
        raise InvalidInput(
            f"{one_line(words[0], 40)!r} is no day; {EXPECTED}. Usage: {usage}. Nothing was done."
        )
    return found


def _are_you_sure(desk: DeskPort, day: date, reason: str) -> Reply:
    calendar = desk.calendar()
    if known := calendar.why_closed(day):
        return say(f"{day_text(day)} is closed already: {known}. Nothing was done.")
    blocks = [
        Line(f"{tag_of(desk)} · note the exchange as closed?", bold=True),
        Line(f"{day_text(day)}: {reason}"),
    ]
    if special := calendar.special(day):
        blocks.append(Line(f"It is a special session: {special}."))
    blocks.append(Line("Nothing will trade on that day, and nothing be squared off."))
    close = Button("Closed", f"/closed {day} {reason}", Style.DANGER)
    return Reply(blocks, ((close, Button("Leave it", "/calendar")),))


def _listed(desk: DeskPort) -> Reply:
    noted = sorted(desk.calendar().closures().items())
    if not noted:
        return say("No closures are noted.", f"To note one: {CLOSED_USAGE}")
    lines = [Line("Noted closures", bold=True), *(Line(f"{day_text(day)}: {why}") for day, why in noted)]
    return Reply((*lines, Line("To take one back: /reopened DAY")))
