"""What docs/strategies.md tells strategy authors is true."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path

import pytest

import trader.strategy
from trader.domain.instrument import InstrumentKey
from trader.domain.times import IST
from trader.strategy import Holding, Tick
from trader.strategy.catalogue import Catalogue
from trader.strategy.info import option_infos
from trader.strategy.options import parse_settings

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
EXAMPLE, TICK_EXAMPLE = re.findall(r"```python\n(from .*?)```", DOC, re.DOTALL)


@pytest.fixture
def examples(tmp_path):
    (tmp_path / "mine.py").write_text(EXAMPLE, encoding="utf-8")
    (tmp_path / "on_ticks.py").write_text(TICK_EXAMPLE, encoding="utf-8")
    catalogue = Catalogue.discover(tmp_path)
    assert catalogue.faults == {}
    yield catalogue
    del sys.modules["strategies.mine"], sys.modules["strategies.on_ticks"]


def test_the_first_example_runs_as_it_stands(examples, make_bars):
    bars, example = make_bars(2_000), examples.get("sma_crossover")
    configured = parse_settings(example, {"length": "20", "stop": "0.5"})
    signals = configured.strategy.evaluate(bars)
    entries, exits = signals.enter_long, signals.exit_long
    assert entries.sum() > 10
    assert exits.sum() > 10
    assert not (entries & exits).any()
    assert example.describe() == "Long while the price is above its simple moving average."


def test_the_tick_example_buys_a_dip_once_a_holding_is_flat(examples):
    buyer = examples.get("dip_buyer")(fall=2)
    prices = [100.0, 101.0, 99.5, 98.9, 98.0]
    ticks = [
        Tick(InstrumentKey("NSE:X"), datetime(2026, 11, 20, 10, n, tzinfo=IST), p)
        for n, p in enumerate(prices)
    ]
    assert [buyer.evaluate_tick(tick).enter_long for tick in ticks] == [False, False, False, True, True]
    assert not buyer.evaluate_tick(ticks[-1], Holding(10, 98.9)).any


def test_the_first_example_is_ten_lines():
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 10


def test_the_table_of_options_is_the_one_in_force():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", DOC, re.MULTILINE)
    assert rows == [(info.name, info.default, info.span, info.help) for info in option_infos()]


def test_every_indicator_is_named():
    listed = DOC.partition("## Indicators")[2].partition("\n## ")[0]
    exported = {name for name in trader.strategy.__all__ if name.islower()}
    assert {name for name in exported if not re.search(rf"\b{name}\b", listed)} == set()


def test_every_bundled_strategy_is_listed_with_what_it_does_and_its_defaults():
    catalogue = Catalogue.discover(ROOT / "strategies")
    cells = r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$"
    listed = {name: rest for name, *rest in re.findall(cells, DOC, re.MULTILINE)}
    expected = {}
    for name in catalogue.names():
        kind = catalogue.get(name)
        params = " ".join(f"{key}={param.text(param.default)}" for key, param in kind.params().items())
        options = " ".join(f"{key}={value}" for key, value in kind.options.items())
        expected[name] = [kind.describe(), params, options or "as above"]
    assert listed == expected


def test_the_place_for_the_results_is_marked():
    assert DOC.count("## What they earned") == DOC.count("<!-- earned: begin -->") == 1
    assert DOC.partition("## What they earned")[2].count("<!-- earned: end -->") == 1
