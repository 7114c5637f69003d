"""The commands of the chat, each registered once. Help, menus, the list BotFather shows, authorisation and
"did you mean" all derive from here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from handlers.message import Reply
from trader.domain.errors import UnknownName, nearest
from trader.service.port import DeskPort

_NAME = re.compile(r"[a-z0-9_]{1,32}")  # Telegram's rule for command names
_DESCRIPTION_LENGTH = 256  # Telegram's limit for the text beside a command


class Role(StrEnum):
    """Who may use a command: VIEWER means everybody on the lists, OWNER the owners alone."""

    OWNER = "owner"
    VIEWER = "viewer"

    def may(self, needed: Role) -> bool:
        return self is Role.OWNER or needed is Role.VIEWER


class Danger(StrEnum):
    """What a late or repeated command can do; decides what happens to stale ones (dispatch.py)."""

    READ = "read"
    ADDS_RISK = "adds risk"
    REDUCES_RISK = "reduces risk"


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a command.

    ``confirmed``: it came from a button. ``stale``: it was sent too long ago to be taken at its word;
    only commands that reduce risk are ever run stale, and they must do the least that is safe.
    """

    args: tuple[str, ...]
    raw: str
    actor: str
    source_id: str
    role: Role
    confirmed: bool = False
    terminal: bool = False
    stale: bool = False
    age: timedelta = timedelta(0)


Handler = Callable[[DeskPort, Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Command:
    """A handler with everything chat needs to know of it. ``secret`` keeps its arguments out of the audit."""

    name: str
    run: Handler
    help: str
    role: Role
    danger: Danger
    usage: str
    aliases: tuple[str, ...]
    terminal_only: bool
    secret: bool
    more: str

    async def __call__(self, desk: DeskPort, call: Call) -> Reply:
        return await self.run(desk, call)


def command(
    name: str,
    *,
    help: str,  # the field's own word; the built-in is not needed here
    role: Role = Role.OWNER,
    danger: Danger,
    usage: str = "",
    aliases: Sequence[str] = (),
    terminal_only: bool = False,
    secret: bool = False,
    more: str = "",
) -> Callable[[Handler], Command]:
    """Make a plain async function a command. ``help`` is one line, ``usage`` begins with a slash,
    ``more`` is what /help adds about this command alone."""
    for word in (name, *aliases):
        if not _NAME.fullmatch(word):
            raise ValueError(f"A command name is 1 to 32 of a-z, 0-9 and _, was {word!r}")
    if not help or len(help) > _DESCRIPTION_LENGTH:
        raise ValueError(f"/{name} needs a help line of 1 to {_DESCRIPTION_LENGTH} characters")
    if danger is Danger.ADDS_RISK and role is not Role.OWNER:
        raise ValueError(f"/{name} adds risk, so it is the owner's alone")

    def register(run: Handler) -> Command:
        return Command(
            name=name, run=run, help=help, role=role, danger=danger, usage=usage or f"/{name}",
            aliases=tuple(aliases), terminal_only=terminal_only, secret=secret, more=more,
        )  # fmt: skip

    return register


class Registry:
    """Commands in sections, in the order help shows them. Two of one name are a ValueError."""

    def __init__(self, sections: Mapping[str, Sequence[Command]]) -> None:
        self.sections = {title: tuple(commands) for title, commands in sections.items()}
        self._by_name: dict[str, Command] = {}
        for item in self:
            for word in (item.name, *item.aliases):
                if word in self._by_name:
                    raise ValueError(f"Two commands are called /{word}")
                self._by_name[word] = item

    def __iter__(self) -> Iterator[Command]:
        for commands in self.sections.values():
            yield from commands

    def find(self, name: str) -> Command | None:
        """By name or alias, with or without the slash, in any case."""
        return self._by_name.get(name.removeprefix("/").casefold())

    def get(self, name: str, *, role: Role = Role.OWNER) -> Command:
        """Like ``find``; raises UnknownName with the nearest command this role may use."""
        found = self.find(name)
        if found is None or not role.may(found.role):
            raise UnknownName("command", name.removeprefix("/")[:32], self.names(role))
        return found

    def names(self, role: Role = Role.OWNER) -> list[str]:
        return [item.name for item in self if role.may(item.role)]

    def suggest(self, name: str) -> str | None:
        """The command somebody who typed ``name`` probably meant."""
        near = nearest(name.removeprefix("/")[:32], self._by_name)
        return self._by_name[near].name if near else None

    def bot_commands(self, role: Role = Role.OWNER) -> list[tuple[str, str]]:
        """(name, description) for the menu Telegram shows this role."""
        return [(i.name, i.help) for i in self if role.may(i.role) and not i.terminal_only]
