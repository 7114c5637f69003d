"""/live and /paper: whether the desk may use real money."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.common import is_live, money_tag, tell, told
from handlers.confidential import is_code
from handlers.message import Button, Line, Pre, Reply, say
from handlers.registry import Call, Danger, command
from handlers.render.text import WIDTH, clean, wrap
from trader.desk.commands import Disarm
from trader.desk.events import CheckLine
from trader.desk.view import DeskView
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput
from trader.domain.money import rupees
from trader.domain.records import DeskMode
from trader.service.port import DeskPort

USAGE = "/live [code]"
ARMED = "Armed already: entries use real money. /paper takes it back at once."


@command(
    "live",
    help="Check all, then let the desk use real money",
    danger=Danger.ADDS_RISK,
    usage=USAGE,
    secret=True,
    more="Alone it shows what must be right first. With the six digits of your authenticator behind it, the "
    "desk is armed: entries use real money from then on. A code is good once. /paper takes it back at once.",
)
async def live(desk: DeskPort, call: Call) -> Reply:
    if not is_live(desk.about()):
        return say(
            "This desk trades on paper and holds nothing that could place a live order.",
            "Real money takes TRADING=live in the settings and a restart. Nothing was done.",
        )
    if not call.raw:
        return _checklist(desk, await desk.account().preflight())
    if desk.view().armed:
        return say(ARMED)
    if not is_code(call.raw):
        raise InvalidInput(
            f"Expected the six digits of your authenticator. Usage: {USAGE}. Nothing was done."
        )
    answer = await desk.arm(call.raw.replace(" ", ""), source_id=call.source_id, actor=call.actor)
    reply = told(answer)
    if not answer.ok:
        return reply
    return Reply((*reply.blocks, *(Line(text) for text in _what_now(desk.view()))))


def _checklist(desk: DeskPort, lines: Sequence[CheckLine]) -> Reply:
    view = desk.view()
    blocks: list[Line | Pre] = [Line(f"{money_tag(desk.about(), view)} · before real money", bold=True)]
    if lines:
        blocks.append(Pre("\n".join(text for line in lines for text in _checked(line))))
    wrong = sum(1 for line in lines if not line.ok)
    if view.armed:
        blocks.append(Line(ARMED))
        return Reply(blocks, ((Button("Back to paper", "/paper"),),))
    if wrong:
        blocks.append(Line(f"Not ready: {wrong} to look at. Nothing is armed before all is right."))
        return Reply(blocks, ((Button("Check again", "/live"), Button("Log in", "/login")),))
    blocks += [
        Line(f"Armed, the desk enters with real money, on a capital of {rupees(view.capital, paise=False)}."),
        *(Line(text) for text in _what_now(view)),
        Line("Send /live with the six digits of your authenticator behind it, like /live 123456."),
    ]
    return Reply(blocks)


def _checked(line: CheckLine) -> list[str]:
    return wrap(clean(f"{'✓' if line.ok else '✗'} {line.label}: {line.detail}"), WIDTH, indent="  ")


def _what_now(view: DeskView) -> list[str]:
    """Who would use the money, and what still keeps them from it."""
    alive = sum(1 for item in view.instances if item.instance.status.alive)
    lines = [f"{counted(alive, 'strategy', 'strategies')} started."]
    if view.latch.mode is not DeskMode.ACTIVE:
        lines.append(f"The desk is {view.latch.mode}: it will not enter before /resume.")
    return lines


@command(
    "paper",
    help="No more real money for entries, at once",
    danger=Danger.REDUCES_RISK,
    more="Acts at once, without asking, however late. Positions keep their stops and exits go on; /kill "
    "closes them.",
)
async def paper(desk: DeskPort, call: Call) -> Reply:
    # Words behind it are ignored on purpose, as for /kill.
    return await tell(desk, call, Disarm())
