"""The broker's funds against the desk's reckoning: told when far apart, and never overspent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from samples import request
from test_risk_gate import entry
from world import BUY, LEAVE, SECOND, TCS, DeskWorld

from trader.desk.checks.limits import capital
from trader.desk.commands import Reconcile
from trader.desk.events import FundsRead
from trader.desk.exposure import case_of, exposure, margin_used
from trader.desk.funding import Funding
from trader.domain.funds import Funds
from trader.domain.order import Product, Purpose, Side

D = Decimal


def reads(world: DeskWorld, available: str, used: str, *, asked: int = 0) -> None:
    """``asked`` so many seconds ago."""
    world.now += SECOND
    funds = Funds(cash=D(available) + D(used), available=D(available), used=D(used))
    world.handle(FundsRead(world.now, world.now - asked * SECOND, funds))


def tied(world: DeskWorld) -> Decimal:
    return margin_used(world.state, world.state.trading_day(world.now))


# -- entries ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "answer"),
    [
        (None, None),
        ("2000", None),
        ("1999.99", "The order needs ₹2,000.00; ₹1,999.99 is free at the broker."),
        ("-500", "The order needs ₹2,000.00; ₹0.00 is free at the broker."),
        ("500000", None),
    ],
)
def test_an_entry_needs_no_more_than_the_broker_has(free: str | None, answer: str | None) -> None:
    verdict = capital(replace(entry(), broker_free=None if free is None else D(free)))
    assert (verdict and verdict.sentence) == answer


def test_the_desks_own_capital_holds_where_the_broker_has_more() -> None:
    verdict = capital(replace(entry(), equity=D(1500), broker_free=D(500_000)))
    assert verdict is not None
    assert verdict.sentence == "The order needs ₹2,000.00; ₹1,500.00 is free."


def test_a_desk_that_may_use_more_than_the_account_has_enters_nothing_and_says_why() -> None:
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    reads(world, "900", "0")
    world.bar(BUY)
    assert not world.submits()
    assert world.told("₹900.00 is free at the broker")


def test_what_was_entered_since_the_reading_is_taken_off_and_given_back_when_left() -> None:
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    reads(world, "50000", "0")
    world.bar(BUY)
    world.tick(1000.0)
    assert tied(world) > 0
    another = replace(world.submits(Purpose.ENTRY)[0], key=TCS)
    assert case_of(world.state, world.now, another).broker_free == D(50_000) - tied(world) + min(
        world.state.counters.booked, D(0)
    )
    world.bar(LEAVE)
    world.tick(1000.0)
    assert not world.held()
    left = case_of(world.state, world.now, another).broker_free
    assert left == D(50_000) + world.state.counters.booked  # less the charges


def test_funds_of_yesterday_hold_nothing_back() -> None:
    world = DeskWorld()
    world.tick(1000.0)
    reads(world, "900", "0")
    assert case_of(world.state, world.now, request(10)).broker_free == 900
    assert case_of(world.state, world.now + timedelta(days=2), request(10)).broker_free is None


def test_a_reading_during_which_something_moved_is_not_kept() -> None:
    world = DeskWorld()
    world.enter()
    reads(world, "900", "0", asked=3600)
    assert world.state.funding is None


# -- the comparison --------------------------------------------------------------------------------------


def apart(used: str, expected: str) -> int:
    return Funding(Funds(D(0), D(0), D(used)), DeskWorld().now, D(0), D(0), D(expected)).apart


@pytest.mark.parametrize(
    ("used", "expected", "sign"),
    [
        ("20000", "20000", 0),
        ("5000", "0", 0),  # no more than the least
        ("5000.01", "0", 1),
        ("0", "5000.01", -1),
        ("100000", "75000", 0),  # no more than a quarter
        ("100000", "74999.99", 1),
        ("74999.99", "100000", -1),
    ],
)
def test_margin_models_may_differ_by_a_quarter_and_five_thousand_rupees(
    used: str, expected: str, sign: int
) -> None:
    assert apart(used, expected) == sign


def test_a_difference_of_two_readings_is_told_once_a_day_and_locks_nothing() -> None:
    world = DeskWorld()
    world.enter()
    reads(world, "40000", "60000")
    assert not world.alerts("reconcile")
    reads(world, "40000", "60000")
    (alert,) = world.alerts("reconcile")
    assert alert.title.startswith("₹60,000.00 of margin blocked, ₹")
    assert "Nothing is locked; told beyond 25% and ₹5,000. ₹40,000.00 are free there" in alert.body
    assert not world.state.locks
    reads(world, "40000", "60000")
    assert len({a.alert_id for a in world.alerts("reconcile")}) == 1


def test_a_difference_that_was_of_the_moment_is_not_told() -> None:
    world = DeskWorld()
    world.enter()
    exact = str(tied(world))
    for used in ("60000", exact, "60000", exact):
        reads(world, "40000", used)
    assert not world.alerts("reconcile")


def test_shares_paid_for_on_an_earlier_day_block_nothing_at_the_broker() -> None:
    world = DeskWorld()
    world.enter(product="CNC", side="long")
    assert world.held(product=Product.CNC) > 0
    assert tied(world) > 5000
    world.jump(world.now + timedelta(days=2))  # the 24th is a holiday
    reads(world, "40000", "0")
    assert world.state.funding is not None
    assert world.state.funding.expected == 0


def test_an_order_in_the_brokers_app_blocks_margin_too() -> None:
    world = DeskWorld()
    world.restart(clean=True)
    world.tick(1000.0)
    world.tick(1000.0, TCS)
    world.broker.elsewhere(TCS, Side.BUY, 100, "1000", filled=False)
    world._drain()
    reads(world, "40000", "20000")
    assert world.state.funding is not None
    assert world.state.funding.expected > tied(world)


def test_an_order_in_the_brokers_app_counts_in_the_exposure_unless_it_closes_what_is_held() -> None:
    world = DeskWorld()
    world.restart(clean=True)
    world.tick(1000.0, TCS)
    world.broker.elsewhere(TCS, Side.BUY, 100, "1000", filled=False)
    world._drain()
    assert exposure(world.state) == 100_000
    world.broker.elsewhere(TCS, Side.BUY, 40, "1000")
    world.broker.elsewhere(TCS, Side.SELL, 40, "1000", filled=False)
    world._drain()
    assert exposure(world.state) == 140_000


def test_reconcile_tells_the_funds() -> None:
    world = DeskWorld()
    world.enter()
    reads(world, "40000", "60000")
    world.command(Reconcile())
    (told,) = [a for a in world.alerts("reconcile") if a.alert_id.startswith("reconcile:")]
    assert "Funds: ₹40,000.00 free, ₹60,000.00 blocked; the desk reckons ₹" in told.body
    assert "more apart than margin models are" in told.body
