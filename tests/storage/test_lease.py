"""One desk per ledger on a server: the second waits and gives up, and who lost its session writes nothing."""

from __future__ import annotations

import asyncio

import pytest
from conftest import emptied
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from storage.engines import database_url
from storage.ledger import SqlLedger
from trader.domain.errors import AlreadyRunning, CommitFailed
from trader.domain.records import Setting


async def writer_ended(address: str) -> int:
    """As a restart of the server, or a proxy that drops its lines, would; how many were."""
    engine = create_async_engine(database_url(address), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        ended = await connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        )
        count = len(ended.all())
    await engine.dispose()
    return count


async def note(ledger: SqlLedger, value: str) -> None:
    await ledger.commit([Setting("note", value)])


async def noted(ledger: SqlLedger) -> str:
    return (await ledger.load()).settings["note"]


async def test_a_second_desk_is_refused_and_told_who_has_the_ledger(postgres: str) -> None:
    first = await emptied(postgres)
    await first.open()
    second = SqlLedger(postgres, lease_wait=0.3)
    with pytest.raises(
        AlreadyRunning, match=r"Another Munim \(munim \d+ on .+ at 127\.0\.0\.1.*\) writes to"
    ):
        await second.open()
    await note(first, "mine")
    assert await noted(first) == "mine"
    await first.close()


async def test_a_desk_that_starts_while_another_leaves_waits_for_it(postgres: str) -> None:
    first = await emptied(postgres)
    await first.open()
    second = SqlLedger(postgres, lease_wait=10.0)
    opening = asyncio.create_task(second.open())
    await asyncio.sleep(0.5)
    assert not opening.done()
    await first.close()
    await opening
    await note(second, "theirs")
    await second.close()


async def test_two_that_start_at_once_are_one(postgres: str) -> None:
    await emptied(postgres)
    both = [SqlLedger(postgres, lease_wait=0.5) for _ in range(2)]
    came = await asyncio.gather(*(one.open() for one in both), return_exceptions=True)
    assert sorted(type(one).__name__ for one in came) == ["AlreadyRunning", "NoneType"]
    await asyncio.gather(*(one.close() for one in both))


async def test_a_desk_whose_session_ended_takes_it_up_again(postgres: str) -> None:
    ledger = await emptied(postgres)
    await ledger.open()
    await note(ledger, "before")
    assert await writer_ended(postgres) == 1
    await note(ledger, "after")
    assert await noted(ledger) == "after"
    with pytest.raises(AlreadyRunning):
        await SqlLedger(postgres, lease_wait=0.0).open()
    await ledger.close()


async def test_a_desk_whose_session_lives_on_without_it_ends_that_one_and_no_other(postgres: str) -> None:
    ledger = await emptied(postgres)
    await ledger.open()
    writer = ledger._writer
    assert writer is not None
    pen = writer._pen
    lost, pen._connection = pen._connection, None  # type: ignore[attr-defined]  # its line is cut, and the server does not know
    await note(ledger, "again")
    assert await noted(ledger) == "again"
    await lost.invalidate()
    await ledger.close()


async def test_a_desk_that_was_replaced_writes_nothing(postgres: str) -> None:
    old = await emptied(postgres)
    await old.open()
    await note(old, "old")
    new = SqlLedger(postgres, lease_wait=5.0)
    opening = asyncio.create_task(new.open())
    await asyncio.sleep(0.3)
    assert not opening.done()
    assert await writer_ended(postgres) == 1  # and another is waiting for it
    await opening
    with pytest.raises(CommitFailed, match="Another Munim"):
        await note(old, "old again")
    await note(new, "new")
    assert await noted(new) == "new"
    await new.close()
    await note(old, "and back")  # nobody else is there any more
    await old.close()
