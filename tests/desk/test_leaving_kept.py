"""What was being left when the process ended is left by the next one, whatever the broker had answered."""

from __future__ import annotations

import pytest
from broker_book import Reply
from world import BUY, LEAVE, OURS, REL, DeskWorld, at_once

from trader.desk.commands import Resume, StopStrategy
from trader.domain.order import OrderState, Purpose
from trader.domain.records import InstanceStatus, Setting


def stays_flat(world: DeskWorld) -> None:
    assert world.held() == 0
    assert world.account() == world.broker.net() == {}
    assert not [row for row in world.broker.orders() if not row.status.final]
    assert not world.working()


def exit_refused(world: DeskWorld) -> None:
    """No stop rests, so the exit is an order of its own."""
    world.broker.replies.extend([Reply.OK, Reply.REFUSED, Reply.REFUSED])
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    world.bar(LEAVE)


def exit_rejected_later(world: DeskWorld) -> None:
    """The stop was turned into the exit, and ends rejected."""
    world.enter(1000.0)
    world.broker.fills = False
    world.bar(LEAVE)
    world.broker.reject(world.stop().order_id, "RMS: square-off in progress")
    world._drain()
    world.broker.fills = True


def change_refused(world: DeskWorld) -> None:
    """The stop rests as it was."""
    world.enter(1000.0)
    world.broker.change_replies.append(Reply.REFUSED)
    world.bar(LEAVE)


REFUSALS = [exit_refused, exit_rejected_later, change_refused]


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.__name__)
def test_an_exit_that_was_refused_is_tried_again_after_a_restart(refusal, clean) -> None:
    world = DeskWorld()
    refusal(world)
    assert world.held() == 100
    world.restart(clean=clean)
    world.clock(3)
    stays_flat(world)
    assert world.trades()[-1].reason is Purpose.EXIT


def test_a_target_that_was_reached_is_left_though_the_price_came_back_before_the_restart() -> None:
    world = DeskWorld()
    world.enter(1000.0, target="1")
    world.broker.change_replies.extend([Reply.REFUSED] * 3)
    world.tick(1010.0)
    assert world.held() == 100
    world.broker.change_replies.clear()
    world.restart(clean=True)
    world.tick(1002.0)
    world.clock(2)
    stays_flat(world)
    assert world.trades()[-1].reason is Purpose.TARGET


def test_it_waits_for_the_book_which_may_tell_that_it_is_closed() -> None:
    world = DeskWorld()
    exit_refused(world)
    sent = len(world.submits())
    world.broker.readable = False
    world.restart(clean=True)
    world.clock(20)
    assert len(world.submits()) == sent
    world.broker.elsewhere(REL, world.submits(Purpose.EXIT)[-1].side, 100, "1000", told=False)
    world.broker.readable = True
    world.clock(120)
    stays_flat(world)
    assert len(world.submits()) == sent


def test_what_is_flat_again_leaves_nothing_to_a_restart() -> None:
    world = DeskWorld()
    exit_refused(world)
    world.clock(5)
    stays_flat(world)
    world.bar(BUY)
    world.clock(2)
    assert world.held() == 100
    world.restart(clean=True)
    world.clock(10)
    assert world.held() == 100
    assert world.stop().state is OrderState.TRIGGER_PENDING
    assert not world.desk._exits.leaving_any
    assert world.stop().owner == OURS


def kill_cannot_close(world: DeskWorld) -> None:
    world.broker.change_replies.extend([Reply.REFUSED] * 99)
    world.kill()
    world.clock(90)
    assert world.told("NOT FLAT")
    assert world.held() == 100


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("after", [False, True], ids=["before the kill", "while it cannot close"])
def test_what_a_stopped_strategy_was_to_close_is_closed_once_the_owner_resumes_after_a_kill(
    after: bool, restarted: bool
) -> None:
    """The kill is given up, not what was asked for besides."""
    world = DeskWorld()
    world.enter(1000.0)
    stop = StopStrategy(OURS, close=True)
    if not after:
        world.broker.change_replies.extend([Reply.REFUSED] * 2)
        world.command(stop)
    kill_cannot_close(world)
    if after:
        world.command(stop)
    if restarted:
        world.restart(clean=True)
        world.clock(2)
    assert world.command(Resume()).ok
    world.broker.change_replies.clear()
    world.clock(310)
    stays_flat(world)
    assert world.state.instances[OURS].instance.status is InstanceStatus.STOPPED


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_a_signal_given_before_a_kill_that_could_not_close_still_counts_once_the_owner_resumes(
    restarted: bool,
) -> None:
    world = DeskWorld()
    change_refused(world)
    kill_cannot_close(world)
    if restarted:
        world.restart(clean=True)
        world.clock(2)
    assert world.command(Resume()).ok
    world.broker.change_replies.clear()
    world.clock(310)
    stays_flat(world)
    assert world.trades()[-1].reason is Purpose.EXIT


def test_what_was_opened_by_a_version_that_does_not_know_what_was_being_left_is_not_sold() -> None:
    """It wrote nothing of what it closed and opened."""
    world = DeskWorld()
    exit_refused(world)
    kept = Setting("leaving", at_once(world.ledger.load()).settings["leaving"])
    world.clock(5)
    stays_flat(world)
    world.bar(BUY)
    world.clock(2)
    at_once(world.ledger.commit([kept]))
    world.restart(clean=True)
    world.clock(10)
    assert world.held() == 100
    assert world.stop().state is OrderState.TRIGGER_PENDING
    assert at_once(world.ledger.load()).settings["leaving"] == "[]"
