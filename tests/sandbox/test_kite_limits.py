"""The local Kite's limits, by calendar second, minute and day of the virtual clock."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from kiteconnect import exceptions as ex

from sandbox.kite.errors import KiteError
from sandbox.kite.limits import Budget, Limits
from sandbox.kite.times import IST
from tests.sandbox.kite_seat import seated

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=IST)


def accepted(limits: Limits, budget: Budget, tries: int, now: datetime = NOON) -> int:
    count, refusals = 0, set[tuple[int, str]]()
    for _ in range(tries):
        try:
            limits.spend(budget, now)
        except KiteError as error:
            refusals.add((error.status, error.error_type))
        else:
            count += 1
    assert refusals <= {(429, "NetworkException")}
    return count


@pytest.mark.parametrize(
    ("budget", "most"),
    [(Budget.PLACE, 10), (Budget.CHANGE, 10), (Budget.QUOTE, 1), (Budget.HISTORY, 3), (Budget.OTHER, 10)],
)
def test_each_budget_has_its_second(budget: Budget, most: int) -> None:
    limits = Limits()
    assert accepted(limits, budget, most + 3) == most
    assert limits.refused == 3
    assert accepted(limits, budget, 1, NOON + timedelta(seconds=1)) == 1


def test_seconds_are_the_calendars_so_twenty_orders_fit_around_a_turn() -> None:
    limits = Limits()
    assert accepted(limits, Budget.PLACE, 20, NOON + timedelta(seconds=0.999)) == 10
    assert accepted(limits, Budget.PLACE, 20, NOON + timedelta(seconds=1.001)) == 10


def test_changes_share_the_orders_second_and_the_other_calls() -> None:
    limits = Limits()
    assert accepted(limits, Budget.PLACE, 6) + accepted(limits, Budget.CHANGE, 6) == 10
    assert accepted(limits, Budget.OTHER, 10) == 4


def test_minute_and_day_are_capped_and_the_day_counts_placements_only() -> None:
    limits = Limits(orders_per_minute=15, orders_per_day=18)
    assert accepted(limits, Budget.PLACE, 10) == 10
    assert accepted(limits, Budget.PLACE, 10, NOON + timedelta(seconds=1)) == 5
    later = NOON + timedelta(minutes=1)
    assert accepted(limits, Budget.CHANGE, 10, later) == 10
    with pytest.raises(KiteError, match="Maximum allowed order requests exceeded"):
        limits.spend(Budget.PLACE, later + timedelta(seconds=1))
    assert accepted(limits, Budget.PLACE, 5, NOON + timedelta(days=1)) == 5


async def test_beyond_the_limit_the_client_gets_a_429_and_no_order() -> None:
    async with seated(limits=True) as seat:
        for _ in range(10):
            await seat.place(price=1400.0)
        with pytest.raises(ex.NetworkException, match="Too many requests") as caught:
            await seat.place(price=1400.0)
        assert caught.value.code == 429
        assert len(await seat.call("orders")) == 10
        await seat.call("ltp", "NSE:INFY")
        with pytest.raises(ex.NetworkException):
            await seat.call("quote", "NSE:INFY")
        seat.wait(1)
        await seat.place(price=1400.0)


async def test_refused_orders_count_too_and_the_dump_does_not() -> None:
    async with seated(limits=True) as seat:
        for _ in range(10):
            with pytest.raises(ex.InputException):
                await seat.place(quantity=0)
        with pytest.raises(ex.NetworkException):
            await seat.place()
        for _ in range(12):
            await seat.call("instruments", "NFO")
