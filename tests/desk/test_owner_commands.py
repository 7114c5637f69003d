"""What the owner types: answered once, acted on once, and nothing happens when it cannot be meant."""

from __future__ import annotations

from copy import deepcopy

import pytest
from world import BUY, OURS, RAISE, REL, TCS, DeskWorld

from trader.desk.commands import Command, Kill, Pause, Resume, StartStrategy, StopStrategy
from trader.desk.effects import Answer
from trader.desk.events import BarClosed, CommandGiven, HistoryFailed
from trader.domain.market import Bar, Interval
from trader.domain.order import Owner, Purpose
from trader.domain.records import DeskMode, InstanceStatus


def running() -> DeskWorld:
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    return world


def start(**settings: str) -> StartStrategy:
    return StartStrategy("scripted", ("RELIANCE",), "1m", settings)


WRONG: list[tuple[Command, str]] = [
    (StartStrategy("scripte", ("RELIANCE",)), "Did you mean scripted?"),
    (StartStrategy("scripted", ("RELIANC",)), "Did you mean RELIANCE?"),
    (StartStrategy("scripted", ()), "Which symbols?"),
    (StartStrategy("scripted", ("  ",)), "Which symbols?"),
    (StartStrategy("scripted", ("NIFTY 50",)), "is an index"),
    (StartStrategy("scripted", ("RELIANCE",), "7m"), "No candle interval is called '7m'"),
    (start(geer="2"), "Did you mean gear?"),
    (start(gear="9"), "9"),
    (start(gear="3"), "gear 3 is broken"),
    (start(gear="fast"), "fast"),
    (start(risk="1.5"), "RISK_PER_TRADE_PCT allows at most 1"),
    (start(risk="3"), "3"),
    (start(stop="0"), "stop"),
    (start(stop="-1"), "stop"),
    (start(product="CNC"), "cannot be sold short"),
    (start(product="CNC", side="short"), "cannot be sold short"),
    (start(stop="nan"), "stop"),
    (start(stop="1e9"), "stop"),
    (StartStrategy("bad", ("RELIANCE",)), "ZeroDivisionError"),
    (StopStrategy("scripte", close=True), "Did you mean scripted?"),
    (StopStrategy("nobody", close=False), "No running strategy is called 'nobody'"),
    (Pause(Owner("scripte")), "Did you mean scripted?"),
    (Resume(Owner("scripted")), "scripted is running, not paused."),
    (Resume(), "The desk is trading already."),
]


@pytest.mark.parametrize(("command", "words"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_what_cannot_be_meant_is_a_sentence_and_changes_nothing(command: Command, words: str) -> None:
    world = running()
    view = deepcopy(world.desk.view(world.now))
    effects = world.desk.handle(CommandGiven(world.now, "tg:1", "owner 1", command))
    (answer,) = effects
    assert isinstance(answer, Answer)
    assert not answer.ok
    assert words in answer.text
    assert world.desk.view(world.now) == view


GOOD: list[Command] = [
    start(), StopStrategy("scripted", close=True), Pause(), Pause(Owner("scripted")), Kill(),
    Kill(flatten=False),
]  # fmt: skip


@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a restart"])
@pytest.mark.parametrize("command", GOOD, ids=lambda c: repr(c)[:30])
def test_a_command_given_twice_acts_once(command: Command, restarted: bool) -> None:
    world = running()
    assert world.command(command, "tg:5").ok
    world.clock(10)
    if restarted:
        world.restart(clean=True)
    view = world.desk.view(world.now)
    again = world.desk.handle(CommandGiven(world.now, "tg:5", "owner 1", command))
    assert again == [Answer("tg:5", True, "Done already.")]
    assert world.desk.view(world.now) == view


def test_instances_of_one_strategy_are_numbered() -> None:
    world = running()
    world.start()
    world.start()
    assert sorted(world.state.instances) == ["scripted", "scripted_2", "scripted_3"]
    world.command(StopStrategy("scripted_2", close=True))
    world.start()
    assert world.state.instances[Owner("scripted_2")].instance.status is InstanceStatus.RUNNING


def test_a_name_is_not_given_again_while_it_still_holds_something() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.command(StopStrategy("scripted", close=False))
    world.start()
    assert Owner("scripted_2") in world.state.instances


def test_a_strategy_cannot_be_named_like_positions_from_elsewhere() -> None:
    world = DeskWorld()
    world.start("external")
    assert sorted(world.state.instances) == ["external_2"]


def test_names_are_found_however_they_are_typed() -> None:
    world = running()
    assert world.command(Pause(Owner(" Scripted "))).ok
    assert world.state.instances[OURS].instance.status is InstanceStatus.PAUSED


def test_a_paused_strategy_leaves_but_does_not_enter() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.command(Pause(OURS))
    world.bar(2)
    world.tick(1000.0)
    assert world.held() == 0
    world.bar(BUY)
    world.tick(1000.0)
    assert world.held() == 0
    world.command(Resume(OURS))
    world.clock(5)
    world.bar(BUY)
    assert world.held() == 100


def test_a_paused_desk_leaves_but_does_not_enter() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.command(Pause())
    assert world.state.latch.mode is DeskMode.REDUCING
    world.bar(3)
    world.clock(3)
    assert world.held() == 0, "it left the long and did not go short"
    assert len(world.submits(Purpose.ENTRY)) == 1


@pytest.mark.parametrize(("strategy", "held"), [("scripted", 0), ("keeper", 100)])
def test_a_strategy_that_raises_is_stopped_alone(strategy: str, held: int) -> None:
    world = DeskWorld()
    world.start(strategy)
    world.start("ticker", "TCS")
    world.tick(1000.0)
    world.bar(BUY)
    world.tick(500.0, TCS, code=BUY)
    world.bar(RAISE)
    world.clock(3)
    owner = Owner(strategy)
    assert world.state.instances[owner].instance.status is InstanceStatus.FAILED
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert world.held(owner=owner) == held
    assert bool([o for o in world.working(Purpose.STOP) if o.owner == owner]) == bool(held)
    assert world.held(TCS, Owner("ticker")) > 0
    assert world.told("raised RuntimeError: asked to (world.py, line")


def test_one_that_raises_on_a_tick_is_stopped_too() -> None:
    world = DeskWorld()
    world.start("ticker")
    world.tick(1000.0, code=BUY)
    assert world.held(owner=Owner("ticker")) > 0
    world.tick(1000.0, code=RAISE)
    world.clock(3)
    assert world.held(owner=Owner("ticker")) == 0


def cancelled_at_the_broker(world: DeskWorld) -> None:
    """What works there, and the desk does not hear of it."""
    world.broker.change_replies.clear()
    for order_id in list(world.broker.rows):
        if not world.broker.rows[order_id].status.final:
            world.broker.cancel(order_id)
    world.inbox.clear()


def test_a_failed_strategy_goes_on_closing_after_a_restart() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.bar(RAISE)
    cancelled_at_the_broker(world)
    world.restart(clean=True)
    world.broker.fills = True
    world.clock(5)
    assert world.account() == world.broker.net() == {}


def test_a_strategy_without_history_fails_alone() -> None:
    world = running()
    world.handle(HistoryFailed(world.now, OURS, REL, "the archive is empty"))
    assert world.state.instances[OURS].instance.status is InstanceStatus.FAILED
    assert world.told("no history of RELIANCE: the archive is empty\nIt holds no position.")


def without_the_file(world: DeskWorld) -> None:
    """From the next restart on."""
    gone = dict(world.state.catalogue.strategies)
    del gone["scripted"]
    make = world._desk

    def without():
        from trader.strategy.catalogue import Catalogue

        desk = make()
        desk._state.catalogue = Catalogue(gone, {})
        return desk

    world._desk = without  # type: ignore[method-assign]  # its file was deleted


def test_a_strategy_whose_file_is_gone_fails_alone_at_the_restart_and_keeps_its_stop() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    without_the_file(world)
    world.restart(clean=True)
    assert world.told("scripted could not be restarted")
    assert world.told("Still open, with stops: 1 position. /stop_strategy scripted close ends it.")
    assert world.held() == 100
    assert world.working(Purpose.STOP)
    world.tick(980.0)
    world.clock(2)
    assert world.account() == world.broker.net() == {}


def test_what_was_promised_to_stay_stays_when_the_file_is_there_again() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    make = world._desk
    without_the_file(world)
    world.restart(clean=True)
    assert world.told("Still open, with stops: 1 position.")
    world._desk = make  # type: ignore[method-assign]  # its file was mended
    world.restart(clean=True)
    world.clock(5)
    assert world.held() == 100
    assert world.working(Purpose.STOP)
    assert world.state.instances[OURS].instance.status is InstanceStatus.FAILED
    assert world.command(StopStrategy(OURS, close=True)).ok
    world.clock(5)
    assert world.account() == world.broker.net() == {}


def test_what_it_was_about_to_enter_is_taken_back() -> None:
    """It would be held for a strategy that is told to hold nothing."""
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    world.broker.fills = False
    world.bar(BUY)
    (entry,) = world.working(Purpose.ENTRY)
    without_the_file(world)
    world.restart(clean=True)
    world.clock(3)
    assert world.told("It holds no position.")
    assert world.broker.rows[entry.order_id].status.final
    world.broker.fills = True
    world.clock(5)
    assert world.account() == world.broker.net() == {}


@pytest.mark.parametrize("restarts", [1, 2])
def test_what_a_strategy_whose_file_is_gone_holds_is_seen_and_closed_by_the_owner(restarts: int) -> None:
    world = DeskWorld()
    world.enter(1000.0)
    without_the_file(world)
    for _ in range(restarts):
        world.restart(clean=True)
    (shown,) = world.desk.view(world.now).instances
    assert (shown.instance.status, shown.open_positions) == (InstanceStatus.FAILED, 1)
    assert world.command(StopStrategy(OURS, close=True)).ok
    world.clock(5)
    assert world.account() == world.broker.net() == {}


def test_a_strategy_that_was_being_closed_is_closed_though_its_file_is_gone() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.command(StopStrategy(OURS, close=True))
    cancelled_at_the_broker(world)
    without_the_file(world)
    world.restart(clean=True)
    world.broker.fills = True
    world.clock(10)
    assert world.account() == world.broker.net() == {}
    assert not world.working(Purpose.STOP)


def test_a_bar_known_already_is_not_decided_on_twice() -> None:
    world = running()
    start_at = world.now
    bar = Bar(REL, Interval.M1, start_at, 1000.0, 1000.0, 1000.0, 1000.0, BUY)
    for _ in range(2):
        world.handle(BarClosed(world.now, bar))
        world.clock(6)
        if world.held():
            world.kill(flatten=False)
            world.state.latch = type(world.state.latch)(DeskMode.ACTIVE, "", "", world.now, "test")
    assert len(world.submits(Purpose.ENTRY)) == 1
