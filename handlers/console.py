"""The terminal as a transport: a prompt for people, a script's lines from a pipe."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import IO, TYPE_CHECKING

from handlers.confidential import for_show
from handlers.lines import lines_of
from handlers.message import Incoming, Kind, Outgoing, Reply, say
from handlers.policy import TERMINAL_USER
from handlers.registry import Call, Danger, command
from handlers.screen import Screen
from handlers.typed import no_more, typed
from trader.service.port import DeskPort

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

log = logging.getLogger(__name__)

QUIT_USAGE = "/quit"
_NUMBER = re.compile(r"([0-9]{1,3})[).]?")  # "1)", as it is shown
_GRACE = 3.0  # seconds for what is still being answered when somebody leaves


class Console:
    """Reads commands, hands them to ``dispatch``, shows the answers; ends with the input.

    ``words(text)`` offers completions for what is typed so far, with an explanation each.
    """

    def __init__(
        self,
        dispatch: Callable[[Incoming], Awaitable[Outgoing | None]],
        screen: Screen,
        *,
        now: Callable[[], datetime],
        words: Callable[[str], list[tuple[str, str]]] = lambda text: [],
        stdin: IO[str] | None = None,
        run_id: str | None = None,
    ) -> None:
        self._dispatch = dispatch
        self._screen = screen
        self._now = now
        self._words = words
        self._stdin = stdin
        self._run_id = run_id or secrets.token_hex(6)
        self._count = 0
        self._offered: tuple[str, ...] = ()  # nonces behind 1), 2), 3) … of the last reply

    async def run(self) -> None:
        """Until the input ends, or nobody reads the output any more."""
        try:
            await (self._converse() if self._screen.interactive else self._read_through())
        except BrokenPipeError:
            log.info("the terminal's reader is gone")

    # -- a script -----------------------------------------------------------------------------------

    async def _read_through(self) -> None:
        stdin = self._stdin or sys.stdin
        if stdin is None or stdin.closed:
            return  # a service without any input
        async for line in lines_of(stdin.fileno()):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            self._screen.note(f"> {for_show(text)}")  # what a script prints is kept by whoever runs it
            if _leaves(text):
                return
            await self._answer(text)

    # -- a person -----------------------------------------------------------------------------------

    async def _converse(self) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.patch_stdout import patch_stdout

        from handlers.completion import completer, history

        session: PromptSession[str] = PromptSession(
            history=history(), completer=completer(self._words), complete_while_typing=True
        )
        running: set[asyncio.Task[None]] = set()
        with patch_stdout(raw=True):  # raw: Rich's colours pass
            while (text := await _prompt(session)) is not None and not _leaves(text):
                if text:
                    # Each on its own: a long /wait must not keep anybody from typing /kill.
                    task = asyncio.create_task(self._answer(text))
                    running.add(task)
                    task.add_done_callback(running.discard)
            if running:
                await asyncio.wait(running, timeout=_GRACE)
            for task in running:
                task.cancel()

    # -- both ---------------------------------------------------------------------------------------

    async def _answer(self, text: str) -> None:
        kind = Kind.MESSAGE
        if match := _NUMBER.fullmatch(text):
            if not 1 <= int(match[1]) <= len(self._offered):
                self._screen.show(say(f"There is no choice {match[1]} to make."))
                return
            kind, text = Kind.PRESS, self._offered[int(match[1]) - 1]
        try:
            outgoing = await self._dispatch(self._incoming(kind, text))
        except Exception:
            log.exception("a command from the terminal failed")
            self._screen.show(say("That failed; the log has the reason."))
            return
        if outgoing is not None:
            self._show(outgoing)
            if outgoing.course is not None:
                await self._follow(outgoing.course)

    async def _follow(self, course: AsyncIterator[Outgoing]) -> None:
        """People see how it goes on, a script what it came to."""
        last: Outgoing | None = None
        async for last in course:
            if self._screen.interactive and len(last.reply.blocks) == 1:  # what says more is what it came to
                self._screen.note(last.reply.headline)
        if last is not None:
            self._show(last)

    def _show(self, outgoing: Outgoing) -> None:
        self._offered = tuple(nonce for row in outgoing.nonces for nonce in row)
        self._screen.show(outgoing.reply)

    def _incoming(self, kind: Kind, text: str) -> Incoming:
        self._count += 1
        at = self._now()
        return Incoming(
            source_id=f"term:{self._run_id}:{self._count}", kind=kind,
            user_id=TERMINAL_USER, user_name="terminal", chat_id=TERMINAL_USER, chat_type="terminal",
            text=text, sent_at=at, received_at=at,
        )  # fmt: skip


@command(
    "quit",
    help="End the desk; the next start goes on where it was",
    danger=Danger.READ,
    usage=QUIT_USAGE,
    aliases=("exit",),
    terminal_only=True,
    more="Strategies, positions and stops are kept. What is open stays open, and nobody watches it "
    "meanwhile. Alone only: /exit RELIANCE closes no position and ends nothing.",
)
async def quit_(desk: DeskPort, call: Call) -> Reply:
    """What is told where words stand behind it; alone, the console takes it before the dispatcher."""
    no_more(call.args, QUIT_USAGE)
    return say("The terminal ends with it.")


def _leaves(text: str) -> bool:
    found = typed(text)
    return found.name in (quit_.name, *quit_.aliases) and not found.args


async def _prompt(session: PromptSession[str]) -> str | None:
    """The next line, stripped; None at Ctrl-D, or at Ctrl-C with nothing typed."""
    try:
        return (await session.prompt_async("> ")).strip()
    except EOFError:
        return None
    except KeyboardInterrupt:
        return "" if session.default_buffer.text else None
