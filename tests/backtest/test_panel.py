"""Candles of several instruments on one axis of time."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest

from tests.backtest.markets import ABC, DAY, XYZ, candles, flat, world
from trader.backtest.panel import BROKER, ENTRIES, OPEN, SQUARE, STOPS, Panel
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.strategy.bars import Bars, moment


def panel(data: dict[InstrumentKey, Bars]) -> Panel:
    made = world()
    return Panel(data, made.instruments.by_key, made.calendar)


def at(hour: int, minute: int, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST)


def test_a_candle_that_one_instrument_lacks_is_empty_in_its_row() -> None:
    made = panel({ABC: candles([*flat(100, 1), None, *flat(101, 1)]), XYZ: candles(flat(50, 3), XYZ)})
    assert made.keys == [ABC, XYZ]
    assert made.rows[ABC].tolist() == [0, 2]
    assert made.cells[:, 0, 3].tolist() == [10_000, 0, 10_100]  # paise
    assert made.closes[:, 0].tolist() == [100, 100, 101]
    assert made.count == 5


def test_instruments_with_different_days_share_an_axis() -> None:
    later = candles(flat(50, 2), XYZ, first=at(9, 15, DAY + timedelta(days=1)))
    made = panel({ABC: candles(flat(100, 2)), XYZ: later})
    assert made.timetable.dates == [DAY, DAY + timedelta(days=1)]
    assert np.isnan(made.closes[:2, 1]).all()
    assert made.previous.tolist() == [[-1, -1], [1, -1]]  # ABC's last candle before the second day


def test_candles_outside_the_session_are_left_out_and_told() -> None:
    early = candles(flat(100, 5), first=at(9, 5))
    made = panel({ABC: early})
    assert [moment(int(start)) for start in made.start] == [at(9, 15), at(9, 20), at(9, 25)]
    assert made.warnings == ["ABC: 2 candles outside its sessions are left out"]
    with pytest.raises(InvalidInput, match="were none"):
        panel({ABC: candles(flat(100, 5), first=at(9, 15, date(2024, 6, 15)))})  # a Saturday


def test_what_the_hours_allow_stands_beside_each_row() -> None:
    made = panel({ABC: candles(flat(100, 75))})
    allowed = {
        moment(int(start)): flags for start, flags in zip(made.start, made.timetable.flags[:, 0], strict=True)
    }
    assert allowed[at(9, 15)].tolist() == [OPEN | ENTRIES | STOPS] * 3
    assert allowed[at(14, 55)].tolist() == [OPEN | ENTRIES | STOPS, *[OPEN | STOPS] * 2]  # none from 15:00
    assert allowed[at(15, 5)].tolist() == [OPEN | STOPS, *[OPEN | STOPS | SQUARE] * 2]
    assert allowed[at(15, 25)].tolist() == [OPEN | SQUARE | BROKER, *[SQUARE | BROKER] * 2]  # closed
    first_late = int(made.timetable.days[0, 4])
    assert moment(int(made.start[first_late])) == at(15, 5)


def test_a_last_candle_ends_with_the_session() -> None:
    hours = candles(flat(100, 7), interval=Interval.H1)
    assert moment(int(panel({ABC: hours}).timetable.ends[-1])) == at(15, 30)


def test_prices_of_less_than_a_paisa_are_kept_to_four_decimals() -> None:
    made = panel({ABC: candles([(100.0025, 100.0075, 100.0, 100.005)])})
    assert made.multiple == 1
    assert made.cells[0, 0].tolist() == [1_000_025, 1_000_075, 1_000_000, 1_000_050]
    assert made.warnings == []
    assert "four decimals" in panel({ABC: candles(flat(100.00333, 2))}).warnings[0]


def test_another_price_is_another_hash() -> None:
    one, same = panel({ABC: candles(flat(100, 3))}), panel({ABC: candles(flat(100, 3))})
    assert one.hash == same.hash != panel({ABC: candles(flat(100.05, 3))}).hash


def test_candles_of_two_intervals_are_refused() -> None:
    with pytest.raises(InvalidInput, match="one interval"):
        panel({ABC: candles(flat(100, 3)), XYZ: candles(flat(50, 3), XYZ, interval=Interval.M15)})
