"""A strategy that decides on ticks and thinks again while its position is still on the way out."""

from __future__ import annotations

from typing import ClassVar

import pytest
from world import BUY, CATALOGUE, LEAVE, SHORT, DeskWorld, market
from world import instruments as listed

from trader.desk.desk import Desk
from trader.desk.state import DeskConfig
from trader.domain.market import Tick
from trader.domain.order import Owner, Purpose, Side
from trader.market.calendar import Calendar
from trader.strategy import Holding, Signal, Strategy
from trader.strategy.catalogue import Catalogue

SWINGS = Owner("swinger")


class Swinger(Strategy):
    """Long or short, as the ticks' volumes say."""

    warmup = 1  # type: ignore[assignment]  # a constant will do here
    options: ClassVar = {"side": "both"}

    def on_tick(self, tick: Tick, holding: Holding) -> Signal | None:
        code = tick.volume
        return Signal(enter_long=code == BUY, exit_long=code == LEAVE, enter_short=code == SHORT)


class SwingWorld(DeskWorld):
    def _desk(self) -> Desk:
        charges, margins = market()
        self.calendar = Calendar.load()
        catalogue = Catalogue({**CATALOGUE.strategies, "swinger": Swinger}, {})
        config = DeskConfig(self.limits, "TST")
        return Desk(config, listed(), self.calendar, charges, catalogue, margins, at=self.now)


@pytest.fixture
def turning() -> SwingWorld:
    """Long, and asked to go short; nobody takes the exit yet."""
    world = SwingWorld()
    world.start("swinger")
    world.tick(1000.0)
    world.tick(1000.0, code=BUY)
    world.tick(1000.0)
    assert world.held(owner=SWINGS) == 100
    world.clock(10)
    world.broker.fills = False
    world.tick(1000.0, code=SHORT)
    return world


def test_it_goes_to_the_other_side_by_way_of_flat(turning: SwingWorld) -> None:
    turning.broker.fills = True
    turning.clock(5)
    assert turning.held(owner=SWINGS) < 0


@pytest.mark.parametrize("code", [LEAVE, BUY])
def test_the_other_side_is_not_entered_once_it_is_not_wanted_any_more(turning: SwingWorld, code: int) -> None:
    turning.tick(1000.0, code=code)
    turning.broker.fills = True
    turning.clock(30)
    assert turning.held(owner=SWINGS) == 0
    assert [r.side for r in turning.submits(Purpose.ENTRY)] == [Side.BUY]
