"""The SQLite ledger killed, on a full disk, locked, cancelled and torn (facts/faults.md 31, 36, 37)."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import endless_commits
import ledger_samples as sample
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.ledger import LOCK_WAIT, SqlLedger
from storage.pens import Pen, SqlitePen
from trader.domain.errors import CommitFailed
from trader.domain.order import OrderState, Tag

ROOT = Path(__file__).resolve().parents[2]
SHORT = 0.1  # seconds to wait for a lock


class WatchedPen(SqlitePen):
    """Notes what its connection really is, and can be given a disk of few pages."""

    def __init__(self, path: Path, lock_wait: float) -> None:
        super().__init__(path, lock_wait)
        self.in_force: dict[str, object] = {}
        self.connections = 0
        self.pages: int | None = None

    def connect(self) -> sqlite3.Connection:
        connection = super().connect()
        self.connections += 1
        for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
            self.in_force[pragma] = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
        if self.pages is not None:
            connection.execute(f"PRAGMA max_page_count={self.pages}")
        return connection


class WatchedLedger(SqlLedger):
    def __init__(self, path: Path, lock_wait: float = LOCK_WAIT) -> None:
        super().__init__(f"sqlite:///{path}", lock_wait=lock_wait)
        self.path = path
        self.watched = WatchedPen(path, lock_wait)

    def pen(self, engine: AsyncEngine) -> Pen:
        return self.watched


@pytest.fixture
async def ledger(migrated: Path, tmp_path: Path) -> AsyncIterator[WatchedLedger]:
    path = tmp_path / "munim.db"
    shutil.copy(migrated, path)
    ledger = WatchedLedger(path)
    await ledger.open()
    yield ledger
    await ledger.close()


@pytest.fixture
async def impatient(ledger: WatchedLedger) -> AsyncIterator[WatchedLedger]:
    """The same ledger, for those who lock it."""
    await ledger.close()
    impatient = WatchedLedger(ledger.path, SHORT)
    await impatient.open()
    yield impatient
    await impatient.close()


async def test_the_writing_connection_is_durable(ledger: WatchedLedger) -> None:
    await ledger.commit([sample.order()])
    full = 2  # sqlite.org/pragma.html#pragma_synchronous
    assert ledger.watched.in_force == {
        "journal_mode": "wal", "synchronous": full, "foreign_keys": 1, "busy_timeout": 5000,
    }  # fmt: skip


async def test_one_connection_serves_all_commits(ledger: WatchedLedger) -> None:
    await asyncio.gather(*(ledger.commit([sample.order(f"m{n}"), sample.fill(f"f{n}")]) for n in range(50)))
    assert ledger.watched.connections == 1
    assert (len(await ledger.orders()), len(await ledger.fills())) == (50, 50)


async def test_money_lies_on_the_disk_as_exact_text(ledger: WatchedLedger) -> None:
    await ledger.commit([
        sample.fill(price="0.30000000000000004", charges="12345678901234567890.05"), sample.trade(),
    ])  # fmt: skip
    with closing(sqlite3.connect(ledger.path)) as connection:
        kinds = "SELECT price, typeof(price), charges, typeof(charges) FROM fills"
        assert connection.execute(kinds).fetchall() == [
            ("0.30000000000000004", "text", "12345678901234567890.05", "text")
        ]
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        columns = [row for table in tables for row in connection.execute(f"PRAGMA table_info({table})")]
        assert {row[2] for row in columns} <= {
            "TEXT",
            "INTEGER",
            "BIGINT",
            "BOOLEAN",
            "VARCHAR(32)",
        }  # none is REAL
        assert connection.execute("SELECT at FROM fills").fetchall() == [
            ("2026-11-23T09:15:00.000000+05:30",)
        ]


async def test_history_of_the_latch_is_kept(ledger: WatchedLedger) -> None:
    halted = sample.latch("HALTED")
    for latch in (halted, halted, sample.latch("ACTIVE"), halted):
        await ledger.commit([latch])
    with closing(sqlite3.connect(ledger.path)) as connection:
        modes = connection.execute("SELECT mode FROM latches ORDER BY serial").fetchall()
    assert modes == [("HALTED",), ("ACTIVE",), ("HALTED",)]


async def test_a_database_locked_by_another_fails_the_commit_and_not_the_next(
    impatient: WatchedLedger,
) -> None:
    await impatient.commit([sample.order("before")])
    with closing(sqlite3.connect(impatient.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CommitFailed, match="kept the database locked"):
            await impatient.commit([sample.order("during")])
        assert [order.tag for order in await impatient.orders()] == ["before"]  # reading goes on
        other.execute("ROLLBACK")
    await impatient.commit([sample.order("after")])
    assert [order.tag for order in await impatient.orders()] == ["before", "after"]


async def test_those_who_queue_behind_a_lock_wait_no_longer_than_twice(impatient: WatchedLedger) -> None:
    with closing(sqlite3.connect(impatient.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        commits = [impatient.commit([sample.order(f"m{n}")]) for n in range(30)]
        async with asyncio.timeout(SHORT * 15):  # one after another they would need thirty times
            outcomes = await asyncio.gather(*commits, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {CommitFailed}
    assert await impatient.orders() == []


async def test_a_full_disk_fails_the_commit_whole_and_room_heals_it(ledger: WatchedLedger) -> None:
    ledger.watched.pages = sqlite3_pages(ledger.path) + 1
    written = 0

    async def fill_the_disk() -> None:
        nonlocal written
        while written < 1000:
            await ledger.commit(endless_commits.batch(written + 1))
            written += 1

    with pytest.raises(CommitFailed, match="disk is full"):
        await fill_the_disk()
    await only_whole_batches(ledger, written)
    ledger.watched.pages = None
    for number in range(written + 1, written + 20):
        await ledger.commit(endless_commits.batch(number))
    await only_whole_batches(ledger, written + 19)


async def test_a_cancelled_commit_is_whole_and_the_next_one_works(ledger: WatchedLedger) -> None:
    commits = [asyncio.ensure_future(ledger.commit(endless_commits.batch(n))) for n in range(1, 31)]
    await asyncio.wait(commits, return_when=asyncio.FIRST_COMPLETED)
    for commit in commits:
        commit.cancel()
    await asyncio.gather(*commits, return_exceptions=True)
    await ledger.commit(endless_commits.batch(31))
    await only_whole_batches(ledger, 31)  # the cancelled ones went on by themselves


async def test_a_closed_ledger_records_nothing(ledger: WatchedLedger) -> None:
    await ledger.close()
    with pytest.raises(CommitFailed, match="not open"):
        await ledger.commit([sample.order()])
    await ledger.open()
    assert await ledger.orders() == []


async def test_closing_waits_for_what_is_being_written(ledger: WatchedLedger) -> None:
    commits = [asyncio.ensure_future(ledger.commit([sample.order(f"m{n}")])) for n in range(5)]
    await asyncio.sleep(0)
    await ledger.close()
    await asyncio.gather(*commits)
    assert not exists(
        f"{ledger.path}-wal"
    )  # SQLite removes it with the last connection: none was left behind
    await ledger.open()
    assert len(await ledger.orders()) == 5


def killed_while_writing(path: Path, acknowledged: int) -> int:
    """How many commits the killed writer had reported as done."""
    script = [sys.executable, str(Path(__file__).with_name("endless_commits.py")), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(script, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        for _ in range(acknowledged):
            assert process.stdout.readline(), "the writer died by itself"
        process.send_signal(signal.SIGKILL)
        return acknowledged + len(process.stdout.read().split())


@pytest.mark.parametrize("acknowledged", [1, 140])
async def test_what_was_reported_done_survives_kill_9(ledger: WatchedLedger, acknowledged: int) -> None:
    await ledger.close()
    told = killed_while_writing(ledger.path, acknowledged)
    await ledger.open()
    found = len(await ledger.orders(limit=100_000))
    assert told <= found <= told + 1  # one may have been committed and not yet told
    await only_whole_batches(ledger, found)


def test_a_desk_that_dies_without_closing_does_not_hang(migrated: Path, tmp_path: Path) -> None:
    shutil.copy(migrated, tmp_path / "munim.db")
    code = (
        "import asyncio, sys, ledger_samples as sample; from storage.ledger import SqlLedger\n"
        "ledger = SqlLedger(sys.argv[1])\n"
        "async def main():\n"
        "    await ledger.open(); await ledger.commit([sample.order()]); raise SystemExit(3)\n"
        "asyncio.run(main())"
    )
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    script = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'munim.db'}"]
    died = subprocess.run(script, env={**os.environ, "PYTHONPATH": path}, timeout=60, check=False)
    assert died.returncode == 3


def whole_commits_in(torn: Path) -> int:
    with closing(sqlite3.connect(torn)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        counted = connection.execute(
            "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_events),"
            " (SELECT count(*) FROM fills), (SELECT count(*) FROM alerts)"
        ).fetchone()
    assert len(set(counted)) == 1, "a commit is there in part"
    return int(counted[0])


async def test_a_torn_log_loses_the_newest_commits_whole(ledger: WatchedLedger, tmp_path: Path) -> None:
    """As after power loss on a disk that lied: the write-ahead log cut anywhere."""
    for number in range(1, 9):
        await ledger.commit(endless_commits.batch(number))
    log = bytes_of(f"{ledger.path}-wal")
    found = []
    for part in range(41):
        torn = tmp_path / f"torn{part}.db"
        shutil.copy(ledger.path, torn)
        cut = len(log) * part // 40
        write(f"{torn}-wal", log[: cut - part % 3 if part < 40 else cut])
        found.append(whole_commits_in(torn))
    assert found == sorted(found)
    assert (found[0], found[-2], found[-1]) == (0, 7, 8)


def exists(path: str) -> bool:
    return Path(path).exists()


def bytes_of(path: str) -> bytes:
    return Path(path).read_bytes()


def write(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)


def sqlite3_pages(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA page_count").fetchone()[0])


async def only_whole_batches(ledger: SqlLedger, count: int) -> None:
    """Batches 1 to ``count`` are there, each whole, and nothing else."""
    names = {f"n{number}" for number in range(1, count + 1)}
    assert {order.tag for order in await ledger.orders(limit=100_000)} == names
    assert {fill.fill_id for fill in await ledger.fills(limit=100_000)} == names
    assert {pending.alert.alert_id for pending in await ledger.pending_alerts(["owner"])} == names
    state = await ledger.load()
    assert state.order_sequences == dict.fromkeys(names, 1)
    assert {order.state for order in state.orders} <= {OrderState.INTENT}
    assert await ledger.order_events(Tag(f"n{count + 1}")) == []
