"""Where working orders meet the market. Nothing here waits: what happens is gathered in a Step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from trader.broker.paper.checks import risk_rejection
from trader.broker.paper.conduct import Conduct
from trader.broker.paper.floor import Floor, Step
from trader.broker.paper.matching import STOPS, Match, in_range, on_conversion, on_quote, sane
from trader.broker.paper.working import WorkingOrder
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Bar, Tick
from trader.domain.order import BrokerStatus

EXPIRED = "Day order cancelled at the end of its session"
DRAWN = "RMS:Margin Exceeds (a rejection the paper exchange was told to make)"

Hit = tuple[Tick, int | None]  # a quote some order may trade on, and the units traded since the one before


class Venue:
    def __init__(
        self, floor: Floor, instruments: Callable[[InstrumentKey], Instrument], conduct: Conduct
    ) -> None:
        self._floor = floor
        self._instruments = instruments
        self._conduct = conduct
        self._quotes: dict[InstrumentKey, Tick] = {}
        self._ranges: dict[InstrumentKey, Bar] = {}  # candles between their range and their close

    # -- what the market shows ------------------------------------------------------------------------

    def remember(self, ticks: Sequence[Tick]) -> list[Hit]:
        """Take in quotes; those that an order is waiting for come back."""
        quotes, working = self._quotes, self._floor.working
        hits: list[Hit] = []
        for tick in ticks:
            if tick.key in working:
                hits.append((tick, _traded(tick, quotes.get(tick.key))))
            quotes[tick.key] = tick
        if self._ranges:
            for tick in ticks:
                self._ranges.pop(tick.key, None)
        return hits

    def begin_range(self, bar: Bar) -> None:
        self._ranges[bar.key] = bar

    def end_range(self, bar: Bar) -> None:
        """The close becomes the last price, dated so early that no order can trade on it."""
        if self._ranges.pop(bar.key, None) is not None:
            self._quotes[bar.key] = Tick(bar.key, bar.start, bar.close)

    def last(self, key: InstrumentKey) -> float | None:
        """The last price, where there is one: none is known while a candle's range passes."""
        quote = self._quotes.get(key)
        return quote.last if quote and sane(quote.last) and key not in self._ranges else None

    def range_of(self, key: InstrumentKey) -> Bar | None:
        return self._ranges.get(key)

    # -- what it does to orders -----------------------------------------------------------------------

    def arrive(self, step: Step, order: WorkingOrder, at: datetime) -> WorkingOrder:
        """The risk desk looks at it, then it rests."""
        update = order.update
        reason = risk_rejection(
            update, self._instruments(update.key), self._floor.sellable(update.key, at, step, order.order_id)
        )
        if reason is None and self._conduct.rejects(order.order_id):
            reason = DRAWN
        if reason is not None:
            return order.ended(BrokerStatus.REJECTED, reason, at)
        return order.arrived(at)

    def meet_present(self, step: Step, order: WorkingOrder) -> WorkingOrder:
        """Let an order that just arrived trade on the quote of this very instant, if there is one. Under a
        liquidity bound it gets one lot: who else traded on that quote is unknown."""
        key = order.update.key
        quote = self._quotes.get(key)
        if order.final or quote is None or quote.at < order.active_at or key in self._ranges:
            return order
        return self._meet(step, order, quote, 0)

    def quote(self, step: Step, hits: Sequence[Hit]) -> None:
        """Let every order of these instruments meet the quotes."""
        for tick, traded in hits:
            for order_id in self._floor.ids_at(tick.key):
                order = step.get(order_id)
                met = self._meet(step, order, tick, traded)
                if met is not order:
                    step.put(met, told=order.update)

    def pass_range(self, step: Step, bar: Bar) -> None:
        """Stops go first; where one of a position was reached its limits are passed over, for nobody
        knows which came first."""
        orders = [step.get(order_id) for order_id in self._floor.ids_at(bar.key)]
        orders.sort(key=lambda order: order.update.order_type not in STOPS)
        stopped = set()
        for order in orders:
            position = (order.update.product, order.update.side)
            is_stop = order.update.order_type in STOPS
            if not is_stop and position in stopped:
                continue
            after = self._live_through(step, order, bar)
            if after is not order:
                step.put(after, told=order.update)
                if is_stop:
                    stopped.add(position)

    def convert(self, step: Step, order: WorkingOrder, at: datetime, bar: Bar) -> WorkingOrder:
        """An order turned into a limit while the range of ``bar`` passes."""
        match = on_conversion(order.update, bar)
        if match.price is None:
            return order
        return self._trade(step, order, match, at, bar.volume).rested()

    def pass_time(self, step: Step, now: datetime) -> None:
        """Let orders arrive that nothing was quoted for."""
        for order_id in sorted(self._floor.in_transit):
            order = step.get(order_id)
            if order.in_transit and order.active_at <= now:
                step.put(self.arrive(step, order, order.active_at), told=order.update)

    def expire(self, step: Step, day: date, now: datetime) -> None:
        """End every order placed on ``day`` or before."""
        for order_id in self._floor.all_working():
            order = step.get(order_id)
            if order.day <= day and not order.final:
                step.put(order.ended(BrokerStatus.CANCELLED, EXPIRED, now), told=order.update)

    def _meet(self, step: Step, order: WorkingOrder, tick: Tick, traded: int | None) -> WorkingOrder:
        if order.final:
            return order
        if order.in_transit and tick.at >= order.active_at:
            order = self.arrive(step, order, tick.at)
        terms = order.terms_at(tick.at)
        if terms is None or order.final:
            return order
        match = on_quote(terms, order.met, tick, self._instruments(tick.key), self._conduct.slippage_bps)
        order = self._trade(step, order, match, tick.at, traded)
        return order.rested() if tick.at >= order.active_at else order

    def _live_through(self, step: Step, order: WorkingOrder, bar: Bar) -> WorkingOrder:
        """A stop that arrived inside the candle counts from its open, against the trader; a limit must have
        been there at the open."""
        stop = order.update.order_type in STOPS
        if order.final or (order.active_at >= bar.end if stop else order.active_at > bar.start):
            return order
        if order.in_transit:
            order = self.arrive(step, order, bar.end)
        if order.final:
            return order
        match = in_range(order.update, bar, self._instruments(bar.key), self._conduct.slippage_bps)
        return self._trade(step, order, match, bar.end, bar.volume)

    def _trade(
        self, step: Step, order: WorkingOrder, match: Match, at: datetime, traded: int | None
    ) -> WorkingOrder:
        if match.fired:
            order = order.fired(at)
        if match.price is None:
            return order
        terms = order.terms_at(at) or order.update
        lot = self._instruments(terms.key).lot_size
        pending = (terms.quantity - order.update.filled_quantity) // lot
        quantity = self._conduct.portion(order.order_id, order.executions, pending) * lot
        room = self._conduct.room(traded, lot)
        quantity = quantity if room is None else min(quantity, room)
        order, execution = order.executed(quantity, match.price, at)
        step.executions.append(execution)
        return order


def _traded(tick: Tick, previous: Tick | None) -> int | None:
    """Units traded since the previous quote; None where the feed carries no volume."""
    if tick.volume <= 0:
        return None
    if previous is None:
        return 0
    # A smaller count than before is a new day's.
    return tick.volume - previous.volume if tick.volume >= previous.volume else tick.volume
