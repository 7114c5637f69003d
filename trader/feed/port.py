"""What the desk needs of a source of market data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Bar, Interval, Tick


@dataclass(frozen=True, slots=True)
class TickBatch:
    """Ticks that arrived together; ``at`` is the market time of the newest."""

    at: datetime
    ticks: Sequence[Tick]


@dataclass(frozen=True, slots=True)
class BarBatch:
    """Recorded candles of one interval that share a start time, one for each instrument that traded.

    A candle is not a tick: whoever replays it must show its open first, then its range, then its close,
    and nothing of it before its time. One exception: where the candles hold the desk's own square-off and
    none begins behind it in time, ``last_chance`` is that moment. What is left of the candle is shown then,
    its close as a tick: live, somebody would have traded near it.
    """

    start: datetime
    end: datetime
    bars: Sequence[Bar]
    last_chance: datetime | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing traded, but the market's time moved on to ``at``."""

    at: datetime


Batch = TickBatch | BarBatch | Silence


class Feed(Protocol):
    """A stream of market data in time order, and history from before a moment."""

    @property
    def name(self) -> str:
        """``simulated``, ``replay`` …"""
        ...

    @property
    def starts_at(self) -> datetime:
        """Market time of the first batch; a simulated or replayed clock begins here."""
        ...

    def instruments(self) -> Sequence[Instrument]: ...

    def watch(self, keys: Iterable[InstrumentKey]) -> None:
        """From now on show these too; a market that shows everything has nothing to do."""
        ...

    def batches(self, since: datetime) -> AsyncIterator[Batch]:
        """Everything from ``since`` on, as fast as it is asked for; pacing is the caller's. A finite
        recording ends."""
        ...

    async def history(
        self, key: InstrumentKey, interval: Interval, count: int, before: datetime
    ) -> list[Bar]:
        """The last ``count`` closed bars with ``end <= before``, oldest first; fewer where there are none."""
        ...
