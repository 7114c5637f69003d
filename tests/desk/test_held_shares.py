"""Delivery shares leave the broker's positions overnight; the desk looks for them among the holdings."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from world import REL, DeskWorld

from trader.desk.events import BookPurpose, BookRead
from trader.domain.funds import Holding
from trader.domain.order import EXTERNAL, Product
from trader.domain.records import DeskMode
from trader.domain.times import IST


def morning_after(held: int) -> DeskWorld:
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long", quantity="10")
    world.broker.new_day()
    world.broker.opening.clear()  # as at Kite: they are holdings now
    world.now = datetime(2026, 11, 25, 9, 20, tzinfo=IST)
    world.prices.clear()
    shown = [Holding(REL, held - 4, 4, Decimal(990))] if held else []
    ledger_now = world.now
    world.broker.readable = False
    world.restart(clean=True)
    world.handle(BookRead(ledger_now, ledger_now, BookPurpose.RECONCILE, [], [], shown))
    return world


def test_shares_among_the_holdings_are_where_they_should_be() -> None:
    world = morning_after(10)
    assert world.held(product=Product.CNC) == 10
    assert world.state.latch.mode is DeskMode.ACTIVE


def test_the_owners_other_shares_are_not_the_desks_business() -> None:
    world = morning_after(500)
    assert world.held(product=Product.CNC) == 10
    assert world.held(owner=EXTERNAL, product=Product.CNC) == 0
    assert world.state.latch.mode is DeskMode.ACTIVE


def test_shares_that_are_nowhere_are_missed() -> None:
    world = morning_after(0)
    assert world.state.latch.mode is not DeskMode.ACTIVE or world.state.locks
