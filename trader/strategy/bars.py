"""Closed candles of one instrument as NumPy arrays, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval
from trader.domain.times import IST, clock_text, date_text
from trader.strategy.signals import FloatArray

if TYPE_CHECKING:
    import pandas as pd

IntArray = npt.NDArray[np.int64]

_COLUMNS = ("open", "high", "low", "close", "volume")
_MINUTE = 60_000_000  # microseconds
_IST_MINUTES = 330  # ahead of UTC, all year
_EPOCH = datetime(1970, 1, 1, 5, 30, tzinfo=IST)


class Bars:
    """``start`` holds opening times in microseconds since 1970 UTC; ``table`` has the five rows open, high,
    low, close (rupees) and volume (units), one column for each bar. Both are read-only, and what a Bars
    shows never changes, also when it is a view of a live window. Make one with ``of`` or ``of_arrays``.

    Written by hand because a frozen dataclass takes four times as long to make, and a live window makes one
    for every bar.
    """

    __slots__ = ("_interval", "_key", "_start", "_table")

    def __init__(self, key: InstrumentKey, interval: Interval, start: IntArray, table: FloatArray) -> None:
        self._key = key
        self._interval = interval
        self._start = start
        self._table = table

    @classmethod
    def of(cls, bars: Sequence[Bar]) -> Bars:
        """At least one bar; all of one instrument and interval, starts ascending, else InvalidInput."""
        if not bars:
            raise InvalidInput("Expected at least one bar, was none")
        first = bars[0]
        for bar in bars:
            if bar.key != first.key or bar.interval != first.interval:
                raise InvalidInput(
                    f"Expected bars of one instrument and interval, were {first.key} {first.interval} "
                    f"and {bar.key} {bar.interval}"
                )
        return cls.of_arrays(
            first.key,
            first.interval,
            np.array([micros(bar.start) for bar in bars], dtype=np.int64),
            *(np.array([bar[column] for bar in bars], dtype=np.float64) for column in range(3, 8)),
        )

    @classmethod
    def of_arrays(
        cls,
        key: InstrumentKey,
        interval: Interval,
        start: npt.NDArray[np.int64] | npt.NDArray[np.datetime64],
        open: npt.ArrayLike,
        high: npt.ArrayLike,
        low: npt.ArrayLike,
        close: npt.ArrayLike,
        volume: npt.ArrayLike,
    ) -> Bars:
        """Copies the columns. ``start`` as microseconds since 1970 UTC, or as datetime64 in UTC."""
        times = np.array(start, dtype="datetime64[us]" if start.dtype.kind == "M" else np.int64).view(
            np.int64
        )
        columns = [np.asarray(column, dtype=np.float64) for column in (open, high, low, close, volume)]
        if any(column.shape != times.shape for column in columns):
            lengths = ", ".join(str(len(column)) for column in columns)
            raise InvalidInput(f"Expected columns of {len(times)} bars, were {lengths}")
        table = np.vstack(columns)
        if not np.isfinite(table).all():
            where = int(np.argmin(np.isfinite(table).all(axis=0)))
            raise InvalidInput(f"Expected numbers in every bar of {key}, bar {where} holds {table[:, where]}")
        backwards = np.flatnonzero(np.diff(times) <= 0)
        if len(backwards):
            at = moment(int(times[backwards[0] + 1]))
            raise InvalidInput(
                f"Expected bars of {key} in order of time, {date_text(at)} {clock_text(at)} is not"
            )
        table.flags.writeable = times.flags.writeable = False
        return cls(key, interval, times, table)

    @property
    def key(self) -> InstrumentKey:
        return self._key

    @property
    def interval(self) -> Interval:
        return self._interval

    @property
    def start(self) -> IntArray:
        return self._start

    @property
    def table(self) -> FloatArray:
        return self._table

    @property
    def open(self) -> FloatArray:
        row: FloatArray = self._table[0]
        return row

    @property
    def high(self) -> FloatArray:
        row: FloatArray = self._table[1]
        return row

    @property
    def low(self) -> FloatArray:
        row: FloatArray = self._table[2]
        return row

    @property
    def close(self) -> FloatArray:
        row: FloatArray = self._table[3]
        return row

    @property
    def volume(self) -> FloatArray:
        row: FloatArray = self._table[4]
        return row

    @property
    def minute(self) -> IntArray:
        """Minutes from midnight to each bar's opening, on the exchange's clock: 555 is 09:15."""
        return (self.start // _MINUTE + _IST_MINUTES) % 1440

    @property
    def day(self) -> IntArray:
        """Each bar's calendar day on the exchange's clock, as days since 1970."""
        return (self.start // _MINUTE + _IST_MINUTES) // 1440

    @property
    def frame(self) -> pd.DataFrame:
        """A fresh DataFrame: columns open, high, low, close, volume; the index is ``start`` in IST."""
        import pandas as pd  # half a second to import, and most strategies do without

        index = pd.DatetimeIndex(self.start.view("datetime64[us]"), name="start", tz="UTC").tz_convert(IST)
        return pd.DataFrame(self.table.T.copy(), index=index, columns=list(_COLUMNS))

    def __len__(self) -> int:
        return len(self._start)

    @overload
    def __getitem__(self, rows: slice) -> Bars: ...
    @overload
    def __getitem__(self, rows: int) -> Bar: ...
    def __getitem__(self, rows: slice | int) -> Bars | Bar:
        """``bars[:n]`` is a view of the first n; ``bars[-1]`` the newest bar."""
        if isinstance(rows, slice):
            return Bars(self.key, self.interval, self.start[rows], self.table[:, rows])
        at = moment(int(self.start[rows]))
        open_, high, low, close, volume = (float(value) for value in self.table[:, rows])
        return Bar(self.key, self.interval, at, open_, high, low, close, int(volume))

    def __repr__(self) -> str:
        if not len(self):
            return f"<Bars {self.key} {self.interval}: none>"
        first, last = moment(int(self.start[0])), moment(int(self.start[-1]))
        return (
            f"<Bars {self.key} {self.interval}: {len(self)}, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}>"
        )


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC, exactly. Several times faster for times that carry our own IST."""
    passed = at - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def moment(start: int) -> datetime:
    """The time ``start`` microseconds after 1970 UTC, in IST."""
    return _EPOCH + timedelta(microseconds=start)
