"""The write-ahead log is copied into the database behind the commits, not within them, and stays small."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import ledger_samples as sample
import pytest

from storage.ledger import SqlLedger
from storage.pens import COPIED_EVERY
from trader.domain.errors import CommitFailed

PAGE = 4096


def copied(path: Path) -> int:
    """Orders in the database file itself, without its log."""
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    with closing(sqlite3.connect(alone)) as connection:
        found: int = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
    return found


async def test_the_log_is_copied_again_and_again_and_does_not_grow_for_ever(
    migrated: Path, tmp_path: Path
) -> None:
    path = tmp_path / "munim.db"
    shutil.copy(migrated, path)
    ledger = SqlLedger(f"sqlite:///{path}")
    await ledger.open()
    log, sizes = path.with_name("munim.db-wal"), []
    for number in range(4 * COPIED_EVERY):
        await ledger.commit([sample.order(f"m{number}")])
        sizes.append(log.stat().st_size)
    assert copied(path) >= 3 * COPIED_EVERY - 1
    assert max(sizes) < 12 * COPIED_EVERY * PAGE
    assert max(sizes) < 1.5 * sizes[COPIED_EVERY - 1], "it is used again from its beginning"
    assert len(await ledger.orders(limit=10_000)) == 4 * COPIED_EVERY
    await ledger.close()


async def test_what_is_in_the_log_alone_is_there_after_the_next_opening(
    migrated: Path, tmp_path: Path
) -> None:
    path, dead = tmp_path / "munim.db", tmp_path / "dead" / "munim.db"
    shutil.copy(migrated, path)
    ledger = SqlLedger(f"sqlite:///{path}")
    await ledger.open()
    for number in range(COPIED_EVERY // 2):
        await ledger.commit([sample.order(f"m{number}")])
    assert copied(path) == 0
    dead.parent.mkdir()
    for name in ("munim.db", "munim.db-wal"):  # as a power cut leaves them
        shutil.copy(tmp_path / name, dead.parent / name)
    await ledger.close()
    again = SqlLedger(f"sqlite:///{dead}")
    await again.open()
    assert len(await again.orders(limit=10_000)) == COPIED_EVERY // 2
    await again.close()


async def test_a_caller_that_goes_away_leaves_the_next_ones_in_order(migrated: Path, tmp_path: Path) -> None:
    path = tmp_path / "munim.db"
    shutil.copy(migrated, path)
    ledger = SqlLedger(f"sqlite:///{path}")
    await ledger.open()
    await ledger.commit([sample.order("first")])
    gone = asyncio.create_task(ledger.commit([sample.order("gone")]))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(*(ledger.commit([sample.order(f"m{n}")]) for n in range(20)))
    assert {order.tag for order in await ledger.orders()} == {"first", "gone"} | {f"m{n}" for n in range(20)}
    await ledger.close()


async def test_a_failure_whose_caller_went_away_does_not_fail_the_next(
    migrated: Path, tmp_path: Path
) -> None:
    path = tmp_path / "munim.db"
    shutil.copy(migrated, path)
    ledger = SqlLedger(f"sqlite:///{path}", lock_wait=0.1)
    await ledger.open()
    await ledger.commit([sample.order("first")])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        gone = asyncio.create_task(ledger.commit([sample.order("gone")]))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises((CommitFailed, asyncio.CancelledError)):
            await gone
        why = ""
        while "locked" not in why:  # the earlier one, which nobody waits for, has had its time by then
            with pytest.raises(CommitFailed) as refused:
                await ledger.commit([sample.order("refused")])
            why = str(refused.value)
        other.execute("ROLLBACK")
    await ledger.commit([sample.order("last")])
    assert {order.tag for order in await ledger.orders()} == {"first", "last"}
    await ledger.close()
