"""/kill, /pause and /resume: the desk's brakes. The first acts at once; only letting go asks back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from handlers.common import being_started, instance_called, money_tag, tell
from handlers.message import Button, Line, Reply, Style, say
from handlers.registry import Call, Danger, command
from handlers.render.figures import ago, moment
from handlers.typed import no_more
from trader.desk.commands import Kill, Pause, Resume
from trader.domain.order import Owner
from trader.domain.records import DeskMode, Latch
from trader.service.port import DeskPort

RESUME_USAGE = "/resume [strategy]"


@command(
    "kill",
    help="Halt, cancel all orders, close all positions, prove it",
    danger=Danger.REDUCES_RISK,
    more="Acts at once, without asking. Entries stay blocked until /resume, also across restarts. The report "
    "of what is flat and what is not follows by itself. Sent long ago, it halts and cancels, and asks "
    "before it closes positions.",
)
async def kill(desk: DeskPort, call: Call) -> Reply:
    # Words behind it are ignored on purpose: "/kill now!!" must not fail on its manners.
    if not call.stale:
        return await tell(desk, call, Kill())
    halted = await tell(desk, call, Kill(flatten=False))
    late = Line(f"This /kill was sent {ago(call.age)} ago: halted at once, open positions left alone.")
    flatten = ((Button("Flatten now", "/kill", Style.DANGER),),)
    return replace(halted, blocks=(*halted.blocks, late), buttons=flatten)


@command(
    "pause",
    help="No new entries: of the desk, or of one strategy",
    danger=Danger.REDUCES_RISK,
    usage="/pause [strategy]",
    more="What is open stays open, with its stops and targets.",
)
async def pause(desk: DeskPort, call: Call) -> Reply:
    if not call.args:
        return await tell(desk, call, Pause())
    no_more(call.args[1:], "/pause [strategy]")
    if being_started(desk, call.args[0]):
        return await tell(desk, call, Pause(Owner(call.args[0].casefold())))
    return await tell(desk, call, Pause(instance_called(desk.view(), call.args[0]).instance.name))


@command(
    "resume",
    help="Let the desk, or one strategy, enter again",
    danger=Danger.ADDS_RISK,
    usage=RESUME_USAGE,
    more="The desk resumes after you confirmed the reason it stopped for; a strategy at once.",
)
async def resume(desk: DeskPort, call: Call) -> Reply:
    shown_since = next((word[1:] for word in call.args if word.startswith("@")), "")
    names = tuple(word for word in call.args if not word.startswith("@"))
    no_more(names[1:], RESUME_USAGE)
    view = desk.view()
    if names:
        return await tell(desk, call, Resume(instance_called(view, names[0]).instance.name))
    latch = view.latch
    if latch.mode is DeskMode.ACTIVE:
        return say("The desk is ACTIVE; there is nothing to resume.")
    if view.not_resumed:
        return say(view.not_resumed)
    # A confirmation is of the stop that was shown, not of another one that came since.
    if call.confirmed and shown_since == latch.since.isoformat():
        return await tell(desk, call, Resume())
    return _are_you_sure(latch, money_tag(desk.about(), view), view.at)


def _are_you_sure(latch: Latch, tag: str, now: datetime) -> Reply:
    return Reply(
        (
            Line(f"{tag} · the desk is {latch.mode}", bold=True),
            Line(f"Why: {latch.reason}"),
            Line(f"Since: {moment(latch.since, seen_from=now)}, by {latch.by}"),
            Line("Resume, and let strategies enter again?"),
        ),
        (
            (
                Button("Resume", f"/resume @{latch.since.isoformat()}", Style.SUCCESS),
                Button("Leave it", "/status"),
            ),
        ),
    )
