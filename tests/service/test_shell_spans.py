"""``90d`` of candles whose newest is long past."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.shells import candles, settings_at, typed


def test_a_span_counts_from_the_newest_candle_where_nothing_newer_is_there_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = candles(tmp_path / "candles")  # to 23 Feb 2024
    typed(settings_at(tmp_path), f"backtest ema_crossover RELIANCE 5m 10d data={data}")
    said = capsys.readouterr().out
    assert "RELIANCE · 5m · 13 Feb 2024 – 23 Feb 2024, 10d back from the newest candle\n" in said


def test_days_that_are_given_stay_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = candles(tmp_path / "candles")
    typed(settings_at(tmp_path), f"backtest ema_crossover RELIANCE 5m 2024-02-01..2024-02-09 data={data}")
    assert "RELIANCE · 5m · 1 Feb 2024 – 9 Feb 2024\n" in capsys.readouterr().out


def test_a_check_and_a_portfolio_count_from_there_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = candles(tmp_path / "candles")
    typed(settings_at(tmp_path), f"check ema_crossover INFY 5m 10d data={data}")
    assert "ema_crossover on INFY 5m, 10d back from the newest candle\n" in capsys.readouterr().out
    typed(settings_at(tmp_path), f"portfolio ema_crossover:RELIANCE supertrend:INFY 5m 10d data={data}")
    said = " ".join(capsys.readouterr().out.split())
    assert "Found on 13 Feb 2024 to 16 Feb 2024, of 10d back from the newest candle" in said
