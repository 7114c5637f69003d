"""The command line's console."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console


class ShellConsole(Console):
    """Whoever reads its answer in a pipe may leave before the end: ``backtests all | head``. Rich would end
    the process there with 1, as if something had failed; how it ends is for ``bot.py`` to say."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError
