"""A desk with everything around it that matters, in one thread and without a clock of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, TypeVar

from broker_book import BrokerBook, Reply

from storage.memory import MemoryLedger
from trader.desk.closures import apply_closures
from trader.desk.commands import Command, Kill, StartStrategy
from trader.desk.desk import Desk
from trader.desk.effects import Answer, Cancel, Change, Effect, LoadHistory, ReadBook, Submit, Write
from trader.desk.events import (
    BarClosed,
    BookFailed,
    BookRead,
    ChangeAnswered,
    ClockTicked,
    CommandGiven,
    Event,
    HistoryLoaded,
    OrderAcked,
    OrderOutcomeUnknown,
    OrderRefusedByBroker,
    OrderUpdated,
    TicksArrived,
)
from trader.desk.limits import RiskLimits
from trader.desk.portfolio import Slot
from trader.desk.state import DeskConfig, DeskState
from trader.domain.instrument import Exchange, Instrument, InstrumentKey, OptionType, Segment
from trader.domain.market import Bar, Interval, Tick
from trader.domain.order import Order, OrderRequest, OrderState, OrderUpdate, Owner, Product, Purpose
from trader.domain.position import Fill, Trade
from trader.domain.records import Alert, Record
from trader.domain.times import IST
from trader.market.calendar import Calendar
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.strategy import Bars, Holding, Param, Signal, Signals, Strategy
from trader.strategy.catalogue import Catalogue

MORNING = datetime(2026, 11, 23, 10, 0, tzinfo=IST)  # a Monday; the 24th is a holiday
REL, TCS, LOT = InstrumentKey("NSE:RELIANCE"), InstrumentKey("NSE:TCS"), InstrumentKey("NSE:LOTS")
NIFTY = InstrumentKey("NSE:NIFTY 50")
SBIN = InstrumentKey("NSE:SBIN")  # closes in the auction
CALL = InstrumentKey("NFO:NIFTY26DEC26000CE")
SECOND = timedelta(seconds=1)
BUY, LEAVE, SHORT, COVER, RAISE = 1, 2, 3, 4, 9  # what a bar's or a tick's volume tells a scripted strategy
OURS = Owner("scripted")
T = TypeVar("T")


class Scripted(Strategy):
    """Reads its signals from the bars' volumes."""

    gear = Param(1, low=1, high=5)
    warmup = 1  # type: ignore[assignment]  # a constant will do here

    def check(self) -> str | None:
        return "gear 3 is broken" if self.gear == 3 else None

    def signals(self, bars: Bars) -> Signals:
        if (bars.volume == RAISE).any():
            raise RuntimeError("asked to")
        code = bars.volume
        return Signals(code == BUY, code == LEAVE, code == SHORT, code == COVER)


class Keeper(Scripted):
    """The same, but its positions stay when it fails."""

    on_error = "keep"


class Ticker(Strategy):
    """Reads its signals from the ticks' volumes."""

    warmup = 1  # type: ignore[assignment]  # a constant will do here
    options: ClassVar = {"side": "long"}

    def on_tick(self, tick: Tick, holding: Holding) -> Signal | None:
        if tick.volume == RAISE:
            raise RuntimeError("asked to")
        return Signal(enter_long=tick.volume == BUY, exit_long=tick.volume == LEAVE)


class External(Scripted):
    """Named as what the desk calls positions from elsewhere."""


class Manual(Scripted):
    """Named as what the desk calls positions that the owner handed to it."""


class Bad(Scripted):
    """Its author's check divides by zero."""

    def check(self) -> str | None:
        return str(1 // (self.gear - self.gear))


CATALOGUE = Catalogue({s.name: s for s in (Scripted, Keeper, Ticker, External, Manual, Bad)}, {})


@cache
def market() -> tuple[Charges, Margins]:
    return Charges.load(), Margins.load()


def instruments() -> Instruments:
    return Instruments([
        Instrument(Exchange.NSE, "RELIANCE", 1, Decimal("0.10"), name="Reliance"),
        Instrument(Exchange.NSE, "TCS", 2, Decimal("0.05"), freeze_quantity=5000),
        Instrument(Exchange.NSE, "LOTS", 3, Decimal("0.05"), lot_size=25),
        Instrument(Exchange.NSE, "NIFTY 50", 4, Decimal("0.05"), segment=Segment.INDEX),
        Instrument(Exchange.NSE, "SBIN", 5, Decimal("0.05"), derivatives=True),
        Instrument(
            Exchange.NFO, "NIFTY26DEC26000CE", 6, Decimal("0.05"), 65, Segment.OPTIONS, freeze_quantity=1800,
            underlying="NIFTY", expiry=date(2026, 12, 29), strike=Decimal(26000), option_type=OptionType.CALL,
        ),
    ])  # fmt: skip


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, as those of MemoryLedger are."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # StopIteration carries Any
    raise AssertionError("it waited")


class DeskWorld:
    """``deliver=False`` keeps the broker's updates in ``mail`` until ``post`` hands them over."""

    def __init__(self, limits: RiskLimits | None = None, *, at: datetime = MORNING) -> None:
        self.now = at
        self.limits = limits or RiskLimits()
        self.ledger = MemoryLedger()
        self.inbox: deque[Event] = deque()
        self.mail: list[OrderUpdate] = []
        self.deliver = True
        self.broker = BrokerBook(self._stream, lambda: self.now)
        self.history: list[tuple[Event | None, list[Effect]]] = []
        self.prices: dict[InstrumentKey, float] = {}
        self._commands = 0
        self.desk = self._desk()
        self.clock()

    def _desk(self) -> Desk:
        charges, margins = market()
        config = DeskConfig(self.limits, "TST")
        self.calendar = Calendar.load()
        return Desk(config, instruments(), self.calendar, charges, CATALOGUE, margins, at=self.now)

    # -- events in, effects out ------------------------------------------------------------------

    def handle(self, event: Event) -> list[Effect]:
        """One event and everything the broker answers to it."""
        effects = self.desk.handle(event)
        self._carry_out(event, effects)
        while self.inbox:
            answer = self.inbox.popleft()
            self._carry_out(answer, self.desk.handle(answer))
        return effects

    def _carry_out(self, event: Event | None, effects: list[Effect]) -> None:
        self.history.append((event, effects))
        at_once(self.ledger.commit([e.record for e in effects if isinstance(e, Write)]))
        for effect in effects:
            self._send(effect)

    def _send(self, effect: Effect) -> None:
        now, broker = self.now, self.broker
        match effect:
            case Submit(approved=approved):
                tag = approved.request.tag
                reply, order_id = broker.place(approved.request)
                if reply is Reply.OK and order_id is not None:
                    self.inbox.append(OrderAcked(now, tag, order_id))
                elif reply is Reply.REFUSED:
                    self.inbox.append(OrderRefusedByBroker(now, tag, "refused on demand"))
                elif reply is Reply.TOO_MANY:
                    self.inbox.append(OrderRefusedByBroker(now, tag, "Too many requests", too_many=True))
                elif reply is Reply.UNSENT:
                    why = "Nobody is logged in. Nothing was sent."
                    self.inbox.append(OrderRefusedByBroker(now, tag, why, sent=False))
                elif reply in (Reply.TAKEN, Reply.LOST):
                    self.inbox.append(OrderOutcomeUnknown(now, tag, "timed out"))
            case Change(approved=change):
                self._answer(change.change.tag, *broker.modify(change.change))
            case Cancel(tag=tag, order_id=order_id):
                self._answer(tag, *broker.cancel(order_id))
            case ReadBook(purpose=purpose):
                if broker.readable:
                    self.inbox.append(BookRead(now, now, purpose, broker.orders(), broker.positions()))
                else:
                    self.inbox.append(BookFailed(now, purpose, "502 Bad Gateway"))
            case LoadHistory():
                self.inbox.append(HistoryLoaded(now, effect.owner, effect.key, effect.interval, []))

    def _answer(self, tag: Any, reply: Reply, why: str) -> None:
        if reply is Reply.OK:
            self.inbox.append(ChangeAnswered(self.now, tag))
        elif reply is Reply.REFUSED:
            self.inbox.append(ChangeAnswered(self.now, tag, error=why))
        elif reply in (Reply.TAKEN, Reply.LOST):
            self.inbox.append(ChangeAnswered(self.now, tag, error="timed out", unknown=True))

    def _stream(self, update: OrderUpdate) -> None:
        if self.deliver:
            self.inbox.append(OrderUpdated(self.now, update))
        else:
            self.mail.append(update)

    def post(self, *which: int) -> None:
        """Hand over the kept updates with these numbers, in this order, or all of them."""
        chosen = [self.mail[i] for i in which] if which else list(self.mail)
        if not which:
            self.mail.clear()
        for update in chosen:
            self.handle(OrderUpdated(self.now, update))

    # -- what happens ----------------------------------------------------------------------------

    def clock(self, seconds: int = 1) -> None:
        """Let time pass; every second the desk hears of it, and instruments with a price trade at it."""
        for _ in range(seconds):
            self.now += SECOND
            for key, last in self.prices.items():
                self._trade(key, last, 0)
            self.handle(ClockTicked(self.now))

    def jump(self, to: datetime) -> None:
        self.now = to
        self.handle(ClockTicked(self.now))

    def tick(self, last: float, key: InstrumentKey = REL, *, code: int = 0) -> None:
        """The next second: a trade at ``last``, then the clock."""
        self.now += SECOND
        self._trade(key, last, code)
        self.handle(ClockTicked(self.now))

    def _trade(self, key: InstrumentKey, last: float, code: int) -> None:
        self.prices[key] = last
        self.broker.price(key, last)
        self._drain()
        self.handle(TicksArrived(self.now, [Tick(key, self.now, last, code)]))

    def _drain(self) -> None:
        while self.inbox:
            self.handle(self.inbox.popleft())

    def bar(self, code: int = 0, key: InstrumentKey = REL, *, interval: Interval = Interval.M1) -> None:
        """A bar closes now, at the last price, and tells its strategy ``code``."""
        self.now += SECOND
        last = self.prices[key]
        bar = Bar(key, interval, self.now - interval.length, last, last, last, last, code)
        self.handle(BarClosed(self.now, bar))

    def command(self, command: Command, source_id: str = "") -> Answer:
        self._commands += 1
        source = source_id or f"test:{self._commands}"
        effects = self.handle(CommandGiven(self.now, source, "owner 1", command))
        answers = [e for e in effects if isinstance(e, Answer)]
        assert len(answers) == 1, "every command is answered once"
        return answers[0]

    def start(self, strategy: str = "scripted", *symbols: str, **settings: str) -> None:
        names = symbols or ("RELIANCE",)
        answer = self.command(StartStrategy(strategy, names, "1m", settings))
        assert answer.ok, answer.text

    def enter(self, price: float = 1000.0, code: int = BUY, **settings: str) -> Fill:
        """Start the scripted strategy, if it is not there, and have it enter RELIANCE at ``price``."""
        if OURS not in self.state.instances:
            self.start(**settings)
        self.tick(price)
        before = len(self.fills())
        self.bar(code)
        self.tick(price)
        assert len(self.fills()) > before, [e.title for e in self.alerts()]
        return self.fills()[before]

    def kill(self, *, flatten: bool = True, source_id: str = "") -> Answer:
        return self.command(Kill(flatten), source_id)

    def restart(self, *, clean: bool = False, day: date | None = None) -> list[Effect]:
        """The process ends here; another goes on from the ledger."""
        del day
        ledger = at_once(self.ledger.load())
        since = min((p.opened_at for p in ledger.positions if p.quantity and p.opened_at), default=None)
        fills = [] if since is None else [f for f in self.fills() if f.at >= since]
        self.inbox.clear()
        self.desk = self._desk()
        apply_closures(self.calendar, ledger.settings)
        effects = self.desk.restore(ledger, fills, at=self.now, clean=clean)
        self._carry_out(None, effects)
        self._drain()
        return effects

    # -- looking ---------------------------------------------------------------------------------

    @property
    def state(self) -> DeskState:
        return self.desk._state

    def effects(self) -> list[Effect]:
        return [effect for _, effects in self.history for effect in effects]

    def written(self, kind: type[T]) -> list[T]:
        records: list[Record] = [e.record for e in self.effects() if isinstance(e, Write)]
        return [record for record in records if isinstance(record, kind)]

    def submits(self, *purposes: Purpose) -> list[OrderRequest]:
        sent = [e.approved.request for e in self.effects() if isinstance(e, Submit)]
        return [r for r in sent if not purposes or r.purpose in purposes]

    def alerts(self, topic: str = "") -> list[Alert]:
        return [a for a in self.written(Alert) if not topic or a.topic == topic]

    def told(self, words: str) -> bool:
        return any(words in f"{a.title}\n{a.body}" for a in self.alerts())

    def denied(self, code: str) -> bool:
        """Whether the record has an order that the gate denied with this code."""
        return any(
            o.state is OrderState.DENIED and o.message.startswith(f"{code}: ") for o in self.written(Order)
        )

    def fills(self) -> list[Fill]:
        return at_once(self.ledger.fills(limit=1_000_000))

    def trades(self) -> list[Trade]:
        return at_once(self.ledger.trades(limit=1_000_000))

    def held(self, key: InstrumentKey = REL, owner: Owner = OURS, product: Product = Product.MIS) -> int:
        return self.state.portfolio.position(Slot(owner, key, product)).quantity

    def working(self, *purposes: Purpose) -> list[Order]:
        return [o for o in self.state.working.values() if not purposes or o.purpose in purposes]

    def stop(self) -> Order:
        """The one order that rests to close the position in RELIANCE."""
        (order,) = [o for o in self.working() if o.purpose is not Purpose.ENTRY]
        return order

    def stop_of(self, key: InstrumentKey) -> Order:
        """The one order that rests to close the position in ``key``."""
        (order,) = [o for o in self.working() if o.purpose is not Purpose.ENTRY and o.key == key]
        return order

    def account(self) -> dict[Any, int]:
        return {at: n for at, n in self.state.portfolio.net().items() if n}


def sends(effects: Sequence[Effect]) -> list[Effect]:
    return [e for e in effects if isinstance(e, Submit | Change | Cancel)]
