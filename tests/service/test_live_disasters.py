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
