"""The broker's trade book against what the ledger booked of each order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pytest
from world import BUY, REL, SECOND, DeskWorld

from trader.desk.commands import Judge, Reconcile, Verdict
from trader.desk.events import BookPurpose, BookRead
from trader.desk.locks import Difference
from trader.domain.order import OrderId, Purpose, Side
from trader.domain.position import Traded
from trader.domain.records import Alert, Priority

D = Decimal


def reads(world: DeskWorld, trades: Sequence[Traded] | None, *, asked_at: datetime | None = None) -> None:
    world.now += SECOND
    broker, asked_at = world.broker, asked_at or world.now
    world.handle(
        BookRead(
            world.now, asked_at, BookPurpose.RECONCILE, broker.orders(), broker.positions(), trades=trades
        )
    )


def bought() -> tuple[DeskWorld, OrderId, int]:
    world = DeskWorld()
    fill = world.enter(1000.0)
    world.clock(2)
    return world, fill.order_id, fill.quantity


def drifts(world: DeskWorld) -> list[Alert]:
    return [a for a in world.alerts("difference") if "drift:" in a.title]


def test_trades_that_add_up_to_the_fill_say_nothing() -> None:
    world, order_id, quantity = bought()
    for _ in range(3):  # in how many trades does not matter
        reads(world, [Traded(order_id, 7, quantity, D("1000.004"))])
    assert not drifts(world)
    assert not world.state.locks


@pytest.mark.parametrize("units", [0, 1, 99, 101, 200])
def test_other_quantities_lock_the_instrument_after_two_readings(units: int) -> None:
    world, order_id, quantity = bought()
    assert quantity == 100
    trades = [Traded(order_id, 1, units, D(1000))] if units else []
    reads(world, trades)
    assert not drifts(world)
    reads(world, trades)
    (alert,) = drifts(world)
    assert alert.title == "Quantity drift: BUY 100 RELIANCE MIS"
    assert alert.priority is Priority.CRITICAL
    assert alert.alert_id.startswith("difference:")  # chat puts the verdicts under it
    assert f"its trades are {units} @" in alert.body
    assert world.state.locks["NSE:RELIANCE"].kind is Difference.QUANTITY  # type: ignore[index]  # a key's text
    for _ in range(3):
        reads(world, trades)
    assert len(drifts(world)) == 1
    assert world.held() == 100  # the position is what the order book says; it stays protected
    assert world.stop().purpose is Purpose.STOP


def test_nothing_is_entered_while_quantities_drift_and_agreeing_unlocks() -> None:
    world, order_id, _ = bought()
    for _ in range(2):
        reads(world, [Traded(order_id, 1, 60, D(1000))])
    world.start("keeper")
    world.bar(BUY)
    assert len(world.submits(Purpose.ENTRY)) == 1
    assert world.told("quantity drift, order")
    reads(world, [Traded(order_id, 2, 100, D(1000))])
    assert not world.state.locks
    assert world.told("Unlocked: RELIANCE")


def test_one_order_that_agrees_again_does_not_unlock_what_another_one_locked() -> None:
    world, first, quantity = bought()
    second = world.broker.elsewhere(REL, Side.BUY, 5, "1000")
    world._drain()
    assert world.command(Judge("RELIANCE", Verdict.IGNORE)).ok
    for _ in range(2):
        reads(world, [Traded(first, 1, 60, D(1000)), Traded(second, 1, 3, D(1000))])
    assert len(drifts(world)) == 2
    reads(world, [Traded(first, 1, quantity, D(1000)), Traded(second, 1, 3, D(1000))])
    assert world.state.locks, "the other still drifts"
    reads(world, [Traded(first, 1, quantity, D(1000)), Traded(second, 1, 5, D(1000))])
    assert not world.state.locks


def test_trades_that_agree_again_do_not_judge_what_was_bought_elsewhere() -> None:
    world, order_id, quantity = bought()
    for _ in range(2):
        reads(world, [Traded(order_id, 1, 60, D(1000))])
    manual = world.broker.elsewhere(REL, Side.BUY, 5, "1000")
    world._drain()
    assert world.state.locks[REL].kind is Difference.MANUAL
    reads(world, [Traded(order_id, 1, quantity, D(1000)), Traded(manual, 1, 5, D(1000))])
    assert world.state.locks[REL].kind is Difference.MANUAL, "only the owner's verdict unlocks it"


def test_the_owner_may_ignore_it_and_is_asked_again_only_when_it_changes() -> None:
    world, order_id, _ = bought()
    for _ in range(2):
        reads(world, [Traded(order_id, 1, 60, D(1000))])
    assert world.command(Judge("RELIANCE", Verdict.IGNORE)).ok
    for _ in range(3):
        reads(world, [Traded(order_id, 1, 60, D(1000))])
    assert not world.state.locks
    assert len(drifts(world)) == 1
    for _ in range(2):
        reads(world, [Traded(order_id, 1, 61, D(1000))])
    assert world.state.locks
    assert len(drifts(world)) == 2


def test_another_price_is_told_and_locks_nothing() -> None:
    world, order_id, quantity = bought()
    for _ in range(3):
        reads(world, [Traded(order_id, 1, quantity, D("1000.02"))])
    (alert,) = drifts(world)
    assert alert.title.startswith("Price drift")
    assert not world.state.locks


def test_a_lag_of_one_reading_is_no_drift() -> None:
    world, order_id, quantity = bought()
    for units in (0, quantity, 40, quantity):
        reads(world, [Traded(order_id, 1, units, D(1000))])
    assert not drifts(world)


def test_a_reading_begun_before_the_first_one_came_confirms_nothing() -> None:
    world, order_id, _ = bought()
    reads(world, [Traded(order_id, 1, 60, D(1000))])
    first = world.now
    reads(world, [Traded(order_id, 1, 60, D(1000))], asked_at=first - SECOND)
    assert not drifts(world)
    reads(world, [Traded(order_id, 1, 60, D(1000))], asked_at=first)
    assert drifts(world)


def test_a_broker_without_a_trade_book_is_not_asked_for_one() -> None:
    world, _, _ = bought()
    for _ in range(3):
        reads(world, None)
    assert not drifts(world)


def test_orders_that_are_still_filling_say_nothing() -> None:
    world = DeskWorld()
    world.broker.slice = 30
    fill = world.enter(1000.0)
    order = world.state.orders[fill.tag]
    assert order.filled_quantity < order.quantity
    world.deliver = False
    world.tick(1000.0)  # another part, which nobody has told of yet
    behind = [row for row in world.broker.orders() if row.order_id == fill.order_id]
    assert behind[0].filled_quantity > world.state.orders[fill.tag].filled_quantity
    reads(world, [Traded(fill.order_id, 1, behind[0].filled_quantity, D(1000))])
    reads(world, [Traded(fill.order_id, 1, behind[0].filled_quantity, D(1000))])
    assert not drifts(world)


def test_reconcile_names_what_drifts() -> None:
    world, order_id, _ = bought()
    trades = [Traded(order_id, 1, 60, D(1000))]
    for _ in range(2):
        reads(world, trades)
    effects = len(world.history)
    world.command(Reconcile())
    assert len(world.history) > effects
    told = [a for a in world.alerts("reconcile") if a.alert_id.startswith("reconcile:")]
    assert "BUY 100 RELIANCE MIS: 100 booked, 60 traded at ₹1,000.00." in told[-1].body
    assert told[-1].title.startswith("1 difference")
