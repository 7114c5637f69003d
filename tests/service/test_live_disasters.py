"""Faults that come together: what stands at the broker after them, and what the owner was told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.live_house import LEVEL, brisk, live_house
from trader.domain.order import OrderState, Purpose


@pytest.mark.parametrize("accepted", [False, True])
@brisk
async def test_a_stop_nobody_answered_for_is_made_good_where_it_is_missing(
    accepted: bool, tmp_path: Path
) -> None:
    """In an account where nothing else happens its absence is never proven, and it is not placed again."""
    async with live_house(tmp_path) as live:
        live.kite.exchange.pace.filling = 1.0  # time to put the fault between the entry and its fill
        live.quotes(LEVEL + 1)
        await live.until(lambda: live.sent() == 1, "sent")
        live.kite.faults.add("down", "place", accepted=accepted)
        if accepted:
            live.kite.faults.add("lose", times=None)  # the book alone can tell
            live.kite.faults.add("invisible", seconds=400)
        told = await live.hears("Outcome unknown: SELL 10 RELIANCE SL-M")
        assert "no stop may rest: at or below ₹1,466.30 the desk, while it runs, leaves" in told.body
        live.quotes(LEVEL)
        await live.passes(300)
        (stop,) = [o for o in live.orders() if o.purpose is Purpose.STOP]
        assert (stop.state, live.held()) == (OrderState.UNKNOWN, 10)
        live.kite.faults.clear()
        live.quotes(1460)
        await live.until(lambda: not live.held(), "left", within=60)
        await live.passes(60)
        sold = [o for o in live.at_broker() if o.side == "SELL" and o.filled]
        assert [o.filled for o in sold] == [10]
        assert (sold[0].tag == stop.tag) is accepted
        live.nothing_is_lost_or_doubled()


@pytest.mark.parametrize("fault", ["stale", "down"])
@brisk
async def test_while_the_book_cannot_be_read_nothing_is_entered_and_the_owner_hears_of_it(
    fault: str, tmp_path: Path
) -> None:
    """Row 27: the reads stand still, or do not answer, while orders are taken and the stream tells."""
    async with live_house(tmp_path) as live:
        if fault == "stale":
            live.kite.faults.add("stale", times=None)
        else:
            for route in ("orders", "positions", "holdings", "trades"):
                live.kite.faults.add("down", route, times=None)
        await live.touches()
        await live.until(live.protected, "protected")
        told = await live.hears("The broker cannot be read since", within=300)
        assert "No entries until it can." in told.body
        assert live.mode == "ACTIVE"
        live.quotes(1460)  # the stop works by itself
        await live.until(lambda: not live.held(), "stopped out")
        await live.falls_back()
        await live.touches()
        assert len(live.entries()) == 1
        assert live.denied("book_unread")
        assert live.sent("orders") <= 60, "asked with patience"
        live.kite.faults.clear()
        await live.hears("The broker can be read again", within=60)
        await live.falls_back()
        await live.touches()
        await live.until(live.protected, "entered again")
        assert live.times_told("The broker cannot be read since") == 1
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_disk_that_fills_while_a_position_is_open_is_told_before_it_can_be_recorded(
    tmp_path: Path,
) -> None:
    """Row 36: no commit, no send; so no stop either, and the owner must hear of it now."""
    async with live_house(tmp_path) as live:
        live.kite.exchange.pace.filling = 1.0
        live.quotes(LEVEL + 1)
        await live.until(lambda: live.sent() == 1, "sent")
        live.store.full = True
        live.quotes(LEVEL)
        await live.until(lambda: live.held() == 10, "filled")
        await live.passes(60)
        assert live.sent() == 1
        assert not live.protected()
        untold = [alert.title for alert in live.house.service.unrecorded()]
        assert "HALTED: the ledger cannot be written" in untold
        assert "Not sent: SELL 10 RELIANCE SL-M (stop, touch)" in untold
        live.kite.faults.add("kill_token")  # what the house tells is kept, too
        await live.until(lambda: not live.account.session.state.valid, "over")
        await live.passes(60)
        live.store.full = False
        assert "Logged in" in await live.types(f"/login {live.kite.login.callback_url()}")
        await live.until(live.protected, "protected")
        assert not live.house.service.unrecorded()
        assert live.told("Not sent: SELL 10 RELIANCE SL-M")
        assert live.told("Zerodha session over")
        assert live.mode == "HALTED"
        live.nothing_is_lost_or_doubled()
