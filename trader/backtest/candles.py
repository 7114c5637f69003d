"""Where the candles of a test come from: files, or the simulated market's own past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from trader.backtest.past import Past
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.strategy.bars import Bars

_LONGEST_SESSION = 375 * 60  # seconds, 09:15 to 15:30


@dataclass(frozen=True, slots=True)
class Source:
    """``path``: files, folders or patterns of candles, as replay takes them (which of their days it plays is
    nothing to a test); "" for the simulated market, whose candles up to ``until`` follow from ``seed``."""

    path: str = ""
    seed: int = 1
    until: datetime | None = None

    def written(self) -> dict[str, Any]:
        until = self.until.isoformat() if self.until else None
        return {"path": self.path, "seed": self.seed, "until": until}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Source:
        until = written.get("until")
        return cls(written["path"], written["seed"], datetime.fromisoformat(until) if until else None)

    @property
    def notes(self) -> Sequence[str]:
        return () if self.path else ("Simulated candles: this says nothing about a real market.",)

    def candles(
        self, keys: Sequence[InstrumentKey], interval: Interval, first: date | None, last: date | None
    ) -> Past:
        """FeedError, InvalidInput when there are none."""
        if self.path:
            from trader.backtest.loading import load

            return load(self.path, keys, interval, first, last)
        return self._simulated(keys, interval, first, last)

    def _simulated(
        self, keys: Sequence[InstrumentKey], interval: Interval, first: date | None, last: date | None
    ) -> Past:
        from trader.feed.simulated import SimulatedMarket

        until = self.until or datetime.now(IST)
        if last is not None:
            until = min(until, datetime.combine(last + timedelta(days=1), time(), IST))
        market = SimulatedMarket(self.seed, until)
        begin = datetime.combine(first, time(), IST) if first else until - timedelta(days=365)
        days = sum(
            market.calendar.is_trading_day(begin.date() + timedelta(days=n))
            for n in range((until.date() - begin.date()).days + 1)
        )
        most = max(days, 1) * max(_LONGEST_SESSION // interval.seconds, 1)
        listed = {one.key: one for one in market.instruments()}
        for key in keys:
            if key not in listed:
                names = [symbol_of(one) for one in listed]
                raise UnknownName("symbol of the simulated market", symbol_of(key), names, ordered=True)
        data = {}
        for key in keys:
            bars = [bar for bar in market.bars(key, interval, most, until) if bar.start >= begin]
            if not bars:
                raise InvalidInput(f"There are no simulated candles of {symbol_of(key)} then.")
            data[key] = Bars.of(bars)
        return Past(data, [listed[key] for key in keys], market.calendar)
