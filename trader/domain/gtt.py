"""What the broker shows of stops that outlive the day (kite.md 9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from trader.domain.order import Gtt, OrderId

GttId = NewType("GttId", str)


class GttStatus(StrEnum):
    ACTIVE = "active"
    TRIGGERED = "triggered"  # once and for all; what became of it is in its order
    ENDED = "ended"  # disabled, expired, cancelled, rejected or deleted


@dataclass(frozen=True, slots=True)
class GttRow:
    """One single-leg GTT. Kite gives it no tag: whose it is shows in its id and its terms alone.

    ``order_id`` names the order a triggered one became, ``message`` says why it became none; while the
    broker is still at it neither is known.
    """

    gtt_id: GttId
    gtt: Gtt
    status: GttStatus
    created_at: datetime | None = None
    order_id: OrderId | None = None
    message: str = ""
