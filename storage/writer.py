"""The one writer: one transaction at a time, all or nothing."""

from __future__ import annotations

import asyncio
import sqlite3

from sqlalchemy.exc import DBAPIError

from storage.engines import said
from storage.pens import Pen
from storage.rows import Batch
from trader.domain.errors import CommitFailed, LedgerError


class Writer:
    """Writes batches, each durable when ``write`` returns.

    The pen's connection is kept between transactions and dropped after any failure: whatever state the
    failure left behind, the next write starts on a fresh one.
    """

    def __init__(self, pen: Pen, wait: float) -> None:
        self._pen = pen
        self._wait = wait  # seconds, for a turn; the pen waits as long again for the database's lock
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Future[None]] = set()  # the loop itself holds tasks weakly
        self._dropping: asyncio.Task[None]  # of the connection, after the last failure
        self._closed = False

    async def write(self, batch: Batch) -> None:
        """Raises CommitFailed. Cancelling the caller does not tear a transaction: it ends by itself."""
        if self._closed:
            raise CommitFailed("Nothing was recorded: the ledger is closed.")
        if self._running or (begun := self._begin(batch)) is None:
            task = asyncio.create_task(self._in_turn(batch))
            self._running.add(task)
            task.add_done_callback(self._ended)
            await asyncio.shield(task)
            return
        # Alone, as nearly always: a task of its own would be three more turns of the loop for an order.
        await self._turn.acquire()  # which is free, so nothing happens in between
        self._running.add(begun)
        begun.add_done_callback(self._begun_ended)
        try:
            await begun  # not shielded, which is one turn more; cancelled, it ends all the same, see below
        except Exception as fault:
            await asyncio.shield(self._dropping)
            raise CommitFailed(f"Nothing was recorded: {_reason(fault, self._wait)}") from fault

    def _begin(self, batch: Batch) -> asyncio.Future[None] | None:
        try:
            return self._pen.begin(batch)
        except Exception as fault:
            raise CommitFailed(f"Nothing was recorded: {_reason(fault, self._wait)}") from fault

    def _begun_ended(self, begun: asyncio.Future[None]) -> None:
        """Also when its caller went away, which cancels the future and not the transaction: the connection is
        closed after that has ended, and the next write waits for it on a fresh one."""
        if begun.cancelled() or begun.exception() is not None:
            self._dropping = asyncio.create_task(self._drop())
            self._running.add(self._dropping)
            self._dropping.add_done_callback(self._ended)
        else:
            self._turn.release()
        self._running.discard(begun)

    async def _drop(self) -> None:
        try:
            await self._pen.drop()
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Once the transactions already asked for have ended."""
        self._closed = True
        while self._running:
            await asyncio.wait(self._running)
        await self._pen.drop()

    def _ended(self, task: asyncio.Future[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so asyncio does not complain when a cancelled caller never does

    async def _in_turn(self, batch: Batch) -> None:
        try:
            async with asyncio.timeout(self._wait):
                await self._turn.acquire()
        except TimeoutError as fault:
            raise CommitFailed(
                f"Nothing was recorded: earlier writing has kept the ledger busy for {self._wait:g} s."
            ) from fault
        try:
            await self._write(batch)
        finally:
            self._turn.release()

    async def _write(self, batch: Batch) -> None:
        try:
            try:
                await self._pen.write(batch)
            except DBAPIError as fault:
                if not fault.connection_invalidated:
                    raise
                # The server went away, perhaps after taking the COMMIT. Writing the same records again
                # changes nothing if it did, so trying once more turns "perhaps" into a plain yes or no.
                await self._pen.drop()
                await self._pen.write(batch)
        except asyncio.CancelledError:
            await self._pen.drop()
            raise
        except Exception as fault:
            await self._pen.drop()
            raise CommitFailed(f"Nothing was recorded: {_reason(fault, self._wait)}") from fault


def _reason(fault: Exception, wait: float) -> str:
    if isinstance(fault, LedgerError):
        return str(fault)
    cause = fault.orig if isinstance(fault, DBAPIError) else fault
    words = said(fault)
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    if code == sqlite3.SQLITE_BUSY:
        return f"another program has kept the database locked for {wait:g} s. Close it. ({words})"
    if code == sqlite3.SQLITE_FULL:
        return f"the disk is full. Make space. ({words})"
    return words
