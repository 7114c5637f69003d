"""Positions, what they are worth, and the round trips they made.

Every owner has its own position in an (instrument, product); the account's is their sum. All money here
is Decimal; a position's mark is the price known last: the last quote's, or that of its own last fill where
no quote is newer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.domain.money import ZERO, decimal_of
from trader.domain.order import EXTERNAL, BrokerPosition, Order, Owner, Product, Side
from trader.domain.position import DayResult, Fill, Position, Trade
from trader.domain.values import replaced

DELIVERED = (Product.CNC, Product.MTF)


class Slot(NamedTuple):
    """Where a position lives."""

    owner: Owner
    key: InstrumentKey
    product: Product


def slot_of(item: Order | Fill | Position) -> Slot:
    return Slot(item.owner, item.key, item.product)


def delivered(item: Position | BrokerPosition) -> bool:
    """Whether it is no position but a sale of shares of earlier days: nobody is short in CNC or MTF."""
    return item.quantity < 0 and item.product in DELIVERED


def own_sale(held: Position) -> bool:
    """Whether it is what the owner sold of shares of his own: nothing is at stake in it."""
    return delivered(held) and held.owner == EXTERNAL


def own_units(held: Position, fill: Fill) -> int:
    """How many of a fill's units are shares of his own that the owner sells, or buys back."""
    if held.owner != EXTERNAL or held.product not in DELIVERED:
        return 0
    if fill.side is Side.SELL:
        return fill.quantity - min(fill.quantity, max(held.quantity, 0))
    return min(fill.quantity, max(-held.quantity, 0))


@dataclass(slots=True)
class _RoundTrip:
    """The open trade of a slot, being summed up."""

    side: Side
    opened_at: datetime
    entered: int = 0
    entered_value: Decimal = ZERO
    left: int = 0
    left_value: Decimal = ZERO
    charges: Decimal = ZERO
    first_fill: str = ""

    def resize(self, before: Position, after: Position) -> None:
        """Units came or went without a trade, of the same side; the charges of those that went go too."""
        held, left = abs(before.quantity), abs(after.quantity)
        self.entered += left - held
        if left < held:
            self.entered_value -= before.average_price * (held - left)
            self.charges = self.charges * left / held
        else:
            self.entered_value += after.average_price * left - before.average_price * held


@dataclass(frozen=True, slots=True)
class Booked:
    """What one fill did: the new position, gross rupees realised, and the round trip it ended."""

    position: Position
    realised: Decimal
    trade: Trade | None


class _Dealt(NamedTuple):
    """A position's own last fill."""

    at: datetime
    price: Decimal


class Portfolio:
    def __init__(self) -> None:
        self._positions: dict[Slot, Position] = {}
        self._open: dict[Slot, Position] = {}
        self._untouched: dict[Slot, Position] = {}  # what was asked for and never held
        self._trips: dict[Slot, _RoundTrip] = {}
        self._days: dict[Owner, DayResult] = {}
        self._dealt: dict[Slot, _Dealt] = {}  # of positions that no quote was heard of since

    # -- reading ---------------------------------------------------------------------------------

    def position(self, slot: Slot) -> Position:
        found = self._positions.get(slot) or self._untouched.get(slot)
        if found is None:
            found = self._untouched[slot] = Position(slot.owner, slot.key, slot.product)
        return found

    def open_positions(self, owner: Owner | None = None) -> list[Position]:
        """Non-zero positions, in a stable order."""
        return [self._open[s] for s in sorted(self._open) if owner is None or s.owner == owner]

    def open_slots(self) -> Mapping[Slot, Position]:
        return self._open

    def at_stake(self) -> Mapping[Slot, Position]:
        """The open ones without what was sold of the owner's own shares."""
        if not any(own_sale(held) for held in self._open.values()):
            return self._open
        return {slot: held for slot, held in self._open.items() if not own_sale(held)}

    def all_positions(self) -> Iterator[Position]:
        return (self._positions[s] for s in sorted(self._positions))

    def net(self) -> dict[tuple[InstrumentKey, Product], int]:
        """The account's signed units by instrument and product: what the broker should show."""
        totals: defaultdict[tuple[InstrumentKey, Product], int] = defaultdict(int)
        for slot, position in self._open.items():
            totals[slot.key, slot.product] += position.quantity
        return dict(totals)

    def last_price(self, slot: Slot, quotes: Mapping[InstrumentKey, Tick]) -> Decimal | None:
        """The price known last to whoever holds the slot's position; None before the first."""
        dealt = self._dealt.get(slot)
        if dealt is not None:
            return dealt.price
        quote = quotes.get(slot.key)
        return decimal_of(quote.last) if quote is not None else None

    def mark(self, slot: Slot, position: Position, quotes: Mapping[InstrumentKey, Tick]) -> Decimal:
        """What a unit is valued at: the price known last, or its own average before the first. What was sold
        of the owner's own shares gains and loses nothing any more."""
        if own_sale(position):
            return position.average_price
        last = self.last_price(slot, quotes)
        return position.average_price if last is None else last

    def unquoted(self, slot: Slot | None = None) -> bool:
        """Whether the slot, or any, was dealt in and not quoted since."""
        return slot in self._dealt if slot is not None else bool(self._dealt)

    def unrealised(self, quotes: Mapping[InstrumentKey, Tick]) -> Decimal:
        """Gross rupees over all open positions."""
        total = ZERO
        for slot, position in self._open.items():
            total += position.unrealised(self.mark(slot, position, quotes))
        return total

    def gross_exposure(self, quotes: Mapping[InstrumentKey, Tick]) -> Decimal:
        """Rupees: the sum of the absolute market values."""
        total = ZERO
        for slot, position in self.at_stake().items():
            total += self.mark(slot, position, quotes) * abs(position.quantity)
        return total

    def day_results(self) -> list[DayResult]:
        return [self._days[owner] for owner in sorted(self._days)]

    def day_result(self, owner: Owner, day: date) -> DayResult:
        result = self._days.get(owner)
        return result if result is not None and result.day == day else DayResult(day, owner)

    # -- changing --------------------------------------------------------------------------------

    def restore(
        self, positions: Iterable[Position], open_fills: Iterable[Fill], results: Iterable[DayResult]
    ) -> None:
        """``open_fills`` are the fills since each open position was opened, oldest first."""
        for position in positions:
            self._store(slot_of(position), position)
        self._days = {result.owner: result for result in results}
        self._rebuild_trips(open_fills)

    def _rebuild_trips(self, fills: Iterable[Fill]) -> None:
        """Sum the open round trips again from the fills since each position was opened."""
        since: defaultdict[Slot, list[Fill]] = defaultdict(list)
        for fill in fills:
            position = self._open.get(slot_of(fill))
            if position is not None and position.opened_at is not None and fill.at >= position.opened_at:
                since[slot_of(fill)].append(fill)
        for slot, position in self._open.items():
            # What was held before the first of them: the fill that opened the position may have closed
            # another one, and earlier fills may bear the same second.
            held = position.quantity - sum(fill.quantity * fill.side.sign for fill in since[slot])
            if held * position.quantity > 0:
                self._begin(slot, replaced(position, quantity=held))
            for fill in since[slot]:
                self._tally(slot, held, fill)
                held += fill.quantity * fill.side.sign

    def adopt(self, position: Position) -> None:
        """Take over a position the broker shows and nobody here made, or what became of one with units that
        came or went without a trade."""
        slot = slot_of(position)
        before = self.position(slot)
        self._store(slot, position)
        trip = self._trips.get(slot)
        if trip is not None and before.quantity * position.quantity > 0:
            trip.resize(before, position)
        else:
            self._begin(slot, position)

    def _begin(self, slot: Slot, position: Position) -> None:
        """The open trade of a position without fills of ours."""
        if not position.quantity or position.opened_at is None:
            self._trips.pop(slot, None)
            return
        quantity = abs(position.quantity)
        self._trips[slot] = _RoundTrip(
            Side.BUY if position.quantity > 0 else Side.SELL,
            position.opened_at,
            entered=quantity,
            entered_value=position.average_price * quantity,
            first_fill=f"adopted:{':'.join(slot)}:{position.opened_at:%Y%m%d%H%M%S}",
        )

    def roll_day(self, day: date) -> None:
        self._days = {owner: result for owner, result in self._days.items() if result.day == day}

    def book(self, fill: Fill, day: date) -> Booked:
        """Add one fill. A fill larger than the position closes it and opens the other side."""
        slot = slot_of(fill)
        before = self.position(slot)
        after, realised = _after(before, fill)
        trade = self._tally(slot, before.quantity, fill)
        self._store(slot, after)
        result = self.day_result(fill.owner, day)
        self._days[fill.owner] = replaced(
            result,
            realised=result.realised + realised,
            charges=result.charges + fill.charges,
            slippage=result.slippage + fill.slippage,
            fills=result.fills + 1,
            trades=result.trades + (trade is not None),
            wins=result.wins + (trade is not None and trade.net > 0),
        )
        return Booked(after, realised, trade)

    def dealt(self, fill: Fill, quote: Tick | None, now: datetime) -> None:
        """A fill that was booked is the price known last, unless ``quote`` is newer. The broker's clock may
        be ahead of ours: what it dates after ``now`` must not outlast what is quoted then."""
        slot, at = slot_of(fill), min(fill.at, now)
        if slot in self._open and (quote is None or quote.at <= at):
            self._dealt[slot] = _Dealt(at, fill.price)

    def quoted(self, ticks: Sequence[Tick], quotes: Mapping[InstrumentKey, Tick]) -> None:
        """``ticks`` have come; those that were taken in are in ``quotes``. One of the same moment as a fill
        came after it."""
        for tick in ticks:
            if quotes.get(tick.key) is tick:
                for slot in [s for s, d in self._dealt.items() if s.key == tick.key and d.at <= tick.at]:
                    del self._dealt[slot]

    def charge(self, owner: Owner, day: date, charges: Decimal) -> DayResult:
        """Add charges to an owner's day that belong to no fill; its result then."""
        result = self.day_result(owner, day)
        self._days[owner] = replaced(result, charges=result.charges + charges)
        return self._days[owner]

    def _store(self, slot: Slot, position: Position) -> None:
        self._positions[slot] = position
        if position.quantity:
            self._open[slot] = position
        else:
            self._open.pop(slot, None)
            self._dealt.pop(slot, None)

    def _tally(self, slot: Slot, held: int, fill: Fill) -> Trade | None:
        """Keep the slot's round trip; the finished trade when this fill ends it. A fill that crosses zero
        ends one trip and opens the next, its charges split by quantity."""
        closing = min(fill.quantity, abs(held)) if held * fill.side.sign < 0 else 0
        opening = fill.quantity - closing
        trade = None
        trip = self._trips.get(slot)
        if closing and trip is not None:
            trip.left += closing
            trip.left_value += fill.price * closing
            trip.charges += fill.charges * closing / fill.quantity
            if closing == abs(held):
                trade = _finished(slot, trip, fill)
                del self._trips[slot]
                trip = None
        if opening:
            if trip is None:
                trip = self._trips[slot] = _RoundTrip(fill.side, fill.at, first_fill=fill.fill_id)
            trip.entered += opening
            trip.entered_value += fill.price * opening
            trip.charges += fill.charges * opening / fill.quantity
        return trade


def _after(before: Position, fill: Fill) -> tuple[Position, Decimal]:
    """The position after a fill and the gross rupees it realised (average cost)."""
    signed = fill.quantity * fill.side.sign
    held = before.quantity
    quantity = held + signed
    realised = ZERO
    average = before.average_price
    opened_at = before.opened_at
    if held == 0 or held * signed > 0:
        average = (average * abs(held) + fill.price * fill.quantity) / abs(quantity)
        opened_at = opened_at if held else fill.at
    else:
        closed = min(abs(held), fill.quantity)
        realised = (fill.price - average) * closed * (1 if held > 0 else -1)
        if quantity == 0:
            average, opened_at = ZERO, None
        elif quantity * held < 0:
            average, opened_at = fill.price, fill.at
    after = replaced(
        before,
        quantity=quantity,
        average_price=average,
        realised=before.realised + realised,
        charges=before.charges + fill.charges,
        opened_at=opened_at,
        updated_at=fill.at,
    )
    return after, realised


def _finished(slot: Slot, trip: _RoundTrip, last: Fill) -> Trade:
    gross = (trip.left_value - trip.entered_value) * trip.side.sign
    return Trade(
        trade_id=trip.first_fill,
        owner=slot.owner,
        key=slot.key,
        product=slot.product,
        side=trip.side,
        quantity=trip.entered,
        entry_price=trip.entered_value / trip.entered,
        exit_price=trip.left_value / trip.left,
        entry_at=trip.opened_at,
        exit_at=last.at,
        pnl=gross,
        charges=trip.charges,
        reason=last.purpose,
    )
