"""What a test trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trader.domain.instrument import Instrument, InstrumentKey
from trader.market.calendar import Calendar
from trader.strategy.bars import Bars


@dataclass(frozen=True, slots=True)
class Past:
    """``calendar`` as the candles prove it. ``warnings`` are sentences to show."""

    data: Mapping[InstrumentKey, Bars]
    instruments: Sequence[Instrument]
    calendar: Calendar
    warnings: Sequence[str] = ()
