"""/kill latches first, works in every state, and reports what the broker's own book shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from broker_book import Reply
from world import BUY, LEAVE, MORNING, OURS, REL, SHORT, DeskWorld, sends

from trader.desk.commands import Pause, Resume, StopStrategy
from trader.desk.effects import Cancel, Submit, Write
from trader.desk.events import BookRead, CommandGiven
from trader.domain.order import EXTERNAL, Owner, Product, Purpose, Side
from trader.domain.records import CommandDone, DeskMode, Latch


def report(world: DeskWorld) -> str:
    return "\n".join(f"{a.title}\n{a.body}" for a in world.alerts("kill"))


def nothing(world: DeskWorld) -> None:
    world.tick(1000.0)


def protected(world: DeskWorld) -> None:
    world.enter(1000.0)


def short(world: DeskWorld) -> None:
    world.enter(1000.0, SHORT)


def paused(world: DeskWorld) -> None:
    world.enter(1000.0)
    world.command(Pause())


def halted(world: DeskWorld) -> None:
    world.enter(1000.0)
    world.kill(flatten=False)


def killing_already(world: DeskWorld) -> None:
    world.enter(1000.0)
    world.kill()


def restarted(world: DeskWorld) -> None:
    world.enter(1000.0)
    world.restart()


def leaving_already(world: DeskWorld) -> None:
    world.enter(1000.0)
    world.broker.fills = False
    world.bar(LEAVE)
    world.broker.fills = True


def stop_in_flight(world: DeskWorld) -> None:
    world.broker.announces = False
    world.broker.replies.extend([Reply.OK, Reply.SILENT])
    world.start()
    world.tick(1000.0)
    world.bar(BUY)


def entry_partly_filled(world: DeskWorld) -> None:
    world.broker.slice = 30
    world.start()
    world.tick(1000.0)
    world.bar(BUY)


def entry_in_flight(world: DeskWorld) -> None:
    world.broker.announces = False
    world.broker.fills = False
    world.broker.replies.append(Reply.SILENT)
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    world.broker.fills = True


def external_position(world: DeskWorld) -> None:
    world.tick(1000.0)
    world.broker.opening[REL, Product.MIS] = 70
    world.restart(clean=True)


def external_order(world: DeskWorld) -> None:
    world.tick(1000.0)
    world.broker.fills = False
    world.broker.elsewhere(REL, Side.BUY, 50, filled=False)
    world._drain()


STATES: list[Callable[[DeskWorld], None]] = [
    nothing, protected, short, paused, halted, killing_already, restarted, leaving_already, stop_in_flight,
    entry_partly_filled, entry_in_flight, external_position, external_order,
]  # fmt: skip


@pytest.mark.parametrize("prepare", STATES, ids=lambda f: f.__name__)
def test_it_works_in_every_state(prepare: Callable[[DeskWorld], None]) -> None:
    world = DeskWorld()
    prepare(world)
    answer = world.kill()
    assert answer.ok
    assert "HALTED" in answer.text
    assert world.state.halted
    world.clock(150)
    assert world.account() == world.broker.net() == {}
    assert not [row for row in world.broker.orders() if not row.status.final]
    assert "FLAT verified" in report(world)
    assert not world.desk.busy
    after = len(world.submits(Purpose.ENTRY))
    world.bar(BUY)
    world.clock(2)
    assert len(world.submits(Purpose.ENTRY)) == after, "nothing enters while HALTED"


@pytest.mark.parametrize("prepare", [nothing, protected, entry_partly_filled], ids=lambda f: f.__name__)
def test_the_latch_is_written_with_the_command_and_before_anything_is_sent(
    prepare: Callable[[DeskWorld], None],
) -> None:
    world = DeskWorld()
    prepare(world)
    world.kill(source_id="tg:1")
    effects = next(fx for ev, fx in world.history if isinstance(ev, CommandGiven) and ev.source_id == "tg:1")
    records = [e.record for e in effects if isinstance(e, Write)]
    assert CommandDone("tg:1", world.now) in records
    latched = next(n for n, e in enumerate(effects) if isinstance(e, Write) and isinstance(e.record, Latch))
    first_send = next((n for n, e in enumerate(effects) if e in sends(effects)), len(effects))
    assert latched < first_send
    assert world.state.latch.code == "killed"


def test_a_kill_without_flatten_halts_and_leaves_positions_their_stops() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.kill(flatten=False)
    world.clock(30)
    assert world.held() == 100
    assert world.working(Purpose.STOP)
    assert world.state.halted


def test_an_unanswered_entry_is_not_called_flat_before_the_book_proves_it() -> None:
    """It may be invisible for 83 seconds and fill afterwards (faults.md 3)."""
    world = DeskWorld()
    entry_in_flight(world)
    (order_id,) = world.broker.rows
    world.broker.hidden.add(order_id)
    world.broker.fills = False
    world.kill()
    world.clock(70)
    assert "FLAT verified" not in report(world)
    assert "RELIANCE BUY 100 outcome unknown" in report(world)
    world.broker.hidden.clear()
    world.broker.fills = True
    world.clock(60)
    assert world.account() == world.broker.net() == {}
    assert not [row for row in world.broker.orders() if not row.status.final]


def test_a_broker_that_cannot_be_read_is_tried_again_and_the_owner_is_told_not_too_often() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.readable = False
    world.kill()
    world.clock(600)
    assert "FLAT" not in report(world)
    unread = [a for a in world.alerts("kill") if "cannot be read" in a.title]
    assert 2 <= len(unread) <= 7
    assert world.desk.busy
    world.broker.readable = True
    world.clock(10)
    assert "FLAT verified" in report(world)


def test_what_does_not_fill_is_reported_as_a_table_after_bounded_attempts() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.kill()
    world.clock(90)
    assert "NOT FLAT" in report(world)
    assert "RELIANCE MIS +100" in report(world)
    assert not world.desk.busy
    assert len(world.alerts("kill")) == 1
    world.broker.fills = True
    world.clock(5)
    assert world.account() == {}, "the exit goes on all the same"


def test_a_closed_market_is_said_and_the_exit_goes_out_at_the_opening() -> None:
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long")
    world.jump(MORNING.replace(hour=16))
    world.kill()
    world.clock(3)
    assert "NOT FLAT" in report(world)
    assert "RELIANCE CNC +100" in report(world)
    world.broker.new_day()
    world.prices.clear()
    world.jump(MORNING.replace(day=25, hour=9, minute=15))
    world.tick(1000.0)
    world.clock(3)
    assert world.account() == world.broker.net() == {}
    assert world.state.latch.code == "killed"


def test_flat_is_only_said_of_a_reading_without_positions() -> None:
    world = DeskWorld()
    world.restart(clean=True)
    world.enter(1000.0)
    world.broker.opening[REL, Product.MIS] = 5  # nobody here knows of it yet
    world.kill()
    for _ in range(120):
        world.clock()
        assert ("FLAT verified" in report(world)) <= (world.broker.net() == {})
    assert "FLAT verified" in report(world)
    assert world.told("Unexplained: RELIANCE MIS +5"), "told, although it is being left already"
    assert not world.state.locks
    assert world.held(owner=EXTERNAL) == 0


def test_a_process_that_dies_in_the_middle_of_it_goes_on_and_reports() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.kill(source_id="tg:7")
    world.clock(2)
    world.restart()
    world.broker.fills = True
    world.clock(5)
    assert world.account() == world.broker.net() == {}
    assert [a.alert_id for a in world.alerts("kill")] == ["kill:tg:7:flat"]
    world.restart()
    world.clock(5)
    assert len(world.alerts("kill")) == 1


@pytest.mark.parametrize("dies", [False, True])
def test_an_entry_that_fills_before_its_cancel_is_reported_as_a_position_closed(dies: bool) -> None:
    world = DeskWorld()
    world.broker.fills = False
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    world.broker.change_replies.extend([Reply.REFUSED] * (2 if dies else 1))  # it is being processed
    assert "Cancelling 1 order, closing 0 positions." in world.kill().text
    world.broker.fills = True
    if dies:
        world.restart()
    world.clock(10)
    assert world.broker.net() == {}
    assert [t.reason for t in world.trades()] == [Purpose.KILL]
    assert "1/1 positions closed, 0 orders cancelled, 0 left at the broker" in report(world)


def test_an_entry_that_was_cancelled_is_reported_as_such() -> None:
    world = DeskWorld()
    world.broker.fills = False
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    world.kill()
    world.clock(10)
    assert "0/0 positions closed, 1 order cancelled, 0 left at the broker" in report(world)


def test_resume_waits_for_the_report() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.broker.fills = False
    world.kill()
    answer = world.command(Resume())
    assert not answer.ok
    assert "/kill is still at work" in answer.text
    world.broker.fills = True
    world.clock(10)
    assert world.command(Resume()).ok
    assert world.state.latch.mode is DeskMode.ACTIVE


def test_a_kill_repeated_by_telegram_acts_once() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.kill(source_id="tg:9")
    before = len(world.effects())
    assert world.kill(source_id="tg:9").text == "Done already."
    assert not sends(world.effects()[before:])
    world.restart()
    assert world.kill(source_id="tg:9").text == "Done already."


def test_it_stays_under_the_brokers_rate_with_many_positions() -> None:
    """Ten requests of a second, counting placements, changes and cancels together (kite.md 10)."""
    world = DeskWorld()
    for number in range(40):
        world.broker.opening[_key(number), Product.MIS] = 10
        world.prices[_key(number)] = 100.0
    _list_many(world)
    world.restart(clean=True)
    world.clock()
    world.kill()
    for _ in range(10):
        before = world.now
        world.clock()
        sent = [e for ev, fx in world.history if ev and ev.at == before for e in sends(fx)]
        assert len(sent) <= 10
    assert world.account() == world.broker.net() == {}
    assert len([e for e in world.effects() if isinstance(e, Submit)]) == 40
    assert not [e for e in world.effects() if isinstance(e, Cancel)]


def _key(number: int):
    from trader.domain.instrument import InstrumentKey

    return InstrumentKey(f"NSE:S{number}")


def _list_many(world: DeskWorld) -> None:
    from decimal import Decimal

    import world as module

    from trader.domain.instrument import Exchange, Instrument

    original = module.instruments

    def more():
        found = original()
        for number in range(40):
            found.add(Instrument(Exchange.NSE, f"S{number}", 100 + number, Decimal("0.05")))
        return found

    module.instruments = more
    try:
        world.desk = world._desk()
        kept = world._desk
        made = world.desk._state.instruments
        world._desk = lambda: _with(kept(), made)  # type: ignore[method-assign]  # a bigger market
    finally:
        module.instruments = original


def _with(desk, made):
    desk._state.instruments = made
    return desk


def test_a_reading_that_began_before_the_exit_filled_adopts_nothing() -> None:
    """Two slow readings show what is sold by now; believing them would sell it again."""
    world = DeskWorld()
    world.enter(1000.0)
    world.clock()
    slow = [(world.now, world.broker.orders(), world.broker.positions()) for _ in range(2)]
    world.bar(LEAVE)
    world.tick(1000.0)
    assert world.held() == 0
    for asked, orders, positions in slow:
        world.now += timedelta(seconds=1)
        from trader.desk.events import BookPurpose

        world.handle(BookRead(world.now, asked, BookPurpose.RESOLVE, orders, positions))
    assert world.account() == {}
    assert world.state.latch.mode is DeskMode.ACTIVE


def test_two_strategies_on_opposite_sides_of_an_instrument_are_both_named() -> None:
    """The broker shows no position."""
    world = DeskWorld()
    world.enter(1000.0)
    world.command(StopStrategy(OURS, close=False))
    world.start("keeper", quantity="100")
    world.bar(SHORT)
    world.tick(1000.0)
    assert (world.held(), world.held(owner=Owner("keeper"))) == (100, -100)
    world.broker.fills = False
    world.kill()
    world.clock(100)
    (told,) = [a for a in world.alerts("kill") if "NOT FLAT" in a.title]
    assert {"RELIANCE MIS +100", "RELIANCE MIS -100"} <= set(told.body.splitlines())
