"""A cancel that stays pending for an hour, and an order that fills all the same (faults.md 20)."""

from __future__ import annotations

from decimal import Decimal

from broker_book import Reply
from world import BUY, DeskWorld

from trader.desk.exposure import exposure
from trader.domain.order import OrderState, Purpose
from trader.domain.records import DeskMode

HOUR = 3600


def test_an_entry_whose_cancel_nobody_answers_is_tracked_and_counts_until_it_fills() -> None:
    world = DeskWorld()
    world.start(quantity="10")
    world.tick(1000.0)
    world.broker.fills = False
    world.bar(BUY)
    (entry,) = world.working(Purpose.ENTRY)
    world.broker.change_replies.extend([Reply.LOST] * HOUR)
    world.kill(flatten=False)
    for _ in range(60):
        world.clock(60)
        assert [order.tag for order in world.working()] == [entry.tag]
        assert exposure(world.state) == Decimal(10_000)
    assert world.broker.change_replies, "the cancel was asked for again, in no storm"
    assert HOUR - len(world.broker.change_replies) < HOUR // 6
    assert entry.order_id is not None
    world.broker.fill(entry.order_id, 10, Decimal(1000))
    world.clock(2)
    assert (world.held(), world.state.latch.mode) == (10, DeskMode.HALTED)
    assert world.stop().state is OrderState.TRIGGER_PENDING, "it is kept, and protected"
    assert len(world.submits(Purpose.ENTRY)) == 1
    assert world.account() == world.broker.net()
