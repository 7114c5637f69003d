"""Replies on a terminal: plain text for pipes and logs, Rich for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from handlers.message import Button, Line, Link, Reply, Style
from handlers.render.text import clean, columns

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_COLOURS = {
    Style.PLAIN: "bold",
    Style.PRIMARY: "bold blue",
    Style.SUCCESS: "bold green",
    Style.DANGER: "bold red",
}
# Alerts come unasked; this tells them from answers, and one from the next.
HEAD, RAIL = "┌ ", "│ "


def numbered(reply: Reply) -> Iterator[tuple[int, Button]]:
    """The buttons as a terminal offers them: 1, 2, 3 … across all rows."""
    return enumerate((button for row in reply.buttons for button in row), start=1)


def plain(reply: Reply) -> str:
    """The reply as text, without a single escape code, whatever it quotes."""
    lines = [clean(block.text) for block in reply.blocks]
    if reply.picture is not None:
        lines.append("(a picture; it is shown in Telegram)")
    lines += [link_text(link) for link in reply.links]
    offers = "  ".join(f"{n}) {clean(button.label)}" for n, button in numbered(reply))
    return "\n".join([*lines, offers] if offers else lines)


def link_text(link: Link) -> str:
    return f"{clean(link.label)}: {clean(link.address)}"


def plain_alert(reply: Reply) -> str:
    lines = plain(_typable(reply)).splitlines()
    return "\n".join(f"{RAIL if n else HEAD}{line}".rstrip() for n, line in enumerate(lines))


def rich_text(reply: Reply, *, alert: bool = False, console: Console | None = None) -> Text:
    """The same words in colour. Built as Text, so nothing quoted is taken for markup. An alert's lines that
    are too long for ``console`` go on behind the rail."""
    from rich.text import Text

    shown = Text()
    for n, block in enumerate((_typable(reply) if alert else reply).blocks):
        bold = isinstance(block, Line) and block.bold
        shown.append("\n" * bool(n)).append(clean(block.text), style="bold" if bold else "")
    for link in reply.links:
        shown.append("\n").append(link_text(link), style=f"link {clean(link.address)}")
    if not alert:
        for n, button in numbered(reply):
            shown.append("\n" if n == 1 else "  ")
            shown.append(f"{n}) {clean(button.label)}", style=_COLOURS[button.style])
        return shown
    railed = Text()
    lines = [piece for line in shown.split("\n") for piece in _fitting(line, console)]
    for n, line in enumerate(lines):
        railed.append("\n" * bool(n)).append(RAIL if n else HEAD, style="yellow").append_text(line)
    return railed


def _fitting(line: Text, console: Console | None) -> Sequence[Text]:
    """The line in pieces with room for the rail; whole where a word would be broken: an address is copied."""
    if console is None:
        return (line,)
    room = console.width - len(RAIL)
    if line.cell_len <= room or any(columns(word) > room for word in line.plain.split()):
        return (line,)
    pieces = [*line.wrap(console, room)]
    for piece in pieces:
        piece.rstrip()
    return pieces


def _typable(alert: Reply) -> Reply:
    """An alert's buttons as the commands behind them, unless its own text names those: numbers belong to the
    last answer."""
    said = "\n".join(block.text for block in alert.blocks)
    commands = [button.command for _, button in numbered(alert) if button.command.split()[0] not in said]
    typed = (Line(f"Type {' or '.join(commands)}"),) if commands else ()
    return replace(alert, blocks=(*alert.blocks, *typed), buttons=())
