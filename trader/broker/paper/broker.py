"""An exchange on this machine with the habits of the real one.

The service shows it every market event before the desk sees the same event:

- a tick: ``on_ticks``; it must be given all of them, for it remembers quotes;
- a recorded candle: its open as a tick at ``bar.start``, then ``on_range``, then ``on_bar_closed``, the
  last two at ``bar.end``, or when its session ends;
- time: ``on_time`` about once a second and after every leap, ``end_of_day`` when the last session is over.

An order trades only on a quote at or after its arrival. What an update tells is in the journal first.
"""

from __future__ import annotations

from asyncio import Lock
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from trader.broker.paper.account import Account
from trader.broker.paper.agenda import Act, Agenda
from trader.broker.paper.blocked import Blocked
from trader.broker.paper.closing import Closing
from trader.broker.paper.conduct import Conduct
from trader.broker.paper.entry import Entry
from trader.broker.paper.floor import Floor, Step
from trader.broker.paper.journal import PaperJournal
from trader.broker.paper.listing import Listing
from trader.broker.paper.pit import Pit
from trader.broker.paper.riskdesk import RiskDesk
from trader.broker.paper.working import WorkingOrder
from trader.broker.port import Book, Funds, UpdateSink
from trader.domain.errors import BrokerUnavailable, CommitFailed, OrderRefused
from trader.domain.funds import Holding
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Bar, Tick
from trader.domain.money import to_paise
from trader.domain.order import Approved, ApprovedChange, BrokerStatus, OrderId, OrderType, OrderUpdate
from trader.domain.times import IST, ist
from trader.market.calendar import Calendar
from trader.market.charges import Charges
from trader.market.margins import Margins
from trader.ports.clock import Clock


class PaperBroker:
    """Implements ``trader.broker.port.Broker``. ``instruments`` looks up exactly one key and raises KeyError
    or InvalidInput for what is not listed; what the journal holds may be listed no more. ``cash`` is the
    account's opening balance in rupees; the tables that ship with Munim stand in for what is not given."""

    def __init__(
        self,
        *,
        instruments: Callable[[InstrumentKey], Instrument],
        journal: PaperJournal,
        clock: Clock,
        conduct: Conduct | None = None,
        cash: Decimal = Decimal(100_000),
        calendar: Calendar | None = None,
        charges: Charges | None = None,
        margins: Margins | None = None,
    ) -> None:
        conduct = conduct or Conduct()
        calendar = calendar or Calendar.load()
        charges, margins = charges or Charges.load(), margins or Margins.load()
        listing = Listing(instruments, calendar)
        known = listing.known
        self._clock = clock
        self._conduct = conduct
        self._floor = Floor(journal, lambda: Account(cash, calendar, charges, margins, known))
        self._blocked = Blocked(self._floor, margins, known, self._last_seen)
        risk = RiskDesk(self._floor, self._blocked, calendar, known, conduct)
        self._pit = Pit(self._floor, known, calendar, conduct, risk.rejection)
        self._entry = Entry(self._floor, self._pit, risk, calendar, listing.listed)
        self._closing = Closing(self._floor, known, calendar, self._last_seen)
        self._agenda = Agenda(calendar, conduct.squareoff)
        self._lock = Lock()  # one change at a time: a journal write must not be overtaken
        self._sinks: list[UpdateSink] = []
        self._day: date | None = None  # the day whose leftovers have been cleared away

    # -- the port -------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return "paper"

    @property
    def live(self) -> bool:
        return False

    def listen(self, sink: UpdateSink) -> None:
        self._sinks.append(sink)

    async def open(self) -> None:
        """What should have ended while nobody was running ends now, dated now."""
        now = self._clock.now()
        async with self._lock:
            await self._floor.load()
            self._pit.open_at(now)
            step = Step(self._floor)
            self._clear_leftovers(step, now)
            await self._commit(step, now)

    async def close(self) -> None:
        """Nothing is held back: everything told is in the journal."""

    async def place(self, approved: Approved) -> OrderId:
        if not isinstance(approved, Approved):
            raise TypeError(f"Expected an order approved by the risk gate, was {type(approved).__name__}")
        async with self._lock:
            await self._ready()
            request, now = approved.request, self._clock.now()
            step = Step(self._floor)
            order = WorkingOrder.taken(
                request, self._floor.next_id(ist(now).date(), step), now, now + self._conduct.latency
            )
            self._entry.check(request, order, now)
            taken = order.update  # nothing is told of an order on its way (kite.md 11.1)
            if order.active_at <= now:
                order = self._pit.meet_present(step, self._pit.arrive(step, order, now))
            step.put(order, told=taken)
            await self._accept(step)
            return order.order_id

    async def modify(self, approved: ApprovedChange) -> None:
        if not isinstance(approved, ApprovedChange):
            raise TypeError(f"Expected a change approved by the risk gate, was {type(approved).__name__}")
        async with self._lock:
            await self._ready()
            change, now = approved.change, self._clock.now()
            order = self._entry.changeable(change.order_id, "modified")
            self._entry.check_change(order, change, now, now + self._conduct.latency)
            bar = self._pit.range_of(order.update.key)
            step = Step(self._floor)
            if bar is not None and change.order_type is OrderType.LIMIT:
                changed = order.changed(change, now, now)
                if order.placed_at < self._ended(bar):  # it was there while those prices traded
                    changed = self._pit.convert(step, changed, now, bar)
            else:
                changed = order.changed(change, now, now + self._conduct.latency)
                changed = self._pit.meet_present(step, changed)
            step.put(changed)
            await self._accept(step)

    async def cancel(self, order_id: OrderId) -> None:
        async with self._lock:
            await self._ready()
            order = self._entry.changeable(order_id, "cancelled")
            step = Step(self._floor)
            step.put(order.ended(BrokerStatus.CANCELLED, "", self._clock.now()))
            await self._accept(step)

    async def book(self) -> Book:
        async with self._lock:
            await self._ready()
            today = ist(self._clock.now()).date()
            since = datetime.combine(today, time(), IST)
            orders = [o.update for o in self._floor.orders.values() if o.placed_at >= since or not o.final]
            return Book(orders, self._floor.tally.positions(today))

    async def funds(self) -> Funds:
        """The account after today's charges; see ``account`` for what can be used when."""
        async with self._lock:
            await self._ready()
            today = ist(self._clock.now()).date()
            money = self._floor.account.statement(today)
            used = self._blocked.total(Step(self._floor), today)
            return Funds(
                cash=to_paise(money.cash),
                available=to_paise(money.cash - used),
                used=to_paise(used),
                receivable=to_paise(money.receivable),
                settles_on=money.owed_on,
            )

    async def holdings(self) -> Sequence[Holding]:
        """Shares held for delivery since an earlier day; today's purchases are positions."""
        async with self._lock:
            await self._ready()
            return self._floor.account.holdings(ist(self._clock.now()).date())

    # -- the market -----------------------------------------------------------------------------------

    async def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Quotes, in time order. Returns without waiting when no order rests on any of them."""
        if ticks and ticks[-1].at >= self._agenda.next:
            await self.on_time(ticks[-1].at)
        hits = self._pit.remember(ticks)
        if not hits:
            return
        async with self._lock:
            await self._ready()
            step = Step(self._floor)
            now = max(tick.at for tick, _ in hits)
            self._clear_leftovers(step, now)
            self._pit.quote(step, hits)
            await self._commit(step, now)

    async def on_range(self, bar: Bar) -> None:
        """The prices between a recorded candle's open and its close."""
        self._pit.begin_range(bar)
        if bar.key not in self._floor.working:
            return
        async with self._lock:
            await self._ready()
            step = Step(self._floor)
            now = self._ended(bar)
            self._clear_leftovers(step, now)
            self._pit.pass_range(step, bar, now)
            await self._commit(step, now)

    async def on_bar_closed(self, bar: Bar) -> None:
        """From here to the next tick nothing trades."""
        self._pit.end_range(bar)

    async def on_time(self, now: datetime) -> None:
        """Let orders arrive, and do what the clock brings: the broker's square-off, the end of orders."""
        if now < self._agenda.next and not self._floor.in_transit:
            return
        async with self._lock:
            await self._ready()
            step = Step(self._floor)
            self._clear_leftovers(step, now)
            self._pit.pass_time(step, now)
            for due in self._agenda.due(now):
                if due.act is Act.AUCTION_END:
                    self._pit.end_auctions(step, now)
                self._closing.carry_out(step, due, now)
            await self._commit(step, now)
            self._agenda.done(now)

    async def end_of_day(self, day: date) -> None:
        """After the last session of ``day`` its orders are cancelled and intraday positions closed."""
        async with self._lock:
            await self._ready()
            step = Step(self._floor)
            self._closing.end_day(step, day, self._clock.now())
            await self._floor.commit(step, self._tell)

    # -- within ---------------------------------------------------------------------------------------

    async def _ready(self) -> None:
        if self._floor.loaded:
            return
        try:
            await self._floor.load()
        except Exception as error:
            raise BrokerUnavailable(f"The paper exchange's journal cannot be read: {error}") from error

    async def _accept(self, step: Step) -> None:
        try:
            await self._floor.commit(step, self._tell)
        except CommitFailed as error:
            raise OrderRefused(f"The paper exchange could not write it down: {error}") from error

    async def _commit(self, step: Step, now: datetime) -> None:
        await self._floor.commit(step, self._tell)
        today = ist(now).date()
        if self._day is None or today > self._day:
            self._floor.prune(today)
            self._day = today

    def _ended(self, bar: Bar) -> datetime:
        """When a candle that is over really ended: a session's last one ends with it."""
        return min(bar.end, self._clock.now())

    def _clear_leftovers(self, step: Step, now: datetime) -> None:
        today = ist(now).date()
        if self._day is None or today > self._day:
            self._closing.end_day(step, today - timedelta(days=1), now)

    def _tell(self, update: OrderUpdate) -> None:
        for sink in self._sinks:
            sink(update)

    def _last_seen(self, key: InstrumentKey) -> float | None:
        return self._pit.seen(key)
