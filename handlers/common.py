"""What several topics say alike."""

from __future__ import annotations

from handlers.message import Button, Line, Reply
from handlers.registry import Call
from trader.desk.commands import Command
from trader.desk.effects import Answer
from trader.desk.view import DeskView, InstanceView
from trader.domain.errors import UnknownName
from trader.service.port import About, DeskPort


def money_tag(about: About, view: DeskView) -> str:
    """``PAPER``, ``LIVE · ARMED`` or ``LIVE · DISARMED``: every screen with money on it says which."""
    tag = about.trading.upper()
    return f"{tag} · {'ARMED' if view.armed else 'DISARMED'}" if is_live(about) else tag


def is_live(about: About) -> bool:
    return about.trading.casefold() == "live"


def tag_of(desk: DeskPort) -> str:
    """The money tag, for screens that need nothing else of the desk's view."""
    return money_tag(desk.about(), desk.view())


def refresh(command: str) -> tuple[tuple[Button, ...], ...]:
    return ((Button("Refresh", command),),)


def told(answer: Answer) -> Reply:
    """The desk's own words, the first line as heading."""
    lines = answer.text.splitlines() or ["Done." if answer.ok else "Not done."]
    return Reply(tuple(Line(text, bold=n == 0 and len(lines) > 1) for n, text in enumerate(lines)))


def instance_called(view: DeskView, name: str) -> InstanceView:
    """A started strategy by its name, in any case; raises UnknownName."""
    for item in view.instances:
        if item.instance.name.casefold() == name.casefold():
            return item
    raise UnknownName("started strategy", name, [i.instance.name for i in view.instances])


def being_started(desk: DeskPort, name: str) -> bool:
    """Whether a start by this name is asked for, and nothing of that name runs yet."""
    alive = {i.instance.name.casefold() for i in desk.view().instances if i.instance.status.alive}
    return name.casefold() in desk.starting() and name.casefold() not in alive


async def tell(desk: DeskPort, call: Call, command: Command) -> Reply:
    """Have the desk act on the command, and answer with what it says."""
    return told(await desk.ask(command, source_id=call.source_id, actor=call.actor))
