"""What is to happen later, on a clock that belongs to the caller."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from sandbox.kite.times import IST, Clock

Action = Callable[[], None]


class Agenda:
    """Nothing happens by itself: whoever moves the clock, or has a request to serve, calls ``run``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[tuple[datetime, int, Action]] = []
        self._number = count()
        self._present: datetime | None = None  # while something overdue is done: when it was due
        self.added: Action = lambda: None  # called whenever something is put on the agenda

    @property
    def now(self) -> datetime:
        if self._present is not None:
            return self._present
        at = self._clock()
        if at.tzinfo is None:
            raise ValueError(f"The sandbox's clock must give aware times, gave {at!r}")
        return at.astimezone(IST)

    def at(self, when: datetime, action: Action) -> None:
        heapq.heappush(self._waiting, (when, next(self._number), action))
        self.added()

    def after(self, seconds: float, action: Action) -> None:
        self.at(self.now + timedelta(seconds=seconds), action)

    def run(self) -> None:
        """Do all that is due, in order, each as of its own time, however far the clock has jumped.

        What that puts on the agenda is done too if it falls due.
        """
        if self._present is not None:
            return
        now = self.now
        try:
            while self._waiting and self._waiting[0][0] <= now:
                due, _, action = heapq.heappop(self._waiting)
                self._present = due.astimezone(IST)
                action()
        finally:
            self._present = None

    @property
    def next_due(self) -> datetime | None:
        return self._waiting[0][0] if self._waiting else None
