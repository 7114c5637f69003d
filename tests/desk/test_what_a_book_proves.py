"""What a reading of the broker proves: shares among the holdings, and orders that are not in it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from broker_book import Reply
from world import BUY, REL, DeskWorld

from trader.desk.commands import NotThere
from trader.desk.events import BookPurpose, BookRead
from trader.domain.funds import Holding
from trader.domain.order import EXTERNAL, OrderState, Product, Purpose, Tag
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


def unproven(purpose: Purpose = Purpose.ENTRY) -> tuple[DeskWorld, Tag]:
    """An order whose outcome nobody knows, in an account in which nothing else happens: no reading of the
    book is known to be newer."""
    world = DeskWorld()
    world.broker.announces = False
    world.broker.replies.extend([Reply.LOST] if purpose is Purpose.ENTRY else [Reply.OK, Reply.LOST])
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    (order,) = world.working(purpose)
    assert order.state is OrderState.UNKNOWN
    world.broker.readable = False
    return world, order.tag


def read(world: DeskWorld, tag: Tag, times: int) -> None:
    """Readings that show everything but this order, and prove nothing."""
    for _ in range(times):
        world.clock(30)
        before = world.state.orders[tag].request.at
        shown, positions = world.broker.orders(), world.broker.positions()
        world.handle(BookRead(world.now, world.now, BookPurpose.RESOLVE, shown, positions, (), before))


def test_the_owner_is_asked_once_about_an_order_that_no_reading_can_prove_absent() -> None:
    world, tag = unproven()
    read(world, tag, 2)
    assert not world.told("Still unknown")
    read(world, tag, 6)
    assert world.told("Look into the broker's own app")
    assert len([alert for alert in world.alerts() if alert.title.startswith("Still unknown")]) == 1


def test_the_owners_word_ends_it_and_the_next_entry_is_made() -> None:
    world, tag = unproven()
    read(world, tag, 5)
    answer = world.command(NotThere(tag))
    assert answer.ok
    assert "counts as not placed" in answer.text
    assert world.state.orders[tag].state is OrderState.NOT_PLACED
    assert "says the owner" in world.state.orders[tag].message
    again = world.command(NotThere(tag))
    assert not again.ok
    assert "not unknown any more" in again.text


def test_the_owners_word_is_not_taken_before_the_book_had_its_time() -> None:
    world, tag = unproven()
    read(world, tag, 2)
    answer = world.command(NotThere(tag))
    assert not answer.ok
    assert "(2 so far)" in answer.text
    assert world.state.orders[tag].state is OrderState.UNKNOWN
    assert not world.command(NotThere("MTST000000000000")).ok


def test_a_position_whose_stop_the_owner_did_not_find_gets_another() -> None:
    world, tag = unproven(Purpose.STOP)
    read(world, tag, 5)
    assert world.command(NotThere(tag)).ok
    world.clock(2)
    (stop,) = world.working(Purpose.STOP)
    assert stop.tag != tag
    assert stop.state is OrderState.TRIGGER_PENDING or stop.order_id is not None
