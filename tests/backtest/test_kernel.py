"""Each rule of the backtest's loop on candles small enough to reckon by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.backtest.markets import (
    ABC,
    BUY,
    COVER,
    DAY,
    LEAVE,
    ROOMY,
    SHORT,
    XYZ,
    Candle,
    Ticking,
    candles,
    flat,
    leg,
    made_up,
    spec,
    tables,
    world,
)
from trader.backtest.parity import parity
from trader.backtest.result import Reason, Result
from trader.backtest.run import Backtester
from trader.backtest.spec import Spec
from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, Instrument, InstrumentKey, Segment
from trader.domain.market import Interval
from trader.domain.order import Product, Side
from trader.domain.times import IST
from trader.market.charges import Executed
from trader.strategy.bars import Bars, moment

TEN = {"quantity": "10"}


def traded(rows: Sequence[Candle | None], settings: dict[str, str] | None = None, **more: Any) -> Result:
    return Backtester(world(), {ABC: candles(rows)}).run(spec(settings or TEN, **more))


def only(result: Result) -> Any:
    assert len(result.trades) == 1, result.trades
    return result.trades[0]


def at(hour: int, minute: int, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST)


# -- entries and exits ------------------------------------------------------------------------------------


def test_a_signal_is_filled_at_the_next_open_and_a_stop_at_its_trigger() -> None:
    trade = only(traded([*flat(100, 1, BUY), (100.5, 101, 100.2, 100.8), (100.8, 101, 99, 99.2)]))
    assert moment(int(trade["entry_at"])) == at(9, 20)
    assert trade["entry_price"] == 100.5
    assert trade["exit_price"] == 99.5  # one per cent below 100.5 is 99.495: towards the entry, on the tick
    assert moment(int(trade["exit_at"])) == at(9, 30)  # known when the candle is over
    assert Reason(int(trade["reason"])) is Reason.STOP
    assert trade["pnl"] == -10


def test_a_stop_that_the_open_leaps_over_is_filled_at_the_open() -> None:
    trade = only(traded([*flat(100, 2, BUY)[:1], (100, 100, 100, 100), (97, 98, 96, 97.5)]))
    assert (trade["exit_price"], trade["reason"]) == (97, Reason.STOP)
    assert moment(int(trade["exit_at"])) == at(9, 25)


def test_a_target_is_filled_at_its_price_and_one_that_the_open_leaps_over_at_the_open() -> None:
    inside = only(traded([*flat(100, 1, BUY), (100, 103, 100, 102.5)]))
    assert (inside["exit_price"], inside["reason"]) == (102, Reason.TARGET)
    beyond = only(traded([*flat(100, 1, BUY), (100, 101, 100, 101), (104, 104.5, 103.5, 104)]))
    assert (beyond["exit_price"], beyond["reason"]) == (104, Reason.TARGET)


def test_a_candle_that_reaches_stop_and_target_reached_the_stop() -> None:
    trade = only(traded([*flat(100, 1, BUY), (100, 103, 98, 102)]))
    assert (trade["exit_price"], trade["reason"]) == (99, Reason.STOP)


def test_a_short_is_the_mirror_of_a_long() -> None:
    trade = only(traded([*flat(100, 1, SHORT), (100, 100.5, 97, 98)]))
    assert (trade["side"], trade["exit_price"], trade["reason"], trade["pnl"]) == (-1, 98, Reason.TARGET, 20)


def test_an_exit_signal_is_filled_at_the_next_open() -> None:
    trade = only(traded([*flat(100, 1, BUY), *flat(100, 1, LEAVE), (100.7, 101, 100, 101)]))
    assert (trade["exit_price"], trade["reason"]) == (100.7, Reason.SIGNAL)


def test_a_reversal_goes_by_way_of_flat_at_one_open() -> None:
    rows = [*flat(100, 1, BUY), *flat(100, 1, SHORT), *flat(101, 1, COVER), *flat(101, 1)]
    first, second = traded(rows).trades
    assert (first["side"], second["side"]) == (1, -1)
    assert first["exit_at"] == second["entry_at"]
    assert first["exit_price"] == second["entry_price"] == 101


def test_slippage_is_lost_by_every_market_order_and_rounded_away_from_the_trader() -> None:
    trade = only(traded([*flat(100, 1, BUY), *flat(100, 1, LEAVE), *flat(100, 1)], slippage_bps=3))
    assert (trade["entry_price"], trade["exit_price"]) == (100.05, 99.95)  # 100.03 and 99.97, on the tick


def test_the_stop_trails_behind_the_best_price_and_is_never_loosened() -> None:
    settings = TEN | {"stop": "2", "target": "0", "trail": "1"}
    rows = [
        *flat(100, 1, BUY),
        (100, 103, 100, 102.5),
        (102.5, 102.9, 102.2, 102.4),
        (102.4, 102.4, 101, 101),
    ]
    trade = only(traded(rows, settings))
    assert (trade["exit_price"], trade["reason"]) == (102, Reason.STOP)  # 103 less 1 % of the entry


def test_a_trail_goes_on_beyond_the_changes_an_order_takes() -> None:
    rising: list[Candle] = [(100 + n, 101 + n, 100 + n, 101 + n) for n in range(60)]
    rows: list[Candle] = [(100, 100, 100, 100, BUY), *rising, (160, 160, 150, 150)]
    settings = {"stop": "3", "target": "0", "trail": "2"}  # a move a candle, and an order takes 25
    trade = only(traded(rows, settings))
    assert (trade["reason"], trade["exit_price"]) == (Reason.STOP, 158.0)
    data = {ABC: candles(rows)}
    found = parity(spec(settings), data, world())
    assert found.same, str(found.difference)
    assert len(found.desk) == 1


def test_a_candle_of_another_instrument_does_not_fill_an_order() -> None:
    rows = [*flat(100, 1, BUY), None, None, (102, 102, 102, 102), *flat(102, 1)]
    both = {ABC: candles(rows), XYZ: candles(flat(50, 6), XYZ)}
    trade = only(Backtester(world(), both).run(spec(TEN)))
    assert moment(int(trade["entry_at"])) == at(9, 30)
    assert trade["entry_price"] == 102


# -- the clock --------------------------------------------------------------------------------------------


def test_intraday_positions_are_squared_off_and_none_is_opened_late() -> None:
    rows: list[Candle] = flat(100, 75)
    rows[67] = (100, 100, 100, 100, BUY)  # closes 14:55: in time
    rows[70] = (100, 100, 100, 100, LEAVE)  # closes 15:10
    rows[69] = (100, 100, 100, 100, SHORT)
    result = traded(rows)
    assert [Reason(int(r)) for r in result.trades["reason"]] == [Reason.SIGNAL]
    assert result.denied == {"entries_over": 1}
    rows[69] = rows[70] = (100, 100, 100, 100)
    trade = only(traded(rows))
    assert Reason(int(trade["reason"])) is Reason.SQUAREOFF
    assert moment(int(trade["exit_at"])) == at(15, 10)


def test_a_position_that_finds_no_price_is_closed_by_the_broker_for_a_fee() -> None:
    rows: list[Candle | None] = [*flat(100, 60), *flat(100, 1, BUY), *flat(100.5, 5), *[None] * 9]
    result = traded(rows)
    trade = only(result)
    closed = traded([*flat(100, 60), *flat(100, 1, BUY), *flat(100.5, 14)])
    fee = tables()[0].tariff.debit("rms", DAY)
    assert moment(int(trade["exit_at"])) == at(15, 30)
    assert trade["charges"] == pytest.approx(float(only(closed)["charges"]) + float(fee))
    assert result.equity[-1] == pytest.approx(100_000 + trade["pnl"] - trade["charges"])
    assert result.exposure[-1] == 0


def test_what_is_still_held_at_the_end_is_valued_not_executed() -> None:
    future = Instrument(
        Exchange.NFO, "ABC24JUNFUT", 5, Decimal("0.05"), 10, Segment.FUTURES, underlying="ABC",
        expiry=date(2024, 6, 27),
    )  # fmt: skip
    data = {future.key: candles([*flat(100, 1, BUY), *flat(100, 1), *flat(100.5, 3)], future.key)}
    result = Backtester(world([future]), data).run(spec(TEN | {"product": "NRML"}, keys=(future.key,)))
    trade = only(result)
    assert (Reason(int(trade["reason"])), trade["exit_price"], trade["pnl"]) == (Reason.END, 100.5, 5)
    entry = Executed(
        "t",
        future.key,
        Exchange.NFO,
        Segment.FUTURES,
        "ABC",
        Product.NRML,
        Side.BUY,
        10,
        Decimal(1000),
        at(9, 20),
    )
    assert Decimal(str(trade["charges"])) == tables()[0].order(entry).total  # nothing was paid for an exit
    assert result.equity[-1] == pytest.approx(100_000 + 5 - trade["charges"])


# -- money ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "on", [date(2019, 6, 12), date(2021, 6, 10), date(2023, 6, 14), date(2024, 6, 12), date(2026, 6, 10)]
)
@pytest.mark.parametrize(("price", "quantity"), [(100.05, 7), (2513.35, 39), (0.35, 99_999), (49_999.95, 1)])
def test_charges_are_those_of_the_day_to_the_paisa(on: date, price: float, quantity: int) -> None:
    rows = [*flat(price, 1, BUY), *flat(price, 1, LEAVE), *flat(price, 1)]
    data = {ABC: candles(rows, first=datetime(on.year, on.month, on.day, 9, 15, tzinfo=IST))}
    large = replace(
        ROOMY, capital=Decimal(10_000_000), max_order_value=Decimal(10_000_000), risk_per_trade_pct=Decimal(2)
    )
    trade = only(Backtester(world(), data).run(spec({"quantity": str(quantity)}, large)))
    orders = [
        Executed(
            "t", ABC, Exchange.NSE, Segment.EQUITY, "", Product.MIS, side, quantity,
            Decimal(str(price)) * quantity, at(9, 20, on),
        )
        for side in (Side.BUY, Side.SELL)
    ]  # fmt: skip
    assert Decimal(str(trade["charges"])) == sum(tables()[0].order(order).total for order in orders)


def test_equity_is_capital_and_everything_booked_and_the_unrealised() -> None:
    rows = [*flat(100, 1, BUY), (100, 101, 100, 101), *flat(101.5, 1, LEAVE), *flat(101.8, 2)]
    result = traded(rows, TEN | {"stop": "5", "target": "9"})
    trade = only(result)
    assert result.equity[0] == 100_000
    assert result.equity[-1] == pytest.approx(100_000 + trade["pnl"] - trade["charges"])
    paid = 100_000 + 10 - result.equity[1]  # ten shares, a rupee up, less the entry's charges
    assert 0 < paid < trade["charges"]
    assert list(result.exposure) == [0, 1010, 1015, 0, 0]


def test_size_is_what_the_risk_and_the_values_allow() -> None:
    rows = [*flat(100, 1, BUY), *flat(100, 3)]
    by_risk = only(traded(rows, {"stop": "2", "risk": "0.5"}))
    assert by_risk["quantity"] == 250  # 500 rupees over two rupees a share
    by_value = only(traded(rows, {"stop": "0.5"}))
    assert by_value["quantity"] == 1000  # an order of at most 1,00,000 rupees


def test_days_without_charges_when_they_are_switched_off() -> None:
    rows = [*flat(100, 1, BUY), *flat(100, 1, LEAVE), *flat(101, 1)]
    assert only(traded(rows, charges=False))["charges"] == 0


# -- limits -----------------------------------------------------------------------------------------------


def test_a_daily_loss_closes_everything_and_the_next_day_trades_again() -> None:
    falling: list[Candle] = [
        *flat(100, 1, BUY),
        *flat(100, 1),
        (100, 100, 98, 98),
        *flat(98, 1, BUY),
        *flat(98, 2),
    ]
    second = candles(flat(98, 1, BUY) + flat(98, 2), first=at(9, 15, DAY + timedelta(days=1)))
    first = candles(falling)
    bars = Bars.of_arrays(
        ABC, Interval.M5, np.concatenate([first.start, second.start]),
        *np.concatenate([first.table, second.table], axis=1),
    )  # fmt: skip
    limits = replace(ROOMY, max_daily_loss=Decimal(900))
    result = Backtester(world(), {ABC: bars}).run(
        spec(
            {"stop": "4", "quantity": "500", "target": "0", "risk": "2"},
            replace(limits, risk_per_trade_pct=Decimal(2)),
        )
    )
    breach, later = result.trades
    assert Reason(int(breach["reason"])) is Reason.BREACH
    assert breach["exit_price"] == 98  # the open after the candle that showed the loss
    assert moment(int(later["entry_at"])).date() == DAY + timedelta(days=1)
    assert result.halted == ""  # a limit of one day


def test_a_drawdown_ends_trading_for_good() -> None:
    limits = replace(ROOMY, max_drawdown_pct=Decimal("0.5"))
    rows: list[Candle] = [
        *flat(100, 1, BUY),
        *flat(100, 1),
        (100, 100, 98.5, 98.5),
        *flat(98.5, 2, BUY),
        *flat(98.5, 2),
    ]
    result = traded(rows, {"stop": "2", "quantity": "400", "target": "0"}, limits=limits)
    assert Reason(int(only(result)["reason"])) is Reason.BREACH
    assert (result.halted, result.halted_on) == ("drawdown", DAY)


@pytest.mark.parametrize(
    ("limits", "settings", "code"),
    [
        ({"max_open_positions": 1}, {}, "open_positions"),
        ({}, {"max_positions": "1"}, "strategy_positions"),
        ({"max_trades_per_day": 1}, {}, "trades_per_day"),
        ({"max_exposure_pct": Decimal(1)}, {}, "exposure"),
        ({"max_order_value": Decimal(900)}, {}, "order_value"),
        ({"max_position_pct": Decimal("0.9")}, {}, "position_size"),
        ({"risk_per_trade_pct": Decimal("0.009")}, {}, "risk_per_trade"),
        (
            {"capital": Decimal(250), "max_exposure_pct": Decimal(9000), "max_position_pct": Decimal(900)},
            {"stop": "0.1"},
            "capital",
        ),
        ({"orders_per_day": 1}, {}, "rate_day"),
    ],
)  # fmt: skip
def test_a_second_position_beyond_a_limit_is_refused_by_name(
    limits: dict[str, Any], settings: dict[str, str], code: str
) -> None:
    rows = [*flat(100, 1, BUY), *flat(100, 4)]
    data = {key: candles(rows, key) for key in (ABC, XYZ)}
    result = Backtester(world(), data).run(spec(TEN | settings, replace(ROOMY, **limits), (ABC, XYZ)))
    assert code in result.denied, result.denied


def test_losing_trades_in_a_row_make_entries_wait() -> None:
    rows: list[Candle] = []
    for _ in range(2):
        rows += [*flat(100, 1, BUY), (100, 100, 98, 98)]
    rows += [*flat(100, 1, BUY), *flat(100, 8), *flat(100, 1, BUY), *flat(100, 1)]
    limits = replace(ROOMY, loss_streak=2, cooldown=timedelta(minutes=30))
    result = traded(rows, limits=limits)
    assert result.denied == {"cooldown": 1}
    assert moment(int(result.trades[2]["entry_at"])) == at(10, 25)


# -- what cannot be tested --------------------------------------------------------------------------------


def test_what_candles_cannot_answer_is_refused_with_a_sentence() -> None:
    data = {ABC: candles(flat(100, 5))}
    backtester = Backtester(world(), data)
    with pytest.raises(InvalidInput, match="decides on ticks"):
        backtester.run(Spec((leg(Ticking, (ABC,), {}),)))
    with pytest.raises(InvalidInput, match="no candles of XYZ"):
        backtester.run(spec(keys=(XYZ,)))
    with pytest.raises(InvalidInput, match="load them in 15m"):
        backtester.run(Spec((replace(spec().legs[0], interval=Interval.M15),)))
    with pytest.raises(InvalidInput, match="Expected candles from 2030"):
        backtester.run(spec(first=date(2030, 1, 1)))
    with pytest.raises(InvalidInput, match="orders up to"):
        backtester.run(
            spec(limits=replace(ROOMY, capital=Decimal(10) ** 10, max_order_value=Decimal(10) ** 10))
        )
    option = Instrument(Exchange.NFO, "NIFTY24JUN23000CE", 9, Decimal("0.05"), segment=Segment.OPTIONS)
    bars = candles(flat(100, 5), option.key)
    with pytest.raises(InvalidInput, match="SL-M"):
        Backtester(world([option]), {option.key: bars}).run(spec(keys=(option.key,)))


# -- the same twice, and by another hand ------------------------------------------------------------------


def test_a_run_changes_nothing_for_the_next_one() -> None:
    data, made = made_up(("AAA", "BBB"), 6, 3)
    asked = Spec((leg(made.catalogue.get("ema_crossover"), tuple(data), {"stop": "0.5"}),), limits=ROOMY)
    backtester = Backtester(made, data)
    first = backtester.run(asked)
    other = backtester.run(replace(asked, limits=replace(ROOMY, max_trades_per_day=2)))
    again = backtester.run(asked)
    assert len(other.trades) < len(first.trades)
    assert first.trades.tobytes() == again.trades.tobytes()
    assert first.equity.tobytes() == again.equity.tobytes()
    assert (first.code_hash, first.data_hash) == (again.code_hash, again.data_hash)


def test_crossovers_without_stops_and_charges_are_those_of_a_plain_loop() -> None:
    data, made = made_up(("AAA",), 10, 11, holes=0)
    key = InstrumentKey("NSE:AAA")
    settings = {"fast": "5", "slow": "12", "stop": "7", "target": "0", "quantity": "1"}
    asked = Spec(
        (leg(made.catalogue.get("ema_crossover"), (key,), settings),),
        limits=replace(ROOMY, max_trades_per_day=999),
        charges=False,
    )
    result = Backtester(made, data).run(asked)
    found = [
        (
            int(t["side"]), moment(int(t["entry_at"])), float(t["entry_price"]),
            moment(int(t["exit_at"])), float(t["exit_price"]),
        )
        for t in result.trades
    ]  # fmt: skip
    assert {Reason(int(reason)) for reason in result.trades["reason"]} == {Reason.SIGNAL, Reason.SQUAREOFF}
    assert found == plain_crossovers(data[key], 5, 12)
    assert len(found) > 50


def plain_crossovers(bars: Bars, fast: int, slow: int) -> list[tuple[int, datetime, float, datetime, float]]:
    """The same strategy written once more, nothing of ours: averages, next opens, square-off at 15:10."""
    a, b = plain_ema(list(bars.close), fast), plain_ema(list(bars.close), slow)
    trades, held, pending = [], None, 0
    for n in range(len(bars)):
        start = moment(int(bars.start[n]))
        if pending:
            price = float(bars.open[n])
            if held is not None:
                trades.append((*held, start, price))
                held = None
            if abs(pending) == 1:
                held = (pending, start, price)
            pending = 0
        end = start + bars.interval.length
        close_at = end.replace(hour=15, minute=10)
        if n and a[n - 1] is not None and b[n - 1] is not None:
            up, down = a[n] > b[n] and a[n - 1] <= b[n - 1], a[n] < b[n] and a[n - 1] >= b[n - 1]
            wanted = 1 if up else -1 if down else 0
            late = end >= end.replace(hour=15, minute=0) or not same_day(bars, n)
            if wanted and held is not None and held[0] != wanted:
                pending = wanted if not late else 2
            elif wanted and held is None and not late:
                pending = wanted
        if held is not None and end >= close_at:
            pending = 2
        if pending and not same_day(bars, n):
            pending = 0
    return trades


def same_day(bars: Bars, n: int) -> bool:
    return n + 1 < len(bars) and bars.day[n + 1] == bars.day[n]


def plain_ema(values: list[float], period: int) -> list[float | None]:
    out: list[float | None] = [None] * len(values)
    average = sum(values[:period]) / period
    out[period - 1] = average
    for n in range(period, len(values)):
        average += (values[n] - average) * 2 / (period + 1)
        out[n] = average
    return out
