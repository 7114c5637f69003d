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
