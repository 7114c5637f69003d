"""Bringing a database to the schema this code knows, at start, inside the loop.

Alembic costs a tenth of a second and is imported only when there is something to do.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from storage import sqlite_file
from storage.engines import said, sqlite_path
from storage.sqlite_file import Found
from trader.domain.errors import LedgerError, LedgerTooNew
from trader.domain.times import IST

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, slots=True)
class Migrations:
    """Alembic scripts, and the revision they end in (so that a database up to date needs no Alembic)."""

    folder: Path
    head: str


MIGRATIONS = Migrations(Path(__file__).parent / "migrations", head="0002")


async def prepare(engine: AsyncEngine, migrations: Migrations, wait: float) -> Path | None:
    """Check the database and upgrade it if needed, in one transaction; a file with records in it is copied
    first. The copy's path, if one was made. Raises LedgerTooNew, LedgerError."""
    path = sqlite_path(engine.url)
    if path:
        await asyncio.to_thread(sqlite_file.make_folder, path)
    found = await _found(engine, wait)
    if found.revision == migrations.head:
        return None
    _refuse_strangers(engine, found, migrations)
    copy = None
    if path and not found.empty:
        now = datetime.now(IST)
        copy = await asyncio.to_thread(sqlite_file.copy_before, path, migrations.head, now, wait)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, migrations)
    except Exception as fault:  # a script may raise anything; the transaction is rolled back all the same
        kept = f" A copy from before is {copy}." if copy else ""
        raise LedgerError(
            f"The ledger could not be brought to revision {migrations.head}; it is as it was.{kept} "
            f"({said(fault)})"
        ) from fault
    return copy


async def require_current(engine: AsyncEngine, migrations: Migrations, wait: float) -> None:
    """LedgerError, LedgerTooNew unless the database is as this Munim writes it."""
    found = await _found(engine, wait)
    if found.empty:
        raise LedgerError("There are no records yet: the first start makes them.")
    if found.revision != migrations.head:
        _refuse_strangers(engine, found, migrations)
        raise LedgerError("The records are of an older version: start Munim once, it brings them up to date.")


async def _found(engine: AsyncEngine, wait: float) -> Found:
    path = sqlite_path(engine.url)
    return await asyncio.to_thread(sqlite_file.examine, path, wait) if path else await _examine(engine)


async def standing(engine: AsyncEngine, migrations: Migrations, wait: float) -> str:
    """How the database stands, in a sentence; it is left as it is. Raises LedgerTooNew, LedgerError."""
    path = sqlite_path(engine.url)
    found = await _found(engine, wait)
    if found.revision == migrations.head:
        size = f", {path.stat().st_size / 1e6:,.1f} MB" if path else ""
        return f"whole, up to date{size}"
    _refuse_strangers(engine, found, migrations)
    if found.empty:
        return "none yet; the first start makes it"
    kept = ", after copying it" if path else ""
    return f"of an older version; the next start brings it up to date{kept}"


async def _examine(engine: AsyncEngine) -> Found:
    def look(connection: Connection) -> Found:
        tables = inspect(connection).get_table_names()
        if "alembic_version" not in tables:
            return Found(empty=not tables, revision=None)
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return Found(empty=False, revision=revision)

    try:
        async with engine.connect() as connection:
            return await connection.run_sync(look)
    except (SQLAlchemyError, OSError) as fault:
        where = engine.url.render_as_string(hide_password=True)
        raise LedgerError(f"The ledger at {where} cannot be reached: {said(fault)}") from fault


def _refuse_strangers(engine: AsyncEngine, found: Found, migrations: Migrations) -> None:
    where = sqlite_path(engine.url) or engine.url.render_as_string(hide_password=True)
    if found.revision is None and not found.empty:
        raise LedgerError(
            f"{where} holds tables that are not Munim's. Expected its ledger or an empty database; "
            "point DATABASE_URL elsewhere."
        )
    if found.revision is not None and found.revision not in known_revisions(migrations):
        raise LedgerTooNew(
            f"The ledger {where} is at revision {found.revision}, this Munim knows up to {migrations.head}: "
            "a newer one wrote it. Start that one, or put back a copy made before its upgrade."
        )


def known_revisions(migrations: Migrations) -> frozenset[str]:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config(migrations))
    return frozenset(script.revision for script in scripts.walk_revisions())


def _config(migrations: Migrations) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations.folder).replace("%", "%%"))
    return config


def _upgrade(connection: Connection, migrations: Migrations) -> None:
    from alembic import command

    config = _config(migrations)
    config.attributes["connection"] = connection
    command.upgrade(config, migrations.head)
