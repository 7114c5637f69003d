"""What never left this machine was not refused by the broker, and is told so."""

from __future__ import annotations

from broker_book import Reply
from world import BUY, LEAVE, DeskWorld

from trader.domain.order import OrderState, Purpose
from trader.domain.records import Alert


def told(world: DeskWorld) -> list[Alert]:
    return [alert for alert in world.alerts("order") if alert.title.startswith("Not sent")]


def test_an_entry_that_was_not_sent_is_told_as_that_and_not_made_up_for() -> None:
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    world.broker.replies.append(Reply.UNSENT)
    world.bar(BUY)
    (alert,) = told(world)
    assert alert.title == "Not sent: BUY 100 RELIANCE MARKET (entry, scripted)"
    assert alert.body == "Nobody is logged in. Nothing was sent.\nThe entry is not made up for."
    assert not world.told("Rejected by the broker")
    assert [o.state for o in world.state.orders.values()] == [OrderState.NOT_PLACED]
    world.clock(60)
    assert len(world.submits()) == 1


def test_an_exit_that_was_not_sent_is_told_with_what_to_do_and_tried_again() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    stop = world.stop()
    world.broker.replies.extend([Reply.UNSENT] * 3)
    world.broker.reject(stop.order_id, "RMS: freak")  # type: ignore[arg-type]  # it has an id
    world._drain()
    world.bar(LEAVE)
    (alert, *_) = told(world)
    assert alert.title == "Not sent: SELL 100 RELIANCE MARKET (exit, scripted)"
    assert "The position is open still. It is tried again" in alert.body
    assert "close it in the broker's own app" in alert.body
    world.clock(10)
    assert world.held() == 0


def test_a_stop_that_could_not_be_sent_is_tried_ever_less_often_and_closes_nothing() -> None:
    """The wire was down for a minute: that is no reason to sell."""
    world = DeskWorld()
    world.broker.replies.extend([Reply.OK] + [Reply.UNSENT] * 6)
    world.enter(1000.0)
    world.clock(90)
    assert world.held() == 100
    assert world.trades() == []
    assert len(world.submits(Purpose.STOP)) == 7
    assert world.stop().state is OrderState.TRIGGER_PENDING
    assert "No stop of it rests. It is tried again" in told(world)[0].body
    assert len(told(world)) == 1
    assert not world.told("Unprotected")


def test_what_cannot_be_sent_for_long_is_told_once_in_a_while_and_anew_after_something_was() -> None:
    world = DeskWorld()
    world.broker.replies.extend([Reply.OK] + [Reply.UNSENT] * 99)
    world.enter(1000.0)
    world.clock(40 * 60)
    assert len(world.submits(Purpose.STOP)) > 10
    assert len(told(world)) == 3
    world.broker.replies.clear()
    world.clock(301)
    stop = world.stop()
    assert stop.state is OrderState.TRIGGER_PENDING
    world.broker.replies.append(Reply.UNSENT)
    world.broker.reject(stop.order_id, "RMS: freak")  # type: ignore[arg-type]  # it has an id
    world._drain()
    world.clock(1)
    assert len(told(world)) == 4


def test_the_price_is_watched_while_no_stop_can_be_sent() -> None:
    world = DeskWorld()
    world.broker.replies.extend([Reply.OK] + [Reply.UNSENT] * 5)
    world.enter(1000.0)
    world.clock(8)  # the next try is seconds away
    world.broker.replies.clear()
    world.tick(985.0)
    assert world.held() == 0


def test_stops_the_broker_itself_refused_close_the_position_as_before() -> None:
    world = DeskWorld()
    world.broker.replies.extend([Reply.OK, Reply.REFUSED, Reply.UNSENT, Reply.REFUSED, Reply.REFUSED])
    world.enter(1000.0)
    world.clock(10)
    assert world.held() == 0
    assert world.told("The broker refused the stop 3 times")
