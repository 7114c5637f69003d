"""What the desk needs of a broker, paper or live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from trader.domain.funds import Funds, Holding
from trader.domain.gtt import GttId, GttRow
from trader.domain.order import (
    Approved,
    ApprovedChange,
    ApprovedGtt,
    BrokerPosition,
    OrderId,
    OrderRequest,
    OrderUpdate,
)
from trader.domain.position import Traded

UpdateSink = Callable[[OrderUpdate], None]


@dataclass(frozen=True, slots=True)
class Book:
    """One complete, fresh reading of the broker: every order of today, every net position.

    ``holdings`` are for brokers that move delivery shares out of the positions overnight, as Kite does; the
    owner's other shares are among them. ``proven_at`` is the newest time of which the reading is known to
    tell; None where readings are always of now. What is missing from it may have come later.
    ``trades`` are those of each order, None where the broker keeps no trade book.
    """

    orders: Sequence[OrderUpdate]
    positions: Sequence[BrokerPosition]
    holdings: Sequence[Holding] = ()
    proven_at: datetime | None = None
    trades: Sequence[Traded] | None = None


class Broker(Protocol):
    """Takes approved orders only.

    ``place``, ``modify`` and ``cancel`` raise OrderRefused when the broker provably did not accept, and
    OutcomeUnknown when nobody can tell. Accepted is not executed: fills and later rejections come as
    OrderUpdates through ``listen``, possibly repeated, out of order, or before ``place`` has returned.
    """

    @property
    def name(self) -> str: ...

    @property
    def live(self) -> bool:
        """Whether real money moves."""
        ...

    def listen(self, sink: UpdateSink) -> None:
        """Send every later update to ``sink``, which must not block."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def place(self, approved: Approved) -> OrderId: ...

    async def modify(self, approved: ApprovedChange) -> None: ...

    async def cancel(self, order_id: OrderId) -> None: ...

    async def book(self) -> Book:
        """Raises BrokerUnavailable when any part could not be read: half a book proves nothing."""
        ...

    async def funds(self) -> Funds: ...

    async def holdings(self) -> Sequence[Holding]:
        """Shares held for delivery."""
        ...


@runtime_checkable
class Overnight(Protocol):
    """What a broker may have besides: stops that stand beyond the day (GTT).

    ``place_gtt`` and ``delete_gtt`` raise OrderRefused and OutcomeUnknown like orders do; ``gtts`` raises
    BrokerUnavailable. The order a triggered one becomes arrives as every order from elsewhere does.
    """

    async def place_gtt(self, approved: ApprovedGtt) -> GttId: ...

    async def delete_gtt(self, gtt_id: GttId) -> None: ...

    async def gtts(self) -> Sequence[GttRow]:
        """All single-leg ones of the account, the owner's own among them."""
        ...


WhyNot = Callable[[OrderRequest], str]


@runtime_checkable
class LastLook(Protocol):
    """What a broker has besides whose orders may wait on their way out, for room or for a line."""

    def look_last(self, why_not: WhyNot) -> None:
        """Ask ``why_not`` of every order in the moment it leaves: why it is not to any more, or ``""``. It is
        called from any thread and does not block. What does not leave is OrderNotSent."""
        ...


__all__ = ["Book", "Broker", "Funds", "LastLook", "Overnight", "UpdateSink", "WhyNot"]
