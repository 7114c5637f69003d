"""A live desk enters nothing before its owner armed it, and leaves positions whether armed or not."""

from __future__ import annotations

from world import BUY, LEAVE, DeskWorld

from trader.desk.commands import Arm, Disarm
from trader.desk.desk import Desk
from trader.desk.state import DeskConfig
from trader.domain.order import Purpose


class LiveWorld(DeskWorld):
    def _desk(self) -> Desk:
        desk = super()._desk()
        desk._state.config = DeskConfig(self.limits, "TST", live=True)
        desk._state.armed = False
        return desk


def test_a_live_desk_starts_disarmed() -> None:
    world = LiveWorld()
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    world.clock(3)
    assert not world.submits()
    assert world.denied("disarmed")
    assert not world.desk.view(world.now).armed


def test_armed_it_trades_and_disarmed_it_only_leaves() -> None:
    world = LiveWorld()
    assert world.command(Arm()).ok
    world.enter(1000.0)
    assert world.told("LIVE: the desk is armed")
    assert world.command(Disarm()).ok
    assert world.working(Purpose.STOP)  # the position keeps its stop
    world.bar(LEAVE)
    world.tick(1000.0)
    world.clock(6)
    assert world.held() == 0
    world.bar(BUY)
    world.clock(2)
    assert world.held() == 0


def test_disarming_takes_entries_out_of_the_market() -> None:
    world = LiveWorld()
    world.command(Arm())
    world.start()
    world.tick(1000.0)
    world.broker.fills = False
    world.bar(BUY)
    assert world.working(Purpose.ENTRY)
    world.command(Disarm())
    world.clock(2)
    assert not world.working(Purpose.ENTRY)


def test_a_restart_disarms() -> None:
    world = LiveWorld()
    world.command(Arm())
    world.restart(clean=True)
    world.clock(2)
    assert not world.state.armed


def test_a_paper_desk_cannot_be_armed() -> None:
    world = DeskWorld()
    for command in (Arm(), Disarm()):
        answer = world.command(command)
        assert not answer.ok
        assert "paper" in answer.text
