"""Everything that can happen to the desk. ``at`` is market time; it is the only clock the desk has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from trader.desk.commands import Command
from trader.domain.funds import Holding
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar, Interval, Tick
from trader.domain.order import BrokerPosition, OrderId, OrderUpdate, Owner, Tag
from trader.domain.position import DayResult

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
class HistoryLoaded:
    """The bars asked for by LoadHistory, oldest first."""

    at: datetime
    owner: Owner
    key: InstrumentKey
    interval: Interval
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class HistoryFailed:
    at: datetime
    owner: Owner
    key: InstrumentKey
    reason: str


# -- the broker ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderAcked:
    at: datetime
    tag: Tag
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class OrderRefusedByBroker:
    """The broker provably did not take the order."""

    at: datetime
    tag: Tag
    reason: str


@dataclass(frozen=True, slots=True)
class OrderOutcomeUnknown:
    at: datetime
    tag: Tag
    reason: str


@dataclass(frozen=True, slots=True)
class ChangeAnswered:
    """A modify or cancel request came back; ``error`` is empty when the broker accepted it and
    ``unknown`` says that nobody can tell."""

    at: datetime
    tag: Tag
    error: str = ""
    unknown: bool = False


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


@dataclass(frozen=True, slots=True)
class BrokerReached:
    """The way to the broker stands again (a login, a reconnected stream): what was missed is in its book."""

    at: datetime


@dataclass(frozen=True, slots=True)
class BookFailed:
    at: datetime
    purpose: BookPurpose
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


Event = (
    TicksArrived
    | RangePassed
    | BarClosed
    | ClockTicked
    | HistoryLoaded
    | HistoryFailed
    | OrderAcked
    | OrderRefusedByBroker
    | OrderOutcomeUnknown
    | ChangeAnswered
    | OrderUpdated
    | BookRead
    | BookFailed
    | BrokerReached
    | CommandGiven
    | JobDue
    | HouseFault
)
