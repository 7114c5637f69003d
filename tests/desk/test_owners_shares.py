"""Shares for delivery that the owner has beside the desk's, and sells himself: no short position is made."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from broker_book import Reply
from world import BUY, OURS, TCS, DeskWorld

from trader.desk.commands import Judge, Kill, Verdict
from trader.desk.effects import Effect, ReadBook
from trader.desk.events import BookRead, BrokerLost
from trader.desk.exposure import day_pnl, exposure, margin_used
from trader.domain.funds import Holding
from trader.domain.order import EXTERNAL, BrokerStatus, Product, Side
from trader.domain.records import DeskMode
from trader.domain.times import IST

CNC = Product.CNC
OPENING = datetime(2026, 11, 25, 9, 20, tzinfo=IST)  # the 24th is a holiday


class SharesWorld(DeskWorld):
    """The owner has ``own`` shares of TCS since long ago."""

    def __init__(self, own: int = 300) -> None:
        self.own = own
        super().__init__()

    def _send(self, effect: Effect) -> None:
        if not isinstance(effect, ReadBook):
            super()._send(effect)
            return
        book, now = self.broker, self.now
        rows = [r for r in book.rows.values() if (r.key, r.product) == (TCS, CNC) and r.side is Side.SELL]
        sold = min(sum(row.filled_quantity for row in rows), self.own)
        holdings = [Holding(TCS, self.own - sold, 0, Decimal(1000), sold)]
        self.inbox.append(BookRead(now, now, effect.purpose, book.orders(), book.positions(), holdings))

    def sells(self, quantity: int) -> None:
        self.broker.elsewhere(TCS, Side.SELL, quantity, "1000", product=CNC)
        self._drain()

    def morning(self) -> None:
        """Positions in delivery have become holdings."""
        self.own += self.broker.net().get((TCS, CNC), 0)
        self.broker.rows.clear()
        self.prices.clear()
        self.now = OPENING

    def moves(self, price: float, seconds: int = 5) -> None:
        self.tick(price, TCS)
        self.clock(seconds)


def world_with_a_sale(own: int = 300, sold: int = 200) -> SharesWorld:
    world = SharesWorld(own)
    world.restart(clean=True)
    world.moves(1000.0)
    world.sells(sold)
    world.clock(5)
    assert world.held(TCS, EXTERNAL, CNC) == -sold
    return world


def test_shares_that_were_sold_lose_nothing_when_their_price_rises() -> None:
    """₹10,000 by the price of 200 shares, past the limit of a day: nobody has lost it."""
    world = world_with_a_sale()
    before = day_pnl(world.state)
    world.moves(1050.0)
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert day_pnl(world.state) == before
    assert exposure(world.state) == 0
    assert margin_used(world.state, world.now.date()) == 0


def test_neither_the_charges_of_a_large_sale_nor_a_dear_repurchase_are_a_loss_of_the_desks() -> None:
    """₹4,000 of tax on ₹40 lakh, and ₹50 a share on 1,000 that the owner buys back: each past the limit."""
    world = SharesWorld(own=4000)
    world.restart(clean=True)
    world.start("scripted", "RELIANCE")
    world.moves(1000.0)
    world.enter(1000.0)
    before = day_pnl(world.state)
    world.sells(4000)
    world.moves(1050.0)
    world.broker.elsewhere(TCS, Side.BUY, 1000, "1050", product=CNC)
    world.clock(5)
    assert world.held(TCS, EXTERNAL, CNC) == -3000
    assert day_pnl(world.state) == before
    assert world.held()
    assert world.state.latch.mode is DeskMode.ACTIVE
    (external,) = [r for r in world.state.portfolio.day_results() if r.owner == EXTERNAL]
    assert external.charges > 3000
    assert external.realised == -50_000


def test_of_a_sale_that_closes_a_purchase_of_the_day_too_only_that_part_counts() -> None:
    world = SharesWorld()
    world.restart(clean=True)
    world.moves(1000.0)
    world.broker.elsewhere(TCS, Side.BUY, 10, "1000", product=CNC)
    world.clock(5)
    world.broker.elsewhere(TCS, Side.SELL, 110, "900", product=CNC)
    world.clock(5)
    assert world.held(TCS, EXTERNAL, CNC) == -100
    assert -1100 < day_pnl(world.state) < -1000


def test_what_a_strategy_buys_after_a_sale_of_the_owners_is_there_on_the_next_day() -> None:
    world = world_with_a_sale(sold=20)
    world.command(Judge("TCS", Verdict.IGNORE))
    world.start("scripted", "TCS", product="CNC", side="long", quantity="10")
    world.tick(1000.0, TCS)
    world.bar(BUY, TCS)
    world.moves(1000.0)
    assert world.held(TCS, OURS, CNC) == 10
    world.morning()
    world.moves(1000.0, 120)
    assert world.held(TCS, OURS, CNC) == 10
    assert world.held(TCS, EXTERNAL, CNC) == 0
    assert not world.told("Unexplained")
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert not world.state.locks


@pytest.mark.parametrize(("side", "quantity", "left"), [(Side.SELL, 30, -30), (Side.BUY, 5, 5)])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_sale_of_yesterday_is_over_though_the_owner_trades_the_share_again(
    restarts: bool, side: Side, quantity: int, left: int
) -> None:
    world = world_with_a_sale(sold=20)
    world.command(Judge("TCS", Verdict.IGNORE))
    world.morning()
    world.broker.elsewhere(TCS, side, quantity, "1000", product=CNC, told=False)
    world.now += timedelta(seconds=5)
    if restarts:
        world.restart(clean=True)
    world.moves(1000.0, 120)
    assert world.held(TCS, EXTERNAL, CNC) == left
    assert not world.told("Unexplained")
    assert world.state.latch.mode is DeskMode.ACTIVE


@pytest.mark.parametrize(("bought_today", "named"), [(0, "TCS CNC +10"), (5, "TCS CNC +15")])
def test_a_kill_that_cannot_sell_shares_of_an_earlier_day_names_them(bought_today: int, named: str) -> None:
    """They are holdings there, and no positions; only what was bought today is one."""
    world = SharesWorld(own=0)
    world.restart(clean=True)
    world.start("scripted", "TCS", product="CNC", side="long", quantity="10")
    world.tick(1000.0, TCS)
    world.bar(BUY, TCS)
    world.moves(1000.0)
    world.morning()
    world.moves(1000.0)
    if bought_today:
        world.broker.elsewhere(TCS, Side.BUY, bought_today, "1000", product=CNC)
        world.clock(5)
    world.broker.fills = False
    for order in list(world.broker.rows.values()):
        world.broker.reject(order.order_id, "TPIN")
    world.command(Kill())
    world.clock(1)
    world.prices.clear()
    for row in [r for r in world.broker.rows.values() if not r.status.final]:
        world.broker.reject(row.order_id, "Holdings are not authorised")
    world.clock(100)
    (told,) = [a for a in world.alerts("kill") if "NOT FLAT" in a.title]
    assert named in told.body.splitlines()


def test_of_a_sale_the_owner_is_asked_for_no_more_than_that_he_knows_of_it() -> None:
    """To adopt it would rest a stop that buys the shares back."""
    world = world_with_a_sale()
    (asked,) = [a for a in world.alerts("difference") if a.alert_id.startswith("difference:")]
    assert "/ignore TCS" in asked.body
    assert "/adopt" not in asked.body
    assert "/flatten" not in asked.body
    answer = world.command(Judge("TCS", Verdict.ADOPT))
    assert not answer.ok
    assert "/ignore TCS" in answer.text
    assert world.held(TCS, EXTERNAL, CNC) == -200
    assert world.command(Judge("TCS", Verdict.IGNORE)).ok
    assert not world.state.locks


@pytest.mark.parametrize("filled_before", [0, 50])
def test_a_kill_does_not_buy_back_what_a_sale_of_the_owners_filled_before_its_cancel(
    filled_before: int,
) -> None:
    world = SharesWorld()
    world.restart(clean=True)
    world.moves(1000.0)
    world.broker.fills = False
    sale = world.broker.elsewhere(TCS, Side.SELL, 200, product=CNC, filled=False)
    if filled_before:
        world.broker.fill(sale, filled_before, Decimal(1000))
    world._drain()
    world.broker.change_replies.append(Reply.REFUSED)
    world.command(Kill())
    world.broker.fill(sale, 200 - filled_before, Decimal(1000))
    world.broker.fills = True
    world.clock(60)
    assert not world.submits()
    assert world.held(TCS, EXTERNAL, CNC) == world.broker.net()[TCS, CNC] == -200
    assert world.told("FLAT verified")


def flattened() -> SharesWorld:
    """Ten shares that the owner bought today are being sold for him, and find nobody yet."""
    world = SharesWorld()
    world.restart(clean=True)
    world.moves(1000.0)
    world.broker.elsewhere(TCS, Side.BUY, 10, "1000", product=CNC)
    world.clock(5)
    world.broker.fills = False
    assert world.command(Judge("TCS", Verdict.FLATTEN)).ok
    return world


def test_who_sells_more_himself_than_is_being_flattened_keeps_his_sale() -> None:
    world = flattened()
    world.sells(30)
    world.broker.fills = True
    world.clock(60)
    (exit_,) = world.submits()
    assert exit_.side is Side.SELL
    assert world.held(TCS, EXTERNAL, CNC) == world.broker.net()[TCS, CNC] == -20
    assert not world.working()


def test_shares_of_the_owners_that_two_crossing_exits_sold_are_told_and_not_bought_back() -> None:
    world = flattened()
    (sent,) = world.working()
    world.broker.change_replies.append(Reply.REFUSED)
    world.sells(30)
    world.broker.fill(sent.order_id, 10, Decimal(1000))
    world.clock(60)
    assert len(world.submits()) == 1
    assert world.held(TCS, EXTERNAL, CNC) == world.broker.net()[TCS, CNC] == -30
    assert world.told("Closed twice")
    assert world.told("none is bought back")


def test_an_order_of_the_owners_goes_on_when_what_he_held_is_flat() -> None:
    """He sells what he bought today, and twenty of his older shares, in one order."""
    world = SharesWorld()
    world.restart(clean=True)
    world.moves(1000.0)
    world.broker.elsewhere(TCS, Side.BUY, 10, "1000", product=CNC)
    world.clock(5)
    world.broker.fills = False
    sale = world.broker.elsewhere(TCS, Side.SELL, 30, product=CNC, filled=False)
    world.broker.fill(sale, 10, Decimal(1000))
    world.clock(60)
    assert world.held(TCS, EXTERNAL, CNC) == 0
    assert world.broker.rows[sale].status is BrokerStatus.OPEN
    world.broker.fill(sale, 20, Decimal(1000))
    world.clock(60)
    assert world.held(TCS, EXTERNAL, CNC) == -20


def test_a_sale_of_the_owners_lacks_no_stop_and_is_nothing_to_adopt_or_to_carry_over() -> None:
    world = world_with_a_sale(sold=20)
    view = world.desk.view(world.now)
    assert [(p.quantity, p.protected) for p in view.positions] == [(-20, True)]
    world.handle(BrokerLost(world.now))
    assert not world.told("Open while nobody is logged in")
    lines = world.desk._daybook._carried(world.now.date())
    assert [(line.label, line.detail) for line in lines] == [("Carried over", "nothing")]


def test_ignoring_a_sale_and_a_position_says_what_a_kill_closes() -> None:
    world = world_with_a_sale(sold=20)
    world.broker.elsewhere(TCS, Side.BUY, 5, "1000")
    world._drain()
    text = world.command(Judge("TCS", Verdict.IGNORE)).text
    assert text.startswith(
        "Ignored TCS: -20 CNC, +5 MIS stays yours to watch. +5 MIS counts in the exposure,"
    )


def test_each_position_in_a_locked_instrument_is_named_with_its_own_units() -> None:
    world = world_with_a_sale(sold=20)
    world.broker.elsewhere(TCS, Side.BUY, 5, "1000")
    world._drain()
    locks = world.desk.view(world.now).locks
    assert [(str(lock.product), lock.text) for lock in locks] == [
        ("CNC", "-20 CNC from elsewhere."),
        ("MIS", "manual order, +5 MIS from elsewhere."),
    ]
