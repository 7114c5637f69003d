"""/start and /help, made from the registry."""

from __future__ import annotations

from collections.abc import Callable

from handlers.common import tag_of
from handlers.message import Button, Line, Reply
from handlers.registry import Call, Command, Danger, Registry, Role, command
from handlers.typed import no_more
from trader.service.port import DeskPort

_RISK = {
    Danger.READ: "Changes nothing at the broker.",
    Danger.ADDS_RISK: "Adds risk: not run when it arrives over a minute late.",
    Danger.REDUCES_RISK: "Reduces risk: honoured however late it arrives, in its safest form.",
}


def help_commands(registry: Callable[[], Registry]) -> tuple[Command, ...]:
    """Both need the registry they are themselves part of, hence the late look."""

    @command("start", help="Say hello and show where to begin", role=Role.VIEWER, danger=Danger.READ)
    async def start(desk: DeskPort, call: Call) -> Reply:
        no_more(call.args, "/start")
        blocks = (
            Line("Munim keeps the books and minds the risk.", bold=True),
            Line(f"{tag_of(desk)} · {desk.about().market} market. You are its {call.role}."),
            Line("This started nothing. A strategy starts by /start_strategy; /kill ends it all."),
        )
        offers = (Button("Status", "/status"), Button("Start a strategy", "/start_strategy"))
        return Reply(blocks, (offers, (Button("Help", "/help"),)))

    @command(
        "help",
        help="The commands, or one of them at length",
        role=Role.VIEWER,
        danger=Danger.READ,
        usage="/help [command]",
        aliases=("h",),
    )
    async def help_(desk: DeskPort, call: Call) -> Reply:
        no_more(call.args[1:], "/help [command]")
        known = registry()
        if not call.args:
            return _everything(known, call)
        return _one(known.get(call.args[0], role=call.role))

    return start, help_


def _everything(registry: Registry, call: Call) -> Reply:
    blocks: list[Line] = []
    for title, commands in registry.sections.items():
        usable = [c for c in commands if call.role.may(c.role) and (call.terminal or not c.terminal_only)]
        if usable:
            blocks.append(Line(title, bold=True))
            blocks += [Line(f"/{c.name} – {c.help}") for c in usable]
    return Reply(blocks)


def _one(found: Command) -> Reply:
    lines = [Line(found.usage, bold=True), Line(f"{found.help}. {_RISK[found.danger]}")]
    if found.more:
        lines.append(Line(found.more))
    if found.aliases:
        lines.append(Line("Also: " + ", ".join(f"/{alias}" for alias in found.aliases)))
    if found.role is Role.OWNER:
        lines.append(Line("The owner's alone." + (" In the terminal only." if found.terminal_only else "")))
    return Reply(lines)
