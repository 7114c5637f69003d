"""The ledger in a SQL database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage import reading
from storage.engines import database_url, reading_engine, said, sqlite_path, writing_engine
from storage.migrate import MIGRATIONS, Migrations, prepare, require_current, standing
from storage.pens import CorePen, Pen, SqlitePen
from storage.rows import FILL, ORDER, TRADE, Batch, batch_of
from storage.sqlite_file import damaged
from storage.writer import Writer
from trader.domain.errors import CommitFailed, LedgerError
from trader.domain.order import Order, Tag
from trader.domain.position import DayResult, Fill, Trade
from trader.domain.records import AuditEntry, LedgerState, OrderEvent, Record, SessionRecord
from trader.ports.store import PendingAlert

LOCK_WAIT = 5.0  # seconds a commit waits for somebody else's lock before it fails
LEASE_WAIT = 12.0  # seconds for another desk to leave, which takes one that was told to stop 8 at most


class SqlLedger:
    """``Store`` on SQLite or PostgreSQL. ``url`` is DATABASE_URL; ``copied_to``, after ``open``, is the
    copy made before an upgrade, if there was one."""

    def __init__(
        self,
        url: str,
        *,
        lock_wait: float = LOCK_WAIT,
        lease_wait: float = LEASE_WAIT,
        migrations: Migrations = MIGRATIONS,
    ) -> None:
        self.url = database_url(url)
        self.copied_to: Path | None = None
        self._lock_wait = lock_wait
        self._lease_wait = lease_wait
        self._migrations = migrations
        self._engines: tuple[AsyncEngine, ...] | None = None  # the last one is read by
        self._writer: Writer | None = None

    async def open(self) -> None:
        if self._writer is not None:
            return
        engines = (writing_engine(self.url, self._lock_wait), reading_engine(self.url, self._lock_wait))
        pen = self.pen(engines[0])
        try:
            await self._begin(pen)
            self.copied_to = await prepare(engines[0], self._migrations, self._lock_wait)
        except BaseException:
            await pen.drop()
            for engine in engines:
                await engine.dispose()
            raise
        self._engines = engines
        self._writer = Writer(pen, self._lock_wait)

    async def open_to_read(self) -> None:
        """For who only looks: nothing is made, upgraded or locked, and a running desk is not in the way.
        LedgerError where there are no records, or those of another version."""
        engine = reading_engine(self.url, self._lock_wait)
        try:
            await require_current(engine, self._migrations, self._lock_wait)
        except BaseException:
            await engine.dispose()
            raise
        self._engines = (engine,)

    async def _begin(self, pen: Pen) -> None:
        try:
            await pen.open()
        except (SQLAlchemyError, OSError) as fault:
            where = self.url.render_as_string(hide_password=True)
            raise LedgerError(f"The ledger at {where} cannot be reached: {said(fault)}") from fault

    def pen(self, engine: AsyncEngine) -> Pen:
        path = sqlite_path(self.url)
        return SqlitePen(path, self._lock_wait) if path else CorePen(engine, self._lease_wait)

    async def standing(self) -> str:
        """How the database stands, in a sentence; it is left as it is. Raises LedgerTooNew, LedgerError."""
        engine = reading_engine(self.url, self._lock_wait)
        try:
            return await standing(engine, self._migrations, self._lock_wait)
        finally:
            await engine.dispose()

    async def close(self) -> None:
        """Once what is being written is written. Closing twice is no error."""
        writer, self._writer = self._writer, None
        engines, self._engines = self._engines, None
        if writer is not None:
            await writer.close()
        for engine in engines or ():
            await engine.dispose()

    async def commit(self, records: Sequence[Record]) -> None:
        try:
            batch = batch_of(records)
        except (TypeError, ValueError, OverflowError) as fault:
            raise CommitFailed(f"Nothing was recorded: {fault}") from fault
        await self.write(batch)

    async def write(self, batch: Batch) -> None:
        """One transaction of rows, in turn with all others; the paper journal shares it."""
        if self._writer is None:
            raise CommitFailed("Nothing was recorded: the ledger is not open.")
        if batch:
            await self._writer.write(batch)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose queries all see one moment."""
        if self._engines is None:
            raise LedgerError("The ledger is not open.")
        try:
            async with self._engines[-1].begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as fault:
            raise LedgerError(f"The ledger cannot be read: {said(fault)}") from fault
        except (ValueError, ArithmeticError) as fault:  # of a row whose bytes are not what was written
            path, how = sqlite_path(self.url), f"a record makes no sense: {said(fault)}"
            words = damaged(path, how) if path else f"The ledger is damaged ({how}). Put a backup back."
            raise LedgerError(words) from fault

    async def load(self) -> LedgerState:
        async with self.reading() as connection:
            return await reading.load(connection)

    async def pending_alerts(self, recipients: Sequence[str]) -> list[PendingAlert]:
        async with self.reading() as connection:
            return await reading.pending_alerts(connection, recipients)

    async def audit_entry(self, source_id: str) -> AuditEntry | None:
        async with self.reading() as connection:
            return await reading.audit_entry(connection, source_id)

    async def audit_trail(self, limit: int) -> list[AuditEntry]:
        async with self.reading() as connection:
            return await reading.audit_trail(connection, limit)

    async def fills(self, day: date | None = None, limit: int = 1000) -> list[Fill]:
        async with self.reading() as connection:
            return await reading.recent(connection, FILL, "at", day, limit)

    async def trades(self, day: date | None = None, limit: int = 1000) -> list[Trade]:
        async with self.reading() as connection:
            return await reading.recent(connection, TRADE, "exit_at", day, limit)

    async def orders(self, day: date | None = None, limit: int = 1000) -> list[Order]:
        async with self.reading() as connection:
            return await reading.recent(connection, ORDER, "created_at", day, limit)

    async def order_events(self, tag: Tag) -> list[OrderEvent]:
        async with self.reading() as connection:
            return await reading.order_events(connection, tag)

    async def sessions(self) -> list[SessionRecord]:
        async with self.reading() as connection:
            return await reading.sessions(connection)

    async def day_results(self, day: date) -> list[DayResult]:
        async with self.reading() as connection:
            return await reading.day_results(connection, day)
