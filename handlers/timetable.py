"""When an instrument trades, in words: phases, deadlines, and what stands still just now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import pairwise

from handlers.render.table import pairs, table
from trader.desk.view import DeskView
from trader.domain.errors import UnknownName
from trader.domain.instrument import Instrument, Segment
from trader.domain.order import Product
from trader.domain.times import ist
from trader.market.calendar import Calendar
from trader.market.phases import Phase, Venue, venue_of
from trader.service.port import DeskPort

AUCTION = (Phase.AUCTION_REFERENCE, Phase.AUCTION, Phase.AUCTION_LIMIT, Phase.AUCTION_MATCHING)
COLUMNS = ((Venue.AUCTION_STOCK, "Auction"), (Venue.STOCK, "Stocks"), (Venue.DERIVATIVE, "F&O"))
_WORDS = {
    Phase.PREOPEN: "orders collected",
    Phase.PREOPEN_LIMIT: "limit orders only",
    Phase.MATCHING: "matching, no orders",
    Phase.OPEN: "open",
    Phase.AUCTION_REFERENCE: "closing auction: no orders",
    Phase.AUCTION: "auction: market, limit",
    Phase.AUCTION_LIMIT: "auction: limit only",
    Phase.AUCTION_MATCHING: "auction matching",
    Phase.POST_CLOSE: "post-close",
    Phase.CLOSED: "closed",
}
_NOT_LIVE = "closing auction: not live"


def kind_text(calendar: Calendar, instrument: Instrument, day: date) -> str:
    """``closing-auction stock``, ``option``, ``index``. A stock is just that on a day without a
    closing auction, as all were before 3 Aug 2026."""
    if instrument.segment is Segment.INDEX:
        return "index"
    if instrument.segment is Segment.FUTURES:
        return "future"
    venue = venue_of(instrument)
    if venue is Venue.AUCTION_STOCK and calendar.deadlines(day, venue).stops_end is None:
        venue = Venue.STOCK
    return str(venue)


def phase_of(calendar: Calendar, instrument: Instrument, at: datetime) -> Phase:
    return calendar.phase(at, venue_of(instrument))


def not_live(calendar: Calendar, instrument: Instrument, at: datetime) -> str:
    """Why the last price is none of now; empty when it is, or when the market is plainly closed.

    From 15:15 to the match an auction stock has no continuous price, and indices are not computed from trades
    (india.md 6).
    """
    if instrument.segment is Segment.INDEX:
        auction = calendar.phase(at, Venue.AUCTION_STOCK) in AUCTION
        return "its stocks are in the auction: not live" if auction else ""
    return _NOT_LIVE if phase_of(calendar, instrument, at) in AUCTION else ""


def day_table(calendar: Calendar, day: date) -> str:
    """The day's edges of all kinds of instruments, side by side; they trade on that day."""
    rows = [
        (label, *("–" if at is None else f"{at:%H:%M}" for at in found))
        for label, found in _edges(calendar, day)
    ]
    return table(rows, ("", *(name for _, name in COLUMNS)), "<>>>")


def _edges(calendar: Calendar, day: date) -> Iterable[tuple[str, Sequence[datetime | None]]]:
    venues = [venue for venue, _ in COLUMNS]
    limits = [calendar.deadlines(day, venue) for venue in venues]
    spans = [_span(calendar, day, venue) for venue in venues]
    yield "Opens", [begin for begin, _ in spans]
    yield "No new MIS", [d.entries_until for d in limits]
    yield "Square-off", [d.squareoff_at for d in limits]
    yield "Zerodha's", [d.broker_at for d in limits]
    if any(d.stops_end for d in limits):
        yield "Stops end", [d.stops_end for d in limits]
    yield "Closes", [end for _, end in spans]
    ends_ = [_auction_end(calendar, day, venue) for venue in venues]
    if any(ends_):
        yield "Auction to", ends_


def _span(calendar: Calendar, day: date, venue: Venue) -> tuple[datetime | None, datetime | None]:
    session = calendar.session(day, venue)
    return (session.opens_at, session.closes_at) if session else (None, None)


def _auction_end(calendar: Calendar, day: date, venue: Venue) -> datetime | None:
    found = [end for (_, phase), (end, _) in pairwise(calendar.phases(day, venue)) if phase in AUCTION]
    return found[-1] if found else None


def timetable(calendar: Calendar, instrument: Instrument, day: date, now: datetime) -> str:
    """One instrument's day, phase by phase, the present one marked."""
    starts = calendar.phases(day, venue_of(instrument))
    current = max((n for n, (begin, _) in enumerate(starts) if begin <= now), default=-1)
    here = current if starts and ist(now).date() == day else -1
    lines = [
        f"{'▸' if n == here else ' '}{begin:%H:%M} {_WORDS[phase]}" for n, (begin, phase) in enumerate(starts)
    ]
    return "\n".join(lines)


def deadline_lines(calendar: Calendar, instrument: Instrument, day: date) -> str:
    """Last times of intraday positions, and when a trade is settled; nothing for what is not traded."""
    if instrument.segment is Segment.INDEX:
        return ""
    limits = calendar.deadlines(day, venue_of(instrument))
    rows = [
        ("MIS entries", f"until {limits.entries_until:%H:%M}"),
        ("Square-off", f"{limits.squareoff_at:%H:%M}, Zerodha's {limits.broker_at:%H:%M}"),
    ]
    if limits.stops_end:
        rows.append(("Stops", f"cancelled at {limits.stops_end:%H:%M}"))
    if instrument.segment is Segment.EQUITY:
        settles = calendar.settles_on(day)
        rows.append(("Settles", f"{settles:%a} {settles.day} {settles:%b}"))
    if instrument.expiry:
        rows.append(("Expires", f"{instrument.expiry:%a} {instrument.expiry.day} {instrument.expiry:%b %Y}"))
    return pairs(rows)


def squareoff_line(desk: DeskPort, view: DeskView) -> str:
    """``Square-off 15:07 / 15:20``: when the open intraday positions are closed; empty without any."""
    at = ist(view.at)
    calendar = desk.calendar()
    found = {
        calendar.deadlines(at.date(), venue_of(instrument)).squareoff_at
        for instrument in _intraday(desk, view)
    }
    if not found:
        return ""
    return "Square-off " + " / ".join(f"{t:%H:%M}{' (due)' if t <= at else ''}" for t in sorted(found))


def _intraday(desk: DeskPort, view: DeskView) -> Iterable[Instrument]:
    for position in view.positions:
        if position.product is Product.MIS:
            try:
                yield desk.find(position.key)
            except UnknownName:  # somebody else's, of an instrument that is not in the table
                continue
