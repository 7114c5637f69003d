"""The owner's verdict on what the broker shows and this desk did not make: adopt, ignore or flatten it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from trader.desk.commands import Judge, Verdict
from trader.desk.exits import Exits
from trader.desk.guard import Guard
from trader.desk.leaving import PATIENCE
from trader.desk.locks import MANUAL, Difference, Lock
from trader.desk.plans import closing_side, keep_plan, planned
from trader.desk.portfolio import Slot, own_sale
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey, symbol_of, symbols_text
from trader.domain.money import ZERO, decimal_of, rupees
from trader.domain.order import EXTERNAL, Order, Product, Purpose
from trader.domain.position import Position
from trader.domain.times import clock_text
from trader.strategy.options import Options


class Judging:
    def __init__(self, state: DeskState, sending: Sending, exits: Exits, guard: Guard) -> None:
        self._state = state
        self._sending = sending
        self._exits = exits
        self._guard = guard
        self._since: dict[InstrumentKey, datetime] = {}  # when a flatten began, in this process

    def judge(self, turn: Turn, command: Judge) -> str:
        """The sentence for the owner. InvalidInput when there is nothing to judge, or it can't be done."""
        if not self._state.reconciled:
            raise InvalidInput("The broker's book has not been read yet; try again in a moment.")
        key = self._find(command.symbol)
        slots = self._slots(key)
        lock = self._state.locks.get(key)
        if (lock is not None and lock.flattening) or any(self._exits.leaving(slot) for slot in slots):
            raise InvalidInput(f"{symbol_of(key)} is being flattened already.")
        if command.verdict is Verdict.IGNORE:
            return self._ignore(key, slots)
        slots = [slot for slot in slots if not self._sold(slot)]
        if not slots:
            raise InvalidInput(f"Nothing is left to {command.verdict}; /ignore {symbol_of(key)} unlocks.")
        if self._state.instrument(key) is None:
            raise InvalidInput(
                f"{symbol_of(key)} is not in the list of instruments, so nothing can be ordered in it:"
                f" close it in the broker's app, or /ignore {symbol_of(key)}."
            )
        if command.verdict is Verdict.ADOPT:
            return self._adopt(turn, key, slots)
        return self._flatten(turn, key, slots)

    def on_clock(self, turn: Turn) -> None:
        """Go on with what is to be left; after a restart, begin again."""
        for key, lock in list(self._state.locks.items()):
            if lock.flattening and self._state.reconciled:
                self._pursue(turn, key)

    # -- which -----------------------------------------------------------------------------------

    def _find(self, symbol: str) -> InstrumentKey:
        """By key or symbol, of what can be judged: it may be in an instrument that this desk never heard
        of."""
        state, wanted = self._state, symbol.strip().casefold()
        judged = {slot.key for slot in state.portfolio.open_slots() if slot.owner == EXTERNAL}
        judged |= set(state.locks)
        found = sorted(k for k in judged if wanted in (k.casefold(), symbol_of(k).casefold()))
        if len(found) > 1:
            raise InvalidInput(f"Which of them: {', '.join(found)}?")
        if found:
            return found[0]
        known = state.instruments.find(symbol)  # says what is wrong with a mistyped one
        waiting = symbols_text(sorted(state.locks))
        raise InvalidInput(
            f"{known.symbol} is not locked and holds nothing from elsewhere."
            + (f" Waiting for a verdict: {waiting}." if waiting else "")
        )

    def _slots(self, key: InstrumentKey) -> list[Slot]:
        return sorted(
            slot for slot in self._state.portfolio.open_slots() if (slot.owner, slot.key) == (EXTERNAL, key)
        )

    def _sold(self, slot: Slot) -> bool:
        """Whether it is shares of his own that the owner sold: there is nothing to protect or to close."""
        return own_sale(self._state.portfolio.position(slot))

    def _closing_elsewhere(self, slot: Slot) -> list[Order]:
        """Working orders that somebody else made and that would close this position."""
        side = closing_side(self._state.portfolio.position(slot))
        return [
            order
            for order in self._state.working.values()
            if order.purpose is Purpose.EXTERNAL
            and (order.key, order.product, order.side) == (slot.key, slot.product, side)
        ]

    # -- verdicts --------------------------------------------------------------------------------

    def _ignore(self, key: InstrumentKey, slots: list[Slot]) -> str:
        """``asked`` keeps the quantities: only a change is asked about again."""
        known = self._state.locks.pop(key, None)
        symbol = symbol_of(key)
        if not slots:
            return f"Unlocked {symbol}. The desk takes its own positions there for what its books say."
        if known is None:
            raise InvalidInput(f"{symbol} is ignored already; /adopt or /flatten {symbol} is still possible.")
        at_stake = [slot for slot in slots if not self._sold(slot)]
        kill = "/kill leaves it alone"
        if at_stake:
            what = "It" if at_stake == slots else self._words(at_stake)
            kill = f"{what} counts in the exposure, /kill closes it"
        return (
            f"Ignored {symbol}: {self._words(slots)} stays yours to watch."
            f" {kill}, and strategies may enter again. You are asked again when it changes."
        )

    def _adopt(self, turn: Turn, key: InstrumentKey, slots: list[Slot]) -> str:
        for slot in slots:
            self._check_adoptable(slot)
        words = self._words(slots)
        stops = [self._move(turn, slot) for slot in slots]
        self._state.locks.pop(key, None)
        lines = [f"Adopted {symbol_of(key)}: {words} is now {MANUAL}'s, stop {', '.join(stops)}."]
        if not self._state.trades_now(key, turn.at):
            lines.append("The stop is placed when its market opens.")
        if any(slot.product is Product.MIS for slot in slots):
            day = self._state.trading_day(turn.at)
            out = self._state.calendar.deadlines(day, self._state.venue(key)).squareoff_at
            lines.append(f"Intraday: it is closed at {out:%H:%M}.")
        return "\n".join(lines)

    def _check_adoptable(self, slot: Slot) -> None:
        state = self._state
        symbol = symbol_of(slot.key)
        if rivals := self._closing_elsewhere(slot):
            raise InvalidInput(
                f"{rivals[0].side} {rivals[0].quantity} {symbol} from elsewhere would close it too,"
                " and with the desk's stop it could be closed twice."
                f" Cancel that order in the broker's app first, or /flatten {symbol}."
            )
        if state.working_in(slot):
            raise InvalidInput(f"An order of the desk is closing {symbol} already.")
        joined = Slot(MANUAL, slot.key, slot.product)
        if self._exits.leaving(joined):
            raise InvalidInput(
                f"{MANUAL}'s {symbol} is on its way out, and this would leave with it."
                f" /adopt {symbol} again when it is closed."
            )
        known = state.portfolio.position(joined).quantity
        if known * state.portfolio.position(slot).quantity < 0:
            raise InvalidInput(f"{MANUAL} holds the other side of {symbol}; /flatten {symbol} instead.")

    def _move(self, turn: Turn, slot: Slot) -> str:
        """From EXTERNAL to MANUAL, at its average: nothing is realised. Protected from here on: a stop
        reckoned from a price of long ago would sell it at once. The stop's price in words."""
        state = self._state
        taken = state.portfolio.position(slot)
        new = Slot(MANUAL, slot.key, slot.product)
        held = state.portfolio.position(new)
        total = held.quantity + taken.quantity
        value = held.average_price * held.quantity + taken.average_price * taken.quantity
        opened = [p.opened_at for p in (held, taken) if p.quantity and p.opened_at is not None]
        adopted = replace(
            held,
            quantity=total,
            average_price=value / total,
            opened_at=min(opened, default=turn.at),
            updated_at=turn.at,
        )
        self._guard.carry_mark(turn, slot, new)
        emptied = replace(taken, quantity=0, average_price=ZERO, opened_at=None, updated_at=turn.at)
        for position in (emptied, adopted):
            state.portfolio.adopt(position)
            turn.write(position)
        state.asked.pop((slot.key, slot.product), None)
        return self._protect(turn, new, adopted)

    def _protect(self, turn: Turn, slot: Slot, position: Position) -> str:
        instrument, quote = self._state.instrument(slot.key), self._state.quotes.get(slot.key)
        assert instrument is not None  # noqa: S101 - judge looked
        price = decimal_of(quote.last) if quote is not None else position.average_price
        known = self._state.plans.get(slot)
        plan = planned(slot, replace(position, average_price=price), instrument, Options(target=0), known)
        keep_plan(self._state, turn, plan)
        self._exits.reduced(turn, slot)
        return rupees(plan.stop) if plan.stop is not None else "none"

    def _flatten(self, turn: Turn, key: InstrumentKey, slots: list[Slot]) -> str:
        """The lock stays until it is flat, and remembers over a restart that it is to be left."""
        known = self._state.locks.get(key) or Lock(
            Difference.MANUAL, "it is being flattened.", turn.at, slots[0].product
        )
        self._state.locks[key] = replace(known, text="it is being flattened.", flattening=True)
        self._since[key] = turn.at
        self._pursue(turn, key)
        words = f"Flattening {symbol_of(key)}: {self._words(slots)}"
        if not self._state.trades_now(key, turn.at):
            return f"{words} is left when its market opens."
        return f"{words} is left at the market since {clock_text(turn.at)}; unlocked when flat."

    def _pursue(self, turn: Turn, key: InstrumentKey) -> None:
        """First the orders from elsewhere that would close it too are cancelled: both could fill."""
        since = self._since.setdefault(key, turn.at)
        for slot in self._slots(key):
            if self._exits.leaving(slot) or self._sold(slot):
                continue
            rivals = self._closing_elsewhere(slot)
            for order in rivals:
                self._sending.withdraw(turn, order, "/flatten", None)
            if not rivals or turn.at - since >= PATIENCE:
                self._exits.leave(turn, slot, Purpose.EXIT)

    def _words(self, slots: list[Slot]) -> str:
        held = [(self._state.portfolio.position(slot).quantity, slot.product) for slot in slots]
        return ", ".join(f"{quantity:+d} {product}" for quantity, product in held)
