"""Requests held to Zerodha's limits, whatever the phase of its clock, in the order of their urgency."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.virtual_loop import run_virtually
from trader.broker.zerodha.budget import BudgetLimits, Budgets, priority_of
from trader.broker.zerodha.gate import SPREAD, Priority
from trader.broker.zerodha.stream.pacing import LoopTime
from trader.domain.errors import OrderRefused
from trader.domain.order import Purpose
from trader.domain.times import IST

MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=IST)
Turn = Callable[[], AbstractAsyncContextManager[None]]


def now() -> datetime:
    return MONDAY + timedelta(seconds=asyncio.get_running_loop().time())


def budgets(limits: BudgetLimits | None = None) -> Budgets:
    return Budgets(LoopTime(now), limits)


async def sent_at(turn: Turn, answer_after: float = 0.0) -> float:
    async with turn():
        at = asyncio.get_running_loop().time()
        await asyncio.sleep(answer_after)
    return at


async def all_sent_at(turn: Turn, requests: int, answer_after: float = 0.0) -> list[float]:
    return sorted(await asyncio.gather(*(sent_at(turn, answer_after) for _ in range(requests))))


@dataclass(frozen=True)
class Request:
    at: float
    priority: Priority
    placing: bool
    latency: float  # seconds until the answer
    counted: float  # the part of the latency after which the server counts it


requests = st.lists(
    st.builds(
        Request,
        at=st.floats(0, 4),
        priority=st.sampled_from([Priority.KILL, Priority.EXIT, Priority.STOP, Priority.ENTRY]),
        placing=st.booleans(),
        latency=st.floats(0.001, 3),
        counted=st.floats(0, 1),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(requests, st.floats(0, 1))
def test_no_second_of_the_servers_clock_counts_more_than_it_allows(
    asked: list[Request], phase: float
) -> None:
    async def run() -> list[tuple[float, Request]]:
        budget, counted = budgets(), list[tuple[float, Request]]()

        async def send(request: Request) -> None:
            await asyncio.sleep(request.at)
            with suppress(OrderRefused):
                async with budget.order(request.priority, placing=request.placing):
                    delay = min(request.counted * request.latency, SPREAD)
                    counted.append((asyncio.get_running_loop().time() + delay, request))
                    await asyncio.sleep(request.latency)

        await asyncio.gather(*(send(request) for request in asked))
        return counted

    counted = run_virtually(run())
    urgent = sum(request.priority < Priority.STOP for request in asked)
    assert sum(request.priority < Priority.STOP for _, request in counted) == urgent
    seconds = Counter(int(at + phase) for at, _ in counted)
    assert max(seconds.values(), default=0) <= 10
    others = Counter(int(at + phase) for at, request in counted if not request.placing)
    assert max(others.values(), default=0) <= 10


def test_entries_leave_room_that_exits_may_use() -> None:
    async def run() -> tuple[list[float], list[float]]:
        budget = budgets()
        entries = asyncio.create_task(all_sent_at(lambda: budget.order(Priority.ENTRY), 9, 0.1))
        await asyncio.sleep(0.01)
        exits = asyncio.create_task(all_sent_at(lambda: budget.order(Priority.EXIT), 3, 0.1))
        return await entries, await exits

    entries, exits = run_virtually(run())
    assert [at < 0.1 for at in entries] == [True] * 8 + [False]
    assert [at < 0.1 for at in exits] == [True] * 2 + [False]
    assert exits[2] <= entries[8]  # it came later


def test_twenty_exits_need_little_more_than_a_second() -> None:
    async def run() -> list[float]:
        budget = budgets()
        return await all_sent_at(lambda: budget.order(Priority.KILL), 20, 0.2)

    at = run_virtually(run())
    assert at[9] == 0
    assert 1.2 <= at[10] <= at[19] < 1.3


def test_the_most_urgent_goes_first_and_equals_as_they_came() -> None:
    async def run() -> list[str]:
        budget, went = budgets(), list[str]()

        async def send(name: str, priority: Priority, *, placing: bool = True) -> None:
            async with budget.order(priority, placing=placing):
                went.append(name)

        async def all_at_once() -> None:
            async with asyncio.TaskGroup() as group:
                for name, priority in (
                    ("entry", Priority.ENTRY), ("first stop", Priority.STOP), ("second stop", Priority.STOP),
                    ("exit", Priority.EXIT), ("kill", Priority.KILL),
                ):  # fmt: skip
                    group.create_task(send(name, priority))

        await all_sent_at(lambda: budget.order(Priority.EXIT), 10)
        await all_at_once()
        return went

    assert run_virtually(run()) == ["kill", "exit", "first stop", "second stop", "entry"]


def test_an_entry_that_waits_too_long_is_refused_and_was_not_sent() -> None:
    async def run() -> None:
        budget = budgets()
        exits = asyncio.create_task(all_sent_at(lambda: budget.order(Priority.EXIT), 70))  # seven seconds
        await asyncio.sleep(0.001)
        with pytest.raises(OrderRefused, match=r"no room within 5 s. Nothing was sent"):
            async with budget.order(Priority.ENTRY):
                raise AssertionError("sent")
        assert asyncio.get_running_loop().time() == pytest.approx(5.001)
        assert len(await exits) == 70

    run_virtually(run())


def test_one_that_gives_up_frees_its_place() -> None:
    async def run() -> float:
        budget = budgets()
        await all_sent_at(lambda: budget.order(Priority.EXIT), 10)
        waits = [asyncio.create_task(sent_at(lambda: budget.order(Priority.KILL))) for _ in range(10)]
        await asyncio.sleep(0.1)
        last = asyncio.create_task(sent_at(lambda: budget.order(Priority.EXIT)))
        await asyncio.sleep(0.1)
        for wait in waits:
            wait.cancel()
        return await last

    assert run_virtually(run()) < 1.1


def test_a_request_whose_caller_went_away_still_counts() -> None:
    async def run() -> float:
        budget = budgets()
        gone = [asyncio.create_task(sent_at(lambda: budget.order(Priority.EXIT), 5)) for _ in range(10)]
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        return await sent_at(lambda: budget.order(Priority.KILL))

    assert run_virtually(run()) >= 1 + SPREAD


def test_a_minute_takes_four_hundred_and_keeps_eighty_for_exits() -> None:
    async def run() -> tuple[int, float]:
        budget, entries = budgets(), 0
        refused = ""
        while not refused:
            try:
                await sent_at(lambda: budget.order(Priority.ENTRY))
                entries += 1
            except OrderRefused as refusal:
                refused = str(refusal)
        assert "400 a minute" in refused
        await all_sent_at(lambda: budget.order(Priority.EXIT), 80)
        assert asyncio.get_running_loop().time() < 60
        return entries, await sent_at(lambda: budget.order(Priority.EXIT))

    entries, next_exit = run_virtually(run())
    assert entries == 320
    assert next_exit >= 60


def test_a_days_last_orders_are_kept_for_exits_and_the_next_day_begins_anew() -> None:
    async def run() -> None:
        budget = budgets(BudgetLimits(orders_per_day=6, entries_per_day=4))
        budget.placed_already(3)
        await sent_at(lambda: budget.order(Priority.ENTRY))
        with pytest.raises(OrderRefused, match=r"4 orders .* takes 6 a day; the last 2 are kept for exits"):
            await sent_at(lambda: budget.order(Priority.ENTRY))
        await all_sent_at(lambda: budget.order(Priority.EXIT), 2)
        with pytest.raises(OrderRefused, match=r"takes 6 a day\. Nothing was sent"):
            await sent_at(lambda: budget.order(Priority.KILL))
        await sent_at(lambda: budget.order(Priority.KILL, placing=False))  # the day counts placements
        budget.placed_already(2)  # an older reading takes nothing back
        assert budget.placed_today == 6
        await asyncio.sleep(24 * 3600)
        assert budget.placed_today == 0
        await sent_at(lambda: budget.order(Priority.ENTRY))

    run_virtually(run())


@pytest.mark.parametrize(
    ("turn", "a_second"),
    [
        (Budgets.quote, 1),
        (Budgets.history, 3),
        (Budgets.other, 7),
        (lambda budget: budget.other(Priority.EXIT), 10),
    ],
    ids=["quotes", "history", "other reads", "urgent reads"],
)
def test_each_kind_of_read_has_its_own_pace(
    turn: Callable[[Budgets], AbstractAsyncContextManager[None]], a_second: int
) -> None:
    async def run() -> list[float]:
        budget = budgets()
        return await all_sent_at(lambda: turn(budget), 3 * a_second, 0.05)

    at = run_virtually(run())
    assert [int(moment) for moment in at] == [second for second in range(3) for _ in range(a_second)]


def test_cancellations_go_before_reads_and_reads_do_not_hold_placements_up() -> None:
    async def run() -> tuple[list[float], list[float], float]:
        budget = budgets()
        reads = asyncio.create_task(all_sent_at(budget.other, 20))
        await asyncio.sleep(0)
        cancels = asyncio.create_task(all_sent_at(lambda: budget.order(Priority.KILL, placing=False), 6))
        await asyncio.sleep(0)
        placed = await sent_at(lambda: budget.order(Priority.ENTRY))
        return await reads, await cancels, placed

    reads, cancels, placed = run_virtually(run())
    assert placed == 0
    assert sum(at == 0 for at in cancels) == 3  # seven reads were out already
    assert cancels[-1] < 1.1
    assert sum(at < 2 for at in reads) <= 14


def test_nobody_takes_the_room_that_somebody_more_urgent_is_waiting_for() -> None:
    async def run() -> float:
        budget = budgets()
        await all_sent_at(lambda: budget.other(Priority.EXIT), 10)
        await asyncio.sleep(0.5)
        cancel = asyncio.create_task(sent_at(lambda: budget.order(Priority.KILL, placing=False)))
        await asyncio.sleep(0)
        await all_sent_at(lambda: budget.order(Priority.EXIT), 10)
        return await cancel

    assert run_virtually(run()) < 1.1  # not half a second later, when the ten before it make room


def test_a_failed_request_counts_like_any_other() -> None:
    async def run() -> float:
        budget = budgets()
        for _ in range(10):
            with pytest.raises(RuntimeError):
                async with budget.order(Priority.EXIT):
                    raise RuntimeError
        return await sent_at(lambda: budget.order(Priority.EXIT))

    assert 1.0 <= run_virtually(run()) < 1.1


def test_every_purpose_has_its_urgency_and_only_entries_come_last() -> None:
    urgencies = {purpose: priority_of(purpose) for purpose in Purpose}
    assert min(urgencies, key=lambda purpose: urgencies[purpose]) is Purpose.KILL
    assert urgencies[Purpose.EXIT] == urgencies[Purpose.SQUAREOFF] < urgencies[Purpose.STOP]
    late = {purpose for purpose, priority in urgencies.items() if priority >= Priority.ENTRY}
    assert late == {Purpose.ENTRY, Purpose.EXTERNAL}
