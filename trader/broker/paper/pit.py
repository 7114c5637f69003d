"""Where working orders meet the market. Nothing here waits: what happens is gathered in a Step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from trader.broker.paper.auction import Auctions
from trader.broker.paper.conduct import Conduct
from trader.broker.paper.floor import Floor, Step
from trader.broker.paper.matching import (
    STOPS,
    Match,
    in_auction,
    in_range,
    on_conversion,
    on_quote,
    sane,
    waiting,
)
from trader.broker.paper.working import WorkingOrder
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Bar, Tick
from trader.domain.order import BrokerStatus, Validity
from trader.domain.times import ist
from trader.market.calendar import Calendar
from trader.market.phases import Phase, venue_of

DRAWN = "RMS:Margin Exceeds (a rejection the paper exchange was told to make)"
NOT_AT_ONCE = "IOC: what did not trade at once is cancelled"

Hit = tuple[Tick, int | None]  # a quote some order may trade on, and the units traded since the one before
Rejection = Callable[[Step, WorkingOrder, datetime], str | None]


class Pit:
    """``rejection`` is the risk desk's word on an order that arrives."""

    def __init__(
        self,
        floor: Floor,
        instruments: Callable[[InstrumentKey], Instrument],
        calendar: Calendar,
        conduct: Conduct,
        rejection: Rejection,
    ) -> None:
        self._floor = floor
        self._instruments = instruments
        self._calendar = calendar
        self._conduct = conduct
        self._rejection = rejection
        self._quotes: dict[InstrumentKey, Tick] = {}
        self._dealt: dict[InstrumentKey, float] = {}  # what traded here since the last quote
        self._ranges: dict[InstrumentKey, Bar] = {}  # candles between their range and their close
        self._closed: set[InstrumentKey] = set()  # candles behind their close: the quote is no present one
        self._first: dict[InstrumentKey, Tick] = {}  # the quote that nothing was known before
        self._auctions = Auctions(self._phase)

    # -- what the market shows ------------------------------------------------------------------------

    def open_at(self, now: datetime) -> None:
        """From here on quotes are seen."""
        self._auctions.opened_at = now

    def remember(self, ticks: Sequence[Tick]) -> list[Hit]:
        """Take in quotes; those that an order is waiting for come back."""
        quotes, working = self._quotes, self._floor.working
        hits: list[Hit] = []
        for tick in ticks:
            if tick.key in working:
                previous = quotes.get(tick.key)
                if previous is None:
                    self._first[tick.key] = tick
                hits.append((tick, _traded(tick, previous)))
            quotes[tick.key] = tick
        if self._dealt:
            for tick in ticks:
                self._dealt.pop(tick.key, None)
        if self._ranges or self._closed:
            for tick in ticks:
                self._ranges.pop(tick.key, None)
                self._closed.discard(tick.key)
        return hits

    def begin_range(self, bar: Bar) -> None:
        self._ranges[bar.key] = bar

    def end_range(self, bar: Bar) -> None:
        """The close becomes the last price, dated so early that no order can trade on it."""
        self._dealt.pop(bar.key, None)
        if self._ranges.pop(bar.key, None) is not None:
            self._quotes[bar.key] = Tick(bar.key, bar.start, bar.close)
            self._closed.add(bar.key)

    def last(self, key: InstrumentKey) -> float | None:
        """The last traded price, where there is one: that of an execution here counts until the next quote;
        none is known while a candle's range passes."""
        if key in self._ranges:
            return None
        return self._dealt.get(key) or self.seen(key)

    def seen(self, key: InstrumentKey) -> float | None:
        """The price quoted last, however old it may be."""
        quote = self._quotes.get(key)
        return quote.last if quote and sane(quote.last) else None

    def range_of(self, key: InstrumentKey) -> Bar | None:
        return self._ranges.get(key)

    # -- what it does to orders -----------------------------------------------------------------------

    def arrive(self, step: Step, order: WorkingOrder, at: datetime) -> WorkingOrder:
        """The risk desk looks at it, then it rests."""
        reason = self._rejection(step, order, at)
        if reason is None and self._conduct.rejects(order.order_id):
            reason = DRAWN
        if reason is not None:
            return order.ended(BrokerStatus.REJECTED, reason, at)
        return order.arrived(at)

    def meet_present(self, step: Step, order: WorkingOrder) -> WorkingOrder:
        """Let an order that just arrived trade on the quote of this very instant, if there is one. Under a
        liquidity bound it gets one lot: who else traded on that quote is unknown.

        An IOC order takes the quote that stands, however long: the book does not wait for it. Where only
        candles are known it waits for the next one's open.
        """
        key = order.update.key
        quote = self._quotes.get(key)
        if order.final or quote is None or key in self._ranges:
            return order
        if key in self._dealt and waiting(order.update):
            return order  # a trigger waits for what trades after that
        at_once = order.validity is Validity.IOC and self._stands(quote, order.active_at)
        if at_once:
            quote = quote._replace(at=max(quote.at, order.active_at))
        if quote.at < order.active_at or self._phase(key, quote.at) is not Phase.OPEN:
            return order
        return self._meet(step, order, quote, 0)

    def quote(self, step: Step, hits: Sequence[Hit]) -> None:
        """Let every order of these instruments meet the quotes."""
        for tick, traded in hits:
            phase = self._phase(tick.key, tick.at)
            if phase is not Phase.OPEN:
                first = self._first.get(tick.key) is tick
                if not self._auctions.is_print(tick, traded, first):
                    continue
            for order_id in self._floor.ids_at(tick.key):
                order = step.get(order_id)
                if phase is Phase.OPEN:
                    met = self._meet(step, order, tick, traded)
                else:
                    met = self._auction(step, order, tick, traded, tick.at)
                if met is not order:
                    step.put(met, told=order.update)

    def pass_range(self, step: Step, bar: Bar, ended: datetime) -> None:
        """Stops go first; where one of a position was reached its limits are passed over, for nobody
        knows which came first. What trades is dated ``ended``, when the candle was over."""
        if self._phase(bar.key, bar.start) is not Phase.OPEN:
            return
        orders = [step.get(order_id) for order_id in self._floor.ids_at(bar.key)]
        orders.sort(key=lambda order: order.update.order_type not in STOPS)
        stopped = set()
        for order in orders:
            position = (order.update.product, order.update.side)
            is_stop = order.update.order_type in STOPS
            if not is_stop and position in stopped:
                continue
            after = self._live_through(step, order, bar, ended)
            if after is not order:
                step.put(after, told=order.update)
                if is_stop:
                    stopped.add(position)

    def end_auctions(self, step: Step, now: datetime) -> None:
        """Let the orders of the auctions that end meet the prints nobody was sure of until now."""
        for tick in self._auctions.left(now):
            for order_id in self._floor.ids_at(tick.key):
                order = step.get(order_id)
                met = self._auction(step, order, tick, 0, now)
                if met is not order:
                    step.put(met, told=order.update)

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
                arrived = self.arrive(step, order, order.active_at)
                if order.validity is Validity.IOC:
                    arrived = self.meet_present(step, arrived)
                step.put(arrived, told=order.update)

    # -- within ---------------------------------------------------------------------------------------

    def _phase(self, key: InstrumentKey, at: datetime) -> Phase:
        return self._calendar.phase(at, venue_of(self._instruments(key)))

    def _stands(self, quote: Tick, at: datetime) -> bool:
        """Whether it is a present quote: of today's continuous trading, and not a candle's close."""
        return quote.key not in self._closed and ist(quote.at).date() == ist(at).date()

    def _auction(
        self, step: Step, order: WorkingOrder, tick: Tick, traded: int | None, at: datetime
    ) -> WorkingOrder:
        terms = order.terms_at(tick.at)
        if order.final or order.in_transit or terms is None:
            return order
        return self._trade(step, order, in_auction(terms, tick, self._instruments(tick.key)), at, traded)

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
        if order.validity is Validity.IOC and not order.final and tick.at >= order.active_at:
            return order.ended(BrokerStatus.CANCELLED, NOT_AT_ONCE, tick.at)
        return order.rested() if tick.at >= order.active_at else order

    def _live_through(self, step: Step, order: WorkingOrder, bar: Bar, ended: datetime) -> WorkingOrder:
        """A stop that arrived inside the candle counts from its open, against the trader; a limit must have
        been there at the open, and an IOC order waits for the next one's."""
        stop = order.update.order_type in STOPS
        if order.final or (order.active_at >= ended if stop else order.active_at > bar.start):
            return order
        if order.in_transit:
            order = self.arrive(step, order, ended)
        if order.final:
            return order
        match = in_range(order.update, bar, self._instruments(bar.key), self._conduct.slippage_bps)
        return self._trade(step, order, match, ended, bar.volume)

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
        self._dealt[terms.key] = float(match.price)
        return order


def _traded(tick: Tick, previous: Tick | None) -> int | None:
    """Units traded since the previous quote; None where the feed carries no volume."""
    if tick.volume <= 0:
        return None
    if previous is None:
        return 0
    # A smaller count than before is a new day's.
    return tick.volume - previous.volume if tick.volume >= previous.volume else tick.volume
