"""The latch and what throws it: limits breached while positions move, and the day's turn."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from trader.desk.exits import Exits
from trader.desk.exposure import day_pnl, drawdown_pct, equity
from trader.desk.portfolio import Slot, own_sale
from trader.desk.register import Register
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.counting import counted
from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO, rupees
from trader.domain.order import EXTERNAL, Order, Product, Purpose
from trader.domain.position import Trade
from trader.domain.records import DeskMode, Latch, Priority, Setting
from trader.domain.values import replaced

# Latches that a new trading day lifts by itself: they limit one day.
DAILY = ("daily_loss",)
NOT_TODAY = "No entries today; trading resumes by itself on the next trading day."
CLOSING = "All positions are being closed."
# Latches that mean: close everything. One that was thrown while the owner had paused the desk does not end
# with the day, or the morning would undo the pause.
BREACHES = ("daily_loss", "daily_loss_paused", "drawdown")
_MARKS = "opening_marks"  # the setting that carries them over a restart
_LAST = "last_marks"  # what positions that stay overnight were last worth: tomorrow's opening marks
MARK_EVERY = timedelta(minutes=5)
# Entries that the broker rejects one after the other are wrong all in the same way (faults.md 26).
REJECTED, REJECTED_WITHIN = 5, timedelta(minutes=5)


class Guard:
    def __init__(self, state: DeskState, register: Register, sending: Sending, exits: Exits) -> None:
        self._state = state
        self._register = register
        self._sending = sending
        self._exits = exits
        self.on_breach: Callable[[Turn], None] = lambda turn: None
        self._marked_at: datetime | None = None
        self._last_marks: dict[str, float] = {}  # by instrument, from the ledger
        self._rejected: deque[datetime] = deque(maxlen=REJECTED)  # the last entries; not recorded
        self._told: set[str] = set()  # codes the owner has heard of since the desk was last ACTIVE

    # -- the latch -------------------------------------------------------------------------------

    def latch(self, turn: Turn, mode: DeskMode, code: str, reason: str, by: str) -> None:
        """Throw the latch, never to something milder. A second reason for the same mode keeps the first,
        unless that one would end with the day or the owner has killed since. Nothing that was on its way in
        is wanted while HALTED."""
        now = self._state.latch
        outlasts = mode is now.mode and (
            (now.code in DAILY and code not in DAILY) or (code == "killed" and now.code != "killed")
        )
        if mode.severity <= now.mode.severity and not outlasts:
            return
        self._set(turn, Latch(mode, code, reason, turn.at, by))
        if mode is DeskMode.HALTED:
            self.withdraw_entries(turn, reason, None)

    def withdraw_entries(self, turn: Turn, why: str, fate: Purpose | None) -> None:
        for order in list(self._state.working.values()):
            if order.purpose is Purpose.ENTRY:
                self._sending.withdraw(turn, order, why, fate)

    def release(self, turn: Turn, by: str) -> None:
        self._told.clear()
        self._set(turn, Latch(DeskMode.ACTIVE, "", "trading", turn.at, by))

    def _set(self, turn: Turn, latch: Latch) -> None:
        self._state.latch = latch
        turn.write(latch)

    def halt(
        self,
        turn: Turn,
        code: str,
        title: str,
        reason: str,
        *,
        by: str = "the risk gate",
        meanwhile: str = "",
    ) -> bool:
        """HALTED, and the owner hears of it, also where another reason halted the desk before; each reason
        is told once while it lasts. Whether it was told. ``meanwhile``: what is done about it now, which is
        told and not kept as the reason."""
        if code in self._told or (self._state.halted and self._state.latch.code == code):
            return False
        self._told.add(code)
        self.latch(turn, DeskMode.HALTED, code, reason, by)
        turn.alert(
            f"halt:{code}:{turn.at:%Y%m%d%H%M%S}",
            Priority.CRITICAL,
            "breach",
            f"HALTED: {title}",
            f"{reason} {meanwhile}".rstrip()
            + f"\n{NOT_TODAY if code in DAILY else 'No entries until /resume.'}",
        )
        return True

    def rejected(self, turn: Turn, order: Order) -> None:
        """The broker rejected an order. Each entry costs one of the day's, and a message."""
        if order.purpose is not Purpose.ENTRY or not self._state.config.attended:
            return
        self._rejected.append(turn.at)
        many = len(self._rejected) == REJECTED and turn.at - self._rejected[0] <= REJECTED_WITHIN
        if not many or self._state.latch.mode is not DeskMode.ACTIVE:
            return
        minutes = int(REJECTED_WITHIN.total_seconds()) // 60
        reason = f"the broker rejected {REJECTED} entries within {minutes} min"
        self.latch(turn, DeskMode.REDUCING, "rejected", reason, "the risk gate")
        turn.alert(
            f"rejections:{turn.at:%Y%m%d%H%M%S}",
            Priority.CRITICAL,
            "breach",
            f"REDUCING: {REJECTED} entries rejected",
            f"By the broker, within {minutes} min, the last one in these words: {order.message}\nNo entries"
            " until /resume; exits and stops go on.",
        )
        self._rejected.clear()

    # -- limits while positions move -------------------------------------------------------------

    def check(self, turn: Turn) -> None:
        """Daily loss and drawdown, realised and unrealised, after charges. A breach closes everything: a
        loss limit that left its positions open would be no limit."""
        state = self._state
        if not state.portfolio.open_slots() and not state.counters.booked_today:
            return
        if not state.reconciled:
            return  # what is held is hearsay; the broker's book is being read
        self._mark_carried(turn)
        unrealised = state.portfolio.unrealised(state.quotes)
        worth = equity(state, unrealised)
        if worth > state.counters.peak_equity:
            # Recorded with the next change of the counters: a peak made of unrealised gains and lost in a
            # crash costs at most the height of one position's swing.
            state.counters = replaced(state.counters, peak_equity=worth)
        if state.halted and not state.portfolio.open_slots() and not state.working:
            return  # nothing is at stake and nothing can be entered; /resume says what stands in its way
        over, told = self._breach(turn, worth, unrealised)
        if told and state.portfolio.open_slots():
            self.on_breach(turn)
        if over or state.latch.code in BREACHES:
            # Every time, not only when it is thrown: a restart, or an entry filled a moment later, must not
            # leave a position behind. What others hold is closed with the breach and not again.
            self.withdraw_entries(turn, "a limit was reached", Purpose.KILL)
            slots = [
                slot
                for slot, held in state.portfolio.open_slots().items()
                if not self._exits.leaving(slot) and (slot.owner != EXTERNAL or (told and not own_sale(held)))
            ]
            self._exits.leave_all(turn, slots, Purpose.KILL)

    def _breach(self, turn: Turn, worth: Decimal, unrealised: Decimal) -> tuple[bool, bool]:
        """Whether a limit is broken, and whether the owner was told just now. Watched while HALTED too:
        positions may stay open then."""
        state = self._state
        loss = -day_pnl(state, unrealised)
        if loss >= state.limits.daily_loss:
            active = state.latch.mode is DeskMode.ACTIVE or state.latch.code == "daily_loss"
            return True, self.halt(
                turn,
                "daily_loss" if active else "daily_loss_paused",
                "daily loss limit",
                f"Today's loss is {rupees(loss)}, the limit {rupees(state.limits.daily_loss)}.",
                meanwhile=CLOSING,
            )
        fallen = drawdown_pct(state.counters.peak_equity, worth)
        if fallen >= state.limits.max_drawdown_pct:
            return True, self.halt(
                turn,
                "drawdown",
                "drawdown limit",
                f"Equity {rupees(worth)} is {fallen:.1f} % below its peak"
                f" {rupees(state.counters.peak_equity)}; the limit is {state.limits.max_drawdown_pct} %.",
                meanwhile=CLOSING,
            )
        return False, False

    def blocked_by(self) -> str:
        """Why /resume would only halt again, or nothing."""
        state = self._state
        loss = -day_pnl(state)
        if loss >= state.limits.daily_loss:
            return (
                f"Today's loss is {rupees(loss)}, the limit {rupees(state.limits.daily_loss)}."
                " It ends with the trading day."
            )
        worth = equity(state)
        fallen = drawdown_pct(state.counters.peak_equity, worth)
        if fallen >= state.limits.max_drawdown_pct:
            return (
                f"Equity {rupees(worth)} is {fallen:.1f} % below its peak"
                f" {rupees(state.counters.peak_equity)}; the limit is {state.limits.max_drawdown_pct} %."
                " Raise RISK_MAX_DRAWDOWN_PCT to go on."
            )
        return ""

    def traded(self, turn: Turn, trade: Trade) -> None:
        """Count losing trades in a row; too many and entries wait."""
        state = self._state
        if trade.owner == EXTERNAL:
            return
        streak = state.counters.loss_streak + 1 if trade.net < 0 else 0
        until = state.counters.cooldown_until
        if streak >= state.limits.loss_streak:
            until = turn.at + state.limits.cooldown
            turn.alert(
                f"cooldown:{trade.trade_id}",
                Priority.CRITICAL,
                "breach",
                f"{counted(streak, 'losing trade')} in a row",
                f"Entries wait until {until:%H:%M}.",
            )
            streak = 0
        state.counters = replaced(state.counters, loss_streak=streak, cooldown_until=until)
        turn.write(state.counters)

    # -- the clock -------------------------------------------------------------------------------

    def restore(self, turn: Turn, settings: Mapping[str, str]) -> None:
        """After a restart: the day's opening marks, the day's turn, and no entries while HALTED."""
        state = self._state
        kept = json.loads(settings.get(_MARKS, "{}"))
        if kept.get("day") == state.counters.day.isoformat():
            marks = {tuple(text.split("|")): price for text, price in kept["marks"].items()}
            state.opening_mark = {slot: marks[slot] for slot in state.portfolio.open_slots() if slot in marks}
        self._last_marks = json.loads(settings.get(_LAST) or "{}")
        self.roll_day(turn)
        if state.halted:
            self.withdraw_entries(turn, f"the desk is HALTED: {state.latch.reason}", None)

    def on_clock(self, turn: Turn) -> None:
        self.roll_day(turn)
        self._remember_marks(turn)
        self.check(turn)

    def _mark_carried(self, turn: Turn) -> None:
        """Positions carried over night count from where the day found them: the last price before it, or,
        after a restart, the first one seen. Recorded, so that a restart does not move it."""
        state = self._state
        found = False
        for slot, position in state.portfolio.at_stake().items():
            opened = position.opened_at
            carried = opened is not None and state.trading_day(opened) < state.counters.day
            if not carried or slot in state.opening_mark:
                continue
            mark = self._mark_before(slot.key)
            if mark is not None:
                state.opening_mark[slot] = mark
                found = True
        if found:
            self._keep_marks(turn)

    def _mark_before(self, key: InstrumentKey) -> float | None:
        """The last price before today, as seen by this process or kept by one before it; failing both, the
        first of today."""
        quote = self._state.quotes.get(key)
        if quote is not None and self._state.trading_day(quote.at) < self._state.counters.day:
            return quote.last
        return self._last_marks.get(key, None if quote is None else quote.last)

    def _remember_marks(self, turn: Turn) -> None:
        """Every few minutes, what positions that may stay overnight are worth: whoever starts tomorrow counts
        the day from there, the gap of the opening included."""
        state = self._state
        if self._marked_at is not None and turn.at - self._marked_at < MARK_EVERY:
            return
        keys = {slot.key for slot in state.portfolio.open_slots() if slot.product is not Product.MIS}
        if not keys:
            return
        marks: dict[str, float] = {key: mark for key, mark in self._last_marks.items() if key in keys}
        marks |= {key: state.quotes[key].last for key in sorted(keys) if key in state.quotes}
        if marks and marks != self._last_marks:
            self._marked_at, self._last_marks = turn.at, marks
            turn.write(Setting(_LAST, json.dumps(marks)))

    def _keep_marks(self, turn: Turn) -> None:
        state = self._state
        marks = {"|".join(slot): price for slot, price in sorted(state.opening_mark.items())}
        turn.write(Setting(_MARKS, json.dumps({"day": state.counters.day.isoformat(), "marks": marks})))

    def drop_mark(self, turn: Turn, slot: Slot) -> None:
        """What was carried over night is closed: what the slot holds from now on, if anything, was not."""
        if self._state.opening_mark.pop(slot, None) is not None:
            self._keep_marks(turn)

    def carry_mark(self, turn: Turn, old: Slot, new: Slot) -> None:
        """The position of ``old`` is about to join that of ``new``, and its gain of earlier days with it."""
        state = self._state
        if old not in state.opening_mark and new not in state.opening_mark:
            return
        held = [(state.portfolio.position(slot), state.opening_mark.pop(slot, None)) for slot in (old, new)]
        marked = [(p.quantity, float(p.average_price) if mark is None else mark) for p, mark in held]
        state.opening_mark[new] = sum(q * mark for q, mark in marked) / sum(q for q, _ in marked)
        self._keep_marks(turn)

    def roll_day(self, turn: Turn) -> None:
        """A new trading day resets what is counted by the day. Days without trading change nothing."""
        state = self._state
        day = state.trading_day(turn.at)
        if day <= state.counters.day or not state.calendar.is_trading_day(day):
            return
        for order in list(state.working.values()):
            if state.trading_day(order.request.at) < day:
                self._register.expire(turn, order)
        state.opening_mark = {}
        state.counters = replaced(
            state.counters,
            day=day,
            entries=0,
            orders=0,
            loss_streak=0,
            cooldown_until=None,
            booked_today=ZERO,
            peak_equity=max(state.counters.peak_equity, equity(state)),
        )
        state.portfolio.roll_day(day)
        for tag in [t for t, o in state.orders.items() if not o.working]:
            del state.orders[tag]
            state.sequences.pop(tag, None)
        state.tags_by_id = {o.order_id: t for t, o in state.orders.items() if o.order_id}
        state.denials_told.clear()
        self._told.clear()
        turn.write(state.counters)
        self._mark_carried(turn)
        if state.latch.code in DAILY:
            turn.alert(
                f"newday:{day}",
                Priority.CRITICAL,
                "breach",
                "New trading day: trading resumed",
                f"The latch {state.latch.code} was for one day.",
            )
            self.release(turn, "the new day")
