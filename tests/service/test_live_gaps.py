"""The desk hears when prices stop and when they are back (what it does then: tests/desk/test_mending.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.live_house import KEY, brisk, live_house


@pytest.mark.parametrize("fault", ["drop_stream", "half_open"])
@brisk
async def test_a_stream_that_stops_and_comes_back_is_a_gap_in_the_bars(fault: str, tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        heard: list[str] = []
        mending = live.house.desk._runner.mending
        lost, back = mending.lost, mending.back

        def hear_lost(keys: tuple[str, ...]) -> None:
            heard.append(f"lost {KEY in keys}")
            lost(keys)  # type: ignore[arg-type]  # they are keys

        def hear_back() -> None:
            heard.append("back")
            back()

        mending.lost, mending.back = hear_lost, hear_back  # type: ignore[assignment, method-assign]  # a spy
        live.kite.faults.add(fault)
        await live.until(lambda: "lost True" in heard, "lost", within=120)
        live.kite.faults.clear()
        await live.until(lambda: heard[-1] == "back", "back", within=120)
