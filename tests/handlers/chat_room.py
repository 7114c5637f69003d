"""A dispatcher with everything around it: people who type and press, a clock that is set by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fake_desk import FakeDesk

from handlers.commands import build_registry
from handlers.dispatch import Dispatcher
from handlers.house import House
from handlers.message import Incoming, Kind, Outgoing
from handlers.policy import Policy
from handlers.registry import Registry
from handlers.render.terminal import plain
from trader.domain.times import IST

OWNER, VIEWER, STRANGER = 4711, 99, 666
BOOTED = datetime(2026, 11, 21, 9, 0, 0, tzinfo=IST)
WALL = BOOTED + timedelta(hours=1)


@dataclass
class Room:
    """``typed`` and ``pressed`` return what the person sees; ``told`` is what the owner hears."""

    desk: FakeDesk = field(default_factory=FakeDesk)
    policy: Policy = field(
        default_factory=lambda: Policy(frozenset({OWNER}), frozenset({VIEWER}), terminal=True)
    )
    told: list[tuple[str, str]] = field(default_factory=list)
    mutes: list[datetime | None] = field(default_factory=list)
    seconds: float = 1000.0
    answer_within: float = 60.0
    extra: Registry | None = None

    def __post_init__(self) -> None:
        self.count = 0
        self.registry = self.extra or build_registry(House(self.mutes.append, lambda: WALL))
        self.dispatcher = Dispatcher(
            self.registry,
            self.desk,
            self.policy,
            booted_at=BOOTED,
            tell_owner=self.tell_owner,
            monotonic=lambda: self.seconds,
            answer_within=self.answer_within,
        )

    async def tell_owner(self, title: str, body: str) -> None:
        self.told.append((title, body))

    async def hears(self) -> list[tuple[str, str]]:
        """What the owner has been told, once all of it has arrived."""
        await asyncio.gather(*self.dispatcher.strangers._telling)
        return self.told

    def message(self, text: str, user: int = OWNER, *, kind: Kind = Kind.MESSAGE, age: float = 0.5,
                chat: str = "private", source_id: str = "") -> Incoming:  # fmt: skip
        self.count += 1
        return Incoming(
            source_id=source_id or f"tg:{self.count}",
            kind=kind,
            user_id=user,
            user_name="Somebody",
            chat_id=-100 if chat == "group" else user,
            chat_type=chat,
            text=text,
            sent_at=WALL - timedelta(seconds=age),
            received_at=WALL,
        )

    def from_terminal(self, text: str) -> Incoming:
        return self.message(text, 0, chat="terminal")

    async def typed(self, text: str, user: int = OWNER, *, age: float = 0.5) -> str | None:
        return seen(await self.dispatcher(self.message(text, user, age=age)))

    async def offered(self, text: str, user: int = OWNER) -> Outgoing:
        """The answer with its buttons."""
        outgoing = await self.dispatcher(self.message(text, user))
        assert outgoing is not None
        return outgoing

    async def press(self, outgoing: Outgoing, label: str, user: int = OWNER) -> Outgoing:
        answer = await self.dispatcher(self.message(nonce(outgoing, label), user, kind=Kind.PRESS))
        assert answer is not None
        return answer

    async def pressed(self, outgoing: Outgoing, label: str, user: int = OWNER) -> str | None:
        return seen(await self.press(outgoing, label, user))


def nonce(outgoing: Outgoing, label: str) -> str:
    for buttons, nonces in zip(outgoing.reply.buttons, outgoing.nonces, strict=True):
        for button, made in zip(buttons, nonces, strict=True):
            if button.label == label:
                return made
    raise AssertionError(f"no button {label!r} in {plain(outgoing.reply)!r}")


def seen(outgoing: Outgoing | None) -> str | None:
    return None if outgoing is None else plain(outgoing.reply)
