"""An endless market that needs no account, no network and no daylight."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import repeat

import numpy as np

from trader.domain.errors import FeedError, UnknownName
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Bar, Interval, Tick
from trader.domain.times import IST, ist
from trader.feed.day import DayHours, DayPath
from trader.feed.index_contracts import IndexContracts
from trader.feed.port import Batch, Silence, TickBatch
from trader.feed.walk import Walk
from trader.market.calendar import Calendar
from trader.market.symbols import Listing, index_listings, listings

_SECOND = timedelta(seconds=1)
_CHUNK = 60  # seconds made at a time: numpy pays off, memory stays flat
_tick: Callable[[tuple[object, ...]], Tick] = partial(tuple.__new__, Tick)  # Tick._make at half the cost


class SimulatedMarket:
    """The stocks of the symbol table, NIFTY 50 and its contracts with made-up prices, one batch for each
    second of every session.

    ``start`` is when the market's clock is to begin, be it at night or on a holiday; without one, 09:20 of
    the wall clock's trading day. The same seed makes the same market, whenever and however often it is
    started. The contracts are each day's (see IndexContracts): those of a new day are listed when it begins,
    and after their expiry they trade no more. ``stocks`` asks for these alone, without index and contracts.
    """

    name = "simulated"

    def __init__(
        self,
        seed: int = 1,
        start: datetime | None = None,
        calendar: Calendar | None = None,
        stocks: Sequence[Listing] | None = None,
    ) -> None:
        self.calendar = calendar or Calendar.load()
        self._start = self._today() if start is None else ist(start)
        self._walk = Walk(seed)
        self._listings = {one.instrument.key: one for one in (listings() if stocks is None else stocks)}
        self._contracts: dict[InstrumentKey, tuple[Instrument, IndexContracts]] = {}
        self._series: list[IndexContracts] = []
        if stocks is None:
            for index in index_listings():
                self._listings[index.instrument.key] = index
                self._series += IndexContracts.simulated(self._walk, index, self.calendar)
        self._day = date.min  # that was listed last
        self._list(self._first_day())

    @property
    def starts_at(self) -> datetime:
        return self._start

    def instruments(self) -> Sequence[Instrument]:
        contracts = [contract for contract, _ in self._contracts.values()]
        return [*(listing.instrument for listing in self._listings.values()), *contracts]

    def listed(self, day: date) -> Sequence[Instrument]:
        """What trading day ``day`` offers. Its contracts are shown from then on, and stay known afterwards;
        ``instruments`` has all there were."""
        self._list(day)
        contracts = [contract for made in self._series for contract in made.listed(day)]
        return [*(listing.instrument for listing in self._listings.values()), *contracts]

    @property
    def listed_on(self) -> date:
        """The trading day whose contracts were listed last."""
        return self._day

    def _list(self, day: date) -> None:
        if day <= self._day:
            return
        self._day = day
        for contracts in self._series:
            for contract in contracts.listed(day):
                self._contracts.setdefault(contract.key, (contract, contracts))

    def watch(self, keys: Iterable[InstrumentKey]) -> None:
        """Everything is shown already."""

    async def batches(self, since: datetime) -> AsyncIterator[Batch]:
        """Never ends. A Silence when the last venue has closed, and another at the next opening, jump over
        the night. A day that the owner closes while it trades ends within a minute."""
        at = ist(since)
        while True:
            hours = DayHours.of(self.calendar, at.date())
            if hours is None or not hours.opens_at <= at < hours.closes_at:
                at = self.calendar.next_open(at)
                yield Silence(at)
                continue
            for batch in self._seconds(hours, at):
                yield batch
                at = batch.at
            if self.calendar.is_trading_day(hours.day):
                at = hours.closes_at
                yield Silence(at)

    async def history(
        self, key: InstrumentKey, interval: Interval, count: int, before: datetime
    ) -> list[Bar]:
        return self.bars(key, interval, count, before)

    def bars(self, key: InstrumentKey, interval: Interval, count: int, before: datetime) -> list[Bar]:
        """As ``history``; UnknownName for a symbol that is not simulated."""
        earliest = self._listed_since(key)
        before = ist(before)
        found: list[Bar] = []
        day = before.date()
        if not self.calendar.is_trading_day(day):
            day = self.calendar.previous_trading_day(day)
        while len(found) < count and day >= earliest:
            hours = DayHours.of(self.calendar, day)
            if hours is not None and before > hours.opens_at:
                seconds = int((before - hours.opens_at).total_seconds())
                try:
                    path = self._path(key, hours)
                except FeedError:  # the first day there is
                    break
                found[:0] = path.bars(key, interval, seconds) if path is not None else []
            day = self.calendar.previous_trading_day(day)
        return found[-count:] if count > 0 else []

    def _listed_since(self, key: InstrumentKey) -> date:
        if key in self._listings:
            return date.min
        if key in self._contracts:
            contract, contracts = self._contracts[key]
            return contracts.since(contract)
        raise UnknownName("symbol of the simulated market", key, [*self._listings, *self._contracts])

    def _path(self, key: InstrumentKey, hours: DayHours) -> DayPath | None:
        """The instrument's day; None for a contract that is not traded on it."""
        listing = self._listings.get(key)
        if listing is not None:
            return self._walk.path(listing, hours)
        contract, contracts = self._contracts[key]
        return contracts.path(contract, hours)

    def _seconds(self, hours: DayHours, since: datetime) -> Iterator[TickBatch | Silence]:
        """One batch for each second of the day from ``since`` on, while the calendar holds it open."""
        begin = -((hours.opens_at - since) // _SECOND)  # rounded up: nothing from before ``since``
        self._list(hours.day)
        keys = [*self._listings, *self._contracts]
        paths = [(key, path) for key in keys if (path := self._path(key, hours)) is not None]
        for first in range(begin, hours.length, _CHUNK):
            if not self.calendar.is_trading_day(hours.day):
                return
            count = min(_CHUNK, hours.length - first)
            times = [hours.opens_at + second * _SECOND for second in range(first, first + count)]
            moments: list[list[Tick]] = [[] for _ in times]
            for key, path in paths:
                _place(key, path, first, times, moments)
            for at, ticks in zip(times, moments, strict=True):
                yield TickBatch(at, ticks) if ticks else Silence(at)

    def _first_day(self) -> date:
        """The trading day that the market's clock begins on, or the next one."""
        day = self._start.date()
        session = self.calendar.session(day)
        over = session is None or self._start >= session.closes_at
        return self.calendar.next_trading_day(day) if over else day

    def _today(self) -> datetime:
        """Five minutes into the wall clock's day, or into the next trading day."""
        today = datetime.now(IST).date()
        day = today if self.calendar.is_trading_day(today) else self.calendar.next_trading_day(today)
        return datetime.combine(day, time(9, 20), IST)


def _place(
    key: InstrumentKey, path: DayPath, first: int, times: list[datetime], moments: list[list[Tick]]
) -> None:
    """Append the ticks of the seconds from ``first`` on to their moments."""
    at = np.flatnonzero(path.traded[first : first + len(times)]) + first
    seconds = (at - first).tolist()
    rows = zip(
        repeat(key),
        [times[i] for i in seconds],
        (path.last[at] / 100).tolist(),
        path.volume[at].tolist(),
        (path.bid[at] / 100).tolist(),
        (path.ask[at] / 100).tolist(),
        strict=False,  # the key has no end
    )
    for second, tick in zip(seconds, map(_tick, rows), strict=True):
        moments[second].append(tick)
