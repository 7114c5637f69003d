"""Made-up but market-like prices: a pure function of (seed, symbol, day, second).

Nothing is carried from one call to the next, so a run that starts anywhere sees the same market as one that
came there the long way. Day closes wander around a base price (a damped sum of daily shocks, half of them
shared by all stocks); inside the session a random path with a lively opening and end, spells of trend and
bursts of activity is tied to both ends.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from trader.domain.errors import FeedError
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval
from trader.market.calendar import Session
from trader.market.symbols import Listing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SECOND = timedelta(seconds=1)
_FIRST_DAY = date(2000, 1, 1).toordinal()
_DAYS = 40_000  # to 2109
_MEMORY = 250  # days a shock is felt
_DAMPING = 0.98 ** np.arange(_MEMORY)[::-1]
_SHARED = 0.5  # of a stock's shocks, the market's part
_OWN = float(np.sqrt(1 - _SHARED**2))
_GAP = 0.35  # overnight gap, in daily volatilities
_TREND = 1.6  # a trending spell moves about this many times what chance would
_TURNING = 0.8  # how often the next spell goes the other way
_KEPT = 96  # paths in memory, about 300 KB each


@dataclass(frozen=True, slots=True)
class DayPath:
    """One stock's session, one element per second. Prices in paise; ``volume`` is cumulative."""

    opens_at: datetime
    last: Ints
    bid: Ints
    ask: Ints
    volume: Ints
    traded: NDArray[np.bool_]

    def bars(self, key: InstrumentKey, interval: Interval, seconds: int) -> list[Bar]:
        """The bars closed within the session's first ``seconds``, as a BarBuilder makes them of its ticks."""
        length = len(self.last)
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
        low = np.minimum.reduceat(np.where(traded, last, np.iinfo(np.int64).max), begins)
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


class Walk:
    """The price paths of a seed; the latest ones are kept."""

    def __init__(self, seed: int) -> None:
        self._seed = seed % 2**32
        self._shocks: dict[int, Floats] = {}
        self._paths: OrderedDict[tuple[str, datetime], DayPath] = OrderedDict()
        self._market: OrderedDict[datetime, Floats] = OrderedDict()

    def close(self, listing: Listing, day: date) -> float:
        """Rupees at the end of ``day``; closed days have one too, they only move the next opening."""
        index = day.toordinal() - _FIRST_DAY
        if not 0 <= index < _DAYS:
            raise FeedError(f"Expected a day from 2000 to 2109 for the simulated market, was {day}")
        days = slice(index, index + _MEMORY)
        shocks = _SHARED * self._daily(0)[days] + _OWN * self._daily(_name(listing))[days]
        return listing.base_price * float(np.exp(listing.volatility * (shocks @ _DAMPING)))

    def path(self, listing: Listing, session: Session) -> DayPath:
        """The stock's session, second by second."""
        at = (listing.instrument.symbol, session.opens_at)
        found = self._paths.get(at)
        if found is None:
            found = self._paths[at] = self._make(listing, session)
            if len(self._paths) > _KEPT:
                self._paths.popitem(last=False)
        else:
            self._paths.move_to_end(at)
        return found

    def _make(self, listing: Listing, session: Session) -> DayPath:
        day = session.opens_at.date()
        rng = np.random.default_rng([self._seed, _name(listing), day.toordinal()])
        seconds = int((session.closes_at - session.opens_at).total_seconds())
        tick = int(listing.instrument.tick_size * 100)
        before = self.close(listing, date.fromordinal(day.toordinal() - 1))
        opening = before * float(np.exp(_GAP * listing.volatility * rng.standard_normal()))
        bursts = _bursts(rng, seconds)
        variance = _profile(seconds)

        noise = _SHARED * self._market_noise(session, seconds) + _OWN * rng.standard_normal(seconds)
        moves = listing.volatility * np.sqrt(variance) * (noise * bursts + _trends(rng, seconds))
        wandered, elapsed = np.cumsum(moves), np.cumsum(variance)
        tie = np.log(self.close(listing, day) / opening) - wandered[-1]
        rupees = opening * np.exp(wandered + elapsed * tie)
        last = (np.maximum(np.rint(rupees * 100 / tick), 4) * tick).astype(np.int64)

        traded = rng.random(seconds) < 0.80 + 0.17 * min(listing.volume / 10_000_000, 1)
        traded[-1] = True  # so that the session ends on its close
        spread = np.where(rng.random(seconds) < 0.75, tick, 2 * tick)
        bid = np.where(rng.random(seconds) < 0.5, last, last - spread)
        shares = variance * bursts**2 * np.exp(0.9 * rng.standard_normal(seconds))
        shares *= listing.volume * float(np.exp(0.25 * rng.standard_normal())) / shares.sum()
        volume = np.cumsum(np.where(traded, np.maximum(shares.astype(np.int64), 1), 0))
        return DayPath(session.opens_at, last, bid, bid + spread, volume, traded)

    def _daily(self, name: int) -> Floats:
        found = self._shocks.get(name)
        if found is None:
            rng = np.random.default_rng([self._seed, name])
            found = self._shocks[name] = rng.standard_normal(_DAYS + _MEMORY)
        return found

    def _market_noise(self, session: Session, seconds: int) -> Floats:
        found = self._market.get(session.opens_at)
        if found is None:
            rng = np.random.default_rng([self._seed, 0, session.opens_at.toordinal()])
            found = self._market[session.opens_at] = rng.standard_normal(seconds)
            if len(self._market) > 4:
                self._market.popitem(last=False)
        return found


def _name(listing: Listing) -> int:
    return crc32(listing.instrument.symbol.encode())


def _profile(seconds: int) -> Floats:
    """Each second's share of the session's variance and volume: high after the opening, low at noon."""
    at = np.arange(seconds)
    shape = 0.55 + 1.9 * np.exp(-at / 1500) + 0.9 * np.exp((at - seconds) / 1800)
    share: Floats = shape / shape.sum()
    return share


def _trends(rng: np.random.Generator, seconds: int) -> Floats:
    """A drift per second that holds for spells of 5 to 18 minutes and then mostly turns round, so that a
    strategy on one-minute bars has something to do several times an hour."""
    lengths = rng.integers(300, 1080, size=seconds // 300 + 1)
    turns = np.where(rng.random(len(lengths)) < _TURNING, -1.0, 1.0)
    strength = 0.4 + 0.8 * np.abs(rng.standard_normal(len(lengths)))
    drifts = _TREND * np.cumprod(turns) * strength / np.sqrt(lengths)
    spells: Floats = np.repeat(drifts, lengths)
    return spells[:seconds]


def _bursts(rng: np.random.Generator, seconds: int) -> Floats:
    """1, and up to 3 for a few short spells in which everybody trades at once."""
    factor = np.ones(seconds)
    for begin in rng.integers(0, seconds, size=int(rng.integers(2, 6))):
        factor[begin : begin + int(rng.integers(45, 240))] = rng.uniform(1.8, 3.0)
    return factor
