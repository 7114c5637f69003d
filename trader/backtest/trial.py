"""A strategy on trial: its candles, what it says of all of them, and how to ask it again."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trader.strategy.bars import Bars, IntArray
from trader.strategy.signals import Signals
from trader.strategy.strategy import Strategy

__all__ = ["COLUMNS", "IntArray", "Matrix", "Trial", "said"]

COLUMNS = ("enter_long", "exit_long", "enter_short", "exit_short")
_ENTERS = (0, 2)  # of COLUMNS

Matrix = npt.NDArray[np.bool_]  # four rows, COLUMNS, for each symbol; a column for each bar


class Trial:
    """``data`` of as many instruments as it decides on, of the same starts; ``needed`` is the length of its
    live window. Raises StrategyFault."""

    def __init__(self, strategy: Strategy, data: Sequence[Bars], needed: int, seed: int) -> None:
        self.strategy = strategy
        self.data = list(data)
        self.needed = needed
        self.random = np.random.default_rng(seed)
        self.whole = self.ask(self.data)  # imports and compiles what it uses, so it is not timed
        begun = time.perf_counter()
        self.ask(self.data)
        self.seconds = time.perf_counter() - begun  # for the whole history

    def ask(self, data: Sequence[Bars], strategy: Strategy | None = None) -> Matrix:
        """Of a fresh object, unless one is given."""
        return said(strategy or self.strategy.fresh(), data)

    def live_seconds(self) -> float:
        """For one decision over a live window; the best of some, for the machine may be busy."""
        window = [bars[-self.needed :] for bars in self.data]
        strategy = self.strategy.fresh()
        best = np.inf
        for _ in range(7):
            begun = time.perf_counter()
            said(strategy, window)
            best = min(best, time.perf_counter() - begun)
        return best

    @property
    def entries(self) -> Matrix:
        """Bars on which anything is to be entered."""
        rows = [4 * symbol + column for symbol in range(len(self.data)) for column in _ENTERS]
        found: Matrix = np.any(self.whole[rows], axis=0)
        return found

    def telling(self, count: int) -> IntArray:
        """Up to ``count`` bars on which it enters or changes its mind."""
        changed = np.flatnonzero((self.whole[:, 1:] != self.whole[:, :-1]).any(axis=0)) + 1
        entered = np.flatnonzero(self.entries)
        picked = [self._some(entered, count // 2), self._some(changed, count - count // 2)]
        return np.unique(np.concatenate(picked))

    def _some(self, rows: IntArray, count: int) -> IntArray:
        return rows if len(rows) <= count else self.random.choice(rows, count, replace=False)

    def affordable(self, wanted: int, least: int, seconds: float, rows: int = 0) -> int:
        """How many questions, of half the history or of ``rows``, fit into ``seconds``."""
        part = rows / len(self.data[0]) if rows else 0.5
        return int(min(max(seconds / max(self.seconds * part, 1e-6), least), wanted))


def said(strategy: Strategy, data: Sequence[Bars]) -> Matrix:
    signals = strategy.evaluate_joint(data) if strategy.together else [strategy.evaluate(data[0])]
    return np.concatenate([_columns(one, len(bars)) for one, bars in zip(signals, data, strict=True)])


def _columns(signals: Signals, length: int) -> Matrix:
    none = np.zeros(length, dtype=np.bool_)
    arrays = (getattr(signals, column) for column in COLUMNS)
    return np.stack([none if array is None else array for array in arrays])
