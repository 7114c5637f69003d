"""Backtests asked for in the chat of a replay: on the recording it plays, up to the day it has come to."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.service.shells import STRATEGIES, candles, catalogue
from trader.backtest.candles import Source
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.market.symbols import instrument_of
from trader.service.research import Research
from trader.service.settings import read_settings
from trader.service.studies import Studies

DAY = datetime(2024, 2, 20, 11, 0, tzinfo=IST)


async def asked(path: str, words: str) -> Mapping[str, Any]:
    """What the worker is given."""
    research = Research((sys.executable, "-c", "import time; time.sleep(60)"))
    settings = read_settings({"MARKET": "replay", "REPLAY_PATH": path})
    key_of = lambda text: instrument_of(text).key  # noqa: E731 - as the desk's own
    studies = Studies(settings, catalogue(), key_of, lambda: DAY, research, {})
    job = await studies.backtest(words.split())
    await research.close()
    return job.work


@pytest.mark.parametrize(
    "path", ["candles", "candles?day=2024-02-20", "candles/RELIANCE*", "./candles,candles"]
)
async def test_the_worker_finds_the_recording_from_its_own_folder(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    candles(tmp_path / "candles")
    monkeypatch.chdir(tmp_path)
    work = await asked(path, "ema_crossover RELIANCE 5m 30d")
    monkeypatch.chdir(STRATEGIES)
    key = instrument_of("RELIANCE").key
    found = Source.read(work["source"]).candles([key], Interval.M5, None, None)
    assert len(found.data[key]) > 1000


async def test_a_span_ends_on_the_day_of_the_replay(tmp_path: Path) -> None:
    path = str(candles(tmp_path))
    spec = (await asked(path, "ema_crossover RELIANCE 5m 30d"))["spec"]
    assert (spec["first"], spec["last"]) == ("2024-01-21", "2024-02-20")
    spec = (await asked(path, "ema_crossover RELIANCE 5m 2024-01-01..2024-02-23"))["spec"]
    assert spec["last"] == f"{date(2024, 2, 23)}"
