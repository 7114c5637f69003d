"""How a transaction reaches the disk: SQLAlchemy's connection in general, a shorter way for SQLite.

Through SQLAlchemy every statement on aiosqlite is three visits to its thread, 0.2 ms each: 4 ms for a commit
of five records (measured, 2 vCPU). So for SQLite the same Core statements are compiled once and the whole
transaction is one visit: 0.7 ms, most of it the disk's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiosqlite
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.engines import keep_promises
from storage.rows import Batch, Shape, statement

R = TypeVar("R")
Statement = tuple[str, list[dict[str, Any]]]
_DIALECT = sqlite.dialect(paramstyle="named")


class Pen(Protocol):
    """Holds one connection, made when first needed."""

    async def write(self, batch: Batch) -> None:
        """One transaction. After an error the pen must be dropped before it is used again."""
        ...

    async def drop(self) -> None:
        """Close the connection, which ends any transaction. Never raises."""
        ...


class CorePen:
    """Any database SQLAlchemy knows."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None

    async def write(self, batch: Batch) -> None:
        if self._connection is None:
            self._connection = await self._engine.connect()
        connection = self._connection
        async with connection.begin():
            for shape, rows in batch.items():
                await connection.execute(statement(shape, connection.dialect.name), rows)

    async def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # often it is dropped because it is broken
                await connection.invalidate()
            with suppress(Exception):
                await connection.close()


class SqlitePen:
    def __init__(self, path: Path, lock_wait: float) -> None:
        self._path = path
        self._lock_wait = lock_wait
        self._connection: _Connection | None = None

    async def write(self, batch: Batch) -> None:
        statements = [_bound(shape, rows) for shape, rows in batch.items()]
        if self._connection is None:
            connection = _Connection(self.connect)
            await connection
            self._connection = connection
        await self._connection.visit(lambda connection: _transact(connection, statements))

    async def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # often it is dropped because it is broken
                await connection.close()

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._lock_wait, isolation_level=None)
        try:
            keep_promises(connection, self._lock_wait)
        except BaseException:
            connection.close()
            raise
        return connection


class _Connection(aiosqlite.Connection):
    """aiosqlite's connection, visited once a transaction."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, iter_chunk_size=64)
        self._thread.daemon = True  # a desk that dies without closing must not hang on its way out

    async def visit(self, work: Callable[[sqlite3.Connection], R]) -> R:
        """Run ``work`` in the connection's thread."""
        result: R = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]  # aiosqlite's own
        return result


def _transact(connection: sqlite3.Connection, statements: list[Statement]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for sql, rows in statements:
        connection.executemany(sql, rows)
    connection.execute("COMMIT")


def _bound(shape: Shape[Any], rows: list[dict[str, Any]]) -> Statement:
    sql, processors = _compiled(shape)
    return sql, [
        {**row, **{name: process(row[name]) for name, process in processors if row[name] is not None}}
        for row in rows
    ]


@cache
def _compiled(shape: Shape[Any]) -> tuple[str, tuple[tuple[str, Callable[[Any], Any]], ...]]:
    """The statement's text, and what turns each column's value into SQLite's."""
    compiled = statement(shape, "sqlite").compile(
        dialect=_DIALECT, column_keys=list(shape.columns), for_executemany=True
    )
    processors = []
    for name in shape.columns:
        process = shape.table.c[name].type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
        if process is not None:
            processors.append((name, process))
    return str(compiled), tuple(processors)
