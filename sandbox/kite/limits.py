"""Request limits, counted per calendar second, minute and day of the server's clock (kite.md 10)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sandbox.kite.errors import KiteError, too_many_orders, too_many_requests


class Budget(StrEnum):
    PLACE = "place"
    CHANGE = "change"  # modify and cancel
    QUOTE = "quote"
    HISTORY = "history"
    OTHER = "other"
    FREE = "free"  # the login pages, the dump and what belongs to the sandbox itself


class Window:
    """Counts that begin anew with each second, minute or day of the calendar."""

    def __init__(self, form: str) -> None:
        self._form, self._name = form, ""
        self.counts: Counter[str] = Counter()

    def add(self, what: str, now: datetime) -> int:
        name = now.strftime(self._form)
        if name != self._name:
            self._name, self.counts = name, Counter()
        self.counts[what] += 1
        return self.counts[what]


@dataclass(slots=True)
class Limits:
    """The strict reading where sources disagree.

    Modify and cancel share the orders' second and minute, and count among the second's other calls too. The
    day counts placements.
    """

    orders_per_second: int = 10
    orders_per_minute: int = 400
    orders_per_day: int = 5_000
    quotes_per_second: int = 1
    history_per_second: int = 3
    others_per_second: int = 10
    on: bool = True
    refused: int = 0
    _second: Window = field(default_factory=lambda: Window("%Y%m%d%H%M%S"))
    _minute: Window = field(default_factory=lambda: Window("%Y%m%d%H%M"))
    _day: Window = field(default_factory=lambda: Window("%Y%m%d"))

    def spend(self, budget: Budget, now: datetime) -> None:
        """Count one request, refused ones too; raises KiteError 429 beyond the limit."""
        if not self.on or budget is Budget.FREE:
            return
        refusal = self._count(budget, now)
        if refusal is not None:
            self.refused += 1
            raise refusal

    def _count(self, budget: Budget, now: datetime) -> KiteError | None:
        if budget is Budget.QUOTE:
            return _over(self._second.add("quotes", now), self.quotes_per_second)
        if budget is Budget.HISTORY:
            return _over(self._second.add("history", now), self.history_per_second)
        if budget is Budget.OTHER:
            return _over(self._second.add("others", now), self.others_per_second)
        refusal = _over(self._second.add("orders", now), self.orders_per_second)
        if budget is Budget.CHANGE:
            refusal = _over(self._second.add("others", now), self.others_per_second) or refusal
        in_minute = self._minute.add("orders", now)
        on_day = self._day.add("placed", now) if budget is Budget.PLACE else 0
        if refusal is None and (in_minute > self.orders_per_minute or on_day > self.orders_per_day):
            return too_many_orders()
        return refusal


def _over(count: int, most: int) -> KiteError | None:
    return too_many_requests() if count > most else None
