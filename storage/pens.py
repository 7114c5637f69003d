"""How a transaction reaches the disk: SQLAlchemy's connection in general, a shorter way for SQLite.

Through SQLAlchemy every statement on aiosqlite is three visits to its thread, 0.2 ms each: 4 ms for a commit
of five records (measured, 2 vCPU). So for SQLite the same Core statements are compiled once and the whole
transaction is one visit: 0.7 ms, most of it the disk's. What SQLite adds to every few hundredth commit, the
copying of its log, is done behind the commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import aiosqlite
from sqlalchemy import TypeDecorator
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import TypeEngine

from storage.engines import keep_promises
from storage.lease import Lease
from storage.rows import Batch, Row, Shape, statement

Statement = tuple[str, list[list[Any]]]
COPIED_EVERY = 200  # rows; an order's is five pages of the log, and SQLite's own measure is 1,000 pages
_DIALECT = sqlite.dialect(paramstyle="qmark")


class Pen(Protocol):
    """Holds one connection, made when first needed."""

    async def open(self) -> None:
        """Whatever must be had before anything else is done. AlreadyRunning: another desk has it."""
        ...

    def begin(self, batch: Batch) -> asyncio.Future[None] | None:
        """What ``write`` does, under way already and ending by itself, whoever waits; None where only
        ``write`` can."""
        ...

    async def write(self, batch: Batch) -> None:
        """One transaction. After an error the pen must be dropped before it is used again."""
        ...

    async def drop(self) -> None:
        """Close the connection, which ends any transaction. Never raises."""
        ...


class CorePen:
    """Any database SQLAlchemy knows. On a server its connection is the desk's lease."""

    def __init__(self, engine: AsyncEngine, wait: float) -> None:
        """``wait``: seconds for another desk to leave."""
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._lease = Lease(wait) if engine.dialect.name == "postgresql" else None

    async def open(self) -> None:
        if self._lease is not None:
            await self._connected()

    def begin(self, batch: Batch) -> asyncio.Future[None] | None:
        del batch
        return None

    async def write(self, batch: Batch) -> None:
        connection = await self._connected()
        async with connection.begin():
            for shape, rows in batch.items():
                named = [dict(zip(shape.columns, row, strict=True)) for row in rows]
                await connection.execute(statement(shape, connection.dialect.name), named)

    async def _connected(self) -> AsyncConnection:
        """Not kept before the lease is had: nobody writes without it."""
        if self._connection is None:
            connection = await self._engine.connect()
            if self._lease is not None:
                try:
                    await self._lease.take(connection)
                except BaseException:
                    await _end(connection)
                    raise
            self._connection = connection
        return self._connection

    async def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await _end(connection)


async def _end(connection: AsyncConnection) -> None:
    with suppress(Exception):  # often because it is broken
        await connection.invalidate()
    with suppress(Exception):
        await connection.close()


class SqlitePen:
    def __init__(self, path: Path, lock_wait: float) -> None:
        self._path = path
        self._lock_wait = lock_wait
        self._connection: _Connection | None = None
        self._uncopied = 0  # rows since the log was last copied into the database

    async def open(self) -> None: ...

    def begin(self, batch: Batch) -> asyncio.Future[None] | None:
        if self._connection is None:
            return None
        statements = [_bound(shape, rows) for shape, rows in batch.items()]
        written = self._connection.visit(lambda connection: _transact(connection, statements))
        self._uncopied += sum(map(len, batch.values()))
        if self._uncopied >= COPIED_EVERY:
            self._uncopied = 0
            self._connection.visit(_copy_log, heard=False)
        return written

    async def write(self, batch: Batch) -> None:
        if self._connection is None:
            connection = _Connection(self.connect)
            await connection
            self._connection = connection
        written = self.begin(batch)
        assert written is not None  # noqa: S101 - there is a connection
        await written

    async def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # often it is dropped because it is broken
                await connection.close()

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._lock_wait, isolation_level=None)
        try:
            keep_promises(connection, self._lock_wait)
            connection.execute("PRAGMA wal_autocheckpoint=0")  # _copy_log does it
        except BaseException:
            connection.close()
            raise
        return connection


class _Connection(aiosqlite.Connection):
    """aiosqlite's connection, visited once a transaction."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, iter_chunk_size=64)
        self._thread.daemon = True  # a desk that dies without closing must not hang on its way out

    def visit(
        self, work: Callable[[sqlite3.Connection], None], *, heard: bool = True
    ) -> asyncio.Future[None]:
        """``work`` in the connection's thread, after what was asked before. Not ``heard``: nobody is told of
        how it ends."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((future if heard else None, partial(work, self._conn)))
        return future


def _transact(connection: sqlite3.Connection, statements: list[Statement]) -> None:
    cursor = connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    for sql, rows in statements:
        if len(rows) == 1:
            cursor.execute(sql, rows[0])
        else:
            cursor.executemany(sql, rows)
    cursor.execute("COMMIT")


def _copy_log(connection: sqlite3.Connection) -> None:
    """The write-ahead log into the database, which costs an fsync of it: after a commit was answered rather
    than within it, where SQLite would do it by itself. A commit is durable in the log."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _bound(shape: Shape[Any], rows: list[Row]) -> Statement:
    sql, processes, places = _compiled(shape)
    bound = []
    for row in rows:
        values = list(row)
        for column, process in processes:
            value = values[column]
            if value is not None:
                values[column] = process(value)
        bound.append(values if places is None else [values[place] for place in places])
    return sql, bound


@cache
def _compiled(
    shape: Shape[Any],
) -> tuple[str, tuple[tuple[int, Callable[[Any], Any]], ...], tuple[int, ...] | None]:
    """The statement's text; the columns whose values something has to turn into SQLite's; and which column's
    value stands at each place, None where they stand as the columns do. By place, for SQLite's driver looks
    names up one by one."""
    compiled = statement(shape, "sqlite").compile(
        dialect=_DIALECT, column_keys=list(shape.columns), for_executemany=True
    )
    names = list(compiled.positiontup or ())
    places = tuple(shape.columns.index(name) for name in names)
    found = [_processor(shape.table.c[name].type) for name in shape.columns]
    processes = tuple((column, process) for column, process in enumerate(found) if process is not None)
    return str(compiled), processes, None if names == list(shape.columns) else places


def _processor(kind: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """Ours are called without SQLAlchemy's two layers around them: half the time of binding an intent."""
    process = kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    if isinstance(kind, TypeDecorator) and kind.impl_instance.bind_processor(_DIALECT) is None:
        ours = kind.process_bind_param
        return lambda value: ours(value, _DIALECT)
    return process
