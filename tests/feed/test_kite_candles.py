"""Candles as they come, and the files they are kept in."""

from __future__ import annotations

import json
from datetime import timedelta
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kite_feed_house import MINUTE, SBIN, at, day

from trader.domain.errors import FeedError
from trader.domain.market import Interval
from trader.feed.cleaning import micros
from trader.feed.zerodha.candles import CandleCache, Known
from trader.feed.zerodha.columns import Candles

MONDAY, TUESDAY = day("2026-11-16"), day("2026-11-17")
NEW_YEARS_EVE, NEW_YEAR = day("2025-12-31"), day("2026-01-01")
M5 = Interval.M5


def row(text: str, close: float = 100.0, **other: Any) -> dict[str, Any]:
    cells = {"open": 100.0, "high": max(100.0, close), "low": min(100.0, close), "close": close, "volume": 5}
    return {"date": at(text), **cells, **other}


def candles(*rows: dict[str, Any]) -> Candles:
    return Candles.of(rows)


def closes(found: Candles) -> list[float]:
    kept: list[float] = found.close.tolist()
    return kept


@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
@pytest.mark.parametrize("price", [0.0, -1.0, nan, inf, None])
def test_a_candle_without_a_price_is_left_out(name: str, price: float | None) -> None:
    found = candles(row("2026-11-16 09:15"), row("2026-11-16 09:20") | {name: price})
    assert closes(found) == [100.0]


def test_candles_are_put_in_order_and_the_later_answer_counts() -> None:
    found = candles(row("2026-11-16 09:20", 2.0), row("2026-11-16 09:15", 1.0), row("2026-11-16 09:20", 3.0))
    assert closes(found) == [1.0, 3.0]
    assert (np.diff(found.at) > 0).all()


def test_the_range_takes_in_open_and_close() -> None:
    found = candles(row("2026-11-16 09:15", 110.0, high=105.0, low=102.0))
    assert (found.high.tolist(), found.low.tolist()) == ([110.0], [100.0])


@pytest.mark.parametrize(
    "bad",
    [{"date": at("2026-11-16 09:15")}, row("2026-11-16 09:15", date="2026-11-16"),
     row("2026-11-16 09:15", open="x"),
     row("2026-11-16 09:15") | {"date": at("2026-11-16 09:15").replace(tzinfo=None)}, "text"],
)  # fmt: skip
def test_what_is_no_candle_is_refused(bad: Any) -> None:
    with pytest.raises(FeedError, match="Expected candles"):
        Candles.of([bad])


def test_a_complete_day_stays_as_it_is_and_a_day_under_way_is_replaced(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    first = candles(row("2026-11-16 09:15", 1.0), row("2026-11-17 09:15", 2.0), row("2026-11-17 09:20", 3.0))
    cache.keep(SBIN, M5, first, {MONDAY}, {})
    again = candles(row("2026-11-16 09:15", 9.0), row("2026-11-16 09:20", 9.0), row("2026-11-17 09:20", 4.0))
    cache.keep(SBIN, M5, again, {MONDAY}, {})
    assert closes(cache.read(SBIN, M5, MONDAY, MONDAY)) == [1.0]
    assert closes(cache.read(SBIN, M5, TUESDAY, TUESDAY)) == [4.0], "09:15 was taken back"
    assert cache.known(SBIN, M5) == Known(frozenset({MONDAY}))


def test_an_empty_day_is_forgotten_when_it_turns_out_complete(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    cache.keep(SBIN, M5, Candles.none(), set(), {MONDAY: TUESDAY})
    assert cache.known(SBIN, M5) == Known(frozenset(), {MONDAY: TUESDAY})
    cache.keep(SBIN, M5, candles(row("2026-11-16 09:15")), {MONDAY}, {})
    assert cache.known(SBIN, M5) == Known(frozenset({MONDAY}))


def test_years_have_files_of_their_own_and_are_read_as_one(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    both = candles(row("2025-12-31 15:25", 1.0), row("2026-01-01 09:15", 2.0))
    cache.keep(SBIN, M5, both, {NEW_YEARS_EVE, NEW_YEAR}, {})
    cache.keep(SBIN, Interval.M1, both, set(), {})
    assert sorted(path.name for path in (tmp_path / "5m").iterdir()) == [
        "SBIN_5m_2025.parquet", "SBIN_5m_2026.parquet",
    ]  # fmt: skip
    assert closes(cache.read(SBIN, M5, NEW_YEARS_EVE, NEW_YEAR)) == [1.0, 2.0]
    cache.forget(SBIN, M5)
    assert cache.known(SBIN, M5) == Known()
    assert closes(cache.read(SBIN, Interval.M1, NEW_YEARS_EVE, NEW_YEAR)) == [1.0, 2.0]


moments = st.integers(0, 2000).map(lambda n: at("2026-11-16 09:15") + n * MINUTE)
prices = st.floats(0.05, 1e5, allow_nan=False)


@given(st.dictionaries(moments, prices, max_size=30), st.dictionaries(moments, prices, max_size=30))
def test_joining_keeps_every_candle_and_prefers_the_newer(
    old: dict[Any, float], new: dict[Any, float]
) -> None:
    def of(table: dict[Any, float]) -> Candles:
        return Candles.of([row("2026-11-16 09:15", close, date=start) for start, close in table.items()])

    joined = of(old).joined(of(new))
    expected = sorted((old | new).items())
    assert list(zip(joined.at.tolist(), closes(joined), strict=True)) == [(micros(a), c) for a, c in expected]


def test_what_is_read_is_what_was_kept(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    rows = [
        row(
            "2026-11-16 09:15",
            100 + n / 7,
            date=at("2026-11-16 09:15") + n * timedelta(minutes=5),
            oi=n,
            volume=n * 3,
        )
        for n in range(75)
    ]
    cache.keep(SBIN, M5, Candles.of(rows), {MONDAY}, {})
    for kept, sent in zip(
        cache.read(SBIN, M5, MONDAY, MONDAY).columns, Candles.of(rows).columns, strict=True
    ):
        assert kept.tolist() == sent.tolist()


def test_a_file_with_one_bit_turned_over_counts_for_nothing(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    rows = [
        row("2026-11-16 09:15", 100 + n % 13, date=at("2026-11-16 09:15") + n * MINUTE) for n in range(300)
    ]
    cache.keep(SBIN, M5, Candles.of(rows), {MONDAY}, {})
    (path,) = (tmp_path / "5m").iterdir()
    content = path.read_bytes()
    for place in range(100, len(content) // 2, 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        known, found = cache.known(SBIN, M5), cache.read(SBIN, M5, MONDAY, MONDAY)
        assert known == Known() or closes(found) == closes(Candles.of(rows)), place
        if known == Known():
            assert not len(found)
        path.write_bytes(content)
    assert cache.known(SBIN, M5).complete == {MONDAY}


def test_a_file_of_a_newer_munim_is_not_written_over(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    cache.keep(SBIN, M5, candles(row("2026-11-16 09:15")), {MONDAY}, {})
    (path,) = (tmp_path / "5m").iterdir()
    table = pq.read_table(path)
    marks = json.loads(table.schema.metadata[b"munim"]) | {"version": 2}
    pq.write_table(table.replace_schema_metadata({"munim": json.dumps(marks)}), path)
    before = path.read_bytes()
    with pytest.raises(FeedError, match="newer Munim"):
        cache.keep(SBIN, M5, Candles.none(), {TUESDAY}, {})
    assert path.read_bytes() == before
