"""A process that is started again and again (faults.md 33)."""

from __future__ import annotations

from datetime import datetime, timedelta

from storage.memory import MemoryLedger
from tests.service.whole_house import running
from trader.domain.records import Alert, DeskMode, SessionRecord
from trader.domain.times import IST
from trader.service.restless import SESSION_ID, restless

NOW = datetime(2026, 11, 23, 11, 0, tzinfo=IST)


def ended(*minutes_ago: float, clean: bool = False) -> list[SessionRecord]:
    began = [NOW - timedelta(minutes=minutes) for minutes in minutes_ago]
    return [
        SessionRecord(at.strftime(SESSION_ID), at, "zerodha", "live", "0", "", at if clean else None)
        for at in began
    ]


def told(sessions: list[SessionRecord]) -> list[str]:
    return [alert.title for alert in restless(sessions, NOW, NOW)]


def test_three_ends_within_ten_minutes_are_told() -> None:
    assert told(ended(9, 5, 1)) == ["The process ended 3 times within 10 min"]


def test_fewer_or_older_or_orderly_ones_are_not() -> None:
    assert told(ended(5, 1)) == []
    assert told(ended(11, 5, 1)) == []
    assert told(ended(3, 2, 1, clean=True)) == []
    assert told([]) == []


def test_of_many_only_the_doublings_are_told() -> None:
    numbers = [n for n in range(1, 30) if told(ended(*(9 - n / 10 for n in range(n))))]
    assert numbers == [3, 6, 12, 24]


async def test_a_house_that_dies_three_times_says_so_and_stays_halted() -> None:
    store = MemoryLedger()
    for start in range(4):
        async with running(store) as desk:  # ends without closing
            halted = desk.house.front.view().latch.mode is DeskMode.HALTED
            assert halted is (start > 0)
    titles = [alert.title for alert in store._all(Alert)]
    assert titles.count("HALTED: the last run did not end in order") == 1
    assert titles.count("The process ended 3 times within 10 min") == 1
