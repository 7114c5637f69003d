"""Leaving intraday positions before the broker does it, at its price and for its fee (india.md 5).

Every instrument has its own deadline. The rule is looked at with every tick of the clock instead of once at
an hour: a desk that starts, or is resumed, after the deadline does at once what is still to be done. A
contract on its last day is treated as an intraday position whatever its product: what is held at expiry of a
stock contract would have to be delivered (india.md 9).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from trader.desk.exits import Exits
from trader.desk.exposure import day_pnl, last_day
from trader.desk.overnight import Overnight
from trader.desk.portfolio import Slot, slot_of
from trader.desk.sending import Sending
from trader.desk.standing import gtt_words
from trader.desk.state import DeskState, Turn
from trader.domain.counting import counted
from trader.domain.instrument import symbol_of, symbols_text
from trader.domain.money import rupees
from trader.domain.order import EXTERNAL, Product, Purpose
from trader.domain.records import Priority
from trader.domain.times import IST, clock_text
from trader.market.calendar import Deadlines
from trader.market.phases import Phase, Venue

LOCKED_WARNING = timedelta(minutes=10)  # before the desk's own square-off
GTT_PATIENCE = timedelta(minutes=3)  # until the owner hears that a position is without a stop
_LATER = "The exchange has cancelled its stop orders for today; they are placed again at the next opening."
_NEVER = datetime.combine(date.max, time(), IST)


@dataclass(slots=True)
class _Round:
    """One venue's square-off of the day. Not recorded: after a restart it begins anew with what is left."""

    began: datetime
    slots: set[Slot] = field(default_factory=set)
    done: bool = False
    late: bool = False


class Squareoff:
    def __init__(self, state: DeskState, sending: Sending, exits: Exits, overnight: Overnight) -> None:
        self._state = state
        self._sending = sending
        self._exits = exits
        self._overnight = overnight
        self._day = date.min
        self._deadlines: dict[Venue, Deadlines] = {}
        self._first = _NEVER  # the day's earliest deadline: before it there is nothing to look at
        self._rounds: dict[Venue, _Round] = {}
        self._stops_end: dict[Venue, datetime] = {}
        self._warned: set[Venue] = set()
        self._resting_since: dict[Venue, datetime] = {}
        self._locked_told: set[Slot] = set()

    def on_clock(self, turn: Turn) -> None:
        self._roll(turn)
        if turn.at < self._first:
            return
        for venue, deadlines in self._deadlines.items():
            if deadlines.squareoff_at - LOCKED_WARNING <= turn.at < deadlines.broker_at:
                self._warn_locked(turn, venue, deadlines)
            if turn.at >= deadlines.squareoff_at:
                self._leave(turn, venue, deadlines)
        self._warn_unprotected(turn)

    def next_moment(self, at: datetime) -> datetime | None:
        """When the day's clock brings something next; None while there is something to close already."""
        if self._state.trading_day(at) != self._day:
            return None
        moments = [_NEVER, *self._stops_end.values()]
        for venue, deadlines in self._deadlines.items():
            moments += (deadlines.squareoff_at, deadlines.broker_at)
            if at >= deadlines.squareoff_at and any(
                self._due(slot, venue) for slot in self._state.portfolio.open_slots()
            ):
                return None
        return min(moment for moment in moments if moment > at)

    def _roll(self, turn: Turn) -> None:
        day = self._state.trading_day(turn.at)
        if day == self._day:
            return
        calendar = self._state.calendar
        self._day, self._rounds = day, {}
        self._deadlines = (
            {v: calendar.deadlines(day, v) for v in Venue} if calendar.is_trading_day(day) else {}
        )
        self._warned, self._resting_since = set(), {}
        self._stops_end = {}
        for venue, deadlines in self._deadlines.items():
            session = calendar.session(day, venue)
            if session is not None:
                self._stops_end[venue] = deadlines.stops_end or session.closes_at
        first = [deadlines.squareoff_at - LOCKED_WARNING for deadlines in self._deadlines.values()]
        self._first = min(first, default=_NEVER)
        self._locked_told = set()

    def _due(self, slot: Slot, venue: Venue) -> bool:
        state = self._state
        if slot.owner == EXTERNAL or state.venue(slot.key) is not venue:
            return False
        return slot.product is Product.MIS or last_day(state, slot.key) == self._day

    def _leave(self, turn: Turn, venue: Venue, deadlines: Deadlines) -> None:
        state = self._state
        for order in list(state.working.values()):
            slot = slot_of(order)
            if order.purpose is Purpose.ENTRY and self._due(slot, venue):
                self._sending.withdraw(turn, order, "intraday entries are over", Purpose.SQUAREOFF)
        held = [slot for slot in state.portfolio.open_slots() if self._due(slot, venue)]
        known = self._rounds.get(venue)
        if known is None and not held:
            return
        if known is None or (known.done and held):
            known = self._rounds[venue] = _Round(turn.at)
            self._tell_begin(turn, venue, held, deadlines)
        known.slots.update(held)
        opening = [s for s in held if not self._exits.leaving(s) and state.trades_now(s.key, turn.at)]
        self._exits.leave_all(turn, opening, Purpose.SQUAREOFF)
        self._report(turn, venue, known, deadlines)

    def _warn_locked(self, turn: Turn, venue: Venue, deadlines: Deadlines) -> None:
        """An intraday position that the owner was asked about and has not judged is nobody's: the desk does
        not close it, the broker will."""
        state = self._state
        for slot, position in sorted(state.portfolio.open_slots().items()):
            lock = state.locks.get(slot.key)
            if slot.owner != EXTERNAL or slot.product is not Product.MIS or slot in self._locked_told:
                continue
            if lock is None or lock.flattening or state.venue(slot.key) is not venue:
                continue
            self._locked_told.add(slot)
            symbol = symbol_of(slot.key)
            turn.alert(
                # chat puts the verdicts' buttons under what begins so (differences.py)
                f"difference:{slot.key}:{slot.product}:{self._day:%Y%m%d}:squareoff",
                Priority.CRITICAL,
                "difference",
                f"Closed at {deadlines.broker_at:%H:%M} unless you say: {position.quantity:+d} {symbol}",
                f"Intraday, from elsewhere, and without your verdict. Adopted, the desk closes it at"
                f" {deadlines.squareoff_at:%H:%M}; flattened, at once; else the broker does it from"
                f" {deadlines.broker_at:%H:%M}, at its own price and for a fee.\n"
                f"/adopt, /ignore or /flatten {symbol}.",
            )

    def _tell_begin(self, turn: Turn, venue: Venue, held: Iterable[Slot], deadlines: Deadlines) -> None:
        keys = sorted({slot.key for slot in held})
        turn.alert(
            f"squareoff:{self._day}:{venue.name}:{turn.at:%H%M%S}",
            Priority.FILL,
            "squareoff",
            f"Square-off: closing {counted(len(list(held)), 'position')}",
            f"{symbols_text(keys)}\nThe broker would do it at {deadlines.broker_at:%H:%M}, for a fee.",
        )

    def _report(self, turn: Turn, venue: Venue, known: _Round, deadlines: Deadlines) -> None:
        """Once everything is closed, and once if it is not when the broker begins."""
        open_slots = self._state.portfolio.open_slots()
        left = sorted(slot.key for slot in known.slots if slot in open_slots)
        if not left and not known.done:
            known.done = True
            turn.alert(
                f"squaredoff:{self._day}:{venue.name}:{known.began:%H%M%S}",
                Priority.FILL,
                "squareoff",
                f"Squared off {clock_text(turn.at)}: {counted(len(known.slots), 'position')} closed",
                f"Net today {rupees(day_pnl(self._state), signed=True)}.",
            )
        elif left and not known.late and turn.at >= deadlines.broker_at:
            known.late = True
            turn.alert(
                f"squareofflate:{self._day}:{venue.name}",
                Priority.CRITICAL,
                "squareoff",
                f"NOT squared off: {counted(len(left), 'position')} open",
                f"{symbols_text(left)}\nThe broker closes intraday positions from"
                f" {deadlines.broker_at:%H:%M}, at its own price and for a fee. Look into its app.",
            )

    def _warn_unprotected(self, turn: Turn) -> None:
        """When continuous trading ends the exchange cancels every stop: positions that stay overnight are
        without one until the next opening, or have a GTT."""
        for venue, ends in self._stops_end.items():
            if turn.at >= ends and venue not in self._warned and self._warn(turn, venue):
                self._warned.add(venue)

    def _warn(self, turn: Turn, venue: Venue) -> bool:
        """Whether it is told, or there is nothing to tell."""
        state = self._state
        staying = sorted(
            slot
            for slot in state.portfolio.open_slots()
            if slot.owner != EXTERNAL and state.venue(slot.key) is venue
        )
        if not staying:
            return True
        opens = f"{state.calendar.next_open(turn.at):%a %H:%M}"
        if not state.config.gtt:
            self._tell_stops(turn, venue, Priority.CRITICAL, f"No stops until {opens}", staying, _LATER)
            return True
        covered, bare, pending = self._overnight.outlook(turn, staying)
        if (pending or bare) and turn.at < self._decided_at(turn, venue):
            return False
        guards = "\n".join(gtt_words(state.standing[slot].gtt) for slot in covered)
        if not bare and not pending:
            lines = f"{guards}\nA GTT sells at its limit or better: what leaps over it is left to the desk."
            self._tell_stops(turn, venue, Priority.FILL, f"GTT stops until {opens}", staying, lines)
            return True
        lines = "".join(f"\nNo GTT for {symbol_of(slot.key)}: {why}" for slot, why in bare.items())
        lines += "".join(f"\nNo GTT for {symbol_of(slot.key)} so far." for slot in pending)
        lines += f"\nProtected: {guards}" if guards else ""
        self._tell_stops(
            turn,
            venue,
            Priority.CRITICAL,
            f"No stops until {opens}",
            sorted([*bare, *pending]),
            _LATER + lines,
        )
        return True

    def _decided_at(self, turn: Turn, venue: Venue) -> datetime:
        """How long to wait for what becomes of the GTTs: in an auction none is placed."""
        resting = self._state.calendar.phase(turn.at, venue) in (Phase.CLOSED, Phase.POST_CLOSE)
        if not resting:
            return _NEVER
        return self._resting_since.setdefault(venue, turn.at) + GTT_PATIENCE

    def _tell_stops(
        self, turn: Turn, venue: Venue, priority: Priority, title: str, slots: Sequence[Slot], body: str
    ) -> None:
        keys = sorted({slot.key for slot in slots})
        turn.alert(
            f"stopsended:{self._day}:{venue.name}",
            priority,
            "squareoff",
            f"{title}: {counted(len(keys), 'position')}",
            f"{symbols_text(keys)}\n{body}",
        )
