"""Recorded rows made fit to trade on: sorted, unique, positive, inside a session. Every repair is counted.

=================  ===================================================================================
unreadable_time    dropped: no time, or one before 1990 (recorders write 1970 when they have none)
bad_price          dropped: missing, infinite, zero, negative or absurd
implausible        dropped: another security's price by its size
duplicate          dropped: the same candle again (the first stays), the same tick again
unsorted           sorted by time; counted once for each step back
ohlc               widened: high and low take in open and close
bad_volume         taken as 0: missing, negative or absurd
off_session        dropped: outside the continuous trading of the instrument's venue
=================  ===================================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trader.domain.instrument import Instrument, Segment
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.feed.files import Floats, Ints, Rows
from trader.market.calendar import Calendar, Session, venue_of
from trader.market.contracts import freeze_quantity, lot_size_on
from trader.market.symbols import instrument_of

_DAY = 86_400_000_000  # microseconds
_IST_OFFSET = 19_800_000_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, 5, 30, tzinfo=IST)
_EARLIEST = 631_152_000_000_000  # 1990
_HIGHEST = 1e8  # rupees; MRF, the dearest share, is near 1.5e5
_LARGEST = 1e15
_MICROSECOND = timedelta(microseconds=1)
# A day's prices against its first ones. Yes Bank fell to a sixth on 6 Mar 2020; indices halt at 20 %.
_PLAUSIBLE = {Segment.EQUITY: 8.0, Segment.INDEX: 2.0}
_SESSION_MINUTES = 30  # that ticks must fill to prove a session; Saturday tests of the exchange don't
_GAP = 100  # days without a row, at most, that count as holidays; more is a gap in the recording
_LATE_MINUTES = 15  # of candles past the close before they prove a longer session


@dataclass(frozen=True, slots=True)
class Series:
    """One instrument's clean rows by time. ``prices`` is open, high, low, close or last, bid, ask."""

    instrument: Instrument
    at: Ints  # microseconds since 1970 UTC
    prices: tuple[Floats, ...]
    volume: Ints
    days: dict[date, slice]  # where each exchange day stands

    def only(self, keep: NDArray[np.bool_]) -> Series:
        if keep.all():
            return self
        at = self.at[keep]
        return Series(
            self.instrument, at, tuple(p[keep] for p in self.prices), self.volume[keep], days_of(at)
        )


def moment(microseconds: int) -> datetime:
    """A row's time in IST."""
    return _EPOCH + microseconds * _MICROSECOND


def micros(at: datetime) -> int:
    """The inverse of ``moment``."""
    return (at - _EPOCH) // _MICROSECOND


def clean(rows: Rows, interval: Interval | None, flaws: Counter[str]) -> Series | None:
    """``rows`` of one symbol repaired, off-session ones still in; None when nothing usable is left."""
    instrument = instrument_of(rows.symbol)
    prices: list[Floats] = [_paise(p) for p in rows.prices]
    keep = rows.at >= _EARLIEST
    flaws["unreadable_time"] += int((~keep).sum())
    good = keep & np.logical_and.reduce([p > 0 for p in (prices if interval else prices[:1])])
    flaws["bad_price"] += int(keep.sum() - good.sum())
    at, prices, volume = rows.at[good], [p[good] for p in prices], rows.volume[good]

    flaws["unsorted"] += int((np.diff(at) < 0).sum())
    order = np.argsort(at, kind="stable")
    at, prices, volume = at[order], [p[order] for p in prices], volume[order]
    first = _first_of_each(at, prices, volume, interval)
    flaws["duplicate"] += int(len(at) - first.sum())
    at, prices, volume = at[first], [p[first] for p in prices], volume[first]

    factor = None if interval is Interval.D1 else _PLAUSIBLE.get(instrument.segment)
    fits = _plausible(at, prices if interval else prices[:1], factor)
    flaws["implausible"] += int(len(at) - fits.sum())
    at, prices, volume = at[fits], [p[fits] for p in prices], volume[fits]
    if not len(at):
        return None
    if interval:
        flaws["ohlc"] += _widen(prices)
    bad = ~((volume >= 0) & (volume < _LARGEST))
    flaws["bad_volume"] += int(bad.sum())
    shares = np.where(bad, 0, volume).astype(np.int64)
    days = days_of(at)
    instrument = replace(
        _of_its_time(instrument, min(days)),
        tick_size=_tick(instrument.tick_size, prices if interval else prices[:1]),
    )
    return Series(instrument, at, tuple(prices), shares, days)


def recorded_calendar(series: Sequence[Series], interval: Interval | None, calendar: Calendar) -> Calendar:
    """``calendar`` corrected by the recording: Saturdays, Muhurat evenings and long days that the rows prove
    are sessions, and weekdays inside the recording on which nothing was recorded are not. Only rows outside
    every venue's hours prove others: a stock's candle during its closing auction proves nothing."""
    sessions: list[Session | date] = []
    days = sorted({day for one in series for day in one.days})
    for day in days:
        if interval is Interval.D1:
            if not calendar.is_trading_day(day):
                sessions.append(day)
            continue
        proven = _proven(series, day, interval, calendar.session(day))
        if proven is not None:
            sessions.append(proven)
    proven_calendar = calendar.with_sessions(sessions)
    silent = [
        date.fromordinal(number)
        for before, after in pairwise(day for day in days if proven_calendar.is_trading_day(day))
        if (after - before).days <= _GAP
        for number in range(before.toordinal() + 1, after.toordinal())
    ]
    return calendar.with_sessions(sessions, closed=silent)


def in_session(
    series: Iterable[Series], interval: Interval | None, calendar: Calendar, flaws: Counter[str]
) -> list[Series]:
    """The series without the rows outside their venue's sessions; day candles moved to their session's
    opening."""
    kept = []
    for one in series:
        venue = venue_of(one.instrument)
        keep = np.zeros(len(one.at), dtype=np.bool_)
        at = one.at.copy()
        for day, where in one.days.items():
            session = calendar.session(day, venue)
            if session is None:
                continue
            opens, closes = micros(session.opens_at), micros(session.closes_at)
            if interval is Interval.D1:
                keep[where.start], at[where.start] = True, opens  # one candle a day
            else:
                keep[where] = (at[where] >= opens) & (at[where] < closes)
        flaws["off_session"] += int(len(keep) - keep.sum())
        if keep.any():
            kept.append(replace(one, at=at).only(keep))
    return kept


def _proven(
    series: Sequence[Series], day: date, interval: Interval | None, usual: Session | None
) -> Session | None:
    """The session that the rows of ``day`` show, when it is another one than ``usual``."""
    parts = [one.at[one.days[day]] for one in series if day in one.days]
    first, last = min(int(p[0]) for p in parts), max(int(p[-1]) for p in parts)
    if usual is not None and first < micros(usual.closes_at) and last >= micros(usual.opens_at):
        if interval is None:
            return None  # ticks run on after the close without a trade
        late = max(int((p >= micros(usual.closes_at)).sum()) for p in parts) * interval.seconds
        if late < _LATE_MINUTES * 60:
            return None
        return Session(usual.opens_at, moment(last) + interval.length)
    if interval is not None:
        return Session(moment(first), moment(last) + interval.length)
    traded = [one for one in series if day in one.days and one.volume[one.days[day]].any()]
    minutes = [np.unique(one.at[one.days[day]] // 60_000_000) for one in traded or series if day in one.days]
    if max(len(m) for m in minutes) < _SESSION_MINUTES:
        return None
    begin = moment(first).replace(second=0, microsecond=0)
    return Session(begin, moment(last).replace(second=0, microsecond=0) + timedelta(minutes=1))


def _first_of_each(
    at: Ints, prices: list[Floats], volume: Floats, interval: Interval | None
) -> NDArray[np.bool_]:
    """Which rows of sorted ones repeat none before them."""
    same = np.zeros(len(at), dtype=np.bool_)
    if interval is Interval.D1:
        same[1:] = np.diff((at + _IST_OFFSET) // _DAY) == 0
    else:
        same[1:] = np.diff(at) == 0
    if interval is None:
        same[1:] &= (np.diff(prices[0]) == 0) & (volume[1:] == volume[:-1])
    return ~same


def _plausible(at: Ints, prices: list[Floats], factor: float | None) -> NDArray[np.bool_]:
    fits = np.ones(len(at), dtype=np.bool_)
    if factor is None:  # an option may do anything, and a day's one candle has nothing beside it
        return fits
    for where in days_of(at).values():
        reference = float(np.median(prices[-1][where][:5]))
        for price in prices:
            fits[where] &= (price[where] < reference * factor) & (price[where] > reference / factor)
    return fits


def _paise(prices: Floats) -> Floats:
    """Rounded to the paisa, 0 for what is no price. Recorders write 101.10000000000001; the exchange prints
    paise (the VIX has four digits, but is not traded)."""
    sound: Floats = np.where((prices > 0) & (prices < _HIGHEST), prices, 0.0)
    return np.rint(sound * 100) / 100


def _widen(prices: list[Floats]) -> int:
    opening, high, low, close = prices
    prices[1] = np.maximum.reduce([opening, high, low, close])
    prices[2] = np.minimum.reduce([opening, high, low, close])
    return int(((prices[1] != high) | (prices[2] != low)).sum())


def days_of(at: Ints) -> dict[date, slice]:
    """Where each exchange day stands in sorted times (microseconds since 1970 UTC)."""
    if not len(at):
        return {}
    numbers = (at + _IST_OFFSET) // _DAY
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1)).tolist()
    ends = [*starts[1:], len(at)]
    return {
        date.fromordinal(_EPOCH_DAY + int(numbers[i])): slice(i, j) for i, j in zip(starts, ends, strict=True)
    }


def _of_its_time(instrument: Instrument, first: date) -> Instrument:
    """A contract with the lot and the freeze quantity of the recording's first day, where they are known."""
    if not instrument.underlying:
        return instrument
    return replace(
        instrument,
        lot_size=lot_size_on(instrument.underlying, first) or instrument.lot_size,
        freeze_quantity=freeze_quantity(instrument.underlying, first),
    )


def _tick(known: Decimal, prices: Sequence[Floats]) -> Decimal:
    """The known tick, or the finer one that the recorded prices show: old and adjusted ones may be off it."""
    for tick in (known, Decimal("0.05")):
        paise = int(tick * 100)
        if all((np.rint(p * 100).astype(np.int64) % paise == 0).all() for p in prices):
            return tick
    return Decimal("0.01")
