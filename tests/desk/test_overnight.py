"""Over the night a GTT stands in for the day's stop; never can both sell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from broker_book import Reply
from hypothesis import given, settings
from hypothesis import strategies as st
from night_world import EVENING, OPENING, NightWorld
from world import CALL, LEAVE, NIFTY, OURS, REL, SBIN, TCS, DeskWorld, at_once, instruments

from trader.desk.effects import DeleteGtt, PlaceGtt
from trader.desk.events import BrokerReached, OrderUpdated
from trader.desk.exposure import day_pnl, equity
from trader.desk.portfolio import Slot
from trader.desk.standing import Stage, StandingStop, dumped, loaded
from trader.domain.gtt import GttId, GttRow, GttStatus
from trader.domain.order import (
    EXTERNAL,
    BrokerStatus,
    Gtt,
    OrderId,
    OrderState,
    OrderType,
    Product,
    Purpose,
    Side,
)
from trader.domain.records import Priority
from trader.domain.times import IST
from trader.market.shaping import overnight_stop


def sellers(world: NightWorld) -> int:
    """How many things at the broker could close the position now."""
    working = [row for row in world.broker.rows.values() if not row.status.final and row.side is Side.SELL]
    return len(working) + len(world.gtts.active)


# -- the evening -----------------------------------------------------------------------------------------


def test_delivery_is_protected_over_the_night_at_the_plans_stop() -> None:
    world = NightWorld()
    slot = world.holding(1000.0)
    world.evening()
    (row,) = world.gtts.active
    held = world.state.portfolio.position(slot).quantity
    assert row.gtt == Gtt(REL, Side.SELL, held, Product.CNC, Decimal(990), Decimal("960.3"))
    assert world.desk.view(world.now).positions[0].protected


def test_the_owner_hears_that_a_gtt_protects_them() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    (alert,) = [a for a in world.alerts("squareoff") if "stops" in a.title]
    assert alert.title == "GTT stops until Wed 09:15: 1 position"
    assert alert.priority is Priority.FILL
    assert "SELL" in alert.body
    assert "at ₹990.00, limit ₹960.30" in alert.body
    world.clock(300)
    assert not world.told("No stops until")


def test_a_stock_of_the_closing_auction_gets_its_own_after_the_auction() -> None:
    world = NightWorld()
    slot = world.holding(800.0, SBIN)
    world.prices.clear()
    stop = world.stop_of(SBIN)
    assert stop.order_id is not None
    world.broker.cancel(stop.order_id)  # the exchange does, at 15:15
    for minute in (16, 21, 29, 34):
        world.jump(EVENING.replace(minute=minute))
        world.clock(2)
        assert not world.gtts.active
    world.jump(EVENING)
    world.clock(3)
    assert [row.gtt.quantity for row in world.gtts.active] == [world.state.portfolio.position(slot).quantity]
    assert world.told("GTT stops until Wed 09:15")


@pytest.mark.parametrize("held", ["MIS", "external", "halted"])
def test_only_what_stays_and_is_the_desks_own_gets_one(held: str) -> None:
    world = NightWorld()
    if held == "external":
        world.tick(100.0, TCS)
        world.broker.elsewhere(TCS, Side.BUY, 5, product=Product.CNC)
        world.clock(2)
    else:
        world.holding(1000.0, product="MIS" if held == "MIS" else "CNC")
    if held == "halted":
        world.kill(flatten=False)
    world.evening()
    assert len(world.gtts.active) == (held == "halted")


def test_a_contract_that_ends_today_gets_none_and_one_that_goes_on_does() -> None:
    world = NightWorld(at=datetime(2026, 12, 24, 14, 0, tzinfo=IST))
    world.tick(26_000.0, NIFTY)
    slot = world.holding(100.0, CALL, product="NRML")
    world.prices.clear()
    world.jump(datetime(2026, 12, 24, 15, 40, 1, tzinfo=IST))
    world.clock(3)
    (row,) = world.gtts.active
    assert (row.gtt.key, row.gtt.product) == (slot.key, Product.NRML)
    last = NightWorld(at=datetime(2026, 12, 24, 14, 0, tzinfo=IST))
    last.tick(26_000.0, NIFTY)
    last.holding(100.0, CALL, product="NRML")
    last.prices.clear()
    last.broker.fills = False
    last.jump(datetime(2026, 12, 29, 15, 40, 1, tzinfo=IST))
    last.clock(3)
    assert not last.gtts.active


def test_a_desk_that_was_down_at_the_close_places_it_when_it_is_back() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.prices.clear()
    world.now = EVENING.replace(hour=21)
    world.broker.rows = {
        i: row if row.status.final else replace(row, status=BrokerStatus.CANCELLED)
        for i, row in world.broker.rows.items()
    }
    world.restart()
    world.clock(5)
    assert len(world.gtts.active) == 1


def test_none_is_placed_in_the_last_moments_before_the_opening() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.gtts.readable = False
    world.evening()
    world.gtts.readable = True
    world.jump(OPENING - timedelta(minutes=1))
    world.clock(20)
    assert not world.gtts.active


def test_a_broker_that_keeps_none_is_not_asked_and_the_old_alarm_is_raised() -> None:
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long")
    world.prices.clear()
    world.jump(EVENING)
    world.clock(2)
    assert world.told("No stops until Wed 09:15: 1 position")
    assert not [e for e in world.effects() if isinstance(e, PlaceGtt)]


# -- what the broker answers -----------------------------------------------------------------------------


def test_a_refusal_is_told_with_the_brokers_words_and_tried_again() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.gtts.replies.extend([Reply.REFUSED] * 2)
    world.evening()
    world.clock(4 * 60)
    (alert,) = [a for a in world.alerts("squareoff") if "No stops until" in a.title]
    assert alert.priority is Priority.CRITICAL
    assert "No GTT for RELIANCE: refused on demand" in alert.body
    world.clock(12 * 60)
    assert len(world.gtts.active) == 1


def test_a_broker_that_refuses_it_is_not_asked_all_night() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.gtts.replies.extend([Reply.REFUSED] * 50)
    world.evening()
    world.clock(3600)
    assert len([e for e in world.effects() if isinstance(e, PlaceGtt)]) == 3
    world.handle(BrokerReached(world.now))  # a login: perhaps that was what was missing
    world.clock(2)
    assert len([e for e in world.effects() if isinstance(e, PlaceGtt)]) == 4


@pytest.mark.parametrize("reply", [Reply.TAKEN, Reply.SILENT, Reply.LOST, Reply.GONE])
@pytest.mark.parametrize("restart", [False, True])
def test_whatever_becomes_of_the_answer_exactly_one_stands_in_the_end(reply: Reply, restart: bool) -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.gtts.replies.append(reply)
    world.evening()
    if restart:
        world.restart()
    world.clock(5 * 60)
    assert len(world.gtts.active) == 1
    (stop,) = world.standing()
    assert (stop.stage, stop.gtt_id) == (Stage.STANDS, world.gtts.active[0].gtt_id)


def test_a_gtt_is_written_down_before_it_is_sent() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.gtts.replies.append(Reply.SILENT)
    world.evening()
    (effects,) = [found for _, found in world.history if any(isinstance(e, PlaceGtt) for e in found)]
    (sent,) = [e for e in effects if isinstance(e, PlaceGtt)]
    assert effects.index(sent) > 0
    assert loaded(at_once(world.ledger.load()).settings["standing_stops"])[sent.slot].stage is Stage.SENT


def test_one_that_stands_already_is_taken_up_when_the_ledger_does_not_know_it() -> None:
    world = NightWorld()
    slot = world.holding(1000.0)
    quantity = world.state.portfolio.position(slot).quantity
    known = Gtt(REL, Side.SELL, quantity, Product.CNC, Decimal(990), Decimal("960.3"))
    world.gtts.rows[GttId("7")] = GttRow(GttId("7"), known, GttStatus.ACTIVE, world.now)
    world.evening()
    assert [row.gtt_id for row in world.gtts.active] == [GttId("7")]
    assert [stop.gtt_id for stop in world.standing()] == [GttId("7")]


def test_the_owners_own_gtts_are_never_touched() -> None:
    world = NightWorld()
    world.holding(1000.0)
    his = Gtt(REL, Side.SELL, 3, Product.CNC, Decimal(980), Decimal(970))
    world.gtts.rows[GttId("7")] = GttRow(GttId("7"), his, GttStatus.ACTIVE, world.now)
    world.evening()
    world.morning()
    world.tick(1000.0)
    world.bar(LEAVE)
    world.tick(1000.0)
    world.clock(5)
    assert not world.held(product=Product.CNC)
    assert [row.gtt_id for row in world.gtts.active] == [GttId("7")]


def test_one_the_owner_deletes_is_told_and_not_placed_again_that_night() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.gtts.rows.clear()
    for _ in range(2):
        world.handle(BrokerReached(world.now))
        world.clock(70)
    assert world.told("GTT deleted: RELIANCE")
    assert not world.gtts.active
    world.morning()
    world.tick(1000.0)
    assert [o.trigger_price for o in world.working(Purpose.STOP)] == [Decimal(990)]
    world.evening_of(OPENING)
    assert len(world.gtts.active) == 1


def changed_in_the_app(world: NightWorld, **terms: Any) -> None:
    """Seen with the morning's login."""
    ((gtt_id, row),) = world.gtts.rows.items()
    world.gtts.rows[gtt_id] = replace(row, gtt=replace(row.gtt, **terms))
    world.handle(BrokerReached(world.now))
    world.clock(70)


@pytest.mark.parametrize("units", [-5, 20])
def test_one_the_owner_changes_to_other_units_is_told_and_placed_anew(units: int) -> None:
    world = NightWorld()
    slot = world.holding(1000.0)
    world.evening()
    quantity = world.state.portfolio.position(slot).quantity
    changed_in_the_app(world, quantity=quantity + units)
    assert [(row.gtt.quantity, row.gtt.trigger_price) for row in world.gtts.active] == [
        (quantity, Decimal(990))
    ]
    assert world.told("Done: it is deleted, and placed anew with the units held")


@pytest.mark.parametrize(("units", "left", "words"), [(-5, 1, "it stays"), (20, 0, "it is deleted")])
def test_in_the_pre_open_session_one_with_too_few_units_is_better_than_none(
    units: int, left: int, words: str
) -> None:
    world = NightWorld()
    slot = world.holding(1000.0)
    world.evening()
    world.jump(OPENING - timedelta(minutes=6))
    quantity = world.state.portfolio.position(slot).quantity
    changed_in_the_app(world, quantity=quantity + units)
    assert len(world.gtts.active) == left
    assert world.told(f"Done: {words};")
    world.morning()
    world.tick(1000.0)
    assert not world.gtts.active
    assert [o.quantity for o in world.working(Purpose.STOP)] == [quantity]


def test_a_price_the_owner_gives_one_is_told_and_holds_until_the_opening() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    changed_in_the_app(world, trigger_price=Decimal(970), price=Decimal(950))
    world.handle(BrokerReached(world.now))
    world.clock(70)
    told = [alert for alert in world.alerts() if alert.title == "GTT changed elsewhere: RELIANCE"]
    assert len(told) == 1
    assert [row.gtt.trigger_price for row in world.gtts.active] == [Decimal(970)]
    world.morning()
    world.tick(1000.0)
    assert not world.gtts.active
    assert [o.trigger_price for o in world.working(Purpose.STOP)] == [Decimal(990)]


# -- the morning -----------------------------------------------------------------------------------------


def test_at_the_opening_it_goes_before_the_days_stop_comes() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.morning()
    for _ in range(5):
        world.tick(1000.0)
        assert sellers(world) <= 1
    assert not world.gtts.active
    assert [o.trigger_price for o in world.working(Purpose.STOP)] == [Decimal(990)]
    assert not world.standing()


@pytest.mark.parametrize("reply", [Reply.REFUSED, Reply.TAKEN, Reply.LOST, Reply.SILENT, Reply.GONE])
def test_whatever_becomes_of_the_removal_never_can_both_sell(reply: Reply) -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.gtts.delete_replies.append(reply)
    world.morning()
    for _ in range(60):
        world.tick(1000.0)
        assert sellers(world) <= 1
    assert not world.gtts.active
    assert len(world.working(Purpose.STOP)) == 1


def test_an_exit_in_the_morning_waits_for_its_removal_too() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.gtts.delete_replies.append(Reply.LOST)
    world.morning()
    world.tick(1000.0)
    world.kill()
    for _ in range(8):
        world.tick(1000.0)
        assert sellers(world) <= 1
    assert not world.held(product=Product.CNC)
    assert not world.gtts.active
    world.clock(5)
    assert world.told("FLAT verified")


def test_an_exit_does_not_wait_for_ever_for_a_broker_that_deletes_nothing() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.gtts.delete_replies.extend([Reply.REFUSED] * 100)
    world.morning()
    world.tick(1000.0)
    world.kill()
    for _ in range(15):
        world.tick(1000.0)
    assert not world.held(product=Product.CNC)
    for _ in range(70):
        world.tick(1000.0)
    assert world.told("NOT FLAT")
    assert world.told("RELIANCE GTT SELL")
    world.gtts.delete_replies.clear()
    for _ in range(30):
        world.tick(1000.0)
    assert not world.gtts.active


def test_the_days_stop_waits_while_it_cannot_be_deleted_for_it_protects() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.gtts.delete_replies.extend([Reply.REFUSED] * 3)
    world.morning()
    for _ in range(20):
        world.tick(1000.0)
        assert sellers(world) == 1
    assert not world.working(Purpose.STOP)
    for _ in range(40):
        world.tick(1000.0)
    assert len(world.working(Purpose.STOP)) == 1


# -- it fires --------------------------------------------------------------------------------------------


def test_what_it_became_is_the_positions_stop_and_no_stranger() -> None:
    world = NightWorld()
    slot = world.holding(1000.0)
    held = world.state.portfolio.position(slot).quantity
    world.evening()
    world.dawn()
    world.fire(price="972.50")
    world.clock(3)
    trade = world.trades()[-1]
    assert (trade.reason, trade.owner, trade.quantity) == (Purpose.STOP, OURS, held)
    assert not world.held(product=Product.CNC)
    assert not world.alerts("difference")
    assert not world.standing()
    (order,) = [o for o in world.state.orders.values() if o.tag.startswith("G")]
    assert (order.owner, order.purpose, order.state) == (OURS, Purpose.STOP, OrderState.FILLED)


def test_the_same_when_the_stream_told_nothing() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.dawn()
    world.fire(price="972.50", tell=False)
    world.clock(10)
    assert [t.reason for t in world.trades()] == [Purpose.STOP]
    assert not world.alerts("difference")
    assert not world.working()


@pytest.mark.parametrize("repriced", [False, True])
def test_the_same_when_the_desk_was_dead_over_the_opening(repriced: bool) -> None:
    """The list names the order, also when its price was changed in the app meanwhile."""
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.dawn()
    world.now = OPENING + timedelta(minutes=40)
    order_id = world.fire(price="972.50", tell=False)
    assert order_id is not None
    if repriced:
        world.broker.rows[order_id] = replace(world.broker.rows[order_id], price=Decimal(972))
    world.restart()
    world.clock(3)
    assert [t.reason for t in world.trades()] == [Purpose.STOP]
    assert not world.alerts("difference")
    assert not world.state.locks
    assert not world.standing()


def test_the_rest_the_opening_leapt_over_is_sold_at_the_market() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.dawn()
    world.fire(filled=40, price="961")
    world.broker.price(REL, 940.0)
    for _ in range(5):
        world.tick(940.0)
    assert not world.held(product=Product.CNC)
    assert not world.submits(Purpose.EXIT), "the order it became is changed, no second one is made"
    assert sellers(world) == 0


def test_one_that_fired_and_sold_nothing_is_told_and_replaced_by_the_days_stop() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.dawn()
    world.fire(failed="Insufficient holdings", tell=False)
    for _ in range(5):
        world.tick(1000.0)
    assert world.told("GTT triggered, nothing sold: RELIANCE")
    assert world.told("Insufficient holdings")
    assert len(world.working(Purpose.STOP)) == 1


def test_one_the_broker_is_still_at_is_waited_for() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.dawn()
    order_id = world.fire(filled=0, tell=False, shown=False)
    assert order_id is not None
    row = world.broker.rows.pop(order_id)
    for _ in range(5):
        world.tick(991.0)
        assert not world.working(Purpose.STOP)
    (gtt_id,) = world.gtts.rows
    world.broker.rows[order_id] = row
    world.gtts.rows[gtt_id] = replace(world.gtts.rows[gtt_id], order_id=order_id)
    for _ in range(40):
        world.tick(985.0)
    assert not world.held(product=Product.CNC)
    assert [t.reason for t in world.trades()] == [Purpose.STOP]


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("shown", [True, False], ids=["in the book", "not yet"])
def test_its_order_is_known_after_a_restart_at_the_opening_before_the_list_names_it(
    shown: bool, clean: bool
) -> None:
    """Taken for a failure, its order would be a stranger's, and the day's stop would sell beside it."""
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.dawn()
    order_id = world.fire(filled=0, tell=False, shown=False)
    assert order_id is not None
    if not shown:
        world.broker.hidden.add(order_id)
    world.restart(clean=clean)
    assert len(world.submits()) == len(world.submits(Purpose.ENTRY)) + 1  # of the day before
    world.broker.hidden.clear()
    for _ in range(70):
        world.tick(950.0)  # below its limit
    sold = [o.order_id for o in world.state.orders.values() if o.filled_quantity and o.side is Side.SELL]
    assert sold == [order_id]
    assert not [o for o in world.state.orders.values() if o.purpose is Purpose.EXTERNAL]
    assert world.account() == world.broker.net() == {}
    assert sellers(world) == 0
    for _ in range(200):
        world.tick(950.0)
    assert not world.standing(), "the list never named it, and it is over all the same"
    assert not world.told("nothing sold")


def test_one_that_became_nothing_while_nobody_was_here_is_replaced_by_the_days_stop() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.dawn()
    order_id = world.fire(filled=0, tell=False, shown=False)
    assert order_id is not None
    del world.broker.rows[order_id]
    world.restart(clean=True)
    for _ in range(140):
        world.tick(1000.0)
    assert world.told("GTT triggered, nothing sold: RELIANCE")
    assert len(world.working(Purpose.STOP)) == 1


@pytest.mark.parametrize("named", [True, False], ids=["named in the list", "not named"])
def test_its_order_is_looked_for_after_a_long_absence_before_it_is_called_missing(named: bool) -> None:
    """The process died between the list and the book; when the next one starts, the order has long rested."""
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.dawn()
    world.broker.readable = False
    order_id = world.fire(filled=0, tell=False, shown=named)
    world.jump(OPENING)
    world.clock(2)
    assert [stop.stage for stop in world.standing()] == [Stage.FIRED]
    world.now += timedelta(minutes=5)
    world.restart(clean=False)
    world.clock(5)  # nothing can be read yet
    world.broker.readable = True
    for _ in range(70):
        world.tick(950.0)  # below its limit, and the day's stop
    assert not world.told("nothing sold")
    sold = [o for o in world.state.orders.values() if o.filled_quantity and o.side is Side.SELL]
    assert [(o.order_id, o.owner) for o in sold] == [(order_id, OURS)]
    assert world.account() == world.broker.net() == {}


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_being_left_the_evening_before_waits_for_what_became_of_its_gtt(restarted: bool) -> None:
    """It was triggered with the opening, and nobody was told: an exit beside it would sell twice."""
    world = NightWorld()
    slot = world.holding(1000.0)
    world.broker.fills = False
    world.broker.change_replies.extend([Reply.REFUSED] * 9)
    world.bar(LEAVE)
    world.clock(3)
    world.broker.change_replies.clear()
    world.evening()
    if restarted:
        world.restart(clean=True)
        world.clock(60)
    assert world.desk._exits.leaving(slot)
    world.broker.fills = True
    world.dawn()
    order_id = world.fire(price="985", tell=False)
    world.jump(OPENING)
    for _ in range(70):
        world.tick(985.0)
    sold = [row.order_id for row in world.broker.rows.values() if row.filled_quantity]
    assert sold == [order_id]
    assert world.account() == world.broker.net() == {}
    assert sellers(world) == 0


def test_what_was_put_off_for_two_nights_waits_for_the_second_gtt_too() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.broker.fills = False
    world.broker.change_replies.extend([Reply.REFUSED] * 9)
    world.bar(LEAVE)
    world.clock(3)
    world.broker.change_replies.clear()
    world.evening()
    world.gtts.delete_replies.extend([Reply.LOST] * 99)
    world.morning()
    world.clock(5)
    assert world.standing(), "it is waited for"
    world.gtts.delete_replies.clear()
    world.evening_of(OPENING)
    assert len(world.gtts.active) == 1
    world.broker.fills = True
    world.broker.opening = dict(world.broker.net())
    world.broker.rows.clear()
    world.now = OPENING + timedelta(days=1)
    order_id = world.fire(price="985", tell=False)
    world.jump(world.now)
    for _ in range(70):
        world.tick(985.0)
    assert [row.order_id for row in world.broker.rows.values() if row.filled_quantity] == [order_id]
    assert world.account() == world.broker.net() == {}


def test_its_order_is_not_missing_while_nothing_can_be_read() -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.dawn()
    world.broker.readable = False
    world.fire(filled=0, tell=False)
    world.jump(OPENING)
    for _ in range(200):
        world.tick(950.0)
        assert sellers(world) == 1
    assert not world.told("nothing sold")
    world.broker.readable = True
    for _ in range(70):
        world.tick(950.0)
    assert world.account() == world.broker.net() == {}
    assert not [o for o in world.state.orders.values() if o.purpose is Purpose.EXTERNAL]


def test_an_order_that_only_looks_like_it_does_not_leave_it_standing() -> None:
    """The owner sells in the app with the same terms: it is taken for the stop, and the GTT goes."""
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.dawn()
    (row,) = world.gtts.active
    order_id = world.broker.elsewhere(
        REL, Side.SELL, row.gtt.quantity, "1001", product=Product.CNC, told=False
    )
    world.broker.rows[order_id] = update = replace(
        world.broker.rows[order_id], order_type=OrderType.LIMIT, price=row.gtt.price
    )
    world.handle(OrderUpdated(world.now, update))
    world.clock(5)
    assert not world.held(product=Product.CNC)
    assert not world.held(product=Product.CNC, owner=EXTERNAL)
    assert not world.gtts.active


# -- orphans ---------------------------------------------------------------------------------------------


def test_one_whose_position_is_gone_is_deleted() -> None:
    world = NightWorld()
    slot = world.holding(1000.0)
    quantity = world.state.portfolio.position(slot).quantity
    world.evening()
    world.broker.elsewhere(REL, Side.SELL, quantity, "1000", product=Product.CNC)
    world.clock(3)
    assert not world.gtts.active
    assert not world.standing()


def test_one_that_would_sell_too_much_is_placed_anew() -> None:
    world = NightWorld()
    slot = world.holding(1000.0)
    quantity = world.state.portfolio.position(slot).quantity
    world.evening()
    world.broker.elsewhere(REL, Side.SELL, 10, "1000", product=Product.CNC)
    world.clock(5)
    assert [row.gtt.quantity for row in world.gtts.active] == [quantity - 10]


@pytest.mark.parametrize("clean", [False, True])
def test_a_restart_in_the_night_changes_nothing(clean: bool) -> None:
    world = NightWorld()
    world.holding(1000.0)
    world.evening()
    world.restart(clean=clean)
    world.clock(60)
    assert len(world.gtts.active) == 1
    assert not [e for e in world.effects() if isinstance(e, DeleteGtt)]
    assert world.desk.view(world.now).positions[0].protected
    world.morning()
    for _ in range(5):
        world.tick(1000.0)
        assert sellers(world) <= 1
    assert len(world.working(Purpose.STOP)) == 1


# -- the terms -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "side", "stop", "last", "terms"),
    [
        ("RELIANCE", Side.SELL, "990", "1000", ("990", "960.30")),
        ("RELIANCE", Side.SELL, "990", None, ("990", "960.30")),
        (
            "RELIANCE",
            Side.SELL,
            "970",
            "1000",
            ("970", "950.00"),
        ),  # within 5 %, the narrowest band
        ("RELIANCE", Side.SELL, "940", "1000", ("940", "911.80")),
        ("RELIANCE", Side.SELL, "920", "1000", ("920", "900.00")),
        ("RELIANCE", Side.SELL, "999.90", "1000", ("997", "967.00")),  # too near for Kite
        ("RELIANCE", Side.SELL, "990", "985", ("982.00", "952.50")),  # passed already
        ("SBIN", Side.SELL, "970", "1000", ("970", "940.90")),  # with derivatives: 10 %
        ("RELIANCE", Side.BUY, "1010", "1000", ("1010", "1040.30")),
        ("RELIANCE", Side.BUY, "1030", "1000", ("1030", "1050.00")),
        ("NIFTY26DEC26000CE", Side.SELL, "95", "100", ("95", "76.00")),
        ("TCS", Side.SELL, "0.05", "0.05", ("0.05", "0.05")),
    ],
)
def test_trigger_and_limit_are_ones_kite_and_the_exchange_take(
    symbol: str, side: Side, stop: str, last: str | None, terms: tuple[str, str]
) -> None:
    found = overnight_stop(
        instruments().find(symbol), side, Decimal(stop), None if last is None else Decimal(last)
    )
    assert found == (Decimal(terms[0]), Decimal(terms[1]))


@given(st.integers(1, 200_000), st.integers(1, 200_000), st.sampled_from(list(Side)))
@settings(max_examples=200)
def test_a_limit_is_always_beyond_its_trigger_and_both_are_on_the_tick(
    stop: int, last: int, side: Side
) -> None:
    tcs = instruments().find("TCS")
    trigger, limit = overnight_stop(tcs, side, stop * tcs.tick_size, last * tcs.tick_size)
    assert tcs.on_tick(trigger)
    assert tcs.on_tick(limit)
    assert (limit - trigger) * side.sign > 0 or limit == trigger == tcs.tick_size
    if trigger > tcs.tick_size:
        assert (trigger - last * tcs.tick_size) * side.sign > 0


def test_the_record_survives_as_it_is() -> None:
    gtt = Gtt(REL, Side.SELL, 98, Product.CNC, Decimal("990.10"), Decimal("960.3"))
    kept = {
        Slot(OURS, REL, Product.CNC): StandingStop(gtt, Stage.STANDS, EVENING, EVENING, GttId("7")),
        Slot(OURS, TCS, Product.MTF): StandingStop(
            replace(gtt, key=TCS, product=Product.MTF), Stage.FIRED, EVENING, EVENING, None, OrderId("39")
        ),
    }
    assert loaded(dumped(kept)) == kept
    assert loaded("") == {}


# -- the day's result ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("evening", "sold"), [(978.0, 978.0), (978.0, 990.0), (1030.0, 1010.0)])
def test_what_earlier_days_lost_or_won_is_no_result_of_the_day_it_is_sold(
    evening: float, sold: float
) -> None:
    """It counted on both: the day after a breach was halted too, and an old gain widened today's limit."""
    world = NightWorld()
    slot = world.holding(1000.0, stop="5", target="20")
    units = world.state.portfolio.position(slot).quantity
    world.tick(evening)
    world.evening()
    world.morning()
    world.tick(sold)
    today = day_pnl(world.state)
    assert today == Decimal(sold - evening) * units
    world.bar(LEAVE)
    world.tick(sold)
    world.clock(2)
    assert not world.state.portfolio.position(slot).quantity
    charges = sum((f.charges for f in world.fills() if f.at >= OPENING), Decimal(0))
    assert day_pnl(world.state) == today - charges
    assert equity(world.state) == world.limits.capital + world.state.counters.booked
