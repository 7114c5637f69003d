"""What was executed, what it cost line by line, and the day's contract note."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, InstrumentKey, Segment
from trader.domain.money import PAISA, ZERO, to_paise
from trader.domain.order import Product, Side

_RUPEE = Decimal(1)
_NOTE_LINES = 7  # brokerage to GST
_HALF = Decimal("0.5")
DELIVERED = (Product.CNC, Product.MTF)


@dataclass(frozen=True, slots=True)
class Executed:
    """An order, as far as it is executed.

    ``value`` in rupees: price times quantity (premium, for options). ``at`` places the order in the day's
    first-in order: give the same time for an order whenever it is asked about. ``by_broker``: the broker's
    own square-off, which has a fee of its own.
    """

    tag: str
    key: InstrumentKey
    exchange: Exchange
    segment: Segment
    underlying: str
    product: Product
    side: Side
    quantity: int
    value: Decimal
    at: datetime
    by_broker: bool = False

    def __post_init__(self) -> None:
        if self.quantity < 0 or self.value < 0:
            raise InvalidInput(
                f"Expected at least 0 units and ₹0 executed, was {self.quantity} units of ₹{self.value}; "
                "the side says which way"
            )

    @property
    def delivery(self) -> bool:
        """Shares that change hands unless they are traded back the same day."""
        return self.segment is Segment.EQUITY and self.product in DELIVERED

    @property
    def chapter(self) -> str:
        """The part of the contract note it stands in: ``NSE equity``, ``NFO options``."""
        return f"{self.exchange} {self.segment}"


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Charges line by line, rupees. ``dp`` and ``rms`` contain their own GST."""

    brokerage: Decimal = ZERO
    stt: Decimal = ZERO
    transaction: Decimal = ZERO  # the exchange's, without its investor protection fund
    ipft: Decimal = ZERO
    sebi: Decimal = ZERO
    stamp: Decimal = ZERO
    gst: Decimal = ZERO
    dp: Decimal = ZERO  # depository, for shares delivered
    rms: Decimal = ZERO  # the broker's own square-off

    @property
    def total(self) -> Decimal:
        return (
            self.brokerage + self.stt + self.transaction + self.ipft + self.sebi
            + self.stamp + self.gst + self.dp + self.rms
        )  # fmt: skip

    def __add__(self, other: Breakdown) -> Breakdown:
        return Breakdown(
            self.brokerage + other.brokerage,
            self.stt + other.stt,
            self.transaction + other.transaction,
            self.ipft + other.ipft,
            self.sebi + other.sebi,
            self.stamp + other.stamp,
            self.gst + other.gst,
            self.dp + other.dp,
            self.rms + other.rms,
        )

    def rounded(self) -> Breakdown:
        """Each line half up to the paisa."""
        return Breakdown(
            to_paise(self.brokerage),
            to_paise(self.stt),
            to_paise(self.transaction),
            to_paise(self.ipft),
            to_paise(self.sebi),
            to_paise(self.stamp),
            to_paise(self.gst),
            to_paise(self.dp),
            to_paise(self.rms),
        )

    def noted(self) -> Breakdown:
        """As the contract note rounds a segment's day: STT half up to the rupee (tradingqna 21903, 88483),
        the other lines to the paisa. The note's own lines only."""
        return Breakdown(
            to_paise(self.brokerage),
            to_paise(self.stt.quantize(_RUPEE, ROUND_HALF_UP)),
            to_paise(self.transaction),
            to_paise(self.ipft),
            to_paise(self.sebi),
            to_paise(self.stamp),
            to_paise(self.gst),
        )

    def lines(self) -> Sequence[tuple[str, Decimal]]:
        """Label and rupees of the lines that are not zero, in the order of a contract note."""
        lines = (
            ("Brokerage", self.brokerage),
            ("STT", self.stt),
            ("Exchange", self.transaction),
            ("IPFT", self.ipft),
            ("SEBI fee", self.sebi),
            ("Stamp duty", self.stamp),
            ("GST", self.gst),
            ("Depository", self.dp),
            ("RMS fee", self.rms),
        )
        return [(label, amount) for label, amount in lines if amount]


@dataclass(frozen=True, slots=True)
class ContractNote:
    """All charges of one day.

    ``segments`` are the note's parts ("NSE equity", "NFO options"), rounded as it rounds them; ``ledger`` is
    what the broker debits outside the note (``dp``, ``rms``). ``orders`` has each order with its own charges
    to the paisa, same-day delivery round trips as intraday; the depository's charge belongs to no order.
    """

    day: date
    segments: Mapping[str, Breakdown]
    ledger: Breakdown
    orders: Sequence[tuple[Executed, Breakdown]]

    @property
    def breakdown(self) -> Breakdown:
        """The lines of the whole day."""
        return add_up([*self.segments.values(), self.ledger])

    @property
    def total(self) -> Decimal:
        return self.breakdown.total

    def rounding(self, booked: Decimal) -> Decimal:
        """What the note differs from ``booked``, the charges booked execution by execution; rupees."""
        return self.total - booked

    @property
    def rounding_bound(self) -> Decimal:
        """The most that ``rounding`` can be, either way: half a rupee of STT a segment, and half a paisa for
        each line that was rounded, once an order and once a segment."""
        lines = _NOTE_LINES * len(self.orders) + (_NOTE_LINES - 1) * len(self.segments)
        return _HALF * (_RUPEE * len(self.segments) + PAISA * lines)


def add_up(breakdowns: Iterable[Breakdown]) -> Breakdown:
    return sum(breakdowns, Breakdown())
