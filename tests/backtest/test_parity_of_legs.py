"""A decision on several instruments at once is entered whole or not at all, in the loop as on the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.backtest.markets import ABC, ROOMY, XYZ, candles, flat, leg, made_up, world
from trader.backtest.parity import Parity, parity
from trader.backtest.spec import Spec
from trader.desk.limits import RiskLimits
from trader.domain.instrument import InstrumentKey
from trader.strategy import Bars, Signals, Strategy
from trader.strategy.bars import moment
from trader.strategy.catalogue import Catalogue

BOTH, OUT, TURN, FIRST, SECOND = 1, 2, 3, 4, 5  # what the first one's volume asks for


class Couple(Strategy):
    """The first long and the second short, out, or the other way round; or one of them alone."""

    together = 2
    warmup = 1  # type: ignore[assignment]  # a constant will do here

    def joint_signals(self, bars: Sequence[Bars]) -> Sequence[Signals]:
        code = bars[0].volume
        out, turn = code == OUT, code == TURN
        return (
            Signals(np.isin(code, (BOTH, FIRST)), out, turn, out),
            Signals(turn, out, np.isin(code, (BOTH, SECOND)), out),
        )


class Three(Strategy):
    """Moods of the first one's price: all in, all out, all turned, some of each."""

    together = 3
    warmup = 1  # type: ignore[assignment]  # a constant will do here

    def joint_signals(self, bars: Sequence[Bars]) -> Sequence[Signals]:
        mood = np.rint(bars[0].close * 20).astype(int) % 11
        given = []
        for n, one in enumerate(bars):
            own = np.rint(one.close * 20).astype(int) % 7
            up, down = (mood == 1) | (own == 3), mood == 2
            first, second = (up, down) if n % 2 == 0 else (down, up)
            out = (mood == 3) | (own == 4)
            given.append(Signals(first, out, second, out))
        return given


def of_couple(
    codes: Sequence[int], limits: RiskLimits = ROOMY, prices: tuple[float, float] = (100, 50), **settings: str
) -> Parity:
    rows = [flat(prices[0], 1, code)[0] for code in codes]
    data = {ABC: candles(rows), XYZ: candles(flat(prices[1], len(codes)), XYZ)}
    one = leg(Couple, (ABC, XYZ), {"quantity": "10", "stop": "5", "target": "0"} | settings)
    there = replace(world(), catalogue=Catalogue({"couple": Couple}, {}))
    found = parity(Spec((one,), limits=limits), data, there)
    assert found.same, str(found.difference)
    return found


def sides(found: Parity) -> list[tuple[str, int, str]]:
    return [(t.symbol, t.side, f"{moment(t.entry_at):%H:%M}") for t in found.desk]


def test_both_legs_of_a_pair_are_entered_and_left() -> None:
    found = of_couple([0, BOTH, 0, 0, OUT, 0, 0])
    assert sides(found) == [("ABC", 1, "09:25"), ("XYZ", -1, "09:25")]
    assert found.result.denied == {}


def test_a_second_leg_that_is_denied_takes_the_first_back() -> None:
    found = of_couple([0, BOTH, 0, 0, OUT, 0, 0], replace(ROOMY, max_open_positions=1))
    assert found.desk == []
    assert found.result.denied == {"open_positions": 2}


def test_what_was_taken_back_counts_nowhere() -> None:
    """Not as a trade of the day, nor as the same entry a moment ago, nor as money that is tied up."""
    limits = replace(
        ROOMY, max_order_value=Decimal(1000), max_trades_per_day=2, duplicate_window=timedelta(hours=1)
    )
    found = of_couple([0, BOTH, BOTH, FIRST, 0, 0], limits, prices=(100, 500))
    assert sides(found) == [("ABC", 1, "09:35")]
    assert found.result.denied == {"order_value": 4}


def test_a_leg_asked_for_alone_is_entered_alone() -> None:
    found = of_couple([0, FIRST, 0, 0, OUT, 0, 0], replace(ROOMY, max_open_positions=1))
    assert sides(found) == [("ABC", 1, "09:25")]


def test_a_pair_that_is_turned_round_enters_whole_once_both_legs_are_flat() -> None:
    found = of_couple([0, BOTH, 0, 0, TURN, 0, 0, OUT, 0, 0])
    assert sides(found)[2:] == [("ABC", -1, "09:40"), ("XYZ", 1, "09:40")]
    short = of_couple(
        [0, BOTH, 0, 0, TURN, 0, 0, OUT, 0, 0], replace(ROOMY, max_trades_per_day=3)
    )  # one too few for the other way round
    assert sides(short) == [("ABC", 1, "09:25"), ("XYZ", -1, "09:25")]
    assert short.result.denied == {"trades_per_day": 2}


def test_a_flat_leg_waits_for_the_one_that_turns() -> None:
    found = of_couple([0, FIRST, 0, 0, TURN, 0, 0, OUT, 0, 0])
    assert sides(found)[1:] == [("ABC", -1, "09:40"), ("XYZ", 1, "09:40")]
    denied = of_couple([0, FIRST, 0, 0, TURN, 0, 0, OUT, 0, 0], replace(ROOMY, max_open_positions=1))
    assert sides(denied) == [("ABC", 1, "09:25")]


def test_a_leg_the_broker_refuses_takes_the_other_out_again() -> None:
    """The desk counts today's gain as its own; the broker lends nothing on it before it is settled."""
    codes = [0, FIRST, 0, OUT, 0, BOTH, 0, 0, 0]
    rows = [flat(100 if n < 3 else 108, 1, code)[0] for n, code in enumerate(codes)]
    data = {ABC: candles(rows), XYZ: candles(flat(108, len(codes)), XYZ)}
    one = leg(Couple, (ABC, XYZ), {"quantity": "250", "stop": "0.3", "target": "0"})
    wide = {"max_position_pct": Decimal(300), "max_exposure_pct": Decimal(900)}
    limits = replace(ROOMY, capital=Decimal(10_000), **wide)
    there = replace(world(), catalogue=Catalogue({"couple": Couple}, {}))
    found = parity(Spec((one,), limits=limits), data, there)
    assert found.same, str(found.difference)
    assert found.result.denied == {"broker_funds": 1}
    assert sides(found) == [("ABC", 1, "09:25")]  # of the second time nothing is left


@pytest.mark.parametrize("a_second", [2, 3])
def test_a_pair_that_no_second_has_room_for_goes_one_by_one(a_second: int) -> None:
    found = of_couple([0, BOTH, 0, 0, OUT, 0, 0], replace(ROOMY, orders_per_second=a_second))
    assert len(found.desk) >= 1
    assert sides(found)[0] == ("ABC", 1, "09:25")


@pytest.mark.parametrize("seed", range(4))
def test_drawn_baskets_and_limits_trade_as_on_the_desk(seed: int) -> None:
    drawn(seed)


def drawn(seed: int) -> Parity:
    draw = Random(seed)
    symbols = ("AAA", "BBB", "CCC", "DDD")
    data, there = made_up(symbols, 6, seed)
    keys = tuple(InstrumentKey(f"NSE:{symbol}") for symbol in symbols)
    kinds: dict[str, Any] = {"couple_of_three": type("Three", (Three,), {"name": "couple_of_three"})}
    interval = next(iter(data.values())).interval
    settings = {
        "stop": draw.choice(["0.2", "0.5", "2"]),
        "target": draw.choice(["0", "0.3"]),
        "max_positions": str(draw.randint(2, 5)),
        "quantity": draw.choice(["0", "13"]),
    }
    legs = [leg(kinds["couple_of_three"], draw.sample(keys, 3), settings, interval)]
    if draw.random() < 0.7:
        alone = there.catalogue.get("breakout")
        legs.append(leg(alone, keys, {"channel": "3", "exit_channel": "2", "stop": "0.3"}, interval))
    catalogue = Catalogue(kinds | {"breakout": there.catalogue.get("breakout")}, {})
    limits = RiskLimits(
        capital=Decimal(draw.choice([20_000, 100_000, 500_000])),
        max_daily_loss=Decimal(draw.choice([1000, 90_000])),
        max_daily_loss_pct=Decimal(50),
        max_drawdown_pct=Decimal(90),
        max_open_positions=draw.randint(2, 8),
        max_order_value=Decimal(draw.choice([20_000, 100_000])),
        max_exposure_pct=Decimal(draw.choice([100, 500])),
        max_trades_per_day=draw.choice([7, 50, 400]),
        orders_per_second=draw.choice([1, 3, 5, 6, 8]),
        orders_per_minute=draw.choice([9, 200]),
        loss_streak=draw.choice([2, 99]),
        stale_quote=timedelta(seconds=draw.choice([30, 400])),
    )
    tested = Spec(tuple(legs), limits=limits, slippage_bps=draw.choice([0.0, 1.5, 10.0]))
    found = parity(tested, data, replace(there, catalogue=catalogue))
    assert found.same, str(found.difference)
    return found
