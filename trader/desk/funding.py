"""The broker's funds as last read, and how far they are from our own reckoning.

Margin models differ (SPAN against percentages, hedges, a day of higher margins), so the two agree within a
tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trader.domain.funds import Funds
from trader.domain.money import ZERO, rupees

# A difference of what is blocked counts beyond both: this part of the larger, and these rupees.
TOLERANCE, LEAST = Decimal("0.25"), Decimal(5_000)


@dataclass(frozen=True, slots=True)
class Funding:
    """The broker's funds, and what we had ``reckoned`` to be tied up and had ``booked`` when they were read,
    all in rupees. ``expected``: what the broker should have blocked then."""

    funds: Funds
    at: datetime
    reckoned: Decimal
    booked: Decimal
    expected: Decimal

    def free(self, used: Decimal, booked: Decimal) -> Decimal:
        """What the broker has free now that we tie up ``used`` and have ``booked`` so much."""
        return self.funds.available - (used - self.reckoned) + min(booked - self.booked, ZERO)

    @property
    def apart(self) -> int:
        """1 when the broker blocks more than expected beyond the tolerance, -1 when less, else 0."""
        more = self.funds.used - self.expected
        if abs(more) <= max(LEAST, TOLERANCE * max(self.funds.used, self.expected)):
            return 0
        return 1 if more > 0 else -1

    @property
    def text(self) -> str:
        words = (
            f"Funds: {rupees(self.funds.available)} free, {rupees(self.funds.used)} blocked;"
            f" the desk reckons {rupees(self.expected)}"
        )
        return f"{words}: more apart than margin models are." if self.apart else f"{words}."
