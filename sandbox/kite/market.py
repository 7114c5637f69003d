"""Prices as the caller pushes them: quotes, five levels of depth, the day's range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time

from sandbox.kite.agenda import Agenda
from sandbox.kite.listings import Listing, Listings

LEVELS = 5
DEFAULT_SIZE = 5_000  # units on each level when the caller does not say


@dataclass(slots=True)
class Level:
    price: float
    quantity: int
    orders: int = 1


@dataclass(slots=True)
class Quote:
    """One instrument now. ``volume`` is the day's, ``close`` the previous day's."""

    listing: Listing
    close: float
    last: float
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    last_quantity: int = 0
    volume: int = 0
    turnover: float = 0.0
    oi: int = 0
    oi_high: int = 0
    oi_low: int = 0
    traded_at: datetime | None = None
    day: date | None = None
    bids: list[Level] = field(default_factory=list)
    asks: list[Level] = field(default_factory=list)

    @property
    def average(self) -> float:
        return round(self.turnover / self.volume, 2) if self.volume else 0.0

    @property
    def circuit(self) -> tuple[float, float]:
        """The lowest and highest price of the day."""
        listing, tick = self.listing, self.listing.tick_size
        reach = listing.band * (listing.strike if listing.is_option else self.close)
        low, high = self.close - reach, self.close + reach
        return round(max(tick, round(low / tick) * tick), 4), round(round(high / tick) * tick, 4)


Listener = Callable[[Quote], None]


class Hours:
    """When orders are taken and matched. ``always`` keeps the market open round the clock."""

    def __init__(self, *, always: bool = False, holidays: frozenset[date] = frozenset()) -> None:
        self.always, self.holidays = always, holidays

    def trading_day(self, day: date) -> bool:
        return self.always or self.exchange_day(day)

    def exchange_day(self, day: date) -> bool:
        """A day of the calendar on which there was trading, whatever ``always`` pretends about today."""
        return day.weekday() < 5 and day not in self.holidays

    def takes_orders(self, listing: Listing, at: datetime) -> bool:
        # from 09:00, for the pre-open session; nothing matches before 09:15 here
        return self.always or (self.trading_day(at.date()) and time(9) <= at.time() < listing.orders_until)

    def matches(self, listing: Listing, at: datetime) -> bool:
        return self.always or (
            self.trading_day(at.date()) and time(9, 15) <= at.time() < listing.continuous_until
        )

    def over(self, listing: Listing, at: datetime) -> bool:
        return not self.always and at.time() >= listing.orders_until


class Market:
    def __init__(self, listings: Listings, agenda: Agenda, hours: Hours) -> None:
        self.listings, self.hours, self._agenda = listings, hours, agenda
        self._quotes: dict[int, Quote] = {}
        self.listeners: list[Listener] = []  # called with every new price, in this order
        self.size = DEFAULT_SIZE  # less makes fills slow and partial

    def price(
        self,
        symbol: str,
        last: float,
        bid: float | None = None,
        ask: float | None = None,
        volume: int | None = None,
        *,
        quantity: int = 1,
        bid_quantity: int | None = None,
        ask_quantity: int | None = None,
        oi: int | None = None,
    ) -> Quote:
        """A trade of ``quantity`` at ``last``, and the book after it.

        Without ``bid`` and ``ask`` the book stands one tick away on either side; each side has five levels
        a tick apart with the given quantity on each, ``size`` if none is given, 0 for an empty side.
        ``volume`` is the day's total; without it ``quantity`` is added to what was.
        """
        self._agenda.run()  # what was due before this price meets it
        listing = self.listings[symbol]
        quote, now, tick = self.quote(listing), self._agenda.now, listing.tick_size
        if quote.day != now.date():
            _roll(quote, now.date())
        quote.last, quote.last_quantity, quote.traded_at = last, quantity, now
        quote.open = quote.open or last
        quote.high, quote.low = max(quote.high, last), min(quote.low or last, last)
        traded = quantity if volume is None else max(0, volume - quote.volume)
        quote.volume += traded
        quote.turnover += traded * last
        if oi is not None:
            quote.oi, quote.oi_high = oi, max(quote.oi_high, oi)
            quote.oi_low = min(quote.oi_low or oi, oi)
        quote.bids = _ladder(last - tick if bid is None else bid, -tick, self._size(bid_quantity))
        quote.asks = _ladder(last + tick if ask is None else ask, tick, self._size(ask_quantity))
        for listener in self.listeners:
            listener(quote)
        return quote

    def _size(self, quantity: int | None) -> int:
        return self.size if quantity is None else quantity

    def quote(self, listing: Listing) -> Quote:
        """Before its first price an instrument shows its previous close and an empty book."""
        if listing.token not in self._quotes:
            close = listing.previous_close
            self._quotes[listing.token] = Quote(listing, close=close, last=close)
        return self._quotes[listing.token]

    def new_day(self) -> None:
        """Yesterday's last price becomes the close; nothing is bid or offered before the first price."""
        for quote in self._quotes.values():
            _roll(quote, self.now.date())
            quote.bids, quote.asks, quote.traded_at = [], [], None

    def of_token(self, token: int) -> Quote | None:
        listing = self.listings.find(token)
        return None if listing is None else self.quote(listing)

    @property
    def now(self) -> datetime:
        return self._agenda.now

    def open_now(self, listing: Listing) -> bool:
        return self.hours.matches(listing, self._agenda.now)


def _roll(quote: Quote, day: date) -> None:
    if quote.day is not None:
        quote.close = quote.last
    quote.day, quote.open, quote.high, quote.low = day, 0.0, 0.0, 0.0
    quote.volume, quote.turnover, quote.oi_high, quote.oi_low = 0, 0.0, quote.oi, quote.oi


def _ladder(best: float, step: float, quantity: int) -> list[Level]:
    if quantity <= 0 or best <= 0:
        return []
    prices = (round(best + index * step, 4) for index in range(LEVELS))
    return [Level(price, quantity, 1 + index) for index, price in enumerate(prices) if price > 0]
