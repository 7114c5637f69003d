"""The strategies that were started: who is asked when, and how one of them ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from trader.desk.effects import LoadHistory, Watch
from trader.desk.exits import Exits
from trader.desk.running import Running
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.domain.order import Owner, Purpose
from trader.domain.records import InstanceStatus, Priority
from trader.strategy.bars import IntArray
from trader.strategy.signals import FloatArray
from trader.strategy.window import BarWindow


class Instances:
    def __init__(self, state: DeskState, sending: Sending, exits: Exits) -> None:
        self._state = state
        self._sending = sending
        self._exits = exits
        self._by_bar: dict[tuple[InstrumentKey, Interval], list[Running]] = {}
        self._by_tick: dict[InstrumentKey, list[Running]] = {}

    def begin(self, turn: Turn, running: Running) -> None:
        """Start asking: watch its bars and fetch the history its indicators need."""
        self._state.instances[running.name] = running
        instance = running.instance
        if running.kind.together:
            running.joint = running.new_joint()
        for key in instance.symbols:
            if running.joint is None:
                running.windows[key] = BarWindow(key, instance.interval, running.warmup)
            running.awaiting.add(key)
            turn.send(Watch(key, instance.interval))
            turn.send(LoadHistory(running.name, key, instance.interval, running.history))
        self._index()

    def status(self, turn: Turn, running: Running, status: InstanceStatus, message: str = "") -> None:
        running.instance = replace(running.instance, status=status, updated_at=turn.at, message=message)
        turn.write(running.instance)
        if not status.alive and status is not InstanceStatus.STOPPING:
            running.windows.clear()
        self._index()

    def fail(self, turn: Turn, running: Running, why: str) -> None:
        """Stop this strategy alone and treat its positions as it declared."""
        close = running.kind.on_error == "close"
        self.status(turn, running, InstanceStatus.FAILED, why)
        fate = "Its positions are being closed." if close else "Its positions stay, with their stops."
        if not self._has(running.name):
            fate = "It holds no position."
        turn.alert(
            f"failed:{running.name}:{turn.at:%Y%m%d%H%M%S%f}",
            Priority.CRITICAL,
            "strategy",
            f"{running.name} failed and was stopped",
            f"{why}\n{fate}",
        )
        self.withdraw(turn, running.name, close=close)

    def _has(self, owner: Owner) -> bool:
        """Positions, or orders that may become some."""
        held = any(slot.owner == owner for slot in self._state.portfolio.open_slots())
        return held or any(order.owner == owner for order in self._state.working.values())

    def withdraw(self, turn: Turn, owner: Owner, *, close: bool) -> None:
        """Take a strategy's entries out of the market, and its positions if ``close``."""
        for order in list(self._state.working.values()):
            if order.owner == owner and order.purpose is Purpose.ENTRY:
                self._sending.withdraw(turn, order, f"{owner} was stopped", Purpose.EXIT if close else None)
        if close:
            slots = [s for s in self._state.portfolio.open_slots() if s.owner == owner]
            self._exits.leave_all(turn, slots, Purpose.EXIT)

    # -- who is asked ----------------------------------------------------------------------------

    def _index(self) -> None:
        self._by_bar, self._by_tick = {}, {}
        for name in sorted(self._state.instances):
            running = self._state.instances[name]
            if not running.instance.status.alive:
                continue
            for key in running.instance.symbols:
                self._by_bar.setdefault((key, running.instance.interval), []).append(running)
                if running.kind.decides_on_ticks():
                    self._by_tick.setdefault(key, []).append(running)

    def on_bars(self, key: InstrumentKey, interval: Interval) -> Sequence[Running]:
        return self._by_bar.get((key, interval), ())

    def on_ticks(self, key: InstrumentKey) -> Sequence[Running]:
        return self._by_tick.get(key, ())

    @property
    def any_on_ticks(self) -> bool:
        return bool(self._by_tick)

    # -- passing over candles --------------------------------------------------------------------

    def asking(self) -> Iterator[tuple[Running, InstrumentKey]]:
        """Who decides on whose bars."""
        for (key, _), many in self._by_bar.items():
            for running in many:
                yield running, key

    def passed_over(self, key: InstrumentKey, interval: Interval, start: IntArray, table: FloatArray) -> None:
        """Bars that nobody decides on (see still.py), oldest first: they only belong to what was."""
        for running in self.on_bars(key, interval):
            running.windows[key].extend(start, table)
