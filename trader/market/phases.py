"""The phases of a trading day, and which timetable an instrument follows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from trader.domain.instrument import Exchange, Instrument, Segment


class Venue(StrEnum):
    """Which timetable an instrument follows."""

    AUCTION_STOCK = "closing-auction stock"  # a stock with derivatives: it leaves continuous trading first
    STOCK = "stock"  # every other cash instrument, indices too
    DERIVATIVE = "derivative"  # futures
    OPTION = "option"  # as futures, but without a pre-open: the exchange left options out of it

    __hash__ = str.__hash__  # the enum's own is a Python call, and venues are looked up per event


# Until Python 3.12 a member looked up in its class takes ten times as long as a global.
_CONTRACTS, _EQUITY = (Exchange.NFO, Exchange.BFO), Segment.EQUITY
_AUCTION_STOCK, _STOCK = Venue.AUCTION_STOCK, Venue.STOCK


def venue_of(instrument: Instrument) -> Venue:
    if instrument.exchange in _CONTRACTS:
        return Venue.OPTION if instrument.segment is Segment.OPTIONS else Venue.DERIVATIVE
    closes_in_auction = instrument.derivatives and instrument.segment is _EQUITY
    return _AUCTION_STOCK if closes_in_auction else _STOCK


class Phase(StrEnum):
    CLOSED = "closed"
    PREOPEN = "pre-open"  # market and limit orders are collected; no stops, no icebergs
    PREOPEN_LIMIT = "pre-open, limit only"
    MATCHING = "pre-open matching"  # no entry until the opening
    OPEN = "open"  # continuous trading
    AUCTION_REFERENCE = "auction reference"  # the reference price is computed, no entry
    AUCTION = "closing auction"  # market and limit within 3 %; no stops, IOC, icebergs
    AUCTION_LIMIT = "closing auction, limit only"
    AUCTION_MATCHING = "auction matching"
    POST_CLOSE = "post-close"  # at the closing price

    __hash__ = str.__hash__


class Session(NamedTuple):
    """Continuous trading of one day; ``closes_at`` is exclusive."""

    opens_at: datetime
    closes_at: datetime


class Deadlines(NamedTuple):
    """The last times of a day's intraday (MIS) positions."""

    entries_until: datetime  # own: from here on none is opened
    squareoff_at: datetime  # own: those still open are closed
    broker_at: datetime  # Zerodha's own square-off, which costs a fee per order
    stops_end: datetime | None  # the exchange cancels resting stop orders; None: they live to the close


class Moment(NamedTuple):
    """What the clock says to an instrument from ``since`` until just before ``until``."""

    since: datetime
    until: datetime
    phase: Phase
    session: Session | None  # today's
    deadlines: Deadlines
    text: str  # as Calendar.describe


Starts = tuple[
    tuple[datetime, Phase], ...
]  # each phase's start in order, the last one CLOSED; () when closed


class Day(NamedTuple):
    """``Starts`` as the look-up wants them: ``phases`` begins with the CLOSED before the first start."""

    starts: tuple[datetime, ...]
    phases: tuple[Phase, ...]
    session: Session | None

    @classmethod
    def of(cls, starts: Starts) -> Day:
        spans = [(begin, end) for (begin, phase), (end, _) in pairwise(starts) if phase is Phase.OPEN]
        return cls(
            tuple(begin for begin, _ in starts),
            (Phase.CLOSED, *(phase for _, phase in starts)),
            Session(spans[0][0], spans[-1][1]) if spans else None,
        )

    def phase(self, at: datetime) -> Phase:
        return self.phases[bisect_right(self.starts, at)]

    def next_start(self, at: datetime) -> datetime:
        """When the phase at ``at`` ends; ``at`` must lie before the last start."""
        return self.starts[bisect_right(self.starts, at)]


def merged(venues: Mapping[Venue, Starts]) -> Starts:
    """The house's day: OPEN while any venue trades continuously, else as for STOCK."""
    days = {venue: Day.of(starts) for venue, starts in venues.items()}
    result: list[tuple[datetime, Phase]] = []
    for begin in sorted({begin for day in days.values() for begin in day.starts}):
        now = {venue: day.phase(begin) for venue, day in days.items()}
        phase = Phase.OPEN if Phase.OPEN in now.values() else now[Venue.STOCK]
        if not result or result[-1][1] is not phase:
            result.append((begin, phase))
    return tuple(result)
