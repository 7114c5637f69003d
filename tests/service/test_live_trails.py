"""A trail that goes on all morning, at the local Kite: Zerodha takes 25 changes to an order, so the stop is
renewed behind every twentieth, and the position is never bare unseen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sandbox.kite import KiteServer, Pace
from sandbox.kite.orders import Order as KiteOrder
from sandbox.kite.orders import Status
from tests.service.live_house import KEY, LEVEL, LiveHouse, brisk, live_house
from trader.desk.limits import MODIFICATIONS_PER_ORDER
from trader.desk.stops import RESERVED_CHANGES

TRAIL = f"/start_strategy touch RELIANCE 1m above={LEVEL + 2} quantity=10 trail=0.5 stop=0.5 target=0"
RISE = 0.8  # rupees a second, more than a tenth of the trail: the stop moves every second
CHANGES = MODIFICATIONS_PER_ORDER - RESERVED_CHANGES
LOOK = 0.05  # seconds between two looks at the exchange


def realistic(kite: KiteServer) -> None:
    kite.exchange.pace = Pace.realistic()


@asynccontextmanager
async def trailing(folder: Path) -> AsyncIterator[LiveHouse]:
    """Ten RELIANCE bought, and a stop that follows."""
    async with live_house(folder, prepare=realistic) as live:
        keeping = asyncio.create_task(keep_time(live.kite))
        try:
            await live.types("/stop_strategy touch close")
            assert "Started" in await live.types(TRAIL)
            await live.passes(3)
            live.quotes(LEVEL + 3)
            await live.until(lambda: live.held() == 10 and bool(live.kite.exchange.live), "in, with a stop")
            yield live
        finally:
            keeping.cancel()


async def keep_time(kite: KiteServer) -> None:
    while True:
        await asyncio.sleep(LOOK)
        kite.settle()


def stops(live: LiveHouse) -> list[KiteOrder]:
    return [o for o in live.at_broker() if o.side == "SELL"]


async def rises(live: LiveHouse, seconds: int) -> float:
    """The longest time in seconds, market time, in which fewer than ten rested to be sold."""
    bare = longest = 0.0
    for _ in range(seconds):
        live.quotes(round(live.price + RISE, 1))
        for _ in range(round(1 / LOOK)):
            await live.passes(LOOK)
            resting = [o for o in live.kite.exchange.live.values() if o.side == "SELL"]
            assert len(resting) <= 1, live.story()
            bare = 0.0 if sum(o.terms.quantity for o in resting) == 10 else bare + LOOK
            longest = max(longest, bare)
    return longest


@brisk
async def test_a_stop_is_renewed_behind_every_twentieth_change_and_one_always_rests(tmp_path: Path) -> None:
    async with trailing(tmp_path) as live:
        assert await rises(live, 100) <= 0.2
        *old, last = stops(live)
        assert len(old) >= 3
        assert {(o.status, o.modifications) for o in old} == {(Status.CANCELLED, CHANGES)}
        assert last.status is Status.TRIGGER_PENDING
        assert 0 <= live.price - 7.4 - last.terms.trigger_price <= 2 * RISE
        live.quotes(last.terms.trigger_price)
        await live.until(lambda: not live.held(), "stopped out")
        await live.hears("SELL 10 RELIANCE")
        live.nothing_is_lost_or_doubled()


@brisk
async def test_without_news_of_orders_the_next_stop_rests_within_seconds(tmp_path: Path) -> None:
    async with trailing(tmp_path) as live:
        live.kite.faults.add("lose", times=None)
        assert await rises(live, 60) <= 2.5
        assert len(stops(live)) >= 3
        live.nothing_is_lost_or_doubled()


@brisk
async def test_where_nothing_shows_the_old_one_gone_the_owner_hears_and_its_price_is_watched(
    tmp_path: Path,
) -> None:
    async with trailing(tmp_path) as live:
        live.kite.faults.add("lose", times=None)
        live.kite.faults.add("stale", times=None)
        await rises(live, 40)
        told = await live.hears("No stop may rest: RELIANCE (touch)")
        assert "leaves at the market" in told.body
        assert live.held() == 10
        live.quotes(LEVEL)
        await live.until(lambda: live.kite.account.positions[KEY, "MIS"].quantity == 0, "left")
        live.kite.heal()
        await live.until(lambda: not live.held(), "booked", 300)
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_stop_that_zerodha_will_not_renew_is_told_and_left_where_it_belongs(tmp_path: Path) -> None:
    async with trailing(tmp_path) as live:
        live.kite.faults.add(
            "refuse", "cancel", times=None, status=400, error_type="OrderException", message="Not now."
        )
        await rises(live, 70)
        (stop,) = stops(live)
        assert (stop.status, stop.modifications) == (Status.TRIGGER_PENDING, CHANGES)
        told = await live.hears("Stop not moved: RELIANCE (touch)")
        assert "Not now." in told.body
        live.quotes(live.price - 8.0)  # past where it belongs, far from where it rests
        await live.until(lambda: not live.held(), "left")
        assert stop.status is Status.COMPLETE
        live.nothing_is_lost_or_doubled()
