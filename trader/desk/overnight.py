"""Stops that stand at the broker while no day stop can: from the close to the next opening (Kite's GTT).

The exchange cancels every stop when continuous trading ends, and a desk or a machine that is dead in the
morning rests no new one. Never can both sell: the day's stop is dead when this one is placed, and is placed
again only when this one is proven gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trader.desk.effects import DeleteGtt, ListGtts, PlaceGtt, ReadBook
from trader.desk.events import BookPurpose, GttDeleted, GttNotPlaced, GttPlaced, GttsListed, GttsUnread
from trader.desk.exposure import last_day
from trader.desk.plans import closing_side, keep_plan
from trader.desk.portfolio import Slot
from trader.desk.risk import RiskGate
from trader.desk.standing import (
    STANDING,
    Stage,
    StandingStop,
    changed_words,
    dumped,
    gtt_words,
    loaded,
    same_terms,
)
from trader.desk.state import DeskState, Turn
from trader.domain.gtt import GttRow, GttStatus
from trader.domain.instrument import symbol_of
from trader.domain.order import EXTERNAL, Denied, Gtt, OrderRequest, OrderUpdate, Product, Purpose, Tag
from trader.domain.records import Priority, Setting
from trader.market import shaping
from trader.market.phases import Phase

PRODUCTS = (Product.CNC, Product.MTF, Product.NRML)  # Kite takes no GTT for the others
_AT_REST = (Phase.CLOSED, Phase.POST_CLOSE)  # neither continuous trading nor an auction
# Not so late that its placing and its removal would meet at the opening.
BEFORE_OPENING = timedelta(minutes=2)
ANSWER_WITHIN = timedelta(seconds=30)
BACKOFF = tuple(timedelta(seconds=s) for s in (1, 2, 4, 8, 15, 30, 60))  # between looks at what stands
ASK_AGAIN = timedelta(seconds=15)  # for the removal of one the broker would not delete
TRIES, TRY_AGAIN = 3, timedelta(minutes=5)  # of placing one, until the broker is reached anew
# As of orders (books.py): an accepted request was invisible for 83 s.
PROOF_AFTER, PROOF_READS = timedelta(seconds=120), 3
FRESH = timedelta(minutes=2)  # what was listed earlier says nothing about what stands now


@dataclass(slots=True)
class _Refusal:
    reason: str
    tries: int
    again_at: datetime


class Overnight:
    """What is only remembered here (refusals, doubts) begins anew after a restart, with a look at the
    broker."""

    def __init__(self, state: DeskState, gate: RiskGate) -> None:
        self._state = state
        self._gate = gate
        self._refused: dict[Slot, _Refusal] = {}
        self._undeleted: dict[Slot, datetime] = {}  # when to ask again for the removal
        self._taken_away: dict[Slot, str] = {}  # by the owner, in the night before this opening
        self._doubt: set[Slot] = set()  # what became of it shows in the broker's list
        self._absent: dict[Slot, int] = {}
        self._rows: Sequence[GttRow] = ()
        self._listed_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._looks = 0
        self._look_at: datetime | None = None
        self._unread = ""

    # -- life ------------------------------------------------------------------------------------

    def restore(self, turn: Turn, settings: Mapping[str, str]) -> bool:
        """Whether what stood is being looked up: the book is to be read after it, for then the order one
        became is known for what it is."""
        state = self._state
        state.standing = loaded(settings.get(STANDING, ""))
        for slot, stop in list(state.standing.items()):
            if stop.stage is Stage.SENT:
                state.standing[slot] = replace(stop, stage=Stage.UNKNOWN)
        return self.reached(turn)

    def reached(self, turn: Turn) -> bool:
        """The way to the broker stands again."""
        if not self._state.config.gtt:
            return False
        self._refused.clear()
        self._doubt |= set(self._state.standing)
        if self._doubt:
            self._look(turn)
        return bool(self._doubt)

    def on_clock(self, turn: Turn) -> None:
        state = self._state
        if not state.config.gtt or not (state.standing or state.portfolio.open_slots()):
            return
        for slot, stop in list(state.standing.items()):
            self._tend(turn, slot, stop)
        for slot in [*self._refused, *self._taken_away]:
            if not self._at_rest(turn, slot):
                self._refused.pop(slot, None)  # the next night begins anew
                self._taken_away.pop(slot, None)
        if state.reconciled:
            for slot in list(state.portfolio.open_slots()):
                if slot not in state.standing and self._due(turn, slot):
                    self._place(turn, slot)
        if self._doubt and (self._look_at is None or turn.at >= self._look_at):
            self._look(turn)

    # -- what others want to know ----------------------------------------------------------------

    def blocks(self, turn: Turn, slot: Slot) -> bool:
        """Whether one still stands that could sell beside an order of the day; then it is being removed."""
        stop = self._state.standing.get(slot)
        if stop is None or self._arrived(stop):
            return False
        self._remove(turn, slot, stop)
        return True

    def protects(self, slot: Slot) -> bool:
        stop = self._state.standing.get(slot)
        return stop is not None and stop.stage in (Stage.SENT, Stage.STANDS)

    def claim(self, turn: Turn, update: OrderUpdate) -> OrderRequest | None:
        """For an order that nobody here sent: the stop it is, when one of ours became it."""
        for slot, stop in list(self._state.standing.items()):
            named = stop.order_id == update.order_id
            if not named and (stop.order_id is not None or not stop.became(update)):
                continue
            tag = Tag(f"G{update.order_id}"[:20])
            if plan := self._state.plans.get(slot):
                keep_plan(self._state, turn, replace(plan, stop_tag=tag))
            if named:
                self._forget(turn, slot)
            else:  # its looks say so; the broker's list has the last word
                self._keep(turn, slot, replace(stop, stage=Stage.FIRED, order_id=update.order_id, at=turn.at))
                self._doubt.add(slot)
            gtt = stop.gtt
            return OrderRequest(
                tag, slot.owner, gtt.key, gtt.side, gtt.quantity, update.order_type, gtt.product,
                Purpose.STOP, update.at, price=update.price, trigger_price=gtt.trigger_price,
                note="its GTT was triggered",
            )  # fmt: skip
        return None

    def outlook(self, turn: Turn, slots: Iterable[Slot]) -> tuple[list[Slot], dict[Slot, str], list[Slot]]:
        """Which of them are protected until the next opening, which are not and why, and of which it is
        not known yet."""
        covered, bare, pending = [], {}, []
        for slot in slots:
            stop = self._state.standing.get(slot)
            if stop is not None and stop.stage is Stage.STANDS:
                covered.append(slot)
            elif why := self._why_not(slot):
                bare[slot] = why
            elif stop is not None or self._will(turn, slot):
                pending.append(slot)
            else:
                bare[slot] = "it has no plan with a stop"
        return covered, bare, pending

    def _why_not(self, slot: Slot) -> str:
        if slot.product not in PRODUCTS:
            return f"{slot.product} takes none"
        if slot in self._taken_away:
            return self._taken_away[slot]
        if refusal := self._refused.get(slot):
            return refusal.reason
        stop = self._state.standing.get(slot)
        if stop is not None and stop.stage is Stage.UNKNOWN:
            return "nobody knows yet whether the broker has it"
        return self._unread

    # -- placing ---------------------------------------------------------------------------------

    def _will(self, turn: Turn, slot: Slot) -> bool:
        """Whether a position is one to protect over the night."""
        state = self._state
        plan = state.plans.get(slot)
        if slot.owner == EXTERNAL or slot.product not in PRODUCTS or plan is None or plan.stop is None:
            return False
        last = last_day(state, slot.key)
        return state.instrument(slot.key) is not None and (last is None or last > state.trading_day(turn.at))

    def _due(self, turn: Turn, slot: Slot) -> bool:
        if slot in self._taken_away or not self._in_time(turn, slot) or not self._will(turn, slot):
            return False
        refusal = self._refused.get(slot)
        return refusal is None or (refusal.tries < TRIES and turn.at >= refusal.again_at)

    def _in_time(self, turn: Turn, slot: Slot) -> bool:
        """Whether one may be placed now."""
        until = self._state.calendar.next_open(turn.at) - turn.at
        return self._at_rest(turn, slot) and until > BEFORE_OPENING

    def _at_rest(self, turn: Turn, slot: Slot) -> bool:
        return self._state.calendar.phase(turn.at, self._state.venue(slot.key)) in _AT_REST

    def _place(self, turn: Turn, slot: Slot) -> None:
        """Only after a look at what stands: after a ledger was lost it may be there already."""
        if self._listed_at is None or turn.at - self._listed_at > FRESH:
            self._doubt.add(slot)
            return
        state = self._state
        instrument, position, plan = (
            state.instrument(slot.key),
            state.portfolio.position(slot),
            state.plans[slot],
        )
        assert instrument is not None  # noqa: S101 - _will looked
        assert plan.stop is not None  # noqa: S101 - the same
        side, last = closing_side(position), state.portfolio.last_price(slot, state.quotes)
        trigger, limit = shaping.overnight_stop(instrument, side, plan.stop, last)
        gtt = Gtt(slot.key, side, abs(position.quantity), slot.product, trigger, limit, last)
        ours = {stop.gtt_id for stop in state.standing.values()}
        for row in self._rows:
            if row.status is GttStatus.ACTIVE and row.gtt_id not in ours and same_terms(row.gtt, gtt):
                found = StandingStop(gtt, Stage.STANDS, turn.at, turn.at, row.gtt_id)
                self._keep(turn, slot, found)
                return
        verdict = self._gate.approve_gtt(gtt, instrument, position)
        if isinstance(verdict, Denied):
            self._note_refusal(turn, slot, verdict.sentence)
            return
        self._keep(turn, slot, StandingStop(gtt, Stage.SENT, turn.at, turn.at))
        turn.send(PlaceGtt(slot, verdict))

    def _note_refusal(self, turn: Turn, slot: Slot, reason: str) -> None:
        tries = self._refused[slot].tries + 1 if slot in self._refused else 1
        self._refused[slot] = _Refusal(reason, tries, turn.at + TRY_AGAIN)

    def placed(self, turn: Turn, event: GttPlaced) -> None:
        stop = self._state.standing.get(event.slot)
        if stop is not None and stop.stage in (Stage.SENT, Stage.UNKNOWN):
            self._refused.pop(event.slot, None)
            self._keep(turn, event.slot, replace(stop, stage=Stage.STANDS, gtt_id=event.gtt_id, at=turn.at))

    def not_placed(self, turn: Turn, event: GttNotPlaced) -> None:
        stop = self._state.standing.get(event.slot)
        if stop is None or stop.stage is not Stage.SENT:
            return
        if event.unknown:
            self._keep(turn, event.slot, replace(stop, stage=Stage.UNKNOWN, at=turn.at))
            self._doubt.add(event.slot)
        else:
            self._forget(turn, event.slot)
            self._note_refusal(turn, event.slot, event.reason)

    # -- removing --------------------------------------------------------------------------------

    def _tend(self, turn: Turn, slot: Slot, stop: StandingStop) -> None:
        state = self._state
        position = state.portfolio.position(slot)
        waited = turn.at - stop.at
        if stop.stage is Stage.SENT and waited > ANSWER_WITHIN:
            stop = replace(stop, stage=Stage.UNKNOWN, at=turn.at)
            self._keep(turn, slot, stop)
        if stop.stage is Stage.UNKNOWN or (stop.stage is Stage.DELETING and waited > ANSWER_WITHIN):
            self._doubt.add(slot)
        elif stop.stage is Stage.FIRED and not self._arrived(stop) and waited > PROOF_AFTER:
            if state.reconciled and not state.unread:  # else its order may be there, and nobody saw it yet
                self._failed(turn, slot, "The order it became is not in the book.")
        elif stop.stage is Stage.STANDS:
            bare = (
                -position.quantity * stop.gtt.side.sign - stop.gtt.quantity
            )  # units; below 0: it sells too much
            if bare < 0 or (bare > 0 and self._in_time(turn, slot)) or state.trades_now(slot.key, turn.at):
                self._remove(turn, slot, stop)

    def _remove(self, turn: Turn, slot: Slot, stop: StandingStop) -> None:
        if stop.stage is not Stage.STANDS or stop.gtt_id is None:
            return
        if slot in self._undeleted and turn.at < self._undeleted[slot]:
            return
        self._keep(turn, slot, replace(stop, stage=Stage.DELETING, at=turn.at))
        turn.send(DeleteGtt(stop.gtt_id))

    def deleted(self, turn: Turn, event: GttDeleted) -> None:
        for slot, stop in list(self._state.standing.items()):
            if stop.gtt_id != event.gtt_id or stop.stage is not Stage.DELETING:
                continue
            if not event.error and not event.unknown:
                self._forget(turn, slot)
                return
            self._doubt.add(slot)  # it may have been triggered, or deleted already
            if not event.unknown:
                self._keep(turn, slot, replace(stop, stage=Stage.STANDS, at=turn.at))
                self._undeleted[slot] = turn.at + ASK_AGAIN

    # -- looking ---------------------------------------------------------------------------------

    def _look(self, turn: Turn) -> None:
        if self._asked_at is not None and turn.at - self._asked_at < ANSWER_WITHIN:
            return
        self._asked_at = turn.at
        self._look_at = turn.at + BACKOFF[min(self._looks, len(BACKOFF) - 1)]
        self._looks += 1
        turn.send(ListGtts())

    def unread(self, event: GttsUnread) -> None:
        self._asked_at, self._unread = None, event.reason

    def listed(self, turn: Turn, event: GttsListed) -> None:
        self._asked_at, self._unread = None, ""
        self._rows, self._listed_at = event.rows, event.asked_at
        by_id = {row.gtt_id: row for row in event.rows}
        doubt, self._doubt = self._doubt, set()
        for slot, stop in list(self._state.standing.items()):
            if stop.stage is Stage.SENT or stop.at > event.asked_at:
                self._doubt |= {slot} & doubt
                continue
            taken = {other.gtt_id for other in self._state.standing.values() if other is not stop}
            row = by_id.get(stop.gtt_id) if stop.gtt_id is not None else None
            if stop.gtt_id is None:
                row = next((r for r in event.rows if r.gtt_id not in taken and stop.is_row(r)), None)
            if row is None:
                self._is_absent(turn, slot, stop)
            else:
                self._absent.pop(slot, None)
                self._is_shown(turn, slot, replace(stop, gtt_id=row.gtt_id), row)
        if not self._doubt:
            self._looks, self._look_at = 0, None

    def _is_shown(self, turn: Turn, slot: Slot, stop: StandingStop, row: GttRow) -> None:
        if row.status is GttStatus.ACTIVE:
            if not same_terms(row.gtt, stop.gtt):
                stop = self._changed(turn, slot, stop, row.gtt)
            if stop.stage is not Stage.STANDS:  # a removal that did not come about, or another's look-alike
                self._keep(turn, slot, replace(stop, stage=Stage.STANDS, order_id=None, at=turn.at))
        elif row.status is GttStatus.ENDED:
            self._is_gone(turn, slot, stop)
        elif row.order_id is not None:
            if row.order_id in self._state.tags_by_id:
                self._forget(turn, slot)
            else:
                fired = replace(stop, stage=Stage.FIRED, order_id=row.order_id)
                self._keep(turn, slot, fired if stop.stage is Stage.FIRED else replace(fired, at=turn.at))
                turn.send(ReadBook(BookPurpose.RESOLVE))  # the stream tells of an order once
                self._doubt.add(slot)
        elif row.message:
            self._failed(turn, slot, row.message)
        elif self._arrived(stop) and turn.at - stop.at > PROOF_AFTER:
            self._forget(turn, slot)  # its order is here by its looks, and the list names no other
        else:  # the broker is at it: its order may rest already, and the list not name it yet
            if stop.stage is not Stage.FIRED:
                self._keep(turn, slot, replace(stop, stage=Stage.FIRED, at=turn.at))
            if stop.order_id is None:
                turn.send(ReadBook(BookPurpose.RESOLVE))
            self._doubt.add(slot)

    def _changed(self, turn: Turn, slot: Slot, stop: StandingStop, gtt: Gtt) -> StandingStop:
        """By the owner; as with his deletion, his price holds until the opening. Units that are not those
        held do not (``_tend``)."""
        changed = replace(stop, gtt=gtt)
        self._keep(turn, slot, changed)
        bare = abs(self._state.portfolio.position(slot).quantity) - gtt.quantity
        words = changed_words(stop.gtt, gtt, bare, anew=self._in_time(turn, slot))
        alert_id, title = f"gttchanged:{stop.gtt_id}:{turn.at:%Y%m%d%H%M%S}", "GTT changed elsewhere"
        turn.alert(alert_id, Priority.CRITICAL, "order", f"{title}: {symbol_of(slot.key)}", words)
        return changed

    def _is_absent(self, turn: Turn, slot: Slot, stop: StandingStop) -> None:
        count = self._absent[slot] = self._absent.get(slot, 0) + 1
        needed = PROOF_READS if stop.gtt_id is None else 2
        young = stop.gtt_id is None and turn.at - stop.sent_at < PROOF_AFTER
        if count < needed or young:
            self._doubt.add(slot)
        elif self._arrived(stop):
            self._forget(turn, slot)
        else:
            self._is_gone(turn, slot, stop)

    def _is_gone(self, turn: Turn, slot: Slot, stop: StandingStop) -> None:
        """Deleted, by us or by the owner; his deletion holds until the opening."""
        self._forget(turn, slot)
        held = self._state.portfolio.position(slot).quantity
        if stop.stage is Stage.STANDS and held and self._at_rest(turn, slot):
            self._taken_away[slot] = "it was deleted at the broker"
            turn.alert(
                f"gttgone:{stop.gtt_id}",
                Priority.CRITICAL,
                "order",
                f"GTT deleted: {symbol_of(slot.key)}",
                f"{gtt_words(stop.gtt)} is not at the broker any more, and this desk did not delete it."
                " No other is placed; the day's stop follows at the opening.",
            )

    def _failed(self, turn: Turn, slot: Slot, why: str) -> None:
        stop = self._state.standing[slot]
        self._forget(turn, slot)
        turn.alert(
            f"gttfailed:{stop.gtt_id}",
            Priority.CRITICAL,
            "order",
            f"GTT triggered, nothing sold: {symbol_of(slot.key)}",
            f"{gtt_words(stop.gtt)}: {why}\nThe desk protects the position itself while it runs.",
        )

    # -- recording -------------------------------------------------------------------------------

    def _arrived(self, stop: StandingStop) -> bool:
        """Whether it has become an order that the desk knows."""
        return (
            stop.stage is Stage.FIRED
            and stop.order_id is not None
            and stop.order_id in self._state.tags_by_id
        )

    def _keep(self, turn: Turn, slot: Slot, stop: StandingStop) -> None:
        self._state.standing[slot] = stop
        turn.write(Setting(STANDING, dumped(self._state.standing)))

    def _forget(self, turn: Turn, slot: Slot) -> None:
        del self._state.standing[slot]
        self._doubt.discard(slot)
        self._absent.pop(slot, None)
        self._undeleted.pop(slot, None)
        turn.write(Setting(STANDING, dumped(self._state.standing)))
