"""A market that moves by itself: a seeded random walk over every listing, options following the index."""

from __future__ import annotations

import asyncio
import math
import random

from sandbox.kite.forms import to_tick
from sandbox.kite.listings import Listing
from sandbox.kite.market import Market

STEP = 0.0004  # standard deviation of one step, as a share of the price
PULL = 0.002  # towards the previous close, so that a long run stays inside the circuit
UNDERLYING = "NSE:NIFTY 50"
TIME_VALUE = 110.0  # of an option at the money, in rupees


class Walk:
    def __init__(self, market: Market, seed: int) -> None:
        self._market, self._rng = market, random.Random(seed)  # noqa: S311 - prices, not secrets
        self._levels = {one.key: market.quote(one).last for one in market.listings if not one.is_derivative}

    def step(self) -> None:
        """One new price for everything whose market is open now."""
        for key, level in self._levels.items():
            close = self._market.listings[key].previous_close
            move = self._rng.gauss(0, STEP) + PULL * (close - level) / close
            self._levels[key] = level * (1 + move)
        for listing in self._market.listings:
            if self._market.open_now(listing):
                self._push(listing)

    async def run(self, every: float) -> None:
        """Step every so many real seconds, for ever."""
        while True:
            self.step()
            await asyncio.sleep(every)

    def _push(self, listing: Listing) -> None:
        price = max(listing.tick_size, to_tick(self._fair(listing), listing.tick_size, up=False))
        lots = 0 if listing.is_index else self._rng.randint(1, 40)
        size = 0 if listing.is_index else listing.lot_size * self._rng.randint(20, 200)
        self._market.price(
            listing.key, price, quantity=lots * listing.lot_size, bid_quantity=size, ask_quantity=size
        )

    def _fair(self, listing: Listing) -> float:
        if not listing.is_derivative:
            return self._levels[listing.key]
        own = f"NSE:{listing.name}"
        underlying = own if own in self._levels else UNDERLYING
        spot = self._levels[underlying]
        if not listing.is_option:
            return spot * listing.previous_close / self._market.listings[underlying].previous_close
        inside = (spot - listing.strike) * (1 if listing.instrument_type == "CE" else -1)
        return max(0.0, inside) + TIME_VALUE * math.exp(-((inside / 250) ** 2))
