"""The day's instruments: fetched once, kept as a file, renewed at 08:30."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path

from trader.domain.errors import FeedError, InstrumentsStale, MunimError
from trader.domain.times import IST, ist
from trader.feed.zerodha.ports import KiteData
from trader.market.calendar import Calendar
from trader.market.dump import FEWEST_ROWS, DumpTable, cached_days
from trader.market.instruments import Instruments

log = logging.getLogger(__name__)

LISTED_AT = time(8, 30)  # Kite makes the day's list at about then (kite.md 7)
_DAY = timedelta(days=1)
_PAUSES = (60, 120, 300, 600)  # seconds between tries; the last one for ever


class DailyInstruments:
    """``fewest``: rows that a whole list has at least; a rehearsal's market is smaller."""

    def __init__(
        self,
        data: KiteData,
        folder: Path,
        calendar: Calendar,
        now: Callable[[], datetime],
        *,
        fewest: int = FEWEST_ROWS,
    ) -> None:
        self._data = data
        self._folder = folder
        self._calendar = calendar
        self._now = now
        self._fewest = fewest
        self._known: Instruments | None = None
        self._failures = 0
        self._not_before: datetime | None = None

    @property
    def read(self) -> bool:
        """Whether there is any list."""
        return self._known is not None

    def instruments(self) -> Instruments:
        """The newest read. InstrumentsStale: none was."""
        if self._known is None:
            raise InstrumentsStale(
                "Kite's list of instruments was not read yet. It needs the network, but no login; "
                "it is tried again by itself."
            )
        return self._known

    def due(self) -> bool:
        """Whether a newer list should be there, and the next try need not wait."""
        now = ist(self._now())
        if self._not_before is not None and now < self._not_before:
            return False
        return self._as_of() < self._wanted(now)

    async def load(self) -> Instruments:
        """From the cache or from Kite; where Kite does not answer, the newest in the cache. MunimError: there
        is neither."""
        now = ist(self._now())
        cached = await asyncio.to_thread(self._newest_cached, now.date())
        if cached is not None:
            self._take(cached)
        if self._as_of() < self._wanted(now):
            try:
                await self.refresh()
            except MunimError as e:
                if self._known is None:
                    raise
                log.warning("Using the instruments of %s: %s", self._as_of(), e)
        return self.instruments()

    async def refresh(self) -> bool:
        """Fetch the list, if there may be a newer one; True when there was. Raises BrokerError, FeedError or
        InstrumentsStale, which keep what is known, and lets ``due`` wait."""
        as_of = _list_day(ist(self._now()))
        if as_of <= self._as_of():
            return False
        try:
            content = await self._data.instruments()
            fresh = await asyncio.to_thread(self._read, content, as_of)
        except Exception:
            pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
            self._failures += 1
            self._not_before = ist(self._now()) + timedelta(seconds=pause)
            raise
        self._failures, self._not_before = 0, None
        self._take(fresh)
        return True

    def _take(self, found: Instruments) -> None:
        found.today = ist(self._now()).date()  # from here on nothing of the past is the nearest expiry
        self._known = found

    def _as_of(self) -> date:
        return self._known.as_of or date.min if self._known is not None else date.min

    def _wanted(self, now: datetime) -> date:
        """The latest trading day whose list has been made."""
        day = _list_day(now)
        return day if self._calendar.is_trading_day(day) else self._calendar.previous_trading_day(day)

    def _read(self, content: bytes, as_of: date) -> Instruments:
        table = DumpTable.read(content, as_of, fewest=self._fewest)
        found = Instruments.from_dump(table)
        found.require_fresh(as_of)  # fetched before Kite had made the new one: not to be kept under its day
        try:
            table.save(self._folder)
        except OSError as e:  # a full disk must not keep the desk from the list it already has
            log.warning("The instruments could not be kept in %s: %s", self._folder, e.strerror)
        return found

    def _newest_cached(self, today: date) -> Instruments | None:
        for day in reversed(cached_days(self._folder)):
            if day > today:
                continue
            try:
                table = DumpTable.load(self._folder, day)
            except FeedError as e:
                log.warning("%s", e)
                continue
            if table is not None and len(table) >= self._fewest:
                return Instruments.from_dump(table)
        return None


def _list_day(now: datetime) -> date:
    """Of which day the list is that Kite gives out at ``now``."""
    day = now.date()
    return day if now >= datetime.combine(day, LISTED_AT, IST) else day - _DAY
