"""Who may talk to the desk, and what becomes of a message that took its time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from handlers.confidential import for_show
from handlers.message import Incoming, Kind
from handlers.registry import Danger, Role
from handlers.render.text import one_line

log = logging.getLogger(__name__)

TERMINAL_USER = 0  # Telegram's user ids are positive
FRESH = timedelta(seconds=60)
READ_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Policy:
    """The allow-list. User ids, never chat ids or names: a chat has many members, a name changes hands.
    Empty refuses everybody; ``terminal`` lets whoever sits at the process's own terminal be owner."""

    owner_ids: frozenset[int] = frozenset()
    viewer_ids: frozenset[int] = frozenset()
    terminal: bool = False

    def role_of(self, incoming: Incoming) -> Role | None:
        """The sender's role, wherever the message was written; None for a stranger."""
        if incoming.chat_type == "terminal":
            return Role.OWNER if self.terminal and incoming.user_id == TERMINAL_USER else None
        return self.role_of_user(incoming.user_id)

    def role_of_user(self, user_id: int) -> Role | None:
        """By Telegram's numeric id, which is positive: what is missing must not look like a friend."""
        if user_id <= TERMINAL_USER:
            return None
        if user_id in self.owner_ids:
            return Role.OWNER
        return Role.VIEWER if user_id in self.viewer_ids else None

    def admits(self, incoming: Incoming) -> Role | None:
        """The role to act with, or None: also for a friend in a group, an edited or a forwarded message."""
        if incoming.chat_type not in ("private", "terminal"):
            return None
        if incoming.kind not in (Kind.MESSAGE, Kind.PRESS):
            return None
        return self.role_of(incoming)


class Timeliness(StrEnum):
    RUN = "run"
    RUN_STALE = "run stale"  # the handler does the least that is safe
    REFUSE = "refuse"
    REFUSE_CLOCK = "refuse, clocks disagree"
    DROP = "drop"


def timeliness(incoming: Incoming, danger: Danger, booted_at: datetime) -> Timeliness:
    """What to do with a command by its age.

    Telegram keeps messages a day and delivers them all at the next start, so an old /start_strategy must
    not run and an old /kill must still halt. Its dates are whole seconds, hence the rounding of the boot.
    """
    if incoming.chat_type == "terminal":
        return Timeliness.RUN
    age = incoming.received_at - incoming.sent_at
    stale = age > FRESH or incoming.sent_at < booted_at.replace(microsecond=0)
    if danger is Danger.ADDS_RISK:
        if age < -FRESH:  # this machine's clock is behind: no age means anything
            return Timeliness.REFUSE_CLOCK
        return Timeliness.REFUSE if stale else Timeliness.RUN
    if danger is Danger.REDUCES_RISK:
        return Timeliness.RUN_STALE if stale else Timeliness.RUN
    return Timeliness.DROP if age > READ_WITHIN else Timeliness.RUN


TellOwner = Callable[[str, str], Awaitable[None]]
"""An alert to the owner: title and body."""


class Strangers:
    """Counts unknown people and tells the owner of each at most once an hour, of a crowd once in all."""

    HOUR = 3600.0
    CROWD = 20

    def __init__(self, tell_owner: TellOwner, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._tell_owner = tell_owner
        self._monotonic = monotonic
        self._telling: set[asyncio.Task[None]] = set()  # the loop itself keeps no reference to its tasks
        self._told: dict[int, float] = {}
        self.count = 0

    def note(self, incoming: Incoming) -> bool:
        """Whether this one was news. The telling happens on its own: a refusal does not wait for it."""
        self.count += 1
        now = self._monotonic()
        self._told = {who: at for who, at in self._told.items() if now - at < self.HOUR}
        if incoming.user_id in self._told or len(self._told) > self.CROWD:
            return False
        self._told[incoming.user_id] = now
        log.warning("stranger %d refused (%s, %s)", incoming.user_id, incoming.kind, incoming.chat_type)
        self.tell(*self._alert(incoming))
        return True

    def tell(self, title: str, body: str) -> None:
        """Begin to tell the owner."""
        task = asyncio.get_running_loop().create_task(self._tell(title, body))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, title: str, body: str) -> None:
        try:
            await self._tell_owner(title, body)
        except Exception:
            log.exception("the owner could not be told: %s", title)

    def _alert(self, incoming: Incoming) -> tuple[str, str]:
        if len(self._told) > self.CROWD:
            return (
                "Many strangers are writing to the bot",
                f"{self.CROWD} different people within an hour; further ones are refused without a report.",
            )
        name = one_line(incoming.user_name, 40)
        # What a button carries is ours, and says nothing.
        text = "(pressed a button)" if incoming.kind is Kind.PRESS else one_line(for_show(incoming.text), 80)
        chat = one_line(incoming.chat_type, 20)
        return (
            "A stranger wrote to the bot",
            f"User {incoming.user_id} ({name or 'no name'}), {chat} chat: {text or '(nothing)'}"
            "\nRefused without an answer. If that was you, add the number to the allow-list.",
        )
