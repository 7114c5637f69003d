"""What follows a booked fill: the position is protected or left, the trade counted, and the owner told."""

from __future__ import annotations

from trader.desk.differences import Differences
from trader.desk.exits import Exits
from trader.desk.guard import Guard
from trader.desk.orders import describe
from trader.desk.plans import plan_text
from trader.desk.portfolio import Booked, Slot, own_sale, slot_of
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import symbol_of
from trader.domain.money import rupees
from trader.domain.order import EXTERNAL, Order, Purpose
from trader.domain.position import Fill
from trader.domain.records import Priority
from trader.domain.times import clock_text
from trader.strategy.options import Options


class Fills:
    def __init__(
        self, state: DeskState, sending: Sending, exits: Exits, guard: Guard, differences: Differences
    ) -> None:
        self._state = state
        self._sending = sending
        self._exits = exits
        self._guard = guard
        self._differences = differences

    def filled(self, turn: Turn, order: Order, fill: Fill, booked: Booked) -> None:
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
        elif own_sale(booked.position):  # what was to be left is sold, and more
            self._exits.closed(turn, slot)
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
            self._tell(turn, slot, order, fill, booked)
        self._guard.check(turn)

    def _oversold(self, turn: Turn, slot: Slot, order: Order, fill: Fill) -> None:
        """An exit closed more than was held, because two of them crossed at the broker. Nobody decided on
        the position it made, so it is left at once. Shares that the owner had besides make none."""
        self._exits.flipped(turn, slot)
        fate = "The position they made is being closed."
        if own_sale(self._state.portfolio.position(slot)):
            fate = "Other shares of yours were sold with it; none is bought back."
        turn.alert(
            f"oversold:{fill.fill_id}",
            Priority.CRITICAL,
            "order",
            f"Closed twice: {describe(order)}",
            f"Two exits crossed at the broker. {fate}",
        )
        self._exits.leave(turn, slot, Purpose.KILL)

    def _tell(self, turn: Turn, slot: Slot, order: Order, fill: Fill, booked: Booked) -> None:
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
