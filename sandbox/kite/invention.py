"""A past that nobody recorded: repeatable daily and minute candles that agree with each other."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from sandbox.kite.listings import Listing
from sandbox.kite.market import Hours
from sandbox.kite.times import IST, zoned

OPEN = time(9, 15)
DAILY_DRIFT, MINUTE_DRIFT = 0.012, 0.0007
FIRST = date(2015, 2, 2)  # minute candles go back to about then (kite.md 8)
CONTRACT_DAYS = 100  # a future or option is about so old when it expires


@dataclass(slots=True)
class Candle:
    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int
    oi: int = 0

    def row(self, *, with_oi: bool) -> list[object]:
        row: list[object] = [zoned(self.start), self.open, self.high, self.low, self.close, self.volume]
        return [*row, self.oi] if with_oi else row


class Invention:
    """Walks back from each listing's previous close, which is that of the trading day before ``born``."""

    def __init__(self, hours: Hours, born: date, seed: int) -> None:
        self._hours, self._born, self._seed = hours, born, seed
        self._closes: dict[int, list[float]] = {}  # newest first
        self._moves: dict[int, random.Random] = {}
        self._distances: dict[date, int] = {}  # trading days back from the last one before ``born``
        self._oldest = born
        self.minutes = lru_cache(maxsize=256)(self._minutes)

    def covers(self, listing: Listing, day: date) -> bool:
        first = FIRST if listing.expiry is None else listing.expiry - timedelta(days=CONTRACT_DAYS)
        return first <= day < self._born and self._hours.exchange_day(day)

    def day(self, listing: Listing, day: date) -> Candle:
        rng = self._rng(listing, day)
        start, end = self._close(listing, day, 1) * (1 + rng.gauss(0, 0.002)), self._close(listing, day, 0)
        high = max(start, end) * (1 + abs(rng.gauss(0, DAILY_DRIFT / 3)))
        low = min(start, end) * (1 - abs(rng.gauss(0, DAILY_DRIFT / 3)))
        volume = 0 if listing.is_index else listing.lot_size * rng.randint(100_000, 2_000_000)
        midnight = datetime.combine(day, time(), IST)
        first, top, bottom, last = (_tick(listing, price) for price in (start, high, low, end))
        return Candle(midnight, first, top, bottom, last, volume)

    def _minutes(self, listing: Listing, day: date) -> list[Candle]:
        """A random bridge between the day's open and close, inside its range and touching both ends of it."""
        whole, rng = self.day(listing, day), self._rng(listing, day, "minutes")
        begin = datetime.combine(day, OPEN, IST)
        count = int((datetime.combine(day, listing.continuous_until, IST) - begin).total_seconds()) // 60
        steps = [rng.gauss(0, MINUTE_DRIFT) for _ in range(count)]
        total, walked, price, volume = sum(steps), 0.0, whole.open, whole.volume // count
        candles = []
        for index, step in enumerate(steps):
            walked += step - total / count
            close = whole.open * math.exp(walked) + (whole.close - whole.open) * (index + 1) / count
            close = _tick(listing, min(max(close, whole.low), whole.high))
            wick = abs(rng.gauss(0, MINUTE_DRIFT / 2)) * close
            high = _tick(listing, min(max(price, close) + wick, whole.high))
            low = _tick(listing, max(min(price, close) - wick, whole.low))
            candles.append(Candle(begin + timedelta(minutes=index), price, high, low, close, volume))
            price = close
        candles[-1].volume += whole.volume - volume * count
        max(candles, key=lambda one: one.high).high = whole.high
        min(candles, key=lambda one: one.low).low = whole.low
        return candles

    def _rng(self, listing: Listing, day: date, what: str = "") -> random.Random:
        return random.Random(f"{self._seed}:{listing.token}:{day}:{what}")  # noqa: S311 - prices, not secrets

    def _close(self, listing: Listing, day: date, before: int) -> float:
        """The close of ``day``, or of the trading day before it."""
        closes = self._closes.setdefault(listing.token, [listing.previous_close])
        rng = self._moves.setdefault(listing.token, self._rng(listing, FIRST, "closes"))
        distance = self._distance(day) + before
        while len(closes) <= distance:
            closes.append(closes[-1] / (1 + max(-0.05, min(0.05, rng.gauss(0.0002, DAILY_DRIFT)))))
        return closes[distance]

    def _distance(self, day: date) -> int:
        while self._oldest > day:
            self._oldest -= timedelta(days=1)
            if self._hours.exchange_day(self._oldest):
                self._distances[self._oldest] = len(self._distances)
        return self._distances[day]


def _tick(listing: Listing, price: float) -> float:
    tick = listing.tick_size
    return max(tick, round(round(price / tick) * tick, 4))
