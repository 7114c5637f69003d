"""The SQLite file before anybody writes to it: is it whole, is it ours, and a copy of it.

Synchronous, through the standard library: run it in a thread.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trader.domain.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Found:
    """What a database holds. ``revision`` is its schema's; None before the first migration."""

    empty: bool
    revision: str | None


def unwritable(path: Path) -> str:
    """The address of a file beside which nothing can be written, for who reads it; "" where something can.
    Without a log beside it nobody else writes to it either, and it is taken as it is."""
    if not path.exists() or os.access(path.parent, os.W_OK):
        return ""
    alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    return f"{path.resolve().as_uri()}?mode=ro{alone}"


def make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise LedgerError(f"The folder {path.parent} for the ledger cannot be made: {fault}.") from fault


def examine(path: Path, wait: float) -> Found:
    """It is left as it is; LedgerError for a file that is damaged or cannot be opened."""
    if not path.exists() or path.stat().st_size == 0:
        return Found(empty=True, revision=None)
    address = unwritable(path)
    with (
        _explained(path),
        closing(sqlite3.connect(address or path, timeout=wait, uri=bool(address))) as connection,
    ):
        faults = [str(line) for (line,) in connection.execute("PRAGMA quick_check(3)")]
        if faults != ["ok"]:
            raise LedgerError(damaged(path, " ".join("; ".join(faults).split())))
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if "alembic_version" not in tables:
            return Found(empty=not tables, revision=None)
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return Found(empty=False, revision=row[0] if row else None)


def copy_before(path: Path, revision: str, at: datetime, wait: float) -> Path:
    """A consistent copy beside the file, named for the revision it is about to be brought to."""
    copy = path.with_name(f"{path.stem}.before-{revision}-{at:%Y%m%dT%H%M%S}.db")
    number = 1
    while copy.exists():  # VACUUM INTO refuses an existing file, and a copy is never overwritten
        number += 1
        copy = path.with_name(f"{path.stem}.before-{revision}-{at:%Y%m%dT%H%M%S}-{number}.db")
    with _explained(path), closing(sqlite3.connect(path, timeout=wait, isolation_level=None)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    return copy


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as fault:  # locked, no permission, disk full
        raise LedgerError(
            f"The ledger {path} cannot be opened: {fault}. Close what else has it open, look at the disk's "
            "space and the file's permissions, then start again."
        ) from fault
    except (sqlite3.DatabaseError, UnicodeDecodeError) as fault:  # not a database, malformed, no text
        raise LedgerError(damaged(path, str(fault))) from fault


def damaged(path: Path, how: str) -> str:
    return (
        f"The ledger {path} is damaged ({how}). Do not trade on it: move it and its -wal file away, put "
        f"the newest copy back in its place (a backup, or {path.stem}.before-*.db beside it), start again; "
        "the desk then compares itself with the broker before it does anything."
    )
