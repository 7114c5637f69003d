"""How often Munim may log in by itself: Zerodha locks an account after a handful of wrong tries, and two
programs that log in by turns throw each other out all day (kite.md 1.2, 1.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trader.domain.times import ist

BY_LINK = "/login works by link meanwhile."
MOST_IN_A_PART = 2
MOST_REFUSED = 4  # in a row over all parts; accounts were seen locked after 5


@dataclass(frozen=True, slots=True)
class Attempts:
    """``part``: the day-part ``used`` counts in. ``last_step``: of the newest one-time code that was sent.
    ``refused``: in a row. ``halted``: why no more may follow before the owner does something.
    ``mark``: of the credentials all this is about."""

    part: str = ""
    used: int = 0
    last_step: int = 0
    refused: int = 0
    halted: str = ""
    mark: str = ""

    def at(self, now: datetime, mark: str) -> Attempts:
        """As they count now: a new day-part allows new ones, and so do other credentials; but the refusals in
        a row are the account's, whatever was refused."""
        same = self if mark == self.mark else replace(self, mark=mark, used=0, halted="")
        part = day_part(now)
        return same if part == same.part else replace(same, part=part, used=0)

    @property
    def obstacle(self) -> str:
        """Why there may be none now; empty when there may."""
        if self.halted:
            return self.halted
        if self.refused >= MOST_REFUSED:
            return (
                f"Zerodha refused the last {self.refused} logins, and more could lock the account. {BY_LINK}"
            )
        if self.used >= MOST_IN_A_PART:
            return (
                f"Munim has tried to log in by itself {self.used} times this {self.part.split()[-1]}; "
                "more could lock the account, or take the session from another program again and "
                f"again. {BY_LINK}"
            )
        return ""

    def begun(self) -> Attempts:
        return replace(self, used=self.used + 1)

    def taken_back(self) -> Attempts:
        """Nobody judged it."""
        return replace(self, used=max(0, self.used - 1))

    def sent(self, step: int) -> Attempts:
        return replace(self, last_step=max(step, self.last_step))

    def turned_down(self, halted: str = "") -> Attempts:
        return replace(self, refused=self.refused + 1, halted=halted)

    def let_in(self) -> Attempts:
        return replace(self, refused=0, halted="")


def day_part(now: datetime) -> str:
    """``2026-11-23 morning``: 06:00 to 12:00, the afternoon to 18:00, the night to the next 06:00."""
    at = ist(now)
    if at.hour < 6:
        return f"{(at - timedelta(days=1)).date()} night"
    return f"{at.date()} {'morning' if at.hour < 12 else 'afternoon' if at.hour < 18 else 'night'}"
