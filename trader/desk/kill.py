"""/kill: latch, cancel, flatten, read the broker again, and report what is so.

The latch is thrown in the same transaction that records the command, before anything is sent. The report
comes from the broker's own book, not from what was asked of it. Everything is bounded: after the last
attempt the owner gets a table of what is not flat.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from trader.desk.effects import ReadBook
from trader.desk.events import BookPurpose, BookRead
from trader.desk.exits import Exits
from trader.desk.exposure import day_pnl
from trader.desk.guard import DAILY, NOT_TODAY, Guard
from trader.desk.portfolio import DELIVERED, Slot, delivered, slot_of
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.counting import counted
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.money import rupees
from trader.domain.order import BrokerPosition, Order, OrderState, OrderUpdate, Product, Purpose, Tag
from trader.domain.records import DeskMode, Priority, Setting
from trader.domain.times import clock_text
from trader.market.phases import Phase

_RUN = "killing"  # the setting under which a flatten under way survives a restart
ATTEMPTS = 3
ATTEMPT_LASTS = timedelta(seconds=20)  # of market time, until the broker is asked although not all is quiet
READ_AGAIN = timedelta(seconds=5)


@dataclass(slots=True)
class _Run:
    """``positions`` and ``orders`` are those of its beginning; what such an order fills all the same is one
    of the positions."""

    source_id: str
    began: datetime
    positions: frozenset[Slot]
    orders: frozenset[Tag]
    attempt: int = 1
    attempt_began: datetime | None = None
    reading_since: datetime | None = None
    failed_reads: int = 0


class Kill:
    def __init__(self, state: DeskState, sending: Sending, exits: Exits, guard: Guard) -> None:
        self._state = state
        self._sending = sending
        self._exits = exits
        self._guard = guard
        self._run: _Run | None = None
        # Reported as not flat, and not flat yet: pursued until it is, or until the owner or the day resumes.
        self._unfinished: _Run | None = None

    @property
    def running(self) -> bool:
        return self._run is not None

    @property
    def finished(self) -> bool:
        return self._run is None and self._unfinished is None

    def halt(self, turn: Turn, actor: str) -> None:
        """The latch alone."""
        before = self._state.latch
        reason = f"/kill by {actor}"
        if before.mode is DeskMode.HALTED and before.code != "killed":
            reason += f"; halted before: {before.reason}"  # whoever resumes must hear of both
        self._guard.latch(turn, DeskMode.HALTED, "killed", reason, actor)

    def begin(self, turn: Turn, source_id: str, actor: str) -> str:
        """Throw the latch and start flattening; the sentence for the owner. Safe to repeat."""
        self.halt(turn, actor)
        state = self._state
        orders = [o for o in state.working.values() if o.purpose in (Purpose.ENTRY, Purpose.EXTERNAL)]
        positions = self._open()
        self._start(turn, source_id, positions, orders)
        self._flatten(turn)
        return (
            f"HALTED at {clock_text(turn.at)}.\n"
            f"Cancelling {counted(len(orders), 'order')}, closing {counted(len(positions), 'position')}."
            " The broker is read again and a report follows."
        )

    def follow(self, turn: Turn) -> None:
        """A breached limit is closing everything: prove it as /kill does."""
        state = self._state
        orders = [o for o in state.working.values() if o.purpose is Purpose.ENTRY]
        self._start(turn, f"breach:{turn.at:%Y%m%d%H%M%S}", self._open(), orders)

    def _start(self, turn: Turn, source_id: str, positions: list[Slot], orders: list[Order]) -> None:
        if self._run is None:
            tags = frozenset(order.tag for order in orders)
            self._run = _Run(source_id, turn.at, frozenset(positions), tags, attempt_began=turn.at)
            self._keep(turn, self._run)

    def _keep(self, turn: Turn, run: _Run, *, reported: bool = False) -> None:
        kept = (run.source_id, run.began.isoformat(), sorted(run.positions), sorted(run.orders), reported)
        turn.write(Setting(_RUN, json.dumps(kept)))

    def _flatten(self, turn: Turn) -> None:
        for order in list(self._state.working.values()):
            if order.purpose in (Purpose.ENTRY, Purpose.EXTERNAL):
                self._sending.withdraw(turn, order, "/kill", Purpose.KILL)
        self._exits.leave_all(turn, self._open(), Purpose.KILL)

    def _open(self) -> list[Slot]:
        """What is to be closed. Shares of his own that the owner has sold are not bought back."""
        return list(self._state.portfolio.at_stake())

    def restore(self, turn: Turn, settings: Mapping[str, str]) -> None:
        """The process died while it was flattening: go on once the book has been read. The owner waits for
        the report."""
        kept = json.loads(settings.get(_RUN) or "null")
        if kept is None:
            return
        if not self._state.halted:
            self._done(turn)  # the day that began meanwhile resumed
            return
        source_id, began, positions, orders, reported = kept
        slots = frozenset(Slot(*slot) for slot in positions)
        run = _Run(source_id, datetime.fromisoformat(began), slots, frozenset(orders))
        if reported:
            self._unfinished = run
            return
        self._run = run
        for order in list(self._state.working.values()):
            if order.purpose in (Purpose.ENTRY, Purpose.EXTERNAL):
                self._sending.withdraw(turn, order, "/kill", Purpose.KILL)

    def on_reconciled(self, turn: Turn) -> None:
        """The first book after a restart was read."""
        if self._run is not None and self._run.attempt_began is None:
            self._run.attempt_began = turn.at
            self._flatten(turn)

    def _done(self, turn: Turn) -> None:
        self._run = self._unfinished = None
        turn.write(Setting(_RUN, ""))

    def forget(self, turn: Turn) -> None:
        """The owner resumes: what a kill could not close is his again."""
        if self._unfinished is not None:
            self._sending.give_up_kill(turn)
            self._exits.give_up_kill(turn)
            self._done(turn)

    def _go_on(self, turn: Turn) -> None:
        """Leave what is still there whenever it can be; once nothing is, prove it."""
        state, run = self._state, self._unfinished
        if run is None or not state.reconciled:
            return
        if not self._open() and not state.working:
            self._run, self._unfinished = run, None
            run.attempt, run.attempt_began, run.reading_since = 1, turn.at, turn.at
            turn.send(ReadBook(BookPurpose.KILL))
            return
        for slot in self._open():
            if not self._exits.leaving(slot):
                self._exits.leave(turn, slot, Purpose.KILL)

    def _can_trade(self, turn: Turn) -> bool:
        """Whether anything that is to be closed is traded now; with nothing known of, whether anything is."""
        state = self._state
        keys = {slot.key for slot in self._open()}
        keys |= {order.key for order in state.working.values()}
        if not keys:
            return state.calendar.phase(turn.at) is Phase.OPEN
        return any(
            state.calendar.phase(turn.at, state.venue(key)) in (Phase.OPEN, Phase.AUCTION) for key in keys
        )

    # -- until it is done ------------------------------------------------------------------------

    def on_clock(self, turn: Turn) -> None:
        if not self.finished and not self._state.halted:
            # The new day resumed: what is on its way out is left, what is entered from now on is not meant.
            self._done(turn)
        run = self._run
        if run is None:
            self._go_on(turn)
            return
        if run.reading_since is not None and turn.at - run.reading_since < READ_AGAIN:
            return
        state = self._state
        quiet = not self._open() and not state.working and not state.standing
        closed = not self._can_trade(turn)
        waited = run.attempt_began is not None and turn.at - run.attempt_began >= ATTEMPT_LASTS
        if quiet or closed or waited:
            run.reading_since = turn.at
            turn.send(ReadBook(BookPurpose.KILL))

    def on_book(self, turn: Turn, book: BookRead) -> None:
        """Judge by what the broker shows; the desk's own books were reconciled with it just before."""
        run = self._run
        if run is None:
            return
        run.reading_since = None
        positions = [p for p in book.positions if p.quantity and not delivered(p)]
        orders = [o for o in book.orders if not o.status.final]
        # An order of ours that the book does not show may still come to it (faults.md 3).
        ours = self._open() or self._state.working or self._state.standing
        if not positions and not orders and not ours:
            self._report_flat(turn, run)
        elif run.attempt >= ATTEMPTS or not self._can_trade(turn):
            self._flatten(turn)  # what this reading was the first to show is left too, reported or not
            self._report_not_flat(turn, run, positions, orders)
        else:
            run.attempt += 1
            run.attempt_began = turn.at
            self._flatten(turn)

    def on_book_failed(self, turn: Turn, reason: str) -> None:
        run = self._run
        if run is None:
            return
        run.reading_since = turn.at  # try again after a pause
        run.failed_reads += 1
        rounds, rest = divmod(run.failed_reads, ATTEMPTS)
        if not rest and rounds.bit_count() == 1:  # after 3, 6, 12, 24 … failures
            turn.alert(
                f"kill:{run.source_id}:unread:{run.failed_reads}",
                Priority.CRITICAL,
                "kill",
                "NOT CONFIRMED: the broker cannot be read",
                f"{reason}\nThe desk is HALTED and keeps trying. Check the broker's own app.",
            )

    def _report_flat(self, turn: Turn, run: _Run) -> None:
        took = int((turn.at - run.began).total_seconds())
        known = self._state.orders
        asked = [known[tag] for tag in run.orders if tag in known]
        entered = {slot_of(o) for o in asked if o.purpose is Purpose.ENTRY and o.filled_quantity}
        closed = len(run.positions | entered)
        cancelled = sum(order.state is OrderState.CANCELLED for order in asked)
        turn.alert(
            f"kill:{run.source_id}:flat",
            Priority.CRITICAL,
            "kill",
            f"FLAT verified {clock_text(turn.at)}",
            f"{closed}/{closed} positions closed, {counted(cancelled, 'order')} cancelled,"
            f" 0 left at the broker, {took} s.\n"
            f"Net today {rupees(day_pnl(self._state), signed=True)}.\n"
            f"The desk stays HALTED{self._until()}",
        )
        self._done(turn)

    def _until(self) -> str:
        """How long the halt lasts."""
        if self._state.latch.code in DAILY:
            return f". {NOT_TODAY}"
        if why := self._guard.blocked_by():
            return f", and /resume would halt it again: {why}"
        return "; /resume trades again."

    def _report_not_flat(
        self, turn: Turn, run: _Run, positions: list[BrokerPosition], orders: list[OrderUpdate]
    ) -> None:
        at_stake = self._state.portfolio.at_stake()
        held = Counter[tuple[InstrumentKey, Product]]()
        for slot, one in at_stake.items():
            held[slot.key, slot.product] += one.quantity
        left = {(p.key, p.product): p.quantity for p in positions}
        # Of shares of earlier days the broker shows no position, or only what was bought of them today.
        left |= {at: max(n, held[at]) for at, n in left.items() if at[1] in DELIVERED}
        lines = [f"{symbol_of(key)} {product} {n:+d}" for (key, product), n in left.items()]
        lines += [
            f"{symbol_of(slot.key)} {slot.product} {one.quantity:+d}"
            for slot, one in sorted(at_stake.items())
            if (slot.key, slot.product) not in left
        ]
        lines += [
            f"{symbol_of(o.key)} {o.side} {o.quantity - o.filled_quantity} {o.order_type} {o.status.lower()}"
            for o in orders
        ]
        shown = {o.order_id for o in orders}
        lines += [
            f"{symbol_of(o.key)} {o.side} {o.pending_quantity} outcome unknown"
            for o in self._state.working.values()
            if o.order_id not in shown
        ]
        gtts = [stop.gtt for stop in self._state.standing.values()]
        lines += [f"{symbol_of(gtt.key)} GTT {gtt.side} {gtt.quantity}" for gtt in gtts]
        if not self._can_trade(turn):
            why = (
                f"The market is {self._state.calendar.describe(turn.at)}; exits go out at its next opening"
                " while this process runs."
            )
        else:
            why = "Attempts are used up. Send /kill again, or close these in the broker's own app."
        turn.alert(
            f"kill:{run.source_id}:notflat",
            Priority.CRITICAL,
            "kill",
            f"NOT FLAT at {clock_text(turn.at)}",
            "\n".join([*lines, why, "The desk is HALTED."]),
        )
        self._run, self._unfinished = None, run
        self._keep(turn, run, reported=True)
