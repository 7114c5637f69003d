"""How many orders went out, by calendar second, minute and day, as the broker counts them (kite.md 10)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from trader.domain.times import ist


@dataclass(slots=True)
class OrderPace:
    """Counts sends. Seconds and minutes are calendar ones: the broker's clock counts that way, and a
    sliding window of the same size could still break its rule at the edge."""

    second: int = 0  # since year 1, on the exchange's clock
    in_second: int = 0
    minute: int = 0
    in_minute: int = 0
    day: date | None = None
    in_day: int = 0
    rolled: datetime | None = None  # when last

    def restore(self, sent_at: Iterable[datetime], in_day: int, day: date) -> None:
        for at in sorted(sent_at):
            self.count(at)
        self.day, self.in_day = day, in_day

    def roll(self, at: datetime) -> None:
        """Forget what belongs to an earlier second, minute or day."""
        if at == self.rolled:
            return
        self.rolled = at
        at = ist(at)
        minute = (at.toordinal() * 24 + at.hour) * 60 + at.minute
        second = minute * 60 + at.second
        if self.second == second:
            return
        self.second, self.in_second = second, 0
        if self.minute != minute:
            self.minute, self.in_minute = minute, 0
        day = at.date()
        if self.day != day:
            self.day, self.in_day = day, 0

    def count(self, at: datetime, *, placed: bool = True) -> None:
        """One request. Changes and cancels share the second and the minute with placements, but the day's
        limit counts placements only (kite.md 10)."""
        self.roll(at)
        self.in_second += 1
        self.in_minute += 1
        self.in_day += placed
