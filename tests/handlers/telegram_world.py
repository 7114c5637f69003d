"""A Telegram to test against: the local server, our service on it, and a dispatcher that takes notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from handlers.message import Button, Incoming, Kind, Outgoing, Reply, Style, say
from handlers.telegram.settings import Hooks, Menu, Pace, TelegramSettings
from handlers.telegram.supervisor import TelegramService
from sandbox.botapi import BotApiServer

OWNER, VIEWER, STRANGER = 4711, 4712, 6666
QUICK = Pace(
    poll=5,
    poll_pause=0.01,
    silence=1.5,
    look=0.02,
    http=0.4,
    request=2,
    acknowledge=0.5,
    backoff_first=0.02,
    backoff_most=0.1,
    answer_within=5,
    menu_again=0.02,
)


def confirm(*nonces: str) -> Outgoing:
    buttons = [Button("Flatten", "/flatten", Style.DANGER), Button("Keep", "/keep")]
    return Outgoing(Reply(say("Flatten 3 positions?").blocks, [buttons]), [list(nonces)])


@dataclass
class NotingDispatch:
    """Admits the owner and the viewer in private, answers from ``answers``, or echoes."""

    answers: dict[str, Outgoing | None] = field(default_factory=dict)
    slow: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    seen: list[Incoming] = field(default_factory=list)
    asked: list[Incoming] = field(default_factory=list)
    broken_gate: bool = False

    def allows(self, incoming: Incoming) -> bool:
        self.asked.append(incoming)
        if self.broken_gate:
            raise RuntimeError("the policy is broken")
        return incoming.user_id in (OWNER, VIEWER) and incoming.chat_type == "private"

    async def __call__(self, incoming: Incoming) -> Outgoing | None:
        self.seen.append(incoming)
        if incoming.text in self.slow:
            await self.slow[incoming.text]()
        if incoming.text in self.answers:
            return self.answers[incoming.text]
        return Outgoing(say(f"echo {incoming.text}"))

    def texts(self, kind: Kind = Kind.MESSAGE) -> list[str]:
        return [incoming.text for incoming in self.seen if incoming.kind is kind]


@dataclass
class World:
    server: BotApiServer
    settings: TelegramSettings
    menu: Menu | None
    pace: Pace
    dispatch: NotingDispatch = field(default_factory=NotingDispatch)
    conflicts: list[str] = field(default_factory=list)
    refused: list[Incoming] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.stop = asyncio.Event()
        self.service = TelegramService(
            self.settings,
            self.dispatch,
            hooks=Hooks(
                self.conflicts.append,
                self.refused.append,
                self.unreadable.append,
                on_unanswered=lambda incoming: self.unanswered.append(incoming.text),
            ),
            menu=self.menu,
            with_nonces=lambda user, reply: Outgoing(
                reply, [["n" * 8 for _ in row] for row in reply.buttons]
            ),
            pace=self.pace,
        )
        self.running = asyncio.create_task(self.service.run(self.stop))

    async def end(self) -> None:
        """The promise: stopped within 8 s, whatever state it is in."""
        self.stop.set()
        async with asyncio.timeout(8):
            await self.running

    async def echoes(self, text: str, within: float = 8.0) -> None:
        """The bot hears and answers: the proof that it is alive."""
        self.server.say(OWNER, text)
        await self.server.wait_for_text(OWNER, f"echo {text}", within)

    async def connected(self) -> None:
        """A good poll has been answered and the next one is open."""
        await self.server.wait_for(lambda: self.server.updates.polled)


@asynccontextmanager
async def world(
    *, menu: Menu | None = None, pace: Pace = QUICK, up: bool = True, alert_viewers: bool = False
) -> AsyncIterator[World]:
    async with BotApiServer(conflict_delay=0.05) as server:
        if not up:
            await server.go_down()
        settings = TelegramSettings(
            server.token, (OWNER,), (VIEWER,), api_url=server.base_url, alert_viewers=alert_viewers
        )
        w = World(server, settings, menu, pace)
        w.start()
        try:
            yield w
        finally:
            await w.end()
