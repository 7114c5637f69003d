"""Minute candles from a seed, on the Calendar's own trading days: for measuring, where a year of every symbol
must be there, the same for us and for those we are measured against. No market: prices wander."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from trader.domain.instrument import Instrument, InstrumentKey, symbol_of
from trader.domain.market import Interval
from trader.market.calendar import Calendar, Venue
from trader.market.symbols import instrument_of, listings
from trader.strategy.bars import Bars, micros, moment

MINUTES = 375  # 09:15 to 15:30
YEAR = 250  # sessions
_FROM = date(2023, 1, 2)
_BEGIN = 1000.0  # rupees
_MOVE, _REACH = 0.0006, 0.0004  # of a minute, relative: some 1.2 % a day
_GAP = 0.0002  # from a close to the next open, or who fills at which could not be told; nights are wider
_NIGHT = 10.0
_VOLUME = 1000.0


def instruments(count: int) -> Sequence[Instrument]:
    """Well-known stocks, then invented ones."""
    known = [listing.instrument for listing in listings()][:count]
    return [*known, *(instrument_of(f"MADE{n}") for n in range(len(known), count))]


def sessions(count: int) -> Sequence[int]:
    """The openings of the first full sessions since 2023, in microseconds since 1970 UTC."""
    calendar = Calendar.load()
    found: list[int] = []
    day = _FROM
    while len(found) < count:
        session = calendar.session(day, Venue.STOCK)
        if session is not None and session.closes_at - session.opens_at == timedelta(minutes=MINUTES):
            found.append(micros(session.opens_at))
        day += timedelta(days=1)
    return found


def made(traded: Iterable[Instrument], days: int, seed: int = 7) -> dict[InstrumentKey, Bars]:
    """``days`` whole sessions of each, on its own ticks."""
    opens = np.array(sessions(days), dtype=np.int64)
    start = (opens[:, None] + np.arange(MINUTES, dtype=np.int64) * 60_000_000).ravel()
    data = {}
    for n, one in enumerate(traded):
        random = np.random.default_rng([seed, n])
        close = _BEGIN * np.exp(np.cumsum(random.normal(0, _MOVE, len(start))))
        gap = random.normal(0, _GAP, len(start))
        gap[::MINUTES] *= _NIGHT
        open_ = np.concatenate([[_BEGIN], close[:-1]]) * (1 + gap)
        reach = np.abs(random.normal(0, _REACH, len(start)))
        high, low = np.maximum(open_, close) * (1 + reach), np.minimum(open_, close) * (1 - reach)
        tick = float(one.tick_size)
        first, top, bottom, last = (
            np.round(np.round(price / tick) * tick, 4) for price in (open_, high, low, close)
        )
        volume = np.full(len(start), _VOLUME)
        data[one.key] = Bars.of_arrays(one.key, Interval.M1, start, first, top, bottom, last, volume)
    return data


def save(data: Mapping[InstrumentKey, Bars], path: Path) -> None:
    """As bench/peers/common.py reads it: for each symbol the rows start, open, high, low, close, volume."""
    arrays: dict[str, Any] = {
        symbol_of(key): np.vstack([bars.start.astype(np.float64), bars.table]) for key, bars in data.items()
    }
    np.savez(path, **arrays)


def save_csv(bars: Bars, path: Path) -> None:
    """As replay reads it."""
    rows = ["date,open,high,low,close,volume"]
    for at, *prices, volume in zip(bars.start.tolist(), *bars.table.tolist(), strict=True):
        written = ",".join(f"{price:.2f}" for price in prices)
        rows.append(f"{moment(at):%Y-%m-%d %H:%M:%S}+05:30,{written},{volume:.0f}")
    path.write_text("\n".join(rows) + "\n")
