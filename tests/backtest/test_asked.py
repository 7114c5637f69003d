"""What is typed to have something tested."""

from __future__ import annotations

from datetime import date

import pytest

from trader.backtest.asked import Asked, asked, before
from trader.domain.errors import InvalidInput
from trader.domain.market import Interval

TODAY = date(2026, 11, 21)


def test_a_line_says_everything() -> None:
    line = "ema_crossover reliance,TCS 5m 90d fast=9 slow=21 capital=200000"
    assert asked(line.split(), TODAY, "") == Asked(
        "ema_crossover",
        ("RELIANCE", "TCS"),
        Interval.M5,
        date(2026, 8, 23),
        None,
        {"fast": "9", "slow": "21"},
        {"capital": "200000"},
    )


def test_days_may_be_given_instead_of_a_span() -> None:
    for text in (
        "2023-07-03..2024-06-28",
        "2023-07-03 2024-06-28",
        "2023-07-03:2024-06-28",
        "2023-07-03...2024-06-28",
    ):
        found = asked(f"x RELIANCE {text}".split(), TODAY, "")
        assert (found.first, found.last) == (date(2023, 7, 3), date(2024, 6, 28))
    assert asked(["x", "RELIANCE", "2026-01-01"], TODAY, "").last is None


def test_one_d_is_a_candle_and_ninety_a_span() -> None:
    found = asked(["x", "RELIANCE", "1d", "2y"], TODAY, "")
    assert (found.interval, found.first) == (Interval.D1, date(2024, 11, 21))


@pytest.mark.parametrize(
    ("span", "first"),
    [
        ("1d", date(2026, 11, 20)),
        ("2w", date(2026, 11, 7)),
        ("9mo", date(2026, 2, 21)),
        ("1y", date(2025, 11, 21)),
    ],
)
def test_spans_go_back_from_today(span: str, first: date) -> None:
    assert before(TODAY, span) == first


def test_a_month_without_that_day_ends_sooner() -> None:
    assert before(date(2026, 3, 31), "1mo") == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "Expected a strategy"),
        ("x", "Expected symbols"),
        ("x RELIANCE 5m 1m", "Two intervals"),
        ("x RELIANCE 90d 2026-01-01", "not both"),
        ("x RELIANCE 2026-02-01 2026-01-01", "in this order"),
        ("x RELIANCE 2026-02-30", "was 2026-02-30"),
        ("x RELIANCE 2026-01-01..2026-2-1", "2026-01-01..2026-11-20, was 2026-01-01..2026-2-1"),
        ("x RELIANCE ..2026-02-01", "Expected a day like 2026-11-20"),
        ("x RELIANCE 2026-01-01 .. 2026-02-01", "was ..\\. Usage"),
        ("x RELIANCE 01-01-2026..31-03-2026", "was 01-01-2026..31-03-2026"),
        ("x RELIANCE 20260101", "Expected a day like 2026-11-20"),
        ("x RELIANCE 2026-01", "Expected a day like 2026-11-20"),
        ("x RELIANCE 1/4/2026", "Expected a day like 2026-11-20"),
        ("x RELIANCE 90days", "Expected a span like 90d, 12w, 6mo or 2y, was '90days'"),
        ("x RELIANCE 3months", "Expected a span like 90d"),
        ("x RELIANCE fast=", "fast=value"),
        ("x RELIANCE fast = 9", "name=value without blanks, was '='"),
        ("x RELIANCE fast =9", "name=value without blanks, was '=9'"),
        ("x RELIANCE fast=1 FAST=2", "given twice"),
        ("x RELIANCE 9999y", "before there were candles"),
        ("x RELIANCE 0d", "Expected a span"),
        ("x RELIANCE 90", "'90' is no symbol: a span is written 90d"),
        ("x RELIANCE 5m 3 months", "'3' is no symbol"),
        ("x RELIANCE 5m 1 oct..20 nov", "days 2026-10-01"),
    ],
)
def test_what_cannot_be_meant_is_told_with_the_usage(line: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        asked(line.split(), TODAY, "/backtest …")


@pytest.mark.parametrize(
    "symbol", ["3MINDIA", "5PAISA", "360ONE", "20MICRONS", "M&M", "BAJAJ-AUTO", "NIFTY25O0725000CE"]
)
def test_a_symbol_that_begins_with_a_figure_is_no_span(symbol: str) -> None:
    assert asked(["x", symbol], TODAY, "").symbols == (symbol,)
