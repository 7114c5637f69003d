"""The real desk and the paper exchange over recorded candles, as fast as they go.

The service shows a market to them through an event loop, a queue and a ledger that waits for the disk. Here
the same objects are called one after the other and nothing ever waits: what a parity test compares the kernel
with, and what a benchmark measures. The order of things is that of ``service.pump`` and
``service.desk_service``; tests/backtest/test_flatout.py holds the two together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, TypeVar

from trader.backtest.ahead import Ahead, Foreseen
from trader.broker.paper.broker import PaperBroker
from trader.broker.paper.conduct import Conduct
from trader.broker.paper.journal import PaperJournal
from trader.desk.commands import Command
from trader.desk.desk import Desk
from trader.desk.effects import Answer, Cancel, Change, Effect, LoadHistory, ReadBook, Submit, Watch, Write
from trader.desk.events import (
    BarClosed,
    BookRead,
    ChangeAnswered,
    ClockTicked,
    CommandGiven,
    Event,
    HistoryFailed,
    HistoryLoaded,
    OrderAcked,
    OrderRefusedByBroker,
    OrderUpdated,
    RangePassed,
    TicksArrived,
)
from trader.desk.limits import RiskLimits
from trader.desk.state import DeskConfig
from trader.domain.errors import MunimError, OrderRefused
from trader.domain.market import Bar, Tick
from trader.domain.order import OrderUpdate
from trader.domain.records import LedgerState, Record
from trader.feed.aggregator import Aggregator
from trader.feed.cleaning import moment
from trader.feed.port import BarBatch
from trader.feed.replay import ReplayMarket
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.market.phases import Venue, venue_of
from trader.strategy.catalogue import Catalogue

_T = TypeVar("_T")


class Ledger(Protocol):
    """Where records go; a ``Store`` whose commit never waits."""

    async def commit(self, records: Sequence[Record]) -> None: ...


@dataclass(slots=True)
class _Now:
    """The market's time, as the paper exchange asks for it."""

    at: datetime
    speed: None = None

    def now(self) -> datetime:
        return self.at

    async def sleep_until(self, at: datetime) -> None:
        raise AssertionError(f"nothing waits here, but {at} was waited for")


class FlatOut:
    """``market`` holds candles. ``ledger`` and ``journal`` must be ones in memory: RuntimeError when anything
    waits."""

    def __init__(
        self,
        market: ReplayMarket,
        catalogue: Catalogue,
        ledger: Ledger,
        journal: PaperJournal,
        limits: RiskLimits,
        *,
        slippage_bps: float = 0.0,
        charges: Charges | None = None,
        margins: Margins | None = None,
    ) -> None:
        charges, margins = charges or Charges.load(), margins or Margins.load()
        instruments = Instruments(market.instruments())
        self._market = market
        self._ledger = ledger
        self._clock = _Now(market.starts_at)
        self._broker = PaperBroker(
            instruments=lambda key: instruments.by_key[key],
            journal=journal,
            clock=self._clock,
            conduct=Conduct(slippage_bps=slippage_bps),
            cash=limits.capital,
            calendar=market.calendar,
            charges=charges,
            margins=margins,
        )
        self._broker.listen(self._broker_spoke)
        self.desk = Desk(
            DeskConfig(limits, "RPL", attended=False), instruments, market.calendar, charges, catalogue,
            margins, at=market.starts_at,
        )  # fmt: skip
        self._instruments = instruments
        self._aggregator = Aggregator(market.calendar, self._venue)
        self._queue: deque[Event] = deque()
        self._under_way: deque[Effect] = deque()
        self._answers: dict[str, Answer] = {}
        self._ended: date | None = None
        self._foreseen: Foreseen = {}
        at_once(self._broker.open())
        self._carry_out(self.desk.restore(LedgerState(), (), at=market.starts_at, clean=True))
        self._settle()

    def _venue(self, key: str) -> Venue:
        instrument = self._instruments.get(key)  # type: ignore[arg-type] # a key is its text
        return Venue.STOCK if instrument is None else venue_of(instrument)

    def ask(self, command: Command, source_id: str) -> Answer:
        """Have the desk act on a command before the next candle."""
        self._queue.append(CommandGiven(self._clock.at, source_id, "backtest", command))
        self._settle()
        return self._answers.pop(source_id)

    def run(self) -> int:
        """Play everything; the number of candles gone through. Those in which nothing can happen are passed
        over (see ``ahead``): neither the desk nor the paper exchange would do anything in them."""
        passed = 0
        for day in self._market.days:
            table = self._market.table(day)
            self._pass_time(moment(int(table.at[0])))
            for part in Ahead(self.desk, self._market, table, self._foreseen).parts(self._clock.now):
                batch = table.batch(part.row)
                if part.opens:
                    self._show_open(batch)
                if part.closes:
                    self._show_close(batch)
            self._pass_time(self._market.closes(day))
            passed += sum(len(rows) for rows in table.rows.values())
        return passed

    # -- showing ---------------------------------------------------------------------------------

    def _show_open(self, batch: BarBatch) -> None:
        self._show_prices(batch.start, [Tick(bar.key, batch.start, bar.open) for bar in batch.bars])

    def _show_close(self, batch: BarBatch) -> None:
        """What is left of a candle: its range, and its close."""
        end, broker = batch.end, self._broker
        passed = batch.last_chance or end
        self._clock.at = passed
        for bar in batch.bars:
            at_once(broker.on_range(bar))
            self._queue.append(RangePassed(passed, bar))
            self._settle()
            at_once(broker.on_bar_closed(bar))
        if batch.last_chance is not None:
            self._show_prices(passed, [Tick(bar.key, passed, bar.close) for bar in batch.bars])
            for bar in batch.bars:
                at_once(broker.on_bar_closed(bar))
            self._clock.at = end
        closes = [Tick(bar.key, end, bar.close) for bar in batch.bars]
        self._queue.append(TicksArrived(end, closes))
        for bar in batch.bars:
            self._put_bars(end, self._aggregator.on_bar(bar))
        self._pass_time(end)

    def _show_prices(self, at: datetime, ticks: list[Tick]) -> None:
        self._clock.at = at
        at_once(self._broker.on_ticks(ticks))
        self._queue.append(TicksArrived(at, ticks))
        self._pass_time(at)

    def _pass_time(self, at: datetime) -> None:
        self._clock.at = at
        at_once(self._broker.on_time(at))
        self._put_bars(at, self._aggregator.on_time(at))
        self._end_day(at)
        self._queue.append(ClockTicked(at))
        self._settle()

    def _put_bars(self, at: datetime, bars: Iterable[Bar]) -> None:
        for bar in bars:
            self._queue.append(BarClosed(at, bar))

    def _end_day(self, at: datetime) -> None:
        day = at.date()
        if day == self._ended:
            return
        session = self._market.calendar.session(day)
        if session is not None and at >= session.closes_at:
            self._ended = day
            at_once(self._broker.end_of_day(day))

    # -- handling --------------------------------------------------------------------------------

    def _broker_spoke(self, update: OrderUpdate) -> None:
        self._queue.append(OrderUpdated(self._clock.at, update))

    def _settle(self) -> None:
        """Events first; then what they set going, in its order, as an event loop would run it."""
        queue, under_way = self._queue, self._under_way
        while True:
            while queue:
                effects = self.desk.handle(queue.popleft())
                if effects:
                    self._carry_out(effects)
            if not under_way:
                return
            for _ in range(len(under_way)):
                self._do(under_way.popleft())

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        records: list[Record] = []
        others: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Write):
                records.append(effect.record)
            else:
                others.append(effect)
        if records:
            at_once(self._ledger.commit(records))
        for effect in others:
            if isinstance(effect, Watch):
                self._aggregator.watch(effect.key, effect.interval)
            elif isinstance(effect, Answer):
                self._answers[effect.source_id] = effect
            else:
                self._under_way.append(effect)

    def _do(self, effect: Effect) -> None:
        at = self._clock.at
        match effect:
            case Submit(approved=approved):
                tag = approved.request.tag
                try:
                    order_id = at_once(self._broker.place(approved))
                except OrderRefused as e:
                    self._queue.append(OrderRefusedByBroker(at, tag, str(e)))
                else:
                    self._queue.append(OrderAcked(at, tag, order_id))
            case Change(approved=change):
                self._answered(change.change.tag, self._broker.modify(change))
            case Cancel(tag=tag, order_id=order_id):
                self._answered(tag, self._broker.cancel(order_id))
            case ReadBook(purpose=purpose):
                book = at_once(self._broker.book())
                read = (book.orders, book.positions, book.holdings, book.proven_at)
                self._queue.append(BookRead(at, at, purpose, *read))
            case LoadHistory(owner=owner, key=key, interval=interval, count=count):
                try:
                    bars = at_once(self._market.history(key, interval, count, at))
                except MunimError as e:
                    self._queue.append(HistoryFailed(at, owner, key, str(e)))
                else:
                    self._queue.append(HistoryLoaded(at, owner, key, interval, bars))

    def _answered(self, tag: Any, request: Coroutine[Any, Any, None]) -> None:
        try:
            at_once(request)
        except OrderRefused as e:
            self._queue.append(ChangeAnswered(self._clock.at, tag, error=str(e)))
        else:
            self._queue.append(ChangeAnswered(self._clock.at, tag))


def at_once(work: Coroutine[Any, Any, _T]) -> _T:
    """What a coroutine returns that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    work.close()
    raise RuntimeError(f"{work} waited; flat out everything is in memory")
