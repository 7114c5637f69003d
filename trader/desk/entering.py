"""Going where a signal wants to be: in, out, or from one side to the other by way of flat."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from trader.desk.exits import Exits
from trader.desk.running import Running, WaitingEntry
from trader.desk.sending import Sending
from trader.desk.sizing import size
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey
from trader.domain.money import decimal_of
from trader.domain.order import Denied, OrderRequest, OrderState, OrderType, Purpose, Side
from trader.domain.records import InstanceStatus
from trader.domain.values import quick
from trader.strategy import Signal, rules

# When many candles close at once their entries are spread over the next seconds; older than this, a decision
# was made on another price.
DEFERRED_FOR = timedelta(seconds=10)

_DISTANCE = Decimal("0.0001")
# Until Python 3.12 a member looked up in its class takes ten times as long as a global.
_BUY, _SELL, _ENTRY, _MARKET = Side.BUY, Side.SELL, Purpose.ENTRY, OrderType.MARKET
_UNKNOWN = OrderState.UNKNOWN
_request = quick(OrderRequest)


class Entering:
    def __init__(self, state: DeskState, sending: Sending, exits: Exits) -> None:
        self._state = state
        self._sending = sending
        self._exits = exits

    def act(self, turn: Turn, running: Running, key: InstrumentKey, signal: Signal, until: datetime) -> None:
        """``until`` is how long an entry may wait for the opposite position to be closed."""
        side = self.go(turn, running, key, signal, until)
        if side is not None:
            self._enter(turn, running, key, side)

    def go(
        self, turn: Turn, running: Running, key: InstrumentKey, signal: Signal, until: datetime
    ) -> Side | None:
        """Towards where the signal wants to be; by way of flat to the other side. The side to enter now."""
        if not signal.any:
            return None
        running.deferred.pop(key, None)
        slot = running.slot(key)
        held = self._state.portfolio.position(slot).quantity
        wanted = self._wanted(running, signal, held)
        # While a position is held wanted_side answers with the signed quantity when nothing changes.
        if wanted * held > 0:
            return None
        if held:
            self._exits.leave(turn, slot, Purpose.EXIT)
            if wanted:
                running.reversals[key] = WaitingEntry(_side(wanted), until)
            return None
        working = self._state.working_in(slot)
        entering = [o for o in working if o.purpose is _ENTRY] if working else working
        for order in entering:  # on its way in, but not wanted any more
            if wanted == -order.side.sign or (
                signal.exit_long if order.side is Side.BUY else signal.exit_short
            ):
                self._sending.withdraw(turn, order, "the signal has changed", Purpose.EXIT)
        return _side(wanted) if wanted and not entering else None

    def reconsider(self, running: Running, key: InstrumentKey, signal: Signal) -> None:
        """Between bars a newer signal may be against the side that waits for the opposite position to be
        closed; when the next bar decides, its time is over anyway."""
        waiting = running.reversals.get(key)
        if waiting is not None:
            sign = waiting.side.sign
            if self._wanted(running, signal, sign) != sign:
                del running.reversals[key]

    def returns(self, running: Running, key: InstrumentKey, signal: Signal) -> Side | None:
        """The side that the signal asks for in an instrument of which nobody can say that it is in: its
        position is on its way out, or its entry was withdrawn, or has no answer, and may fill or not."""
        slot = running.slot(key)
        held = self._state.portfolio.position(slot).quantity
        wanted = self._wanted(running, signal, held)
        if held:
            asked = signal.enter_long if held > 0 else signal.enter_short
            return _side(held) if asked and wanted * held > 0 and self._exits.leaving(slot) else None
        doubtful = any(
            order.purpose is _ENTRY and (order.state is _UNKNOWN or self._sending.withdrawn(order))
            for order in self._state.working_in(slot)
        )
        return _side(wanted) if wanted and doubtful else None

    def _wanted(self, running: Running, signal: Signal, held: int) -> int:
        return rules.wanted_side(
            held,
            signal.enter_long,
            signal.exit_long,
            signal.enter_short,
            signal.exit_short,
            running.options.longs,
            running.options.shorts,
        )

    def on_flat(self, turn: Turn, running: Running, key: InstrumentKey) -> None:
        """A position is closed: an entry may have waited for this."""
        reversal = running.reversals.pop(key, None)
        if reversal is None or turn.at > reversal.until or self._state.halted:
            return
        if running.instance.status is InstanceStatus.RUNNING:
            self._enter(turn, running, key, reversal.side)

    def _enter(self, turn: Turn, running: Running, key: InstrumentKey, side: Side) -> None:
        outcome = self._sending.submit(turn, self.wanting(turn, running, key, side))
        if isinstance(outcome, Denied) and outcome.code == "rate_second":
            running.deferred.setdefault(key, WaitingEntry(side, turn.at + DEFERRED_FOR))

    def wanting(self, turn: Turn, running: Running, key: InstrumentKey, side: Side) -> OrderRequest:
        """The request of an entry, sized by what the desk knows now."""
        state = self._state
        quote = state.quotes.get(key)
        instrument = state.instrument(key)
        last = quote.last if quote is not None else 0.0
        distance = abs(last - rules.stop_price(last, side.sign, running.options.stop))
        quantity = 0
        if instrument is not None and last > 0:
            if decimal_of(distance) < instrument.tick_size:  # no stop is nearer than a tick
                distance = float(instrument.tick_size)
            day = state.trading_day(turn.at)
            quantity = size(state, day, running.options, instrument, side, last, distance)
            if not quantity:
                quantity = instrument.lot_size  # the gate says what one lot is too much for
            elif instrument.freeze_quantity is not None and not running.options.quantity:
                quantity = min(
                    quantity, instrument.freeze_quantity // instrument.lot_size * instrument.lot_size
                )
        return _request(
            tag=state.next_tag(turn.at),
            owner=running.name,
            key=key,
            side=side,
            quantity=quantity,
            order_type=_MARKET,
            product=running.options.product,
            purpose=_ENTRY,
            at=turn.at,
            reference_price=decimal_of(last) if last > 0 else None,
            # Rounded down: up, a size that just fits would be denied for a fraction of a paisa.
            stop_distance=decimal_of(distance).quantize(_DISTANCE, ROUND_FLOOR) if distance else None,
            note=f"{running.instance.strategy} signal",
        )

    def on_clock(self, turn: Turn, running: Running) -> None:
        """Try again the entries that a busy second had no room for, while they are young."""
        for key, entry in list(running.deferred.items()):
            del running.deferred[key]
            slot = running.slot(key)
            held = self._state.portfolio.position(slot).quantity
            alive = running.instance.status is InstanceStatus.RUNNING and not self._state.halted
            if turn.at > entry.until or not alive or held or self._state.working_in(slot):
                continue
            self._enter(turn, running, key, entry.side)
            if key in running.deferred:  # still no room; its time goes on
                running.deferred[key] = entry


def _side(sign: int) -> Side:
    return _BUY if sign > 0 else _SELL
