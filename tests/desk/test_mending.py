"""No decision on a bar that was heard in part: history mends the window first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from world import BUY, LEAVE, REL, TCS, DeskWorld

from trader.desk.commands import StopStrategy
from trader.desk.desk import Desk
from trader.desk.effects import Effect, LoadHistory
from trader.desk.events import BarClosed, HistoryFailed, HistoryLoaded, MarketBack, MarketLost
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval
from trader.domain.order import Owner, Purpose
from trader.domain.records import InstanceStatus
from trader.strategy import Bars, Param, Signals, Strategy
from trader.strategy.catalogue import Catalogue

MINUTE = timedelta(minutes=1)
WIDE = Owner("wide")


class Wide(Strategy):
    """Buys on a bar of volume 1 and leaves on one of volume 2; remembers which bars it was shown."""

    warmup = 5  # type: ignore[assignment]  # a constant will do here
    gear = Param(1, low=1, high=5)
    seen: ClassVar[list[list[int]]] = []

    def signals(self, bars: Bars) -> Signals:
        Wide.seen.append([int(v) for v in bars.volume])
        return Signals(bars.volume == BUY, bars.volume == LEAVE, bars.volume == 3, bars.volume == 4)


class MendWorld(DeskWorld):
    """Its history is ``true``, as far as it has closed; bars reach the desk by hand."""

    def __init__(self) -> None:
        self.true: list[Bar] = []
        self.fails: list[bool] = []  # each answer: whether it fails, and passes
        self.late = 0  # answers without the newest candle
        Wide.seen.clear()
        super().__init__()

    def _desk(self) -> Desk:
        desk = super()._desk()
        desk._state.catalogue = Catalogue({"wide": Wide}, {})
        return desk

    def _send(self, effect: Effect) -> None:
        if not isinstance(effect, LoadHistory):
            super()._send(effect)
            return
        if self.fails:
            passing = self.fails.pop()
            self.inbox.append(HistoryFailed(self.now, effect.owner, effect.key, "no answer", passing))
            return
        known = [b._replace(key=effect.key) for b in self.true if b.end <= self.now]
        if self.late and known:
            self.late -= 1
            known.pop()
        bars: Sequence[Bar] = known[-effect.count :]
        self.inbox.append(HistoryLoaded(self.now, effect.owner, effect.key, effect.interval, bars))

    def minute(self, number: int) -> datetime:
        return datetime(2026, 11, 23, 10, number, tzinfo=self.now.tzinfo)

    def passes(self, number: int, volume: int = 10, *, heard: int | None = 10) -> None:
        """The minute's true candle, and what the desk heard of it; None: nothing."""
        start = self.minute(number)
        self.true.append(Bar(REL, Interval.M1, start, 1000, 1001, 999, 1000, volume))
        self.now = start + timedelta(seconds=30)
        self.tick(1000.0)
        self.now = start + MINUTE
        if heard is not None:
            bar = Bar(REL, Interval.M1, start, 1000, 1000, 1000, 1000, heard)
            self.handle(BarClosed(self.now, bar))

    def lost(self, *keys: InstrumentKey) -> None:
        self.handle(MarketLost(self.now, keys or (REL, TCS)))

    def back(self) -> None:
        self.handle(MarketBack(self.now))

    def window(self) -> list[int]:
        running = self.state.instances[WIDE]
        return [int(v) for v in running.windows[REL].bars.volume]


@pytest.fixture
def world() -> MendWorld:
    world = MendWorld()
    world.passes(0, heard=None)
    world.start("wide")
    world.passes(1, 11, heard=11)
    return world


def test_missing_bars_are_fetched_and_the_partial_one_is_put_right(world: MendWorld) -> None:
    world.lost()
    world.passes(2, 12, heard=None)
    world.passes(3, 13, heard=None)
    world.back()
    world.passes(4, 14, heard=5)
    assert world.window() == [10, 11, 12, 13, 14]
    assert Wide.seen[-1] == [10, 11, 12, 13, 14]
    assert [5] not in [seen[-1:] for seen in Wide.seen], "nobody was asked about the part that was heard"


def test_the_decision_is_made_on_what_really_traded(world: MendWorld) -> None:
    world.lost()
    world.passes(2, heard=None)
    world.back()
    world.passes(3, BUY, heard=7)
    world.tick(1000.0)
    assert world.held(owner=WIDE) > 0
    world.lost()
    world.back()
    world.passes(4, 10, heard=LEAVE)  # the part that was heard would have sold
    world.tick(1000.0)
    assert world.held(owner=WIDE) > 0
    assert not world.submits(Purpose.EXIT)


def test_a_bar_that_closes_while_nothing_is_heard_decides_nothing(world: MendWorld) -> None:
    asked = len(Wide.seen)
    world.lost()
    world.passes(2, 12, heard=BUY)
    world.clock(20)
    assert not world.submits()
    assert len(Wide.seen) == asked
    world.back()
    world.passes(3, 13)
    assert world.window() == [10, 11, 12, 13]


def test_a_candle_that_comes_late_is_waited_for(world: MendWorld) -> None:
    world.lost()
    world.back()
    world.late = 2
    world.passes(2, BUY, heard=7)
    assert not world.submits()
    world.clock(15)
    assert world.window() == [10, 11, BUY]
    assert world.held(owner=WIDE) > 0


def test_a_candle_that_never_comes_leaves_what_was_heard_and_decides_nothing(world: MendWorld) -> None:
    world.lost()
    world.back()
    world.late = 50
    world.passes(2, 10, heard=BUY)
    world.clock(40)
    assert world.window() == [10, 11, BUY]
    assert not world.submits()
    world.late = 0
    world.passes(3, LEAVE, heard=LEAVE)
    assert Wide.seen[-1] == [10, 11, BUY, LEAVE]


def test_a_decision_that_took_longer_than_a_bar_is_not_made(world: MendWorld) -> None:
    world.lost()
    world.back()
    world.fails = [True]
    world.passes(2, BUY, heard=7)
    world.now += 2 * MINUTE
    world.clock(1)
    assert world.window()[-1] == BUY
    assert not world.submits()


@pytest.mark.parametrize("passing", [True, False])
def test_history_that_cannot_be_had_does_not_end_a_strategy_that_runs(
    world: MendWorld, passing: bool
) -> None:
    world.lost()
    world.back()
    world.fails = [passing]
    world.passes(2, 12, heard=7)
    assert world.state.instances[WIDE].instance.status is InstanceStatus.RUNNING
    world.clock(40)
    assert world.window()[:3] == [10, 11, 12]


def test_bars_that_close_meanwhile_are_not_lost(world: MendWorld) -> None:
    world.lost()
    world.back()
    world.fails = [True, True]
    world.passes(2, 12, heard=7)
    world.passes(3, BUY, heard=BUY)
    world.true.pop()  # the history has it later
    assert not world.submits()
    world.clock(1)
    assert world.window() == [10, 11, 12, BUY]
    assert len(world.submits(Purpose.ENTRY)) == 1


def test_a_strategy_stopped_meanwhile_is_left_alone(world: MendWorld) -> None:
    world.lost()
    world.back()
    world.fails = [True]
    world.passes(2, 12, heard=7)
    assert world.command(StopStrategy("wide", close=False)).ok
    world.handle(HistoryLoaded(world.now, WIDE, REL, Interval.M1, world.true))
    assert not world.submits()


def test_what_others_lost_is_no_gap_of_this_one(world: MendWorld) -> None:
    loads = len([e for e in world.effects() if isinstance(e, LoadHistory)])
    world.lost(TCS)
    world.passes(2, 12, heard=12)
    world.back()
    world.passes(3, 13, heard=13)
    assert len([e for e in world.effects() if isinstance(e, LoadHistory)]) == loads
    assert Wide.seen[-1] == [10, 11, 12, 13]
