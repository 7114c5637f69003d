"""Before an exit goes its own way past a stop of unknown outcome the book is asked, soon enough to matter."""

from __future__ import annotations

from dataclasses import replace

import pytest
from broker_book import Reply
from world import BUY, LEAVE, REL, DeskWorld

from trader.desk.effects import ReadBook
from trader.desk.events import OrderUpdated
from trader.domain.order import OrderId, OrderState, Purpose, Side


def readings(world: DeskWorld) -> int:
    return sum(isinstance(effect, ReadBook) for effect in world.effects())


def with_an_unknown_stop(world: DeskWorld, *, entry_lost_for: int) -> None:
    """The stop rests, but the desk knows only that it may; the stream tells nothing."""
    world.start()
    world.tick(1000.0)
    world.deliver = False
    world.broker.replies.extend([Reply.TAKEN, Reply.TAKEN])
    world.bar(BUY)
    (entry,) = world.broker.rows
    world.broker.hidden.add(entry)
    world.clock(entry_lost_for)
    assert [o.state for o in world.working()] == [OrderState.UNKNOWN]
    world.broker.hidden.clear()
    world.handle(OrderUpdated(world.now, world.broker.rows[entry]))
    assert [(o.purpose, o.state) for o in world.working()] == [(Purpose.STOP, OrderState.UNKNOWN)]


def sellers(world: DeskWorld) -> int:
    return sum(row.side is Side.SELL for row in world.broker.rows.values())


def test_an_outcome_that_is_newly_unknown_is_looked_up_soon_however_long_another_was() -> None:
    world = DeskWorld()
    with_an_unknown_stop(world, entry_lost_for=100)
    world.clock(2)
    assert [(o.purpose, o.state) for o in world.working()] == [(Purpose.STOP, OrderState.TRIGGER_PENDING)]


@pytest.mark.parametrize("unreadable", [0, 5])
def test_a_stop_that_rests_unknown_is_found_before_an_exit_sells_beside_it(unreadable: int) -> None:
    world = DeskWorld()
    world.broker.replies.extend([Reply.OK, Reply.TAKEN])
    world.deliver = False
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    world.post()
    (stop,) = [row for row in world.broker.rows.values() if row.side is Side.SELL]
    world.broker.hidden.add(stop.order_id)
    world.clock(100)  # by now the book is read every half minute only
    assert [o.state for o in world.working()] == [OrderState.UNKNOWN]
    world.broker.hidden.clear()
    world.clock(1)
    if world.working()[0].state is not OrderState.UNKNOWN:
        pytest.fail("it was found by chance: the test shows nothing")
    world.broker.readable = not unreadable
    world.bar(LEAVE)
    world.clock(unreadable)
    world.broker.readable = True
    world.clock(12)
    world.post()
    world.clock(30)
    world.post()
    world.clock(5)
    assert world.held() == 0
    assert sellers(world) == 1, "two could both fill"


def live() -> DeskWorld:
    world = DeskWorld()
    world.desk._state.config = replace(world.desk._state.config, live=True)
    return world


def test_a_stop_that_was_refused_and_rests_all_the_same_is_found_and_only_one_is_left() -> None:
    """A 429 that let it through, and a book that showed it seconds later."""
    world = live()
    world.broker.replies.extend([Reply.OK, Reply.REFUSED])
    world.broker.announces = False  # Kite does not tell that a stop rests
    world.enter(1000.0)
    world.clock(1)
    (first,) = [order for order in world.state.orders.values() if order.state is OrderState.REJECTED]
    (second,) = world.working(Purpose.STOP)
    terms = world.broker.rows[second.order_id]  # type: ignore[index]  # it has an id
    world.broker.rows[OrderId("2900000000000000001")] = replace(
        terms, order_id=OrderId("2900000000000000001"), tag=first.tag
    )
    world.clock(4)
    resting = [row for row in world.broker.rows.values() if row.side is Side.SELL and not row.status.final]
    assert [row.order_id for row in resting] == [second.order_id]
    assert world.held() == 100


def test_after_a_refusal_the_book_is_read_for_two_minutes_and_ever_less_often() -> None:
    world = live()
    world.broker.replies.extend([Reply.OK, Reply.REFUSED])
    world.enter(1000.0)
    before = readings(world)
    world.clock(130)
    assert 5 <= readings(world) - before <= 9
    calm = readings(world)
    world.clock(50)
    assert readings(world) - calm <= 1


def test_the_book_is_not_asked_for_an_exit_whose_stop_is_known_to_rest() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    before = readings(world)
    world.bar(LEAVE)
    assert world.prices[REL] == 1000.0
    assert readings(world) == before
