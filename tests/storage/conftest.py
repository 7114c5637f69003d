"""Fresh ledgers of every kind that must behave alike."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage.engines import database_url
from storage.ledger import SqlLedger
from storage.memory import MemoryLedger
from storage.pens import CorePen, Pen
from tests.postgres import cluster, missing

NO_POSTGRES = missing()
SQL_KINDS = [
    "sqlite",
    "sqlite through SQLAlchemy",
    pytest.param("postgresql", marks=pytest.mark.skipif(bool(NO_POSTGRES), reason=NO_POSTGRES)),
]


class CoreLedger(SqlLedger):
    """On SQLite, but written through SQLAlchemy's connection as PostgreSQL is."""

    def pen(self, engine: AsyncEngine) -> Pen:
        return CorePen(engine, wait=0.0)


Ledger = SqlLedger | MemoryLedger
Fresh = Callable[[], AbstractAsyncContextManager[Ledger]]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger's file: copying it is a hundred times faster than migrating."""
    path = tmp_path_factory.mktemp("migrated") / "munim.db"

    async def make() -> None:
        ledger = SqlLedger(f"sqlite:///{path}")
        await ledger.open()
        await ledger.close()

    asyncio.run(make())
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A server's address, whose database may be emptied."""
    if NO_POSTGRES:
        pytest.skip(NO_POSTGRES)
    with cluster() as address:
        yield address


async def emptied(address: str) -> SqlLedger:
    engine = create_async_engine(database_url(address))
    async with engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()
    return SqlLedger(address, lease_wait=1.0)


def _fresh(request: pytest.FixtureRequest, migrated: Path, folder: Path) -> Fresh:
    kind = request.param
    server = request.getfixturevalue("postgres") if kind == "postgresql" else ""
    number = count()

    @asynccontextmanager
    async def fresh() -> AsyncIterator[Ledger]:
        ledger: Ledger
        if kind == "memory":
            ledger = MemoryLedger()
        elif kind == "postgresql":
            ledger = await emptied(server)
        else:
            path = folder / f"{next(number)}.db"
            shutil.copy(migrated, path)
            ledger = (SqlLedger if kind == "sqlite" else CoreLedger)(f"sqlite:///{path}")
        await ledger.open()
        try:
            yield ledger
        finally:
            await ledger.close()

    return fresh


@pytest.fixture(params=[*SQL_KINDS, "memory"])
def fresh(request: pytest.FixtureRequest, migrated: Path, tmp_path: Path) -> Fresh:
    """Makes empty, open ledgers of one kind."""
    return _fresh(request, migrated, tmp_path)


@pytest.fixture(params=SQL_KINDS)
def fresh_sql(request: pytest.FixtureRequest, migrated: Path, tmp_path: Path) -> Fresh:
    return _fresh(request, migrated, tmp_path)


@pytest.fixture
async def ledger(fresh: Fresh) -> AsyncIterator[Ledger]:
    async with fresh() as opened:
        yield opened
