"""Things that cross on the way: answers, readings, restarts and fills that meet at the wrong moment."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from broker_book import Reply
from world import BUY, LEAVE, LOT, REL, SHORT, TCS, DeskWorld, sends

from trader.desk.effects import Cancel, Change
from trader.desk.events import BookPurpose, BookRead, OrderAcked
from trader.desk.limits import RiskLimits
from trader.domain.order import EXTERNAL, OrderState, OrderType, Purpose, Side
from trader.domain.records import DeskMode

# Distances that lie on half of a ten-thousandth: rounded up, the size that fits would not fit.
ROUNDED = [(20.05, "0.7"), (20.55, "0.7"), (20.65, "1.3"), (23.85, "1.3")]


def waiting_entry(reply: Reply = Reply.OK) -> DeskWorld:
    """An entry that rests at the broker; ``SILENT`` keeps its id from the desk."""
    world = DeskWorld()
    world.restart(clean=True)
    world.broker.announces = world.broker.fills = False
    world.broker.replies.append(reply)
    world.start()
    world.tick(1000.0)
    world.now += timedelta(seconds=1)
    world.bar(BUY)
    return world


# -- requests -----------------------------------------------------------------------------------------


def test_a_cancel_waits_for_the_next_second_when_this_one_is_used_up() -> None:
    world = waiting_entry()
    while world.state.pace.in_second < 10:
        world.state.pace.count(world.now)
    before = len(world.effects())
    world.kill()
    assert not [e for e in world.effects()[before:] if isinstance(e, Cancel)]
    world.clock()
    assert [row.status.final for row in world.broker.orders()] == [True]


def test_an_order_is_asked_one_thing_at_a_time() -> None:
    """An answer names the order, not the request: a second request could be taken for the first."""
    world = DeskWorld()
    world.enter(1000.0, trail="0.5", target="0")
    world.broker.change_replies.append(Reply.SILENT)
    world.tick(1003.0)
    assert world.stop().state is OrderState.PENDING_MODIFY
    before = len(world.effects())
    world.broker.elsewhere(REL, Side.SELL, 100, "1003")
    world._drain()
    world.clock(3)
    assert world.held() == 0
    assert not sends(world.effects()[before:])
    world.clock(60)
    assert not world.working()
    assert world.broker.net() == {}


@pytest.mark.parametrize("reply", [Reply.TAKEN, Reply.LOST])
def test_a_change_of_unknown_outcome_is_looked_up_within_seconds(reply: Reply) -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.broker.change_replies.append(reply)
    world.bar(LEAVE)
    assert world.stop().state is OrderState.PENDING_MODIFY
    world.clock(10)
    assert world.stop().state is not OrderState.PENDING_MODIFY
    assert world.stop().order_type is OrderType.MARKET


def test_an_entry_nobody_wants_is_cancelled_in_the_moment_it_has_an_id() -> None:
    world = waiting_entry(Reply.SILENT)
    world.kill(flatten=False)
    (order,) = world.working(Purpose.ENTRY)
    (order_id,) = world.broker.rows
    effects = world.handle(OrderAcked(world.now, order.tag, order_id))
    assert sends(effects) == [Cancel(order.tag, order_id)]


def test_progress_ends_the_pause_between_attempts() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    stop = world.stop()
    assert stop.order_id is not None
    world.broker.change_replies.extend([Reply.REFUSED] * 7)
    world.bar(LEAVE)
    world.clock(35)  # the next attempt is half a minute away by now
    world.broker.change_replies.clear()
    world.broker.fills = False
    before = len(world.effects())
    world.broker.fill(stop.order_id, 10, Decimal(990))
    world._drain()
    world.clock(1)
    assert [e for e in world.effects()[before:] if isinstance(e, Change)]


@pytest.mark.parametrize("again", [BUY, 3], ids=["long again", "short now"])
@pytest.mark.parametrize("lost", ["stop", "exit"])
def test_an_order_given_up_for_lost_that_turns_up_beside_a_new_position_is_cancelled(
    lost: str, again: int
) -> None:
    world = DeskWorld()
    world.restart(clean=True)
    world.broker.announces = False
    ok = [Reply.OK] if lost == "stop" else [Reply.OK, Reply.REFUSED]
    world.broker.replies.extend([*ok, Reply.TAKEN])
    world.start()
    world.tick(1000.0)
    world.now += timedelta(seconds=1)
    world.bar(BUY)
    if lost == "exit":
        world.broker.fills = False
        world.bar(LEAVE)
    (ghost,) = [o for o in world.working() if o.order_id is None]
    (hidden,) = [row.order_id for row in world.broker.orders() if row.tag == ghost.tag]
    world.broker.hidden.add(hidden)
    world.bar(LEAVE)
    world.clock(170)
    world.broker.fills = True
    if lost == "exit":  # it was proven absent, and another exit closed the position
        world.broker.rows[hidden] = _unfillable(world.broker.rows[hidden])
        world.clock(40)
    assert world.held() == 0
    assert world.state.orders[ghost.tag].state is OrderState.NOT_PLACED
    world.bar(again)
    world.tick(1000.0)
    held = world.held()
    assert abs(held) == 100
    world.broker.hidden.clear()
    world.clock(70)
    assert world.broker.rows[hidden].status.final
    assert world.held() == held
    assert len(world.working(Purpose.STOP)) == 1


def _unfillable(row):
    from dataclasses import replace

    return replace(row, price=Decimal(99_999))


# -- readings -----------------------------------------------------------------------------------------


def test_positions_read_before_a_fill_and_orders_read_after_it_are_no_difference() -> None:
    """The book takes two requests; a fill may fall between them."""
    world = DeskWorld()
    world.restart(clean=True)
    world.enter(1000.0)
    asked, positions = world.now, world.broker.positions()
    world.bar(LEAVE)
    world.tick(1000.0)
    for _ in range(3):
        world.now += timedelta(seconds=1)
        world.handle(BookRead(world.now, asked, BookPurpose.RESOLVE, world.broker.orders(), positions))
    assert world.account() == {}
    assert world.state.latch.mode is DeskMode.ACTIVE


def test_two_readings_under_way_at_once_count_as_one() -> None:
    world = DeskWorld()
    world.restart(clean=True)
    world.prices[TCS] = 100.0
    asked = world.now
    world.now += timedelta(seconds=3)
    from trader.domain.order import BrokerPosition, Product

    lag = [BrokerPosition(TCS, Product.MIS, 40, Decimal(100))]
    for _ in range(2):
        world.handle(BookRead(world.now, asked, BookPurpose.RECONCILE, [], lag))
    assert world.held(TCS, EXTERNAL) == 0
    world.handle(BookRead(world.now, world.now, BookPurpose.RECONCILE, [], lag))
    assert world.held(TCS, EXTERNAL) == 40


def test_a_position_that_shows_before_its_order_is_not_taken_for_somebody_elses() -> None:
    world = waiting_entry(Reply.TAKEN)
    (order_id,) = world.broker.rows
    world.broker.hidden.add(order_id)
    world.broker.fill(order_id, 100, Decimal(1000))
    world.inbox.clear()
    world.clock(60)
    assert world.held(owner=EXTERNAL) == 0
    assert world.state.latch.mode is DeskMode.ACTIVE
    world.broker.hidden.clear()
    world.clock(35)
    assert (world.held(), world.held(owner=EXTERNAL)) == (100, 0)
    assert world.working(Purpose.STOP)


# -- restarts -----------------------------------------------------------------------------------------


def test_a_restart_before_the_closing_reached_the_broker_closes_all_the_same() -> None:
    """The loss is smaller again by then, and no price comes: the latch alone says what was decided."""
    world = DeskWorld(RiskLimits(max_daily_loss=Decimal(500)))
    world.enter(1000.0, stop="5", target="0", quantity="19")
    world.broker.change_replies.append(Reply.GONE)
    world.tick(970.0)
    assert world.state.latch.code == "daily_loss"
    world.broker.price(REL, 999.0)
    world.prices.clear()
    world.restart(clean=True)
    world.clock(8)
    assert world.account() == world.broker.net() == {}


def test_a_kill_that_died_before_anything_was_sent_flattens_after_the_restart() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.change_replies.append(Reply.GONE)
    world.kill(source_id="tg:3")
    world.restart()
    world.clock(15)
    assert world.account() == world.broker.net() == {}
    assert [a.alert_id for a in world.alerts("kill")] == ["kill:tg:3:flat"]


def test_an_exit_that_rests_at_a_restart_is_priced_anew_like_any_other() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.bar(LEAVE)
    world.restart(clean=True)
    before = len(world.effects())
    world.clock(15)
    assert [e for e in world.effects()[before:] if isinstance(e, Change)]
    assert world.stop().purpose is Purpose.EXIT


def test_nothing_is_sent_to_close_before_the_first_reading() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.readable = False
    world.restart(clean=True)
    before = len(world.effects())
    world.bar(LEAVE)
    world.clock(5)
    assert not sends(world.effects()[before:])
    world.broker.readable = True
    world.clock(15)
    assert world.account() == world.broker.net() == {}


# -- rounding -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("price", "stop"), ROUNDED)
def test_a_size_that_just_fits_is_not_denied_for_a_fraction_of_a_paisa(price: float, stop: str) -> None:
    world = DeskWorld(RiskLimits(max_order_value=Decimal(200_000), max_position_pct=Decimal(200)))
    world.start("scripted", "LOTS", stop=stop, target="0")
    world.tick(price, LOT)
    world.bar(BUY, LOT)
    assert world.held(LOT) > 0, [a.body for a in world.alerts()]


@pytest.mark.parametrize(("code", "trigger"), [(BUY, "4.90"), (SHORT, "5.10")])
def test_a_stop_nearer_than_a_tick_is_a_tick_away_and_sized_for_that(code: int, trigger: str) -> None:
    """One per cent of ₹5 is half of RELIANCE's tick: rounded to the entry it would sell at once."""
    world = DeskWorld()
    world.enter(5.0, code, target="0")
    world.clock(3)
    assert abs(world.held()) == 10_000
    assert world.stop().trigger_price == Decimal(trigger)
    assert Decimal("0.1") * 10_000 <= 1000


def test_a_fill_while_the_first_reading_is_under_way_is_not_adopted_a_second_time() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    asked, positions = world.now, world.broker.positions()
    world.broker.readable = False
    world.restart(clean=True)
    world.tick(989.0)
    assert world.held() == 0
    world.handle(BookRead(world.now, asked, BookPurpose.RECONCILE, world.broker.orders(), positions))
    assert world.account() == world.broker.net() == {}
    assert world.state.latch.mode is DeskMode.ACTIVE


def test_what_the_last_reading_of_a_kill_is_the_first_to_show_is_left_too() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.tick(500.0, TCS)
    world.broker.fills = False
    world.kill()
    world.clock(45)
    world.broker.elsewhere(TCS, Side.BUY, 50, "500", told=False)
    world.clock(20)
    assert world.told("TCS MIS +50")
    assert not world.desk.busy
    world.broker.fills = True
    world.clock(15)
    assert world.account() == world.broker.net() == {}


def test_an_order_elsewhere_is_known_at_once_though_one_of_ours_waits_for_its_name() -> None:
    """An entry in another instrument has no id yet. It cannot be that one: what it closed is booked now, and
    no second exit follows."""
    world = DeskWorld()
    world.start("scripted", "RELIANCE", "TCS")
    world.tick(1000.0)
    world.tick(500.0, TCS)
    world.bar(BUY)
    world.tick(1000.0)
    assert world.held() == 100
    world.broker.replies.append(Reply.GONE)
    world.bar(BUY, TCS)
    (waiting,) = world.working(Purpose.ENTRY)
    assert waiting.order_id is None
    world.broker.elsewhere(REL, Side.SELL, 100, "1003")
    world._drain()
    assert world.held() == 0
    world.bar(LEAVE)
    world.clock(3)
    assert world.submits(Purpose.EXIT) == []
    assert not world.told("Closed twice")


def test_an_order_elsewhere_that_could_be_ours_waits_for_its_name() -> None:
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    world.broker.replies.append(Reply.GONE)
    world.bar(BUY)
    (waiting,) = world.working(Purpose.ENTRY)
    side, product = waiting.side, waiting.request.product
    world.broker.elsewhere(REL, side, waiting.quantity, "1000", product=product)
    world._drain()
    assert len(world.state.parked) == 1
    assert world.fills() == []
