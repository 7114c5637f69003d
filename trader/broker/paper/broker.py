"""An exchange on this machine with the habits of the real one.

The service shows it every market event before the desk sees the same event:

- a tick: ``on_ticks``; it must be given all of them, ``interested`` or not, for it remembers quotes;
- a recorded candle: its open as a tick at ``bar.start``, then ``on_range``, then ``on_bar_closed``, the
  last two at ``bar.end``;
- time: ``on_time`` about once a second, and ``end_of_day`` when the session is over.

An order trades only on a quote at or after its arrival. What an update tells is in the journal first.
"""

from __future__ import annotations

from asyncio import Lock
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from trader.broker.paper.checks import MAX_MODIFICATIONS, Terms, check_tag, check_terms, risk_rejection
from trader.broker.paper.conduct import Conduct
from trader.broker.paper.floor import Floor, Step
from trader.broker.paper.journal import PaperJournal
from trader.broker.paper.venue import Venue
from trader.broker.paper.working import WorkingOrder
from trader.broker.port import Book, Funds, UpdateSink
from trader.domain.errors import BrokerUnavailable, CommitFailed, OrderRefused, UnknownName
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Bar, Tick
from trader.domain.money import ZERO
from trader.domain.order import (
    Approved,
    ApprovedChange,
    BrokerStatus,
    OrderChange,
    OrderId,
    OrderRequest,
    OrderType,
    OrderUpdate,
)
from trader.domain.times import ist
from trader.ports.clock import Clock


class PaperBroker:
    """Implements ``trader.broker.port.Broker``. ``cash`` is the account's opening balance in rupees."""

    def __init__(
        self,
        *,
        instruments: Callable[[InstrumentKey], Instrument],
        journal: PaperJournal,
        clock: Clock,
        conduct: Conduct | None = None,
        cash: Decimal = Decimal(100_000),
    ) -> None:
        self._instruments = instruments
        self._clock = clock
        self._conduct = conduct or Conduct()
        self._cash = cash
        self._floor = Floor(journal)
        self._venue = Venue(self._floor, instruments, self._conduct)
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
        async with self._lock:
            await self._floor.load()

    async def close(self) -> None:
        """Nothing is held back: everything told is in the journal."""

    async def place(self, approved: Approved) -> OrderId:
        if not isinstance(approved, Approved):
            raise TypeError(f"Expected an order approved by the risk gate, was {type(approved).__name__}")
        async with self._lock:
            await self._ready()
            request, now = approved.request, self._clock.now()
            self._check(request)
            order = _taken(request, self._floor.next_id(ist(now).date()), now, now + self._conduct.latency)
            step = Step(self._floor)
            taken = order.update  # nothing is told of an order on its way (kite.md 11.1)
            if order.active_at <= now:
                order = self._venue.meet_present(step, self._venue.arrive(step, order, now))
            step.put(order, told=taken)
            await self._accept(step)
            return order.order_id

    async def modify(self, approved: ApprovedChange) -> None:
        if not isinstance(approved, ApprovedChange):
            raise TypeError(f"Expected a change approved by the risk gate, was {type(approved).__name__}")
        async with self._lock:
            await self._ready()
            change, now = approved.change, self._clock.now()
            order = self._changeable(change.order_id, "modified")
            self._check_change(order, change, now)
            bar = self._venue.range_of(order.update.key)
            step = Step(self._floor)
            if bar is not None and change.order_type is OrderType.LIMIT:
                changed = order.changed(change, now, now)
                if order.placed_at < bar.end:  # it was there while those prices traded
                    changed = self._venue.convert(step, changed, now, bar)
            else:
                changed = order.changed(change, now, now + self._conduct.latency)
                changed = self._venue.meet_present(step, changed)
            step.put(changed)
            await self._accept(step)

    async def cancel(self, order_id: OrderId) -> None:
        async with self._lock:
            await self._ready()
            order = self._changeable(order_id, "cancelled")
            step = Step(self._floor)
            step.put(order.ended(BrokerStatus.CANCELLED, "", self._clock.now()))
            await self._accept(step)

    async def book(self) -> Book:
        async with self._lock:
            await self._ready()
            today = ist(self._clock.now()).date()
            orders = [o.update for o in self._floor.orders.values() if not o.final or o.day >= today]
            return Book(orders, self._floor.tally.positions(today))

    async def funds(self) -> Funds:
        """Cash is the opening balance and what was realised, before charges; positions block their cost."""
        async with self._lock:
            await self._ready()
            tally = self._floor.tally
            cash = self._cash + tally.realised
            return Funds(cash, cash - tally.blocked(ist(self._clock.now()).date()))

    # -- the market -----------------------------------------------------------------------------------

    def interested(self, key: InstrumentKey) -> bool:
        """Whether an order of this instrument may still trade."""
        return key in self._floor.working

    async def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Quotes, in time order. Returns without waiting when no order rests on any of them."""
        hits = self._venue.remember(ticks)
        if not hits:
            return
        async with self._lock:
            await self._ready()
            step = Step(self._floor)
            now = max(tick.at for tick, _ in hits)
            self._clear_leftovers(step, now)
            self._venue.quote(step, hits)
            await self._commit(step, now)

    async def on_range(self, bar: Bar) -> None:
        """The prices between a recorded candle's open and its close."""
        self._venue.begin_range(bar)
        if bar.key not in self._floor.working:
            return
        async with self._lock:
            await self._ready()
            step = Step(self._floor)
            self._clear_leftovers(step, bar.end)
            self._venue.pass_range(step, bar)
            await self._commit(step, bar.end)

    async def on_bar_closed(self, bar: Bar) -> None:
        """From here to the next tick nothing trades."""
        self._venue.end_range(bar)

    async def on_time(self, now: datetime) -> None:
        """Let orders arrive, and end those left over from an earlier day."""
        if not self._floor.in_transit and self._day == ist(now).date():
            return
        async with self._lock:
            await self._ready()
            step = Step(self._floor)
            self._clear_leftovers(step, now)
            self._venue.pass_time(step, now)
            await self._commit(step, now)

    async def end_of_day(self, day: date) -> None:
        """Every order is a DAY order: what is still open after the session of ``day`` is cancelled."""
        async with self._lock:
            await self._ready()
            step = Step(self._floor)
            self._venue.expire(step, day, self._clock.now())
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

    def _clear_leftovers(self, step: Step, now: datetime) -> None:
        today = ist(now).date()
        if self._day is None or today > self._day:
            self._venue.expire(step, today - timedelta(days=1), now)

    def _tell(self, update: OrderUpdate) -> None:
        for sink in self._sinks:
            sink(update)

    def _check(self, request: OrderRequest) -> None:
        check_tag(request.tag)
        if request.tag in self._floor.tags:
            raise OrderRefused(f"The tag {request.tag} is in the book already: every order needs its own")
        terms = Terms(
            request.side, request.quantity, request.order_type, request.product, request.price,
            request.trigger_price,
        )  # fmt: skip
        check_terms(terms, self._instrument(request.key), self._venue.last(request.key))

    def _check_change(self, order: WorkingOrder, change: OrderChange, now: datetime) -> None:
        if order.modifications >= MAX_MODIFICATIONS:
            raise OrderRefused("Maximum allowed order modifications exceeded.")
        update = order.update
        if change.quantity <= update.filled_quantity:
            raise OrderRefused(
                f"Expected a total quantity above the {update.filled_quantity} already traded, "
                f"was {change.quantity}"
            )
        terms = Terms(
            update.side,
            change.quantity,
            change.order_type,
            update.product,
            change.price,
            change.trigger_price,
        )
        instrument = self._instrument(update.key)
        fired = update.status is BrokerStatus.OPEN and change.trigger_price == update.trigger_price
        check_terms(terms, instrument, None if fired else self._venue.last(update.key))
        reason = risk_rejection(order.wanting(change.quantity), instrument, self._sellable(order, now))
        if reason is not None:
            raise OrderRefused(reason)

    def _sellable(self, order: WorkingOrder, now: datetime) -> int:
        """Units for delivery this order may sell in all, those it has sold already among them."""
        free = self._floor.sellable(order.update.key, now, Step(self._floor), order.order_id)
        return free + order.update.filled_quantity

    def _changeable(self, order_id: OrderId, what: str) -> WorkingOrder:
        order = self._floor.orders.get(order_id)
        if order is None:
            raise OrderRefused(f"Order {order_id} is not in the book: it cannot be {what}")
        if order.final or order.in_transit:  # Kite says the same of both (kite.md 2, 11)
            raise OrderRefused(f"Order cannot be {what} as it is being processed. Try later.")
        return order

    def _instrument(self, key: InstrumentKey) -> Instrument:
        try:
            return self._instruments(key)
        except (KeyError, UnknownName) as error:
            raise OrderRefused(f"The paper exchange does not trade {key}: {error}") from error


def _taken(request: OrderRequest, order_id: OrderId, now: datetime, active_at: datetime) -> WorkingOrder:
    update = OrderUpdate(
        order_id=order_id,
        tag=request.tag,
        key=request.key,
        side=request.side,
        product=request.product,
        order_type=request.order_type,
        status=BrokerStatus.PENDING,
        quantity=request.quantity,
        filled_quantity=0,
        average_price=ZERO,
        at=now,
        price=request.price,
        trigger_price=request.trigger_price,
    )
    return WorkingOrder(update, placed_at=now, active_at=active_at)
