"""While the broker's book cannot be read nothing is entered, and the owner hears of it.

No answer, or a book that knows less than the broker told by another way: on 6 November 2023 a fifth of
Zerodha's clients were shown the past for two hours while placing worked (faults.md 27). What is held then is
what the stream tells, and nothing shows what it left out.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from trader.desk.state import DeskState, Turn
from trader.domain.records import Priority
from trader.domain.times import clock_text
from trader.market.phases import Phase

TOLD_AFTER, FAILURES = timedelta(seconds=60), 3  # both; one blip is no outage


class Unread:
    """Not recorded: after a restart nothing is entered before the first reading anyway."""

    def __init__(self, state: DeskState) -> None:
        self._state = state
        self._since: datetime | None = None
        self._failures = 0

    @property
    def failing(self) -> bool:
        """The last reading failed."""
        return self._since is not None

    def failed(self, turn: Turn, reason: str, *, severed: bool) -> None:
        """``severed``: the session is over, of which the owner has heard."""
        state = self._state
        if severed or state.calendar.phase(turn.at) is not Phase.OPEN:
            self._since, self._failures = None, 0
            return
        self._since = self._since or turn.at
        self._failures += 1
        at_stake = state.reconciled or state.portfolio.open_slots() or state.working
        lasts = self._failures >= FAILURES and turn.at - self._since >= TOLD_AFTER
        if state.unread or not lasts or not at_stake:
            return
        state.unread = True
        turn.alert(
            f"unread:{self._since:%Y%m%d%H%M%S}",
            Priority.CRITICAL,
            "desk",
            f"The broker cannot be read since {clock_text(self._since)}",
            f"{reason}\nNo entries until it can. Stops that rest there work without it; what else is filled"
            " meanwhile is known only as far as the stream tells. Look into the broker's own app.",
        )

    def read(self, turn: Turn) -> None:
        """A reading succeeded."""
        if self._state.unread:
            turn.alert(
                f"readable:{turn.at:%Y%m%d%H%M%S}",
                Priority.FILL,
                "desk",
                f"The broker can be read again since {clock_text(turn.at)}",
                "Its book is compared with the desk's; what differs is told.",
            )
        self._state.unread = False
        self._since, self._failures = None, 0
