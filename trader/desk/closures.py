"""Days on which the exchange stays closed because it said so at short notice, as the owner hands it on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta

from trader.desk.commands import CloseDay, ReopenDay
from trader.desk.state import DeskState, Turn
from trader.domain.errors import InvalidInput
from trader.domain.records import Setting
from trader.domain.times import day_text
from trader.market.calendar import Calendar

CLOSURES = "closures"  # the setting that keeps them: {iso day: reason}
AHEAD = timedelta(days=366)  # nobody announces a closure earlier; a mistyped year is more likely


class Closures:
    def __init__(self, state: DeskState) -> None:
        self._state = state

    def close(self, turn: Turn, command: CloseDay) -> str:
        calendar, day, reason = self._state.calendar, command.day, " ".join(command.reason.split())
        today = self._state.trading_day(turn.at)
        shown = f"{day_text(day)}"
        if day < today:
            raise InvalidInput(f"{shown} is past.")
        if day - today > AHEAD:
            raise InvalidInput(f"{shown} is more than a year away.")
        if not calendar.is_trading_day(day):
            raise InvalidInput(f"{shown} is closed already: {calendar.why_closed(day)}.")
        if day == today and self._begun(turn):
            raise InvalidInput("Today's session has begun; the desk cannot be told that there is none.")
        calendar.close(day, reason or "closed by the owner")
        self._keep(turn)
        return f"{shown} is closed: {calendar.why_closed(day)}. /reopened {day} takes it back."

    def reopen(self, turn: Turn, command: ReopenDay) -> str:
        calendar, day = self._state.calendar, command.day
        shown = f"{day_text(day)}"
        if day not in calendar.closures():
            raise InvalidInput(f"{shown} was not closed by you; only such days can be reopened.")
        calendar.reopen(day)
        self._keep(turn)
        return f"{shown} trades again."

    def _begun(self, turn: Turn) -> bool:
        session = self._state.calendar.session(self._state.trading_day(turn.at))
        return session is not None and turn.at >= session.opens_at

    def _keep(self, turn: Turn) -> None:
        days = {day.isoformat(): why for day, why in sorted(self._state.calendar.closures().items())}
        turn.write(Setting(CLOSURES, json.dumps(days)))


def apply_closures(calendar: Calendar, settings: Mapping[str, str]) -> None:
    """Tell a calendar what the ledger keeps."""
    for day, reason in json.loads(settings.get(CLOSURES) or "{}").items():
        calendar.close(date.fromisoformat(day), reason)
