"""The desk: one event in, effects out. Synchronous, deterministic, the only writer of its state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from math import inf
from typing import TYPE_CHECKING

from trader.desk import restoring, viewing
from trader.desk.answers import Answers
from trader.desk.books import Books
from trader.desk.daybook import Daybook
from trader.desk.differences import Differences
from trader.desk.effects import Effect, ReadBook
from trader.desk.events import (
    BarClosed,
    BookFailed,
    BookPurpose,
    BookRead,
    BrokerLost,
    BrokerNews,
    BrokerReached,
    ChangeAnswered,
    ClockTicked,
    CommandGiven,
    Event,
    FundsRead,
    GttDeleted,
    GttNews,
    GttNotPlaced,
    GttPlaced,
    GttsListed,
    GttsUnread,
    HistoryFailed,
    HistoryLoaded,
    HouseFault,
    HouseNews,
    JobDue,
    MarketBack,
    MarketLost,
    MarketNews,
    OrderAcked,
    OrderNews,
    OrderOutcomeUnknown,
    OrderRefusedByBroker,
    OrderUpdated,
    RangePassed,
    TicksArrived,
)
from trader.desk.executions import Executions
from trader.desk.exits import Exits
from trader.desk.fills import Fills
from trader.desk.guard import Guard
from trader.desk.instances import Instances
from trader.desk.judging import Judging
from trader.desk.kill import Kill
from trader.desk.lookout import Lookout
from trader.desk.overnight import Overnight
from trader.desk.owner import OwnerDesk
from trader.desk.portfolio import Slot
from trader.desk.purse import Purse
from trader.desk.register import Register
from trader.desk.risk import RiskGate
from trader.desk.runner import Runner
from trader.desk.sending import Sending
from trader.desk.severed import tell_what_stays_open
from trader.desk.squareoff import Squareoff
from trader.desk.state import DeskConfig, DeskState, Turn
from trader.desk.still import Stillness, stillness
from trader.desk.terms import Terms
from trader.desk.updates import Updates
from trader.desk.view import DeskView, QuoteView
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.domain.order import Order, OrderState, Tag
from trader.domain.position import Fill
from trader.domain.records import DeskMode, Latch, LedgerState, RiskCounters

if TYPE_CHECKING:
    from trader.market.calendar import Calendar
    from trader.market.charges import Charges
    from trader.market.instruments import Instruments
    from trader.market.margins import Margins
    from trader.strategy.catalogue import Catalogue


CLOCK_SKEW = timedelta(minutes=1)  # how far the exchange's clock may be ahead of ours


HOUSE_FAULTS = {
    "ledger_failed": "the ledger cannot be written",
    "exchange_failed": "the paper exchange failed",
    "loop_blocked": "the desk stood still",
    "strange_order": "an order that nobody recorded",
    "second_bot": "another program uses this bot",
    "orders_barred": "the broker takes no orders from here",
}


class Desk:
    """Decides about money. Time is what events say it is."""

    def __init__(
        self,
        config: DeskConfig,
        instruments: Instruments,
        calendar: Calendar,
        charges: Charges,
        catalogue: Catalogue,
        margins: Margins,
        *,
        at: datetime,
    ) -> None:
        self._state = DeskState(
            config,
            instruments,
            calendar,
            charges,
            margins,
            catalogue,
            latch=Latch(DeskMode.ACTIVE, "", "trading", at, "start-up"),
            counters=RiskCounters(date.min, peak_equity=config.limits.capital),
            armed=not config.live,
        )
        gate = RiskGate()
        self._register = Register(self._state)
        self._sending = Sending(self._state, gate, self._register)
        self._updates = Updates(self._state, self._register, self._sending)
        self._answers = Answers(self._state, self._register, self._sending, self._updates)
        self._overnight = Overnight(self._state, gate)
        self._exits = Exits(self._state, self._sending, self._overnight)
        self._lookout = Lookout(self._state, self._sending, self._exits)
        self._guard = Guard(self._state, self._register, self._sending, self._exits)
        self._squareoff = Squareoff(self._state, self._sending, self._exits, self._overnight)
        self._instances = Instances(self._state, self._sending, self._exits)
        self._runner = Runner(self._state, self._sending, self._exits, self._instances)
        self._kill = Kill(self._state, self._sending, self._exits, self._guard)
        self._differences = Differences(self._state, self._sending, self._updates, self._exits)
        self._judging = Judging(self._state, self._sending, self._exits, self._guard)
        self._books = Books(
            self._state,
            self._updates,
            self._answers,
            self._guard,
            self._differences,
            Executions(self._state, self._sending),
            Terms(self._state, self._register, self._exits),
        )
        self._purse = Purse(self._state)
        self._daybook = Daybook(self._state)
        self._owner = OwnerDesk(
            self._state, self._instances, self._guard, self._kill, self._books, self._judging
        )
        self._updates.on_fill = Fills(
            self._state, self._sending, self._exits, self._guard, self._differences
        ).filled
        self._register.on_end = self._order_ended
        self._register.beside = self._runner.legs.left_with
        self._exits.leaves_with(self._runner.legs.leave_with)
        self._updates.on_stranger = self._differences.stranger
        self._updates.claim = self._overnight.claim
        self._guard.on_breach = self._kill.follow
        self._exits.on_flat = self._went_flat
        self._flats: list[Slot] = []

    # -- life ------------------------------------------------------------------------------------

    def restore(
        self, ledger: LedgerState, open_fills: Sequence[Fill], *, at: datetime, clean: bool
    ) -> list[Effect]:
        """Go on from the ledger. ``open_fills`` are the fills since each open position was opened;
        ``clean`` says that the last run ended in order. Asks for the broker's book first of all."""
        turn = Turn(at)
        restoring.restore(self._state, ledger, open_fills)
        self._state.reconciled = False
        self._sending.restore(ledger.settings)
        self._guard.restore(turn, ledger.settings)
        self._exits.restore(turn, ledger.settings)
        restoring.restart_instances(turn, self._state, self._instances, self._exits, ledger.instances)
        self._kill.restore(turn, ledger.settings)
        self._differences.restore(turn, ledger.settings)
        self._books.restore(turn, ledger.settings)
        if not clean:
            self._guard.halt(
                turn,
                "unclean_exit",
                "the last run did not end in order",
                "The process was killed or the machine went down. Orders and positions were read again;"
                " check /positions and /orders.",
                by="start-up",
            )
        if not self._overnight.restore(turn, ledger.settings):
            turn.send(ReadBook(BookPurpose.RECONCILE))
        return turn.effects

    def handle(self, event: Event) -> list[Effect]:
        """What this event leads to. All Writes of one call belong in one transaction."""
        turn = Turn(event.at)
        if isinstance(event, MarketNews):
            self._market(turn, event)
        elif isinstance(event, OrderNews):
            self._order(turn, event)
        elif isinstance(event, BrokerNews):
            self._broker(turn, event)
        elif isinstance(event, GttNews):
            self._gtt(turn, event)
        else:
            self._house(turn, event)
        if turn.effects or isinstance(event, BookRead):
            self._differences.settle(turn)
        self._after_flat(turn)
        return turn.effects

    def _market(self, turn: Turn, event: MarketNews) -> None:
        match event:
            case TicksArrived(ticks=ticks):
                self._ticks(turn, ticks)
            case RangePassed(bar=bar):
                self._exits.on_range(turn, bar)
            case BarClosed(bar=bar):
                self._runner.on_bar(turn, bar)
            case ClockTicked():
                self._clock(turn)
            case MarketLost(keys=keys):
                self._runner.mending.lost(keys)
            case MarketBack():
                self._runner.mending.back()
            case HistoryLoaded(owner=owner, key=key, bars=bars):
                self._runner.warming.loaded(turn, owner, key, bars)
            case HistoryFailed(owner=owner, key=key, reason=reason, passing=passing):
                self._runner.warming.failed(turn, owner, key, reason, passing=passing)

    def _order(self, turn: Turn, event: OrderNews) -> None:
        match event:
            case OrderUpdated(update=update):
                self._updates.merge(turn, update)
            case OrderAcked(tag=tag, order_id=order_id):
                self._answers.acked(turn, tag, order_id)
            case OrderRefusedByBroker(tag=tag, reason=reason, sent=sent, too_many=too_many):
                self._answers.refused(turn, tag, reason, sent=sent, too_many=too_many)
            case OrderOutcomeUnknown(tag=tag, reason=reason):
                self._answers.outcome_unknown(turn, tag, reason)
            case ChangeAnswered(tag=tag, error=error, unknown=unknown, used_up=used_up):
                self._answers.change_answered(turn, tag, error, outcome_unknown=unknown, used_up=used_up)

    def _broker(self, turn: Turn, event: BrokerNews) -> None:
        match event:
            case BookRead():
                self._books.on_book(turn, event)
                self._kill.on_reconciled(turn)
                if event.purpose is BookPurpose.KILL:
                    self._kill.on_book(turn, event)
            case BookFailed(purpose=purpose, reason=reason):
                self._books.on_book_failed(turn, reason)
                if purpose is BookPurpose.KILL:
                    self._kill.on_book_failed(turn, reason)
            case FundsRead():
                self._purse.on_funds(turn, event)
            case BrokerReached():
                self._overnight.reached(turn)
                turn.send(ReadBook(BookPurpose.RECONCILE))
            case BrokerLost():
                self._books.on_broker_lost(turn)
                tell_what_stays_open(turn, self._state, self._exits)

    def _gtt(self, turn: Turn, event: GttNews) -> None:
        match event:
            case GttPlaced():
                self._overnight.placed(turn, event)
            case GttNotPlaced():
                self._overnight.not_placed(turn, event)
            case GttDeleted():
                self._overnight.deleted(turn, event)
            case GttsListed():
                self._overnight.listed(turn, event)
                self._read_first_book(turn)
            case GttsUnread():
                self._overnight.unread(event)
                self._read_first_book(turn)

    def _house(self, turn: Turn, event: HouseNews) -> None:
        match event:
            case CommandGiven():
                self._owner.handle(turn, event)
            case JobDue():
                self._daybook.on_job(turn, event)
            case HouseFault(code=code, reason=reason):
                title = HOUSE_FAULTS.get(code, "something around the desk broke")
                self._guard.halt(turn, code, title, reason, by="the house")

    def _read_first_book(self, turn: Turn) -> None:
        if not self._state.reconciled:
            turn.send(ReadBook(BookPurpose.RECONCILE))

    def _ticks(self, turn: Turn, ticks: Sequence[Tick]) -> None:
        state = self._state
        quotes = state.quotes
        # A price from the future would hide all that follow and never grow stale.
        latest = turn.at + CLOCK_SKEW
        for tick in ticks:
            known = quotes.get(tick.key)
            if not 0 < tick.last < inf or tick.at > latest:
                continue
            if known is None or tick.at >= known.at:
                if known is not None and known.at.date() != tick.at.date():
                    state.previous_close[tick.key] = known.last
                quotes[tick.key] = tick
        state.last_tick_at = turn.at
        if state.portfolio.unquoted():
            state.portfolio.quoted(ticks, quotes)
        if state.portfolio.open_slots():
            self._exits.on_prices(turn, {tick.key for tick in ticks})
            self._guard.check(turn)
        self._runner.on_ticks(turn, ticks)

    def _clock(self, turn: Turn) -> None:
        self._guard.on_clock(turn)
        self._squareoff.on_clock(turn)
        self._sending.on_clock(turn)
        self._judging.on_clock(turn)
        self._overnight.on_clock(turn)
        self._lookout.on_clock(turn)
        self._exits.on_clock(turn)
        self._runner.on_clock(turn)
        self._books.on_clock(turn)
        self._kill.on_clock(turn)

    def _order_ended(self, turn: Turn, order: Order) -> None:
        if order.state is OrderState.REJECTED:
            self._guard.rejected(turn, order)
        self._exits.order_ended(turn, order)
        self._runner.legs.ended(turn, order)

    def _went_flat(self, turn: Turn, slot: Slot) -> None:
        del turn
        self._flats.append(slot)

    def _after_flat(self, turn: Turn) -> None:
        """What waited for a position to be closed goes last: an entry the other way must find the loss that
        was just made in every count and limit, and all of what else this event brought."""
        flats, self._flats = self._flats, []
        for slot in flats:
            if not self._state.portfolio.position(slot).quantity:
                self._runner.on_flat(turn, slot)

    # -- passing over candles --------------------------------------------------------------------

    def still(self, at: datetime) -> Stillness | None:
        """What would make the desk act next, once everything at ``at`` has settled; None while something is
        under way. What strategies decide is not in it."""
        settled = self._sending.settled and self._kill.finished and self._runner.settled()
        if not settled or self._exits.leaving_any:
            return None
        until = self._squareoff.next_moment(at)
        return None if until is None else stillness(self._state, until)

    @property
    def instances(self) -> Instances:
        return self._instances

    def last_price(self, key: InstrumentKey) -> float:
        return self._state.quotes[key].last

    def taken_back(self, tag: Tag) -> str:
        """Why the entry of this tag is not wanted any more, or ``""``."""
        return self._sending.taken_back(tag)

    # -- looking in ------------------------------------------------------------------------------

    def view(self, at: datetime) -> DeskView:
        return viewing.view(
            self._state,
            self._exits,
            at,
            killing=self._kill.running,
            not_resumed=self._owner.not_resumed(),
        )

    def quote(self, symbol: str) -> QuoteView:
        """Raises UnknownName with a suggestion."""
        return viewing.quote(self._state, symbol)

    @property
    def busy(self) -> bool:
        """Whether a flatten is under way that the owner waits for."""
        return self._kill.running
