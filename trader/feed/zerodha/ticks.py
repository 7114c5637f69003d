"""Ticks in memory, until they are written."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.feed.cleaning import micros


@dataclass(slots=True)
class TickColumns:
    """Ticks as they came, column by column: written without holding up the event loop."""

    codes: array[int] = field(default_factory=lambda: array("i"))
    at: array[int] = field(default_factory=lambda: array("q"))  # microseconds since 1970 UTC
    received: array[int] = field(default_factory=lambda: array("q"))
    last: array[float] = field(default_factory=lambda: array("d"))
    volume: array[int] = field(default_factory=lambda: array("q"))
    bid: array[float] = field(default_factory=lambda: array("d"))
    ask: array[float] = field(default_factory=lambda: array("d"))
    code_of: defaultdict[InstrumentKey, int] = field(default_factory=lambda: defaultdict(count().__next__))

    def __len__(self) -> int:
        return len(self.at)

    def add(self, ticks: Sequence[Tick], received: int) -> None:
        keys, times, last, volume, bid, ask = zip(*ticks, strict=True)
        code_of = self.code_of
        self.codes.extend([code_of[key] for key in keys])
        self.at.extend(_micros(times))
        self.received.extend([received] * len(ticks))
        self.last.extend(last)
        self.volume.extend(volume)
        self.bid.extend(bid)
        self.ask.extend(ask)


def _micros(times: Iterable[datetime]) -> Iterator[int]:
    """The ticks of one second share their datetime: counting it once is four times as fast."""
    last, count_of_last = None, 0
    for at in times:
        if at is not last:
            last, count_of_last = at, micros(at)
        yield count_of_last
