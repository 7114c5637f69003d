"""Worlds and candles for tests of the backtest's loop: written by hand, made up, and recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trader.backtest.spec import Leg, Spec
from trader.backtest.world import World
from trader.desk.limits import RiskLimits
from trader.domain.instrument import Exchange, Instrument, InstrumentKey
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.feed.replay import ReplayMarket
from trader.market.calendar import Calendar
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.strategy import Bars, Signals, Strategy
from trader.strategy.bars import micros
from trader.strategy.catalogue import Catalogue
from trader.strategy.options import parse_settings

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
DAY = date(2024, 6, 12)  # an ordinary Wednesday
OPENING = datetime.combine(DAY, datetime.min.time(), IST).replace(hour=9, minute=15)
NEXT = date(2024, 6, 13)
ABC, XYZ = InstrumentKey("NSE:ABC"), InstrumentKey("NSE:XYZ")
BUY, LEAVE, SHORT, COVER = 1, 2, 3, 4  # what a candle's volume tells the scripted strategy
ROOMY = RiskLimits(
    max_daily_loss=Decimal(90_000),
    max_daily_loss_pct=Decimal(90),
    max_drawdown_pct=Decimal(99),
    loss_streak=999,
)


class Scripted(Strategy):
    """Reads its signals from the candles' volumes: what is tested is the desk, not the strategy."""

    warmup = 1  # type: ignore[assignment]  # a constant will do here

    def signals(self, bars: Bars) -> Signals:
        code = bars.volume
        return Signals(code == BUY, code == LEAVE, code == SHORT, code == COVER)


class Ticking(Strategy):
    """Decides on ticks, which candles do not hold."""

    def on_tick(self, tick: Any, holding: Any) -> None:
        return None


@cache
def tables() -> tuple[Charges, Margins]:
    return Charges.load(), Margins.load()


def world(
    instruments: Sequence[Instrument] = (), calendar: Calendar | None = None, bundled: bool = False
) -> World:
    catalogue = (
        Catalogue.discover(ROOT / "strategies")
        if bundled
        else Catalogue({s.name: s for s in (Scripted, Ticking)}, {})
    )
    plain = [Instrument(Exchange.NSE, name, n, Decimal("0.05")) for n, name in enumerate(("ABC", "XYZ"))]
    return World(catalogue, Instruments(instruments or plain), calendar or Calendar.load(), *tables())


Candle = tuple[float, float, float, float] | tuple[float, float, float, float, int]


def candles(
    rows: Sequence[Candle | None],
    key: InstrumentKey = ABC,
    first: datetime = OPENING,
    interval: Interval = Interval.M5,
) -> Bars:
    """Open, high, low, close and, where it says something, the volume; None is a candle that is missing."""
    there = [(first + n * interval.length, row) for n, row in enumerate(rows) if row is not None]
    table = np.array([[*row[:4], row[4] if len(row) > 4 else 0] for _, row in there], dtype=float)
    return Bars.of_arrays(key, interval, np.array([micros(at) for at, _ in there]), *table.T)


def flat(price: float, count: int, code: int = 0) -> list[Candle]:
    return [(price, price, price, price, code)] * count


def spec(
    settings: Mapping[str, str] | None = None,
    limits: RiskLimits = ROOMY,
    keys: Sequence[InstrumentKey] = (ABC,),
    **more: Any,
) -> Spec:
    return Spec((leg(Scripted, keys, settings or {}),), limits=limits, **more)


def leg(
    kind: type[Strategy],
    keys: Sequence[InstrumentKey],
    settings: Mapping[str, str],
    interval: Interval = Interval.M5,
    name: str = "",
) -> Leg:
    return Leg(name or kind.name, kind.name, tuple(keys), interval, parse_settings(kind, settings).settings)


# -- recorded, and made up --------------------------------------------------------------------------------


def recorded(folder: str, symbols: Sequence[str]) -> tuple[dict[InstrumentKey, Bars], World]:
    """Real candles; the test is skipped where they are not."""
    files = [path for symbol in symbols for path in sorted((SHARED / folder).glob(f"{symbol}_*.parquet"))[:1]]
    if len(files) < len(symbols):
        pytest.skip(f"the recordings in shared/data/{folder} are not here")
    with tempfile.TemporaryDirectory() as together:
        for path in files:
            (Path(together) / path.name).symlink_to(path)
        market = ReplayMarket.from_path(together)
    assert market.interval is not None
    data = {
        one.instrument.key: Bars.of_arrays(
            one.instrument.key, market.interval, one.at, *one.prices, one.volume
        )
        for one in market._series.values()
    }
    return data, world(market.instruments(), market.calendar, bundled=True)


def made_up(
    symbols: Sequence[str], days: int, seed: int, interval: Interval = Interval.M5, holes: float = 0.03
) -> tuple[dict[InstrumentKey, Bars], World]:
    """Random walks: each instrument misses candles of its own, and the second begins a day late."""
    random = np.random.default_rng(seed)
    calendar = Calendar.load()
    day, opens = date(2024, 4, 1), []
    while len(opens) < days:
        session = calendar.session(day)
        if session is not None and calendar.special(day) == "":
            opens.append(micros(session.opens_at))
        day += timedelta(days=1)
    count = 375 * 60 // interval.seconds
    start = (np.array(opens)[:, None] + np.arange(count) * interval.seconds * 1_000_000).ravel()
    data, instruments = {}, []
    for n, symbol in enumerate(symbols):
        price = 300.0 * (n + 1) * np.exp(np.cumsum(random.normal(0, 0.002, len(start))))
        close = np.round(price / 0.05) * 0.05
        opening = np.concatenate([close[:1], close[:-1]]) + np.round(random.normal(0, 2, len(start))) * 0.05
        wick = np.round(np.abs(random.normal(0, 0.0015, (2, len(start)))) * close / 0.05) * 0.05
        high, low = np.maximum(opening, close) + wick[0], np.minimum(opening, close) - wick[1]
        keep = random.random(len(start)) > holes
        if n == 1:
            keep[:count] = False
        rows = [np.round(row[keep], 2) for row in (opening, high, low, close)]
        key = InstrumentKey(f"NSE:{symbol}")
        data[key] = Bars.of_arrays(key, interval, start[keep], *rows, np.full(int(keep.sum()), 1000.0))
        instruments.append(Instrument(Exchange.NSE, symbol, n + 1, Decimal("0.05"), derivatives=n % 2 == 0))
    return data, world(instruments, calendar, bundled=True)
