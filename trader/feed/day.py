"""One simulated day, by seconds: who trades until when, and an instrument's prices and volumes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval
from trader.market.calendar import Calendar, Phase, Venue

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]  # half the memory of the usual ones

_SECOND = timedelta(seconds=1)


class DayHours(NamedTuple):
    """A day in seconds from its opening, which is the same for every venue."""

    opens_at: datetime
    auction: int  # end of the closing-auction stocks' continuous trading
    stocks: int  # of the other stocks'
    contracts: int  # of the derivatives'
    matched: int | None  # when the auction is matched at the latest; None on a day without one

    @classmethod
    def of(cls, calendar: Calendar, day: date) -> DayHours | None:
        """None on a closed day."""
        whole = calendar.session(day)
        if whole is None:
            return None

        def until(venue: Venue) -> int:
            session = calendar.session(day, venue) or whole
            return int((session.closes_at - whole.opens_at).total_seconds())

        starts = calendar.phases(day, Venue.AUCTION_STOCK)
        matched = [
            int((at - whole.opens_at).total_seconds()) for at, p in starts if p is Phase.AUCTION_MATCHING
        ]
        return cls(
            whole.opens_at,
            auction=until(Venue.AUCTION_STOCK),
            stocks=until(Venue.STOCK),
            contracts=until(Venue.OPTION),
            matched=matched[0] if matched else None,
        )

    @property
    def day(self) -> date:
        return self.opens_at.date()

    @property
    def length(self) -> int:
        return max(self.auction, self.stocks, self.contracts)

    @property
    def closes_at(self) -> datetime:
        return self.opens_at + self.length * _SECOND


@dataclass(frozen=True, slots=True)
class DayPath:
    """One instrument's day, one element per second. Prices in paise; ``volume`` is cumulative. The first
    ``continuous`` seconds are in bars, what trades later is not."""

    opens_at: datetime
    last: Ints
    bid: Ints
    ask: Ints
    volume: Ints
    traded: NDArray[np.bool_]
    continuous: int

    def bars(self, key: InstrumentKey, interval: Interval, seconds: int) -> list[Bar]:
        """The bars closed within the session's first ``seconds``, as a BarBuilder makes them of its ticks."""
        length = self.continuous
        step = length if interval is Interval.D1 else interval.seconds
        begins = np.arange(0, length, step)
        begins = begins[np.minimum(begins + step, length) <= seconds]
        if not len(begins):
            return []
        size = min(int(begins[-1]) + step, length)
        last, traded = self.last[:size], self.traded[:size]
        second = np.arange(size)
        first_at = np.minimum.reduceat(np.where(traded, second, size), begins)
        last_at = np.maximum.reduceat(np.where(traded, second, -1), begins)
        high = np.maximum.reduceat(np.where(traded, last, 0), begins)
        low = np.minimum.reduceat(np.where(traded, last, np.iinfo(np.int32).max), begins)
        some = last_at >= 0
        begins, first_at, last_at = begins[some], first_at[some], last_at[some]
        volume = np.diff(self.volume[last_at], prepend=0)
        rows = zip(
            begins.tolist(),
            (last[first_at] / 100).tolist(),
            (high[some] / 100).tolist(),
            (low[some] / 100).tolist(),
            (last[last_at] / 100).tolist(),
            volume.tolist(),
            strict=True,
        )
        return [Bar(key, interval, self.opens_at + b * _SECOND, o, h, lo, c, v) for b, o, h, lo, c, v in rows]
