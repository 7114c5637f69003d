"""What the paper exchange remembers, in the ledger's database and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import ledger_samples as sample
import pytest
from generated_records import records_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.memory import MemoryLedger
from storage.paper import MemoryPaperJournal, SqlPaperJournal
from trader.broker.paper.journal import PaperExecution, PaperJournal, PaperOrder, PaperState
from trader.domain.errors import CommitFailed
from trader.domain.order import BrokerStatus, OrderId, OrderType, OrderUpdate, Product, Side


def paper_order(number: int, status: BrokerStatus = BrokerStatus.OPEN, filled: int = 0) -> PaperOrder:
    update = OrderUpdate(
        OrderId(f"P{number}"), None, sample.INFY, Side.BUY, Product.MIS, OrderType.MARKET, status, 10, filled,
        Decimal("0.1") + Decimal("0.2"), sample.AT,
    )  # fmt: skip
    return PaperOrder(
        update, sample.AT + timedelta(seconds=number), sample.AT + timedelta(seconds=number + 1)
    )


def execution(number: int, quantity: int = 10) -> PaperExecution:
    return PaperExecution(f"E{number}", OrderId("P1"), quantity, Decimal("1450.05"), sample.AT)


def journal_in(ledger: Any) -> PaperJournal:
    return MemoryPaperJournal() if isinstance(ledger, MemoryLedger) else SqlPaperJournal(ledger)


@pytest.fixture
async def journal(fresh: Any) -> AsyncIterator[PaperJournal]:
    opened: AbstractAsyncContextManager[Any] = fresh()
    async with opened as ledger:
        yield journal_in(ledger)


async def test_a_new_exchange_has_nothing_to_remember(journal: PaperJournal) -> None:
    assert await journal.load() == PaperState((), (), 0)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=records_of(PaperOrder, update=records_of(OrderUpdate, filled_quantity=st.integers(1, 10))),
    execution=records_of(PaperExecution),
)
async def test_orders_and_executions_come_back_as_appended(
    fresh: Any, order: PaperOrder, execution: PaperExecution
) -> None:
    async with fresh() as ledger:
        journal = journal_in(ledger)
        await journal.append([order], [execution])
        assert await journal.load() == PaperState((order,), (execution,), 1)


async def test_orders_are_replaced_and_executions_added_once(journal: PaperJournal) -> None:
    await journal.append([paper_order(1), paper_order(2)], [execution(1)])
    await journal.append([paper_order(1, filled=5)], [execution(1, quantity=99), execution(2)])
    assert await journal.load() == PaperState(
        (paper_order(1, filled=5), paper_order(2)), (execution(1), execution(2)), 2
    )


async def test_an_earlier_days_orders_that_never_filled_are_forgotten_but_counted(
    journal: PaperJournal,
) -> None:
    kept = [
        paper_order(1, BrokerStatus.COMPLETE, filled=10),
        paper_order(2, BrokerStatus.CANCELLED, filled=1),
        paper_order(3, BrokerStatus.TRIGGER_PENDING),
    ]
    forgotten = [paper_order(4, BrokerStatus.REJECTED), paper_order(5, BrokerStatus.CANCELLED)]
    tomorrow = replace(paper_order(6, BrokerStatus.REJECTED), placed_at=sample.AT + timedelta(days=1))
    await journal.append([*kept, *forgotten, tomorrow])
    assert await journal.load() == PaperState((*kept, tomorrow), (), 6)


async def test_all_orders_of_the_last_day_are_remembered_or_its_book_would_not_be_whole(
    journal: PaperJournal,
) -> None:
    day = [paper_order(1, BrokerStatus.REJECTED), paper_order(2, BrokerStatus.CANCELLED), paper_order(3)]
    await journal.append(day)
    assert await journal.load() == PaperState(tuple(day), (), 3)


async def test_an_append_with_a_bad_execution_writes_nothing(journal: PaperJournal) -> None:
    with pytest.raises(CommitFailed, match=r"PaperExecution\.price: expected Decimal"):
        await journal.append([paper_order(1)], [replace(execution(1), price=1450.05)])
    assert await journal.load() == PaperState((), (), 0)
    await journal.append([paper_order(1)])
    assert (await journal.load()).serial == 1


async def test_exchange_and_desk_write_in_turn(fresh_sql: Any) -> None:
    async with fresh_sql() as ledger:
        journal = SqlPaperJournal(ledger)
        await asyncio.gather(
            *(ledger.commit([sample.order(f"m{n}")]) for n in range(20)),
            *(journal.append([paper_order(n)], [execution(n)]) for n in range(20)),
        )
        assert len(await ledger.orders()) == 20
        assert len((await journal.load()).executions) == 20


async def test_the_twin_fails_once_when_told_to() -> None:
    journal = MemoryPaperJournal()
    journal.fail_next_append = True
    with pytest.raises(CommitFailed):
        await journal.append([paper_order(1)])
    await journal.append([paper_order(2)])
    assert (await journal.load()).serial == 1
