"""How far our clock is from the one that dates the prices.

Nobody else would notice: with a clock that is behind, prices are from the future and passed over, targets,
trails and limits with them; with one that is ahead every price is too old to enter on (faults.md 42).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trader.domain.market import Tick

_EVERY = timedelta(minutes=1)
_SAMPLES = 20  # moments a minute at which something newer came; a few old prices say nothing


@dataclass(slots=True)
class Skew:
    """``tell`` hears once a minute how far the newest prices were ahead of our clock at most (negative:
    behind it): a price is on its way for some tenths of a second, and dated in whole ones."""

    tell: Callable[[timedelta], None]
    _newest: datetime | None = None
    _since: datetime | None = None
    _leads: list[timedelta] = field(default_factory=list)

    def put(self, ticks: Sequence[Tick], at: datetime) -> None:
        newest = max(tick.at for tick in ticks)
        if self._newest is None or newest > self._newest:
            self._newest = newest
            self._leads.append(newest - at)
        if self._since is None:
            self._since = at
        elif at - self._since >= _EVERY:
            if len(self._leads) >= _SAMPLES:
                self.tell(max(self._leads))
            self._since, self._leads = at, []
