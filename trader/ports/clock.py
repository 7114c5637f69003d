"""The market's time, whichever market it is."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Market time, aware, in IST."""
        ...

    @property
    def speed(self) -> float | None:
        """Market seconds per second of the wall clock; None when the market runs flat out."""
        ...

    async def sleep_until(self, at: datetime) -> None:
        """Return once ``now() >= at``."""
        ...
