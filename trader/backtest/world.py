"""The world a test takes place in: the same tables, instruments and strategies as the desk's."""

from __future__ import annotations

from dataclasses import dataclass

from trader.market.calendar import Calendar
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.strategy.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class World:
    catalogue: Catalogue
    instruments: Instruments
    calendar: Calendar
    charges: Charges
    margins: Margins
