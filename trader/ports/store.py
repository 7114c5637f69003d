"""The ledger's seam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from trader.domain.order import Order, Tag
from trader.domain.position import DayResult, Fill, Trade
from trader.domain.records import Alert, AuditEntry, LedgerState, OrderEvent, Record, SessionRecord


@dataclass(frozen=True, slots=True)
class PendingAlert:
    """An alert that has not reached everybody; ``delivered_to`` lists the recipients it did reach."""

    alert: Alert
    delivered_to: frozenset[str]


class Store(Protocol):
    """Durable records. One writer; every ``commit`` is one transaction, all or nothing, on the disk when
    it returns. Reads see everything committed."""

    async def open(self) -> None:
        """Migrate if needed and be ready. Raises LedgerTooNew, LedgerError."""
        ...

    async def close(self) -> None: ...

    async def commit(self, records: Sequence[Record]) -> None:
        """Write all records, or raise CommitFailed having written none. A Fill, Trade, OrderEvent or Alert
        already known by its id is left as it is; the other kinds replace the value of the same key."""
        ...

    async def load(self) -> LedgerState:
        """The state to restore."""
        ...

    async def pending_alerts(self, recipients: Sequence[str]) -> list[PendingAlert]:
        """Alerts not yet delivered to all of ``recipients``, by priority, then age."""
        ...

    async def audit_entry(self, source_id: str) -> AuditEntry | None: ...

    async def audit_trail(self, limit: int) -> list[AuditEntry]:
        """Newest first."""
        ...

    async def fills(self, day: date | None = None, limit: int = 1000) -> list[Fill]:
        """Oldest first; of one exchange day, or the last ``limit`` of all."""
        ...

    async def trades(self, day: date | None = None, limit: int = 1000) -> list[Trade]:
        """Round trips by exit time, oldest first; of one exchange day, or the last ``limit`` of all."""
        ...

    async def orders(self, day: date | None = None, limit: int = 1000) -> list[Order]:
        """By creation, oldest first; of one exchange day, or the last ``limit`` of all."""
        ...

    async def order_events(self, tag: Tag) -> list[OrderEvent]: ...

    async def day_results(self, day: date) -> list[DayResult]: ...

    async def sessions(self) -> list[SessionRecord]:
        """All runs of the process, oldest first."""
        ...
