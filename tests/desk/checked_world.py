"""A DeskWorld that holds every event to the promises of DESIGN.md."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime

from broker_book import Reply
from world import DeskWorld, sends

from trader.desk.effects import Effect, Submit, Write
from trader.desk.events import Event
from trader.desk.exposure import exposure
from trader.desk.limits import BROKER_ORDERS_PER_SECOND
from trader.desk.locks import LOCKS, MANUAL, dumped
from trader.desk.portfolio import slot_of
from trader.domain.order import EXTERNAL, Purpose, Tag
from trader.domain.position import Fill
from trader.domain.records import DeskMode, InstanceStatus, Setting


class CheckedWorld(DeskWorld):
    """``may_flip``: placements were taken whose answers were lost, so two exits can cross at the broker."""

    may_flip = False

    def _carry_out(self, event: Event | None, effects: list[Effect]) -> None:
        self._check_decisions(effects)
        super()._carry_out(event, effects)
        self._check_books()

    # -- what was decided ------------------------------------------------------------------------

    def _check_decisions(self, effects: list[Effect]) -> None:
        state = self.desk._state
        self.sent: defaultdict[datetime, int] = getattr(self, "sent", defaultdict(int))
        self.tags: Counter[Tag] = getattr(self, "tags", Counter())
        self.sent[self.now] += len(sends(effects))
        assert self.sent[self.now] <= BROKER_ORDERS_PER_SECOND, "the broker's rate"
        intents = {e.record.tag for e in effects if isinstance(e, Write) and hasattr(e.record, "request")}
        for effect in effects:
            if not isinstance(effect, Submit):
                continue
            request = effect.approved.request
            self.tags[request.tag] += 1
            assert self.tags[request.tag] == 1, "an intent is sent once"
            assert request.tag in intents, "no commit, no send"
            if request.purpose is Purpose.ENTRY:
                assert state.latch.mode is DeskMode.ACTIVE
                assert request.key not in state.locks, "a lock holds every entry"
                assert state.instances[request.owner].instance.status is InstanceStatus.RUNNING
                assert exposure(state) <= self.limits.max_exposure, "\n".join(str(e)[:260] for e in effects)
                assert state.pace.in_second <= self.limits.orders_per_second
                assert state.counters.entries <= self.limits.max_trades_per_day

    # -- what is so ------------------------------------------------------------------------------

    def _check_books(self) -> None:
        state = self.desk._state
        fills: list[Fill] = list(self.ledger._kept[Fill].values())
        sums: Counter[object] = Counter()
        for fill in fills:
            sums[slot_of(fill)] += fill.quantity * fill.side.sign
        for position in state.portfolio.all_positions():
            if position.owner in (EXTERNAL, MANUAL):
                continue  # may be taken over, without fills; their sum is looked at below
            assert position.quantity == sums[slot_of(position)], "a position is the sum of its fills"
        account: Counter[object] = Counter()
        for fill in fills:
            account[fill.key, fill.product] += fill.quantity * fill.side.sign
        assert self.account() == {at: n for at, n in account.items() if n}, "the account is the sum of all"
        rows = [row for row in self.broker.rows.values() if row.tag is not None]
        assert len({row.tag for row in rows}) == len(rows), "one broker order for each intent"
        elsewhere = (Purpose.ENTRY, Purpose.EXTERNAL)
        closing = [o for o in state.working.values() if o.purpose not in elsewhere and o.order_id]
        if not self.may_flip:
            # What others hold may grow while it is being left: then a second exit closes the rest.
            by_slot = Counter((o.owner, o.key, o.product) for o in closing if o.owner != EXTERNAL)
            assert not by_slot or max(by_slot.values()) == 1, "one order rests to close a position"
            self._check_never_through_zero()
        self._check_locks()

    def _check_locks(self) -> None:
        """What nobody here made is locked, or the owner has judged it as it is, or it is being left."""
        state = self.desk._state
        if not state.reconciled:
            return
        for slot, position in state.portfolio.open_slots().items():
            if slot.owner == EXTERNAL and slot.key not in state.locks:
                judged = state.asked.get((slot.key, slot.product)) == position.quantity
                assert judged or self.desk._exits.leaving(slot), "an external position nobody was asked about"
        kept = self.ledger._kept[Setting].get(LOCKS)
        written = kept.value if kept is not None else dumped({}, {})
        assert written == dumped(state.locks, state.asked), "a restart would forget a lock"

    def _check_never_through_zero(self) -> None:
        """At the broker, exits never come to more than what the entries before them bought."""
        held: Counter[object] = Counter()
        rows = list(self.broker.rows.values())
        for row in rows:
            held[row.key, row.product] += row.filled_quantity * row.side.sign
        if not hasattr(self, "side_of"):
            self.side_of: dict[object, int] = {}
        for at, quantity in held.items():
            entered = {
                o.request.side.sign
                for o in self.desk._state.orders.values()
                if o.request.purpose is Purpose.ENTRY and (o.key, o.product) == at
            }
            # What the owner trades elsewhere, heard of or not, may end on any side it traded.
            entered |= {r.side.sign for r in rows if r.tag is None and (r.key, r.product) == at}
            assert not quantity or (1 if quantity > 0 else -1) in entered, "an exit flipped the position"

    # -- the end ---------------------------------------------------------------------------------

    def comes_to_rest(self) -> None:
        """Everything is delivered, the market trades, the owner kills: the books agree and all is flat."""
        broker = self.broker
        broker.fills, broker.readable, broker.slice = True, True, None
        broker.replies.clear()
        broker.change_replies.clear()
        broker.hidden.clear()
        self.deliver = True
        self.post()
        for key in list(self.prices):
            self.tick(self.prices[key], key)
        self.kill()
        self.clock(420)
        assert self.account() == broker.net() == {}
        assert not self.state.working
        assert not [row for row in broker.orders() if not row.status.final]
        ours: Counter[str] = Counter()
        for fill in self.fills():
            ours[fill.order_id] += fill.quantity
        assert ours == {
            row.order_id: row.filled_quantity for row in broker.rows.values() if row.filled_quantity
        }
        assert not self.desk.busy


ANSWERED = (Reply.OK, Reply.REFUSED, Reply.LOST, Reply.GONE)
