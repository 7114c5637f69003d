"""A line typed once, as it is to be typed again."""

from __future__ import annotations

from datetime import date

import pytest

from trader.backtest.asked import OWN, RULES, again, asked, only, without_password
from trader.domain.errors import InvalidInput

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("x RELIANCE 5m 90d fast=9", "x RELIANCE 5m 2026-08-23 fast=9"),
        ("x RELIANCE fast=9", "x RELIANCE 2025-11-21 fast=9"),
        ("x 1d 2y RELIANCE,TCS", "x 1d RELIANCE,TCS 2024-11-21"),
        ("x RELIANCE 2026-01-01 2026-06-30 5m", "x RELIANCE 5m 2026-01-01..2026-06-30"),
        (
            "x RELIANCE 2026-01-01..2026-06-30 name=2026-01-01",
            "x RELIANCE 2026-01-01..2026-06-30 name=2026-01-01",
        ),
        (
            "x RELIANCE 2026-01-01 storage=postgresql://munim:hunter2@server/searches",
            "x RELIANCE 2026-01-01 storage=postgresql://munim@server/searches",
        ),
    ],
)
def test_a_line_means_the_same_on_another_day(line: str, means: str) -> None:
    said = again(line.split(), asked(line.split(), TODAY, ""))
    assert " ".join(said) == means
    first, later = asked(line.split(), TODAY, ""), asked(said, date(2027, 3, 1), "")
    assert (later.first, later.last, later.symbols, later.settings) == (
        first.first,
        first.last,
        first.symbols,
        first.settings,
    )


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://munim:hunter2@server/searches", "postgresql://munim@server/searches"),
        ("postgresql://munim:hunt@er2@server/searches", "postgresql://munim@server/searches"),
        ("postgresql://server/searches?user=munim&password=hunter2", "postgresql://server/searches"),
        ("postgresql://munim@server/searches", "postgresql://munim@server/searches"),
        ("sqlite:////tmp/searches.db", "sqlite:////tmp/searches.db"),
        ("searches.db", "searches.db"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert without_password(address) == shown


def test_a_setting_of_another_command_is_explained() -> None:
    only({"capital": "5000", "data": "x"}, RULES, "bot.py backtest")
    with pytest.raises(
        InvalidInput, match=r"trials= means nothing here: it is how many.* Usage: bot.py backtest"
    ):
        only({"capital": "5000", "trials": "5"}, RULES, "bot.py backtest")
    assert set(RULES) < set(OWN)


def test_symbols_may_be_left_out_where_a_command_allows_it() -> None:
    assert asked(["x", "fast=9"], TODAY, "", bare=True).symbols == ()
    with pytest.raises(InvalidInput, match="Expected symbols"):
        asked(["x", "fast=9"], TODAY, "")
    with pytest.raises(InvalidInput, match="Expected a strategy"):
        asked(["fast=9"], TODAY, "", bare=True)
