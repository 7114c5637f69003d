"""A strategy that decides on several symbols at once, at the live desk."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from world import CATALOGUE, LOT, REL, SECOND, TCS, DeskWorld, market
from world import instruments as listed

from trader.desk.commands import StartStrategy
from trader.desk.desk import Desk
from trader.desk.effects import Effect, LoadHistory
from trader.desk.events import BarClosed, HistoryLoaded
from trader.desk.state import DeskConfig
from trader.domain.market import Bar, Interval
from trader.domain.order import Owner, Purpose, Side
from trader.domain.records import InstanceStatus
from trader.market.calendar import Calendar
from trader.strategy import Bars, Signals, Strategy
from trader.strategy.catalogue import Catalogue

BUY, LEAVE, RAISE = 1, 2, 9
PAIR = Owner("couple")


class Couple(Strategy):
    """Buys the first and shorts the second when the first's volume says so."""

    together = 2
    warmup = 5  # type: ignore[assignment]  # a constant will do here

    def joint_signals(self, bars: Sequence[Bars]) -> Sequence[Signals]:
        first, second = bars
        assert first.start.tolist() == second.start.tolist()
        if (first.volume == RAISE).any():
            raise RuntimeError("asked to")
        go, leave = first.volume == BUY, first.volume == LEAVE
        return Signals(enter_long=go, exit_long=leave), Signals(enter_short=go, exit_short=leave)


class PairWorld(DeskWorld):
    """``held_back`` keeps the history until it is handed over."""

    held_back: list[LoadHistory] | None = None

    def _desk(self) -> Desk:
        charges, margins = market()
        self.calendar = Calendar.load()
        catalogue = Catalogue({**CATALOGUE.strategies, "couple": Couple}, {})
        config = DeskConfig(self.limits, "TST")
        return Desk(config, listed(), self.calendar, charges, catalogue, margins, at=self.now)

    def _send(self, effect: Effect) -> None:
        if isinstance(effect, LoadHistory) and self.held_back is not None:
            self.held_back.append(effect)
        else:
            super()._send(effect)

    def closes(self, key: str, minute: int, code: int = 0) -> None:
        """The bar of this minute closes, as late as it likes."""
        self.now += SECOND
        self.handle(BarClosed(self.now, candle(self, key, minute, code)))


def candle(world: DeskWorld, key: str, minute: int, code: int = 0) -> Bar:
    last = world.prices[key]
    start = world.calendar.session(world.now.date()).opens_at + minute * Interval.M1.length
    return Bar(key, Interval.M1, start, last, last, last, last, code)


@pytest.fixture
def world() -> PairWorld:
    world = PairWorld()
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    return world


def held(world: DeskWorld) -> tuple[int, int]:
    return world.held(REL, PAIR), world.held(TCS, PAIR)


def test_both_legs_are_entered_once_both_bars_are_closed_and_left_together(world):
    world.start("couple", "RELIANCE", "TCS")
    world.closes(REL, 1, BUY)
    assert world.submits(Purpose.ENTRY) == []  # TCS's minute is not over
    world.closes(TCS, 1)
    assert [(r.key, r.side) for r in world.submits(Purpose.ENTRY)] == [(REL, Side.BUY), (TCS, Side.SELL)]
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    assert held(world)[0] > 0 > held(world)[1]
    rupees = held(world)[0] * 1000, -held(world)[1] * 2000
    assert rupees[0] == pytest.approx(rupees[1], rel=0.03)  # one risk and one stop: equal rupees of both
    world.closes(TCS, 2)
    world.closes(REL, 2, LEAVE)
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    assert held(world) == (0, 0)


def test_the_order_of_the_symbols_is_the_order_they_were_given_in(world):
    world.start("couple", "TCS", "RELIANCE")
    world.closes(REL, 1)
    world.closes(TCS, 1, BUY)
    assert [(r.key, r.side) for r in world.submits(Purpose.ENTRY)] == [(TCS, Side.BUY), (REL, Side.SELL)]


def test_a_minute_that_one_of_them_did_not_trade_in_decides_nothing(world):
    world.start("couple", "RELIANCE", "TCS")
    world.closes(REL, 1, BUY)
    world.closes(REL, 2)
    world.closes(TCS, 2)
    world.closes(TCS, 1)  # too late: the next has been decided
    assert world.submits(Purpose.ENTRY) == []


def test_history_is_shown_where_both_have_it_and_early_bars_are_not_lost(world):
    world.held_back = []
    world.start("couple", "RELIANCE", "TCS")
    asked = {effect.key: effect for effect in world.held_back}
    assert set(asked) == {REL, TCS}
    world.closes(TCS, 4)
    for key, minutes in ((REL, (0, 1, 3)), (TCS, (1, 2, 3))):
        bars = [candle(world, key, minute) for minute in minutes]
        world.handle(HistoryLoaded(world.now, PAIR, key, Interval.M1, bars))
        if key == REL:
            world.closes(REL, 3)  # known from its history already
    running = world.state.instances[PAIR]
    assert running.instance.status is InstanceStatus.RUNNING
    assert [len(one) for one in running.joint.bars] == [2, 2]
    assert world.submits(Purpose.ENTRY) == []
    world.closes(REL, 4, BUY)
    assert len(world.submits(Purpose.ENTRY)) == 2


def test_bars_that_only_one_of_them_has_do_not_shorten_the_history(world):
    world.held_back = []
    world.start("couple", "RELIANCE", "TCS")
    for effect in world.held_back:  # TCS trades in two minutes of three
        traded = [minute for minute in range(60) if effect.key == REL or minute % 3]
        bars = [candle(world, effect.key, minute) for minute in traded[-effect.count :]]
        world.handle(HistoryLoaded(world.now, PAIR, effect.key, Interval.M1, bars))
    assert len(world.state.instances[PAIR].joint) == Couple.warmup


def test_a_desk_that_is_halted_does_not_ask_it_but_keeps_its_bars(world):
    world.start("couple", "RELIANCE", "TCS")
    world.kill(flatten=False)
    world.closes(REL, 1, BUY)
    world.closes(TCS, 1)
    assert world.submits(Purpose.ENTRY) == []
    assert len(world.state.instances[PAIR].joint) == 1


def test_a_pair_that_raises_is_stopped_and_both_its_legs_are_closed(world):
    world.start("couple", "RELIANCE", "TCS")
    world.closes(REL, 1, BUY)
    world.closes(TCS, 1)
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    world.closes(REL, 2, RAISE)
    world.closes(TCS, 2)
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    assert world.state.instances[PAIR].instance.status is InstanceStatus.FAILED
    assert world.told("couple raised RuntimeError: asked to")
    assert held(world) == (0, 0)


@pytest.mark.parametrize("symbols", [("RELIANCE",), ("RELIANCE", "TCS", "LOTS")])
def test_too_few_or_too_many_symbols_are_refused(world, symbols):
    answer = world.command(StartStrategy("couple", symbols, "1m"))
    assert not answer.ok
    assert answer.text == f"couple needs 2 symbols, was given {len(symbols)}"
    assert PAIR not in world.state.instances
    assert LOT not in world.prices


def test_a_pair_goes_on_after_a_restart(world):
    world.start("couple", "RELIANCE", "TCS")
    world.restart(clean=True)
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    world.closes(REL, 6, BUY)
    world.closes(TCS, 6)
    assert len(world.submits(Purpose.ENTRY)) == 2
