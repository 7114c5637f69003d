"""A market that goes where it is told: prices stand, or walk in a straight line to where they are sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.kite.forms import to_tick
from sandbox.kite.market import Market


@dataclass(slots=True)
class _Course:
    """From ``start`` to ``end`` in ``steps``, of which ``taken`` are behind it."""

    start: float
    end: float
    steps: int = 1
    taken: int = 1

    def next(self) -> float:
        self.taken = min(self.taken + 1, self.steps)
        return self.start + (self.end - self.start) * self.taken / self.steps


class Steering:
    """These symbols trade at each step while their market is open, at their course's price, on their tick;
    all others rest."""

    def __init__(self, market: Market, symbols: Iterable[str]) -> None:
        self._market = market
        self._courses: dict[str, _Course] = {}
        for symbol in symbols:
            last = market.quote(market.listings[symbol]).last
            self._courses[symbol] = _Course(last, last)

    def at(self, symbol: str) -> float:
        """Where it traded last."""
        return self._market.quote(self._market.listings[symbol]).last

    def send(self, symbol: str, price: float, steps: int = 1) -> None:
        """From where it is to ``price`` within so many steps; there it stays."""
        self._courses[symbol] = _Course(self.at(symbol), price, max(1, steps), 0)

    def arrived(self, symbol: str) -> bool:
        return self._courses[symbol].taken == self._courses[symbol].steps

    def step(self) -> None:
        for symbol, course in self._courses.items():
            listing = self._market.listings[symbol]
            if self._market.open_now(listing):
                price = to_tick(course.next(), listing.tick_size, up=False)
                self._market.price(symbol, max(listing.tick_size, price), quantity=listing.lot_size)
