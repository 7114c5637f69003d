"""Every bundled strategy that decides on candles trades in the loop as on the desk: real months, where they
are at hand, with and without a trailing stop."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import pytest

from trader.backtest.loading import load
from trader.backtest.parity import parity
from trader.backtest.spec import Leg, Spec
from trader.backtest.world import World
from trader.desk.limits import RiskLimits
from trader.domain.instrument import instrument_key
from trader.domain.market import Interval
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.strategy.catalogue import Catalogue
from trader.strategy.options import parse_settings

ROOT = Path(__file__).resolve().parents[2]
CANDLES = ROOT.parent / "shared" / "data" / "5minute" / "stocks"
KEYS = tuple(instrument_key(symbol) for symbol in ("RELIANCE", "INFY"))
ON_CANDLES = (
    "bollinger_reversion", "breakout", "ema_crossover", "macd_crossover", "opening_range_breakout",
    "pair_reversion", "rsi_mean_reversion", "supertrend", "vwap_reversion",
)  # fmt: skip
TRAILED = {"stop": "0.6", "target": "0", "trail": "0.5"}


@cache
def market() -> tuple[dict, World]:
    if not CANDLES.exists():
        pytest.skip("the shared market data is not at hand")
    found = load(CANDLES, KEYS, Interval.M5, date(2023, 10, 1), date(2024, 1, 15))
    catalogue = Catalogue.discover(ROOT / "strategies")
    world = World(catalogue, Instruments(found.instruments), found.calendar, Charges.load(), Margins.load())
    return dict(found.data), world


def test_no_bundled_strategy_is_left_out() -> None:
    catalogue = Catalogue.discover(ROOT / "strategies")
    assert tuple(n for n in catalogue.names() if catalogue.get(n).decides_on_bars()) == ON_CANDLES


@pytest.mark.parametrize("settings", [{}, TRAILED], ids=["as it comes", "trailed"])
@pytest.mark.parametrize("name", ON_CANDLES)
def test_the_loop_trades_as_the_desk_does(name: str, settings: dict[str, str]) -> None:
    data, world = market()
    kind = world.catalogue.get(name)
    leg = Leg(name, name, KEYS, Interval.M5, parse_settings(kind, settings).settings)
    found = parity(Spec((leg,), date(2023, 11, 1), None, RiskLimits(), 2.0), data, world)
    assert found.difference is None, str(found.difference)
    assert len(found.desk) > 20
