"""The single days of ``tables/calendar.toml``: holidays, settlement holidays, special sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from trader.domain.errors import SettingsError
from trader.domain.times import IST
from trader.market.phases import Session


@dataclass(frozen=True, slots=True)
class Special:
    """A trading day out of the ordinary: on a weekend or holiday, or at hours of its own."""

    name: str
    parts: tuple[Session, ...] = ()  # empty: the usual hours
    broker_at: datetime | None = None  # the broker's square-off, where it announced one


@dataclass(frozen=True, slots=True)
class Days:
    """``years`` have a row. ``settlement`` are the days that trade without settling. A holiday that is also
    in ``specials`` trades (Muhurat) but does not settle."""

    years: frozenset[int]
    holidays: Mapping[date, str]
    settlement: Mapping[date, str]
    specials: Mapping[date, Special]

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Days:
        """From ``[[year]]`` and ``[[session]]``; SettingsError lists everything that cannot be meant."""
        faults = [*_holiday_faults(table), *_session_faults(table)]
        if faults:
            raise SettingsError(faults)
        return cls(
            years=frozenset(row["year"] for row in table["year"]),
            holidays={day: name for row in table["year"] for day, name in row["holidays"]},
            settlement={
                day: name for row in table["year"] for day, name in row.get("settlement_holidays", ())
            },
            specials={row["day"]: _special(row) for row in table["session"]},
        )


def _holiday_faults(table: Mapping[str, Any]) -> Iterator[str]:
    for row in table["year"]:
        for day, name in (*row["holidays"], *row.get("settlement_holidays", ())):
            if day.year != row["year"]:
                yield f"calendar.toml: {day} ({name}) stands in the row of {row['year']}"
            if day.weekday() >= 5:
                yield f"calendar.toml: {day} ({name}) is a {day:%A}; only holidays on weekdays belong here"


def _session_faults(table: Mapping[str, Any]) -> Iterator[str]:
    for row in table["session"]:
        times = [clock for part in row.get("hours", ()) for clock in part]
        if times != sorted(set(times)):
            yield f"calendar.toml: the hours of {row['day']} ({row['name']}) must be rising times"
        elif "broker_at" in row and not (times and times[0] <= row["broker_at"] <= times[-1]):
            yield f"calendar.toml: broker_at of {row['day']} ({row['name']}) must lie inside its hours"


def _special(row: Mapping[str, Any]) -> Special:
    def at(clock: time) -> datetime:
        return datetime.combine(row["day"], clock, IST)

    parts = tuple(Session(at(opens), at(closes)) for opens, closes in row.get("hours", ()))
    return Special(row["name"], parts, at(row["broker_at"]) if "broker_at" in row else None)
