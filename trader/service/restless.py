"""A process that ends again and again without being told to: its owner hears of it (faults.md 33).

The desk starts HALTED after the first such end, and a latch that holds already says nothing more. It does not
stay down: what is held would be without the desk that puts its stops back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from trader.domain.records import Alert, Priority, SessionRecord
from trader.domain.times import IST, date_short

FEWEST, WITHIN = 3, timedelta(minutes=10)
SESSION_ID = "%Y%m%d%H%M%S%f"  # of the machine's clock, in India


def restless(sessions: Sequence[SessionRecord], now: datetime, at: datetime) -> list[Alert]:
    """``sessions`` before this one, ``now`` by the machine's clock, ``at`` by the market's. After 3, 6, 12 …
    ends, once a day each."""
    ends = 0
    for session in reversed(sessions):
        began = datetime.strptime(session.session_id, SESSION_ID).replace(tzinfo=IST)
        if now - began > WITHIN:
            break
        ends += session.ended_at is None
    rounds, rest = divmod(ends, FEWEST)
    if rest or rounds.bit_count() != 1:
        return []
    return [
        Alert(
            f"restless:{date_short(now)}:{ends}",
            at,
            Priority.CRITICAL,
            "house",
            f"The process ended {ends} times within {int(WITHIN.total_seconds()) // 60} min",
            "Not in order, and was started anew each time. While it is down nothing is closed or moved; stops"
            " that rest at the broker work. The log says why; stop it where it is started, or /kill.",
        )
    ]
