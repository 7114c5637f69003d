"""Leaving a position: one step towards flat a second, until it is.

An exit of any kind is the resting stop changed to sell at the market, so the position is never unprotected
and never sold twice. Only where no stop rests is a separate exit order made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trader.desk.effects import ReadBook
from trader.desk.events import BookPurpose
from trader.desk.exposure import CLOSING, closing_quantity
from trader.desk.limits import MODIFICATIONS_PER_ORDER
from trader.desk.overnight import Overnight
from trader.desk.plans import closing_side, resting_exit
from trader.desk.portfolio import Slot, own_sale
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey
from trader.domain.money import decimal_of
from trader.domain.order import (
    EXTERNAL,
    Denied,
    Order,
    OrderRequest,
    OrderState,
    OrderType,
    Owner,
    Product,
    Purpose,
)
from trader.domain.position import Position
from trader.domain.records import Setting
from trader.domain.times import ist
from trader.market import shaping
from trader.market.phases import Phase

# How long an exit may wait for an order in flight before it goes its own way, and how long a market order
# may rest before its protection price (kite.md 4) is taken from the market anew.
PATIENCE = timedelta(seconds=10)
# How often the book is asked meanwhile: found, the stop is the exit; not found, two could sell.
ASK_EVERY = timedelta(seconds=2)
# Pauses between attempts to leave: what the broker refuses every second would use up the day's orders.
PAUSES = tuple(timedelta(seconds=s) for s in (0, 1, 2, 4, 8, 15, 30, 60, 120, 300))


_LEAVING = "leaving"  # the setting under which what is on its way out survives a restart
_NOTHING = "[]"


@dataclass(slots=True)
class _Exit:
    """A slot on its way out. Recorded are its purposes: a target that was touched, or a signal that was given
    once, is asked for by nobody again."""

    purpose: Purpose
    since: datetime
    limit: Decimal | None = None  # a target taken inside a replayed candle
    attempts: int = 0
    again_at: datetime | None = None
    blocked_at: datetime | None = None  # by the night's stop, which is being removed
    asked_at: datetime | None = None  # the broker's book, for a stop of unknown outcome
    resumed: bool = False  # asked for before a restart: the book is read first, whatever the purpose
    besides: Purpose | None = None  # what it is left for without the kill too

    def tried(self, at: datetime) -> None:
        self.again_at = at + PAUSES[min(self.attempts, len(PAUSES) - 1)]
        self.attempts += 1


def _besides(known: _Exit | None) -> Purpose | None:
    if known is None:
        return None
    return known.besides if known.purpose is Purpose.KILL else known.purpose


class Leaving:
    def __init__(self, state: DeskState, sending: Sending, overnight: Overnight) -> None:
        self._state = state
        self._sending = sending
        self._overnight = overnight
        self._slots: dict[Slot, _Exit] = {}
        self._kept = _NOTHING  # as it is recorded

    def __contains__(self, slot: Slot) -> bool:
        return slot in self._slots

    def __bool__(self) -> bool:
        return bool(self._slots)

    def restore(self, turn: Turn, settings: Mapping[str, str]) -> None:
        """What was being left when the process ended is, as soon as the broker's book was read."""
        self._kept = settings.get(_LEAVING) or _NOTHING
        for owner, key, product, purpose, *more in json.loads(self._kept):
            slot = Slot(Owner(owner), InstrumentKey(key), Product(product))
            besides, opened = more or (None, self._opened(slot))  # the first version noted neither
            # Another, which knows nothing of the setting, may have closed it and opened anew.
            if self._state.portfolio.position(slot).quantity and self._opened(slot) == opened:
                before = None if besides is None else Purpose(besides)
                self._slots[slot] = _Exit(Purpose(purpose), turn.at, resumed=True, besides=before)
        self._keep(turn)  # or it would close what is opened there next

    def _keep(self, turn: Turn) -> None:
        """Recorded with the positions as they are: one that is opened later is not meant."""
        text = json.dumps(
            [
                [*slot, leaving.purpose, leaving.besides, self._opened(slot)]
                for slot, leaving in sorted(self._slots.items())
            ]
        )
        if text != self._kept:
            self._kept = text
            turn.write(Setting(_LEAVING, text))

    def _opened(self, slot: Slot) -> str | None:
        opened = self._state.portfolio.position(slot).opened_at
        return None if opened is None else ist(opened).isoformat()

    def done(self, turn: Turn, slot: Slot) -> None:
        if self._slots.pop(slot, None) is not None:
            self._keep(turn)

    def give_up_kill(self, turn: Turn) -> None:
        """What a kill asked for and did not close stays, but for what has no plan: nothing would protect it.
        What was to be left without the kill too still is: its strategy does not ask again. An exit that is at
        the broker already is seen through (``Exits._sweep``)."""
        for slot, leaving in list(self._slots.items()):
            protected = slot in self._state.plans or slot.owner == EXTERNAL
            if leaving.purpose is not Purpose.KILL or not protected:
                continue
            if leaving.besides is None:
                self.done(turn, slot)
            else:
                self._slots[slot] = _Exit(leaving.besides, turn.at)
                self._keep(turn)

    def progress(self, slot: Slot) -> None:
        """Part of it was closed: it is getting somewhere."""
        leaving = self._slots[slot]
        leaving.attempts, leaving.again_at = 0, None

    def on_clock(self, turn: Turn) -> None:
        for slot in list(self._slots):
            if self._to_close(slot):
                self.pursue(turn, slot)
            else:
                self.done(turn, slot)

    def leave(self, turn: Turn, slot: Slot, purpose: Purpose, limit: Decimal | None = None) -> None:
        """Close the slot's position. Kill overrides a reason given before; others keep the first."""
        if not self._to_close(slot):
            return
        known = self._slots.get(slot)
        if known is None or purpose is Purpose.KILL:
            self._slots[slot] = _Exit(purpose, turn.at, limit, besides=_besides(known))
        elif known.purpose is Purpose.KILL and known.besides is None:
            known.besides = purpose
        self._keep(turn)
        self.pursue(turn, slot)

    def _to_close(self, slot: Slot) -> bool:
        """Whoever asks for it, shares of his own that the owner sold are not bought back."""
        position = self._state.portfolio.position(slot)
        return position.quantity != 0 and not own_sale(position)

    def pursue(self, turn: Turn, slot: Slot) -> None:
        """One step towards flat; called again every second until it is."""
        leaving = self._slots[slot]
        position = self._state.portfolio.position(slot)
        if not self._takes_exits(turn, slot, leaving.purpose):
            leaving.blocked_at = None  # by another, when the exchange takes exits again
            return  # the exchange takes nothing now; kill reports it, the next session tries again
        if not self._state.reconciled and (leaving.resumed or leaving.purpose is not Purpose.KILL):
            leaving.since = turn.at  # whatever it has to wait for then, it has not waited for yet
            return  # it may have been closed while nobody was here; the book is being read
        for order in self._state.working_in(slot):
            if order.purpose is Purpose.ENTRY:
                self._sending.withdraw(turn, order, "the position is being closed", leaving.purpose)
        if self._overnight.blocks(turn, slot):
            leaving.blocked_at = (
                leaving.blocked_at or turn.at
            )  # this morning; it may be leaving since yesterday
            if turn.at - leaving.blocked_at < PATIENCE:
                return  # both could sell; but what must be left does not wait for ever
        resting = resting_exit(self._state, slot)
        others = [
            order
            for order in self._state.working_in(slot)
            if order.purpose in CLOSING and order.tag != (resting.tag if resting else None)
        ]
        if resting is not None:
            beside = sum(order.pending_quantity for order in others if self._counts(turn, order))
            if beside >= abs(position.quantity):
                # It was given up for lost and turned up: another order sells already. That one may yet have
                # to be found, too; until then the stop rests where it is.
                if all(order.order_id is not None for order in others):
                    self._sending.cancel(turn, resting, "an exit is on its way already")
            elif self._convert(turn, resting, position, beside, leaving):
                return
        for order in others:
            self._press(turn, order, order.quantity, order.purpose, leaving)
        rest = abs(position.quantity) - closing_quantity(self._state, slot)
        if leaving.purpose is not Purpose.KILL:
            rest -= self._closed_by_broker(turn, slot, position)
        if rest <= 0 or (leaving.again_at is not None and turn.at < leaving.again_at):
            return
        leaving.tried(turn.at)
        for quantity in self._slices(slot, rest):
            if isinstance(self._sending.submit(turn, self._order(turn, slot, quantity, leaving)), Denied):
                break  # what the second has no room for follows in the next

    def _takes_exits(self, turn: Turn, slot: Slot, purpose: Purpose) -> bool:
        phase = self._state.calendar.phase(turn.at, self._state.venue(slot.key))
        # The auction is the day's last chance to be flat; a decision less grave waits for real prices.
        return phase is Phase.OPEN or (phase is Phase.AUCTION and purpose is Purpose.KILL)

    def _closed_by_broker(self, turn: Turn, slot: Slot, position: Position) -> int:
        """Units the broker's own square-off is closing already: a second order would turn the position
        round (faults.md 56)."""
        if slot.product is not Product.MIS:
            return 0
        state = self._state
        deadline = state.calendar.deadlines(state.trading_day(turn.at), state.venue(slot.key)).broker_at
        return sum(
            order.pending_quantity
            for order in state.working.values()
            if order.purpose is Purpose.EXTERNAL
            and (order.key, order.product) == (slot.key, slot.product)
            and order.side is closing_side(position)
            and order.request.at >= deadline
        )

    def _slices(self, slot: Slot, quantity: int) -> list[int]:
        """Above the freeze quantity the exchange takes several orders; what ten of them leave follows."""
        instrument = self._state.instrument(slot.key)
        if instrument is None or not instrument.freeze_quantity:
            return [quantity]
        most = shaping.MAX_SLICES * shaping.lots(instrument, instrument.freeze_quantity)
        return shaping.slices(min(quantity, most), instrument.lot_size, instrument.freeze_quantity)

    def _order(self, turn: Turn, slot: Slot, quantity: int, leaving: _Exit) -> OrderRequest:
        quote = self._state.quotes.get(slot.key)
        return OrderRequest(
            tag=self._state.next_tag(turn.at),
            owner=slot.owner,
            key=slot.key,
            side=closing_side(self._state.portfolio.position(slot)),
            quantity=quantity,
            order_type=OrderType.MARKET,
            product=slot.product,
            purpose=leaving.purpose if leaving.purpose in CLOSING else Purpose.EXIT,
            at=turn.at,
            reference_price=decimal_of(quote.last) if quote else None,
            note=f"leave: {leaving.purpose}",
        )

    def _counts(self, turn: Turn, order: Order) -> bool:
        """Whether an exit beside the stop sells, or may still be found to."""
        return order.order_id is not None or turn.at - order.updated_at < PATIENCE

    def _convert(self, turn: Turn, order: Order, position: Position, beside: int, leaving: _Exit) -> bool:
        """Turn the resting stop into the exit of all that others ``beside`` it do not sell. True when the
        exit is in its hands."""
        if order.order_id is None:
            # Nothing can be asked of it before the broker names it or the book proves it absent. Should it
            # turn up after the exit has gone its own way, it is cancelled (``_sweep``).
            if turn.at - leaving.since >= PATIENCE:
                return False
            if order.state is OrderState.UNKNOWN and (
                leaving.asked_at is None or turn.at - leaving.asked_at >= ASK_EVERY
            ):
                leaving.asked_at = turn.at
                turn.send(ReadBook(BookPurpose.RESOLVE))  # it may have fired, and nobody told
            return True
        if order.purpose is Purpose.STOP and self._sending.cancel_taken(order):
            # Renewed (``Stops``), and by the broker's own word on its way out. Where no stream and no book
            # tells that it is gone, nothing would ever leave.
            return turn.at - order.updated_at < PATIENCE
        quantity = abs(position.quantity) - beside + order.filled_quantity
        if order.order_type is OrderType.MARKET and order.quantity == quantity:
            self._press(turn, order, quantity, order.purpose, leaving)
            return order.purpose in CLOSING
        limit = leaving.limit if order.purpose is Purpose.STOP else None
        purpose = leaving.purpose if leaving.purpose in CLOSING else Purpose.EXIT
        self._reshape(turn, order, quantity, purpose, leaving, limit)
        return True  # as long as it has an id and works, a second order could sell the position twice

    def _press(self, turn: Turn, order: Order, quantity: int, purpose: Purpose, leaving: _Exit) -> None:
        """A market order that rests: at Kite it is a limit at its protection price, which the market has
        left behind. The same change again takes the price anew."""
        if turn.at - order.updated_at >= PATIENCE:
            self._reshape(turn, order, quantity, purpose, leaving, None)

    def _reshape(
        self,
        turn: Turn,
        order: Order,
        quantity: int,
        purpose: Purpose,
        leaving: _Exit,
        limit: Decimal | None,
    ) -> None:
        if leaving.again_at is not None and turn.at < leaving.again_at:
            return
        if order.modifications >= MODIFICATIONS_PER_ORDER:
            self._sending.cancel(turn, order, "its changes are used up")
            leaving.tried(turn.at)  # refused, it would be asked for every second
            return
        changed = self._sending.change(
            turn,
            order,
            quantity=quantity,
            order_type=OrderType.LIMIT if limit is not None else OrderType.MARKET,
            price=limit,
            trigger_price=None,
            purpose=purpose,
        )
        if changed:
            leaving.tried(turn.at)
