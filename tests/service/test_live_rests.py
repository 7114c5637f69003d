"""Protected market orders that find too few at their price, at the live broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.kite.orders import Status
from tests.service.live_house import KEY, LEVEL, LiveHouse, brisk, live_house
from trader.domain.order import OrderState, OrderType, Purpose


def dries_up(live: LiveHouse, units: int = 0) -> None:
    """At the next price ``units`` are offered; after that nobody is there."""
    live.kite.market.size = 0
    live.price = LEVEL + 1
    live.kite.market.price(KEY, live.price, ask_quantity=units // 5)


def selling(live: LiveHouse) -> int:
    return sum(order.side == "SELL" and not order.ended for order in live.at_broker())


async def bought(live: LiveHouse) -> None:
    await live.touches()
    await live.until(live.protected, "protected")
    await live.falls_back()


@pytest.mark.parametrize("units", [0, 5])
@brisk
async def test_the_rest_of_an_entry_is_cancelled_within_seconds(units: int, tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        dries_up(live, units)
        await live.until(lambda: bool(live.entries()), "an entry")
        await live.until(lambda: live.entries()[0].state is OrderState.CANCELLED, "cancelled", within=15)
        (order,) = live.at_broker(live.entries()[0].tag)
        assert (order.status, order.filled, order.terms.order_type) == (Status.CANCELLED, units, "LIMIT")
        await live.passes(5)
        assert live.held() == units
        assert live.protected() == bool(units)
        live.kite.market.size = 5_000
        await live.passes(10)
        assert live.held() == units, "nothing of it comes later"
        live.nothing_is_lost_or_doubled()


@brisk
async def test_the_rest_of_an_exit_follows_the_market_in_one_order(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        await bought(live)
        live.kite.market.size = 0
        live.quotes()
        await live.types("/kill")
        for step in range(60):
            live.price = LEVEL * (1 - 0.0002 * step)
            await live.passes(1)
            assert selling(live) <= 1
        (stop,) = [o for o in live.orders() if o.purpose in (Purpose.STOP, Purpose.KILL)]
        assert stop.modifications >= 3, "its price is taken anew"
        assert stop.order_type is OrderType.MARKET
        live.kite.market.size = 1  # a few at a time
        await live.until(lambda: live.held() == 0, "sold")
        live.kite.market.size = 5_000
        await live.hears("FLAT verified")
        assert live.sent() == 2, "the entry, and the stop that became the exit"
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_stop_the_market_leaps_over_is_chased(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        await bought(live)
        live.kite.market.size = 0
        live.quotes(LEVEL * 0.985)  # the stop fires and finds nobody
        await live.passes(2)
        live.quotes(LEVEL * 0.975)  # beyond its protection
        await live.passes(20)
        live.kite.market.size = 5_000
        await live.until(lambda: live.held() == 0, "sold")
        assert live.sent() == 2
        live.nothing_is_lost_or_doubled()
