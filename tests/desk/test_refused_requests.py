"""Changes and cancels that the broker refuses: asked for ever less often, and looked up."""

from __future__ import annotations

from dataclasses import replace

from broker_book import Reply
from world import BUY, REL, DeskWorld

from trader.desk.commands import Kill
from trader.desk.effects import Cancel, Change
from trader.domain.order import BrokerStatus, Purpose


def sent(world: DeskWorld, kind: type) -> int:
    return sum(isinstance(effect, kind) for effect in world.effects())


def waiting_entry() -> DeskWorld:
    """An entry that finds nobody."""
    world = DeskWorld()
    world.broker.fills = False
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    assert world.working(Purpose.ENTRY)
    return world


def test_a_cancel_refused_every_time_does_not_use_up_the_minute() -> None:
    world = waiting_entry()
    world.broker.change_replies.extend([Reply.REFUSED] * 500)
    world.command(Kill())
    world.clock(300)
    assert 5 <= sent(world, Cancel) <= 20
    world.broker.change_replies.clear()
    world.clock(31)
    assert not world.working()


def test_one_refused_for_the_moment_follows_within_seconds() -> None:
    world = waiting_entry()
    world.broker.change_replies.append(Reply.REFUSED)
    world.command(Kill())
    world.clock(2)
    assert not world.working()


def test_a_change_refused_every_time_is_asked_for_ever_less_often() -> None:
    world = DeskWorld()
    world.broker.slice = 40
    world.start()
    world.tick(1000.0)
    world.bar(BUY)  # forty of them, and their stop
    world.broker.change_replies.extend([Reply.REFUSED] * 500)
    world.tick(1000.0)
    world.tick(1000.0)
    assert world.held() == 100
    world.clock(300)
    assert 5 <= sent(world, Change) <= 22
    world.broker.change_replies.clear()
    world.clock(31)
    assert world.stop().quantity == 100


def test_an_order_the_broker_would_not_change_is_looked_up_at_once() -> None:
    """It had been filled, and nobody told."""
    world = DeskWorld()
    world.enter(1000.0)
    world.clock(20)
    (stop,) = world.working(Purpose.STOP)
    assert stop.order_id is not None
    row = world.broker.rows[stop.order_id]
    ended = replace(
        row, status=BrokerStatus.COMPLETE, filled_quantity=100, average_price=row.trigger_price, at=world.now
    )  # type: ignore[arg-type]  # a stop has one
    world.broker.rows[stop.order_id] = ended
    world.command(Kill())
    world.clock(3)
    assert world.held() == 0
    assert world.account() == world.broker.net() == {}
    assert REL in {fill.key for fill in world.fills()}
