"""What the desk books as charges is what the day's contract note says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import later, request, update
from world import BUY, LEAVE, OURS, REL, DeskWorld

from trader.desk import orders as machine
from trader.desk.commands import CloseDay, ReopenDay
from trader.desk.costs import executed_of, executed_on, underlying_price
from trader.desk.limits import RiskLimits
from trader.domain.order import BrokerStatus, Product, Purpose, Side
from trader.domain.times import IST

FILLED = update(BrokerStatus.COMPLETE, 10, "1000")
RICH = RiskLimits(
    capital=Decimal(1_000_000),
    max_daily_loss=Decimal(900_000),
    max_daily_loss_pct=Decimal(90),
    max_drawdown_pct=Decimal(90),
    max_order_value=Decimal(500_000),
    loss_streak=999,
    max_trades_per_day=999,
)


def booked(world: DeskWorld) -> Decimal:
    return sum((fill.charges for fill in world.fills()), Decimal(0))


def trading(product: str = "MIS") -> DeskWorld:
    world = DeskWorld(RICH)
    world.start(product=product, side="long", quantity="100", target="0", stop="7")
    return world


def round_trip(world: DeskWorld, entry: float, leave: float) -> None:
    world.tick(entry)
    world.bar(BUY)
    world.tick(entry)
    world.tick(leave)
    world.bar(LEAVE)
    world.tick(leave)
    world.clock(6)  # the same entry sooner would be taken for a loop


def test_an_intraday_round_trip_costs_what_the_tables_say() -> None:
    """100 at 1,000 and back: india.md 3.4."""
    world = trading()
    round_trip(world, 1000.0, 1000.0)
    assert booked(world) == Decimal("82.68")
    assert world.trades()[0].charges == Decimal("82.68")


def test_delivery_sold_the_same_day_costs_as_much_as_intraday() -> None:
    world = trading("CNC")
    round_trip(world, 1000.0, 1000.0)
    buy, sell = world.fills()
    assert buy.charges > Decimal(115)  # the buyer's STT and stamp duty of delivery, at first
    assert sell.charges < 0  # and given back
    assert booked(world) == Decimal("82.68")


def test_delivery_sold_on_another_day_pays_the_depository_too() -> None:
    world = trading("CNC")
    world.tick(1000.0)
    world.bar(BUY)
    world.tick(1000.0)
    world.clock(65)
    world.broker.new_day()
    world.prices.clear()
    world.jump(datetime(2026, 11, 25, 9, 30, tzinfo=IST))
    world.clock(65)
    world.tick(1000.0)
    world.bar(LEAVE)
    world.tick(1000.0)
    world.clock(3)
    assert world.held(product=Product.CNC) == 0
    assert booked(world) == Decimal("237.82")


def test_what_the_broker_squared_off_before_its_hour_costs_its_fee_too() -> None:
    """It says so in words; the fee is ₹50 and GST an order."""
    instrument = DeskWorld().state.instrument(REL)
    wanted = request(10, Side.SELL, purpose=Purpose.EXTERNAL)
    order = machine.merge(machine.adopted(update(BrokerStatus.OPEN), wanted), FILLED).order
    told = replace(order, message="RMS:Blocked for nse RELIANCE EQ MIS")
    early = executed_of(order, instrument, later(3600))
    assert early is not None
    assert not early.by_broker
    squared = executed_of(told, instrument, later(3600))
    assert squared is not None
    assert squared.by_broker


def test_a_share_sold_as_delivery_and_on_margin_pays_the_depository_once() -> None:
    world = DeskWorld(RICH)
    for product in (Product.CNC, Product.MTF):
        world.broker.elsewhere(REL, Side.SELL, 10, "1000", product=product)
        world._drain()
    orders = executed_on(world.state, world.now.date())
    note = world.state.charges.day(orders)
    assert note.ledger.dp == Decimal("15.34")
    assert abs(note.rounding(booked(world))) <= note.rounding_bound


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["MIS", "CNC"]),
    st.lists(st.tuples(st.integers(9_500, 10_500), st.integers(9_500, 10_500)), min_size=1, max_size=6),
    st.sampled_from([None, 1, 7, 33]),
)
def test_fills_sum_to_the_days_note_but_for_its_rounding(
    product: str, trips: list[tuple[int, int]], piece: int | None
) -> None:
    world = trading(product)
    world.broker.slice = piece
    for entry, leave in trips:
        round_trip(world, entry / 10, leave / 10)
        world.clock(100)
    assert not world.account()
    orders = executed_on(world.state, world.now.date())
    note = world.state.charges.day(orders)
    # Half a rupee of STT, and half a paisa for each line of each order.
    assert abs(note.rounding(booked(world))) <= Decimal("0.5") + Decimal("0.04") * len(orders)
    assert world.state.portfolio.day_result(OURS, world.now.date()).charges == booked(world)


def test_nobody_knows_the_price_behind_a_stock() -> None:
    world = DeskWorld()
    instrument = world.state.instrument(REL)
    assert instrument is not None
    assert underlying_price(world.state, instrument) is None


@pytest.mark.parametrize("day", ["2026-11-25", "2026-12-24"])
def test_a_day_closed_by_the_owner_can_be_reopened(day: str) -> None:
    world = DeskWorld()
    wanted = datetime.fromisoformat(day).date()
    assert not world.command(ReopenDay(wanted)).ok
    assert world.command(CloseDay(wanted, "elections")).ok
    assert not world.calendar.is_trading_day(wanted)
    assert world.command(ReopenDay(wanted)).ok
    assert world.calendar.is_trading_day(wanted)
