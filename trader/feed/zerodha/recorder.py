"""Live ticks on disk, for MARKET=replay.

The day's folder fills with segments of some seconds each; the next morning they become one file. A kill -9
loses what came since the last segment: at most a minute.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from trader.domain.market import Tick
from trader.feed.cleaning import micros
from trader.feed.zerodha.segments import compact_before, write_segment
from trader.feed.zerodha.ticks import TickColumns

log = logging.getLogger(__name__)

_EVERY = 45.0  # seconds between segments: with the writing, less than a minute
_SEGMENT = 25_000  # ticks; at 500 a second it is full before its time
_WAITING = 4 * _SEGMENT  # ticks in memory while the disk is slow; what comes on top is lost
_LEAVE_FREE = 1 << 30  # bytes: the ledger lives on the same disk


class TickRecorder:
    """``put`` never waits and never raises. ``lost`` counts ticks that were not written; the log says why.

    Belongs to one event loop, and its folder to one process.
    """

    def __init__(self, folder: Path, *, leave_free: int = _LEAVE_FREE) -> None:
        self.folder = folder
        self.written = 0
        self.lost = 0
        self._leave_free = leave_free
        self._columns = TickColumns()
        self._day: date | None = None
        self._tidied: date | None = None  # earlier days were put together on this one
        self._since: datetime | None = None  # the first tick in memory was received then
        self._writing: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._complaint = ""

    def put(self, ticks: Sequence[Tick], received: datetime) -> None:
        """Take what came at ``received`` (IST). Call it each second, with nothing where nothing came: the
        time passes by it alone."""
        self._day = received.date()  # by the ticks' own times a replay finds those from before midnight
        if ticks:
            if len(self._columns) + len(ticks) > _WAITING:
                self._lose(len(ticks), "the disk is too slow")
            else:
                self._columns.add(ticks, micros(received))
                self._since = self._since or received
        if self._due(received) and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._flush(self._day), name="tick recorder")
        if self._tidied != self._day and (self._tidying is None or self._tidying.done()):
            self._tidied = self._day
            self._tidying = asyncio.create_task(self._tidy(self._day), name="tick recorder, tidying")

    async def close(self) -> None:
        """Write what is in memory. More may be put in afterwards."""
        tasks = [task for task in (self._writing, self._tidying) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._day is not None and len(self._columns):
            await self._flush(self._day)

    def _due(self, now: datetime) -> bool:
        if self._since is None:
            return False
        return len(self._columns) >= _SEGMENT or (now - self._since).total_seconds() >= _EVERY

    async def _tidy(self, today: date) -> None:
        try:
            await asyncio.to_thread(compact_before, self.folder, today)
        except Exception:  # recordings are never worth a fault of the desk
            log.exception("Earlier recordings could not be put together")

    async def _flush(self, day: date) -> None:
        columns, self._columns, self._since = self._columns, TickColumns(), None
        try:
            await asyncio.to_thread(self._write, columns, day)
        except Exception as e:  # of whatever kind: the disk's troubles are not the market's
            reason = e.strerror if isinstance(e, OSError) and e.strerror else f"{type(e).__name__}: {e}"
            self._lose(len(columns), reason)
        else:
            self.written += len(columns)
            self._complaint = ""

    def _write(self, columns: TickColumns, day: date) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.folder).free < self._leave_free:
            # Without the figure of the moment: on a disk that is filling up it would be news every minute.
            raise OSError(None, f"fewer than the {self._leave_free >> 20:,} MB are free that are left alone")
        write_segment(self.folder / day.isoformat(), columns)

    def _lose(self, ticks: int, reason: str) -> None:
        self.lost += ticks
        if reason != self._complaint:  # once, not every minute
            self._complaint = reason
            log.error("Ticks are not recorded: %s", reason)
