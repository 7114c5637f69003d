"""Changes and cancels that the broker refused: the same again is asked for ever less often.

Asked for every second they would use up the minute's requests, which exits need.

And orders that it refused when they were placed, which may have been taken all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trader.domain.order import OrderType, Tag

AGAIN = tuple(timedelta(seconds=s) for s in (1, 2, 4, 8, 15, 30))

# A refused order that the broker took all the same (faults.md 10) may be invisible for 83 s (faults.md 2).
TURNS_UP_WITHIN = timedelta(seconds=120)

Asked = tuple[int, OrderType, Decimal | None, Decimal | None] | None  # the terms of a change; None: a cancel


@dataclass(frozen=True, slots=True)
class _Refused:
    """Of one request, made once or again and again."""

    asked: Asked
    before: int  # how often in a row, before this one
    at: datetime

    @property
    def again_at(self) -> datetime:
        return self.at + AGAIN[min(self.before, len(AGAIN) - 1)]


class Refusals:
    """Not recorded: after a restart it is asked for at once."""

    def __init__(self) -> None:
        self._asked: dict[Tag, Asked] = {}  # the newest request about each order
        self._refused: dict[Tag, _Refused] = {}
        self._placements: dict[Tag, datetime] = {}  # refused, and not seen since: when
        self._too_many: set[Tag] = set()  # those of them that were refused for the pace of requests

    def placement(self, tag: Tag, at: datetime, *, too_many: bool) -> None:
        self._placements[tag] = at
        if too_many:
            self._too_many.add(tag)

    def too_many(self, tag: Tag) -> bool:
        """Whether its placing was refused for the pace of requests, which says nothing about the order."""
        return tag in self._too_many

    def doubtful(self, at: datetime) -> set[Tag]:
        """What was refused so lately that it may turn up in the book all the same."""
        for tag in [tag for tag, since in self._placements.items() if at - since >= TURNS_UP_WITHIN]:
            del self._placements[tag]
            self._too_many.discard(tag)
        return set(self._placements)

    def hold(self, tag: Tag, asked: Asked, at: datetime) -> bool:
        """Whether just this was refused a moment ago."""
        known = self._refused.get(tag)
        return known is not None and known.asked == asked and at < known.again_at

    def sent(self, tag: Tag, asked: Asked) -> None:
        self._asked[tag] = asked

    def refused(self, tag: Tag, at: datetime) -> None:
        asked, known = self._asked.get(tag), self._refused.get(tag)
        before = known.before + 1 if known is not None and known.asked == asked else 0
        self._refused[tag] = _Refused(asked, before, at)

    def since(self, tag: Tag, at: datetime | None) -> bool:
        """Whether anything about this order was refused after ``at``."""
        known = self._refused.get(tag)
        return known is not None and (at is None or known.at > at)

    def moved(self, tag: Tag) -> None:
        """The broker told something new of the order: what it refused before, it may take now."""
        self._refused.pop(tag, None)
        self._placements.pop(tag, None)
        self._too_many.discard(tag)

    def forget(self, tag: Tag) -> None:
        self._refused.pop(tag, None)
        self._asked.pop(tag, None)
