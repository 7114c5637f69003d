"""What the gate denies, and when the owner hears of it again."""

from __future__ import annotations

from datetime import timedelta

from trader.desk import orders as machine
from trader.desk.register import Register
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey
from trader.domain.order import Denied, OrderRequest, Purpose
from trader.domain.records import Priority

TELL_AGAIN_AFTER = timedelta(minutes=15)
DESK_WIDE = frozenset({
    "mode", "disarmed", "paused", "session_closed", "entries_over", "open_positions", "strategy_positions",
    "exposure", "capital", "book_unread", "daily_loss", "drawdown", "trades_per_day", "cooldown", "rate_day",
})  # fmt: skip


class Denials:
    def __init__(self, state: DeskState, register: Register) -> None:
        self._state = state
        self._register = register

    def record(self, turn: Turn, request: OrderRequest, denial: Denied) -> None:
        """Record and tell a denial, but one that repeats every second only once in a while. The code is for
        the record; what is told is the sentence."""
        state = self._state
        if denial.code == "rate_second":
            return  # who wanted it asks again in the next second
        # What concerns the whole desk is told once, not for every instrument that asks.
        where = InstrumentKey("") if denial.code in DESK_WIDE else request.key
        cause = (request.owner, where, denial.code)
        told = state.denials_told.get(cause)
        if told is not None and turn.at - told < TELL_AGAIN_AFTER:
            return
        state.denials_told[cause] = turn.at
        state.serial += 1
        order = machine.denied(request, f"{denial.code}: {denial.sentence}")
        self._register.keep(turn, order, None, order.message)
        turn.alert(
            f"denied:{order.tag}",
            Priority.STRATEGY if request.purpose is Purpose.ENTRY else Priority.CRITICAL,
            "denied",
            f"Denied: {machine.describe(order)}",
            denial.sentence,
        )
