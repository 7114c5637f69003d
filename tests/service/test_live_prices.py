"""Prices that are wrong, or wrongly dated, met by the whole live house (rows of faults.md)."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.service.live_house import LEVEL, brisk, live_house
from tests.service.test_live_faults import MINUTE, bought


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


@pytest.mark.parametrize(
    ("seconds", "title", "more"),
    [
        (20, "This machine's clock is", "beyond 60 s they are passed over"),
        (90, "This machine's clock is", "as they are now they are passed over"),
        (-20, "Prices come", "beyond 30 s nothing is entered"),
        (-90, "Prices come", "as they are now nothing is entered"),
    ],
)
@brisk
async def test_a_clock_that_is_not_the_exchanges_is_told_once(
    tmp_path: Path, seconds: int, title: str, more: str
) -> None:
    """Row 42."""
    async with live_house(tmp_path) as live:
        live.ahead = timedelta(seconds=seconds)
        told = await live.hears(title, within=3 * MINUTE)
        (shown,) = re.findall(r"(\d+) s", told.title)
        assert abs(int(shown) - abs(seconds)) <= 1, "prices are dated in whole seconds"
        assert more in told.body
        await live.passes(5 * MINUTE)
        assert live.times_told(title) == 1


@brisk
async def test_a_clock_that_is_right_says_nothing_and_one_that_goes_wrong_again_is_told_again(
    tmp_path: Path,
) -> None:
    async with live_house(tmp_path) as live:
        await live.passes(5 * MINUTE)
        assert not live.told("clock")
        for times in (1, 2):
            live.ahead = timedelta(seconds=10)
            await live.until(lambda: live.times_told("clock is") == times, "told", 3 * MINUTE)  # noqa: B023 - at once
            live.ahead = timedelta(0)
            await live.passes(3 * MINUTE)
