"""Orders, what the broker says of them, and the seal of the risk gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO
from trader.domain.values import Value

Tag = NewType("Tag", str)  # our own order name: at most 20 characters, unique for ever
OrderId = NewType("OrderId", str)  # the broker's; 19 digits, never a number (kite.md 5)
Owner = NewType("Owner", str)  # a strategy instance's name, or EXTERNAL

EXTERNAL = Owner("external")  # orders and positions the desk did not make
HOUSE = Owner("house")  # what the day's contract note rounds; nobody's trade
TAG_LENGTH = 20  # Kite rejects a longer one, it does not cut it (kite.md 4)


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    __hash__ = str.__hash__  # the enum's own is a Python call; here and below: keys of what orders look up

    @property
    def sign(self) -> int:
        return 1 if self is _BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is _BUY else _BUY


_BUY = Side.BUY  # until Python 3.12 a member looked up in its class takes ten times as long as a global


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"  # stop, then limit
    SL_M = "SL-M"  # stop, then market

    __hash__ = str.__hash__


class Product(StrEnum):
    MIS = "MIS"  # intraday
    CNC = "CNC"  # delivery
    NRML = "NRML"  # overnight derivatives
    MTF = "MTF"  # delivery partly paid by the broker

    __hash__ = str.__hash__


class Validity(StrEnum):
    DAY = "DAY"
    IOC = "IOC"  # what does not trade at once is cancelled


class Purpose(StrEnum):
    """Why an order exists; everything but ENTRY reduces risk."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    EXIT = "exit"
    SQUAREOFF = "squareoff"
    KILL = "kill"
    EXTERNAL = "external"


class OrderState(StrEnum):
    # Committed with its tag, being sent. There is no separate "sending": a process that died after the
    # commit cannot know how far it came, so recovery treats both alike.
    INTENT = "INTENT"
    DENIED = "DENIED"  # refused by our gate, never sent
    ACKED = "ACKED"  # the broker gave an id; not yet seen in its book
    UNKNOWN = "UNKNOWN"  # nobody knows whether the broker has it
    OPEN = "OPEN"
    TRIGGER_PENDING = "TRIGGER_PENDING"
    PARTIAL = "PARTIAL"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_MODIFY = "PENDING_MODIFY"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    NOT_PLACED = "NOT_PLACED"

    __hash__ = str.__hash__

    @property
    def terminal(self) -> bool:
        return self in _TERMINAL

    @property
    def working(self) -> bool:
        """May still fill, as far as anybody knows."""
        return self not in _TERMINAL


_TERMINAL = frozenset({
    OrderState.DENIED, OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED,
    OrderState.EXPIRED, OrderState.NOT_PLACED,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrderRequest(Value):
    """What the desk wants done.

    Prices are rupees on the instrument's tick; ``quantity`` is in units (lots times lot size).
    ``reference_price`` is the market price the decision was made on, for collar and slippage.
    """

    tag: Tag
    owner: Owner
    key: InstrumentKey
    side: Side
    quantity: int
    order_type: OrderType
    product: Product
    purpose: Purpose
    at: datetime
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    reference_price: Decimal | None = None
    stop_distance: Decimal | None = None  # rupees a unit risked to the protective stop; entries only
    note: str = ""
    validity: Validity = Validity.DAY


@dataclass(frozen=True, slots=True)
class OrderChange(Value):
    """New terms for a resting order, changed in place so no moment is unprotected. All terms are absolute."""

    tag: Tag
    order_id: OrderId
    quantity: int  # total, not the rest (kite.md 4)
    order_type: OrderType
    price: Decimal | None
    trigger_price: Decimal | None
    purpose: Purpose
    at: datetime


@dataclass(frozen=True, slots=True)
class Order(Value):
    """One order as the desk knows it now; every change makes a new value."""

    request: OrderRequest
    state: OrderState
    updated_at: datetime
    quantity: int  # current terms, after modifications
    order_type: OrderType
    price: Decimal | None
    trigger_price: Decimal | None
    purpose: Purpose
    order_id: OrderId | None = None
    filled_quantity: int = 0  # cumulative, never shrinks
    average_price: Decimal = ZERO  # of the filled part
    prior_state: OrderState | None = None  # what PENDING_CANCEL and PENDING_MODIFY fall back to
    message: str = ""
    modifications: int = 0

    @property
    def tag(self) -> Tag:
        return self.request.tag

    @property
    def owner(self) -> Owner:
        return self.request.owner

    @property
    def key(self) -> InstrumentKey:
        return self.request.key

    @property
    def side(self) -> Side:
        return self.request.side

    @property
    def product(self) -> Product:
        return self.request.product

    @property
    def pending_quantity(self) -> int:
        return max(self.quantity - self.filled_quantity, 0)

    @property
    def working(self) -> bool:
        return self.state.working


class BrokerStatus(StrEnum):
    """The broker's view, reduced to what matters; an unknown status maps to PENDING (kite.md 11)."""

    PENDING = "PENDING"  # received, in validation, in transit
    OPEN = "OPEN"
    TRIGGER_PENDING = "TRIGGER PENDING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"

    __hash__ = str.__hash__

    @property
    def final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset({BrokerStatus.COMPLETE, BrokerStatus.CANCELLED, BrokerStatus.REJECTED})


@dataclass(frozen=True, slots=True)
class OrderUpdate(Value):
    """What the broker's stream or book says of one order. Quantities are cumulative, in units.

    ``average_price`` is that of the filled part, unrounded where the broker knows it.
    ``tag`` is None for orders from elsewhere (the broker's app, its own square-off).
    """

    order_id: OrderId
    tag: Tag | None
    key: InstrumentKey
    side: Side
    product: Product
    order_type: OrderType
    status: BrokerStatus
    quantity: int
    filled_quantity: int
    average_price: Decimal
    at: datetime
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class BrokerPosition(Value):
    """The broker's net position of one (instrument, product); ``quantity`` is signed units."""

    key: InstrumentKey
    product: Product
    quantity: int
    average_price: Decimal


_GATE = object()  # the seal; the gate alone takes it, a test holds everyone to that


@dataclass(frozen=True, slots=True)
class Approved:
    """An order request that passed the risk gate. Brokers accept nothing else."""

    request: OrderRequest
    seal: object

    def __post_init__(self) -> None:
        if self.seal is not _GATE:
            raise PermissionError("Only the risk gate approves orders")


@dataclass(frozen=True, slots=True)
class ApprovedChange:
    """A modification that passed the risk gate."""

    change: OrderChange
    seal: object

    def __post_init__(self) -> None:
        if self.seal is not _GATE:
            raise PermissionError("Only the risk gate approves changes")


@dataclass(frozen=True, slots=True)
class Gtt(Value):
    """The terms of a stop that stands at the broker beyond the day, until its price is reached (Kite's GTT,
    kite.md 9). It becomes a LIMIT order, never a market one. ``last_price``: where the market was, which
    decides from which side the trigger is reached; None when the desk does not know."""

    key: InstrumentKey
    side: Side
    quantity: int
    product: Product
    trigger_price: Decimal
    price: Decimal
    last_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ApprovedGtt:
    """A stop for the night that passed the risk gate."""

    gtt: Gtt
    seal: object

    def __post_init__(self) -> None:
        if self.seal is not _GATE:
            raise PermissionError("Only the risk gate approves GTTs")


@dataclass(frozen=True, slots=True)
class Denied(Value):
    """The gate's refusal: a machine-readable code and a sentence for the owner."""

    code: str
    sentence: str


def gate_seal() -> object:
    """The seal that makes an approval; called by ``trader/desk/risk.py`` and by nobody else."""
    return _GATE
