"""Results made by hand: candles of a random walk, trades on them, and the equity those trades make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np

from trader.backtest.result import TRADE, Reason, Result
from trader.backtest.spec import Leg, Spec
from trader.desk.limits import RiskLimits
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.strategy.bars import Bars, micros

SYMBOLS = ("NSE:RELIANCE", "NSE:INFY", "NSE:TCS", "NSE:SBIN")
CAPITAL = 100_000.0
SETTINGS = (("fast", "9"), ("slow", "21"), ("stop", "1"), ("target", "2"), ("trail", "0"))
_STEP = 300_000_000  # five minutes, in microseconds
_BARS = 75  # five-minute candles of a day


def made_spec(symbols: Sequence[str] = SYMBOLS[:1], legs: int = 1, **changes: object) -> Spec:
    keys = tuple(InstrumentKey(symbol) for symbol in symbols)
    named = tuple(
        Leg(f"ema_crossover-{n + 1}", "ema_crossover", keys, Interval.M5, SETTINGS) for n in range(legs)
    )
    spec = Spec(named, date(2024, 1, 1), date(2024, 12, 31), RiskLimits(capital=Decimal(int(CAPITAL))))
    return replace(spec, **changes)  # type: ignore[arg-type]  # a test names real fields


def trading_days(count: int, first: date = date(2024, 1, 1)) -> list[date]:
    days = [first + timedelta(n) for n in range(count * 2 + 7)]
    return [day for day in days if day.weekday() < 5][:count]


def made_data(
    seed: int = 1, days: int = 40, symbols: Sequence[str] = SYMBOLS[:2], drift: float = 0.0
) -> dict[InstrumentKey, Bars]:
    """Five-minute candles, a walk of 0.15% a candle."""
    random = np.random.default_rng(seed)
    opens = [micros(datetime(d.year, d.month, d.day, 9, 15, tzinfo=IST)) for d in trading_days(days)]
    start = np.concatenate([first + _STEP * np.arange(_BARS) for first in opens])
    data = {}
    for symbol in symbols:
        close = 1000.0 * np.exp(np.cumsum(random.normal(drift, 0.0015, len(start))))
        open_ = np.concatenate(([1000.0], close[:-1]))
        wick = np.abs(random.normal(0, 0.001, (2, len(start)))) * close
        high, low = np.maximum(open_, close) + wick[0], np.minimum(open_, close) - wick[1]
        volume = random.integers(1_000, 90_000, len(start))
        rows = [np.round(row, 2) for row in (open_, high, low, close)]
        key = InstrumentKey(symbol)
        data[key] = Bars.of_arrays(key, Interval.M5, start, *rows, volume)
    return data


def made_result(
    seed: int = 1,
    days: int = 40,
    symbols: Sequence[str] = SYMBOLS[:2],
    trades_a_day: int = 3,
    *,
    legs: int = 1,
    edge: float = 0.0,
    data: Mapping[InstrumentKey, Bars] | None = None,
) -> Result:
    """``edge`` is added to each trade's exit as a share of its price: 0.002 wins, -0.002 loses."""
    random = np.random.default_rng(seed + 1000)
    data = made_data(seed, days, symbols) if data is None else data
    start = next(iter(data.values())).start
    close = np.column_stack([data[InstrumentKey(symbol)].close for symbol in symbols])
    equity, exposure = np.full(len(start), CAPITAL), np.zeros(len(start))
    rows = []
    for day in range(len(start) // _BARS):
        for _ in range(trades_a_day):
            leg, column = int(random.integers(legs)), int(random.integers(len(symbols)))
            first, last = sorted(random.choice(np.arange(1, _BARS), 2, replace=False) + day * _BARS)
            side = int(random.choice([-1, 1]))
            reason = [Reason.SIGNAL, Reason.STOP, Reason.TARGET, Reason.SQUAREOFF][int(random.integers(4))]
            entry = float(data[InstrumentKey(symbols[column])].open[first])
            leave = round(float(close[last, column]) * (1 + side * edge), 2)
            quantity = int(random.integers(5, 40))
            charges = round(0.0006 * quantity * entry, 2)
            held = close[first:last, column]
            seen = np.append(held, leave)
            pnl = side * quantity * (leave - entry)
            equity[first:last] += side * quantity * (held - entry) - charges / 2
            exposure[first:last] += quantity * held
            equity[last:] += pnl - charges
            best, worst = (seen.max(), seen.min()) if side > 0 else (seen.min(), seen.max())
            times = int(start[first]), int(start[last] + _STEP)
            rows.append(
                (leg, column, side, reason, quantity, *times, entry, leave, pnl, charges, best, worst)
            )
    trades = np.array(sorted(rows, key=lambda row: row[6]), dtype=TRADE)
    return Result(
        spec=made_spec(symbols, legs),
        symbols=tuple(symbols),
        trades=trades,
        at=start + _STEP,
        equity=equity,
        exposure=exposure,
        close=close,
        bars=close.size,
        days=len(start) // _BARS,
        denied={"open_positions": 4},
        warnings=("NSE:INFY: 3 candles were missing on 12 Jan 2024",),
        code_hash="c0de" * 8,
        data_hash="da7a" * 8,
        seconds=0.01,
    )


def curve(equity: Sequence[float], capital: float = CAPITAL, trades: Sequence[float] = ()) -> Result:
    """One close a day at 15:30, and a trade of each given net, one a day from the first."""
    days = trading_days(max(len(equity), len(trades)))
    close = np.array([micros(datetime(d.year, d.month, d.day, 15, 30, tzinfo=IST)) for d in days])
    rows = [
        (
            0,
            0,
            1,
            0,
            10,
            int(close[n]) - 3_600_000_000,
            int(close[n]),
            100.0,
            100 + net / 10,
            net,
            0.0,
            101,
            99,
        )
        for n, net in enumerate(trades)
    ]
    spec = made_spec(SYMBOLS[:1], limits=RiskLimits(capital=Decimal(str(capital))))
    values = np.array(equity, dtype=np.float64)
    return Result(
        spec=spec,
        symbols=SYMBOLS[:1],
        trades=np.array(rows, dtype=TRADE),
        at=close[: len(equity)].astype(np.int64),
        equity=values,
        exposure=np.zeros(len(values)),
        close=np.linspace(100.0, 110.0, len(values)).reshape(-1, 1),
        bars=len(values),
        days=len(values),
    )
