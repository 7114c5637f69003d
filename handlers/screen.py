"""What the terminal prints on: plain text into pipes and files, colour for people."""

from __future__ import annotations

import sys
from typing import IO, Protocol

from handlers.channel import ChannelDown
from handlers.message import Reply
from handlers.render.terminal import plain, plain_alert, rich_text


class Screen(Protocol):
    """Prints at once. Raises OSError or ValueError when nobody is there to read any more."""

    @property
    def interactive(self) -> bool: ...

    def show(self, reply: Reply) -> None: ...

    def alert(self, reply: Reply) -> None: ...

    def note(self, text: str) -> None: ...


class PlainScreen:
    """Text without escape codes, flushed after each block so a pipe's reader sees it in time."""

    interactive = False

    def __init__(self, stdout: IO[str] | None = None) -> None:
        self._stdout = stdout

    def show(self, reply: Reply) -> None:
        self.note(plain(reply) + "\n")

    def alert(self, reply: Reply) -> None:
        self.note(plain_alert(reply))

    def note(self, text: str) -> None:
        print(text, file=self._stdout or sys.stdout, flush=True)


class RichScreen:
    """Colour. Looks up ``sys.stdout`` at every print, so alerts appear above an open prompt."""

    interactive = True

    def __init__(self, stdout: IO[str] | None = None) -> None:
        from rich.console import Console

        # Under an open prompt sys.stdout is prompt_toolkit's proxy, which Rich would take for no terminal.
        self._console = Console(file=stdout, force_terminal=True, highlight=False, markup=False)

    def show(self, reply: Reply) -> None:
        self._console.print(rich_text(reply))

    def alert(self, reply: Reply) -> None:
        self._console.print(rich_text(reply, alert=True, console=self._console))

    def note(self, text: str) -> None:
        self._console.print(text, style="dim")


def screen_of(stdin: IO[str] | None, stdout: IO[str] | None) -> Screen:
    """A screen for people if both ends are a terminal, else plain text."""
    both = stdin is not None and stdout is not None and stdin.isatty() and stdout.isatty()
    return RichScreen() if both else PlainScreen()


class ConsoleChannel:
    """Alerts for whoever sits at the terminal, silent or not."""

    recipients = ("terminal",)

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    async def send(self, recipient: str, message: Reply, *, silent: bool) -> None:
        try:
            self._screen.alert(message)
        except (OSError, ValueError) as gone:
            raise ChannelDown("the terminal is gone") from gone
