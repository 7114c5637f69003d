"""What a protected market order leaves over: an entry's is given up, an exit's is chased (kite.md 4)."""

from __future__ import annotations

import pytest
from broker_book import Reply
from test_arming import LiveWorld
from world import LEAVE, DeskWorld

from trader.desk.commands import Arm
from trader.desk.effects import Cancel, Change
from trader.desk.events import ChangeAnswered
from trader.desk.limits import MODIFICATIONS_PER_ORDER
from trader.domain.order import OrderState, OrderType, Purpose


def armed() -> LiveWorld:
    world = LiveWorld()
    assert world.command(Arm()).ok
    return world


def entry_of(world: DeskWorld) -> OrderState:
    (order,) = [o for o in world.state.orders.values() if o.purpose is Purpose.ENTRY]
    return order.state


def enters(world: DeskWorld, filled: int) -> None:
    world.start()
    world.tick(1000.0)
    world.broker.fills = False
    world.bar(1)
    order_id = next(iter(world.broker.rows))
    if filled:
        world.broker.fill(order_id, filled, world.broker.rows[order_id].average_price + 1000)
        world.clock()


@pytest.mark.parametrize("filled", [0, 30])
def test_the_rest_of_an_entry_is_cancelled_and_what_was_bought_is_kept_and_protected(filled: int) -> None:
    world = armed()
    enters(world, filled)
    world.clock(3)
    assert entry_of(world) is (OrderState.PARTIAL if filled else OrderState.OPEN), "not before its time"
    world.clock(4)
    assert entry_of(world) is OrderState.CANCELLED
    assert world.held() == filled
    assert [o.quantity for o in world.working(Purpose.STOP)] == ([filled] if filled else [])


def test_a_cancel_that_was_refused_is_asked_for_again() -> None:
    world = armed()
    enters(world, 30)
    world.broker.change_replies.extend([Reply.REFUSED, Reply.LOST])
    world.clock(60)
    assert entry_of(world) is OrderState.CANCELLED


def test_a_fill_that_crosses_the_cancel_is_kept_too() -> None:
    world = armed()
    enters(world, 30)
    world.broker.change_replies.append(Reply.SILENT)
    order_id = next(iter(world.broker.rows))
    world.clock(4)
    world.broker.fill(order_id, 20, world.broker.rows[order_id].average_price)
    world.clock(60)
    assert world.held() == 50
    assert [o.quantity for o in world.working(Purpose.STOP)] == [50]


def test_on_paper_a_market_order_waits_for_the_next_price() -> None:
    world = DeskWorld()
    enters(world, 30)
    world.clock(20)
    assert entry_of(world) is OrderState.PARTIAL


def test_an_exit_is_priced_anew_until_its_changes_are_used_up_and_then_replaced() -> None:
    world = armed()
    world.enter(1000.0)
    world.broker.fills = False
    world.bar(LEAVE)
    world.clock(3 * 3600)
    exits = [o for o in world.state.orders.values() if o.purpose is Purpose.EXIT]
    assert exits[0].modifications == MODIFICATIONS_PER_ORDER
    assert exits[0].state is OrderState.CANCELLED
    changes = [e for e in world.effects() if isinstance(e, Change)]
    assert all(e.approved.change.order_type is OrderType.MARKET for e in changes)
    assert len([o for o in exits if o.working]) == 1, "never two that could both sell"
    (first,) = [e for e in world.effects() if isinstance(e, Cancel)]
    assert first.order_id == exits[0].order_id
    world.broker.fills = True
    world.tick(1000.0)
    assert not world.held()


@pytest.mark.parametrize("filled", [0, 40])
def test_a_stop_that_fired_and_rests_at_its_protection_is_sold_at_the_market(filled: int) -> None:
    """Kite makes a limit order of an SL-M that fires; what leaps over it would rest for the day."""
    world = armed()
    world.enter(1000.0)
    stop = world.stop()
    assert stop.order_id is not None
    world.broker.fills = False
    world.tick(985.0)
    if filled:
        world.broker.fill(
            stop.order_id, filled, world.broker.rows[stop.order_id].trigger_price or stop.average_price
        )
    for _ in range(3):
        world.tick(984.0)
    (order,) = [o for o in world.state.orders.values() if o.tag == stop.tag]
    assert (order.order_type, order.modifications) == (OrderType.MARKET, 1)
    world.broker.fills = True
    world.tick(984.0)
    assert not world.held()
    assert len(world.submits()) == 2


@pytest.mark.parametrize("clean", [False, True])
def test_how_often_an_order_was_changed_survives_a_restart(clean: bool) -> None:
    world = DeskWorld()
    world.enter(1000.0, trail="1", target="0")
    for price in (1005.0, 1010.0, 1015.0, 1020.0):
        world.tick(price)
    changed = world.stop().modifications
    assert changed == 4
    world.restart(clean=clean)
    assert world.stop().modifications == changed
    world.broker.change_replies.append(Reply.SILENT)
    world.tick(1025.0)
    world.restart(clean=clean)  # dead between the commit and the answer
    world.clock(3)
    assert world.stop().modifications == changed + 1


def test_one_that_was_changed_in_the_app_too_is_cancelled_and_replaced() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    stop = world.stop()
    world.broker.change_replies.append(Reply.GONE)
    world.bar(LEAVE)
    why = "Maximum allowed order modifications exceeded."
    world.handle(ChangeAnswered(world.now, stop.tag, error=why, used_up=True))
    for _ in range(5):
        world.tick(1000.0)
    assert not world.held()
    assert world.state.orders[stop.tag].state is OrderState.CANCELLED
    assert len(world.submits(Purpose.EXIT)) == 1
