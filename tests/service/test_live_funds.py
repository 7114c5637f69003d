"""The whole live house and its broker's money: read with the book, held to, and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sandbox.kite import KiteServer
from tests.service.live_house import KEY, brisk, live_house


def poor(kite: KiteServer) -> None:
    kite.account.cash = 1_000.0


@brisk
async def test_nothing_is_entered_that_the_account_cannot_pay_for(tmp_path: Path) -> None:
    """The desk may use a lakh, the account has a thousand rupees."""
    async with live_house(tmp_path, prepare=poor) as live:
        await live.touches()
        told = await live.hears("free at the broker")
        assert "The order needs ₹" in told.body
        assert "₹1,000.00 is free at the broker" in told.body
        assert live.sent() == 0
        live.kite.account.cash = 1_000_000.0  # money came in; the next reading sees it
        await live.passes(90)
        await live.falls_back()
        await live.touches()
        await live.until(live.protected, "protected")
        live.nothing_is_lost_or_doubled()


@brisk
async def test_reconcile_tells_the_brokers_funds_beside_the_desks_reckoning(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        await live.touches()
        await live.until(live.protected, "protected")
        await live.passes(90)
        assert live.told("of margin blocked") is None, live.story()
        await live.types("/reconcile")
        told = await live.hears("Funds: ₹")
        assert "more apart" not in told.body
        live.kite.account.drift("NSE:ITC", "NRML", 1_000, 405.0)
        await live.passes(150)
        assert live.told("of margin blocked") is None, "the desk sees the position, so it reckons with it"


@brisk
async def test_a_margin_read_that_fails_holds_nothing_up(tmp_path: Path) -> None:
    def down(kite: KiteServer) -> None:
        kite.faults.add("down", on="margins", times=None)

    async with live_house(tmp_path, prepare=down) as live:
        await live.touches()
        await live.until(live.protected, "protected")
        assert live.told("free at the broker") is None


@brisk
async def test_trades_that_are_not_what_was_booked_lock_the_instrument(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        await live.touches()
        await live.until(live.protected, "protected")
        await live.passes(130)
        assert live.told("drift") is None, live.story()
        trades = live.kite.exchange.trades
        (kept,) = trades
        trades[0] = replace(kept, quantity=7)
        told = await live.hears("Quantity drift: BUY 10 RELIANCE MIS", within=300)
        assert "its trades are 7 @" in told.body
        assert live.protected(), "the position is what the order book says"
        assert [lock.key for lock in live.house.front.view().locks] == [KEY]
        trades[0] = kept
        await live.hears("Unlocked: RELIANCE", within=300)
