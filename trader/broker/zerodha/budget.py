"""Zerodha's request limits, kept with room to spare (kite.md 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from trader.broker.zerodha.gate import Gate, NoRoom, Priority, Turn, Window
from trader.broker.zerodha.stream.pacing import StreamTime
from trader.domain.errors import OrderNotSent
from trader.domain.order import Purpose
from trader.domain.times import ist

SECOND, MINUTE = 1.0, 60.0

# Seconds an order may wait for room before it is refused; what reduces risk waits as long as it takes.
PATIENCE = {Priority.STOP: 20.0, Priority.ENTRY: 5.0, Priority.DATA: 5.0}

_PRIORITIES = {
    Purpose.KILL: Priority.KILL,
    Purpose.EXIT: Priority.EXIT,
    Purpose.SQUAREOFF: Priority.EXIT,
    Purpose.STOP: Priority.STOP,
    Purpose.TARGET: Priority.STOP,
    Purpose.ENTRY: Priority.ENTRY,
    Purpose.EXTERNAL: Priority.ENTRY,
}


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """The broker's own numbers, and the part of each that is kept for what reduces risk.

    Modify and cancel are counted with the placements of a second and a minute, and with the other calls of a
    second: sources disagree, and this holds under each reading (kite.md 18). The day counts placements alone.
    """

    orders_per_second: int = 10
    entries_per_second: int = 8
    orders_per_minute: int = 400
    entries_per_minute: int = 320
    orders_per_day: int = 5_000
    entries_per_day: int = 4_500
    quotes_per_second: int = 1
    history_per_second: int = 3
    others_per_second: int = 10
    reads_per_second: int = 7  # of the others


class Budgets:
    """``async with budgets.order(priority): send``. Each waits for its turn; an order that would wait too
    long to be meant any more is OrderNotSent."""

    def __init__(self, time: StreamTime, limits: BudgetLimits | None = None) -> None:
        self._time = time
        self._limits = limits = limits or BudgetLimits()
        self._gate = Gate(time)
        self._second = Window(SECOND, limits.orders_per_second, _entries(limits.entries_per_second))
        self._minute = Window(MINUTE, limits.orders_per_minute, _entries(limits.entries_per_minute))
        self._quotes = Window(SECOND, limits.quotes_per_second)
        self._history = Window(SECOND, limits.history_per_second)
        self._others = Window(SECOND, limits.others_per_second, _entries(limits.reads_per_second))
        self._day: date | None = None
        self._placed = 0

    @property
    def placed_today(self) -> int:
        self._turn_day()
        return self._placed

    def placed_already(self, orders: int) -> None:
        """So many orders stand in today's book: an earlier process placed them, or the owner's app."""
        self._turn_day()
        self._placed = max(self._placed, orders)

    def order(self, priority: Priority, *, placing: bool = True) -> Turn:
        """``placing`` False: a modification or a cancellation. OrderNotSent: no room."""
        windows = (self._second, self._minute) if placing else (self._second, self._minute, self._others)
        return _OrderTurn(self, self._gate, priority, windows, placing=placing)

    def quote(self) -> Turn:
        return self._gate.turn(Priority.DATA, (self._quotes,))

    def history(self) -> Turn:
        return self._gate.turn(Priority.DATA, (self._history,))

    def other(self, priority: Priority = Priority.DATA) -> Turn:
        return self._gate.turn(priority, (self._others,))

    def close(self) -> None:
        self._gate.close()

    # -- within

    def _turn_day(self) -> None:
        today = ist(self._time.now()).date()
        if today != self._day:
            self._day, self._placed = today, 0

    def one_placed(self) -> None:
        self._placed += 1

    def too_many(self, patience: float) -> str:
        return (
            f"Too many orders at once: Zerodha takes {self._limits.orders_per_second} a second and "
            f"{self._limits.orders_per_minute} a minute, and there was no room within {patience:.0f} s. "
            "Nothing was sent."
        )

    def refuse_beyond_the_day(self, priority: Priority) -> None:
        self._turn_day()
        limits = self._limits
        most = limits.orders_per_day if priority < Priority.ENTRY else limits.entries_per_day
        if self._placed >= most:
            kept = limits.orders_per_day - limits.entries_per_day
            why = f"; the last {kept} are kept for exits" if most < limits.orders_per_day else ""
            raise OrderNotSent(
                f"{self._placed} orders were placed today; Zerodha takes {limits.orders_per_day} a day{why}."
                " Nothing was sent."
            )


class _OrderTurn(Turn):
    __slots__ = ("_budgets", "_placing")

    def __init__(
        self, budgets: Budgets, gate: Gate, priority: Priority, windows: Sequence[Window], *, placing: bool
    ) -> None:
        super().__init__(gate, priority, windows, PATIENCE.get(priority))
        self._budgets = budgets
        self._placing = placing

    async def __aenter__(self) -> None:
        priority, _, patience = self._asked
        if self._placing:
            self._budgets.refuse_beyond_the_day(priority)
        try:
            await super().__aenter__()
        except NoRoom:
            raise OrderNotSent(self._budgets.too_many(patience or 0.0)) from None
        if self._placing:
            self._budgets.one_placed()


def priority_of(purpose: Purpose) -> Priority:
    return _PRIORITIES[purpose]


def _entries(most: int) -> dict[Priority, int]:
    return {Priority.ENTRY: most, Priority.DATA: most}
