"""What the desk asks to have written down. Records are absolute values (an order as it now is), so
writing one twice changes nothing; ``Record`` names every kind a ledger must take."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.domain.money import ZERO
from trader.domain.order import Order, OrderState, Owner, Product, Tag
from trader.domain.position import DayResult, Fill, Position, Trade
from trader.domain.values import Value


class DeskMode(StrEnum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"  # exits only
    HALTED = "HALTED"  # exits only, and no strategy is asked

    @property
    def severity(self) -> int:
        return ("ACTIVE", "REDUCING", "HALTED").index(self)


@dataclass(frozen=True, slots=True)
class Latch(Value):
    """The desk's mode and why; survives restarts."""

    mode: DeskMode
    code: str  # machine-readable: "killed", "daily_loss", "unclean_exit" …
    reason: str
    since: datetime
    by: str  # "owner 4711", "risk gate", "start-up"


class InstanceStatus(StrEnum):
    WARMING = "WARMING"  # history asked for
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"  # exits only
    STOPPING = "STOPPING"  # closing what it holds
    STOPPED = "STOPPED"
    FAILED = "FAILED"  # its own code raised

    @property
    def alive(self) -> bool:
        return self in (InstanceStatus.WARMING, InstanceStatus.RUNNING, InstanceStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class StrategyInstance(Value):
    """A strategy with its parameters, started on symbols. ``settings`` holds every parameter and common
    option as canonical text, sorted by name."""

    name: Owner
    strategy: str
    symbols: tuple[InstrumentKey, ...]
    interval: Interval
    settings: tuple[tuple[str, str], ...]
    status: InstanceStatus
    started_at: datetime
    updated_at: datetime
    message: str = ""


@dataclass(frozen=True, slots=True)
class ExitPlan(Value):
    """How an open position is to be left. Prices in rupees; None switches a leg off.

    ``best_price`` is the most favourable price since entry; the trailing stop hangs ``trail`` below it
    (above, for a short). ``stop_tag`` names the order resting at the broker.
    """

    owner: Owner
    key: InstrumentKey
    product: Product
    stop: Decimal | None
    target: Decimal | None
    trail: Decimal | None
    best_price: Decimal
    stop_tag: Tag | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class RiskCounters(Value):
    """The counters behind the limits, of one trading day; ``peak_equity`` and ``booked`` run on.

    ``booked`` is realised minus charges since the ledger began, in rupees; equity is capital + booked +
    unrealised.
    """

    day: date
    entries: int = 0
    orders: int = 0
    loss_streak: int = 0
    cooldown_until: datetime | None = None
    booked: Decimal = ZERO
    booked_today: Decimal = ZERO
    peak_equity: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class OrderEvent(Value):
    """One line of an order's journal: ``sequence`` counts from 1 within the order."""

    tag: Tag
    sequence: int
    at: datetime
    before: OrderState | None
    after: OrderState
    detail: str


class Priority(IntEnum):
    """How urgently an alert is pushed; lower goes first."""

    CRITICAL = 0  # kill, halt, reject, breach
    FILL = 1
    STRATEGY = 2
    INFO = 3


@dataclass(frozen=True, slots=True)
class Alert(Value):
    """A message the owner must get. ``topic`` groups what may be merged into one digest."""

    alert_id: str
    at: datetime
    priority: Priority
    topic: str  # "fill", "kill", "breach", "order", "squareoff", "checklist", "digest" …
    title: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class AlertDelivery(Value):
    """An alert reached one recipient; ``outcome`` is "sent" or why it never will be."""

    alert_id: str
    recipient: str
    at: datetime
    outcome: str = "sent"


@dataclass(frozen=True, slots=True)
class AuditEntry(Value):
    """A chat command or button press. ``source_id`` is unique for ever ("tg:81234", "term:7").
    Written once with the verdict before acting, and again with the outcome."""

    source_id: str
    actor: str  # "owner 4711", "terminal"
    text: str
    sent_at: datetime
    received_at: datetime
    verdict: str  # "accepted", "stale", "stranger", "forbidden", "overtaken"
    outcome: str = ""  # first line of the answer; empty while it is being worked on


@dataclass(frozen=True, slots=True)
class CommandDone(Value):
    """The desk acted on the command with this source id; written in the same transaction as its effects."""

    source_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionRecord(Value):
    """One run of the process. ``ended_at`` stays None after an unclean exit."""

    session_id: str
    started_at: datetime  # market time
    market: str
    trading: str
    version: str
    config_hash: str
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Setting(Value):
    """A value kept across restarts, as text."""

    key: str
    value: str


Record = (
    Order
    | OrderEvent
    | Fill
    | Position
    | Trade
    | DayResult
    | ExitPlan
    | RiskCounters
    | StrategyInstance
    | Latch
    | Alert
    | AlertDelivery
    | AuditEntry
    | CommandDone
    | SessionRecord
    | Setting
)


@dataclass(frozen=True, slots=True)
class LedgerState:
    """Everything a desk needs to go on after a restart."""

    latch: Latch | None = None
    last_session: SessionRecord | None = None
    instances: tuple[StrategyInstance, ...] = ()
    orders: tuple[Order, ...] = ()  # all working ones, and every order of the last trading day
    order_sequences: dict[Tag, int] = field(default_factory=dict)  # last journal sequence of each of them
    positions: tuple[Position, ...] = ()  # every owner's, open or not
    plans: tuple[ExitPlan, ...] = ()  # not closed
    counters: RiskCounters | None = None
    day_results: tuple[DayResult, ...] = ()  # of the counters' day
    commands_done: frozenset[str] = frozenset()  # source ids of the last 1,000
    settings: dict[str, str] = field(default_factory=dict)
    tag_serial: int = 0  # how many orders were ever made
