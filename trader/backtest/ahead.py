"""Looks ahead in a day's candles for the first in which anything could happen.

This is no look-ahead in what is decided: the desk is shown that candle as always, and decides from its window
as always. What is found here is only which candles need not be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from trader.desk.desk import Desk
from trader.desk.runner import Running
from trader.desk.still import Stillness
from trader.domain.instrument import InstrumentKey
from trader.domain.order import Owner
from trader.feed.cleaning import micros
from trader.feed.files import Floats, Ints
from trader.feed.replay import DayTable, ReplayMarket
from trader.strategy.bars import Bars
from trader.strategy.signals import BoolArray

# By strategy and instrument: behind which candles of the whole recording something is wanted.
Foreseen = dict[tuple[Owner, InstrumentKey], BoolArray]

_A_RUPEE = 1.0  # the desk adds up in Decimal, this in floats: what comes so near a limit is shown


class Ahead:
    """One day. Strategies are asked once for all their candles; ``signals`` is pure, so the rows are those
    the desk's own window will give (tests/strategies/test_windows.py)."""

    def __init__(self, desk: Desk, market: ReplayMarket, table: DayTable, foreseen: Foreseen) -> None:
        self._desk = desk
        self._foreseen = foreseen
        self._market = market
        self._table = table
        self._lows = {key: _spread(table, key, 2, np.inf) for key in table.rows}
        self._highs = {key: _spread(table, key, 1, -np.inf) for key in table.rows}
        self._signals: Ints | None = None

    def next_row(self, row: int, at: datetime) -> int:
        """The first row from ``row`` on that must be shown; the number of rows when none must."""
        still = self._desk.still(at)
        if still is None:
            return row
        signals = self._rows_with_signals()
        if signals is None:
            return row
        end = int(np.searchsorted(self._table.at, micros(still.until) - self._length))
        place = int(np.searchsorted(signals, row))
        if place < len(signals):
            end = min(end, int(signals[place]))
        end = max(end, row)
        return self._first_touch(still, row, end) if still.units else end

    @property
    def _length(self) -> int:
        return self._table.interval.seconds * 1_000_000

    def _first_touch(self, still: Stillness, row: int, end: int) -> int:
        part = slice(row, end)
        if row >= end:
            return row
        worst, best = np.zeros(end - row), np.zeros(end - row)
        touched = np.zeros(end - row, dtype=np.bool_)
        for key, units in still.units.items():
            if key not in self._lows:
                continue  # it does not trade today: its price stays
            lows, highs = self._lows[key][part], self._highs[key][part]
            low, high = still.levels[key]
            touched |= (lows <= low) | (highs >= high)
            last = self._desk.last_price(key)
            down = (np.where(np.isfinite(lows), lows, last) - last) * units
            up = (np.where(np.isfinite(highs), highs, last) - last) * units
            worst += np.minimum.accumulate(np.minimum(np.minimum(down, up), 0.0))
            best += np.maximum.accumulate(np.maximum(np.maximum(down, up), 0.0))
        touched |= (worst <= _A_RUPEE - still.loss_room) | (best >= still.gain_room - _A_RUPEE)
        found = int(np.argmax(touched))
        return row + found if touched[found] else end

    def last_rows(self, row: int, following: int) -> Sequence[int]:
        """Of the rows ``row`` to before ``following``: those with the last candle of an instrument."""
        if following <= row:
            return ()
        found = set()
        for rows in self._table.rows.values():
            place = int(np.searchsorted(rows, following)) - 1
            if place >= 0 and rows[place] >= row:
                found.add(int(rows[place]))
        return sorted(found)

    def feed(self, row: int, before: int) -> None:
        """The windows take what is not shown of the rows ``row`` to before ``before``."""
        if before <= row:
            return
        for key in self._table.rows:
            start, table = self._table.columns(key, row, before)
            if len(start):
                self._desk.runner.passed_over(key, self._table.interval, start, table)

    # -- signals ---------------------------------------------------------------------------------

    def _rows_with_signals(self) -> Ints | None:
        """The rows of the day behind whose close some strategy wants something; None where that cannot be
        known beforehand. Instances that stop during the day only make it show more."""
        if self._signals is None:
            found = [np.zeros(0, dtype=np.int64)]
            for running, key in self._desk.runner.asking():
                if running.instance.interval is not self._table.interval or not running.decides_on_bars:
                    return None
                if key in self._table.rows:
                    wanted = self._wanted(running, key)
                    series = self._market.series(key)
                    today = np.isin(self._table.at, series.at[wanted])
                    found.append(np.flatnonzero(today))
            self._signals = np.unique(np.concatenate(found))
        return self._signals

    def _wanted(self, running: Running, key: InstrumentKey) -> BoolArray:
        """Of all candles of the recording; worked out once for each strategy and instrument."""
        known = self._foreseen.get((running.name, key))
        if known is None:
            series = self._market.series(key)
            table = np.vstack([*series.prices, series.volume.astype(np.float64)])
            bars = Bars.of_arrays(key, self._table.interval, series.at, *table)
            given = running.strategies[key].evaluate(bars)
            columns = (given.enter_long, given.exit_long, given.enter_short, given.exit_short)
            known = np.zeros(len(series.at), dtype=np.bool_)
            for column in columns:
                if column is not None:
                    known |= column
            self._foreseen[running.name, key] = known
        return known


def _spread(table: DayTable, key: InstrumentKey, column: int, missing: float) -> Floats:
    """A price of ``key`` for every row of the day."""
    found = np.full(len(table), missing)
    found[table.rows[key]] = table.prices(key)[column]
    return found
