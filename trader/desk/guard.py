"""The latch and what throws it: limits breached while positions move, the day's turn, the square-off."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from trader.desk.exits import Exits
from trader.desk.exposure import day_pnl, drawdown_pct, equity
from trader.desk.orderflow import OrderFlow
from trader.desk.state import DeskState, Turn
from trader.domain.money import ZERO, rupees
from trader.domain.order import EXTERNAL, Product, Purpose
from trader.domain.position import Trade
from trader.domain.records import DeskMode, Latch, Priority
from trader.market.calendar import Phase

# Latches that a new trading day lifts by itself: they limit one day.
DAILY = ("daily_loss",)


class Guard:
    def __init__(self, state: DeskState, flow: OrderFlow, exits: Exits) -> None:
        self._state = state
        self._flow = flow
        self._exits = exits
        self._squared: date | None = None

    # -- the latch -------------------------------------------------------------------------------

    def latch(self, turn: Turn, mode: DeskMode, code: str, reason: str, by: str) -> None:
        """Throw the latch, never to something milder; a second reason for the same mode keeps the first."""
        if mode.severity <= self._state.latch.mode.severity:
            return
        self._set(turn, Latch(mode, code, reason, turn.at, by))

    def release(self, turn: Turn, by: str) -> None:
        self._set(turn, Latch(DeskMode.ACTIVE, "", "trading", turn.at, by))

    def _set(self, turn: Turn, latch: Latch) -> None:
        self._state.latch = latch
        turn.write(latch)

    def halt(self, turn: Turn, code: str, title: str, reason: str, *, by: str = "the risk gate") -> None:
        """HALTED, and the owner hears of it; told once while it lasts."""
        if self._state.halted:
            return
        self.latch(turn, DeskMode.HALTED, code, reason, by)
        turn.alert(
            f"halt:{code}:{turn.at:%Y%m%d%H%M%S}",
            Priority.CRITICAL,
            "breach",
            f"HALTED: {title}",
            f"{reason}\nNo entries until /resume.",
        )

    # -- limits while positions move -------------------------------------------------------------

    def check(self, turn: Turn) -> None:
        """Daily loss and drawdown, realised and unrealised, after charges. A breach closes everything: a
        loss limit that left its positions open would be no limit."""
        state = self._state
        if not state.portfolio.open_slots() and not state.counters.booked_today:
            return
        worth = equity(state)
        if worth > state.counters.peak_equity:
            # Recorded with the next change of the counters: a peak made of unrealised gains and lost in a
            # crash costs at most the height of one position's swing.
            state.counters = replace(state.counters, peak_equity=worth)
        if state.halted:
            return
        if self._breach(turn, worth):
            self._exits.leave_all(turn, state.portfolio.open_slots(), Purpose.KILL)
            for order in list(state.working.values()):
                if order.purpose is Purpose.ENTRY:
                    self._flow.cancel(turn, order, "a limit was reached")

    def _breach(self, turn: Turn, worth: Decimal) -> bool:
        state = self._state
        loss = -day_pnl(state)
        if loss >= state.limits.daily_loss:
            self.halt(
                turn,
                "daily_loss",
                "daily loss limit",
                f"Today's loss is {rupees(loss)}, the limit {rupees(state.limits.daily_loss)}."
                " All positions are being closed.",
            )
            return True
        fallen = drawdown_pct(state.counters.peak_equity, worth)
        if fallen >= state.limits.max_drawdown_pct:
            self.halt(
                turn,
                "drawdown",
                "drawdown limit",
                f"Equity {rupees(worth)} is {fallen:.1f} % below its peak"
                f" {rupees(state.counters.peak_equity)}; the limit is {state.limits.max_drawdown_pct} %."
                " All positions are being closed.",
            )
            return True
        return False

    def blocked_by(self) -> str:
        """Why /resume would only halt again, or nothing."""
        state = self._state
        loss = -day_pnl(state)
        if loss >= state.limits.daily_loss:
            return (
                f"Today's loss is {rupees(loss)}, the limit {rupees(state.limits.daily_loss)}."
                " It ends with the trading day."
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
                f"{streak} losing trades in a row",
                f"Entries wait until {until:%H:%M}.",
            )
            streak = 0
        state.counters = replace(state.counters, loss_streak=streak, cooldown_until=until)
        turn.write(state.counters)

    # -- the clock -------------------------------------------------------------------------------

    def on_clock(self, turn: Turn) -> None:
        self.roll_day(turn)
        self._squareoff(turn)

    def roll_day(self, turn: Turn) -> None:
        """A new trading day resets what is counted by the day. Days without trading change nothing."""
        state = self._state
        day = state.trading_day(turn.at)
        if day <= state.counters.day or not state.calendar.is_trading_day(day):
            return
        state.opening_mark = {
            slot: state.quotes[slot.key].last
            for slot in state.portfolio.open_slots()
            if slot.key in state.quotes
        }
        state.counters = replace(
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
        turn.write(state.counters)
        if state.latch.code in DAILY:
            turn.alert(
                f"newday:{day}",
                Priority.CRITICAL,
                "breach",
                "New trading day: trading resumed",
                f"The latch {state.latch.code} was for one day.",
            )
            self.release(turn, "the new day")

    def _squareoff(self, turn: Turn) -> None:
        """Leave intraday positions before the broker does it at its own price and for a fee (india.md 5)."""
        state = self._state
        day = state.trading_day(turn.at)
        if state.calendar.phase(turn.at) is not Phase.OPEN or turn.at < state.calendar.squareoff_at(day):
            return
        slots = [s for s in state.portfolio.open_slots() if s.product is Product.MIS and s.owner != EXTERNAL]
        slots = [s for s in slots if not self._exits.leaving(s)]
        for order in list(state.working.values()):
            if order.purpose is Purpose.ENTRY and order.product is Product.MIS:
                self._flow.cancel(turn, order, "intraday entries are over")
        if not slots:
            return
        self._exits.leave_all(turn, slots, Purpose.SQUAREOFF)
        if self._squared != day:
            self._squared = day
            turn.alert(
                f"squareoff:{day}",
                Priority.FILL,
                "desk",
                f"Square-off: closing {len(slots)} intraday positions",
                f"Before the broker's own deadline. Net so far today: {rupees(day_pnl(state), signed=True)}.",
            )
