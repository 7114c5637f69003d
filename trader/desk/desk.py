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
    BrokerReached,
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
    JobDue,
    MarketBack,
    MarketLost,
    OrderAcked,
    OrderOutcomeUnknown,
    OrderRefusedByBroker,
    OrderUpdated,
    RangePassed,
    TicksArrived,
)
from trader.desk.executions import Executions
from trader.desk.exits import Exits
from trader.desk.funding import Purse
from trader.desk.guard import Guard
from trader.desk.instances import Instances
from trader.desk.judging import Judging
from trader.desk.kill import Kill
from trader.desk.lookout import Lookout
from trader.desk.orders import describe
from trader.desk.overnight import Overnight
from trader.desk.owner import OwnerDesk
from trader.desk.plans import plan_text
from trader.desk.portfolio import Booked, Slot, slot_of
from trader.desk.register import Register
from trader.desk.risk import RiskGate
from trader.desk.runner import Runner
from trader.desk.sending import Sending
from trader.desk.severed import tell_what_stays_open
from trader.desk.squareoff import Squareoff
from trader.desk.state import DeskConfig, DeskState, Turn
from trader.desk.still import Stillness, stillness
from trader.desk.updates import Updates
from trader.desk.view import DeskView, QuoteView
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.market import Tick
from trader.domain.money import rupees
from trader.domain.order import EXTERNAL, Order, Purpose
from trader.domain.position import Fill
from trader.domain.records import DeskMode, Latch, LedgerState, Priority, RiskCounters
from trader.domain.times import clock_text
from trader.strategy.options import Options

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
        self._lookout = Lookout(self._state, self._exits)
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
        )
        self._purse = Purse(self._state)
        self._daybook = Daybook(self._state)
        self._owner = OwnerDesk(
            self._state, self._instances, self._guard, self._kill, self._books, self._judging
        )
        self._updates.on_fill = self._filled
        self._register.on_end = self._exits.order_ended
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
        self._guard.restore(turn, ledger.settings)
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
        match event:
            case TicksArrived(ticks=ticks):
                self._ticks(turn, ticks)
            case RangePassed(bar=bar):
                self._exits.on_range(turn, bar)
            case BarClosed(bar=bar):
                self._runner.on_bar(turn, bar)
            case ClockTicked():
                self._clock(turn)
            case OrderUpdated(update=update):
                self._updates.merge(turn, update)
            case OrderAcked(tag=tag, order_id=order_id):
                self._answers.acked(turn, tag, order_id)
            case OrderRefusedByBroker(tag=tag, reason=reason):
                self._answers.refused(turn, tag, reason)
            case OrderOutcomeUnknown(tag=tag, reason=reason):
                self._answers.outcome_unknown(turn, tag, reason)
            case ChangeAnswered(tag=tag, error=error, unknown=unknown, used_up=used_up):
                self._answers.change_answered(turn, tag, error, outcome_unknown=unknown, used_up=used_up)
            case BookRead():
                self._books.on_book(turn, event)
                self._kill.on_reconciled(turn)
                if event.purpose is BookPurpose.KILL:
                    self._kill.on_book(turn, event)
            case FundsRead():
                self._purse.on_funds(turn, event)
            case BrokerReached():
                self._overnight.reached(turn)
                turn.send(ReadBook(BookPurpose.RECONCILE))
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
            case BrokerLost():
                self._books.on_broker_lost(turn)
                tell_what_stays_open(turn, self._state, self._exits)
            case BookFailed(purpose=purpose, reason=reason):
                self._books.on_book_failed(turn, reason)
                if purpose is BookPurpose.KILL:
                    self._kill.on_book_failed(turn, reason)
            case MarketLost(keys=keys):
                self._runner.mending.lost(keys)
            case MarketBack():
                self._runner.mending.back()
            case HistoryLoaded(owner=owner, key=key, bars=bars):
                self._runner.warming.loaded(turn, owner, key, bars)
            case HistoryFailed(owner=owner, key=key, reason=reason, passing=passing):
                self._runner.warming.failed(turn, owner, key, reason, passing=passing)
            case CommandGiven():
                self._owner.handle(turn, event)
            case JobDue():
                self._daybook.on_job(turn, event)
            case HouseFault(code=code, reason=reason):
                title = HOUSE_FAULTS.get(code, "something around the desk broke")
                self._guard.halt(turn, code, title, reason, by="the house")
        if turn.effects or isinstance(event, BookRead):
            self._differences.settle(turn)
        self._after_flat(turn)
        return turn.effects

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

    # -- fills -----------------------------------------------------------------------------------

    def _filled(self, turn: Turn, order: Order, fill: Fill, booked: Booked) -> None:
        """After every booked fill: protect or close, count, tell."""
        slot = slot_of(fill)
        held = booked.position.quantity
        fate = self._sending.fate(order.tag)
        if held * fill.side.sign >= 0 and abs(held) <= fill.quantity:  # nothing of what was there is left
            self._guard.drop_mark(turn, slot)
        if not held:
            self._exits.closed(turn, slot)
        elif order.purpose is Purpose.ENTRY:
            running = self._state.instances.get(slot.owner)
            # A strategy that could not be restarted leaves no options; its entry is protected all the same.
            self._exits.entered(turn, slot, running.options if running is not None else Options())
        elif order.purpose is not Purpose.EXTERNAL and held * fill.side.sign > 0:
            self._oversold(turn, slot, order, fill)
        else:
            self._exits.reduced(turn, slot)
        if held and fate is not None:
            self._exits.leave(turn, slot, fate)
        if order.filled_quantity > order.quantity:
            self._guard.halt(
                turn,
                "overfill",
                "more was filled than ordered",
                f"{order.filled_quantity} {symbol_of(order.key)} were filled of {order.quantity} ordered.",
            )
        if booked.trade is not None:
            self._guard.traded(turn, booked.trade)
        if order.purpose is Purpose.EXTERNAL:
            self._differences.filled(turn, order, fill, booked)
        if order.purpose is not Purpose.EXTERNAL or slot.owner != EXTERNAL:
            self._tell_fill(turn, slot, order, fill, booked)
        self._guard.check(turn)

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

    def _oversold(self, turn: Turn, slot: Slot, order: Order, fill: Fill) -> None:
        """An exit closed more than was held, because two of them crossed at the broker. Nobody decided on
        the position it made, so it is left at once."""
        self._exits.flipped(turn, slot)
        turn.alert(
            f"oversold:{fill.fill_id}",
            Priority.CRITICAL,
            "order",
            f"Closed twice: {describe(order)}",
            "Two exits crossed at the broker. The position they made is being closed.",
        )
        self._exits.leave(turn, slot, Purpose.KILL)

    def _tell_fill(self, turn: Turn, slot: Slot, order: Order, fill: Fill, booked: Booked) -> None:
        """The title alone tells it: in a digest there is room for nothing else."""
        outcome = str(order.purpose)
        lines = [f"{fill.owner} · {clock_text(fill.at)}"]
        if booked.trade is not None:
            trade = booked.trade
            outcome = f"{order.purpose} {rupees(trade.net, signed=True)}"
            lines.append(f"{rupees(trade.pnl, signed=True)} less {rupees(trade.charges)} charges")
        else:
            text = plan_text(self._state.plans.get(slot))
            if text:
                lines.append(text)
        if order.working:
            lines.append(f"{order.filled_quantity} of {order.quantity} filled")
        turn.alert(
            f"fill:{fill.fill_id}",
            Priority.FILL,
            "fill",
            f"{fill.side} {fill.quantity} {symbol_of(fill.key)} @ {rupees(fill.price)} · {outcome}",
            "\n".join(lines),
        )

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

    # -- looking in ------------------------------------------------------------------------------

    def view(self, at: datetime) -> DeskView:
        return viewing.view(self._state, self._exits, at, killing=self._kill.running)

    def quote(self, symbol: str) -> QuoteView:
        """Raises UnknownName with a suggestion."""
        return viewing.quote(self._state, symbol)

    @property
    def busy(self) -> bool:
        """Whether a flatten is under way that the owner waits for."""
        return self._kill.running
