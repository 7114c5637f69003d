"""Strategies are asked when the market moves, and their answers acted on; a fault stops one alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from trader.desk.entering import DEFERRED_FOR, Entering
from trader.desk.exits import Exits
from trader.desk.instances import Instances
from trader.desk.legs import Legs
from trader.desk.mending import Mending
from trader.desk.portfolio import Slot
from trader.desk.running import Running
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.desk.warming import Warming
from trader.domain.errors import StrategyFault
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Tick
from trader.domain.order import Side
from trader.domain.records import InstanceStatus
from trader.domain.values import quick
from trader.strategy import Holding
from trader.strategy.joint import JointWindow
from trader.strategy.strategy import FLAT

_holding = quick(Holding)


class Runner:
    def __init__(self, state: DeskState, sending: Sending, exits: Exits, instances: Instances) -> None:
        self._state = state
        self._instances = instances
        self._entering = Entering(state, sending, exits)
        self.legs = Legs(state, sending, exits, self._entering.wanting)
        self.mending = Mending(state, self._decide)
        self.warming = Warming(state, instances, self.mending)

    def settled(self) -> bool:
        """No history is awaited and no entry is put off."""
        return (
            not self._instances.any_on_ticks
            and not self.mending.active
            and not any(
                running.awaiting or running.deferred or running.joint is not None
                for running in self._state.instances.values()
            )
        )

    # -- the market moved ------------------------------------------------------------------------

    def on_bar(self, turn: Turn, bar: Bar) -> None:
        for running in self._instances.on_bars(bar.key, bar.interval):
            if self.mending.active and self.mending.takes(turn, running, bar):
                continue
            if bar.key in running.awaiting or (running.joint is not None and running.awaiting):
                running.early.setdefault(bar.key, []).append(bar)
                continue
            if running.joint is not None:
                if running.joint.append(bar) and not self._state.halted:
                    self._decide_jointly(turn, running, running.joint, bar.end + bar.interval.length)
                continue
            window = running.windows[bar.key]
            if not window.append(bar):
                continue  # known from history already
            if not self._state.halted:
                self._decide(turn, running, bar.key, bar)

    def _decide(self, turn: Turn, running: Running, key: InstrumentKey, bar: Bar) -> None:
        """``bar`` is the newest in the window."""
        until = bar.end + bar.interval.length
        if running.joint is not None:
            self._decide_jointly(turn, running, running.joint, until)
            return
        try:
            signal = running.strategies[key].evaluate(running.windows[key].bars).last()
        except StrategyFault as e:
            self._instances.fail(turn, running, str(e))
        else:
            self._entering.act(turn, running, key, signal, until)

    def _decide_jointly(self, turn: Turn, running: Running, joint: JointWindow, until: datetime) -> None:
        """All instruments have their bar of one start: ask once, act for each in the order of its symbols;
        what is to be entered goes together."""
        strategy = running.strategies[running.instance.symbols[0]]
        try:
            answers = strategy.evaluate_joint(joint.bars)
        except StrategyFault as e:
            self._instances.fail(turn, running, str(e))
            return
        newest = [signals.last() for signals in answers]
        if not any(signal.any for signal in newest):
            return
        self.legs.forget(running)
        entries: dict[InstrumentKey, Side] = {}
        leaving: dict[InstrumentKey, Side] = {}
        for key, signal in zip(running.instance.symbols, newest, strict=True):
            side = self._entering.go(turn, running, key, signal, until)
            if side is not None:
                entries[key] = side
            back = self._entering.returns(running, key, signal)
            if back is not None:
                leaving[key] = back
        if not self.legs.wait(running, entries, leaving, until):
            self.legs.enter(turn, running, entries, turn.at + DEFERRED_FOR)

    def on_ticks(self, turn: Turn, ticks: Sequence[Tick]) -> None:
        if not self._instances.any_on_ticks or self._state.halted:
            return
        for tick in ticks:
            for running in self._instances.on_ticks(tick.key):
                if tick.key in running.awaiting or not self._state.trades_now(tick.key, turn.at):
                    continue
                position = self._state.portfolio.position(running.slot(tick.key))
                held = position.quantity
                holding = _holding(held, float(position.average_price)) if held else FLAT
                try:
                    signal = running.strategies[tick.key].evaluate_tick(tick, holding)
                except StrategyFault as e:
                    self._instances.fail(turn, running, str(e))
                else:
                    until = turn.at + running.instance.interval.length
                    self._entering.reconsider(running, tick.key, signal)
                    self._entering.act(turn, running, tick.key, signal, until)

    def on_flat(self, turn: Turn, slot: Slot) -> None:
        """A position is closed: an entry may have waited for this; a stopping strategy may be done."""
        running = self._state.instances.get(slot.owner)
        if running is None:
            return
        if running.instance.status is InstanceStatus.STOPPING:
            if not self._state.portfolio.open_positions(slot.owner):
                self._instances.status(turn, running, InstanceStatus.STOPPED, "closed and stopped")
            return
        if running.joint is not None:
            self.legs.turned(turn, running, turn.at + DEFERRED_FOR)
        else:
            self._entering.on_flat(turn, running, slot.key)

    def on_clock(self, turn: Turn) -> None:
        """Ask again for what history is still missing, and try again the entries that had to wait."""
        for name in sorted(self._state.instances):
            running = self._state.instances[name]
            self.warming.on_clock(turn, running)
            if running.joint is not None:
                self.legs.turned(turn, running, turn.at + DEFERRED_FOR)
                self.legs.again(turn, running)
            else:
                self._entering.on_clock(turn, running)
