"""The loop's trades are the live desk's, fed the same candles through the paper exchange."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.backtest.markets import (
    ABC,
    BUY,
    DAY,
    LEAVE,
    NEXT,
    OPENING,
    ROOMY,
    SHORT,
    XYZ,
    Candle,
    Scripted,
    candles,
    flat,
    leg,
    made_up,
    recorded,
    world,
)
from trader.backtest.kernel import FILL_AT_CLOSE, NO_CHARGES, TARGET_FIRST
from trader.backtest.parity import Parity, parity
from trader.backtest.spec import Spec
from trader.desk.limits import RiskLimits
from trader.domain.instrument import Exchange, Instrument, InstrumentKey, Segment
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.strategy.bars import Bars, moment
from trader.strategy.catalogue import Catalogue

FIVE = ("RELIANCE", "SBIN", "TCS", "INFY", "ITC")
TEN = (*FIVE, "HDFCBANK", "AXISBANK", "LT", "MARUTI", "WIPRO")
BANKS = ("SBIN", "HDFCBANK", "AXISBANK")


def compared(
    where: str | int,
    symbols: tuple[str, ...],
    legs: dict[str, dict[str, str]],
    limits: RiskLimits = ROOMY,
    first: date | None = None,
    last: date | None = None,
    slippage_bps: float = 0.0,
    variant: int = 0,
) -> Parity:
    """``where``: a folder of recordings, or a seed of made-up candles."""
    data, there = made_up(symbols, 12, where) if isinstance(where, int) else recorded(where, symbols)
    interval = next(iter(data.values())).interval
    keys = tuple(InstrumentKey(f"NSE:{symbol}") for symbol in symbols)
    tested = Spec(
        tuple(leg(there.catalogue.get(name), keys, settings, interval) for name, settings in legs.items()),
        first,
        last,
        limits,
        slippage_bps,
    )
    return parity(tested, data, there, variant=variant)


AUGUST = {"first": date(2023, 8, 1), "last": date(2023, 8, 31)}
TIGHT = replace(ROOMY, max_daily_loss=Decimal(1500), max_drawdown_pct=Decimal(60), loss_streak=3)

REAL: dict[str, dict[str, Any]] = {
    "ema, one stock, the owner's own limits": {
        "where": "5minute/stocks",
        "symbols": ("RELIANCE",),
        "legs": {"ema_crossover": {}},
        "limits": RiskLimits(),
        "first": date(2023, 7, 10),
        "last": date(2023, 9, 10),
    },
    "ema, five stocks until the drawdown limit ends it": {
        "where": "5minute/stocks",
        "symbols": FIVE,
        "legs": {"ema_crossover": {}},
        "limits": RiskLimits(),
        **AUGUST,
    },
    "rsi, ten stocks that lose too much on some days": {
        "where": "5minute/stocks",
        "symbols": TEN,
        "legs": {"rsi_mean_reversion": {"period": "5", "stop": "0.3", "target": "0.4"}},
        "limits": TIGHT,
        "slippage_bps": 1.0,
        **AUGUST,
    },
    "breakout, trailing stops, always in the market": {
        "where": "5minute/stocks",
        "symbols": TEN,
        "legs": {
            "breakout": {"trail": "0.3", "target": "0", "stop": "0.5", "channel": "5", "exit_channel": "0"}
        },
        "slippage_bps": 2.0,
        **AUGUST,
    },
    "three strategies against each other in the same stocks": {
        "where": "5minute/stocks",
        "symbols": FIVE,
        "legs": {"ema_crossover": {}, "rsi_mean_reversion": {}, "breakout": {}},
        **AUGUST,
    },
    "minutes of three banks, near stops and targets": {
        "where": "minute/stocks",
        "symbols": BANKS,
        "legs": {"ema_crossover": {"stop": "0.2", "target": "0.3"}},
        "first": date(2023, 4, 10),
        "last": date(2023, 4, 28),
    },
    "minutes with holes in them": {
        "where": "minute/stocks_from_ticks",
        "symbols": ("RELIANCE", "SBIN"),
        "legs": {"ema_crossover": {"stop": "0.3"}},
        "last": date(2021, 4, 9),
    },
}


@pytest.mark.parametrize("name", REAL)
def test_trades_on_recorded_candles_are_those_of_the_desk(name: str) -> None:
    found = compared(**REAL[name])
    assert len(found.desk) >= 30
    assert found.same, str(found.difference)


def test_the_recorded_cases_reach_the_limits_they_are_about() -> None:
    halted = compared(**REAL["ema, five stocks until the drawdown limit ends it"])
    assert halted.result.halted == "drawdown"
    breached = compared(**REAL["rsi, ten stocks that lose too much on some days"])
    assert any(trade.reason == "breach" for trade in breached.desk)
    assert {"open_positions", "capital", "cooldown"} <= breached.result.denied.keys()


MADE_UP: dict[str, dict[str, Any]] = {
    "a quiet day": {"symbols": ("AAA",), "legs": {"ema_crossover": {}}},
    "gaps, trails and slippage": {
        "symbols": ("AAA", "BBB", "CCC"),
        "legs": {"breakout": {"trail": "0.2", "stop": "0.4", "channel": "6", "exit_channel": "3"}},
        "slippage_bps": 5.0,
    },
    "few orders a second, few trades a day": {
        "symbols": ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF"),
        "legs": {"ema_crossover": {"stop": "0.3", "target": "0.5", "fast": "3", "slow": "7"}},
        "limits": replace(ROOMY, orders_per_second=4, max_trades_per_day=9, loss_streak=2),
    },
    "a fixed quantity, one side, few positions": {
        "symbols": ("AAA", "BBB", "CCC", "DDD"),
        "legs": {
            "breakout": {
                "quantity": "7",
                "side": "short",
                "max_positions": "2",
                "channel": "4",
                "exit_channel": "2",
            }
        },
    },
    "delivery, kept over night, its charges netted by the scrip": {
        "symbols": ("AAA", "BBB", "CCC"),
        "legs": {
            "ema_crossover": {"product": "CNC", "side": "long", "stop": "2", "target": "1", "fast": "3"},
            "breakout": {"product": "CNC", "side": "long", "stop": "3", "trail": "1.5", "target": "0"},
        },
        "limits": replace(ROOMY, capital=Decimal(10_000_000), max_order_value=Decimal(60_000)),
        "slippage_bps": 1.0,
    },
    "delivery on margin": {
        "symbols": ("AAA", "BBB"),
        "legs": {"breakout": {"product": "MTF", "side": "long", "stop": "2", "trail": "1", "target": "0"}},
        "limits": replace(ROOMY, capital=Decimal(10_000_000), max_order_value=Decimal(60_000)),
    },
    "a share sold as delivery and on margin on one day": {
        "symbols": ("AAA", "BBB"),
        "legs": {
            "ema_crossover": {"product": "CNC", "side": "long", "stop": "2", "target": "1", "fast": "3"},
            "breakout": {"product": "MTF", "side": "long", "stop": "2", "trail": "1", "target": "0"},
        },
        "limits": replace(ROOMY, capital=Decimal(10_000_000), max_order_value=Decimal(60_000)),
    },
    "a pair against the alphabet, with room for the first of the two": {
        "symbols": ("BBB", "AAA"),
        "legs": {
            "pair_reversion": {"lookback": "20", "enter": "1", "stop": "0.5"},
            "breakout": {"channel": "4", "exit_channel": "2"},
        },
        "limits": replace(ROOMY, max_open_positions=1),
    },
    "breaches day after day": {
        "symbols": ("AAA", "BBB", "CCC", "DDD"),
        "legs": {"ema_crossover": {"fast": "2", "slow": "5"}, "rsi_mean_reversion": {"period": "3"}},
        "limits": replace(ROOMY, max_daily_loss=Decimal(400)),
        "slippage_bps": 3.0,
    },
    "breaches of days that carry what the night before had lost or won": {
        "symbols": ("AAA", "BBB", "CCC", "DDD"),
        "legs": {
            "breakout": {"product": "CNC", "side": "long", "stop": "3", "trail": "1.5", "target": "0"},
            "ema_crossover": {"fast": "2", "slow": "5"},
        },
        "limits": replace(
            ROOMY, capital=Decimal(10_000_000), max_daily_loss=Decimal(1500), max_order_value=Decimal(60_000)
        ),
    },
}  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", MADE_UP)
def test_trades_on_made_up_candles_are_those_of_the_desk(name: str, seed: int) -> None:
    found = compared(where=seed, **MADE_UP[name])
    assert len(found.desk) >= 10
    assert found.same, str(found.difference)


def test_a_stop_reached_in_a_session_s_last_candle_is_dated_when_the_session_ends() -> None:
    """An hour's candle that begins at 15:15 is over at 15:30."""
    hours: list[Candle] = [(100, 100, 100, 100, 0)] * 5 + [(100, 100, 100, 100, BUY), (100, 100, 90, 95, 0)]
    data = {ABC: candles(hours, interval=Interval.H1)}
    one = leg(Scripted, [ABC], {"product": "CNC", "side": "long", "quantity": "10"}, Interval.H1)
    found = parity(Spec((one,), limits=ROOMY), data, world())
    assert found.same, str(found.difference)
    assert [moment(trade.exit_at) for trade in found.desk] == [OPENING.replace(hour=15, minute=30)]


@pytest.mark.parametrize(
    ("trades", "ends"), [(75, (15, 15)), (40, (15, 30))], ids=["all day", "till noon: settled at the close"]
)
def test_a_contract_is_left_on_its_last_day_whatever_its_product(trades: int, ends: tuple[int, int]) -> None:
    future = Instrument(
        Exchange.NFO, "ABC24JUNFUT", 5, Decimal("0.05"), 10, Segment.FUTURES, underlying="ABC", expiry=NEXT
    )
    days = [
        candles([*flat(100, 1, BUY), *flat(100, 74)], future.key),
        candles(flat(100.5, trades), future.key, OPENING + timedelta(days=1)),
    ]
    start, table = np.concatenate([day.start for day in days]), np.hstack([day.table for day in days])
    data = {future.key: Bars.of_arrays(future.key, Interval.M5, start, *table)}
    one = leg(Scripted, [future.key], {"product": "NRML", "quantity": "10"})
    found = parity(Spec((one,), limits=ROOMY), data, world([future]))
    assert found.same, str(found.difference)
    assert [moment(trade.exit_at) for trade in found.desk] == [
        (OPENING + timedelta(days=1)).replace(hour=ends[0], minute=ends[1])
    ]


def test_what_two_strategies_hold_of_a_stock_the_broker_closes_at_once_in_orders_with_a_fee_each() -> None:
    rows: list[Candle | None] = [*flat(20, 60), *flat(20, 1, BUY), *flat(20, 5), *[None] * 9]
    limits = replace(ROOMY, capital=Decimal(10_000_000), max_order_value=Decimal(1_000_000))
    quantities = {"one": "7", "two": "35000"}
    kinds = {name: type(name, (Scripted,), {"name": name}) for name in quantities}
    legs = tuple(leg(kinds[name], [ABC], {"quantity": q}) for name, q in quantities.items())
    there = replace(world(), catalogue=Catalogue(kinds, {}))
    found = parity(Spec(legs, limits=limits), {ABC: candles(rows)}, there)
    assert found.same, str(found.difference)
    assert [trade.reason for trade in found.desk] == ["squareoff", "squareoff"]


def test_what_two_strategies_hold_of_a_contract_at_its_end_is_settled_at_once_however_much_it_is() -> None:
    """The recording ends at noon: no order closes it, so the exchange's limit for one does not count."""
    future = Instrument(
        Exchange.NFO,
        "ABC24JUNFUT",
        5,
        Decimal("0.05"),
        10,
        Segment.FUTURES,
        freeze_quantity=100,
        underlying="ABC",
        expiry=DAY,
    )
    kinds = {name: type(name, (Scripted,), {"name": name}) for name in ("one", "two")}
    legs = tuple(leg(kind, [future.key], {"quantity": "100", "product": "MIS"}) for kind in kinds.values())
    limits = replace(ROOMY, capital=Decimal(10_000_000), max_order_value=Decimal(1_000_000))
    there = replace(world([future]), catalogue=Catalogue(kinds, {}))
    data = {future.key: candles([*flat(100, 20), *flat(100, 1, BUY), *flat(100, 12)], future.key)}
    found = parity(Spec(legs, limits=limits), data, there)
    assert found.same, str(found.difference)
    assert [(t.reason, moment(t.exit_at).hour) for t in found.desk] == [("squareoff", 15)] * 2


def test_a_trailing_stop_that_the_exchange_would_not_move_is_left_past_the_price_where_it_belongs() -> None:
    """What the first strategy sold at that open, slipped, was the last price: the other's stop, trailed to
    above it, is refused. No price comes back to where it could be moved, or down to where it rests."""
    leapt: list[Candle] = [(103, 103, 102.5, 102.5), *flat(102.5, 6)]
    kinds = {name: type(name, (Scripted,), {"name": name}) for name in ("one", "two")}
    legs = (
        leg(kinds["one"], [ABC], {"quantity": "10", "stop": "5", "target": "2"}),
        leg(kinds["two"], [ABC], {"quantity": "10", "stop": "5", "target": "0", "trail": "0.2"}),
    )
    data = {ABC: candles([*flat(100, 1, BUY), *flat(100, 2), *leapt])}
    there = replace(world(), catalogue=Catalogue(kinds, {}))
    found = parity(Spec(legs, limits=ROOMY, slippage_bps=30.0), data, there)
    assert found.same, str(found.difference)
    assert [(t.leg, t.reason) for t in found.desk] == [(0, "target"), (1, "signal")]
    # Refused at a close it is not asked for at the open of the same second, but behind the next candle.
    back: list[Candle] = [(103, 103, 102.5, 102.5), (103, 103, 102.6, 103), *flat(103, 6)]
    data = {ABC: candles([*flat(100, 1, BUY), *flat(100, 2), *back])}
    found = parity(Spec(legs, limits=ROOMY, slippage_bps=30.0), data, there)
    assert found.same, str(found.difference)
    assert [(t.leg, t.reason) for t in found.desk] == [(0, "target"), (1, "squareoff")]


@pytest.mark.parametrize(
    ("code", "to", "stop", "left"),
    [(BUY, 110.0, "1", "108.90"), (SHORT, 90.0, "1", "90.90"), (BUY, 90.0, "1", "89.10")],
    ids=["up, long", "down, short", "down, long"],
)
def test_an_entry_at_an_open_that_leapt_is_judged_by_its_own_price(
    code: int, to: float, stop: str, left: str
) -> None:
    """The close before it says nothing of the market now: neither that the stop is passed, nor that a
    tenth of the position's worth was lost or won."""
    rows: list[Candle] = [*flat(100, 1), *flat(100, 1, code), *flat(to, 3), (to, to * 1.05, to * 0.95, to)]
    one = leg(Scripted, [ABC], {"quantity": "500", "stop": stop, "target": "0"})
    limits = replace(ROOMY, max_daily_loss=Decimal(2000), max_drawdown_pct=Decimal(3))
    found = parity(Spec((one,), limits=limits, slippage_bps=0.0), {ABC: candles(rows)}, world())
    assert found.same, str(found.difference)
    assert [(t.reason, t.exit_price) for t in found.desk] == [("stop", Decimal(left))]
    assert found.result.halted == ""


def test_a_target_that_the_close_kept_back_is_left_for_the_breach_of_that_close() -> None:
    """It could not be sent any more: the first session of that day ended within the candle. In the second
    all that is held is closed for the limit that broke."""
    first, half = datetime(2024, 3, 2, 9, 15, tzinfo=IST), Interval.M30
    rows: list[Candle | None] = [*flat(100, 1, BUY)]
    won = [*rows, (100, 103, 100, 103, 0), *[None] * 3, *flat(103, 2)]
    lost = [*rows, (100, 100, 90, 90, 0), *[None] * 3, *flat(90, 2)]
    data = {XYZ: candles(won, XYZ, first, half), ABC: candles(lost, ABC, first, half)}
    legs = (
        leg(Scripted, [XYZ], {"quantity": "10", "stop": "20", "target": "2"}, half, "winner"),
        leg(Scripted, [ABC], {"quantity": "500", "stop": "20", "target": "0"}, half, "loser"),
    )
    limits = replace(ROOMY, capital=Decimal(20_000_000), max_daily_loss=Decimal(2000))
    found = parity(Spec(legs, limits=limits), data, world())
    assert found.same, str(found.difference)
    assert sorted((t.symbol, t.reason) for t in found.desk) == [("ABC", "breach"), ("XYZ", "breach")]


def test_a_reversal_at_an_open_that_leapt_is_judged_by_its_own_price() -> None:
    rows: list[Candle] = [*flat(100, 1, BUY), *flat(100, 1), *flat(100, 1, SHORT), *flat(90, 4), *flat(92, 2)]
    one = leg(Scripted, [ABC], {"quantity": "100", "stop": "1", "target": "0"})
    found = parity(Spec((one,), limits=ROOMY, slippage_bps=5.0), {ABC: candles(rows)}, world())
    assert found.same, str(found.difference)
    assert [(t.side, t.reason) for t in found.desk] == [(1, "signal"), (-1, "stop")]


def test_a_day_of_the_largest_orders_is_charged_to_the_paisa() -> None:
    """Twenty crore at a time, again and again: the day's gain covers the charges at the desk, and is no cash
    at the broker, who has too little for the last of five."""
    keys = [InstrumentKey(f"NSE:{name}") for name in ("ABC", "BCD", "CDE", "DEF", "EFG")]
    trips = [row for _ in range(20) for row in (*flat(220, 1, BUY), *flat(220, 1, LEAVE))]
    rows: dict[InstrumentKey, list[Candle]] = {
        key: [*flat(218, 1, BUY if n == 0 else 0), *flat(218, 1, LEAVE if n == 0 else 0)]
        + (trips if n == 0 else flat(220, len(trips)))
        for n, key in enumerate(keys)
    }
    end = [*flat(220, 1, BUY), *flat(220, 2), *flat(220, 1, LEAVE), *flat(220, 1)]
    data = {key: candles([*own, *end]) for key, own in rows.items()}
    crore = Decimal(10_000_000)
    limits = replace(
        ROOMY,
        capital=20 * crore,
        max_order_value=20 * crore,
        max_daily_loss=10 * crore,
        orders_per_second=100,
    )
    one = leg(Scripted, keys, {"quantity": "905000", "stop": "0.5", "target": "0"})
    instruments = [Instrument(Exchange.NSE, key[4:], n, Decimal("0.05")) for n, key in enumerate(keys)]
    found = parity(Spec((one,), limits=limits), data, world(instruments))
    assert found.same, str(found.difference)
    assert found.result.denied == {"broker_funds": 1}


def test_a_stop_of_one_product_does_not_pass_over_the_limit_of_another() -> None:
    """So many targets are reached at once that the last one's limit rests through a candle, in which the
    delivery position of the same stock meets its stop."""
    names = [*(f"S{n:02}" for n in range(17)), "ZZZ"]
    rows: list[Candle] = [*flat(100, 1, BUY), *flat(100, 5), (100, 101.5, 100, 100), *flat(100, 1)]
    rows += [(100, 101.5, 99, 100), *flat(100, 2)]
    keys = [InstrumentKey(f"NSE:{name}") for name in names]
    kinds = {name: type(name, (Scripted,), {"name": name}) for name in ("day", "keep")}
    day = leg(kinds["day"], keys, {"quantity": "1", "stop": "5", "target": "1", "max_positions": "50"})
    kept = {"product": "CNC", "side": "long", "quantity": "1", "stop": "0.6", "target": "50"}
    instruments = [Instrument(Exchange.NSE, name, n, Decimal("0.05")) for n, name in enumerate(names)]
    limits = replace(ROOMY, orders_per_second=100, max_open_positions=50)
    found = parity(
        Spec((day, leg(kinds["keep"], keys[-1:], kept)), limits=limits),
        {key: candles(rows, key) for key in keys},
        replace(world(instruments), catalogue=Catalogue(kinds, {})),
    )
    assert found.same, str(found.difference)
    assert [t.exit_price for t in found.desk if t.symbol == "ZZZ"] == [101, Decimal("99.4")]


def test_no_stop_is_moved_in_a_candle_that_begins_in_a_day_s_break() -> None:
    """On 2 March 2024 the exchange traded to 10:00 and again from 11:30."""
    rows: list[Candle | None] = [*flat(100, 1, BUY), *flat(100, 1), None, None]
    rows += [(100, 102, 100, 101), *flat(101, 2)]
    morning = OPENING.replace(month=3, day=2)
    one = leg(Scripted, [ABC], {"quantity": "10", "trail": "0.5", "target": "0"}, Interval.M30)
    data = {ABC: candles(rows, first=morning, interval=Interval.M30)}
    found = parity(Spec((one,), limits=ROOMY), data, world())
    assert len(found.desk) == 1
    assert found.same, str(found.difference)


@pytest.mark.parametrize(
    ("variant", "field"),
    [(FILL_AT_CLOSE, "entry_price"), (TARGET_FIRST, "reason"), (NO_CHARGES, "charges")],
    ids=["fills at the close", "the target before the stop", "no charges"],
)
def test_a_wrong_loop_is_found_out_with_the_trade_that_shows_it(variant: int, field: str) -> None:
    settings = {"stop": "0.1", "target": "0.1", "fast": "3", "slow": "7"}
    found = compared(5, ("AAA", "BBB"), {"ema_crossover": settings}, variant=variant)
    assert not found.same
    assert found.difference is not None
    assert found.difference.kernel is not None
    assert found.difference.desk is not None
    assert field in found.difference.what
    assert f"differs in {', '.join(found.difference.what)}" in str(found.difference)
    assert found.difference.told  # what the desk said of it


def test_the_right_loop_passes_where_the_wrong_ones_fail() -> None:
    settings = {"stop": "0.1", "target": "0.1", "fast": "3", "slow": "7"}
    assert compared(5, ("AAA", "BBB"), {"ema_crossover": settings}).same


@pytest.mark.parametrize("seed", range(6))
def test_trades_of_drawn_strategies_and_limits_are_those_of_the_desk(seed: int) -> None:
    draw = Random(seed)
    symbols = ("AAA", "BBB", "CCC", "DDD", "EEE")[: draw.randint(1, 5)]
    drawn: dict[str, dict[str, str]] = {
        "ema_crossover": {"fast": "2", "slow": "5"},
        "rsi_mean_reversion": {"period": "3"},
        "breakout": {"channel": "4", "exit_channel": draw.choice(["0", "2"])},
    }
    legs = {}
    for name in draw.sample(sorted(drawn), draw.randint(1, 3)):
        legs[name] = drawn[name] | {
            "stop": draw.choice(["0.1", "0.3", "1.5"]),
            "target": draw.choice(["0", "0.1", "0.4"]),
            "trail": draw.choice(["0", "0.1", "0.5"]),
            "side": draw.choice(["both", "both", "long", "short"]),
            "max_positions": str(draw.randint(1, 5)),
            "quantity": draw.choice(["0", "0", "13"]),
        }
    limits = RiskLimits(
        capital=Decimal(draw.choice([20_000, 100_000, 500_000])),
        max_daily_loss=Decimal(draw.choice([300, 1000, 90_000])),
        max_daily_loss_pct=Decimal(draw.choice([1, 50])),
        max_drawdown_pct=Decimal(draw.choice([3, 90])),
        max_open_positions=draw.randint(1, 8),
        max_order_value=Decimal(draw.choice([20_000, 100_000])),
        max_exposure_pct=Decimal(draw.choice([100, 500])),
        max_trades_per_day=draw.choice([5, 50, 400]),
        orders_per_second=draw.choice([1, 3, 8]),
        orders_per_minute=draw.choice([5, 200]),
        orders_per_day=draw.choice([30, 2000]),
        loss_streak=draw.choice([2, 99]),
        stale_quote=timedelta(seconds=draw.choice([30, 400])),
    )
    found = compared(seed, symbols, legs, limits, slippage_bps=draw.choice([0.0, 1.5, 10.0]))
    assert found.same, str(found.difference)
