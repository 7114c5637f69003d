"""An entry that was taken back stays so over a restart: it is cancelled, and what it filled is left."""

from __future__ import annotations

from decimal import Decimal

import pytest
from broker_book import Reply
from world import BUY, LEAVE, OURS, REL, DeskWorld

from trader.desk.commands import Resume, StopStrategy
from trader.domain.order import EXTERNAL, OrderState, Purpose, Side


def stays_flat(world: DeskWorld) -> None:
    assert world.held() == 0
    assert world.account() == world.broker.net() == {}
    assert not [row for row in world.broker.orders() if not row.status.final]
    assert not world.working()


def resting(world: DeskWorld) -> None:
    """An entry that finds nobody, and whose cancels are refused for now."""
    world.start()
    world.broker.fills = False
    world.tick(1000.0)
    world.bar(BUY)
    world.broker.change_replies.extend([Reply.REFUSED] * 9)


def unknown(world: DeskWorld) -> None:
    """An entry that the broker took and nobody heard of."""
    world.start()
    world.broker.readable = world.deliver = False
    world.broker.replies.append(Reply.TAKEN)
    world.tick(1000.0)
    world.bar(BUY)
    world.mail.clear()


def signal_turns(world: DeskWorld) -> None:
    world.bar(LEAVE)


def strategy_closes(world: DeskWorld) -> None:
    world.command(StopStrategy(OURS, close=True))


def comes_back(world: DeskWorld, *, clean: bool) -> None:
    world.restart(clean=clean)
    world.broker.change_replies.clear()
    world.broker.readable = world.deliver = True


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
@pytest.mark.parametrize("taken_back", [signal_turns, strategy_closes], ids=lambda one: one.__name__)
@pytest.mark.parametrize("entry", [resting, unknown], ids=lambda one: one.__name__)
def test_what_it_fills_after_a_restart_is_left_again(entry, taken_back, clean) -> None:
    world = DeskWorld()
    entry(world)
    taken_back(world)
    comes_back(world, clean=clean)
    world.broker.fills = True
    world.tick(1000.0)
    world.clock(90)
    assert [o.state for o in world.state.orders.values() if o.purpose is Purpose.ENTRY] == [OrderState.FILLED]
    stays_flat(world)


def test_it_is_cancelled_after_a_restart_where_it_has_not_filled() -> None:
    world = DeskWorld()
    resting(world)
    signal_turns(world)
    comes_back(world, clean=True)
    world.clock(3)
    assert [o.state for o in world.state.orders.values()] == [OrderState.CANCELLED]
    stays_flat(world)


def test_one_that_was_taken_back_to_be_kept_is_kept_after_a_restart() -> None:
    world = DeskWorld()
    unknown(world)
    world.command(StopStrategy(OURS, close=False))
    comes_back(world, clean=True)
    world.clock(90)
    assert world.held() == 100
    assert world.stop().state is OrderState.TRIGGER_PENDING


@pytest.mark.parametrize("restarted", [False, True])
def test_an_order_from_elsewhere_that_a_kill_could_not_cancel_is_its_owners_again_once_he_resumes(
    restarted: bool,
) -> None:
    world = DeskWorld()
    world.tick(1000.0)
    world.broker.fills = False
    order_id = world.broker.elsewhere(REL, Side.BUY, 10, "990", filled=False)
    world._drain()
    world.broker.change_replies.extend([Reply.REFUSED] * 99)
    world.kill()
    world.clock(90)
    assert world.told("NOT FLAT")
    assert world.command(Resume()).ok
    asked = len(world.broker.change_replies)
    if restarted:
        world.restart(clean=True)
    world.clock(100)
    assert len(world.broker.change_replies) == asked, "nobody asks for its cancel any more"
    world.broker.fill(order_id, 10, Decimal(990))
    world._drain()
    world.clock(10)
    assert (world.held(owner=EXTERNAL), world.account()) == (10, world.broker.net())


def test_a_day_forgets_what_was_taken_back_the_day_before() -> None:
    world = DeskWorld()
    resting(world)
    signal_turns(world)
    world.prices.clear()
    world.broker.new_day()
    world.jump(world.now.replace(day=25, hour=10))
    assert world.desk._sending.settled
    world.restart(clean=True)
    world.clock(2)
    assert world.desk._sending.settled
    world.broker.change_replies.clear()
    world.broker.fills = True
    world.tick(1000.0)
    world.bar(BUY)
    world.tick(1000.0)
    world.clock(3)
    assert world.held() == 100
