"""Prices that the market cannot have come to since the last one.

One price a hundred times too high or too low would break the loss limit, close every position and leave a
peak that no equity reaches again, and it would stay in the bars (faults.md 45). So a price that leaps is held
back; the next one shows that it was none, or, a few seconds later, that the market did go there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trader.domain.instrument import InstrumentKey, Segment
from trader.domain.market import Tick

log = logging.getLogger(__name__)

# How many times the last price the next may be, up or down. Nothing but an option leaps further from one
# second to the next: price bands are 20 % at most, and where they widen they do so in steps of 5 % with
# pauses between (trader/market/bands.py). Over a night all may, by a split.
FURTHEST: Mapping[Segment, float] = {
    Segment.EQUITY: 1.25, Segment.FUTURES: 1.25, Segment.INDEX: 1.25, Segment.OPTIONS: 10.0,
}  # fmt: skip
LASTS = timedelta(seconds=5)  # a price that still stands so long after it first came is the market's


@dataclass(slots=True)
class Leaps:
    """``segment_of`` an instrument, asked once."""

    segment_of: Callable[[InstrumentKey], Segment]
    held_back: int = 0
    _believed: dict[InstrumentKey, Tick] = field(default_factory=dict)
    _doubted: dict[InstrumentKey, tuple[float, datetime]] = field(default_factory=dict)  # since when, by us
    _furthest: dict[InstrumentKey, float] = field(default_factory=dict)

    def believable(self, ticks: Sequence[Tick], at: datetime) -> list[Tick]:
        """Those of ``ticks``, which came ``at`` our clock, that are not held back."""
        return [tick for tick in ticks if self._believes(tick, at)]

    def _believes(self, tick: Tick, at: datetime) -> bool:
        key, last = tick.key, tick.last
        before = self._believed.get(key)
        if before is None or before.at.date() != tick.at.date() or self._near(key, before.last, last):
            self._doubted.pop(key, None)
        elif not self._stands(key, last, at):
            self.held_back += 1
            return False
        self._believed[key] = tick
        return True

    def _stands(self, key: InstrumentKey, last: float, at: datetime) -> bool:
        price, since = self._doubted.get(key, (last, at))
        if not self._near(key, price, last):
            price, since = last, at
        if at - since >= LASTS:
            del self._doubted[key]
            log.warning("%s did leap from %s to %s", key, self._believed[key].last, last)
            return True
        if key not in self._doubted:
            log.warning("%s at %s behind %s is held back", key, last, self._believed[key].last)
        self._doubted[key] = price, since
        return False

    def _near(self, key: InstrumentKey, one: float, other: float) -> bool:
        furthest = self._furthest.get(key)
        if furthest is None:
            furthest = self._furthest[key] = FURTHEST[self.segment_of(key)]
        return one <= other * furthest and other <= one * furthest
