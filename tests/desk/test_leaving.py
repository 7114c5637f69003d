"""Leaving: flat exactly once, never through zero, whatever the broker does meanwhile."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from broker_book import Reply
from world import BUY, LEAVE, OURS, REL, SHORT, DeskWorld

from trader.desk.commands import StopStrategy
from trader.desk.effects import Change, Submit
from trader.domain.order import EXTERNAL, OrderState, OrderType, Product, Purpose, Side
from trader.domain.records import DeskMode, InstanceStatus


def flat(world: DeskWorld) -> None:
    assert world.held() == 0
    assert world.account() == world.broker.net() == {}
    assert not [row for row in world.broker.orders() if not row.status.final]
    assert not world.working()


@pytest.mark.parametrize("reply", list(Reply))
def test_whatever_the_broker_answers_to_a_conversion_the_position_is_closed_once(reply: Reply) -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.change_replies.append(reply)
    world.bar(LEAVE)
    world.clock(90)
    flat(world)
    assert sum(f.quantity for f in world.fills() if f.side is Side.SELL) == 100


@pytest.mark.parametrize("reply", list(Reply))
def test_whatever_the_broker_answered_to_the_stop_the_position_is_closed_once(reply: Reply) -> None:
    world = DeskWorld()
    world.broker.announces = False
    world.broker.replies.extend([Reply.OK, reply])
    world.enter(1000.0)
    world.bar(LEAVE)
    world.clock(150)
    flat(world)


@pytest.mark.parametrize("reply", list(Reply))
def test_whatever_the_broker_answers_to_a_separate_exit_the_position_is_closed_once(reply: Reply) -> None:
    """No stop rests: it was refused, so the exit is an order of its own."""
    world = DeskWorld()
    world.broker.replies.extend([Reply.OK, Reply.REFUSED, reply])
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    world.bar(LEAVE)
    if reply is Reply.LOST:  # of one that was taken the fill is heard first
        assert world.told("Until then the desk sends no other exit, which could close twice.")
    world.clock(200)
    flat(world)
    assert sum(f.quantity for f in world.fills() if f.side is Side.SELL) == 100


def test_a_stop_that_fills_while_it_is_being_converted_closes_once() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    stop = world.stop()
    assert stop.order_id is not None
    world.deliver = False
    world.broker.fill(stop.order_id, 100, Decimal(990))  # the desk has not heard of it yet
    world.bar(LEAVE)
    assert world.stop().state is OrderState.TRIGGER_PENDING, "refused, so the old terms are back"
    world.clock(3)
    world.deliver = True
    world.post()
    world.clock(5)
    flat(world)


def test_the_same_when_the_update_never_comes() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    stop = world.stop()
    assert stop.order_id is not None
    world.deliver = False
    world.broker.fill(stop.order_id, 100, Decimal(990))
    world.mail.clear()
    world.deliver = True
    world.bar(LEAVE)
    world.clock(65)
    flat(world)


def test_an_entry_still_filling_is_cancelled_and_all_of_it_is_left() -> None:
    world = DeskWorld()
    world.broker.slice = 30
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    assert world.working(Purpose.ENTRY)
    world.bar(LEAVE)
    world.clock(20)
    flat(world)


def test_an_entry_that_has_not_filled_is_withdrawn_when_the_signal_turns() -> None:
    world = DeskWorld()
    world.start()
    world.broker.fills = False
    world.tick(1000.0)
    world.bar(BUY)
    world.bar(LEAVE)
    world.clock(2)
    flat(world)
    assert world.fills() == []


def test_a_market_order_left_behind_by_the_market_is_priced_anew() -> None:
    """A market order is a limit at its protection price at Kite; the unfilled rest stays (kite.md 4)."""
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.bar(LEAVE)
    world.clock(45)
    conversions = [e for e in world.effects() if isinstance(e, Change)]
    assert 3 <= len(conversions) <= 6
    assert len(world.working()) == 1
    world.broker.fills = True
    world.clock(5)
    flat(world)


def test_what_the_broker_refuses_every_time_is_asked_ever_less_often() -> None:
    world = DeskWorld()
    world.broker.replies.extend([Reply.OK] + [Reply.REFUSED] * 500)
    world.enter(1000.0)
    world.clock(1800)
    exits = world.submits(Purpose.EXIT)
    assert 5 < len(exits) < 20
    assert world.held() == 100
    world.broker.replies.clear()
    world.clock(301)
    flat(world)


def test_a_conversion_refused_every_time_does_not_use_up_the_day() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.change_replies.extend([Reply.REFUSED] * 500)
    world.bar(LEAVE)
    world.clock(1800)
    assert len([e for e in world.effects() if isinstance(e, Change)]) < 40
    assert world.held() == 100
    world.broker.change_replies.clear()
    world.clock(301)
    flat(world)


def test_a_reversal_enters_only_after_flat() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.bar(SHORT)
    world.clock(3)
    assert world.held() == 100
    assert len(world.submits(Purpose.ENTRY)) == 1
    world.broker.fills = True
    world.clock(2)
    assert world.held() == -100
    sides = [f.side for f in world.fills()]
    assert sides == [Side.BUY, Side.SELL, Side.SELL]
    assert [t.side for t in world.trades()] == [Side.BUY]


def test_a_reversal_that_took_too_long_to_get_flat_is_dropped() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.bar(SHORT)
    world.clock(75)
    world.broker.fills = True
    world.clock(15)
    flat(world)


@pytest.mark.parametrize("twice", [1, 3])
def test_an_exit_that_closed_too_much_is_taken_back_at_once(twice: int) -> None:
    """The stop was presumed lost, the exit went its own way, and then both filled."""
    world = DeskWorld()
    world.broker.announces = False
    world.broker.replies.extend([Reply.OK, Reply.TAKEN])
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    (stop,) = world.working(Purpose.STOP)
    hidden = [row.order_id for row in world.broker.orders() if row.tag == stop.tag]
    world.broker.hidden.update(hidden)
    world.bar(LEAVE)
    world.clock(12)
    assert world.held() == 0
    world.broker.hidden.clear()
    for _ in range(twice):
        world.tick(989.0)
    world.clock(60)
    assert world.told("Closed twice")
    flat(world)


# -- others close what we hold ------------------------------------------------------------------------


@pytest.mark.parametrize("told", [True, False], ids=["told", "seen in the book"])
@pytest.mark.parametrize("quantity", [100, 40])
def test_what_the_broker_squares_off_is_not_sold_again(told: bool, quantity: int) -> None:
    """Zerodha's own square-off is an untagged order (kite.md 11, faults.md 56)."""
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.elsewhere(REL, Side.SELL, quantity, "998", told=told)
    world._drain()
    world.clock(65)
    assert world.held() == 100 - quantity
    assert [o.quantity for o in world.working(Purpose.STOP)] == ([100 - quantity] if quantity < 100 else [])
    world.tick(900.0)
    world.clock(3)
    assert world.account() == world.broker.net() == {}


def test_what_the_broker_closed_beyond_our_position_is_external() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.elsewhere(REL, Side.SELL, 130, "998")
    world._drain()
    assert world.held() == 0
    assert world.held(owner=EXTERNAL) == -30
    assert world.account() == world.broker.net()


def test_a_purchase_elsewhere_is_not_taken_for_ours() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.elsewhere(REL, Side.BUY, 30, "998")
    world._drain()
    assert (world.held(), world.held(owner=EXTERNAL)) == (100, 30)


def test_two_square_offs_that_cross_are_owned_up_to() -> None:
    """Ours and the broker's fill in the same second: nobody can prevent it, but nobody may hide it either."""
    world = DeskWorld()
    world.enter(1000.0)
    world.jump(world.now.replace(hour=15, minute=19, second=58))
    world.tick(1000.0)
    world.broker.fills = False
    world.tick(1000.0)
    assert world.stop().purpose is Purpose.SQUAREOFF
    world.broker.elsewhere(REL, Side.SELL, 100, "998", told=False)
    stop = world.stop()
    assert stop.order_id is not None
    world.broker.fill(stop.order_id, 100, Decimal(998))
    world._drain()
    world.clock(70)
    assert world.held() == 0
    assert world.account() == world.broker.net() == {(REL, Product.MIS): -100}
    assert world.held(owner=EXTERNAL) == -100
    assert world.told("Order from elsewhere: SELL 100 RELIANCE")


# -- a stopping strategy ------------------------------------------------------------------------------


def test_stop_with_close_also_closes_what_was_still_on_its_way_in() -> None:
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    world.deliver = False
    world.broker.replies.append(Reply.SILENT)
    world.broker.announces = False
    world.bar(BUY)
    answer = world.command(StopStrategy("scripted", close=True))
    assert answer.ok
    world.deliver = True
    world.post()
    world.clock(40)
    flat(world)
    assert world.fills(), "the entry filled after all"


def test_stop_with_keep_leaves_the_position_and_its_stop() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    assert world.command(StopStrategy("scripted", close=False)).ok
    world.clock(10)
    assert world.held() == 100
    assert world.stop().trigger_price == Decimal(990)
    world.tick(980.0)
    world.clock(2)
    flat(world)


def test_stop_with_close_ends_stopped_once_flat() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    assert world.command(StopStrategy("scripted", close=True)).ok
    assert world.state.instances[OURS].instance.status is InstanceStatus.STOPPING
    world.broker.fills = True
    world.clock(2)
    assert world.state.instances[OURS].instance.status is InstanceStatus.STOPPED
    flat(world)


def test_more_than_the_exchange_freezes_is_left_in_slices() -> None:
    world = DeskWorld()
    world.prices["NSE:TCS"] = 10.0  # type: ignore[index]  # the key's own text
    world.broker.opening["NSE:TCS", Product.MIS] = 12_000
    world.restart(clean=True)
    assert world.state.latch.mode is DeskMode.HALTED
    world.clock()
    world.kill()
    world.clock(5)
    sizes = [e.approved.request.quantity for e in world.effects() if isinstance(e, Submit)]
    assert sizes == [5000, 5000, 2000]
    assert world.account() == world.broker.net() == {}
    assert world.now - world.state.latch.since < timedelta(minutes=1)


def test_an_order_type_that_rests_is_never_a_second_seller() -> None:
    """Ten seconds of waiting for an order that has an id must not end in a second exit."""
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.change_replies.extend([Reply.REFUSED] * 6)
    world.bar(LEAVE)
    for _ in range(40):
        world.clock()
        resting = [r for r in world.broker.orders() if not r.status.final]
        assert sum(r.quantity - r.filled_quantity for r in resting) <= abs(
            world.broker.net().get((REL, Product.MIS), 0)
        )
    flat(world)
    assert all(o.order_type is not OrderType.LIMIT for o in world.state.orders.values())
