"""Looks ahead in a day's candles for the next open or close at which anything could happen.

This is no look-ahead in what is decided: the desk is shown that open or close as always, and decides from its
window as always. What is found here is only what need not be shown. Of a round trip that is a close behind
which a strategy wants something, and the open at which it is filled.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from trader.desk.desk import Desk
from trader.desk.running import Running
from trader.desk.still import Stillness
from trader.domain.instrument import InstrumentKey
from trader.domain.order import Owner
from trader.feed.cleaning import micros
from trader.feed.files import Floats
from trader.feed.replay import DayTable, ReplayMarket
from trader.strategy.bars import Bars
from trader.strategy.signals import BoolArray

# By strategy and instrument: behind which candles of the whole recording something is wanted.
Foreseen = dict[tuple[Owner, InstrumentKey], BoolArray]

_A_RUPEE = 1.0  # the desk adds up in Decimal, this in floats: what comes so near a limit is shown


class Part(NamedTuple):
    """What to show of a row: its candles' opens, or the rest of them up to the close, or both."""

    row: int
    opens: bool
    closes: bool


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
        self._signals: list[int] | None = None
        self._noted = False

    def parts(self, now: Callable[[], datetime]) -> Iterator[Part]:
        """What matters of the day, in order. What happens at one decides which is next."""
        table, row, opened = self._table, 0, False  # opened: of ``row`` the opens were shown
        while row < len(table):
            following, opens = self._next(row, opened, now()) if row else (row, not opened)
            # Behind what is passed over everybody must know each instrument's last price.
            for known in self._last_rows(row, following):
                self._feed(row, known)
                yield Part(known, opens=not (opened and known == row), closes=True)
                row, opened = known + 1, False
            self._feed(row, following)
            row, opened = following, opens
            if following < len(table):
                yield Part(following, opens, closes=not opens)
                row += not opens

    def _next(self, row: int, opened: bool, at: datetime) -> tuple[int, bool]:
        """The first row from ``row`` on of which something must be shown, the number of rows when there is
        none; and whether that begins with its opens."""
        still = self._desk.still(at)
        if still is None or (still.noted and opened):
            return row, not opened
        signals = self._rows_with_signals() if still.asking else ()
        if signals is None:
            return row, not opened
        self._noted = still.noted
        until = micros(still.until)
        end = bisect_left(self._table.times, until - self._length)
        place = bisect_left(signals, row)
        if place < len(signals):
            end = min(end, signals[place])
        end = max(end, row)
        if end == row and opened:
            return row, False
        # The candles of ``end`` are shown from their close on if they, too, bring nothing before it.
        quiet = end < len(self._table) and not still.noted and self._table.times[end] < until
        last = end + quiet
        found = self._first_touch(still, row, last) if still.units else last
        if found < end or not quiet:
            return found, not (opened and found == row)
        return end, found == end

    @property
    def _length(self) -> int:
        return self._table.interval.seconds * 1_000_000

    def _first_touch(self, still: Stillness, row: int, end: int) -> int:
        part = slice(row, end)
        if row >= end:
            return row
        if len(still.units) == 1:
            return self._first_touch_of_one(still, row, end)
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
        return _first(touched, row, end)

    def _first_touch_of_one(self, still: Stillness, row: int, end: int) -> int:
        """The same for a single instrument, whose prices alone say what all is worth: its levels then hold
        the limits of loss and gain, too."""
        ((key, units),) = still.units.items()
        if key not in self._lows:
            return end
        loses, gains = _A_RUPEE - still.loss_room, still.gain_room - _A_RUPEE
        if loses >= 0 or gains <= 0:
            return row
        low, high = still.levels[key]
        if units:  # strategies may hold as much of it each way
            last = self._desk.last_price(key)
            bad, good = last + loses / units, last + gains / units
            low, high = max(low, min(bad, good)), min(high, max(bad, good))
        touched = (self._lows[key][row:end] <= low) | (self._highs[key][row:end] >= high)
        return _first(touched, row, end)

    def _last_rows(self, row: int, following: int) -> Sequence[int]:
        """Of the rows ``row`` to before ``following``, which was found last: those with the last candle of an
        instrument. One that trades in the row ``following`` needs none: its open is the first that anybody
        hears of that row, and what was known before it is asked for no more."""
        if following <= row:
            return ()
        found = set()
        for rows in self._table.places.values():
            place = bisect_left(rows, following)
            trades = place < len(rows) and rows[place] == following
            if place and rows[place - 1] >= row and (self._noted or not trades):
                found.add(rows[place - 1])
        return sorted(found)

    def _feed(self, row: int, before: int) -> None:
        """The windows take what is not shown of the rows ``row`` to before ``before``."""
        if before <= row:
            return
        for key in self._table.rows:
            start, table = self._table.columns(key, row, before)
            if len(start):
                self._desk.instances.passed_over(key, self._table.interval, start, table)

    # -- signals ---------------------------------------------------------------------------------

    def _rows_with_signals(self) -> list[int] | None:
        """The rows of the day behind whose close some strategy wants something; None where that cannot be
        known beforehand. Instances that stop during the day only make it show more."""
        if self._signals is None:
            found = [np.zeros(0, dtype=np.int64)]
            for running, key in self._desk.instances.asking():
                if running.instance.interval is not self._table.interval or not running.decides_on_bars:
                    return None
                if key in self._table.rows:
                    wanted = self._wanted(running, key)
                    found.append(self._table.rows_where(key, wanted))
            self._signals = np.unique(np.concatenate(found)).tolist()
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


def _first(touched: BoolArray, row: int, end: int) -> int:
    found = int(np.argmax(touched))
    return row + found if touched[found] else end


def _spread(table: DayTable, key: InstrumentKey, column: int, missing: float) -> Floats:
    """A price of ``key`` for every row of the day."""
    found = np.full(len(table), missing)
    found[table.rows[key]] = table.prices(key)[column]
    return found
