"""Candles across a split or a bonus: brought to one scale, and jumps that nobody can explain told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np

from trader.domain.instrument import Segment
from trader.domain.times import date_text
from trader.feed.cleaning import Series
from trader.feed.files import Floats
from trader.market.adjustments import splits_of

_NEAR = 0.2  # how far a day's own move may take the jump from the factor: circuit limits are 20 %
_SUSPICIOUS = 1.35  # between a close and the next day's open; beyond every circuit limit of a share
_PAISA = Decimal("0.01")


def adjusted(series: Series) -> tuple[Series, list[str]]:
    """Prices before each known split divided by its factor, volumes multiplied, where the candles show that
    they are as traded; adjusted ones stay. Sentences for what was done and for jumps nobody knows of."""
    instrument = series.instrument
    if instrument.segment is not Segment.EQUITY:
        return series, []
    said: list[str] = []
    prices, volume = [np.array(p) for p in series.prices], series.volume.astype(np.float64)
    days = list(series.days)
    explained: set[date] = set()
    for split in splits_of(instrument.symbol):
        place = next((n for n, day in enumerate(days) if day >= split.ex_date), None)
        if not place:  # before the first day, or after the last one
            continue
        row = series.days[days[place]].start
        if abs(prices[3][row - 1] / prices[0][row] / split.factor - 1) > _NEAR:
            continue  # adjusted already
        for column in prices:
            column[:row] = np.rint(column[:row] / split.factor * 100) / 100
        volume[:row] *= split.factor
        explained.add(days[place])
        said.append(
            f"{instrument.symbol}: prices before {date_text(split.ex_date)} divided by {split.factor:g} "
            f"({split.what})."
        )
    if explained:
        tick = min(instrument.tick_size, _PAISA)
        shares = np.rint(volume).astype(series.volume.dtype)
        series = replace(
            series, instrument=replace(instrument, tick_size=tick), prices=tuple(prices), volume=shares
        )
    return series, [*said, *_jumps(series, series.prices, explained)]


def _jumps(series: Series, prices: tuple[Floats, ...], explained: set[date]) -> list[str]:
    said = []
    for day, where in series.days.items():
        if not where.start or day in explained:
            continue
        before, opens = float(prices[3][where.start - 1]), float(prices[0][where.start])
        if max(before / opens, opens / before) >= _SUSPICIOUS:
            said.append(
                f"{series.instrument.symbol} went from {before:,.2f} to {opens:,.2f} over the night before "
                f"{date_text(day)}: a split or bonus that these candles are not adjusted for? Trades held "
                "over it, and indicators around it, are wrong then."
            )
    return said
