"""What the owner hears when this machine's clock is not the exchange's (faults.md 42)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from trader.desk.desk import CLOCK_SKEW
from trader.desk.limits import RiskLimits

BEHIND = timedelta(seconds=2)
# Prices are dated in whole seconds and some tenths on their way; a busy feed is another one late.
LATE = timedelta(seconds=4)
_MEND = "timedatectl set-ntp true"


class Timekeeping:
    """Told when it begins to matter, and when it begins to hold things up; anew once it was in order."""

    def __init__(self, limits: RiskLimits, say: Callable[[str, str], None]) -> None:
        self._limits = limits
        self._say = say
        self._told = 0  # below zero: our clock is behind; 2: so far that it holds things up

    def skewed(self, lead: timedelta) -> None:
        """``lead``: how far the newest prices are dated ahead of our clock."""
        if lead > BEHIND:
            level = -2 if lead > CLOCK_SKEW else -1
        elif lead < -LATE:
            level = 2 if -lead > self._limits.stale_quote else 1
        else:
            level = 0
        before, self._told = self._told, level
        if not level or (level * before > 0 and abs(level) <= abs(before)):
            return
        seconds = round(abs(lead.total_seconds()))
        if level < 0:
            most = round(CLOCK_SKEW.total_seconds())
            now = "as they are now" if level < -1 else f"beyond {most} s"
            self._say(
                f"This machine's clock is {seconds} s behind",
                f"Prices are dated later than its now, and {now} they are passed over: nothing is entered,"
                " and targets, trails and the loss limit stand still. Stops that rest at the broker work."
                f"\nOn the machine: {_MEND}",
            )
            return
        most = round(self._limits.stale_quote.total_seconds())
        now = "as they are now" if level > 1 else f"beyond {most} s"
        self._say(
            f"Prices come {seconds} s late",
            f"Or this machine's clock is that much ahead; {now} nothing is entered on them.\nOn the machine:"
            f" {_MEND}",
        )
