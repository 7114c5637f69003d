"""An endless market that needs no account, no network and no daylight."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, time, timedelta

from trader.domain.errors import FeedError, UnknownName
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Bar, Interval, Tick
from trader.domain.times import IST, ist
from trader.feed.port import Batch, Silence, TickBatch
from trader.feed.walk import Walk
from trader.market.calendar import Calendar, Session
from trader.market.symbols import Listing, listings

_SECOND = timedelta(seconds=1)
_CHUNK = 60  # seconds made at a time: numpy pays off, memory stays flat


class SimulatedMarket:
    """The stocks of the symbol table with made-up prices, one batch for each second of every session.

    ``start`` is when the market's clock is to begin; without one, 09:20 of the wall clock's trading day. The
    same seed makes the same market, whenever and however often it is started.
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
        self._walk = Walk(seed)
        self._stocks = {s.instrument.key: s for s in (listings() if stocks is None else stocks)}
        self._start = self._in_session(self._today() if start is None else ist(start))

    @property
    def starts_at(self) -> datetime:
        """``start``, or the next opening when it lies outside a session."""
        return self._start

    def instruments(self) -> Sequence[Instrument]:
        return [stock.instrument for stock in self._stocks.values()]

    async def batches(self, since: datetime) -> AsyncIterator[Batch]:
        """Never ends. A Silence at the close, and another at the next opening, jump over the night."""
        at = ist(since)
        while True:
            session = self.calendar.session(at.date())
            if session is None or not session.opens_at <= at < session.closes_at:
                at = self.calendar.next_open(at)
                yield Silence(at)
                continue
            for batch in self._seconds(session, at):
                yield batch
            at = session.closes_at
            yield Silence(at)

    async def history(
        self, key: InstrumentKey, interval: Interval, count: int, before: datetime
    ) -> list[Bar]:
        return self.bars(key, interval, count, before)

    def bars(self, key: InstrumentKey, interval: Interval, count: int, before: datetime) -> list[Bar]:
        """As ``history``; UnknownName for a symbol that is not simulated."""
        stock = self._stocks.get(key)
        if stock is None:
            raise UnknownName("symbol of the simulated market", key, self._stocks)
        before = ist(before)
        found: list[Bar] = []
        day = before.date()
        if not self.calendar.is_trading_day(day):
            day = self.calendar.previous_trading_day(day)
        while len(found) < count:
            session = self.calendar.session(day)
            if session is not None and before > session.opens_at:
                seconds = int((before - session.opens_at).total_seconds())
                try:
                    path = self._walk.path(stock, session)
                except FeedError:  # the first day there is
                    break
                found[:0] = path.bars(key, interval, seconds)
            day = self.calendar.previous_trading_day(day)
        return found[-count:] if count > 0 else []

    def _seconds(self, session: Session, since: datetime) -> Iterator[Batch]:
        """One batch for each second of ``session`` from ``since`` on."""
        end = int((session.closes_at - session.opens_at).total_seconds())
        begin = -((session.opens_at - since) // _SECOND)  # rounded up: nothing from before ``since``
        paths = [(key, self._walk.path(stock, session)) for key, stock in self._stocks.items()]
        for first in range(begin, end, _CHUNK):
            part = slice(first, min(first + _CHUNK, end))
            rows = [
                (
                    key,
                    path.traded[part].tolist(),
                    (path.last[part] / 100).tolist(),
                    path.volume[part].tolist(),
                    (path.bid[part] / 100).tolist(),
                    (path.ask[part] / 100).tolist(),
                )
                for key, path in paths
            ]
            at = session.opens_at + first * _SECOND
            for i in range(part.stop - part.start):
                ticks = [
                    Tick(key, at, last[i], volume[i], bid[i], ask[i])
                    for key, traded, last, volume, bid, ask in rows
                    if traded[i]
                ]
                yield TickBatch(at, ticks) if ticks else Silence(at)
                at += _SECOND

    def _in_session(self, at: datetime) -> datetime:
        session = self.calendar.session(at.date())
        if session is not None and session.opens_at <= at < session.closes_at:
            return at
        return self.calendar.next_open(at)

    def _today(self) -> datetime:
        """Five minutes into the wall clock's day, or into the next trading day."""
        today = datetime.now(IST).date()
        day = today if self.calendar.is_trading_day(today) else self.calendar.next_trading_day(today)
        return datetime.combine(day, time(9, 20), IST)
