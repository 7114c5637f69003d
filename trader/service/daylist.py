"""The list of instruments of a market that is made up: of which day it is, and the next day's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from trader.desk.events import CheckLine
from trader.domain.instrument import Instrument
from trader.domain.times import date_short
from trader.market.calendar import Calendar
from trader.market.instruments import Instruments


class DayList:
    """Keeps the house's ``instruments`` those of the trading day at hand. ``listed`` makes a day's list."""

    def __init__(
        self,
        instruments: Instruments,
        calendar: Calendar,
        listed: Callable[[date], Sequence[Instrument]],
        day: date,
    ) -> None:
        self._instruments = instruments
        self._calendar = calendar
        self._listed = listed
        self._day = day
        self._count = len(instruments)

    def begin(self, day: date) -> None:
        """Take in what a new trading day lists. What expired stays known: positions and trades name it."""
        if day <= self._day or not self._calendar.is_trading_day(day):
            return
        found = self._listed(day)
        for instrument in found:
            if instrument.key not in self._instruments:
                self._instruments.add(instrument)
        self._day, self._count = day, len(found)

    def check(self, day: date) -> CheckLine:
        """``42 of 26 Nov``; not in order where ``day`` is a later one."""
        return CheckLine(
            "Instruments", self._count > 0 and self._day >= day, f"{self._count} of {date_short(self._day)}"
        )
