"""What the paper exchange must remember to be as real, after a crash, as a broker elsewhere would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from trader.domain.order import OrderId, OrderUpdate
from trader.domain.values import Value


@dataclass(frozen=True, slots=True)
class PaperOrder(Value):
    """An order in the paper exchange's book. ``active_at`` is when it reaches the exchange."""

    update: OrderUpdate
    placed_at: datetime
    active_at: datetime


@dataclass(frozen=True, slots=True)
class PaperExecution(Value):
    """One execution; ``execution_id`` is unique. ``price`` is rupees a unit, on the tick."""

    execution_id: str
    order_id: OrderId
    quantity: int
    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class PaperState:
    # All of the last day, for its book must be whole; of earlier days those that filled and those not final.
    orders: Sequence[PaperOrder]
    executions: Sequence[PaperExecution]
    serial: int  # how many order ids were ever given


class PaperJournal(Protocol):
    """Durable: what ``append`` returned from is still there after a crash."""

    async def load(self) -> PaperState: ...

    async def append(self, orders: Sequence[PaperOrder], executions: Sequence[PaperExecution] = ()) -> None:
        """One transaction: orders replace those of the same id, executions are added once."""
        ...
