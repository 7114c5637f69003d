"""A stop that was given up for lost turns up beside the exit that went its own way: one of them sells."""

from __future__ import annotations

import pytest
from broker_book import Reply
from world import BUY, REL, DeskWorld

from trader.desk.commands import Kill
from trader.domain.order import Product, Purpose, Side


def turned_up(exit_reply: Reply = Reply.OK) -> DeskWorld:
    """A hundred held in a market without buyers, an exit under way, and now the stop shows in the book."""
    world = DeskWorld()
    world.broker.announces = False
    world.broker.replies.extend([Reply.OK, Reply.TAKEN, exit_reply])
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    world.broker.fills = False
    (stop,) = world.working(Purpose.STOP)
    world.broker.hidden.update(row.order_id for row in world.broker.orders() if row.tag == stop.tag)
    world.command(Kill())
    while not world.submits(Purpose.KILL):
        world.clock()
    world.broker.hidden.clear()
    return world


def sellers(world: DeskWorld) -> int:
    """Units that orders at the broker would sell at the market."""
    rows = (row for row in world.broker.orders() if not row.status.final and row.trigger_price is None)
    return sum(row.quantity - row.filled_quantity for row in rows if row.side is Side.SELL)


def test_the_stop_is_cancelled_and_not_made_a_second_seller() -> None:
    world = turned_up()
    for _ in range(40):
        world.clock()
        assert sellers(world) <= 100
    (order,) = [row for row in world.broker.orders() if not row.status.final]
    assert order.tag == world.submits(Purpose.KILL)[0].tag
    world.broker.fills = True
    world.tick(1000.0)
    world.clock(10)
    assert world.account() == world.broker.net() == {}
    assert not world.told("Closed twice")


@pytest.mark.parametrize("reply", [Reply.LOST, Reply.GONE])
def test_it_becomes_the_exit_where_the_other_never_arrived(reply: Reply) -> None:
    world = turned_up(reply)
    world.clock(60)
    assert sellers(world) == 100
    world.broker.fills = True
    world.tick(1000.0)
    world.clock(10)
    assert world.account() == world.broker.net() == {}


def test_of_what_a_part_was_sold_the_stop_sells_no_more_than_the_rest() -> None:
    world = turned_up()
    (other,) = [row for row in world.broker.orders() if row.tag == world.submits(Purpose.KILL)[0].tag]
    world.broker.fill(
        other.order_id, 60, world.broker.rows[other.order_id].average_price or other.average_price + 1000
    )
    for _ in range(40):
        world.clock()
        assert sellers(world) <= world.broker.net().get((REL, Product.MIS), 0)
    world.broker.fills = True
    world.tick(1000.0)
    world.clock(10)
    assert world.account() == world.broker.net() == {}
