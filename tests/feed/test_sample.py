"""The candles that ship with the project."""

from __future__ import annotations

import runpy
from pathlib import Path

from trader.domain.market import Interval
from trader.feed.port import BarBatch
from trader.feed.replay import ReplayMarket
from trader.market.calendar import Calendar

SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "sample"


def test_the_sample_is_what_its_script_writes(tmp_path: Path) -> None:
    written = runpy.run_path(str(SAMPLE / "generate.py"))["generate"](tmp_path)
    assert {p.name for p in written} == {p.name for p in SAMPLE.glob("*.csv")}
    for path in written:
        assert path.read_text(encoding="utf-8") == (SAMPLE / path.name).read_text(encoding="utf-8"), path.name
    assert sum(p.stat().st_size for p in SAMPLE.glob("*.csv")) < 150_000


async def test_the_sample_replays_without_a_flaw_and_with_a_day_to_warm_up() -> None:
    market = ReplayMarket.from_path(f"{SAMPLE}?day=2026-11-20", Calendar.load())
    assert market.flaws == {}
    bars = [bar async for b in market.batches(market.starts_at) if isinstance(b, BarBatch) for bar in b.bars]
    assert len(bars) == 3 * 360, "stocks with derivatives trade until 15:15"
    for instrument in market.instruments():
        assert len(await market.history(instrument.key, Interval.M5, 500, market.starts_at)) == 72
