"""A refusal for the pace of requests says nothing about the order that was refused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from broker_book import Reply
from world import BUY, DeskWorld

from trader.domain.money import ZERO
from trader.domain.order import BrokerStatus, Order, OrderId, OrderState, OrderUpdate, Purpose, Side

LATE = OrderId("2900000000000000001")


def live() -> DeskWorld:
    world = DeskWorld()
    world.desk._state.config = replace(world.desk._state.config, live=True)
    world.broker.announces = False  # Kite does not tell that a stop rests
    return world


def turns_up(
    world: DeskWorld, order: Order, status: BrokerStatus = BrokerStatus.TRIGGER_PENDING, *, filled: int = 0
) -> None:
    """The broker had taken it all the same."""
    request = order.request
    world.broker.rows[LATE] = OrderUpdate(
        order_id=LATE,
        tag=order.tag,
        key=request.key,
        side=request.side,
        product=request.product,
        order_type=request.order_type,
        status=status,
        quantity=request.quantity,
        filled_quantity=filled,
        average_price=Decimal(1000) if filled else ZERO,
        at=world.now,
        trigger_price=request.trigger_price,
    )


def refused(world: DeskWorld) -> list[Order]:
    return [order for order in world.state.orders.values() if order.state is OrderState.REJECTED]


def resting(world: DeskWorld) -> list[OrderId]:
    rows = world.broker.rows.values()
    return [row.order_id for row in rows if row.side is Side.SELL and not row.status.final]


def test_a_stop_that_comes_too_soon_again_and_again_is_placed_in_the_end_and_closes_nothing() -> None:
    world = live()
    world.broker.replies.extend([Reply.OK] + [Reply.TOO_MANY] * 5)
    world.enter(1000.0)
    world.clock(90)
    assert world.held() == 100
    assert world.trades() == []
    assert len(world.submits(Purpose.STOP)) == 6
    assert world.stop().state in (OrderState.ACKED, OrderState.TRIGGER_PENDING)
    assert not world.told("Unprotected")


def test_the_owner_hears_that_the_stop_is_tried_again_and_its_price_watched() -> None:
    world = live()
    world.broker.replies.extend([Reply.OK, Reply.TOO_MANY])
    world.enter(1000.0)
    (alert,) = [one for one in world.alerts("order") if one.title.startswith("Rejected by the broker")]
    assert alert.body == (
        "Too many requests\nThe stop is tried again; at or below ₹990.00 the desk, while it runs, leaves at"
        " the market."
    )


def test_the_price_is_watched_until_the_stop_is_taken() -> None:
    world = live()
    world.broker.replies.extend([Reply.OK] + [Reply.TOO_MANY] * 5)
    world.enter(1000.0)
    world.clock(8)  # the next try is seconds away
    world.broker.replies.clear()
    world.tick(985.0)
    assert world.held() == 0


def test_refusals_of_the_stop_itself_count_as_before_with_others_between() -> None:
    world = live()
    world.broker.replies.extend(
        [Reply.OK, Reply.REFUSED, Reply.TOO_MANY, Reply.REFUSED, Reply.TOO_MANY, Reply.REFUSED]
    )
    world.enter(1000.0)
    world.clock(20)
    assert world.held() == 0
    assert world.told("The broker refused the stop 3 times")


def test_of_a_stop_that_was_let_through_and_the_one_placed_after_it_one_is_left() -> None:
    world = live()
    world.broker.replies.extend([Reply.OK, Reply.TOO_MANY])
    world.enter(1000.0)
    world.clock(1)
    (first,) = refused(world)
    (second,) = world.working(Purpose.STOP)
    turns_up(world, first)
    world.clock(5)
    assert resting(world) == [second.order_id]
    assert world.held() == 100


@pytest.mark.parametrize("which", [0, 1], ids=["first", "second"])
def test_a_stop_that_was_let_through_is_taken_up_and_no_other_is_placed(which: int) -> None:
    world = live()
    world.broker.replies.extend([Reply.OK] + [Reply.TOO_MANY] * 4)
    world.enter(1000.0)
    world.clock(2)
    turns_up(world, refused(world)[which])
    world.clock(20)
    assert resting(world) == [LATE]
    assert len(world.submits(Purpose.STOP)) == 2
    assert world.held() == 100


def test_a_stop_that_was_let_through_and_rejected_after_all_counts_as_refused() -> None:
    world = live()
    world.broker.replies.extend([Reply.OK] + [Reply.TOO_MANY] * 3 + [Reply.REFUSED] * 2)
    world.enter(1000.0)
    world.clock(1)
    turns_up(world, refused(world)[-1])
    world.clock(4)
    assert resting(world) == [LATE]
    world.broker.reject(LATE, "RMS: freak")
    world.clock(30)
    assert world.held() == 0
    assert world.told("The broker refused the stop 3 times")


def test_an_entry_that_was_let_through_is_found_within_seconds_and_protected() -> None:
    """Nobody tells of it, and its fill has no stop."""
    world = live()
    world.start()
    world.tick(1000.0)
    world.broker.replies.append(Reply.TOO_MANY)
    world.bar(BUY)
    (entry,) = refused(world)
    turns_up(world, entry, BrokerStatus.COMPLETE, filled=entry.quantity)
    world.clock(10)
    assert world.held() == entry.quantity
    assert [order.purpose for order in world.working()] == [Purpose.STOP]
