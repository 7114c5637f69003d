"""Delivery shares over a night at the live broker: a GTT stands while no day stop can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sandbox.kite import KiteServer
from sandbox.kite.gtt import Trigger
from tests.service.live_day_loop import DayLoop
from tests.service.live_house import KEY, LEVEL, OTHER, LiveHouse, brisk, live_house
from trader.desk.commands import Arm
from trader.domain.order import Purpose
from trader.domain.times import IST

AFTERNOON = datetime(2026, 11, 23, 15, 0, tzinfo=IST)
OPENING = datetime(2026, 11, 25, 9, 15, tzinfo=IST)  # the 24th is a holiday
AWAKE = 60.0  # seconds, enough to log in and to connect


@asynccontextmanager
async def holding(folder: Path, product: str = "CNC") -> AsyncIterator[LiveHouse]:
    """Ten shares for delivery, bought in the afternoon, with their stop at the exchange."""
    async with live_house(folder, start=AFTERNOON, armed=True) as live:
        assert "Stopped" in await live.types("/stop_strategy touch keep")
        told = await live.types(
            f"/start_strategy touch RELIANCE 1m above={LEVEL + 1} quantity=10 product={product} side=long"
            " check=off"
        )
        assert "Started" in told, told
        await live.passes(3)
        await live.touches()
        await live.until(live.protected, "protected")
        await live.falls_back()
        yield live


async def sleeps_until(live: LiveHouse, at: datetime) -> None:
    """The machine is suspended, then awake for a minute."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, DayLoop)
    await live.passes(1)
    loop.passed += (at - live.clock.now()).total_seconds() - AWAKE
    await live.passes(AWAKE)


def active(kite: KiteServer) -> list[Trigger]:
    return [one for one in kite.world.triggers._all.values() if one.status == "active"]


def shown_protected(live: LiveHouse) -> bool:
    return [p.protected for p in live.house.front.view().positions] == [True]


def sellers(live: LiveHouse) -> int:
    resting = [o for o in live.at_broker() if o.side == "SELL" and not o.ended]
    return len(resting) + len(active(live.kite))


@brisk
async def test_a_gtt_stands_from_the_close_to_the_opening_and_the_days_stop_after_it(
    tmp_path: Path,
) -> None:
    async with holding(tmp_path) as live:
        await live.passes(1)
        assert sellers(live) == 1
        await sleeps_until(live, AFTERNOON.replace(hour=15, minute=36))
        await live.until(lambda: bool(active(live.kite)), "a GTT", within=300)
        alert = await live.hears("GTT stops until Wed 09:15: 1 position", within=300)
        assert "SELL 10 RELIANCE" in alert.body
        (gtt,) = active(live.kite)
        (stop,) = [o for o in live.orders() if o.purpose is Purpose.STOP]
        assert gtt.values == [float(stop.trigger_price or 0)]
        assert shown_protected(live)
        live.quotes(LEVEL)
        await sleeps_until(live, OPENING - timedelta(seconds=5))
        assert sellers(live) == 1
        for _ in range(30):
            await live.passes(1)
            assert sellers(live) <= 1
        assert not active(live.kite)
        await live.until(live.protected, "protected for the day")
        assert sellers(live) == 1
        assert live.held() == 10


@pytest.mark.parametrize("lost", [False, True])
@brisk
async def test_what_fires_at_the_opening_is_the_positions_stop(lost: bool, tmp_path: Path) -> None:
    async with holding(tmp_path) as live:
        await sleeps_until(live, AFTERNOON.replace(hour=15, minute=36))
        await live.until(lambda: bool(active(live.kite)), "a GTT", within=300)
        await sleeps_until(live, OPENING - timedelta(seconds=5))
        live.kite.faults.add("down", "gtt.delete", times=2)
        if lost:
            live.kite.faults.add("lose", times=None)
        live.price = LEVEL * 0.98
        await live.until(lambda: live.held() == 0, "sold", within=120)
        await live.passes(70)
        (trade,) = await live.store.trades()
        assert trade.reason is Purpose.STOP
        assert not live.told("Order from elsewhere")
        assert not live.told("difference")
        assert sellers(live) == 0
        assert live.mode == "ACTIVE"
        (sold,) = [o for o in live.at_broker() if o.side == "SELL" and o.filled]
        assert (sold.filled, sold.tag) == (10, None)


@brisk
async def test_shares_of_an_earlier_day_are_sold_once_by_a_kill_and_not_bought_back(tmp_path: Path) -> None:
    """Kite shows their sale as a negative position, though nobody is short in delivery shares."""
    async with holding(tmp_path) as live:
        live.kite.account.hold(OTHER, 30, 400.0)
        await sleeps_until(live, AFTERNOON.replace(hour=15, minute=36))
        await sleeps_until(live, OPENING + timedelta(seconds=AWAKE))
        await live.until(live.protected, "protected for the day")
        live.kite.app.order(OTHER, "SELL", 20, product="CNC")  # the owner's own, for good
        live.kite.market.price(OTHER, 405)
        await live.hears("-20 to external")
        await live.types("/kill")
        await live.hears("FLAT verified")
        await live.passes(300)
        sold = [(o.listing.key, o.side, o.filled) for o in live.at_broker() if o.filled]
        assert sorted(sold) == [(OTHER, "SELL", 20), (KEY, "BUY", 10), (KEY, "SELL", 10)]
        assert live.held() == 0
        assert not live.told("Unexplained")
        await live.types("/reconcile")
        await live.hears("In order")


@pytest.mark.parametrize("judged", [True, False])
@brisk
async def test_what_the_owner_sold_of_his_own_is_no_difference_on_the_next_day(
    judged: bool, tmp_path: Path
) -> None:
    async with live_house(tmp_path, start=AFTERNOON) as live:
        live.kite.account.hold(OTHER, 30, 400.0)
        live.kite.app.order(OTHER, "SELL", 20, product="CNC")
        live.kite.market.price(OTHER, 405)
        await live.hears("-20 to external")
        if judged:
            assert "/kill leaves it alone" in await live.types("/ignore ITC")
        await sleeps_until(live, OPENING + timedelta(seconds=AWAKE))
        await live.passes(300)
        assert not live.told("Unexplained")
        view = live.house.front.view()
        assert not view.positions
        assert not view.locks
        assert view.latch.mode == "ACTIVE"
        assert len(live.at_broker()) == 1


@brisk
async def test_shares_bought_on_the_day_older_ones_were_sold_are_all_there(tmp_path: Path) -> None:
    """Kite's position is then the difference of the two."""
    async with holding(tmp_path) as live:
        await sleeps_until(live, AFTERNOON.replace(hour=15, minute=36))
        await sleeps_until(live, OPENING + timedelta(seconds=AWAKE))
        await live.until(live.protected, "protected for the day")
        await live.house.service.ask(Arm(), source_id="again", actor="owner")  # it was disarmed over night
        live.quotes(1400)
        await live.until(lambda: not live.held(), "stopped out")
        await live.passes(120)
        await live.touches()
        await live.until(live.protected, "bought again")
        await live.passes(300)
        assert live.held() == 10
        assert live.protected()
        assert not live.told("Vanished")
        assert not live.told("Unexplained")
        assert live.kite.account.positions[KEY, "CNC"].quantity == 0


@brisk
async def test_shares_bought_on_margin_are_there_on_the_next_day_and_keep_their_stop(tmp_path: Path) -> None:
    """Kite lists them among the holdings then, apart from those that are paid."""
    async with holding(tmp_path, "MTF") as live:
        await sleeps_until(live, AFTERNOON.replace(hour=15, minute=36))
        await sleeps_until(live, OPENING + timedelta(seconds=AWAKE))
        await live.until(live.protected, "protected for the day")
        await live.passes(120)
        assert live.held() == 10
        assert live.mode == "ACTIVE"
        assert not live.told("Vanished")
        await live.types("/kill")
        await live.hears("FLAT verified")
        await live.passes(120)
        assert [(o.side, o.filled) for o in live.at_broker() if o.filled] == [("BUY", 10), ("SELL", 10)]
        assert live.held() == 0
