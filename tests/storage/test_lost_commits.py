"""A server that goes away in the moment of a COMMIT: taken, or not (faults.md 39)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import ledger_samples as sample
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engines import sqlite_url
from storage.ledger import SqlLedger
from storage.pens import Pen, SqlitePen
from storage.rows import Batch
from trader.domain.errors import CommitFailed


class Line(SqlitePen):
    """A pen whose server goes away with each of ``ends``: True, when it had taken the COMMIT."""

    ends: list[bool]
    drops = 0

    def begin(self, batch: Batch) -> asyncio.Future[None] | None:
        return None  # like that of a server, it is only written to

    async def write(self, batch: Batch) -> None:
        if not self.ends:
            await self._write(batch)
            return
        if self.ends.pop(0):
            await self._write(batch)
        raise OperationalError("COMMIT", {}, ConnectionError("server closed"), connection_invalidated=True)

    async def _write(self, batch: Batch) -> None:
        pen = SqlitePen(self._path, self._lock_wait)
        try:
            await pen.write(batch)
        finally:
            await pen.drop()

    async def drop(self) -> None:
        self.drops += 1
        await super().drop()


class Remote(SqlLedger):
    line: Line

    def pen(self, engine: AsyncEngine) -> Pen:
        assert self.url.database is not None
        self.line = Line(Path(self.url.database), 1.0)
        self.line.ends = []
        return self.line


@pytest.fixture
async def ledger(migrated: Path, tmp_path: Path) -> AsyncIterator[Remote]:
    path = tmp_path / "munim.db"
    shutil.copy(migrated, path)
    ledger = Remote(sqlite_url(path))
    await ledger.open()
    yield ledger
    await ledger.close()


RECORDS = (sample.order(), sample.event(), sample.fill())


async def kept(ledger: Remote) -> tuple[int, int, int]:
    events = await ledger.order_events(sample.order().tag)
    return len(await ledger.orders()), len(events), len(await ledger.fills())


@pytest.mark.parametrize("taken", [True, False])
async def test_once_is_a_plain_yes_and_nothing_is_there_twice(ledger: Remote, taken: bool) -> None:
    ledger.line.ends = [taken]
    await ledger.commit(RECORDS)
    assert await kept(ledger) == (1, 1, 1)
    assert ledger.line.drops == 1, "on a fresh connection"


@pytest.mark.parametrize("taken", [True, False])
async def test_twice_is_told_as_a_failure_and_the_same_records_go_with_the_next(
    ledger: Remote, taken: bool
) -> None:
    """The desk does not send what is not recorded as far as it knows, and writes it with the next commit."""
    ledger.line.ends = [taken, False]
    with pytest.raises(CommitFailed, match="server closed"):
        await ledger.commit(RECORDS)
    await ledger.commit([*RECORDS, sample.order("m2")])
    assert await kept(ledger) == (2, 1, 1)
