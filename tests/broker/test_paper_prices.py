"""At what price the paper exchange trades: on quotes, and inside recorded candles."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.broker.approvals import approved, change
from tests.broker.paperhouse import OTHER, STOCK, Bench
from trader.broker.paper.conduct import Conduct
from trader.broker.paper.matching import slipped
from trader.domain.errors import OrderRefused
from trader.domain.order import BrokerStatus, OrderType, Side

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, SL, SL_M = OrderType
OPEN, PENDING, COMPLETE = BrokerStatus.OPEN, BrokerStatus.TRIGGER_PENDING, BrokerStatus.COMPLETE


async def opened(conduct: Conduct | None = None) -> Bench:
    bench = Bench(conduct)
    await bench.broker.open()
    await bench.trade_at(100.0)
    bench.clock.at += timedelta(seconds=1)
    return bench


# side, type, prices, the ticks (last, bid, ask) it meets, slippage in bps, where it trades (None: nowhere)
QUOTES = [
    (BUY, MARKET, {}, [(100, 99.9, 100.1)], 0, "100.1"),
    (SELL, MARKET, {}, [(100, 99.9, 100.1)], 0, "99.9"),
    (BUY, MARKET, {}, [(100, 0, 0)], 0, "100"),
    (BUY, MARKET, {}, [(100, 0, 0)], 2, "100.05"),  # 0.02 is less than a tick: a whole one against the trader
    (SELL, MARKET, {}, [(100, 0, 0)], 10, "99.9"),
    (BUY, MARKET, {}, [(100.03, 0, 0)], 0, "100.05"),  # recorded between two ticks
    (SELL, MARKET, {}, [(100.03, 0, 0)], 0, "100"),
    (BUY, LIMIT, {"limit": 101}, [(100, 99.9, 100.1)], 50, "100.1"),  # arrives through the touch: the touch
    (SELL, LIMIT, {"limit": 99}, [(100, 99.9, 100.1)], 50, "99.9"),
    (BUY, LIMIT, {"limit": 99}, [(100, 99.9, 100.1), (97, 96.9, 97.1)], 50, "99"),  # rested: its own price
    (SELL, LIMIT, {"limit": 101}, [(100, 99.9, 100.1), (103, 102.9, 103.1)], 50, "101"),
    (BUY, LIMIT, {"limit": 100}, [(100, 99.9, 100.1)], 0, None),  # the ask is above
    (BUY, LIMIT, {"limit": 100}, [(100, 0, 0)], 0, "100"),
    (SELL, SL_M, {"trigger": 98}, [(98, 97.9, 98.1)], 0, "97.9"),
    (SELL, SL_M, {"trigger": 98}, [(98.05, 97.9, 98.1)], 0, None),  # triggers look at the last price alone
    (SELL, SL_M, {"trigger": 98}, [(94, 0, 0)], 0, "94"),  # a gap trades where it lands
    (BUY, SL_M, {"trigger": 102}, [(105, 104.9, 105.1)], 10, "105.25"),
    (SELL, SL, {"trigger": 98, "limit": 97}, [(97.5, 97.45, 97.55)], 50, "97.45"),
    (SELL, SL, {"trigger": 98, "limit": 97}, [(96, 95.9, 96.1)], 0, None),  # jumped over: left in the book
    (SELL, SL, {"trigger": 98, "limit": 97}, [(96, 95.9, 96.1), (97.5, 97.4, 97.6)], 0, "97"),
    (BUY, SL, {"trigger": 102, "limit": 103}, [(104, 103.9, 104.1), (99, 98.9, 99.1)], 0, "103"),
]


@pytest.mark.parametrize(("side", "order_type", "prices", "ticks", "bps", "expected"), QUOTES)
async def test_on_quotes(side, order_type, prices, ticks, bps, expected) -> None:
    bench = await opened(Conduct(slippage_bps=bps))
    order_id = await bench.broker.place(approved(STOCK.key, side, 10, order_type, **prices))
    for last, bid, ask in ticks:
        await bench.trade_at(last, bid, ask)
    row = await bench.row(order_id)
    assert row.average_price == (Decimal(expected) if expected else 0)
    assert row.filled_quantity == (10 if expected else 0)


async def test_a_stop_limit_that_was_jumped_over_is_shown_as_triggered() -> None:
    bench = await opened()
    order_id = await bench.broker.place(approved(STOCK.key, SELL, 10, SL, trigger=98, limit=97))
    await bench.trade_at(96.0)
    assert [u.status for u in bench.heard] == [PENDING, OPEN]
    assert (await bench.row(order_id)).order_type is SL


async def test_a_trigger_is_judged_by_what_traded_last_here_until_the_next_quote() -> None:
    """A wide market: bought at the ask, far above the last price, a stop may lie between the two."""
    bench = await opened()
    await bench.broker.place(approved(STOCK.key, BUY, 10))
    await bench.trade_at(100.0, 99.0, 104.0)
    assert bench.heard[-1].average_price == 104
    stop = await bench.broker.place(approved(STOCK.key, SELL, 10, SL_M, trigger=102))
    with pytest.raises(OrderRefused, match="below the last price"):
        await bench.broker.place(approved(STOCK.key, SELL, 10, SL_M, trigger=104))
    await bench.trade_at(103.0, 102.5, 104.0)
    assert (await bench.row(stop)).status is PENDING
    with pytest.raises(OrderRefused, match="below the last price"):
        await bench.broker.place(approved(STOCK.key, SELL, 10, SL_M, trigger=103))


# side, type, prices, a candle (open, high, low, close) after a last price of 100, bps, price (None: nowhere)
CANDLES = [
    (SELL, SL_M, {"trigger": 98}, (100, 101, 97, 99), 0, "98"),
    (SELL, SL_M, {"trigger": 98}, (100, 101, 97, 99), 10, "97.9"),
    (SELL, SL_M, {"trigger": 98}, (100, 101, 98, 99), 0, "98"),  # touching is enough
    (SELL, SL_M, {"trigger": 98}, (100, 101, 98.05, 99), 0, None),
    (SELL, SL_M, {"trigger": 98}, (95, 101, 94, 99), 0, "95"),  # gapped at the open, which is a quote
    (BUY, SL_M, {"trigger": 102}, (100, 103, 99, 101), 0, "102"),
    (BUY, SL_M, {"trigger": 102}, (104, 106, 99, 101), 0, "104"),
    (BUY, LIMIT, {"limit": 98}, (100, 101, 97, 99), 50, "98"),
    (BUY, LIMIT, {"limit": 98}, (97, 101, 96, 99), 0, "97"),  # it met the open first
    (SELL, LIMIT, {"limit": 102}, (100, 102, 97, 99), 0, "102"),
    (SELL, LIMIT, {"limit": 102}, (100, 101.95, 97, 99), 0, None),
    (SELL, SL, {"trigger": 98, "limit": 97.5}, (100, 101, 97, 99), 0, "98"),
    (SELL, SL, {"trigger": 98, "limit": 97.95}, (100, 101, 97, 99), 50, "97.95"),  # never beyond its limit
    (SELL, SL, {"trigger": 98, "limit": 97.5}, (96, 97, 95, 96), 0, None),
    (BUY, MARKET, {}, (103, 104, 102, 103), 0, "103"),
]


@pytest.mark.parametrize(("side", "order_type", "prices", "candle", "bps", "expected"), CANDLES)
async def test_in_candles(side, order_type, prices, candle, bps, expected) -> None:
    bench = await opened(Conduct(slippage_bps=bps))
    order_id = await bench.broker.place(approved(STOCK.key, side, 10, order_type, **prices))
    await bench.show(bench.bar(*candle))
    row = await bench.row(order_id)
    assert row.average_price == (Decimal(expected) if expected else 0)
    assert row.filled_quantity == (10 if expected else 0)


async def long_with_stop(bench: Bench, stop: float = 98):
    """Bought at the open of a candle now being shown, a stop resting since."""
    await bench.broker.place(approved(STOCK.key, BUY, 10))
    bar = bench.bar(100, 104, 99, 103)
    await bench.show_open(bar)
    order = approved(STOCK.key, SELL, 10, SL_M, trigger=stop)
    return bar, order, await bench.broker.place(order)


@pytest.mark.parametrize(
    ("target", "expected"), [(104, COMPLETE), (99, COMPLETE), (104.05, OPEN), (98.95, OPEN)]
)
async def test_a_stop_turned_into_a_target_inside_the_range_trades_at_its_price(target, expected) -> None:
    bench = await opened()
    bar, order, order_id = await long_with_stop(bench)
    await bench.show_range(bar)
    await bench.broker.modify(change(order, order_id, LIMIT, limit=target))
    row = await bench.row(order_id)
    assert row.status is expected
    assert row.average_price == (Decimal(str(target)) if expected is COMPLETE else 0)
    assert row.at == bar.end


async def test_a_stop_the_range_reached_is_gone_before_it_can_become_a_target() -> None:
    bench = await opened()
    bar, order, order_id = await long_with_stop(bench, stop=99.5)
    await bench.show_range(bar)
    assert (await bench.row(order_id)).average_price == Decimal("99.5")
    with pytest.raises(OrderRefused, match="being processed"):
        await bench.broker.modify(change(order, order_id, LIMIT, limit=104))


async def test_an_order_born_inside_the_range_gets_none_of_it() -> None:
    bench = await opened()
    bar = bench.bar(100, 104, 96, 103)
    await bench.show_open(bar)
    await bench.show_range(bar)
    market = await bench.broker.place(approved(STOCK.key, BUY, 10))
    stop = approved(STOCK.key, SELL, 10, SL_M, trigger=98)
    stop_id = await bench.broker.place(stop)
    await bench.broker.modify(change(stop, stop_id, LIMIT, limit=104))
    await bench.broker.on_bar_closed(bar)
    for order_id in (market, stop_id):
        assert (await bench.row(order_id)).filled_quantity == 0
    await bench.show_open(bench.bar(103.5, 104, 103, 104))
    assert (await bench.row(market)).average_price == Decimal("103.5")
    assert (await bench.row(stop_id)).filled_quantity == 0


async def test_after_the_close_nothing_trades_until_the_next_open() -> None:
    bench = await opened()
    bar, order, order_id = await long_with_stop(bench)
    await bench.show_range(bar)
    await bench.broker.on_bar_closed(bar)
    await bench.broker.modify(change(order, order_id, LIMIT, limit=102))  # the close was 103
    market = await bench.broker.place(approved(STOCK.key, BUY, 5))
    assert (await bench.row(order_id)).filled_quantity == (await bench.row(market)).filled_quantity == 0
    await bench.show_open(bench.bar(102.5, 104, 99, 103))
    assert (await bench.row(order_id)).average_price == Decimal("102.5")
    assert (await bench.row(market)).average_price == Decimal("102.5")


async def test_the_close_is_the_last_price_a_trigger_is_held_against() -> None:
    bench = await opened()
    bar, order, order_id = await long_with_stop(bench)
    await bench.show_range(bar)
    await bench.broker.on_bar_closed(bar)
    with pytest.raises(OrderRefused, match="below the last price"):
        await bench.broker.modify(change(order, order_id, SL_M, trigger=103.5))
    await bench.broker.modify(change(order, order_id, SL_M, trigger=102.5))
    assert (await bench.row(order_id)).trigger_price == Decimal("102.5")


async def test_where_stop_and_limit_of_a_position_are_both_reached_only_the_stop_trades() -> None:
    bench = await opened()
    await bench.broker.place(approved(STOCK.key, BUY, 10))
    bar = bench.bar(100, 104, 96, 103)
    await bench.show_open(bar)
    limit = await bench.broker.place(approved(STOCK.key, SELL, 10, LIMIT, limit=103))
    stop = await bench.broker.place(approved(STOCK.key, SELL, 10, SL_M, trigger=98))
    await bench.show_range(bar)
    assert (await bench.row(stop)).average_price == 98
    assert (await bench.row(limit)).filled_quantity == 0


async def test_a_stop_that_came_in_the_middle_of_a_candle_counts_but_a_limit_does_not() -> None:
    bench = await opened()
    bar = bench.bar(100, 104, 96, 103)
    await bench.show_open(bar)
    bench.clock.at += timedelta(minutes=2)
    limit = await bench.broker.place(approved(STOCK.key, BUY, 10, LIMIT, limit=97))
    stop = await bench.broker.place(approved(STOCK.key, SELL, 10, SL_M, trigger=98))
    await bench.show_range(bar)
    assert (await bench.row(stop)).average_price == 98
    assert (await bench.row(limit)).filled_quantity == 0


async def test_one_instruments_candle_says_nothing_of_another() -> None:
    bench = await opened()
    order_id = await bench.broker.place(approved(STOCK.key, SELL, 10, SL_M, trigger=98))
    await bench.show(bench.bar(100, 104, 90, 95, key=OTHER.key))
    assert (await bench.row(order_id)).status is PENDING


async def test_closed_bars_of_a_ticking_market_do_not_disturb_the_present_quote() -> None:
    bench = await opened()
    bar = bench.bar(100, 104, 90, 95)
    await bench.trade_at(101.0)
    await bench.broker.on_bar_closed(bar)
    order_id = await bench.broker.place(approved(STOCK.key))
    assert (await bench.row(order_id)).average_price == 101


def test_slippage_never_takes_a_price_below_a_tick() -> None:
    assert slipped(Decimal("0.05"), SELL, 500, STOCK) == Decimal("0.05")
