"""Made-up but market-like prices: a pure function of (seed, symbol, day, second).

Nothing is carried from one call to the next, so a run that starts anywhere sees the same market as one that
came there the long way. Day closes wander around a base price (a damped sum of daily shocks, half of them
shared by all stocks; an index has the shared ones alone); inside the session a random path with a lively
opening and end, spells of trend and bursts of activity is tied to both ends.

Since the closing auction a stock that takes part in it is silent from 15:15 on, until one print at the price
where its path ends; the index is not computed meanwhile (india.md 6), though its level goes on underneath.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import date, datetime
from typing import NamedTuple
from zlib import crc32

import numpy as np

from trader.domain.errors import FeedError
from trader.domain.instrument import Segment
from trader.feed.day import DayHours, DayPath, Floats
from trader.market.symbols import Listing

_FIRST_DAY = date(2000, 1, 1).toordinal()
_DAYS = 40_000  # to 2109
_MEMORY = 250  # days a shock is felt
_DAMPING = 0.98 ** np.arange(_MEMORY)[::-1]
_SHARED = 0.5  # of a stock's shocks, the market's part
_OWN = float(np.sqrt(1 - _SHARED**2))
_GAP = 0.35  # overnight gap, in daily volatilities
_TREND = 1.6  # a trending spell moves about this many times what chance would
_TURNING = 0.8  # how often the next spell goes the other way
_KEPT = 128  # paths in memory, about 400 KB each
_BAND = 0.03  # of the reference price: how far the auction's may be (india.md 6)
_REFERENCE = 900  # seconds whose VWAP is the reference price
_RANDOM_END = 120  # the auction ends up to so many seconds early


class Walk:
    """The price paths of a seed; the latest ones are kept."""

    def __init__(self, seed: int) -> None:
        self._seed = seed % 2**32
        self._shocks: dict[int, Floats] = {}
        self._paths: OrderedDict[tuple[str, DayHours], DayPath] = OrderedDict()
        self._levels: OrderedDict[tuple[str, DayHours], Floats] = OrderedDict()
        self._market: OrderedDict[datetime, Floats] = OrderedDict()

    def random(self, symbol: str, *more: int) -> np.random.Generator:
        """Draws that depend on the seed and these alone."""
        return np.random.default_rng([self._seed, _code(symbol), *more])

    def close(self, listing: Listing, day: date) -> float:
        """Rupees at the end of ``day``; closed days have one too, they only move the next opening."""
        index = day.toordinal() - _FIRST_DAY
        if not 0 <= index < _DAYS:
            raise FeedError(f"Expected a day from 2000 to 2109 for the simulated market, was {day}")
        days = slice(index, index + _MEMORY)
        shared, own = _parts(listing)
        shocks = shared * self._daily(0)[days]
        if own:
            shocks = shocks + own * self._daily(_code(listing.instrument.symbol))[days]
        return listing.base_price * float(np.exp(listing.volatility * (shocks @ _DAMPING)))

    def path(self, listing: Listing, hours: DayHours) -> DayPath:
        """The stock's or index's day, second by second."""
        make = self._index if listing.instrument.segment is Segment.INDEX else self._stock
        return self.kept(listing.instrument.symbol, hours, lambda: make(listing, hours))

    def kept(self, symbol: str, hours: DayHours, make: Callable[[], DayPath]) -> DayPath:
        """The path made before, or a new one."""
        at = (symbol, hours)
        found = self._paths.get(at)
        if found is None:
            found = self._paths[at] = make()
            if len(self._paths) > _KEPT:
                self._paths.popitem(last=False)
        else:
            self._paths.move_to_end(at)
        return found

    def level(self, listing: Listing, hours: DayHours) -> Floats:
        """An index in rupees for every second in which anything trades, computed or not."""
        at = (listing.instrument.symbol, hours)
        found = self._levels.get(at)
        if found is None:
            found = self._moved(listing, hours, hours.length, self._of_day(listing, hours)).rupees
            self._levels[at] = found
            if len(self._levels) > 4:
                self._levels.popitem(last=False)
        return found

    def _stock(self, listing: Listing, hours: DayHours) -> DayPath:
        """Drawn to the close of plain stocks: an auction stock's path ends there too, in the auction."""
        seconds, rng = hours.stocks, self._of_day(listing, hours)
        move = self._moved(listing, hours, seconds, rng)
        tick = int(listing.instrument.tick_size * 100)
        last = (np.maximum(np.rint(move.rupees * 100 / tick), 4) * tick).astype(np.int32)

        traded = rng.random(seconds) < 0.80 + 0.17 * min(listing.volume / 10_000_000, 1)
        traded[-1] = True  # so that the session ends on its close
        spread = np.where(rng.random(seconds) < 0.75, tick, 2 * tick).astype(np.int32)
        bid = np.where(rng.random(seconds) < 0.5, last, last - spread)
        shares = move.variance * move.bursts**2 * np.exp(0.9 * rng.standard_normal(seconds))
        shares *= listing.volume * float(np.exp(0.25 * rng.standard_normal())) / shares.sum()
        volume = np.cumsum(np.where(traded, np.maximum(shares.astype(np.int32), 1), 0), dtype=np.int32)
        path = DayPath(hours.opens_at, last, bid, bid + spread, volume, traded, seconds)
        if listing.instrument.derivatives and hours.matched is not None:
            return _into_auction(path, tick, hours.auction, min(self._matched(listing, hours), seconds - 1))
        return path

    def _index(self, listing: Listing, hours: DayHours) -> DayPath:
        """Computed every second in which the stocks trade. Nobody bids for an index."""
        level = self.level(listing, hours)[: hours.stocks]
        tick = int(listing.instrument.tick_size * 100)
        last = (np.rint(level * 100 / tick) * tick).astype(np.int32)
        none = np.zeros(len(last), dtype=np.int32)
        computed = np.arange(len(last)) < (hours.stocks if hours.matched is None else hours.auction)
        return DayPath(hours.opens_at, last, none, none, none, computed, hours.stocks)

    def _moved(self, listing: Listing, hours: DayHours, seconds: int, rng: np.random.Generator) -> _Moves:
        day = hours.day
        before = self.close(listing, date.fromordinal(day.toordinal() - 1))
        opening = before * float(np.exp(_GAP * listing.volatility * rng.standard_normal()))
        bursts = _bursts(rng, seconds)
        variance = profile(seconds)
        shared, own = _parts(listing)
        noise = shared * self._market_noise(hours)[:seconds] + own * rng.standard_normal(seconds)
        moves = listing.volatility * np.sqrt(variance) * (noise * bursts + _trends(rng, seconds))
        wandered, elapsed = np.cumsum(moves), np.cumsum(variance)
        tie = np.log(self.close(listing, day) / opening) - wandered[-1]
        return _Moves(opening * np.exp(wandered + elapsed * tie), variance, bursts)

    def _of_day(self, listing: Listing, hours: DayHours) -> np.random.Generator:
        return self.random(listing.instrument.symbol, hours.day.toordinal())

    def _matched(self, listing: Listing, hours: DayHours) -> int:
        """The second of the auction's print: its entry ends at random."""
        assert hours.matched is not None  # noqa: S101 the caller asked; this tells mypy
        rng = self.random(listing.instrument.symbol, hours.day.toordinal(), 1)
        return hours.matched - int(rng.integers(0, _RANDOM_END + 1))

    def _daily(self, name: int) -> Floats:
        found = self._shocks.get(name)
        if found is None:
            rng = np.random.default_rng([self._seed, name])
            found = self._shocks[name] = rng.standard_normal(_DAYS + _MEMORY)
        return found

    def _market_noise(self, hours: DayHours) -> Floats:
        """What all have in common. A shorter day's is the beginning of a longer one's."""
        found = self._market.get(hours.opens_at)
        if found is None or len(found) < hours.length:
            rng = np.random.default_rng([self._seed, 0, hours.opens_at.toordinal()])
            found = self._market[hours.opens_at] = rng.standard_normal(hours.length)
            if len(self._market) > 4:
                self._market.popitem(last=False)
        return found


class _Moves(NamedTuple):
    """A drawn day: the price, and each second's share of the variance and of the activity."""

    rupees: Floats
    variance: Floats
    bursts: Floats


def _into_auction(path: DayPath, tick: int, ends: int, matched: int) -> DayPath:
    """``path`` cut where its continuous trading ends, with one print at its own last price: what it would
    have traded until then is traded in the auction."""
    reference = slice(max(ends - _REFERENCE, 0), ends)
    shares = np.diff(path.volume[reference], prepend=0)
    shares[0] = 0
    vwap = float(np.average(path.last[reference], weights=np.maximum(shares, 1)))
    lowest, highest = np.ceil(vwap * (1 - _BAND) / tick) * tick, np.floor(vwap * (1 + _BAND) / tick) * tick
    last, bid, ask, volume = (part.copy() for part in (path.last, path.bid, path.ask, path.volume))
    last[ends:matched] = last[ends - 1]
    last[matched:] = np.clip(path.last[-1], lowest, highest)
    volume[ends:matched] = volume[ends - 1]
    volume[matched:] = path.volume[-1]
    bid[ends:] = ask[ends:] = 0  # no book is shown
    traded = path.traded.copy()
    traded[ends:] = False
    traded[matched] = True
    return DayPath(path.opens_at, last, bid, ask, volume, traded, ends)


def _code(symbol: str) -> int:
    return crc32(symbol.encode())


def _parts(listing: Listing) -> tuple[float, float]:
    """Of a listing's shocks, the market's part and its own."""
    return (1.0, 0.0) if listing.instrument.segment is Segment.INDEX else (_SHARED, _OWN)


def profile(seconds: int) -> Floats:
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
