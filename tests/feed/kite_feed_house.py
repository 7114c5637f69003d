"""A small Kite behind the feed's two protocols, with a clock the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from trader.domain.instrument import InstrumentKey, instrument_key
from trader.domain.market import Tick
from trader.domain.times import IST
from trader.feed.zerodha.ports import KITE_INTERVALS
from trader.market.calendar import Calendar, Venue
from trader.market.dump import COLUMNS, DumpTable
from trader.market.instruments import Instruments

CALENDAR = Calendar.load()
MINUTE = timedelta(minutes=1)
INFY, SBIN, SMALL = (instrument_key(name) for name in ("INFY", "SBIN", "CENTRALBK"))
FUTURE = InstrumentKey("NFO:NIFTY26DECFUT")
TOKENS = {
    INFY: 408065, SBIN: 779521, SMALL: 3812865, FUTURE: 13_000_002,
    instrument_key("NIFTY 50"): 256265, instrument_key("NIFTY BANK"): 260105,
    instrument_key("INDIA VIX"): 264969,
}  # fmt: skip
WORDS = {word: (interval, days) for interval, (word, days) in KITE_INTERVALS.items()}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def day(text: str) -> date:
    return date.fromisoformat(text)


class Wall:
    """A clock that only tests move; sleeping on it moves it too."""

    def __init__(self, text: str) -> None:
        self.at = at(text)
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)


def dump(tokens: Mapping[InstrumentKey, int] = TOKENS, expiry: str = "2026-12-29") -> bytes:
    lines = [",".join(COLUMNS)]
    for key, token in tokens.items():
        exchange, symbol = key.split(":")
        index = token & 0xFF == 9
        segment = "INDICES" if index else exchange
        if exchange == "NFO":
            lines.append(f"{token},{token >> 8},{symbol},NIFTY,0,{expiry},0,0.1,65,FUT,NFO-FUT,NFO")
        else:
            lines.append(f"{token},{token >> 8},{symbol},{symbol},0,,0,0.05,1,EQ,{segment},{exchange}")
    # a stock with futures is one that closes in the auction
    lines.append(f"13000258,50782,INFY26DECFUT,INFY,0,{expiry},0,0.1,400,FUT,NFO-FUT,NFO")
    return "\n".join(lines).encode() + b"\n"


def instruments(on: str = "2026-11-20") -> Instruments:
    return Instruments.from_dump(DumpTable.read(dump(), day(on), fewest=1))


class FakeKite:
    """Candles of every trading day since ``listed``, as Kite's candles are: no candle for an untraded minute,
    the running one included, ``division`` for splits since."""

    def __init__(self, now: Callable[[], datetime], listed: str = "2015-02-02") -> None:
        self._now = now
        self.listed = day(listed)
        self.asked: list[tuple[int, datetime, datetime, str, bool]] = []
        self.silent: set[date] = set()  # days on which nothing traded
        self.skips = 0  # every so many-th minute has a candle missing; 0: none
        self.division = 1.0  # of all prices before ``divided_before``, or before today
        self.divided_before: date | None = None
        self.lag = timedelta(0)
        self.failures: list[Exception] = []
        self.list = dump()
        self.lists_fetched = 0

    async def historical(
        self, token: int, start: datetime, end: datetime, interval: str, *, oi: bool = False
    ) -> list[dict[str, Any]]:
        self.asked.append((token, start, end, interval, oi))
        if self.failures:
            raise self.failures.pop(0)
        kind, most = WORDS[interval]
        assert end - start <= timedelta(days=most), "Kite answers InputException"
        assert end >= start
        found: list[dict[str, Any]] = []
        for offset in range((end.date() - start.date()).days + 1):
            found += self.candles(start.date() + timedelta(days=offset), kind.length, oi=oi)
        first = datetime.combine(start.date(), time(), IST) if interval == "day" else start
        return [row for row in found if first <= row["date"] <= end]

    def candles(self, on: date, length: timedelta, *, oi: bool = False) -> list[dict[str, Any]]:
        session = CALENDAR.session(on, Venue.STOCK)
        if session is None or on < self.listed or on in self.silent:
            return []
        now = self._now() - self.lag
        starts = []
        if length >= timedelta(days=1):
            starts = [datetime.combine(on, time(), IST)]
        else:
            start = session.opens_at
            while start < session.closes_at:
                if not self.skips or (start.minute // int(length / MINUTE)) % self.skips:
                    starts.append(start)
                start += length
        rows = []
        for start in starts:
            if start > now or (length >= timedelta(days=1) and session.opens_at > now):
                break
            price = 1000.0 + on.toordinal() % 97 + start.hour + start.minute / 100
            price = round(price / (self.division if on < (self.divided_before or now.date()) else 1.0), 2)
            row = {
                "date": start, "open": price, "high": price + 0.5, "low": price - 0.5, "close": price + 0.25,
                "volume": 100 + start.minute,
            }  # fmt: skip
            rows.append(row | ({"oi": 7} if oi else {}))
        return rows

    async def instruments(self) -> bytes:
        self.lists_fetched += 1
        if self.failures:
            raise self.failures.pop(0)
        return self.list


class FakeStream:
    """What KiteStream does, without a socket."""

    def __init__(self, most: int = 9000) -> None:
        self.subscribed: dict[int, InstrumentKey] = {}
        self._queue: asyncio.Queue[list[Tick] | None] = asyncio.Queue()
        self._most = most

    @property
    def ticks(self) -> FakeStream:
        return self

    def __aiter__(self) -> FakeStream:
        return self

    async def __anext__(self) -> list[Tick]:
        found = await self._queue.get()
        if found is None:
            raise StopAsyncIteration
        return found

    def send(self, *ticks: Tick) -> None:
        self._queue.put_nowait(list(ticks))

    def close(self) -> None:
        self._queue.put_nowait(None)

    def subscribe(self, keys: Mapping[int, InstrumentKey]) -> None:
        from trader.domain.errors import InvalidInput

        if len(self.subscribed | dict(keys)) > self._most:
            raise InvalidInput("too many")
        self.subscribed |= keys

    def unsubscribe(self, tokens: Iterable[int]) -> None:
        for token in tokens:
            self.subscribed.pop(token, None)
