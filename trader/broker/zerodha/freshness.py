"""Whether the book that Zerodha shows is of now. On 6 November 2023 a fifth of its clients read the past for
two hours while placing worked, so what is missing from a book proves nothing by itself (kite.md 12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from trader.domain.order import OrderId, OrderUpdate, Tag
from trader.domain.times import ist

AHEAD = timedelta(seconds=30)  # Zerodha's clock, that dates the rows, may be so far ahead of ours


@dataclass(frozen=True, slots=True)
class _Known:
    day: date
    tag: Tag | None
    filled: int = 0
    final: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What a book that is read from now on has to know."""

    orders: Mapping[OrderId, _Known]
    at: datetime | None


class Memory:
    """What Zerodha has told of today's orders by any way; a book that knows less is stale."""

    def __init__(self) -> None:
        self._known: dict[OrderId, _Known] = {}
        self._told_at: datetime | None = None
        self.proven_at: datetime | None = None  # a book was seen to know what happened at this time

    def acknowledged(self, order_id: OrderId, tag: Tag | None, at: datetime) -> None:
        before = self._known.get(order_id)
        known = _Known(ist(at).date(), tag) if before is None else replace(before, tag=tag or before.tag)
        self._known[order_id] = known
        self._told_at = at

    def heard(self, update: OrderUpdate, at: datetime) -> OrderUpdate:
        """The update, with its tag where the stream left that out (kite.md 4)."""
        known = self._grown(update, ist(at).date())
        self._known[update.order_id] = known
        self._told_at = at
        return update if update.tag == known.tag else replace(update, tag=known.tag)

    def told(self, now: datetime) -> Told:
        """To be taken before a book is read: of what is told meanwhile it need not know."""
        self._forget_before(ist(now).date())
        return Told(dict(self._known), self._told_at)

    def contradiction(self, book: Iterable[OrderUpdate], told: Told, now: datetime) -> str | None:
        """What the book should know and does not, as a clause; None for a book that can be believed, which is
        then remembered."""
        shown = {update.order_id: update for update in book}
        for order_id, known in told.orders.items():
            row = shown.get(order_id)
            if row is None:
                return f"order {order_id} is missing from it"
            if row.filled_quantity < known.filled:
                return f"it shows {row.filled_quantity} of {known.filled} filled units of order {order_id}"
            if known.final and not row.status.final:
                return f"it shows order {order_id}, which has ended, as {row.status}"
        today = ist(now).date()
        for order_id, row in shown.items():
            self._known[order_id] = self._grown(row, today)
        # What it dates itself proves as much: while the stream is deaf nothing else may (one without a date
        # has ``now``).
        dated = [row.at - AHEAD for row in shown.values() if row.at < now]
        proofs = [at for at in (self.proven_at, told.at, *dated) if at is not None]
        self.proven_at = max(proofs, default=None)
        return None

    def _grown(self, update: OrderUpdate, today: date) -> _Known:
        known = self._known.get(update.order_id) or _Known(today, None)
        return replace(
            known,
            day=min(ist(update.at).date(), today),
            tag=update.tag or known.tag,
            filled=max(known.filled, update.filled_quantity),
            final=known.final or update.status.final,
        )

    def _forget_before(self, today: date) -> None:
        """The book of a day begins empty."""
        self._known = {order_id: known for order_id, known in self._known.items() if known.day >= today}
