"""The bars somebody waits for, out of whatever the market sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval, Tick
from trader.feed.bars import BarBuilder, BarMerger, Grids, divides
from trader.market.calendar import Calendar, Venue


class Aggregator:
    """Builders for the watched (instrument, interval) pairs. An instrument nobody watches costs one look-up.

    ``venue`` says whose hours an instrument keeps; without it all are plain stocks. Every answer is in order
    of the bars' real end, then key, then interval.
    """

    def __init__(
        self, calendar: Calendar | None = None, venue: Callable[[InstrumentKey], Venue] | None = None
    ) -> None:
        self._grids = Grids(calendar, venue)
        self._watched: dict[InstrumentKey, list[Interval]] = {}
        self._builders: dict[InstrumentKey, list[BarBuilder]] = {}
        self._mergers: dict[InstrumentKey, list[BarMerger]] = {}
        self._plans: dict[tuple[InstrumentKey, Interval], tuple[bool, list[BarMerger]]] = {}

    def watch(self, key: InstrumentKey, interval: Interval) -> None:
        """Make these bars from now on."""
        wanted = self._watched.setdefault(key, [])
        if interval not in wanted:
            wanted.append(interval)
            self._builders.setdefault(key, []).append(BarBuilder(key, interval, self._grids.of(key)))
            self._plans.clear()

    def on_ticks(self, ticks: Iterable[Tick]) -> list[Bar]:
        """The bars that these ticks close."""
        closed: list[Bar] = []
        builders = self._builders
        for tick in ticks:
            for builder in builders.get(tick.key, ()):
                bar = builder.add(tick)
                if bar is not None:
                    closed.append(bar)
        return self._ordered(closed)

    def on_bar(self, bar: Bar) -> list[Bar]:
        """A recorded bar, closed: itself if its interval is watched, and the larger ones it completes."""
        plan = self._plans.get((bar.key, bar.interval)) or self._plan(bar.key, bar.interval)
        itself, mergers = plan
        closed = [bar] if itself else []
        for merger in mergers:
            closed += merger.add(bar)
        return self._ordered(closed)

    def on_time(self, now: datetime) -> list[Bar]:
        """The bars whose time is over, though nothing traded since."""
        closed: list[Bar] = []
        for table in (self._builders, self._mergers):
            for rows in table.values():
                for row in rows:
                    bar = row.close_due(now)
                    if bar is not None:
                        closed.append(bar)
        return self._ordered(closed)

    def _plan(self, key: InstrumentKey, base: Interval) -> tuple[bool, list[BarMerger]]:
        """Whether recorded ``base`` bars of ``key`` are wanted themselves, and what to merge them into."""
        wanted = self._watched.get(key, ())
        mergers = {m.interval: m for m in self._mergers.get(key, ()) if m.base is base}
        for interval in wanted:
            if interval is not base and interval not in mergers and divides(base, interval):
                mergers[interval] = BarMerger(key, base, interval, self._grids.of(key))
                self._mergers.setdefault(key, []).append(mergers[interval])
        plan = self._plans[key, base] = base in wanted, list(mergers.values())
        return plan

    def _ordered(self, bars: list[Bar]) -> list[Bar]:
        if len(bars) > 1:
            bars.sort(key=lambda bar: (self._grids.end_of(bar), bar.key, bar.interval.seconds))
        return bars
