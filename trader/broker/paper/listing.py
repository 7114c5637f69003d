"""What the paper exchange knows of an instrument, even of one that is listed no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, Instrument, InstrumentKey, Segment, symbol_of
from trader.market.calendar import Calendar
from trader.market.symbols import contract_terms, instrument_of, month_of

_CONTRACTS = (Exchange.NFO, Exchange.BFO)
_LEADING = {Exchange.NFO: "NIFTY", Exchange.BFO: "SENSEX"}  # the others' monthlies expire on the same weekday
_DAY = timedelta(days=1)


class Listing:
    """``instruments`` finds a key; it may raise KeyError or InvalidInput, and what it finds under another key
    is not what was traded."""

    def __init__(self, instruments: Callable[[InstrumentKey], Instrument], calendar: Calendar) -> None:
        self._instruments = instruments
        self._calendar = calendar
        self._unlisted: dict[InstrumentKey, Instrument] = {}
        self._seen: dict[InstrumentKey, Instrument] = {}  # listed under their own key when last asked for

    def listed(self, key: InstrumentKey) -> Instrument:
        """Exactly that key; raises InvalidInput when it is not listed."""
        try:
            found = self._instruments(key)
        except KeyError:
            raise InvalidInput(f"{key} is not in the list of instruments") from None
        if self._seen.get(key) is not found:
            if found.key != key:
                raise InvalidInput(f"{key} is not in the list of instruments, which has {found.key}")
            self._seen[key] = found
        return found

    def known(self, key: InstrumentKey) -> Instrument:
        """The instrument, or what its name tells of one that has left the list since it was traded."""
        try:
            return self.listed(key)
        except InvalidInput:
            if key not in self._unlisted:
                self._unlisted[key] = self._told_by_name(key)
            return self._unlisted[key]

    def _told_by_name(self, key: InstrumentKey) -> Instrument:
        exchange, symbol = Exchange(key.partition(":")[0]), symbol_of(key)
        found = replace(instrument_of(symbol), exchange=exchange, symbol=symbol)
        if exchange not in _CONTRACTS:
            return found
        if found.segment not in (Segment.OPTIONS, Segment.FUTURES):
            is_option = symbol.endswith(("CE", "PE"))
            return replace(found, segment=Segment.OPTIONS if is_option else Segment.FUTURES)
        month = month_of(symbol)
        return found if month is None else replace(found, expiry=self._last_day(exchange, month))

    def _last_day(self, exchange: Exchange, month: date) -> date:
        """Of a monthly contract that is not listed: by today's rule, else the end of the month, for what
        might still trade must not be settled."""
        last = (month + 31 * _DAY).replace(day=1) - _DAY
        rules = [t for t in contract_terms() if t.underlying == _LEADING[exchange] and t.since <= last]
        if not rules:
            return last
        last -= (last.isoweekday() - max(rules, key=lambda t: t.since).weekday) % 7 * _DAY
        while not self._calendar.is_trading_day(last):
            last -= _DAY
        return last
