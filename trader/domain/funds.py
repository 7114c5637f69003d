"""What an account can pay for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trader.domain.money import ZERO


@dataclass(frozen=True, slots=True)
class Funds:
    """Rupees.

    ``cash`` is the account's balance, ``available`` what new positions may use, ``used`` what open positions
    and orders block, ``receivable`` what is owed to the account and cannot be used before ``settles_on``.
    """

    cash: Decimal
    available: Decimal
    used: Decimal = ZERO
    receivable: Decimal = ZERO
    settles_on: date | None = None
