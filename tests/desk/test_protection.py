"""From the entry's fill on, exactly one order rests at the broker to close the position."""

from __future__ import annotations

from decimal import Decimal

import pytest
from broker_book import Reply
from world import BUY, LEAVE, MORNING, OURS, REL, SHORT, DeskWorld

from trader.desk.effects import Cancel, Change, Submit
from trader.desk.events import RangePassed, TicksArrived
from trader.desk.portfolio import Slot
from trader.domain.market import Bar, Interval, Tick
from trader.domain.order import OrderState, OrderType, Product, Purpose, Side
from trader.domain.records import ExitPlan

SLOT = Slot(OURS, REL, Product.MIS)


def stops(world: DeskWorld) -> list[tuple[int, Decimal | None]]:
    return [(o.quantity, o.trigger_price) for o in world.working(Purpose.STOP)]


def test_a_stop_is_placed_with_the_fill_and_of_its_size() -> None:
    world = DeskWorld()
    filled = world.enter(1000.0)
    assert stops(world) == [(filled.quantity, Decimal(990))]
    assert world.stop().order_type is OrderType.SL_M
    assert world.stop().side is Side.SELL
    assert world.desk.view(world.now).positions[0].protected


def test_a_short_is_protected_from_above() -> None:
    world = DeskWorld()
    world.enter(1000.0, SHORT)
    assert stops(world) == [(100, Decimal(1010))]
    assert world.stop().side is Side.BUY


def test_partial_fills_resize_the_stop_in_place() -> None:
    world = DeskWorld()
    world.broker.slice = 30
    world.enter(1000.0)
    first = world.stop()
    sizes = [first.quantity]
    for _ in range(8):
        world.tick(1000.0)
        sizes.append(world.stop().quantity)
        assert world.stop().tag == first.tag
    assert sizes[-1] == world.held() == 100
    assert sorted(sizes) == sizes
    assert len(world.submits(Purpose.STOP)) == 1


def test_a_stop_is_resized_while_its_last_change_is_unanswered_only_once_it_is_answered() -> None:
    world = DeskWorld()
    world.broker.slice = 30
    world.broker.change_replies.append(Reply.SILENT)
    world.enter(1000.0)
    world.clock(60)
    assert stops(world) == [(100, Decimal(990))]


def test_the_target_in_tick_mode_turns_the_stop_into_a_market_order() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.tick(1020.0)
    order = world.stop()
    assert (order.order_type, order.purpose, order.quantity) == (OrderType.MARKET, Purpose.TARGET, 100)
    assert len(world.submits()) == 2, "an entry and a stop; the exit is the stop"
    world.broker.fills = True
    world.tick(1020.0)
    assert world.trades()[0].reason is Purpose.TARGET


def test_the_target_inside_a_replayed_candle_turns_the_stop_into_a_limit_at_the_target() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    bar = Bar(REL, Interval.M1, world.now, 1000.0, 1025.0, 999.0, 1010.0, 0)
    world.handle(RangePassed(world.now, bar))
    order = world.stop()
    assert (order.order_type, order.price, order.purpose) == (OrderType.LIMIT, Decimal(1020), Purpose.TARGET)
    world.clock()
    assert world.stop().order_type is OrderType.MARKET, "what the range did not serve leaves at the market"


def test_a_trail_moves_the_stop_in_place_and_never_back() -> None:
    world = DeskWorld()
    world.enter(1000.0, trail="0.5", target="0")
    tag = world.stop().tag
    seen = []
    for price in (1001, 1003, 1002, 1006, 1004, 1003.5):
        world.tick(float(price))
        seen.append(world.stop().trigger_price)
    assert world.stop().tag == tag
    assert seen == sorted(seen)  # type: ignore[type-var]  # a stop has a trigger
    assert seen[-1] == Decimal(1001)
    world.tick(1001.0)
    assert world.held() == 0


def test_a_trail_goes_on_beyond_an_orders_changes_and_keeps_some_back_for_leaving() -> None:
    world = DeskWorld()
    world.enter(1000.0, trail="0.1", target="0")
    for step in range(60):
        world.tick(1001.0 + step)
        assert stops(world) == [(100, Decimal(1000 + step))], "one stop, a rupee behind, after every tick"
    used = [o.modifications for o in world.state.orders.values() if o.purpose is Purpose.STOP]
    assert used == [20, 20, 18], "and two moves by a new order"
    world.broker.fills = False
    world.bar(LEAVE)
    assert world.stop().order_type is OrderType.MARKET


def test_a_stop_is_not_renewed_before_the_old_one_is_known_to_be_gone() -> None:
    world = DeskWorld()
    world.enter(1000.0, trail="0.1", target="0")
    for step in range(20):
        world.tick(1001.0 + step)
    old = world.stop()
    assert old.modifications == 20
    world.broker.change_replies.append(Reply.GONE)
    world.tick(1021.0)
    world.tick(1022.0)
    assert world.state.orders[old.tag].state is OrderState.PENDING_CANCEL
    assert [o.tag for o in world.working(Purpose.STOP)] == [old.tag], "it may still be there, and sell"
    assert old.order_id is not None
    world.broker.cancel(old.order_id)  # now it is
    world.tick(1022.0)
    assert stops(world) == [(100, Decimal(1021))]
    assert world.stop().tag != old.tag


def test_a_stop_that_fires_while_it_is_renewed_sells_once() -> None:
    world = DeskWorld()
    world.enter(1000.0, trail="0.1", target="0")
    for step in range(20):
        world.tick(1001.0 + step)
    old = world.stop()
    world.broker.change_replies.append(Reply.GONE)
    world.tick(1021.0)
    world.tick(1018.0)  # through the old stop, at 1,019
    assert world.held() == 0
    assert world.working(Purpose.STOP) == []
    assert len(world.trades()) == 1
    assert world.state.orders[old.tag].state is OrderState.FILLED


def renewing(*, readable: bool, answer: Reply = Reply.OK) -> DeskWorld:
    """A hundred held, their stop trailed to 1,019 and asked to go; the stream tells nothing of it."""
    world = DeskWorld()
    world.enter(1000.0, trail="0.1", target="0")
    for step in range(20):
        world.tick(1001.0 + step)
    world.deliver, world.broker.readable = False, readable
    world.broker.change_replies.append(answer)
    world.tick(1021.0)
    return world


def test_where_the_stream_is_deaf_the_book_shows_at_once_that_the_old_stop_is_gone() -> None:
    world = renewing(readable=True)
    world.clock(2)
    assert world.stop().state is not OrderState.PENDING_CANCEL
    assert stops(world) == [(100, Decimal(1020))]
    assert not world.told("No stop may rest")


def test_a_stop_that_nobody_shows_to_be_gone_is_told_and_its_price_watched() -> None:
    world = renewing(readable=False)
    old = world.stop()
    world.clock(12)
    assert world.told("No stop may rest: RELIANCE (scripted)")
    assert world.told("at or below ₹1,020.00 the desk, while it runs, leaves at the market.")
    assert world.held() == 100
    world.deliver = True
    world.tick(1019.5)
    world.clock(2)
    assert world.held() == 0
    world.broker.readable = True
    world.clock(120)
    assert world.account() == world.broker.net() == {}
    assert world.state.orders[old.tag].state is OrderState.CANCELLED
    assert [a.title for a in world.alerts()].count("No stop may rest: RELIANCE (scripted)") == 1


@pytest.mark.parametrize("answer", [Reply.TAKEN, Reply.LOST])
def test_a_stop_whose_cancel_nobody_answered_may_rest_so_nothing_else_sells(answer: Reply) -> None:
    world = renewing(readable=False, answer=answer)
    world.clock(12)
    assert world.told("has not answered its cancellation, so it may still rest.")
    world.tick(1019.5)  # between the old stop and the new one
    world.clock(30)
    assert not world.submits(Purpose.EXIT)


def test_a_kill_does_not_wait_for_ever_for_a_stop_that_is_on_its_way_out() -> None:
    world = renewing(readable=False)
    world.deliver = True
    world.kill()
    world.clock(12)
    assert world.held() == 0


def test_another_part_of_the_entry_does_not_loosen_a_trailed_stop() -> None:
    world = DeskWorld()
    world.start(trail="0.5", target="0")
    world.tick(1000.0)
    world.broker.slice = 50
    world.bar(BUY)
    world.broker.fills = False
    world.tick(1010.0)
    assert world.working(Purpose.ENTRY), "more of the entry is to come"
    assert world.working(Purpose.STOP)[0].trigger_price == Decimal(1005)
    world.broker.fills = True
    world.tick(1010.0)
    assert world.held() == 100
    assert stops(world) == [(100, Decimal(1005))]


def test_a_stop_that_ran_out_of_changes_is_replaced_when_the_position_grows() -> None:
    world = DeskWorld()
    world.broker.slice = 2
    world.enter(1000.0)
    for _ in range(60):
        world.tick(1000.0)
    world.clock(3)
    assert world.held() == 100
    assert stops(world) == [(100, Decimal(990))]
    assert max(o.modifications for o in world.state.orders.values()) <= 25


def test_a_stop_refused_three_times_closes_the_position_and_tells() -> None:
    world = DeskWorld()
    world.broker.replies.extend([Reply.OK] + [Reply.REFUSED] * 3)
    world.enter(1000.0)
    world.clock(5)
    assert world.held() == 0
    assert world.told("Unprotected")
    assert world.account() == world.broker.net() == {}
    assert len(world.submits(Purpose.STOP)) == 3


def test_a_stop_rejected_by_the_exchange_after_it_was_taken_is_placed_again() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    order = world.stop()
    assert order.order_id is not None
    world.broker.reject(order.order_id, "RMS: trigger price out of range")
    world.clock(2)
    assert stops(world) == [(100, Decimal(990))]
    assert world.stop().tag != order.tag


def test_a_stop_cancelled_in_the_brokers_app_is_placed_again() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    order = world.stop()
    assert order.order_id is not None
    world.broker.cancel(order.order_id)
    world.clock(2)
    assert stops(world) == [(100, Decimal(990))]


def test_a_price_beyond_the_stop_before_it_rests_leaves_at_once() -> None:
    world = DeskWorld()
    world.broker.replies.extend([Reply.OK, Reply.REFUSED])
    world.broker.fills = True
    world.enter(1000.0)
    world.tick(980.0)
    world.clock(3)
    assert world.held() == 0
    assert world.account() == world.broker.net()


def test_a_tick_nobody_can_use_does_not_disturb_a_position() -> None:
    """After a restart nothing has a price; the first tick may be garbage."""
    world = DeskWorld()
    world.enter(1000.0)
    world.prices.clear()
    world.restart()
    for last in (0.0, -5.0, float("nan"), float("inf")):
        world.handle(TicksArrived(world.now, [Tick(REL, world.now, last)]))
    assert world.held() == 100
    assert REL not in world.state.quotes


def test_a_price_from_the_future_does_not_freeze_the_quote() -> None:
    world = DeskWorld()
    world.tick(1000.0)
    ahead = world.now.replace(hour=23)
    world.handle(TicksArrived(world.now, [Tick(REL, ahead, 500.0)]))
    world.tick(1001.0)
    assert world.state.quotes[REL].last == 1001.0


# -- what is left behind ------------------------------------------------------------------------------


def test_nothing_of_a_closed_position_stays_at_the_broker() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.bar(LEAVE)
    world.tick(1000.0)
    assert world.held() == 0
    assert not world.working()
    assert not [row for row in world.broker.orders() if not row.status.final]
    assert world.written(ExitPlan)[-1].closed


def test_a_stop_that_turns_up_after_the_exit_went_its_own_way_is_cancelled() -> None:
    world = DeskWorld()
    world.broker.announces = False
    world.broker.replies.extend([Reply.OK, Reply.TAKEN])
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    (stop,) = world.working(Purpose.STOP)
    assert stop.state is OrderState.UNKNOWN
    world.broker.hidden.update(row.order_id for row in world.broker.orders() if row.tag == stop.tag)
    world.bar(LEAVE)
    world.clock(5)
    assert world.held() == 100, "the stop may be found any second, and be turned into the exit"
    world.clock(7)
    assert world.held() == 0, "it waited for the stop, but not for ever"
    world.broker.hidden.clear()
    world.clock(40)
    assert not [row for row in world.broker.orders() if not row.status.final]
    assert world.account() == world.broker.net() == {}


def test_a_part_of_the_entry_that_crosses_the_stop_is_left_again() -> None:
    """The stop took the first half out; the second half fills while it is being cancelled."""
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    world.broker.slice = 50
    world.bar(BUY)
    world.broker.slice, world.broker.fills = None, False
    (entry,) = world.working(Purpose.ENTRY)
    (stop,) = world.working(Purpose.STOP)
    assert entry.order_id is not None
    assert stop.order_id is not None
    world.broker.fill(stop.order_id, 50, Decimal(990))
    world.broker.fill(entry.order_id, 50, Decimal(989))
    world._drain()
    world.broker.fills = True
    world.tick(989.0)
    world.clock(3)
    assert world.held() == 0
    assert world.account() == world.broker.net() == {}


@pytest.mark.parametrize("announces", [True, False], ids=["told of resting", "like Kite"])
def test_the_desk_needs_no_word_that_an_order_came_to_rest(announces: bool) -> None:
    """Kite sends no update for placement or OPEN (kite.md 11.1)."""
    world = DeskWorld()
    world.broker.announces = announces
    world.enter(1000.0)
    world.bar(LEAVE)
    world.tick(1000.0)
    assert world.held() == 0
    exits = [e for e in world.effects() if isinstance(e, Submit)]
    assert len(exits) == 2, "the stop itself was turned into the exit"


def test_a_day_order_that_died_over_night_does_not_count_as_protection() -> None:
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long")
    assert world.held(product=Product.CNC) == 100
    world.jump(MORNING.replace(hour=16))
    world.broker.new_day()
    world.jump(MORNING.replace(day=25, hour=9, minute=20))
    world.tick(1000.0)
    world.clock(2)
    assert stops(world) == [(100, Decimal(990))]
    assert world.stop().state is OrderState.TRIGGER_PENDING
    assert [row.status.final for row in world.broker.orders()] == [False]


def test_the_same_after_a_restart_in_the_morning() -> None:
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long")
    world.broker.new_day()
    world.now = MORNING.replace(day=25, hour=9, minute=10)
    world.restart(clean=True)
    world.now = MORNING.replace(day=25, hour=9, minute=20)
    world.tick(1000.0)
    world.clock(2)
    assert stops(world) == [(100, Decimal(990))]
    assert not world.told("stale")


def test_an_entry_whose_strategy_could_not_be_restarted_is_protected_all_the_same() -> None:
    world = DeskWorld()
    world.start()
    world.broker.fills = False
    world.tick(1000.0)
    world.bar(BUY)
    (entry,) = world.working(Purpose.ENTRY)
    world.state.instances.clear()
    assert entry.order_id is not None
    world.broker.fill(entry.order_id, 100, Decimal(1000))
    world._drain()
    assert stops(world) == [(100, Decimal(990))]


def test_changes_obey_the_brokers_rate_like_everything_else() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.state.pace.count(world.now)
    while world.state.pace.in_second < 9:
        world.state.pace.count(world.now)
    before = len(world.effects())
    world.desk._exits.leave(turn := _turn(world), SLOT, Purpose.EXIT)
    assert not [e for e in turn.effects if isinstance(e, Change | Submit | Cancel)]
    assert len(world.effects()) == before
    world.clock(1)
    assert world.held() == 0


def _turn(world: DeskWorld):
    from trader.desk.state import Turn

    return Turn(world.now)
