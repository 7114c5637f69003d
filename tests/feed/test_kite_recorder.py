"""What the recorder writes, a replay plays; what the disk does is never the market's trouble."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from kite_feed_house import CALENDAR, INFY, SBIN, at

from trader.domain.instrument import InstrumentKey, instrument_key
from trader.domain.market import Tick
from trader.feed.port import TickBatch
from trader.feed.replay import ReplayMarket
from trader.feed.zerodha import recorder as recording
from trader.feed.zerodha.recorder import TickRecorder

NIFTY = instrument_key("NIFTY 50")
OPTION = InstrumentKey("NFO:NIFTY26DEC26000CE")
BSE_SHARE = InstrumentKey("BSE:RELIANCE")
SECOND = timedelta(seconds=1)
CHILD = Path(__file__).with_name("kite_recording_child.py")


def ticks_of_a_day(
    day: str = "2026-11-20", seconds: int = 600, seed: int = 7
) -> list[tuple[datetime, list[Tick]]]:
    """Batches as the stream gives them: some seconds old, some of one second twice, some keys seldom."""
    dice = random.Random(seed)
    start, volume, batches = at(f"{day} 09:15:00"), Counter[InstrumentKey](), []
    for second in range(seconds):
        came: list[Tick] = []
        for key in (INFY, SBIN, NIFTY, OPTION, BSE_SHARE):
            if dice.random() < 0.7:
                volume[key] += dice.randrange(1, 90) * (key != NIFTY)
                last = round(dice.uniform(90, 110), 2)
                book = (0.0, 0.0) if key == NIFTY else (last - 0.05, round(last + 0.05, 2))
                moment = start + max(0, second - dice.randrange(2)) * SECOND
                came.append(Tick(key, moment, last, volume[key], round(book[0], 2), book[1]))
        batches.append((start + second * SECOND + timedelta(milliseconds=345), came))
    return batches


async def record(folder: Path, batches: Sequence[tuple[datetime, list[Tick]]]) -> TickRecorder:
    recorder = TickRecorder(folder, leave_free=0)
    for received, ticks in batches:
        recorder.put(ticks, received)
        await settled()
    await recorder.close()
    return recorder


def by_key(ticks: Sequence[Tick]) -> dict[InstrumentKey, list[Tick]]:
    """In exchange time; those of one second as they came."""
    found: dict[InstrumentKey, list[Tick]] = {}
    for tick in sorted(ticks, key=lambda one: one.at):
        found.setdefault(tick.key, []).append(tick)
    return found


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def played(path: Path) -> list[Tick]:
    market = ReplayMarket.from_path(path, CALENDAR)
    assert not +Counter(market.flaws) - Counter({"unsorted": 10**6}), market.flaws
    batches = [batch async for batch in market.batches(market.starts_at)]
    return [tick for batch in batches if isinstance(batch, TickBatch) for tick in batch.ticks]


async def test_a_replay_of_a_recording_gives_the_same_ticks(tmp_path: Path) -> None:
    batches = ticks_of_a_day()
    sent = [tick for _, ticks in batches for tick in ticks]
    recorder = await record(tmp_path, batches)
    assert (recorder.written, recorder.lost) == (len(sent), 0)
    assert by_key(await played(tmp_path / "2026-11-20")) == by_key(sent)
    assert len(list((tmp_path / "2026-11-20").iterdir())) > 5, "written while the day runs"


async def test_the_next_day_the_segments_become_one_file_with_the_same_ticks(tmp_path: Path) -> None:
    batches = ticks_of_a_day()
    sent = [tick for _, ticks in batches for tick in ticks]
    await record(tmp_path, batches)
    await record(tmp_path, [(at("2026-11-23 09:00:00"), [])])
    assert names_in(tmp_path) == ["2026-11-20.parquet"]
    assert by_key(await played(tmp_path / "2026-11-20.parquet")) == by_key(sent)


async def test_after_a_kill_at_most_a_minute_is_missing(tmp_path: Path) -> None:
    """The recorder is simply dropped, as by kill -9: nothing is closed."""
    batches = ticks_of_a_day(seconds=400)
    recorder = TickRecorder(tmp_path, leave_free=0)
    for received, ticks in batches:
        recorder.put(ticks, received)
        await settled()
    last = max(tick.at for tick in await played(tmp_path / "2026-11-20"))
    assert batches[-1][0] - last < timedelta(seconds=60)


async def settled() -> None:
    """The recorder's work is done: it is the only other task."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        async with asyncio.timeout(20):
            await asyncio.gather(*others)


async def test_silence_alone_lets_the_last_ticks_be_written(tmp_path: Path) -> None:
    recorder = TickRecorder(tmp_path, leave_free=0)
    received, ticks = ticks_of_a_day(seconds=1)[0]
    recorder.put(ticks, received)
    for second in range(1, 50):
        recorder.put((), received + second * SECOND)
        await settled()
    assert recorder.written == len(ticks) > 0


async def test_putting_together_that_was_broken_off_is_finished(tmp_path: Path) -> None:
    """A power cut after the day's file was made and before its segments were gone."""
    batches = ticks_of_a_day()
    sent = [tick for _, ticks in batches for tick in ticks]
    await record(tmp_path, batches)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "2026-11-20").iterdir()}
    await record(tmp_path, [(at("2026-11-21 09:00:00"), [])])
    late = Tick(INFY, at("2026-11-20 15:00:00"), 100.0, 10**6, 99.95, 100.05)
    await record(tmp_path, [(at("2026-11-20 15:00:01"), [late])])
    for name, content in kept.items():
        (tmp_path / "2026-11-20" / name).write_bytes(content)
    (tmp_path / "2026-11-20.part").write_bytes(b"half a file")
    await record(tmp_path, [(at("2026-11-23 09:00:00"), [])])
    assert names_in(tmp_path) == ["2026-11-20.parquet"]
    assert by_key(await played(tmp_path / "2026-11-20.parquet")) == by_key([*sent, late])


async def test_a_full_disk_loses_ticks_says_so_once_and_recovers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batches = ticks_of_a_day(seconds=400)
    recorder = TickRecorder(tmp_path, leave_free=1 << 60)
    for received, ticks in batches:
        recorder.put(ticks, received)
        await settled()
    assert recorder.written == 0
    assert recorder.lost > 1000
    assert sum("MB are free" in record.message for record in caplog.records) == 1
    recorder._leave_free = 0
    await recorder.close()
    assert recorder.written > 0


async def test_a_slow_disk_costs_ticks_not_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_SEGMENT", 100)
    monkeypatch.setattr(recording, "_WAITING", 400)
    recorder = TickRecorder(tmp_path, leave_free=0)
    batches = ticks_of_a_day()
    for received, ticks in batches:  # the loop never gets to write
        recorder.put(ticks, received)
        assert len(recorder._columns) <= 400
    await recorder.close()
    assert recorder.written + recorder.lost == sum(len(ticks) for _, ticks in batches)
    assert 0 < recorder.written <= 400


async def test_a_recording_can_be_read_as_a_table(tmp_path: Path) -> None:
    await record(tmp_path, ticks_of_a_day(seconds=5))
    table = pq.read_table(tmp_path / "2026-11-20")
    names = ["timestamp", "symbol", "last_price", "volume", "bid", "ask", "received"]
    assert table.column_names == names
    assert set(table["symbol"].to_pylist()) <= {
        "INFY", "SBIN", "NIFTY 50", "NIFTY26DEC26000CE", "BSE:RELIANCE",
    }  # fmt: skip
    assert table["received"][0].as_py() == at("2026-11-20 09:15:00.345")


@pytest.mark.parametrize("segments", [1, 3, 8])
async def test_a_process_killed_while_it_records_has_all_it_said_was_written(
    tmp_path: Path, segments: int
) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=CHILD.parents[2],
        env={**os.environ, "PYTHONPATH": str(CHILD.parents[2])},
    )  # fmt: skip
    assert child.stdout is not None
    async with asyncio.timeout(60):
        for _ in range(segments):
            written = int(await child.stdout.readline())
        child.kill()
        await child.wait()
    ticks = await played(tmp_path / "2026-11-20")
    assert len(ticks) >= written > 0
    assert [tick.volume for tick in ticks] == list(range(1, len(ticks) + 1)), "none missing, none twice"
    await record(tmp_path, [(at("2026-11-23 09:00:00"), [])])
    assert await played(tmp_path / "2026-11-20.parquet") == ticks
