"""A strategy that decides on ticks may think anew while a position is still on its way out."""

from __future__ import annotations

import pytest
from broker_book import Reply
from world import BUY, CATALOGUE, COVER, LEAVE, SHORT, DeskWorld, instruments, market

from trader.desk.desk import Desk
from trader.desk.state import DeskConfig
from trader.domain.market import Tick
from trader.domain.order import Owner
from trader.market.calendar import Calendar
from trader.strategy import Holding, Signal, Strategy
from trader.strategy.catalogue import Catalogue

TURNS = Owner("turner")


class Turner(Strategy):
    """Goes long and short, and out of either, as a tick's volume says."""

    warmup = 1  # type: ignore[assignment]  # a constant will do here

    def on_tick(self, tick: Tick, holding: Holding) -> Signal | None:
        del holding
        return Signal(tick.volume == BUY, tick.volume == LEAVE, tick.volume == SHORT, tick.volume == COVER)


class TurningWorld(DeskWorld):
    def _desk(self) -> Desk:
        charges, margins = market()
        self.calendar = Calendar.load()
        catalogue = Catalogue({**CATALOGUE.strategies, "turner": Turner}, {})
        config = DeskConfig(self.limits, "TST")
        return Desk(config, instruments(), self.calendar, charges, catalogue, margins, at=self.now)


@pytest.fixture
def turning() -> TurningWorld:
    """Long, told to go short, and the exit is refused for now."""
    world = TurningWorld()
    world.start("turner")
    world.tick(1000.0)
    world.tick(1000.0, code=BUY)
    world.tick(1000.0)
    assert world.held(owner=TURNS) == 100
    world.broker.change_replies.extend([Reply.REFUSED] * 3)
    world.tick(1000.0, code=SHORT)
    assert world.held(owner=TURNS) == 100
    return world


@pytest.mark.parametrize("code", [COVER, BUY], ids=["not short", "long"])
def test_the_other_side_is_not_entered_once_a_newer_tick_is_against_it(turning, code) -> None:
    turning.tick(1000.0, code=code)
    for _ in range(6):
        turning.tick(1000.0)
    assert turning.held(owner=TURNS) == 0
    assert turning.account() == {}


@pytest.mark.parametrize("code", [SHORT, LEAVE, 0], ids=["short", "not long", "nothing"])
def test_the_other_side_is_entered_while_no_newer_tick_is_against_it(turning, code) -> None:
    turning.tick(1000.0, code=code)
    for _ in range(6):
        turning.tick(1000.0)
    assert turning.held(owner=TURNS) < 0
