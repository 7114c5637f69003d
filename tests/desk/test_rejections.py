"""Entries that the broker rejects one after the other (faults.md 25 and 26)."""

from __future__ import annotations

from dataclasses import replace

from broker_book import Reply
from world import BUY, LOT, REL, SBIN, TCS, DeskWorld

from trader.desk.commands import Resume
from trader.desk.guard import REJECTED
from trader.domain.order import OrderState, Purpose
from trader.domain.records import DeskMode

KEYS = (REL, TCS, LOT, SBIN)


def trading() -> DeskWorld:
    world = DeskWorld()
    world.start("scripted", "RELIANCE", "TCS", "LOTS", "SBIN", quantity="25")
    for key in KEYS:
        world.tick(500.0, key)
    return world


def rejected(world: DeskWorld, rounds: int, *, apart: int = 5) -> None:
    """So many rounds of entries, all rejected."""
    world.broker.replies.extend([Reply.REFUSED] * rounds * len(KEYS))
    for _ in range(rounds):
        for key in KEYS:
            world.bar(BUY, key)
        world.clock(apart)


def test_after_a_few_rejections_nothing_is_entered_until_the_owner_resumes() -> None:
    world = trading()
    rejected(world, 5)
    assert len(world.submits(Purpose.ENTRY)) == REJECTED
    assert (world.state.latch.mode, world.state.latch.code) == (DeskMode.REDUCING, "rejected")
    (told,) = [alert for alert in world.alerts("breach") if alert.title == "REDUCING: 5 entries rejected"]
    assert "in these words: refused on demand" in told.body
    world.broker.replies.clear()
    assert world.command(Resume(None)).ok
    world.bar(BUY)
    world.tick(500.0)
    assert world.held() == 25


def test_one_intent_is_one_attempt() -> None:
    world = trading()
    world.broker.replies.append(Reply.REFUSED)
    world.bar(BUY)
    world.clock(120)
    assert len(world.submits()) == 1
    assert {order.state for order in world.state.orders.values()} == {OrderState.REJECTED}
    assert world.state.latch.mode is DeskMode.ACTIVE


def test_a_rejection_now_and_then_holds_nothing_up() -> None:
    world = trading()
    for _ in range(2 * REJECTED):
        world.broker.replies.append(Reply.REFUSED)
        world.bar(BUY)
        world.clock(100)
    assert len(world.submits(Purpose.ENTRY)) == 2 * REJECTED
    assert world.state.latch.mode is DeskMode.ACTIVE


def test_what_leaves_or_protects_is_not_counted() -> None:
    world = trading()
    world.broker.replies.extend([Reply.OK, *[Reply.REFUSED] * 12])
    world.bar(BUY)
    world.clock(120)
    assert len(world.submits(Purpose.STOP, Purpose.EXIT)) > REJECTED
    assert world.state.latch.code != "rejected"


def test_a_desk_that_is_halted_stays_so() -> None:
    world = trading()
    rejected(world, 1)
    world.kill()
    rejected(world, 3)
    assert world.state.latch.mode is DeskMode.HALTED


def test_where_nobody_could_resume_entries_go_on() -> None:
    """A backtest's desk: the compiled loop knows nothing of a REDUCING that no day ends."""
    world = trading()
    world.state.config = replace(world.state.config, attended=False)
    rejected(world, 5)
    assert len(world.submits(Purpose.ENTRY)) == 5 * len(KEYS)
    assert world.state.latch.mode is DeskMode.ACTIVE
