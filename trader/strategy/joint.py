"""Several instruments decided on at once: only bars that all of them have count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval
from trader.strategy.bars import Bars, IntArray
from trader.strategy.signals import BoolArray, Signals
from trader.strategy.strategy import Strategy
from trader.strategy.window import BarWindow


class JointWindow:
    """Windows of the same bars of several instruments, in the order given. A bar waits until the others have
    theirs of the same start; when one of them has none, because nothing traded in it, that start is left
    out, live as in ``decide``."""

    __slots__ = ("_newest", "_windows")

    def __init__(self, keys: Sequence[InstrumentKey], interval: Interval, capacity: int) -> None:
        self._windows = {key: BarWindow(key, interval, capacity) for key in keys}
        self._newest: dict[InstrumentKey, Bar] = {}

    def append(self, bar: Bar) -> bool:
        """Take a closed bar; True when it was the last of its start, so that there is something to decide.
        An instrument's bars come in order; one that is not newer than its newest is left alone."""
        newest = self._newest
        known = newest.get(bar.key)
        if known is not None and bar.start <= known.start:
            return False
        newest[bar.key] = bar
        if len(newest) < len(self._windows) or any(other.start != bar.start for other in newest.values()):
            return False
        for key, window in self._windows.items():
            window.append(newest[key])
        return True

    @property
    def bars(self) -> list[Bars]:
        return [window.bars for window in self._windows.values()]

    def __len__(self) -> int:
        return min(len(window) for window in self._windows.values())


def aligned(bars: Sequence[Bars]) -> tuple[list[Bars], list[IntArray]]:
    """The bars whose starts all have, and for each instrument which of its rows they are."""
    common = bars[0].start
    for other in bars[1:]:
        common = np.intersect1d(common, other.start, assume_unique=True)
    rows: list[IntArray] = [np.searchsorted(one.start, common) for one in bars]
    picked = []
    for one, at in zip(bars, rows, strict=True):
        if len(at) == len(one):
            picked.append(one)
            continue
        start, table = one.start[at], np.ascontiguousarray(one.table[:, at])
        start.flags.writeable = table.flags.writeable = False
        picked.append(Bars(one.key, one.interval, start, table))
    return picked, rows


def decide(strategy: Strategy, bars: Sequence[Bars]) -> list[Signals]:
    """A whole history at once, as a backtest does: what ``strategy.together`` says of each instrument, on
    that instrument's own rows; nothing on rows the others do not have. Raises StrategyFault."""
    same, rows = aligned(bars)
    return [
        _placed(signals, at, len(one))
        for signals, at, one in zip(strategy.evaluate_joint(same), rows, bars, strict=True)
    ]


def _placed(signals: Signals, rows: IntArray, length: int) -> Signals:
    """Signals of some rows as signals of all."""

    def place(array: BoolArray | None) -> BoolArray | None:
        if array is None or len(rows) == length:
            return array
        whole = np.zeros(length, dtype=np.bool_)
        whole[rows] = array
        return whole

    return Signals(*(place(getattr(signals, field.name)) for field in fields(Signals)))
