"""Candles out of files: the wanted ones, on the wanted interval, on one scale."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from trader.backtest.loading import load
from trader.domain.errors import FeedError
from trader.domain.instrument import instrument_key
from trader.domain.market import Interval
from trader.domain.times import IST

RELIANCE, SBIN = instrument_key("RELIANCE"), instrument_key("SBIN")
DAYS = [date(2024, 10, 24), date(2024, 10, 25), date(2024, 10, 28), date(2024, 10, 29)]
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def write(folder: Path, symbol: str, closes: dict[date, float], minutes: int = 375) -> None:
    rows = ["date,open,high,low,close,volume"]
    for day, close in closes.items():
        opens = datetime(day.year, day.month, day.day, 9, 15, tzinfo=IST)
        for n in range(minutes):
            at = opens + timedelta(minutes=n)
            rows.append(f"{at.isoformat()},{close},{close + n % 5},{close - 1},{close},{100 + n}")
    (folder / f"{symbol}_minute.csv").write_text("\n".join(rows) + "\n")


def test_larger_candles_are_made_of_smaller_ones_on_the_exchanges_grid(tmp_path: Path) -> None:
    write(tmp_path, "RELIANCE", {DAYS[0]: 1300.0}, minutes=374)
    found = load(tmp_path, [RELIANCE], Interval.H1)
    bars = found.data[RELIANCE]
    assert [f"{bars[n].start:%H:%M}" for n in range(len(bars))] == [
        "09:15", "10:15", "11:15", "12:15", "13:15", "14:15", "15:15",
    ]  # fmt: skip
    assert bars[0].volume == sum(100 + n for n in range(60))
    assert (bars[0].high, bars[0].low) == (1304.0, 1299.0)
    assert bars[6].volume == sum(100 + n for n in range(360, 374))


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    write(tmp_path, "RELIANCE", dict.fromkeys(DAYS[:2], 1300.0))
    (tmp_path / "SBIN_minute.csv").write_text("this is no table\n")
    found = load(tmp_path, [RELIANCE], Interval.M1, DAYS[1])
    assert len(found.data[RELIANCE]) == 375
    with pytest.raises(FeedError, match="no candles of TCS"):
        load(tmp_path, [instrument_key("TCS")], Interval.M1)


def test_days_and_candles_that_are_not_there_are_told_with_those_that_are(tmp_path: Path) -> None:
    write(tmp_path, "RELIANCE", dict.fromkeys(DAYS, 1300.0))
    with pytest.raises(FeedError, match="there are those of 2024-10-24 to 2024-10-29"):
        load(tmp_path, [RELIANCE], Interval.M5, date(2019, 1, 1), date(2019, 6, 28))
    with pytest.raises(FeedError, match=r"that make 5s ones in .*, only 1m\."):
        load(tmp_path, [RELIANCE], Interval.S5)


def test_repairs_are_told_in_words(tmp_path: Path) -> None:
    write(tmp_path, "RELIANCE", dict.fromkeys(DAYS, 1300.0))
    file = tmp_path / "RELIANCE_minute.csv"
    lines = file.read_text().splitlines()
    time, *_ = lines[5].split(",")
    lines[5], lines[6] = f"{time},1300,1299,1298,1300,5", lines[6].replace(",1300.0,", ",0,", 1)
    file.write_text("\n".join(lines))
    assert load(tmp_path, [RELIANCE], Interval.M5).warnings == [
        "Of the candles: 1 left out without a possible price, 1 widened to hold its own open and close."
    ]


def test_a_symbol_without_many_of_the_others_days_is_named(tmp_path: Path) -> None:
    write(tmp_path, "RELIANCE", dict.fromkeys(DAYS, 1300.0))
    write(tmp_path, "SBIN", dict.fromkeys(DAYS[:2], 800.0))
    found = load(tmp_path, [RELIANCE, SBIN], Interval.M5)
    assert found.warnings == ["SBIN has candles on 2 of 4 days only."]
    assert load(tmp_path, [SBIN], Interval.M5).warnings == []


def test_of_several_intervals_the_one_with_the_days_asked_for_is_taken(tmp_path: Path) -> None:
    write(tmp_path, "RELIANCE", dict.fromkeys(DAYS, 1300.0))
    old = ["date,open,high,low,close,volume"]
    old += [f"2020-03-02T{hour}:15:00+05:30,900,901,899,900,10" for hour in ("09", "10", "11")]
    (tmp_path / "RELIANCE_60minute.csv").write_text("\n".join(old) + "\n")
    new = load(tmp_path, [RELIANCE], Interval.H1, DAYS[0], DAYS[-1]).data[RELIANCE]
    assert (len(new), new.close[0]) == (4 * 7, 1300.0)
    assert (
        len(load(tmp_path, [RELIANCE], Interval.H1, date(2020, 1, 1), date(2020, 12, 31)).data[RELIANCE]) == 3
    )


def test_prices_as_traded_are_brought_to_one_scale_over_a_bonus(tmp_path: Path) -> None:
    write(tmp_path, "RELIANCE", {DAYS[0]: 2700.0, DAYS[1]: 2656.0, DAYS[2]: 1340.0, DAYS[3]: 1338.0})
    found = load(tmp_path, [RELIANCE], Interval.M1)
    close = found.data[RELIANCE].close
    assert (close[0], close[375], close[750]) == (1350.0, 1328.0, 1340.0)
    assert found.data[RELIANCE].volume[0] == 200
    assert found.warnings == ["RELIANCE: prices before 28 Oct 2024 divided by 2 (bonus 1:1)."]


def test_adjusted_prices_stay_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, "RELIANCE", {DAYS[1]: 1328.0, DAYS[2]: 1340.0})
    found = load(tmp_path, [RELIANCE], Interval.M1)
    assert found.data[RELIANCE].close[0] == 1328.0
    assert not found.warnings


def test_a_jump_that_nobody_knows_of_is_told(tmp_path: Path) -> None:
    write(tmp_path, "SBIN", {DAYS[0]: 800.0, DAYS[1]: 400.0})
    (said,) = load(tmp_path, [SBIN], Interval.M1).warnings
    assert said.startswith(
        "SBIN went from 800.00 to 400.00 over the night before 25 Oct 2024: a split or bonus"
    )


@pytest.mark.parametrize("symbol", ["RELIANCE", "WIPRO", "BAJFINANCE", "TATASTEEL", "HDFCBANK"])
def test_a_real_share_s_unadjusted_days_have_no_jump_left(symbol: str) -> None:
    folder = SHARED / "day_unadjusted" / "stocks"
    if not folder.exists():
        pytest.skip("the shared market data is not at hand")
    key = instrument_key(symbol)
    found = load(folder, [key], Interval.D1)
    bars = found.data[key]
    ratios = bars.open[1:] / bars.close[:-1]
    assert float(np.abs(np.log(ratios)).max()) < np.log(1.35)
    assert any("divided by" in said for said in found.warnings)
