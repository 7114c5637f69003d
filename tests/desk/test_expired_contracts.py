"""A contract from elsewhere that its owner held to its end: the exchange settled it, without an order."""

from __future__ import annotations

from datetime import datetime

import pytest
from world import CALL, DeskWorld, instruments

from trader.desk.commands import Judge, Verdict
from trader.desk.desk import Desk
from trader.domain.order import EXTERNAL, Product, Side
from trader.domain.records import DeskMode
from trader.domain.times import IST
from trader.market.instruments import Instruments

LAST_DAY = datetime(2026, 12, 29, 15, 0, tzinfo=IST)
NRML = Product.NRML


def held(world: DeskWorld | None = None, *, ignored: bool = True) -> DeskWorld:
    """The owner's own 65 on their last day."""
    world = world or DeskWorld(at=LAST_DAY)
    world.restart(clean=True)
    world.tick(100.0, CALL)
    world.broker.elsewhere(CALL, Side.BUY, 65, "100", product=NRML)
    world._drain()
    if ignored:
        world.command(Judge(CALL, Verdict.IGNORE))
    assert world.held(CALL, EXTERNAL, NRML) == 65
    return world


def next_day(world: DeskWorld) -> None:
    world.prices.clear()
    world.broker.rows.clear()
    world.now = datetime(2026, 12, 30, 9, 20, tzinfo=IST)


@pytest.mark.parametrize("restarts", [True, False])
@pytest.mark.parametrize("ignored", [True, False])
def test_on_the_next_day_it_is_gone_and_told_and_nobody_is_halted(restarts: bool, ignored: bool) -> None:
    world = held(ignored=ignored)
    next_day(world)
    if restarts:
        world.restart(clean=True)
    world.clock(70)
    assert world.held(CALL, EXTERNAL, NRML) == 0
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert CALL not in world.state.locks
    assert world.told("no order for it")
    assert not world.told("Unexplained")
    assert world.told("Expired: NIFTY26DEC26000CE NRML -65") is ignored, "else it is told with the unlocking"


class NewList(DeskWorld):
    """From the next day on its list has the contract no more."""

    def _desk(self) -> Desk:
        desk = super()._desk()
        if self.now.date() > LAST_DAY.date():
            desk._state.instruments = Instruments([one for one in instruments() if one.key != CALL])
        return desk


def test_one_that_the_days_list_has_no_more_has_expired_too() -> None:
    world = held(NewList(at=LAST_DAY))
    next_day(world)
    world.restart(clean=True)
    world.clock(70)
    assert world.held(CALL, EXTERNAL, NRML) == 0
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert world.told("Expired: NIFTY26DEC26000CE NRML -65")


def test_one_that_vanishes_before_its_end_is_what_nobody_can_explain() -> None:
    world = held()
    world.broker.opening[CALL, NRML] = -65
    world.restart(clean=True)
    world.clock(5)
    assert world.state.latch.mode is DeskMode.HALTED
    assert world.told("Unexplained: NIFTY26DEC26000CE NRML -65")
