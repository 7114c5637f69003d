"""Writes the sample candles beside this file: ``python -m docs.sample.generate`` in the project's root."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from trader.domain.instrument import instrument_key
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.feed.simulated import SimulatedMarket
from trader.market.calendar import Calendar

SYMBOLS = ("INFY", "RELIANCE", "SBIN")
SEED = 2026
SESSIONS = 2
MINUTES = 360  # to 15:15: these stocks close in the auction
END = datetime(2026, 11, 20, 15, 30, tzinfo=IST)


def generate(folder: Path) -> list[Path]:
    """One CSV file of one-minute candles for each symbol; the same bytes every time."""
    market = SimulatedMarket(SEED, END, Calendar.load())
    written = []
    for symbol in SYMBOLS:
        bars = market.bars(instrument_key(symbol), Interval.M1, MINUTES * SESSIONS, END)
        lines = ["date,open,high,low,close,volume"]
        for bar in bars:
            prices = ",".join(f"{price:.2f}" for price in (bar.open, bar.high, bar.low, bar.close))
            lines.append(f"{bar.start:%Y-%m-%d %H:%M:%S}+05:30,{prices},{bar.volume}")
        path = folder / f"{symbol}_minute.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    generate(Path(__file__).parent)
