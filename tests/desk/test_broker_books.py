"""Readings of the broker's book: what they prove, what they correct, and what they must not (faults.md)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from broker_book import Reply
from samples import update
from world import BUY, LEAVE, OURS, REL, TCS, DeskWorld

from trader.desk.commands import Reconcile, Resume
from trader.desk.effects import ReadBook, Submit
from trader.desk.events import BookPurpose, BookRead, OrderAcked, OrderUpdated
from trader.domain.order import EXTERNAL, BrokerStatus, Order, OrderId, OrderState, Product, Purpose, Side
from trader.domain.records import DeskMode


def unknown_entry(reply: Reply) -> tuple[DeskWorld, Order]:
    world = DeskWorld()
    world.restart(clean=True)
    world.broker.announces = world.broker.fills = False
    world.broker.replies.append(reply)
    world.start()
    world.tick(1000.0)
    world.now += timedelta(seconds=1)
    world.bar(BUY)
    (order,) = world.working(Purpose.ENTRY)
    return world, order


def state(world: DeskWorld, order: Order) -> OrderState:
    return world.state.orders[order.tag].state


def entries(world: DeskWorld) -> int:
    return len([e for e in world.effects() if isinstance(e, Submit)])


def test_an_unknown_outcome_is_found_by_its_tag_and_never_sent_again() -> None:
    world, order = unknown_entry(Reply.TAKEN)
    assert state(world, order) is OrderState.UNKNOWN
    world.clock(3)
    assert state(world, order) is OrderState.OPEN
    world.clock(200)
    assert entries(world) == 1


def test_absence_is_proven_by_three_readings_over_two_minutes_and_not_before() -> None:
    world, order = unknown_entry(Reply.LOST)
    world.clock(118)
    reads = [e for e in world.effects() if e == ReadBook(BookPurpose.RESOLVE)]
    assert len(reads) >= 3
    assert state(world, order) is OrderState.UNKNOWN
    world.clock(32)
    assert state(world, order) is OrderState.NOT_PLACED
    assert world.told("Not placed: BUY 100 RELIANCE")
    assert entries(world) == 1


def test_two_minutes_without_enough_readings_prove_nothing() -> None:
    world, order = unknown_entry(Reply.LOST)
    world.broker.readable = False
    world.clock(200)
    assert state(world, order) is OrderState.UNKNOWN
    world.broker.readable = True
    world.clock(45)
    assert state(world, order) is OrderState.UNKNOWN
    world.clock(60)
    assert state(world, order) is OrderState.NOT_PLACED


@pytest.mark.parametrize("seconds", [5, 83, 119])
def test_an_order_that_appears_late_is_adopted(seconds: int) -> None:
    world, order = unknown_entry(Reply.TAKEN)
    world.broker.hidden.update(world.broker.rows)
    world.clock(seconds)
    assert state(world, order) is OrderState.UNKNOWN
    world.bar(LEAVE, TCS) if TCS in world.prices else None
    world.broker.hidden.clear()
    world.broker.fills = True
    world.clock(35)
    assert world.held() == 100
    assert world.working(Purpose.STOP)
    assert entries(world) == 2, "the entry and its stop"


def test_even_one_proven_absent_is_taken_in_when_it_turns_up() -> None:
    world, order = unknown_entry(Reply.TAKEN)
    world.broker.hidden.update(world.broker.rows)
    world.clock(160)
    assert state(world, order) is OrderState.NOT_PLACED
    world.broker.hidden.clear()
    world.broker.fills = True
    world.clock(65)
    assert world.held() == 100
    assert world.account() == world.broker.net()
    assert world.working(Purpose.STOP)


def test_an_unknown_order_blocks_entries_in_its_instrument_only() -> None:
    world, _ = unknown_entry(Reply.LOST)
    world.broker.fills = True
    world.start("keeper", "RELIANCE", "TCS")
    world.tick(1000.0, TCS)
    world.tick(1000.0)
    world.bar(BUY)
    world.bar(BUY, TCS)
    assert world.denied("unresolved_order")
    assert [f.key for f in world.fills()] == [TCS]


def test_an_answer_that_never_came_becomes_unknown() -> None:
    world, order = unknown_entry(Reply.GONE)
    world.clock(29)
    assert state(world, order) is OrderState.INTENT
    world.clock(3)
    assert state(world, order) is OrderState.UNKNOWN


def test_an_intent_found_at_a_restart_is_unknown_and_then_resolved_never_sent() -> None:
    world, order = unknown_entry(Reply.SILENT)
    world.restart(clean=True)
    assert state(world, order) is OrderState.OPEN, "the first reading already shows it"
    other, lost = unknown_entry(Reply.GONE)
    other.restart()
    assert state(other, lost) is OrderState.UNKNOWN
    other.clock(160)
    assert state(other, lost) is OrderState.NOT_PLACED
    for one in (world, other):
        assert entries(one) == 1


@pytest.mark.parametrize("reply", list(Reply))
def test_a_change_under_way_at_a_restart_is_what_the_book_shows(reply: Reply) -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.broker.change_replies.append(reply)
    world.now += timedelta(seconds=1)
    effects = world.desk.handle(_exit_bar(world))
    world._carry_out(None, effects)
    world.inbox.clear()  # the process dies before any answer is handled
    world.restart()
    (row,) = [r for r in world.broker.orders() if not r.status.final]
    assert world.stop().order_type is row.order_type
    assert world.stop().state is not OrderState.PENDING_MODIFY
    world.broker.fills = True
    world.command(Resume())
    world.clock(3)
    world.tick(980.0)
    world.clock(3)
    assert world.account() == world.broker.net() == {}


def _exit_bar(world: DeskWorld):
    from trader.desk.events import BarClosed
    from trader.domain.market import Bar, Interval

    start = world.now - timedelta(minutes=1)
    return BarClosed(world.now, Bar(REL, Interval.M1, start, 1000.0, 1000.0, 1000.0, 1000.0, LEAVE))


def test_a_missed_fill_is_found_by_the_next_reading() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    stop = world.stop()
    assert stop.order_id is not None
    world.deliver = False
    world.broker.fill(stop.order_id, 100, Decimal(990))
    world.deliver = True
    world.mail.clear()
    world.clock(61)
    assert world.held() == 0
    assert world.trades()[0].exit_price == Decimal(990)


# -- before the ack ---------------------------------------------------------------------------------


def test_an_update_without_a_tag_waits_for_the_ack_that_explains_it() -> None:
    world, order = unknown_entry(Reply.SILENT)
    (order_id,) = world.broker.rows
    told = update(BrokerStatus.COMPLETE, 100, "1000", quantity=100, order_id=order_id, tag=None)
    world.handle(OrderUpdated(world.now, told))
    assert world.fills() == []
    world.handle(OrderAcked(world.now, order.tag, order_id))
    assert world.held() == 100


def test_an_update_without_a_tag_is_replayed_when_the_book_explains_it() -> None:
    world, order = unknown_entry(Reply.TAKEN)
    (order_id,) = world.broker.rows
    told = update(BrokerStatus.COMPLETE, 100, "1000", quantity=100, order_id=order_id, tag=None)
    asked = world.now
    world.handle(OrderUpdated(world.now, told))
    row = world.broker.rows[order_id]
    world.handle(BookRead(world.now, asked, BookPurpose.RESOLVE, [row], []))
    assert state(world, order) is OrderState.FILLED
    assert world.held() == 100


@pytest.mark.parametrize("how", ["acked", "refused", "proven absent"])
def test_an_order_from_elsewhere_is_known_as_such_once_ours_are_all_accounted_for(how: str) -> None:
    world, order = unknown_entry(Reply.SILENT if how == "acked" else Reply.LOST)
    order_id = world.broker.elsewhere(REL, Side.BUY, 7, "1000")
    world._drain()
    assert world.held(owner=EXTERNAL) == 0
    if how == "acked":
        (ours,) = [i for i in world.broker.rows if i != order_id]
        world.handle(OrderAcked(world.now, order.tag, ours))
    elif how == "refused":
        from trader.desk.events import OrderRefusedByBroker

        world.handle(OrderRefusedByBroker(world.now, order.tag, "no margin"))
    else:
        world.clock(160)
    assert world.held(owner=EXTERNAL) == 7
    assert world.told("Order from elsewhere")


def test_a_second_order_with_our_tag_is_not_folded_into_ours() -> None:
    """Tags are not unique at the broker (kite.md 4); its order ids are."""
    world = DeskWorld()
    world.enter(1000.0)
    ours = world.stop()
    second = update(BrokerStatus.COMPLETE, 30, "999", quantity=30, order_id=OrderId("77"), tag=ours.tag)
    world.handle(OrderUpdated(world.now, second))
    assert world.state.orders[ours.tag].filled_quantity == 0
    assert world.held(owner=EXTERNAL) == 30


def test_an_order_refused_to_us_that_the_broker_has_after_all_is_ours() -> None:
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    world.broker.replies.append(Reply.REFUSED)
    world.bar(BUY)
    (order,) = [o for o in world.state.orders.values() if o.request.purpose is Purpose.ENTRY]
    assert order.state is OrderState.REJECTED
    late = update(BrokerStatus.COMPLETE, 100, "1000", quantity=100, tag=order.tag, order_id=OrderId("5"))
    world.handle(OrderUpdated(world.now, late))
    assert world.held() == 100
    assert world.working(Purpose.STOP)


# -- positions ----------------------------------------------------------------------------------------


def test_a_position_nobody_can_explain_is_external_and_halts() -> None:
    world = DeskWorld()
    world.prices[TCS] = 100.0
    world.broker.opening[TCS, Product.MIS] = 40
    world.restart(clean=True)
    assert world.held(TCS, EXTERNAL) == 40
    assert (world.state.latch.mode, world.state.latch.code) == (DeskMode.HALTED, "unexplained_position")
    assert world.told("TCS MIS +40")
    assert list(world.state.locks) == [TCS]
    assert world.account() == world.broker.net()


def test_while_running_a_difference_must_last_for_two_readings() -> None:
    world = DeskWorld()
    world.restart(clean=True)
    world.enter(1000.0)
    world.broker.opening[TCS, Product.MIS] = 40
    reading = [world.broker.orders(), world.broker.positions()]
    world.now += timedelta(seconds=1)
    world.handle(BookRead(world.now, world.now, BookPurpose.RECONCILE, *reading))
    assert not world.state.locks
    world.clock(2)
    assert world.held(TCS, EXTERNAL) == 40
    assert list(world.state.locks) == [TCS]
    assert world.state.latch.mode is DeskMode.ACTIVE, "its instrument is locked, the others trade"


def test_a_reading_behind_what_was_heard_corrects_nothing() -> None:
    """On 6 Nov 2023 the reads stood still while orders went through (faults.md 27)."""
    world = DeskWorld()
    world.restart(clean=True)
    world.enter(1000.0)
    frozen = [world.broker.orders(), world.broker.positions()]
    world.bar(LEAVE)
    world.tick(1000.0)
    assert world.held() == 0
    for _ in range(4):
        world.now += timedelta(seconds=20)
        world.handle(BookRead(world.now, world.now, BookPurpose.RECONCILE, *frozen))
    assert world.account() == {}
    assert world.held(owner=EXTERNAL) == 0
    assert world.told("looks stale")
    assert world.state.latch.mode is DeskMode.REDUCING


def test_an_accepted_order_that_the_book_does_not_show_makes_it_stale() -> None:
    world = DeskWorld()
    world.restart(clean=True)
    world.enter(1000.0)
    world.broker.hidden.update(world.broker.rows)
    world.clock(5)
    assert not world.told("looks stale"), "it may take a moment to show"
    world.clock(60)
    assert world.told("looks stale")
    assert world.state.latch.mode is DeskMode.REDUCING
    assert world.working(Purpose.STOP), "an accepted order is never taken for absent"


def test_a_change_whose_answer_was_lost_is_decided_by_the_next_reading() -> None:
    """Half a minute of waiting for an answer that cannot come would hold the exit up."""
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.change_replies.append(Reply.LOST)
    world.bar(LEAVE)
    assert world.held() > 0
    world.clock(12)
    assert world.held() == 0


def test_more_filled_than_ordered_halts_the_desk_and_all_filled_does_not() -> None:
    world = DeskWorld()
    fill = world.enter(1000.0)
    assert not world.told("Overfilled")
    (row,) = [row for row in world.broker.orders() if row.order_id == fill.order_id]
    more = replace(row, quantity=100, filled_quantity=120, at=world.now)
    world.handle(OrderUpdated(world.now, more))
    assert world.told("Overfilled: BUY 100 RELIANCE MARKET")
    assert (world.state.latch.mode, world.state.latch.code) == (DeskMode.HALTED, "overfill")
    assert world.held() == 120, "what the broker filled is held, whatever was wanted"
    world.clock(2)
    assert world.stop().quantity == 120, "and protected"


# -- at the start -------------------------------------------------------------------------------------


def test_until_the_first_reading_nothing_is_entered_or_closed() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    stop = world.stop()
    assert stop.order_id is not None
    world.deliver = False
    world.broker.fill(stop.order_id, 100, Decimal(990))  # while nobody was here
    world.deliver = True
    world.mail.clear()
    world.broker.readable = False
    world.restart(clean=True)
    before = len(world.submits())
    world.bar(LEAVE)
    world.start("keeper", "TCS")
    world.tick(500.0, TCS)
    world.bar(BUY, TCS)
    world.clock(30)
    assert len(world.submits()) == before
    assert world.denied("book_unread")
    world.broker.readable = True
    world.clock(35)
    assert world.held() == 0
    assert world.account() == world.broker.net() == {}
    world.bar(BUY, TCS)
    assert world.held(TCS, owner=type(OURS)("keeper")) > 0


def test_while_the_book_cannot_be_read_for_a_minute_nothing_is_entered_and_what_is_held_is_left() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.readable = False
    world.command(Reconcile())
    world.clock(100)
    assert world.told("The broker cannot be read since")
    world.start("keeper", "TCS")
    world.tick(500.0, TCS)
    world.bar(BUY, TCS)
    assert world.denied("book_unread")
    world.bar(LEAVE)
    world.clock(2)
    assert world.held() == 0
    world.broker.readable = True
    world.clock(40)
    world.bar(BUY, TCS)
    assert world.held(TCS, owner=type(OURS)("keeper")) > 0


def test_a_first_reading_that_failed_is_asked_for_again() -> None:
    world = DeskWorld()
    world.broker.readable = False
    world.restart(clean=True)
    world.clock(100)
    reads = [e for e in world.effects() if e == ReadBook(BookPurpose.RECONCILE)]
    assert 5 <= len(reads) <= 10
    world.broker.readable = True
    world.clock(31)
    assert world.state.reconciled


def test_what_is_bought_elsewhere_counts_in_the_exposure_before_it_fills() -> None:
    from trader.desk.exposure import exposure

    world = DeskWorld()
    world.tick(1000.0)
    world.broker.fills = False
    world.broker.elsewhere(REL, Side.BUY, 50, filled=False)
    world._drain()
    assert exposure(world.state) == Decimal(50_000)
