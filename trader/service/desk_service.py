"""The shell around the desk: one queue in, one writer, effects out.

Every event is handled to the end before the next: the desk decides, what it wrote is committed, and only
then is anything sent. Whatever comes back from the broker enters through the same queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeGuard

from trader.broker.port import Broker, LastLook, Overnight
from trader.desk.commands import Command, Kill, Resume
from trader.desk.desk import Desk
from trader.desk.effects import (
    Answer,
    Cancel,
    Change,
    DeleteGtt,
    Effect,
    ListGtts,
    LoadHistory,
    PlaceGtt,
    ReadBook,
    Submit,
    Watch,
    Write,
)
from trader.desk.events import (
    BookFailed,
    BookPurpose,
    BookRead,
    ChangeAnswered,
    ClockTicked,
    CommandGiven,
    Event,
    FundsRead,
    GttDeleted,
    GttNotPlaced,
    GttPlaced,
    GttsListed,
    GttsUnread,
    HistoryFailed,
    HistoryLoaded,
    HouseFault,
    OrderAcked,
    OrderOutcomeUnknown,
    OrderRefusedByBroker,
    OrderUpdated,
)
from trader.desk.portfolio import Slot
from trader.domain.errors import (
    BrokerError,
    BrokerUnavailable,
    ChangesUsedUp,
    CommitFailed,
    LoginNeeded,
    MunimError,
    OrderNotSent,
    OrderRefused,
    OrdersBarred,
    TooManyRequests,
)
from trader.domain.gtt import GttId
from trader.domain.order import Approved, ApprovedGtt, OrderRequest, OrderUpdate, Purpose
from trader.domain.records import Alert, Record
from trader.domain.times import span_text
from trader.feed.aggregator import Aggregator
from trader.feed.port import Feed
from trader.ports.clock import Clock
from trader.ports.store import Store
from trader.service.unrecorded import UNLIKE, unrecorded

log = logging.getLogger(__name__)

UNRECORDED = "It could not be written to the ledger, and what is not recorded is not sent."
NO_ENTRIES = "The desk enters nothing before it can, and /resume."
ANSWER_WITHIN = 30.0  # seconds a command may wait in the queue before its sender is told so
MEANT_FOR = timedelta(seconds=10)  # an entry that leaves later would pay a price nobody decided on


class DeskService:
    """Runs one desk. ``on_alert`` is called when there are new alerts, in the ledger or ``unrecorded``; it
    must not block."""

    def __init__(
        self,
        desk: Desk,
        store: Store,
        broker: Broker,
        feed: Feed,
        clock: Clock,
        aggregator: Aggregator,
        on_alert: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._store = store
        self._broker = broker
        self._feed = feed
        self._clock = clock
        self._aggregator = aggregator
        self._on_alert = on_alert
        self._queue: deque[Event] = deque()
        self._queued = asyncio.Event()
        self._handling = asyncio.Lock()  # one writer, whoever drains the queue
        self._in_flight: set[asyncio.Task[None]] = set()
        self._answers: dict[str, asyncio.Future[Answer]] = {}
        self._unwritten: list[Record] = []  # a commit failed; they go with the next
        self._unwritable = ""  # and why it did
        self._kills = 0  # given, and not handled yet: the commit before them may take long
        self._accepting = True
        self._funds_unread = ""  # why they could not be read, as it was logged
        broker.listen(self._broker_spoke)
        if isinstance(broker, LastLook):
            broker.look_last(self._why_not)

    # -- in --------------------------------------------------------------------------------------

    def put(self, event: Event) -> None:
        self._queue.append(event)
        self._queued.set()

    def _broker_spoke(self, update: OrderUpdate) -> None:
        self.put(OrderUpdated(self._clock.now(), update))

    async def ask(self, command: Command, *, source_id: str, actor: str) -> Answer:
        """Have the desk act on a command; the answer comes once its effects are recorded."""
        if not self._accepting:
            return Answer(source_id, False, "Munim is stopping; send it again when it is back.")
        waiting = self._answers.get(source_id)
        if waiting is None:
            waiting = self._answers[source_id] = asyncio.get_running_loop().create_future()
            self._kills += isinstance(command, Kill)
            self.put(CommandGiven(self._clock.now(), source_id, actor, command))
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await asyncio.shield(waiting)
        except TimeoutError:
            return Answer(source_id, False, "The desk has not answered yet. /status shows what came of it.")

    async def run(self) -> None:
        """Handle events until cancelled."""
        while True:
            await self._queued.wait()
            await self._drain()

    async def settle(self) -> None:
        """Return when nothing is queued and nothing is under way: the market may move on. Handles what is
        queued itself, which spares a turn of the event loop for every quiet moment of a market."""
        while True:
            if self._queue or self._handling.locked():
                await self._drain()
            elif self._in_flight:
                await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
            else:
                return

    async def _drain(self) -> None:
        """Everything queued, in order. A fault of ours halts the desk; it does not end the loop."""
        async with self._handling:
            while self._queue:
                event = self._queue.popleft()
                try:
                    await self._handle(event)
                except Exception as e:
                    log.exception("handling %s failed", type(event).__name__)
                    if not isinstance(event, HouseFault):
                        reason = f"handling {type(event).__name__} raised {type(e).__name__}"
                        self.put(HouseFault(self._clock.now(), "internal_fault", reason))
            self._queued.clear()

    # -- handling --------------------------------------------------------------------------------

    async def _handle(self, event: Event) -> None:
        if _lets_go(event) and self._unwritten:
            # Answered ACTIVE it would be while nothing is sent: the ledger halts the desk once, not again.
            if not await self._commit(()):
                self._answer(Answer(event.source_id, False, f"Not resumed. {self._unwritable}"))
                return
            self._on_alert()
        if isinstance(event, CommandGiven) and isinstance(event.command, Kill):
            self._kills -= 1
        effects = self._desk.handle(event)
        if effects:
            await self.carry_out(effects)
        elif self._unwritten and isinstance(event, ClockTicked) and await self._commit(()):
            self._on_alert()

    async def carry_out(self, effects: Sequence[Effect]) -> None:
        """Commit first, then send. What was not recorded is not sent, except what only cancels."""
        records = [e.record for e in effects if isinstance(e, Write)]
        effects = self._as_recorded(effects, records)
        recorded = await self._commit(records) if records or self._unwritten else True
        for effect in effects:
            if not isinstance(effect, Write):
                self._carry_out(effect, recorded=recorded)
        if any(isinstance(effect, Submit | Change | Cancel) for effect in effects):
            await asyncio.sleep(0)  # they leave before the desk looks at anything else
        if any(isinstance(record, Alert) for record in records):
            self._on_alert()

    def _as_recorded(self, effects: Sequence[Effect], records: Sequence[Record]) -> Sequence[Effect]:
        """Without what would leave and is not what is recorded: a fault of ours, for which the desk halts."""
        if not (strange := unrecorded(effects, records)):
            return effects
        for effect in strange:
            log.critical("not what was recorded, and not sent: %s", effect)
        self.put(HouseFault(self._clock.now(), "strange_order", f"{UNLIKE} It was not sent."))
        return [effect for effect in effects if effect not in strange]

    async def _commit(self, records: Sequence[Record]) -> bool:
        pending = [*self._unwritten, *records]
        try:
            await self._store.commit(pending)
        except CommitFailed as e:
            self._write_later(pending, e)
            return False
        self._unwritten = []
        return True

    def _write_later(self, records: list[Record], fault: CommitFailed) -> None:
        first = not self._unwritten
        self._unwritten = records
        self._unwritable = f"The ledger cannot be written: {fault}"
        if first:
            log.critical("the ledger failed: %s", fault)
            self.put(HouseFault(self._clock.now(), "ledger_failed", self._unwritable))

    async def tell(self, alert: Alert) -> None:
        """An alert that the desk does not know of."""
        try:
            await self._store.commit([alert])
        except CommitFailed as e:
            async with self._handling:
                self._write_later([*self._unwritten, alert], e)
        self._on_alert()

    def unrecorded(self) -> list[Alert]:
        """Alerts that the ledger has not taken so far. They are told all the same: while nothing can be
        recorded nothing is sent either, and a position may be without its stop."""
        return [record for record in self._unwritten if isinstance(record, Alert)]

    def _carry_out(self, effect: Effect, *, recorded: bool) -> None:
        match effect:
            case Submit(approved=approved) if recorded:
                self._start(self._send(approved))
            case Submit(approved=approved):
                self.put(
                    OrderRefusedByBroker(self._clock.now(), approved.request.tag, UNRECORDED, sent=False)
                )
            case Change(approved=change):
                self._start(self._request(change.change.tag, lambda: self._broker.modify(change)))
            case Cancel(tag=tag, order_id=order_id):
                self._start(self._request(tag, lambda: self._broker.cancel(order_id)))
            case ReadBook():
                self._start(self._read_book(effect))
                if self._broker.live and effect.purpose is BookPurpose.RECONCILE:
                    self._start(self._read_funds())
            case PlaceGtt(slot=slot, approved=gtt) if recorded:
                self._start(self._place_gtt(slot, gtt))
            case PlaceGtt(slot=slot):
                self.put(GttNotPlaced(self._clock.now(), slot, UNRECORDED))
            case DeleteGtt(gtt_id=gtt_id):
                self._start(self._delete_gtt(gtt_id))
            case ListGtts():
                self._start(self._list_gtts())
            case LoadHistory():
                self._start(self._load_history(effect))
            case Watch(key=key, interval=interval):
                self._aggregator.watch(key, interval)
                try:
                    self._feed.watch((key,))
                except MunimError as e:  # it has no prices, and the gate enters nothing without one
                    log.warning("%s is not watched: %s", key, e)
            case Answer(ok=True) if not recorded:
                self._answer(replace(effect, text=f"{effect.text}\n{self._unwritable}\n{NO_ENTRIES}"))
            case Answer():
                self._answer(effect)

    def _answer(self, answer: Answer) -> None:
        waiting = self._answers.pop(answer.source_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    # -- out -------------------------------------------------------------------------------------

    def _why_not(self, request: OrderRequest) -> str:
        """Asked in the moment an order would leave, from any thread. It may have waited, for the disk or for
        its turn, while the desk halted or the price went elsewhere; what leaves or protects is always
        meant."""
        if request.purpose is not Purpose.ENTRY:
            return ""
        if why := "/kill" if self._kills else self._desk.taken_back(request.tag):
            return f"It was taken back before it left: {why}."
        waited = self._clock.now() - request.at
        if waited > MEANT_FOR:
            return f"It was decided {span_text(waited)} ago, at another price."
        return ""

    async def _send(self, approved: Approved) -> None:
        """One attempt, whatever happens. Anything but a clear answer is an unknown outcome."""
        tag = approved.request.tag
        event: Event
        try:
            order_id = await self._broker.place(approved)
        except OrderRefused as e:
            sent, too_many = not isinstance(e, OrderNotSent), isinstance(e, TooManyRequests)
            event = OrderRefusedByBroker(self._clock.now(), tag, str(e), sent=sent, too_many=too_many)
            self._halt_if_barred(e)
        except BaseException as e:
            self.put(OrderOutcomeUnknown(self._clock.now(), tag, _sentence(e)))
            if isinstance(e, Exception):
                return
            raise  # a cancelled task: its order may be at the broker all the same
        else:
            event = OrderAcked(self._clock.now(), tag, order_id)
        self.put(event)

    async def _request(self, tag: Any, request: Callable[[], Awaitable[None]]) -> None:
        try:
            await request()
        except OrderRefused as e:
            used_up = isinstance(e, ChangesUsedUp)
            self.put(ChangeAnswered(self._clock.now(), tag, error=str(e), used_up=used_up))
            self._halt_if_barred(e)
        except Exception as e:
            self.put(ChangeAnswered(self._clock.now(), tag, error=_sentence(e), unknown=True))
        else:
            self.put(ChangeAnswered(self._clock.now(), tag))

    def _halt_if_barred(self, refusal: OrderRefused) -> None:
        if isinstance(refusal, OrdersBarred):
            self.fault(self._clock.now(), "orders_barred", str(refusal))

    async def _read_book(self, effect: ReadBook) -> None:
        asked_at = self._clock.now()
        try:
            book = await self._broker.book()
        except Exception as e:
            self.put(BookFailed(self._clock.now(), effect.purpose, _sentence(e)))
        else:
            now = self._clock.now()
            read = (book.orders, book.positions, book.holdings, book.proven_at, book.trades)
            self.put(BookRead(now, asked_at, effect.purpose, *read))

    async def _place_gtt(self, slot: Slot, gtt: ApprovedGtt) -> None:
        try:
            gtt_id = await self._overnight().place_gtt(gtt)
        except OrderRefused as e:
            self.put(GttNotPlaced(self._clock.now(), slot, str(e)))
        except BaseException as e:
            self.put(GttNotPlaced(self._clock.now(), slot, _sentence(e), unknown=True))
            if not isinstance(e, Exception):
                raise
        else:
            self.put(GttPlaced(self._clock.now(), slot, gtt_id))

    async def _delete_gtt(self, gtt_id: GttId) -> None:
        try:
            await self._overnight().delete_gtt(gtt_id)
        except OrderRefused as e:
            self.put(GttDeleted(self._clock.now(), gtt_id, error=str(e)))
        except Exception as e:
            self.put(GttDeleted(self._clock.now(), gtt_id, error=_sentence(e), unknown=True))
        else:
            self.put(GttDeleted(self._clock.now(), gtt_id))

    async def _list_gtts(self) -> None:
        asked_at = self._clock.now()
        try:
            rows = await self._overnight().gtts()
        except Exception as e:
            self.put(GttsUnread(self._clock.now(), _sentence(e)))
        else:
            self.put(GttsListed(self._clock.now(), asked_at, rows))

    def _overnight(self) -> Overnight:
        if not isinstance(self._broker, Overnight):
            raise OrderRefused(f"{self._broker.name} keeps no stops over the night")
        return self._broker

    async def _read_funds(self) -> None:
        """Beside the book: without them the desk goes by its own reckoning, as on paper."""
        asked_at = self._clock.now()
        try:
            funds = await self._broker.funds()
        except Exception as e:
            if (reason := _sentence(e)) != self._funds_unread:  # it is asked several times a minute
                log.warning("the broker's funds are not known: %s", reason)
                self._funds_unread = reason
        else:
            self._funds_unread = ""
            self.put(FundsRead(self._clock.now(), asked_at, funds))

    async def _load_history(self, effect: LoadHistory) -> None:
        owner, key, interval = effect.owner, effect.key, effect.interval
        try:
            bars = await self._feed.history(key, interval, effect.count, self._clock.now())
        except Exception as e:
            passing = isinstance(e, LoginNeeded | BrokerUnavailable)
            self.put(HistoryFailed(self._clock.now(), owner, key, _sentence(e), passing))
        else:
            self.put(HistoryLoaded(self._clock.now(), owner, key, interval, bars))

    # -- the end ---------------------------------------------------------------------------------

    async def close(self, seconds: float = 2.0) -> None:
        """Take no more commands, wait for what is under way; what is not back by then shows at the next
        start as an unknown outcome."""
        self._accepting = False
        try:
            async with asyncio.timeout(seconds):
                await self.settle()
        except TimeoutError:
            log.warning("%d requests were still under way", len(self._in_flight))
        for task in list(self._in_flight):
            task.cancel()

    @property
    def busy(self) -> bool:
        return self._desk.busy

    def fault(self, at: datetime, code: str, reason: str) -> None:
        self.put(HouseFault(at, code, reason))


def _lets_go(event: Event) -> TypeGuard[CommandGiven]:
    return isinstance(event, CommandGiven) and event.command == Resume()


def _sentence(error: BaseException) -> str:
    """Our own errors speak for themselves; others by their type, for their text may hold anything."""
    if isinstance(error, BrokerError | MunimError):
        return str(error)
    return f"{type(error).__name__}"
