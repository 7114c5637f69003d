"""Candles as columns, and the names that recordings give to instruments."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trader.domain.errors import FeedError
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.times import ist
from trader.feed.cleaning import micros
from trader.feed.files import Floats, Ints
from trader.market.symbols import instrument_of

log = logging.getLogger(__name__)

_MICROS_A_DAY = 86_400_000_000
_IST_OFFSET = 19_800_000_000
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Candles:
    """One instrument's candles of one interval by opening time, no two alike. ``at`` in microseconds since
    1970 UTC, prices in rupees."""

    at: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Ints
    oi: Ints

    @classmethod
    def none(cls) -> Candles:
        return cls._of(np.zeros((0, 7)), np.zeros(0, np.int64))

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Candles:
        """From the SDK's dictionaries. Rows without a price that can be meant are left out, ranges take in
        open and close, of two candles of one time the later answer counts. FeedError: no candles at all."""
        try:
            at = np.array([micros(ist(row["date"])) for row in rows], dtype=np.int64)
            cells = [
                [row["open"], row["high"], row["low"], row["close"], row["volume"], row.get("oi") or 0]
                for row in rows
            ]
            table = np.array(cells, dtype=np.float64).reshape(len(rows), 6)
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise FeedError(
                f"Expected candles with date, open, high, low, close and volume from Kite, got others: {e}"
            ) from e
        good = np.isfinite(table).all(axis=1) & (table[:, :4] > 0).all(axis=1)
        if not good.all():
            log.warning("Left out %d candles of %d: no price", len(rows) - int(good.sum()), len(rows))
        return cls._of(table[good], at[good])

    @classmethod
    def _of(cls, table: NDArray[np.float64], at: Ints) -> Candles:
        order = np.argsort(at, kind="stable")
        at, table = at[order], table[order]
        last = np.ones(len(at), dtype=np.bool_)
        last[:-1] = np.diff(at) > 0
        at, table = at[last], table[last]
        opening, close = table[:, 0], table[:, 3]
        high, low = table[:, :4].max(axis=1), table[:, :4].min(axis=1)
        whole = np.maximum(table[:, 4:6], 0).astype(np.int64)
        return cls(at, opening, high, low, close, whole[:, 0], whole[:, 1])

    def __len__(self) -> int:
        return len(self.at)

    def where(self, keep: NDArray[np.bool_]) -> Candles:
        return Candles(*(column[keep] for column in self.columns))

    def joined(self, newer: Candles) -> Candles:
        """With those of ``newer``; where both have a candle, its."""
        mine = self.where(~np.isin(self.at, newer.at))
        pairs = zip(mine.columns, newer.columns, strict=True)
        both = Candles(*(np.concatenate(pair) for pair in pairs))
        order = np.argsort(both.at, kind="stable")
        return Candles(*(column[order] for column in both.columns))

    def days(self) -> Ints:
        """The exchange day of each candle, as an ordinal since 1970."""
        days: Ints = (self.at + _IST_OFFSET) // _MICROS_A_DAY
        return days

    def on(self, days: Iterable[date]) -> NDArray[np.bool_]:
        """Which candles lie on one of ``days``."""
        return np.isin(self.days(), [_ordinal(day) for day in days])

    def between(self, first: date, last: date) -> Candles:
        """Those of the days ``first`` to ``last``."""
        days = self.days()
        return self.where((days >= _ordinal(first)) & (days <= _ordinal(last)))

    def traded_days(self) -> frozenset[date]:
        return frozenset(_EPOCH + timedelta(days=n) for n in np.unique(self.days()).tolist())

    @property
    def columns(self) -> tuple[Any, ...]:
        return (self.at, self.open, self.high, self.low, self.close, self.volume, self.oi)


def label(key: InstrumentKey) -> str:
    """What a recording calls an instrument, so that a replay finds the same key: the bare symbol, or with its
    exchange where that alone would be taken for another one's."""
    symbol = symbol_of(key)
    return symbol if instrument_of(symbol).key == key else key


def _ordinal(day: date) -> int:
    return (day - _EPOCH).days
