"""Everything that can happen to the desk. ``at`` is market time; it is the only clock the desk has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from trader.desk.commands import Command
from trader.desk.portfolio import Slot
from trader.domain.funds import Funds, Holding
from trader.domain.gtt import GttId, GttRow
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval, Tick
from trader.domain.order import BrokerPosition, OrderId, OrderUpdate, Owner, Tag
from trader.domain.position import DayResult, Traded

# -- the market ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TicksArrived:
    at: datetime
    ticks: Sequence[Tick]


@dataclass(frozen=True, slots=True)
class RangePassed:
    """In a replay of candles: the prices between a bar's open and its close, the broker's stops already
    served. Targets may be reached inside it; no decision may be made on its close yet."""

    at: datetime
    bar: Bar


@dataclass(frozen=True, slots=True)
class BarClosed:
    at: datetime
    bar: Bar


@dataclass(frozen=True, slots=True)
class ClockTicked:
    """About once a second of market time, and at every jump of it."""

    at: datetime


@dataclass(frozen=True, slots=True)
class MarketLost:
    """Prices of these do not come any more; what is heard of them is a part of what trades."""

    at: datetime
    keys: Sequence[InstrumentKey]


@dataclass(frozen=True, slots=True)
class MarketBack:
    """All prices come again."""

    at: datetime


@dataclass(frozen=True, slots=True)
class HistoryLoaded:
    """The bars asked for by LoadHistory, oldest first."""

    at: datetime
    owner: Owner
    key: InstrumentKey
    interval: Interval
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class HistoryFailed:
    """``passing``: it will be there later (nobody is logged in, the broker does not answer)."""

    at: datetime
    owner: Owner
    key: InstrumentKey
    reason: str
    passing: bool = False


# -- the broker ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderAcked:
    at: datetime
    tag: Tag
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class OrderRefusedByBroker:
    """The broker provably did not take the order; ``sent`` is False when it never heard of it, ``too_many``
    says that it was refused for the pace or the number of requests, and nothing was said about the order."""

    at: datetime
    tag: Tag
    reason: str
    sent: bool = True
    too_many: bool = False


@dataclass(frozen=True, slots=True)
class OrderOutcomeUnknown:
    at: datetime
    tag: Tag
    reason: str


@dataclass(frozen=True, slots=True)
class ChangeAnswered:
    """A modify or cancel request came back; ``error`` is empty when the broker accepted it,
    ``unknown`` says that nobody can tell, ``used_up`` that this order takes no more changes."""

    at: datetime
    tag: Tag
    error: str = ""
    unknown: bool = False
    used_up: bool = False


@dataclass(frozen=True, slots=True)
class OrderUpdated:
    at: datetime
    update: OrderUpdate


class BookPurpose(StrEnum):
    RECONCILE = "reconcile"
    RESOLVE = "resolve"  # find orders whose outcome is unknown
    KILL = "kill"  # is the account flat?


@dataclass(frozen=True, slots=True)
class BookRead:
    """A complete reading of the broker that began after ``asked_at``."""

    at: datetime
    asked_at: datetime
    purpose: BookPurpose
    orders: Sequence[OrderUpdate]
    positions: Sequence[BrokerPosition]
    holdings: Sequence[Holding] = ()
    proven_at: datetime | None = None  # of which time it surely tells; None: of now
    trades: Sequence[Traded] | None = None  # None: the broker has no trade book


@dataclass(frozen=True, slots=True)
class FundsRead:
    """The account's funds, read after ``asked_at``."""

    at: datetime
    asked_at: datetime
    funds: Funds


@dataclass(frozen=True, slots=True)
class BrokerReached:
    """The way to the broker stands again (a login, a reconnected stream): what was missed is in its book."""

    at: datetime


@dataclass(frozen=True, slots=True)
class BrokerLost:
    """The session with the broker is over: nothing can be ordered or read before the next login."""

    at: datetime


@dataclass(frozen=True, slots=True)
class BookFailed:
    at: datetime
    purpose: BookPurpose
    reason: str


@dataclass(frozen=True, slots=True)
class GttPlaced:
    at: datetime
    slot: Slot
    gtt_id: GttId


@dataclass(frozen=True, slots=True)
class GttNotPlaced:
    """The broker did not take a stop for the night, or, ``unknown``, nobody can tell."""

    at: datetime
    slot: Slot
    reason: str
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class GttDeleted:
    """``error`` is empty when the broker deleted it; one that was triggered cannot be. ``unknown``: nobody
    can tell."""

    at: datetime
    gtt_id: GttId
    error: str = ""
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class GttsListed:
    """All of the account's, read after ``asked_at``."""

    at: datetime
    asked_at: datetime
    rows: Sequence[GttRow]


@dataclass(frozen=True, slots=True)
class GttsUnread:
    at: datetime
    reason: str


# -- the owner and the house --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommandGiven:
    """``source_id`` makes a repeated delivery act once; ``actor`` goes into the records."""

    at: datetime
    source_id: str
    actor: str
    command: Command


class Job(StrEnum):
    """What the day's schedule brings; each at most once a day."""

    CHECKLIST = "checklist"  # before the opening
    DIGEST = "digest"  # after the close
    WEEKLY = "weekly"  # after the close of the week's last trading day


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of the pre-open checklist that only the shell can answer."""

    label: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class JobDue:
    """A job of ``day`` is to run. ``lines`` for the checklist; ``week`` for the weekly summary: the
    results of the week's days so far, today's left out (the desk knows them)."""

    at: datetime
    job: Job
    day: date
    lines: Sequence[CheckLine] = ()
    week: Sequence[DayResult] = ()


@dataclass(frozen=True, slots=True)
class HouseFault:
    """Something around the desk broke in a way that makes trading unsafe (a commit failed, a task died)."""

    at: datetime
    code: str
    reason: str


MarketNews = (
    TicksArrived
    | RangePassed
    | BarClosed
    | ClockTicked
    | MarketLost
    | MarketBack
    | HistoryLoaded
    | HistoryFailed
)
OrderNews = OrderUpdated | OrderAcked | OrderRefusedByBroker | OrderOutcomeUnknown | ChangeAnswered
BrokerNews = BookRead | BookFailed | FundsRead | BrokerReached | BrokerLost
GttNews = GttPlaced | GttNotPlaced | GttDeleted | GttsListed | GttsUnread
HouseNews = CommandGiven | JobDue | HouseFault

Event = MarketNews | OrderNews | BrokerNews | GttNews | HouseNews
