"""A stop whose outcome nobody knows: the desk watches its price itself."""

from __future__ import annotations

import pytest
from broker_book import Reply
from world import BUY, SHORT, DeskWorld

from trader.domain.order import OrderState, Purpose, Side


def bare(reply: Reply, code: int = BUY) -> DeskWorld:
    """A hundred held, and a stop that may or may not rest; the book does not show it."""
    world = DeskWorld()
    world.broker.announces = False
    world.broker.replies.extend([Reply.OK, reply])
    world.start()
    world.tick(1000.0)
    world.bar(code)
    (stop,) = world.working(Purpose.STOP)
    assert stop.state is OrderState.UNKNOWN
    world.broker.hidden.update(row.order_id for row in world.broker.orders() if row.tag == stop.tag)
    return world


@pytest.mark.parametrize(("code", "past"), [(BUY, 985.0), (SHORT, 1015.0)])
def test_a_stop_that_never_arrived_is_made_good_when_its_price_is_passed(code: int, past: float) -> None:
    world = bare(Reply.LOST, code)
    assert world.told("no stop may rest")
    world.clock(5)
    assert abs(world.held()) == 100
    world.tick(past)
    world.clock(12)
    assert world.held() == 0
    assert world.account() == world.broker.net() == {}
    world.clock(180)
    assert not world.working()
    side = Side.SELL if code == BUY else Side.BUY
    assert sum(f.quantity for f in world.fills() if f.side is side) == 100


def test_before_its_price_is_passed_nothing_is_sold() -> None:
    world = bare(Reply.LOST)
    world.tick(992.0)
    world.clock(60)
    assert world.held() == 100
    assert not world.submits(Purpose.EXIT)


@pytest.mark.parametrize("told", [True, False])
def test_one_that_rests_after_all_sells_once(told: bool) -> None:
    world = bare(Reply.TAKEN)
    world.clock(5)
    world.deliver = told
    world.broker.hidden.clear()
    world.tick(985.0)
    world.clock(60)
    assert world.account() == world.broker.net() == {}
    assert not world.submits(Purpose.EXIT)
    assert sum(f.quantity for f in world.fills() if f.side is Side.SELL) == 100


def lagging() -> DeskWorld:
    """A hundred held, their stop trailed to 1,019 and belonging at 1,025: the broker refuses to cancel it."""
    world = DeskWorld()
    world.enter(1000.0, trail="0.1", target="0")
    for step in range(20):
        world.tick(1001.0 + step)
    world.broker.change_replies.extend([Reply.REFUSED] * 4)
    world.tick(1026.0)
    assert world.stop().trigger_price == 1019
    return world


def test_a_stop_that_the_broker_will_not_move_is_left_at_the_price_where_it_belongs() -> None:
    world = lagging()
    world.clock(6)
    assert world.held() == 100
    world.tick(1024.5)
    world.clock(5)
    assert world.held() == 0
    assert world.account() == world.broker.net() == {}
    assert sum(f.quantity for f in world.fills() if f.side is Side.SELL) == 100


def test_the_owner_hears_of_a_stop_that_the_broker_will_not_move() -> None:
    world = lagging()
    world.broker.change_replies.extend([Reply.REFUSED] * 20)
    world.clock(29)
    assert not world.told("Stop not moved")
    world.clock(60)
    told = [alert for alert in world.alerts() if alert.title == "Stop not moved: RELIANCE (scripted)"]
    assert len(told) == 1
    assert told[0].body.startswith("It rests at ₹1,019.00 and belongs at ₹1,025.00: the broker takes neither")
    assert '"refused on demand"' in told[0].body
