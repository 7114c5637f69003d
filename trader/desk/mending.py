"""Bars after the market could not be heard: none of them is decided on before the broker's history mended it.

While prices are missing, the bars made of them are missing too, or hold a part of their minutes. The first
bar that closes when prices are back has the history asked for again; the window is made anew of it, and the
decision, if it is still young, is made on what really traded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from trader.desk.effects import LoadHistory
from trader.desk.running import Running
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar
from trader.domain.order import Owner
from trader.domain.records import InstanceStatus
from trader.strategy.window import BarWindow

TRIES, TRY_AGAIN = 4, timedelta(seconds=5)  # Kite's candle of a minute comes a few seconds after it
_SHORTEST = 60  # seconds; Kite keeps no candles below a minute

At = tuple[Owner, InstrumentKey]
Decide = Callable[[Turn, Running, InstrumentKey, Bar], None]


@dataclass(slots=True)
class _Mend:
    bar: Bar  # as it was heard
    tries: int = 0


class Mending:
    """Not recorded: a restart asks for all history anyway. ``active`` spares the others the look."""

    def __init__(self, state: DeskState, decide: Decide) -> None:
        self._state = state
        self._decide = decide
        self._lost: set[InstrumentKey] = set()
        self._gaps: set[At] = set()
        self._mends: dict[At, _Mend] = {}
        self.active = False

    def lost(self, keys: Iterable[InstrumentKey]) -> None:
        """From now on nothing is heard of these."""
        self._lost.update(keys)
        self.active = self.active or bool(self._lost)
        for running in self._state.instances.values():
            for key in running.instance.symbols if running.decides_on_bars else ():
                if key in self._lost:
                    self._gaps.add((running.name, key))

    def back(self) -> None:
        self._lost.clear()

    def takes(self, turn: Turn, running: Running, bar: Bar) -> bool:
        """Whether a bar that closed is not to be decided on, or not yet."""
        at = (running.name, bar.key)
        if at not in self._gaps:
            return False
        if bar.key in self._lost:
            return True  # a part of it; what is missing comes with the rest
        if bar.interval.seconds < _SHORTEST:
            self._gaps.discard(at)
            self._rest()
            if running.joint is None:
                running.windows[bar.key].append(bar)
            else:
                running.joint.append(bar)
            return True
        keys = (bar.key,) if running.joint is None else running.instance.symbols
        for key in keys:
            self._gaps.discard((running.name, key))
            self._mends[running.name, key] = _Mend(bar)
            running.awaiting.add(key)
            turn.send(LoadHistory(running.name, key, bar.interval, running.history))
        return True

    def mends(self, owner: Owner, key: InstrumentKey) -> bool:
        return (owner, key) in self._mends

    def history(self, turn: Turn, running: Running, key: InstrumentKey, bars: Sequence[Bar]) -> None:
        """What really traded. A candle that is not there yet is asked for again, a few times."""
        mend = self._mends[running.name, key]
        if not running.instance.status.alive:
            del self._mends[running.name, key]
            self._rest()
            return
        reaches = bool(bars) and bars[-1].start >= mend.bar.start
        if not reaches and mend.tries < TRIES:
            mend.tries += 1
            running.ask_again[key] = turn.at + TRY_AGAIN
            return
        del self._mends[running.name, key]
        running.ask_again.pop(key, None)
        running.awaiting.discard(key)
        self._rest()
        if running.joint is not None:
            self._mend_joint(turn, running, key, bars)
            return
        early = running.early.pop(key, [])
        window = BarWindow(key, running.instance.interval, running.windows[key].capacity)
        newest = mend.bar
        for bar in (*bars, *((mend.bar,) if not reaches and mend.bar.key == key else ()), *early):
            if window.append(bar):
                newest = bar
        running.windows[key] = window
        if reaches or early:
            self._act(turn, running, newest)

    def _mend_joint(self, turn: Turn, running: Running, key: InstrumentKey, bars: Sequence[Bar]) -> None:
        running.early[key] = [*bars, *running.early.pop(key, ())]
        if running.awaiting:
            return
        running.joint = joint = running.new_joint()
        complete: Bar | None = None
        for bar in running.take_early():
            if joint.append(bar):
                complete = bar
        if complete is not None:
            self._act(turn, running, complete)

    def _act(self, turn: Turn, running: Running, newest: Bar) -> None:
        """A decision older than a bar was made on another price."""
        young = turn.at < newest.end + newest.interval.length
        if young and not self._state.halted and running.instance.status is not InstanceStatus.WARMING:
            self._decide(turn, running, newest.key, newest)

    def _rest(self) -> None:
        self.active = bool(self._lost or self._gaps or self._mends)
