"""The paper exchange's journal: in the ledger's database, and in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from storage.kinds import storable
from trader.broker.paper.journal import PaperExecution, PaperOrder, PaperState
from trader.domain.errors import CommitFailed
from trader.domain.order import OrderId
from trader.domain.times import ist

if TYPE_CHECKING:
    from storage.ledger import SqlLedger


class SqlPaperJournal:
    """``PaperJournal`` in an open ledger's database, written in turn with its commits. Raises CommitFailed,
    LedgerError."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger

    async def load(self) -> PaperState:
        from storage import paper_rows

        async with self._ledger.reading() as connection:
            return await paper_rows.load(connection)

    async def append(self, orders: Sequence[PaperOrder], executions: Sequence[PaperExecution] = ()) -> None:
        from storage import paper_rows

        try:
            batch = paper_rows.batch(orders, executions)
        except (TypeError, ValueError, OverflowError) as fault:
            raise CommitFailed(f"Nothing was recorded: {fault}") from fault
        await self._ledger.write(batch)


class MemoryPaperJournal:
    """``PaperJournal`` in dictionaries. Set ``fail_next_append`` and the next one raises, once."""

    def __init__(self) -> None:
        self.fail_next_append = False
        self._orders: dict[OrderId, PaperOrder] = {}
        self._executions: dict[str, PaperExecution] = {}

    async def load(self) -> PaperState:
        newest = max((ist(o.placed_at).date() for o in self._orders.values()), default=None)
        needed = [
            o
            for o in self._orders.values()
            if o.update.filled_quantity > 0 or not o.update.status.final or ist(o.placed_at).date() == newest
        ]
        return PaperState(
            orders=tuple(sorted(needed, key=lambda order: order.placed_at)),
            executions=tuple(self._executions.values()),
            serial=len(self._orders),
        )

    async def append(self, orders: Sequence[PaperOrder], executions: Sequence[PaperExecution] = ()) -> None:
        fail, self.fail_next_append = self.fail_next_append, False
        if fail:
            raise CommitFailed("Nothing was recorded: as a test wanted")
        try:
            kept = [storable(order) for order in orders]
            executed = [storable(execution) for execution in executions]
        except (TypeError, ValueError, OverflowError) as fault:
            raise CommitFailed(f"Nothing was recorded: {fault}") from fault
        for order in kept:
            self._orders[order.update.order_id] = order
        for execution in executed:
            self._executions.setdefault(execution.execution_id, execution)
