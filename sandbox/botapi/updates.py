"""The queue of updates and the long poll that empties it.

Rules after tdlib/telegram-bot-api Client.cpp: an offset deletes every older update for good; messages are
kept 24 hours, button presses 150 seconds; a second poller ends the first one's poll with 409, and from the
second time on that answer comes 3 seconds late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.botapi.changes import Changes
from sandbox.botapi.errors import Json, refusal

KEPT = {"callback_query": timedelta(seconds=150)}
KEPT_OTHERWISE = timedelta(hours=24)
NEVER_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
LONGEST_POLL = 50  # seconds; the server caps what is asked


@dataclass(slots=True)
class _Pending:
    update_id: int
    kind: str
    body: Json
    since: datetime
    again: bool = False  # to be sent once more although acknowledged: until then no offset deletes it


class UpdateQueue:
    def __init__(self, changes: Changes, now: Callable[[], datetime], conflict_delay: float) -> None:
        self._changes, self._now, self._conflict_delay = changes, now, conflict_delay
        self._pending: list[_Pending] = []
        self._given: dict[int, _Pending] = {}  # everything ever queued, to be sent again
        self._allowed: frozenset[str] = frozenset()  # empty: Telegram's default
        self._next_id = 700_000_001
        self._poller: object | None = None
        self._late_conflict_until = 0.0
        self.closed = False

    @property
    def waiting(self) -> int:
        """Updates not yet acknowledged."""
        return len(self._pending)

    @property
    def polled(self) -> bool:
        """A long poll is open just now."""
        return self._poller is not None

    def put(self, kind: str, body: Json, update_id: int | None = None) -> int:
        number = self._next_id if update_id is None else update_id
        self._next_id = max(self._next_id, number + 1)
        if kind in self._allowed or (not self._allowed and kind not in NEVER_BY_DEFAULT):
            self._given[number] = _Pending(number, kind, body, self._now())
            self._pending.append(self._given[number])
            self._changes.changed()
        return number

    def put_again(self, update_id: int) -> None:
        first = self._given[update_id]
        self._pending.append(_Pending(first.update_id, first.kind, first.body, self._now(), again=True))
        self._changes.changed()

    async def poll(self, offset: int, limit: int, seconds: float, allowed: list[str] | None) -> list[Json]:
        """getUpdates. Raises ApiError 409 when another poll takes over."""
        if allowed is not None:
            self._allowed = frozenset(allowed)
        self._poller = me = object()
        self._changes.changed()
        self._forget(offset)
        try:
            if seconds > 0:
                await self._changes.until(lambda: self._is_over(me), min(seconds, LONGEST_POLL))
        except TimeoutError:
            return []
        finally:
            superseded = self._poller is not me
            if not superseded:
                self._poller = None
        if superseded:
            await self._be_late()
            raise refusal(409)
        batch = self._pending[: max(1, min(limit, 100))]
        for one in batch:
            one.again = False  # like any other now: should its reader have died, the next one gets it
        return [{"update_id": one.update_id, one.kind: one.body} for one in batch]

    def _is_over(self, poller: object) -> bool:
        return self._poller is not poller or bool(self._pending) or self.closed

    def _forget(self, offset: int) -> None:
        now = self._now()
        if offset < 0:  # counts from the end; everything before is forgotten
            self._pending = self._pending[offset:]
        self._pending = [
            one
            for one in self._pending
            if (one.again or one.update_id >= offset) and now - one.since < KEPT.get(one.kind, KEPT_OTHERWISE)
        ]

    async def _be_late(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._late_conflict_until:
            await asyncio.sleep(self._conflict_delay)
        else:
            self._late_conflict_until = loop.time() + self._conflict_delay
