"""What the desk knows, and the turn in which it changes its mind.

The parts of the desk (sending, exits, strategies, guard, kill, books) share one DeskState and write to
one Turn; nothing else is shared and nothing is hidden in them that a restart could lose, except where a
comment says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trader.desk.effects import Effect, Write
from trader.desk.funding import Funding
from trader.desk.limits import RiskLimits
from trader.desk.locks import Held, Lock
from trader.desk.pace import OrderPace
from trader.desk.portfolio import Portfolio, Slot
from trader.desk.running import Running
from trader.desk.standing import StandingStop
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Tick
from trader.domain.order import Order, OrderId, OrderUpdate, Owner, Product, Tag
from trader.domain.records import Alert, DeskMode, ExitPlan, Latch, Priority, Record, RiskCounters
from trader.domain.times import day_digits, ist
from trader.domain.values import quick
from trader.market.phases import Phase, Venue, venue_of

Band = tuple[Decimal, Decimal] | None
_OPEN, _HALTED = Phase.OPEN, DeskMode.HALTED
_write = quick(Write)

if TYPE_CHECKING:
    from trader.market.calendar import Calendar
    from trader.market.charges import Charges
    from trader.market.instruments import Instruments
    from trader.market.margins import Margins
    from trader.strategy.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class DeskConfig:
    """``ledger_code`` is three letters or digits that tell this ledger's tags from any other's."""

    limits: RiskLimits
    ledger_code: str = "AAA"
    live: bool = False  # real money: nothing is entered before the owner has armed the desk
    gtt: bool = False  # the broker keeps stops over the night
    attended: bool = True  # somebody could /resume: else what asks for that halts nothing


@dataclass(slots=True)
class DeskState:
    config: DeskConfig
    instruments: Instruments
    calendar: Calendar
    charges: Charges
    margins: Margins
    catalogue: Catalogue
    latch: Latch
    counters: RiskCounters
    portfolio: Portfolio = field(default_factory=Portfolio)
    pace: OrderPace = field(default_factory=OrderPace)
    quotes: dict[InstrumentKey, Tick] = field(default_factory=dict)
    previous_close: dict[InstrumentKey, float] = field(default_factory=dict)
    # The price bands that follow from those closes, as far as they were asked for.
    bands: dict[InstrumentKey, tuple[Instrument, float, Band]] = field(default_factory=dict)
    last_tick_at: datetime | None = None
    orders: dict[Tag, Order] = field(default_factory=dict)  # today's, and every working one
    working: dict[Tag, Order] = field(default_factory=dict)
    tags_by_id: dict[OrderId, Tag] = field(default_factory=dict)
    parked: dict[OrderId, list[OrderUpdate]] = field(default_factory=dict)  # came before their ack
    sequences: dict[Tag, int] = field(default_factory=dict)
    serial: int = 0
    plans: dict[Slot, ExitPlan] = field(default_factory=dict)
    standing: dict[Slot, StandingStop] = field(default_factory=dict)  # at the broker over the night
    instances: dict[Owner, Running] = field(default_factory=dict)
    commands_done: set[str] = field(default_factory=set)
    # When a denial was last recorded, so that a rule hit every second is told once in a while.
    denials_told: dict[tuple[Owner, InstrumentKey, str], datetime] = field(default_factory=dict)
    moved_at: dict[tuple[InstrumentKey, Product], datetime] = field(default_factory=dict)  # last fill
    # False from a restore until the broker's book was read: what is held is hearsay until then.
    reconciled: bool = True
    unread: bool = False  # the book could not be read for a while (unread.py)
    opening_mark: dict[Slot, float] = field(default_factory=dict)  # see guard.py: carried positions
    armed: bool = True
    locks: dict[InstrumentKey, Lock] = field(default_factory=dict)  # no entries; see differences.py
    asked: dict[Held, int] = field(default_factory=dict)  # external units the owner was last asked about
    funding: Funding | None = None  # the broker's funds, as last read
    ran: dict[str, str] = field(default_factory=dict)  # the day's jobs and the day each ran last

    @property
    def limits(self) -> RiskLimits:
        return self.config.limits

    def instrument(self, key: InstrumentKey) -> Instrument | None:
        return self.instruments.by_key.get(key)

    def venue(self, key: InstrumentKey) -> Venue:
        """The timetable an instrument follows; one nobody knows follows the stocks'."""
        instrument = self.instrument(key)
        return venue_of(instrument) if instrument is not None else Venue.STOCK

    def trades_now(self, key: InstrumentKey, at: datetime) -> bool:
        """Whether the instrument is in continuous trading."""
        return self.calendar.moment(at, self.venue(key)).phase is _OPEN

    def trading_day(self, at: datetime) -> date:
        """The exchange's zone decides the day."""
        return ist(at).date()

    def next_tag(self, at: datetime) -> Tag:
        """The tag the next recorded order gets: ``MAAA261123000042``, 16 characters."""
        return Tag(f"M{self.config.ledger_code}{day_digits(ist(at).date())}{str(self.serial + 1).zfill(6)}")

    def working_in(self, slot: Slot) -> list[Order]:
        if not self.working:
            return []
        return [order for order in self.working.values() if (order.owner, order.key, order.product) == slot]

    @property
    def halted(self) -> bool:
        return self.latch.mode is _HALTED


@dataclass(slots=True)
class Turn:
    """The effects of one event, in order."""

    at: datetime
    effects: list[Effect] = field(default_factory=list)

    def write(self, record: Record) -> None:
        self.effects.append(_write(record))

    def send(self, effect: Effect) -> None:
        self.effects.append(effect)

    def alert(self, alert_id: str, priority: Priority, topic: str, title: str, body: str = "") -> None:
        """``alert_id`` names the cause, so the same cause told twice is one alert."""
        self.write(Alert(alert_id, self.at, priority, topic, title, body))
