"""Candles: those of the prices that were pushed, and before them an invented past (kite.md 8)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from sandbox.kite.agenda import Agenda
from sandbox.kite.errors import bad_input
from sandbox.kite.invention import OPEN, Candle, Invention
from sandbox.kite.listings import Listing
from sandbox.kite.market import Hours, Quote
from sandbox.kite.times import IST

MOST_DAYS = {
    "minute": 60, "3minute": 100, "5minute": 100, "10minute": 100, "15minute": 200, "30minute": 200,
    "60minute": 400, "day": 2000,
}  # fmt: skip
MINUTES = {name: int(name.removesuffix("minute") or 1) for name in MOST_DAYS if name != "day"}


class History:
    """The past before the day the sandbox was started is invented; ``load`` replaces a day of it."""

    def __init__(self, agenda: Agenda, hours: Hours, seed: int = 1) -> None:
        self._agenda, self._hours = agenda, hours
        self._invention = Invention(hours, agenda.now.date(), seed)
        self._recorded: dict[tuple[int, date], dict[datetime, Candle]] = {}
        self._volumes: dict[tuple[int, date], int] = {}

    def record(self, quote: Quote) -> None:
        """Called with every price."""
        if quote.traded_at is None:
            return
        start, last = quote.traded_at.replace(second=0, microsecond=0), quote.last
        key = quote.listing.token, start.date()
        minutes = self._recorded.setdefault(key, {})
        before = self._volumes.get(key, 0)
        self._volumes[key] = quote.volume
        candle = minutes.get(start)
        if candle is None:
            candle = minutes[start] = Candle(start, last, last, last, last, 0)
        candle.high, candle.low, candle.close = max(candle.high, last), min(candle.low, last), last
        candle.volume += quote.volume - before
        candle.oi = quote.oi

    def load(self, listing: Listing, candles: list[Candle]) -> None:
        """Minute candles; whole days are replaced by what is given."""
        for day in {candle.start.date() for candle in candles}:
            self._recorded[listing.token, day] = {}
        for candle in candles:
            self._recorded[listing.token, candle.start.date()][candle.start] = candle

    def candles(self, listing: Listing, interval: str, since: datetime, until: datetime) -> list[Candle]:
        """Both ends included; the running candle too. Raises KiteError beyond the interval's days."""
        if interval not in MOST_DAYS:
            raise bad_input("Invalid `interval`.")
        if until < since:
            raise bad_input("Invalid `from` and `to`: the end lies before the beginning.")
        if until - since > timedelta(days=MOST_DAYS[interval]):
            raise bad_input(f"interval exceeds max limit: {MOST_DAYS[interval]} days")
        found: list[Candle] = []
        for offset in range((until.date() - since.date()).days + 1):
            day = since.date() + timedelta(days=offset)
            if day <= self._agenda.now.date():
                found += self._of_day(listing, interval, day)
        # a day's candle is dated 00:00 and belongs to every range that touches the day
        first = since if interval != "day" else datetime.combine(since.date(), time(), IST)
        return [candle for candle in found if first <= candle.start <= until]

    def _of_day(self, listing: Listing, interval: str, day: date) -> list[Candle]:
        recorded = self._recorded.get((listing.token, day))
        if recorded is not None:
            return _gather(list(recorded.values()), interval, day)
        if not self._invention.covers(listing, day):
            return []
        if interval == "day":
            return [self._invention.day(listing, day)]
        return _gather(self._invention.minutes(listing, day), interval, day)


def _gather(minutes: list[Candle], interval: str, day: date) -> list[Candle]:
    if interval == "minute":
        return minutes
    if interval == "day":
        return [_merge(datetime.combine(day, time(), IST), minutes)] if minutes else []
    width = timedelta(minutes=MINUTES[interval])
    begin = datetime.combine(day, OPEN, IST)
    groups: dict[datetime, list[Candle]] = {}
    for candle in minutes:
        groups.setdefault(begin + (candle.start - begin) // width * width, []).append(candle)
    return [_merge(start, group) for start, group in groups.items()]


def _merge(start: datetime, group: list[Candle]) -> Candle:
    high, low = max(one.high for one in group), min(one.low for one in group)
    volume = sum(one.volume for one in group)
    return Candle(start, group[0].open, high, low, group[-1].close, volume, group[-1].oi)
