"""What the desk wants done. All Writes of one ``handle`` are one transaction, committed before any other
effect of it is carried out: no commit, no send."""

from __future__ import annotations

from dataclasses import dataclass

from trader.desk.events import BookPurpose
from trader.desk.portfolio import Slot
from trader.domain.gtt import GttId
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.domain.order import Approved, ApprovedChange, ApprovedGtt, OrderId, Owner, Tag
from trader.domain.records import Record


@dataclass(frozen=True, slots=True)
class Write:
    record: Record


@dataclass(frozen=True, slots=True)
class Submit:
    approved: Approved


@dataclass(frozen=True, slots=True)
class Change:
    approved: ApprovedChange


@dataclass(frozen=True, slots=True)
class Cancel:
    tag: Tag
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class ReadBook:
    purpose: BookPurpose


@dataclass(frozen=True, slots=True)
class PlaceGtt:
    """Have a stop stand beyond the day; answered by GttPlaced or GttNotPlaced."""

    slot: Slot
    approved: ApprovedGtt


@dataclass(frozen=True, slots=True)
class DeleteGtt:
    """Answered by GttDeleted."""

    gtt_id: GttId


@dataclass(frozen=True, slots=True)
class ListGtts:
    """Answered by GttsListed or GttsUnread."""


@dataclass(frozen=True, slots=True)
class LoadHistory:
    """Ask for the last ``count`` closed bars; answered by HistoryLoaded or HistoryFailed."""

    owner: Owner
    key: InstrumentKey
    interval: Interval
    count: int


@dataclass(frozen=True, slots=True)
class Watch:
    """From now on send BarClosed for these."""

    key: InstrumentKey
    interval: Interval


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to a command; exactly one for each CommandGiven."""

    source_id: str
    ok: bool
    text: str  # plain sentences, lines separated by newlines


Effect = (
    Write
    | Submit
    | Change
    | Cancel
    | ReadBook
    | PlaceGtt
    | DeleteGtt
    | ListGtts
    | LoadHistory
    | Watch
    | Answer
)
