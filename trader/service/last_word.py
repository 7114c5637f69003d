"""The last word counts. Before the desk is told of something it is written down and looked into, in which no
other command is kept waiting: one that takes it back is carried out at once, and ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Pending:
    """``what`` is being looked into. ``overtaken`` is the command that took it back, as it is typed."""

    what: str
    overtaken: str = ""
    told: bool = False  # the desk has it by now: what comes later is behind it in the desk's own queue


class LastWord:
    def __init__(self) -> None:
        self._pending: list[Pending] = []

    @contextmanager
    def pending(self, what: str) -> Iterator[Pending]:
        """While it lasts it can be overtaken. Whoever looks into it asks for that before telling the desk,
        and sets ``told`` without waiting for anything in between."""
        one = Pending(what)
        self._pending.append(one)
        try:
            yield one
        finally:
            self._pending.remove(one)

    def overtake(self, what: str, by: str, before: Pending | None = None) -> int:
        """Take back whatever of this the desk has not been told of, or what of it came before another; how
        many that were."""
        earlier = self._pending if before is None else self._pending[: self._pending.index(before)]
        found = [one for one in earlier if one.what == what and not one.told]
        for one in found:
            one.overtaken = one.overtaken or by
        return len(found)

    def __iter__(self) -> Iterator[str]:
        """What is pending and was not taken back, oldest first."""
        found: Sequence[str] = [one.what for one in self._pending if not one.overtaken]
        return iter(dict.fromkeys(found))
