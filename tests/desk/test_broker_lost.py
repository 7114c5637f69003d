"""The session with the broker ends: what is held is hearsay, and the owner hears what stays open."""

from __future__ import annotations

from datetime import timedelta

from world import BUY, LEAVE, TCS, DeskWorld

from trader.desk.events import BookPurpose, BookRead, BrokerLost, BrokerReached
from trader.domain.order import Purpose

TITLE = "Open while nobody is logged in"


def lost() -> DeskWorld:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.readable = False
    world.handle(BrokerLost(world.now))
    return world


def test_nothing_is_entered_closed_or_moved_before_the_book_was_read_again() -> None:
    world = lost()
    before = len(world.submits())
    world.start("keeper", "TCS")
    world.tick(500.0, TCS)
    world.bar(BUY, TCS)
    world.bar(LEAVE)
    world.clock(30)
    assert len(world.submits()) == before
    assert world.denied("book_unread")
    assert world.held() > 0
    world.broker.readable = True
    world.handle(BrokerReached(world.now))
    world.clock(5)
    assert world.held() == 0, "the exit that waited went out"


def test_a_reading_begun_before_the_end_says_nothing_of_after() -> None:
    world = lost()
    asked = world.now - timedelta(seconds=1)
    late = BookRead(world.now, asked, BookPurpose.RECONCILE, world.broker.orders(), world.broker.positions())
    world.handle(late)
    assert not world.state.reconciled
    world.broker.readable = True
    world.handle(BrokerReached(world.now))
    assert world.state.reconciled


def test_what_stays_open_is_told_with_its_stop() -> None:
    world = lost()
    (told,) = (alert for alert in world.alerts() if alert.title == TITLE)
    assert "RELIANCE +" in told.body
    assert "rests at the broker" in told.body
    assert world.working(Purpose.STOP)


def test_an_entry_still_on_its_way_is_told_too() -> None:
    """What it fills while nobody is logged in has no stop."""
    world = DeskWorld()
    world.broker.fills = False
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    world.handle(BrokerLost(world.now))
    (told,) = (alert for alert in world.alerts() if alert.title == TITLE)
    assert "without a stop if it fills: BUY" in told.body


def test_with_nothing_open_nothing_is_told() -> None:
    world = DeskWorld()
    world.handle(BrokerLost(world.now))
    assert not world.told(TITLE)


def test_the_end_of_every_session_at_six_is_no_alarm() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.now = world.now.replace(hour=6) + timedelta(days=2)
    world.handle(BrokerLost(world.now))
    assert not world.told(TITLE)
