"""What a reading of the broker proves: shares among the holdings, and orders that are not in it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from broker_book import Reply
from world import BUY, REL, DeskWorld

from trader.desk.events import BookPurpose, BookRead
from trader.domain.funds import Holding
from trader.domain.order import EXTERNAL, OrderState, Product, Purpose
from trader.domain.records import DeskMode
from trader.domain.times import IST


def morning_after(held: int) -> DeskWorld:
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long", quantity="10")
    world.broker.new_day()
    world.broker.opening.clear()  # as at Kite: they are holdings now
    world.now = datetime(2026, 11, 25, 9, 20, tzinfo=IST)
    world.prices.clear()
    shown = [Holding(REL, held - 4, 4, Decimal(990))] if held else []
    ledger_now = world.now
    world.broker.readable = False
    world.restart(clean=True)
    world.handle(BookRead(ledger_now, ledger_now, BookPurpose.RECONCILE, [], [], shown))
    return world


def test_shares_among_the_holdings_are_where_they_should_be() -> None:
    world = morning_after(10)
    assert world.held(product=Product.CNC) == 10
    assert world.state.latch.mode is DeskMode.ACTIVE


def test_the_owners_other_shares_are_not_the_desks_business() -> None:
    world = morning_after(500)
    assert world.held(product=Product.CNC) == 10
    assert world.held(owner=EXTERNAL, product=Product.CNC) == 0
    assert world.state.latch.mode is DeskMode.ACTIVE


def test_shares_that_are_nowhere_are_missed() -> None:
    world = morning_after(0)
    assert world.state.latch.mode is not DeskMode.ACTIVE or world.state.locks


@pytest.mark.parametrize("proven", [False, True])
def test_absence_counts_only_in_a_reading_proven_newer_than_the_order(proven: bool) -> None:
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    world.broker.replies.append(Reply.LOST)
    world.bar(BUY)
    (order,) = [o for o in world.state.orders.values() if o.purpose is Purpose.ENTRY]
    world.broker.readable = False
    for _ in range(8):
        world.clock(30)
        at = world.now if proven else order.request.at
        world.handle(BookRead(world.now, world.now, BookPurpose.RESOLVE, [], [], (), at))
    state = world.state.orders[order.tag].state
    assert state is (OrderState.NOT_PLACED if proven else OrderState.UNKNOWN)
