"""The way to the database: its address, and connections that keep the ledger's promises."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from storage.rows import INSERTS
from storage.sqlite_file import unwritable
from trader.domain.errors import LedgerError

_ASYNC_DRIVER = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}


def database_url(text: str) -> URL:
    """``DATABASE_URL`` as SQLAlchemy wants it: ``postgres://`` and driverless ones get a driver."""
    try:
        url = make_url(text)
        url = url.set(drivername=_ASYNC_DRIVER.get(url.drivername, url.drivername))
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise LedgerError(
            "DATABASE_URL cannot be read. Expected for example sqlite:///data/munim.db or "
            "postgres://user:password@host/name."
        ) from None  # the cause would repeat the password
    if backend not in INSERTS:
        raise LedgerError(f"DATABASE_URL names {backend!r}. The ledger is kept in sqlite or postgresql.")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise LedgerError(
            "DATABASE_URL names no file, so nothing would survive a restart. "
            "Expected sqlite:///<path to the file>."
        )
    return url


def sqlite_url(path: Path) -> str:
    """The address of a file, whatever characters its name has."""
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string(hide_password=False)


def sqlite_path(url: URL) -> Path | None:
    """The database's file, or None when it is not SQLite's."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def writing_engine(url: URL, lock_wait: float) -> AsyncEngine:
    """For the one writer, which keeps its connection: no pool."""
    engine = _engine(url, lock_wait, poolclass=NullPool)
    if url.get_backend_name() == "sqlite":
        _take_over(engine, lock_wait, begin="BEGIN IMMEDIATE")
    return engine


def reading_engine(url: URL, lock_wait: float) -> AsyncEngine:
    sqlite = url.get_backend_name() == "sqlite"
    options = {"poolclass": AsyncAdaptedQueuePool, "pool_size": 2, "max_overflow": 2}
    engine = _engine(
        url, lock_wait, pool_pre_ping=not sqlite, **options
    )  # a server may have gone and come back
    path = sqlite_path(url)
    address = unwritable(path) if path else ""
    if sqlite:
        _take_over(engine, lock_wait, begin="BEGIN", extra=("query_only=ON",), logged=not address)
    if address:

        @event.listens_for(engine.sync_engine, "do_connect")
        def _as_it_is(_dialect: Any, _record: Any, places: list[Any], names: dict[str, Any]) -> None:
            places[0], names["uri"] = address, True

    return engine


def _engine(url: URL, wait: float, **options: Any) -> AsyncEngine:
    if url.get_driver_name() == "psycopg":
        options["connect_args"] = _server_settings(url, wait)
    try:
        return create_async_engine(url, **options)
    except (ImportError, NoSuchModuleError) as fault:
        driver = url.get_driver_name()
        how = "uv sync --extra postgresql" if driver == "psycopg" else f"uv pip install {driver}"
        raise LedgerError(
            f"DATABASE_URL needs the driver {driver}, which is not installed. Install it beside Munim: {how}."
        ) from fault
    except ArgumentError as fault:
        raise LedgerError(f"DATABASE_URL cannot be used: {fault}") from fault


def _server_settings(url: URL, wait: float) -> dict[str, Any]:
    """A commit is on the server's disk; nothing waits much longer than ``wait`` seconds, a dead line least of
    all; and the server's list of sessions says who this is."""
    asked = url.query.get("options", ())
    given = [asked] if isinstance(asked, str) else list(asked)
    milliseconds = int(wait * 1000)
    ours = {
        "synchronous_commit": "on",
        "timezone": "UTC",
        "lock_timeout": milliseconds,
        "statement_timeout": 2 * milliseconds,
    }
    return {
        "connect_timeout": max(2, math.ceil(wait)),  # the least libpq knows
        "options": " ".join([*given, *(f"-c {name}={value}" for name, value in ours.items())]),
        "application_name": f"munim {os.getpid()} on {socket.gethostname()}",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": 4 * milliseconds,
    }


def said(fault: BaseException) -> str:
    """The driver's own words, without the statement and its parameters that SQLAlchemy adds."""
    cause = fault.orig if isinstance(fault, DBAPIError) else fault
    return f"{cause}" or type(cause).__name__


def _take_over(
    engine: AsyncEngine, lock_wait: float, begin: str, extra: tuple[str, ...] = (), *, logged: bool = True
) -> None:
    """Take the start of transactions over from the driver, whose own BEGIN comes too late: ten concurrent
    read-modify-writes ended at one without an error (facts/anchors.md 11)."""

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        keep_promises(connection, lock_wait, extra, logged=logged)

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql(begin)


def keep_promises(
    connection: Any, lock_wait: float, extra: tuple[str, ...] = (), *, logged: bool = True
) -> None:
    """Set a fresh SQLite connection (the standard library's, or one that looks like it) up.

    synchronous=FULL: in WAL mode anything less may lose the last commits on power loss
    (sqlite.org/pragma.html#pragma_synchronous). fullfsync: macOS's fsync stops at the drive's cache.
    ``logged`` False: nothing can be written there, so the mode cannot be set either.
    """
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(lock_wait * 1000)}")
    if logged:
        cursor.execute("PRAGMA journal_mode=WAL")
        mode = cursor.fetchone()[0]
        if mode != "wal":
            raise LedgerError(
                f"The database stays in journal mode {mode!r}, expected wal. Keep it on a local disk: "
                "network and memory file systems cannot hold it."
            )
    for pragma in ("synchronous=FULL", "fullfsync=ON", "foreign_keys=ON", *extra):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
