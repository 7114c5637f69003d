"""A position that is converted to another product in the broker's app: nothing is gained or lost by it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from world import OURS, REL, DeskWorld

from trader.desk.commands import Judge, Reconcile, Verdict
from trader.desk.exposure import day_pnl
from trader.desk.locks import MANUAL, Difference
from trader.domain.money import ZERO
from trader.domain.order import EXTERNAL, Product, Side
from trader.domain.records import Alert, DeskMode

MIS, CNC = Product.MIS, Product.CNC


def held(quantity: int = 100) -> DeskWorld:
    """So many at ₹1,000.00 and MIS, the market ₹5.00 below it, and the stop ₹990.00."""
    world = DeskWorld()
    world.restart(clean=True)
    world.enter(1000.0, quantity=str(quantity), stop="1", target="0")
    world.tick(995.0)
    world.clock(2)
    return world


def convert(world: DeskWorld, quantity: int, *, look: bool = True) -> None:
    """In the app; the broker keeps the price it was bought at."""
    opening = world.broker.opening
    opening[REL, MIS] = opening.get((REL, MIS), 0) - quantity
    opening[REL, CNC] = opening.get((REL, CNC), 0) + quantity
    world.broker.averages[REL, CNC] = Decimal(1000)
    if look:
        world.command(Reconcile())
        world.clock(10)


def told(world: DeskWorld) -> list[Alert]:
    return [a for a in world.alerts("difference") if a.title.startswith("Converted")]


def test_it_moves_to_its_owner_at_the_price_it_was_bought_at() -> None:
    world = held()
    before, trades = day_pnl(world.state), world.trades()
    convert(world, 100)
    assert world.held() == 0
    assert world.held(REL, EXTERNAL, CNC) == 100
    assert world.account() == {(REL, CNC): 100}
    assert day_pnl(world.state) == before
    assert world.trades() == trades
    assert world.state.portfolio.day_result(OURS, world.state.counters.day).realised == ZERO
    assert not world.working(), "its stop would have sold what is not there"


def test_it_is_told_once_and_asked_about() -> None:
    world = held()
    convert(world, 100)
    (alert,) = told(world)
    assert alert.title == "Converted: RELIANCE CNC +100"
    assert alert.body.splitlines() == [
        "Expected: +0 CNC.",
        "Broker: +100; scripted's 100 MIS converted to CNC, no order for it.",
        "Done: +100 to external.",
        "No entries in RELIANCE until your verdict: /adopt, /ignore or /flatten RELIANCE.",
    ]
    assert world.state.locks[REL].kind is Difference.CONVERTED
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert not world.told("Vanished")
    world.clock(130)
    assert len(told(world)) == 1


def test_of_a_part_that_is_converted_the_rest_keeps_a_stop_of_its_size() -> None:
    world = held()
    convert(world, 40)
    assert (world.held(), world.held(REL, EXTERNAL, CNC)) == (60, 40)
    assert world.stop().quantity == 60
    world.tick(985.0)
    world.clock(2)
    assert world.held() == 0
    (trade,) = world.trades()
    assert (trade.quantity, trade.entry_price) == (60, Decimal(1000))
    entry, sale = world.fills()
    assert trade.charges == entry.charges * 60 / 100 + sale.charges


def test_what_the_owner_bought_himself_goes_first_and_no_money_moves_whatever_the_broker_averages() -> None:
    world = held(80)
    world.broker.elsewhere(REL, Side.BUY, 20, "996")
    world.tick(995.0)
    before = day_pnl(world.state)
    convert(world, 40)
    assert (world.held(), world.held(REL, EXTERNAL), world.held(REL, EXTERNAL, CNC)) == (60, 0, 40)
    assert day_pnl(world.state) == before
    convert(world, 10)
    assert (world.held(), world.held(REL, EXTERNAL, CNC)) == (50, 50)
    assert day_pnl(world.state) == before


def test_what_was_converted_can_be_adopted_and_has_a_stop_then() -> None:
    world = held()
    convert(world, 100)
    assert world.command(Judge("RELIANCE", Verdict.ADOPT)).ok
    world.clock(2)
    assert world.held(REL, MANUAL, CNC) == 100
    assert (world.stop().product, world.stop().quantity) == (CNC, 100)


@pytest.mark.parametrize("clean", [True, False])
def test_one_made_while_the_desk_was_down_halts_nobody_more(clean: bool) -> None:
    world = held()
    pnl = day_pnl(world.state)
    convert(world, 100, look=False)
    world.restart(clean=clean)
    world.clock(3)
    assert (world.held(), world.held(REL, EXTERNAL, CNC)) == (0, 100)
    assert day_pnl(world.state) == pnl
    assert world.told("positions nobody can explain") is False
    assert (world.state.latch.mode is DeskMode.ACTIVE) is clean


def test_a_position_that_goes_where_another_of_the_opposite_side_comes_is_no_conversion() -> None:
    world = held()
    world.broker.opening[REL, MIS] = -100
    world.broker.opening[REL, CNC] = -100
    world.command(Reconcile())
    world.clock(3)
    assert world.told("Vanished: RELIANCE MIS -100")
    assert not told(world)


def test_a_conversion_over_a_restart_leaves_the_same_books() -> None:
    world = held()
    convert(world, 40)
    pnl = day_pnl(world.state)
    world.restart(clean=True)
    world.clock(3)
    assert (world.held(), world.held(REL, EXTERNAL, CNC)) == (60, 40)
    assert day_pnl(world.state) == pnl
    world.broker.elsewhere(REL, Side.SELL, 40, "995", product=CNC)
    world._drain()
    world.clock(70)
    assert world.held(REL, EXTERNAL, CNC) == 0
    assert REL not in world.state.locks


def test_what_was_sold_of_a_converted_position_before_it_is_seen_is_lost_once() -> None:
    """Its stop fires in the minute before the next reading: 100 short in MIS, and 100 held in CNC."""
    world = held()
    convert(world, 100, look=False)
    world.tick(985.0)
    world.clock(10)
    assert world.held() == 0
    before = day_pnl(world.state)
    world.command(Reconcile())
    world.clock(10)
    assert (world.held(REL, EXTERNAL), world.held(REL, EXTERNAL, CNC)) == (-100, 100)
    assert day_pnl(world.state) == before
