"""Results that were kept, on the command line: listed, side by side, drawn anew."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.backtest.made import made_result
from tests.service.shells import settings_at, typed
from trader.backtest.metrics import metrics
from trader.backtest.shelf import Shelf
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.times import IST
from trader.service.settings import Settings

AT = datetime(2026, 11, 20, 9, 41, 7, tzinfo=IST)
OLD, NEW = "20261120-094107-ema_crossover", "20261120-104107-ema_crossover"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two results on the shelf; the newer one was put together from several tests."""
    shelf = Shelf(tmp_path / "backtests")
    old, new = made_result(1), made_result(2, edge=0.002)
    assert shelf.save(old, metrics(old), AT) == OLD
    how = {"line": "walkforward ema_crossover RELIANCE", "candles": None}
    assert shelf.save(new, metrics(new), AT + timedelta(hours=1), how=how) == NEW
    return settings_at(tmp_path)


def test_the_newest_is_listed_first_within_eighty_columns(settings: Settings, capsys) -> None:
    assert typed(settings, "backtests") == 0
    said = capsys.readouterr().out
    assert said.index(NEW) < said.index(OLD)
    assert "RELIANCE, INFY · 5m · 1 Jan 2024 – 23 Feb 2024 · walked forward\n" in said
    assert "RELIANCE, INFY · 5m · 1 Jan 2024 – 23 Feb 2024\n" in said
    assert max(map(len, said.splitlines())) <= 80


def test_an_empty_shelf_says_how_to_fill_it(tmp_path: Path, capsys) -> None:
    assert typed(settings_at(tmp_path), "backtests") == 0
    assert "bot.py backtest makes one" in capsys.readouterr().out
    with pytest.raises(InvalidInput, match=r"bot\.py backtest makes one"):
        typed(settings_at(tmp_path), "montecarlo last")


def test_a_damaged_result_is_named_and_the_others_are_listed(settings: Settings, capsys) -> None:
    (settings.data_dir / "backtests" / OLD / "meta.json").write_text("{")
    assert typed(settings, "backtests") == 0
    said = capsys.readouterr().out
    assert NEW in said
    assert f"{OLD}: meta.json cannot be read" in said


def test_two_results_stand_side_by_side(settings: Settings, capsys) -> None:
    assert typed(settings, f"backtests {OLD} last") == 0
    said = capsys.readouterr().out
    numbers = [Shelf(settings.data_dir / "backtests").entry(id).numbers["trades"] for id in (OLD, NEW)]
    (row,) = [line.split() for line in said.splitlines() if line.startswith("Trades")]
    assert row == ["Trades", *(f"{number:.0f}" for number in numbers)]
    assert max(map(len, said.splitlines())) <= 80


def test_a_result_may_be_named_by_its_folder(settings: Settings, capsys) -> None:
    assert typed(settings, f"backtests {settings.data_dir}/backtests/{OLD}/ {NEW}") == 0
    assert "Sharpe" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("backtests 20260101-000000-nothing", "No backtest is called"),
        ("backtests ../../etc", "No backtest is called"),
        ("backtests again", "Expected one result's name"),
        ("backtests again last data=a data=b", "Expected one result's name"),
        ("backtests runs=3", "Expected results' names"),
        ("backtests a b c d e", "at most 4"),
        ("backtests again last", "python bot.py walkforward ema_crossover RELIANCE"),
        ("montecarlo", "Expected one result's name or number, as bot.py backtests lists them. Usage: bot.py"),
        ("montecarlo last order=bogus", "Expected bootstrap or shuffle"),
        ("montecarlo last runs=0", "Expected runs from 1"),
        ("montecarlo last runs=many", "Expected runs from 1"),
        ("montecarlo last trials=3", "trials= means nothing here"),
        ("montecarlo last fast=3", "means nothing here"),
        ("montecarlo last noise=20 order=shuffle", "not both"),
        ("montecarlo last data=x", "data= is for noise="),
        ("montecarlo last noise=20", "put together from several tests"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(settings: Settings, line: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says.replace("(", r"\(")):
        typed(settings, line)


def test_an_unknown_result_is_answered_with_the_nearest(settings: Settings) -> None:
    with pytest.raises(UnknownName) as fault:
        typed(settings, "montecarlo 20261120-094107-ema_crosover")
    assert fault.value.suggestion == OLD


@pytest.mark.parametrize("order", ["bootstrap", "shuffle"])
def test_trades_are_drawn_anew_with_bands_and_a_picture(settings: Settings, capsys, order: str) -> None:
    line = f"montecarlo {OLD} runs=200 order={order}"
    assert typed(settings, line) == 0
    said = capsys.readouterr().out
    assert "200 runs, trades" in said
    shares = [float(fall.rstrip("%")) for fall, _ in bands(said)]
    assert shares[:5] == sorted(shares[:5])
    assert len(shares) == 6
    drawn = settings.data_dir / "backtests" / OLD / f"fan-{order}.png"
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert max(len(line) for line in said.splitlines() if not line.startswith("Picture")) <= 80
    typed(settings, line)
    assert capsys.readouterr().out == said  # of a seed


def test_in_another_order_the_end_is_the_same(settings: Settings, capsys) -> None:
    typed(settings, f"montecarlo {OLD} runs=50 order=shuffle")
    assert len({net for _, net in bands(capsys.readouterr().out)}) == 1


def test_no_figure_of_the_bands_is_broken_in_two(settings: Settings, capsys) -> None:
    shelf = Shelf(settings.data_dir / "backtests")
    result = shelf.load(OLD)
    result.trades["pnl"] *= 1e5
    number = shelf.save(result, metrics(result), datetime(2026, 11, 20, tzinfo=IST))
    typed(settings, f"montecarlo {number} runs=50")
    said = capsys.readouterr().out
    assert len(bands(said)) == 6
    assert max(len(net) for _, net in bands(said)) >= len("-₹12,34,56,789")


def bands(said: str) -> list[tuple[str, str]]:
    """Drawdown and net of each band, then of the backtest."""
    found = re.findall(r"^(?:\d+th|Backtest) +(\S+%) +([+-]?₹[\d,]+)$", said, re.MULTILINE)
    return [(fall, net) for fall, net in found]
