"""Records made-up ticks as fast as the disk allows, until it is killed. Prints after each segment how many
ticks are written."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta
from pathlib import Path

from trader.domain.instrument import instrument_key
from trader.domain.market import Tick
from trader.domain.times import IST
from trader.feed.zerodha.recorder import TickRecorder


async def main(folder: Path) -> None:
    recorder = TickRecorder(folder, leave_free=0)
    at, told = datetime(2026, 11, 20, 9, 15, tzinfo=IST), 0
    key, second = instrument_key("INFY"), timedelta(seconds=1)
    for number in range(1, 22_000):
        recorder.put([Tick(key, at, 100.0 + number % 50, number, 100.0, 100.05)], at)
        at += second
        await asyncio.sleep(0.0001)
        if recorder.written != told:
            told = recorder.written
            print(told, flush=True)


asyncio.run(main(Path(sys.argv[1])))
