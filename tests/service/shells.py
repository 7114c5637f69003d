"""What the command line's tests share: candles in a file, settings, and a line typed as on a terminal."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from tests.backtest.made import made_data
from trader.domain.instrument import symbol_of
from trader.service.settings import Settings, read_settings
from trader.service.shell import COMMANDS
from trader.strategy.catalogue import Catalogue

STRATEGIES = Path(__file__).resolve().parents[2] / "strategies"
SPAN = "2024-01-01..2024-02-23"  # the 40 days of made_data


@cache
def catalogue() -> Catalogue:
    """Not before a test runs: reading the files makes their classes anew, and others were collected with the
    ones before."""
    return Catalogue.discover(STRATEGIES)


def candles(folder: Path, seed: int = 3) -> Path:
    """RELIANCE and INFY, a random walk in five minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, bars in made_data(seed).items():
        times = pd.to_datetime(np.asarray(bars.start), unit="us", utc=True).tz_convert("Asia/Kolkata")
        columns = dict(zip(("open", "high", "low", "close", "volume"), bars.table, strict=True))
        table = pd.DataFrame({"date": times, **columns})
        table.to_parquet(folder / f"{symbol_of(key)}_5minute.parquet", index=False)
    return folder


def settings_at(folder: Path) -> Settings:
    return read_settings({"DATA_DIR": str(folder)})


def typed(settings: Settings, line: str) -> int:
    command, *words = line.split()
    return COMMANDS[command](settings, catalogue(), words)
