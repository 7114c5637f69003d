"""The newest bars of one instrument, kept ready for a strategy while it runs live."""

from __future__ import annotations

from typing import Any

import numpy as np

from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval
from trader.strategy.bars import Bars, IntArray, micros
from trader.strategy.signals import FloatArray


class BarWindow:
    """The last ``capacity`` bars. ``append`` writes six numbers, ``bars`` slices: nothing is copied but
    once in ``capacity`` appends, into new memory, so a Bars handed out stays as it was."""

    __slots__ = (
        "_cells",
        "_clock",
        "_end",
        "_grid",
        "_newest",
        "_start",
        "_table",
        "_times",
        "_width",
        "capacity",
        "interval",
        "key",
    )

    def __init__(self, key: InstrumentKey, interval: Interval, capacity: int) -> None:
        if capacity < 1:
            raise InvalidInput(f"Expected a window of at least one bar, was {capacity}")
        self.key = key
        self.interval = interval
        self.capacity = capacity
        self._width = 2 * capacity
        self._end = 0
        self._newest = -(2**63)  # start of the newest bar, in microseconds
        self._allocate()

    def append(self, bar: Bar) -> bool:
        """Take a closed bar. False, and nothing happens, when it is not newer than the newest: history and
        the live stream overlap where they meet."""
        start = micros(bar.start)
        if start <= self._newest:
            return False
        if self._end == self._width:
            self._move()
        at, width, cells = self._end, self._width, self._cells
        cells[at] = bar.open
        cells[at + width] = bar.high
        cells[at + 2 * width] = bar.low
        cells[at + 3 * width] = bar.close
        cells[at + 4 * width] = bar.volume
        self._times[at] = start
        self._newest = start
        self._end = at + 1
        return True

    def extend(self, start: IntArray, table: FloatArray) -> None:
        """Many bars at once, shaped as in Bars; those not newer than the newest are left out."""
        first = int(np.searchsorted(start, self._newest, side="right"))
        first = max(first, len(start) - self.capacity)  # older ones would be pushed out again at once
        while first < len(start):
            if self._end == self._width:
                self._move()
            count = min(len(start) - first, self._width - self._end)
            rows = slice(first, first + count)
            self._grid[:, self._end : self._end + count] = table[:, rows]
            self._clock[self._end : self._end + count] = start[rows]
            self._end += count
            self._newest = int(start[first + count - 1])
            first += count

    @property
    def bars(self) -> Bars:
        """All bars held, as contiguous read-only views."""
        end = self._end
        rows = slice(end - self.capacity if end > self.capacity else 0, end)
        return Bars(self.key, self.interval, self._start[rows], self._table[:, rows])

    def __len__(self) -> int:
        return min(self._end, self.capacity)

    def _allocate(self) -> None:
        table = np.empty((5, self._width), dtype=np.float64)
        start = np.empty(self._width, dtype=np.int64)
        # Writing one number through a memoryview costs a third of what NumPy's own item assignment does.
        self._cells: Any = table.reshape(-1).data
        self._times: Any = start.data
        self._grid, self._clock = table, start
        self._table, self._start = table.view(), start.view()
        self._table.flags.writeable = self._start.flags.writeable = False

    def _move(self) -> None:
        """Go on in new memory with the bars that still count; old views keep the old memory."""
        kept = self.bars[1:]
        self._allocate()
        count = len(kept)
        self._grid[:, :count] = kept.table
        self._clock[:count] = kept.start
        self._end = count
