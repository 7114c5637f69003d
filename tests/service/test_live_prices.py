"""Prices that are wrong, or wrongly dated, met by the whole live house (rows of faults.md)."""

from __future__ import annotations

from pathlib import Path

from tests.service.live_house import LEVEL, brisk, live_house
from tests.service.test_live_faults import bought


@brisk
async def test_one_price_that_cannot_be_meant_closes_nothing_and_halts_nobody(tmp_path: Path) -> None:
    """Row 45. A peak that was never there would be missed by every equity after it."""
    async with live_house(tmp_path) as live:
        await bought(live)
        told = len(live.alerts())
        live.quotes(LEVEL * 100)
        await live.passes(0.7)  # it is streamed, and once
        live.quotes(LEVEL)
        await live.passes(10)
        assert (live.held(), live.mode) == (10, "ACTIVE")
        assert live.protected()
        assert live.alerts(told) == []
        live.nothing_is_lost_or_doubled()
