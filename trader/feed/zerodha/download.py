"""``download RELIANCE,INFY 5m 2026-01-01 2026-11-20``: candles into the cache, for replays and backtests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from trader.domain.errors import BrokerError, FeedError, InvalidInput, LoginNeeded
from trader.domain.instrument import Instrument, InstrumentKey, symbol_of
from trader.domain.market import Interval
from trader.domain.times import ist
from trader.feed.zerodha.candles import CandleCache
from trader.feed.zerodha.filling import GapFiller
from trader.feed.zerodha.gaps import Run, trading_days
from trader.feed.zerodha.history import listed
from trader.feed.zerodha.ports import KITE_INTERVALS, KiteData
from trader.market.calendar import Calendar, venue_of
from trader.market.instruments import Instruments


@dataclass(frozen=True, slots=True)
class Step:
    """``done`` of ``of`` requests; ``text`` is what is being fetched."""

    done: int
    of: int
    text: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """``candles`` lie in the cache for the days asked for, ``new`` of them came now. ``empty``: days on which
    Kite has none; ``open``: days that are not over or not settled, to be fetched again. ``anew``: all were
    fetched again, for past prices had been adjusted."""

    key: InstrumentKey
    candles: int
    new: int
    empty: int
    open: int
    anew: bool


@dataclass(frozen=True, slots=True)
class Summary:
    interval: Interval
    folder: Path
    fetched: tuple[Fetched, ...]
    failed: tuple[tuple[InstrumentKey, str], ...]
    requests: int

    def __str__(self) -> str:
        lines = [_line(one) for one in self.fetched]
        lines += [f"{symbol_of(key)}: {reason}" for key, reason in self.failed]
        total = sum(one.candles for one in self.fetched)
        lines.append(
            f"{total:,} {self.interval} candles of {len(self.fetched)} instruments in {self.folder}, "
            f"{self.requests} requests."
        )
        return "\n".join(lines)


async def download(
    data: KiteData,
    cache: CandleCache,
    instruments: Instruments,
    keys: Sequence[InstrumentKey],
    interval: Interval,
    start: date,
    end: date,
    progress: Callable[[Step], None],
    *,
    calendar: Calendar,
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Summary:
    """Candles of the days ``start`` to ``end``, both included. What the cache has is not fetched again, so a
    download that was broken off is simply started again. One instrument's failure is in the summary;
    LoginNeeded ends it all. InvalidInput: what was asked for cannot be had."""
    if interval not in KITE_INTERVALS:
        known = ", ".join(KITE_INTERVALS)
        raise InvalidInput(f"Kite has no {interval} candles; it has {known}.")
    today = ist(now()).date()
    if start > end or start > today:
        raise InvalidInput(
            f"Expected a first day no later than the last one and today, were {start} and {end}."
        )
    run = Run(start, min(end, today))
    found = [listed(instruments, key) for key in dict.fromkeys(keys)]
    filler = GapFiller(data, cache, calendar, now, sleep)
    planned = [await filler.plan(instrument, interval, run) for instrument in found]
    fetched: list[Fetched] = []
    failed: list[tuple[InstrumentKey, str]] = []
    requests, before = 0, 0
    for instrument, plan in zip(found, planned, strict=True):
        counter = _Counter(progress, before, plan, sum(planned), symbol_of(instrument.key))
        try:
            filled = await filler.fill(instrument, interval, run, counter.step)
            seen = await asyncio.to_thread(_seen, cache, instrument, interval, run, calendar)
        except LoginNeeded:
            raise
        except (BrokerError, FeedError) as e:
            failed.append((instrument.key, str(e)))
        else:
            fetched.append(Fetched(instrument.key, seen[0], filled.candles, seen[1], seen[2], filled.anew))
        requests += counter.done
        before += plan
        progress(Step(before, sum(planned), symbol_of(instrument.key)))
    return Summary(interval, cache.folder / interval, tuple(fetched), tuple(failed), requests)


@contextmanager
def progress_bar() -> Iterator[Callable[[Step], None]]:
    """On the terminal's standard error, so that the summary can be piped."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("candles", total=None)
        yield lambda step: bar.update(task, completed=step.done, total=step.of, description=step.text)


class _Counter:
    """Requests of one instrument. More than planned, as when its past is fetched anew, do not overrun the
    bar."""

    def __init__(self, progress: Callable[[Step], None], before: int, plan: int, of: int, text: str) -> None:
        self._progress = progress
        self._before, self._plan, self._of, self._text = before, plan, of, text
        self.done = 0
        progress(Step(before, of, text))

    def step(self) -> None:
        self.done += 1
        self._progress(Step(self._before + min(self.done, self._plan), self._of, self._text))


def _seen(
    cache: CandleCache, instrument: Instrument, interval: Interval, run: Run, calendar: Calendar
) -> tuple[int, int, int]:
    """Candles in the cache, days without any, days not settled."""
    candles, known = cache.read(instrument.key, interval, *run), cache.known(instrument.key, interval)
    traded = candles.traded_days()
    days = set(trading_days(calendar, venue_of(instrument), run))
    empty = {day for day in days - traded if day in known.complete or day in known.empty}
    return len(candles), len(empty), len(days - known.complete - empty)


def _line(one: Fetched) -> str:
    parts = [f"{one.candles:,} candles, {one.new:,} fetched"]
    if one.empty:
        parts.append(f"{one.empty} days without any")
    if one.open:
        parts.append(f"{one.open} not over")
    if one.anew:
        parts.append("all anew: past prices were adjusted")
    return f"{symbol_of(one.key)}: {', '.join(parts)}"
