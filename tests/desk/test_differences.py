"""What the broker shows and the desk did not do: told once, its instrument locked until the verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from broker_book import Reply
from samples import update
from world import BUY, CALL, REL, SECOND, TCS, DeskWorld, at_once

from trader.desk.commands import Judge, Reconcile, Resume, StartStrategy, Verdict
from trader.desk.effects import Answer, Effect, ReadBook, Watch, Write
from trader.desk.events import BookPurpose, BookRead, CommandGiven, OrderUpdated
from trader.desk.exposure import day_pnl
from trader.desk.locks import MANUAL, Difference
from trader.desk.portfolio import Slot
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.domain.order import (
    EXTERNAL,
    BrokerPosition,
    BrokerStatus,
    OrderId,
    OrderState,
    OrderType,
    Owner,
    Product,
    Purpose,
    Side,
    Tag,
)
from trader.domain.records import Alert, DeskMode, Priority, Record, Setting

KEEPER = Owner("keeper")
ADOPT, IGNORE, FLATTEN = Verdict.ADOPT, Verdict.IGNORE, Verdict.FLATTEN


def running(price: float = 1000.0) -> DeskWorld:
    """A desk whose first reading is behind it, with prices."""
    world = DeskWorld()
    world.restart(clean=True)
    world.tick(price)
    world.tick(price, TCS)
    return world


def bought(world: DeskWorld, side: Side = Side.BUY, quantity: int = 40, **more: bool) -> OrderId:
    """The owner trades TCS in the broker's app."""
    order_id = world.broker.elsewhere(TCS, side, quantity, "1000", **more)
    world._drain()
    return order_id


def judge(world: DeskWorld, verdict: Verdict, symbol: str = "TCS") -> Answer:
    return world.command(Judge(symbol, verdict))


def asked(world: DeskWorld) -> list[Alert]:
    """The alerts under which chat puts the verdicts' buttons."""
    return [a for a in world.alerts("difference") if a.alert_id.startswith("difference:")]


def seen(world: DeskWorld) -> list[Alert]:
    return [a for a in world.alerts("difference") if a.alert_id.startswith("seen:")]


def enters(world: DeskWorld) -> bool:
    """Whether a strategy gets into TCS now."""
    if world.held(TCS, KEEPER) or "keeper" not in world.state.instances:
        world.start("keeper", "TCS")
    world.clock(11)  # past the window of duplicate signals
    world.tick(1000.0, TCS)
    before = len(world.submits(Purpose.ENTRY))
    world.bar(BUY, TCS)
    return len(world.submits(Purpose.ENTRY)) > before


def drift(world: DeskWorld, key: InstrumentKey, quantity: int) -> None:
    """The broker's positions change, no order explains it, and two readings show it."""
    world.broker.opening[key, Product.MIS] = world.broker.opening.get((key, Product.MIS), 0) + quantity
    world.command(Reconcile())
    world.clock(3)


# -- what it is ---------------------------------------------------------------------------------------


def test_a_manual_order_locks_its_instrument_and_asks_once() -> None:
    world = running()
    bought(world)
    assert world.held(TCS, EXTERNAL) == 40
    (alert,) = asked(world)
    assert alert.alert_id.startswith(f"difference:{TCS}:MIS:2026")
    assert alert.priority is Priority.CRITICAL
    assert alert.title == "Order from elsewhere: BUY 40 TCS MIS @ ₹1,000.00"
    assert alert.body.splitlines() == [
        "Expected: +0 MIS.",
        "Broker: +40; BUY 40 TCS MIS @ ₹1,000.00.",
        "Done: +40 to external.",
        "No entries in TCS until your verdict: /adopt, /ignore or /flatten TCS.",
    ]
    assert world.state.locks[TCS].kind is Difference.MANUAL
    assert world.state.latch.mode is DeskMode.ACTIVE
    world.clock(200)
    assert len(asked(world)) == 1
    assert not world.alerts("fill"), "the one alert tells it"
    assert Watch(TCS, Interval.M1) in world.effects()


def test_a_lock_holds_every_strategy_out_of_its_instrument_and_of_no_other() -> None:
    world = running()
    bought(world)
    assert not enters(world)
    assert world.denied("locked")
    world.enter(1000.0)
    assert world.held() > 0


def test_entries_on_their_way_are_withdrawn_when_their_instrument_is_locked() -> None:
    world = running()
    world.broker.fills = False
    assert enters(world)
    bought(world)
    assert not world.working(Purpose.ENTRY)


def test_a_lock_holds_no_exit() -> None:
    world = running()
    world.enter(1000.0)
    world.broker.elsewhere(REL, Side.BUY, 5, "1000")
    world._drain()
    assert REL in world.state.locks
    world.tick(980.0)
    world.clock(2)
    assert world.held() == 0


def test_a_resting_manual_order_is_told_and_asked_about_when_it_fills() -> None:
    world = running()
    order_id = bought(world, filled=False)
    assert not world.state.locks
    assert [a.title for a in seen(world)] == ["Order from elsewhere: BUY 40 TCS MIS"]
    for part in (7, 20, 13):
        world.broker.fill(order_id, part, Decimal(1000))
        world._drain()
        assert TCS in world.state.locks
    assert [a.title for a in asked(world)] == [
        "Order from elsewhere: BUY 40 TCS MIS, 7 filled @ ₹1,000.00",
        "Order from elsewhere: BUY 40 TCS MIS @ ₹1,000.00",
    ], "with its first fill and when it is done"


def test_a_manual_order_that_fills_in_part_and_is_cancelled_is_asked_about_as_it_ended() -> None:
    world = running()
    order_id = bought(world, filled=False)
    world.broker.fill(order_id, 7, Decimal(1000))
    world.broker.fill(order_id, 7, Decimal(1000))
    world.broker.cancel(order_id)
    world._drain()
    assert len(asked(world)) == 2
    assert world.state.asked == {(TCS, Product.MIS): 14}


def test_a_manual_order_against_our_position_closes_it_and_says_what_became_of_it() -> None:
    world = running()
    world.enter(1000.0)
    world.broker.elsewhere(REL, Side.SELL, 130, "998")
    world._drain()
    assert (world.held(), world.held(owner=EXTERNAL)) == (0, -30)
    assert not world.working(Purpose.STOP)
    (alert,) = asked(world)
    assert "Expected: +100 MIS." in alert.body
    assert "Broker: -30; SELL 130 RELIANCE MIS" in alert.body
    assert "-30 to external" in alert.body
    assert "-100 to scripted, net -₹" in alert.body


def test_of_an_order_that_is_shared_out_each_share_bears_its_part_of_the_charges() -> None:
    world = running()
    world.enter(1000.0)
    world.broker.elsewhere(REL, Side.SELL, 130, "1000")
    world._drain()
    shares = {fill.quantity: fill for fill in world.fills() if fill.side is Side.SELL}
    assert set(shares) == {100, 30}
    assert shares[30].charges > 0
    assert abs(shares[100].charges / shares[30].charges - Decimal(100) / 30) < Decimal("0.01")


def test_one_that_closes_ours_exactly_is_told_and_locks_nothing() -> None:
    world = running()
    world.enter(1000.0)
    world.broker.elsewhere(REL, Side.SELL, 100, "998")
    world._drain()
    assert not asked(world)
    assert not world.state.locks
    assert [a.title for a in seen(world)] == ["Order from elsewhere: SELL 100 RELIANCE MIS @ ₹998.00"]


@pytest.mark.parametrize(
    ("minute", "title"), [(19, "Order from elsewhere"), (25, "Squared off by the broker")]
)
def test_from_its_deadline_on_an_untagged_intraday_order_is_the_brokers_square_off(
    minute: int, title: str
) -> None:
    world = running()
    world.enter(1000.0)
    world.broker.fills = False
    world.broker.change_replies.extend([Reply.REFUSED] * 9)
    world.jump(world.now.replace(hour=15, minute=minute, second=30))
    world.broker.elsewhere(REL, Side.SELL, 100, "998")
    world._drain()
    assert [a.title for a in seen(world)] == [f"{title}: SELL 100 RELIANCE MIS @ ₹998.00"]
    assert not world.state.locks
    assert world.held() == 0


def test_an_intraday_position_gone_after_the_deadline_was_squared_off_and_halts_nobody() -> None:
    """The next morning's book shows no order for it (kite.md 5)."""
    world = running()
    world.enter(1000.0)
    world.now = world.now.replace(day=25, hour=9, minute=30)
    world.broker.new_day()
    world.prices.clear()
    world.restart(clean=True)
    assert world.held() == 0
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert [a.title for a in seen(world)] == ["Squared off by the broker: RELIANCE MIS -100"]


def test_a_position_that_appears_without_an_order_is_a_drift() -> None:
    world = running()
    world.enter(1000.0)
    drift(world, TCS, 40)
    (alert,) = asked(world)
    assert alert.title == "Unexplained: TCS MIS +40"
    assert alert.alert_id == f"difference:{TCS}:MIS:{alert.at:%Y%m%d%H%M%S}"
    assert world.state.locks[TCS].kind is Difference.DRIFT
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert world.account() == world.broker.net()


def test_a_position_that_appears_is_booked_at_the_price_the_broker_has_for_it() -> None:
    """At ₹0 it would be a gain of its whole worth, and every loss limit would be blind beside it."""
    world = running()
    drift(world, TCS, 40)
    world.tick(990.0, TCS)
    assert world.state.portfolio.position(Slot(EXTERNAL, TCS, Product.MIS)).average_price == 1000
    assert day_pnl(world.state) == -400
    drift(world, TCS, 10)
    assert world.held(TCS, EXTERNAL) == 50


def test_our_position_gone_without_an_order_locks_until_the_owner_says_go_on() -> None:
    """A broker that wrongly shows flat must not make a strategy enter a second time (nautilus #4288)."""
    world = running()
    world.enter(1000.0)
    drift(world, REL, -100)
    assert world.held() == 0
    (alert,) = asked(world)
    assert alert.title == "Vanished: RELIANCE MIS -100"
    assert world.state.locks[REL].kind is Difference.VANISHED
    world.clock(100)
    assert REL in world.state.locks
    assert not judge(world, ADOPT, "RELIANCE").ok
    assert judge(world, IGNORE, "RELIANCE").ok
    assert not world.state.locks


def test_at_the_first_reading_what_nobody_can_explain_halts_and_locks() -> None:
    world = DeskWorld()
    world.prices[TCS] = 1000.0
    world.broker.opening[TCS, Product.MIS] = 40
    world.restart(clean=True)
    assert (world.state.latch.mode, world.state.latch.code) == (DeskMode.HALTED, "unexplained_position")
    assert len(asked(world)) == 1
    assert world.command(Resume()).ok
    assert TCS in world.state.locks, "/resume judges nothing"
    assert not enters(world)


def test_a_manual_order_made_while_nobody_was_here_locks_and_does_not_halt() -> None:
    world = running()
    bought(world, told=False)
    world.restart(clean=True)
    assert list(world.state.locks) == [TCS]
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert len(asked(world)) == 1


def test_a_missed_fill_is_booked_and_told_quietly() -> None:
    world = running()
    world.enter(1000.0)
    stop = world.stop()
    assert stop.order_id is not None
    world.deliver = False
    world.broker.fill(stop.order_id, 100, Decimal(990))
    world.deliver = True
    world.mail.clear()
    world.clock(61)
    assert world.held() == 0
    (alert,) = seen(world)
    assert alert.priority is Priority.INFO
    assert alert.title.startswith("Found in the book: SELL 100 RELIANCE SL-M (stop")
    assert "Expected: 0 filled." in alert.body
    assert "Broker: 100 filled" in alert.body


def test_a_reading_that_is_merely_faster_than_the_stream_is_no_difference() -> None:
    world = running()
    world.enter(1000.0)
    stop = world.stop()
    assert stop.order_id is not None
    world.deliver = False
    world.broker.fill(stop.order_id, 100, Decimal(990))
    world.handle(BookRead(world.now, world.now, BookPurpose.RECONCILE, world.broker.orders(), []))
    assert world.held() == 0
    assert not seen(world)


def test_a_stop_whose_position_is_gone_is_cancelled_and_told() -> None:
    world = running()
    world.enter(1000.0)
    stop = world.stop()
    assert stop.order_id is not None
    world.broker.elsewhere(REL, Side.SELL, 100, "998", told=False)
    world.restart(clean=True)
    assert world.broker.rows[stop.order_id].status is BrokerStatus.CANCELLED
    titles = [a.title for a in seen(world)]
    assert titles.count("Orphan stop: SELL 100 RELIANCE MIS") == 1
    assert len(titles) == 2, "and the order that closed the position"


def test_a_stop_with_our_mark_that_the_ledger_does_not_know_is_cancelled() -> None:
    """The ledger is younger than the order: it was restored from a copy."""
    world = running()
    row = update(
        BrokerStatus.TRIGGER_PENDING, order_type=OrderType.SL_M, trigger="900",
        order_id=OrderId("77"), tag=Tag("MTST261123000999"),
    )  # fmt: skip
    world.broker.rows[OrderId("77")] = row
    world.handle(OrderUpdated(world.now, row))
    world.clock(2)
    assert world.broker.rows[OrderId("77")].status is BrokerStatus.CANCELLED
    assert [a.title for a in seen(world)] == ["Orphan stop: BUY 10 RELIANCE MIS"]


def test_an_order_from_elsewhere_that_its_owner_enlarges_halts_nothing() -> None:
    world = running()
    world.broker.fills = False
    order_id = world.broker.elsewhere(REL, Side.BUY, 10, filled=False)
    world.clock(5)
    world.broker._put(replace(world.broker.rows[order_id], quantity=20, price=Decimal(990)))
    world.clock(5)
    (order,) = world.working(Purpose.EXTERNAL)
    assert (order.quantity, order.price) == (20, 990)
    world.broker.fill(order_id, 15, Decimal(990))
    world.clock(5)
    (order,) = world.working(Purpose.EXTERNAL)
    assert (order.state, order.pending_quantity) == (OrderState.PARTIAL, 5)
    world.broker.fill(order_id, 5, Decimal(990))
    world.clock(5)
    assert world.held(owner=EXTERNAL) == 20
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert not world.told("Overfilled")


def test_such_a_stop_is_left_while_it_protects_and_cancelled_once_its_position_is_gone() -> None:
    world = running()
    world.broker.elsewhere(REL, Side.SELL, 10, "1000")
    world.clock(5)
    row = update(
        BrokerStatus.TRIGGER_PENDING, order_type=OrderType.SL_M, trigger="1100",
        order_id=OrderId("77"), tag=Tag("MTST261123000999"),
    )  # fmt: skip
    world.broker.rows[OrderId("77")] = row
    world.handle(OrderUpdated(world.now, row))
    world.clock(70)
    assert world.broker.rows[OrderId("77")].status is BrokerStatus.TRIGGER_PENDING
    world.broker.elsewhere(REL, Side.BUY, 10, "1000")
    world.clock(70)
    assert world.broker.rows[OrderId("77")].status is BrokerStatus.CANCELLED


# -- adopt --------------------------------------------------------------------------------------------


def test_an_adopted_position_is_protected_squared_off_and_unlocked() -> None:
    world = running()
    bought(world)
    world.tick(990.0, TCS)
    answer = judge(world, ADOPT)
    assert answer.ok
    assert answer.text.splitlines() == [
        "Adopted TCS: +40 MIS is now manual's, stop ₹980.10.",
        "Intraday: it is closed at 15:20.",
    ]
    assert (world.held(TCS, EXTERNAL), world.held(TCS, MANUAL)) == (0, 40)
    assert not world.state.locks
    assert world.stop_of(TCS).trigger_price == Decimal("980.10"), "from the price now, not that of the order"
    assert world.account() == world.broker.net()
    assert enters(world)
    world.jump(world.now.replace(hour=15, minute=20, second=1))
    world.tick(1000.0, TCS)
    world.clock(3)
    assert world.held(TCS, MANUAL) == 0


def test_the_stop_of_an_adopted_position_closes_it_with_a_result_of_its_own() -> None:
    world = running()
    bought(world)
    judge(world, ADOPT)
    pnl = world.state.portfolio.unrealised(world.state.quotes)
    world.tick(989.0, TCS)
    world.clock(2)
    assert world.account() == world.broker.net() == {}
    (trade,) = world.trades()
    assert (trade.owner, trade.quantity, trade.entry_price, trade.exit_price) == (
        MANUAL, 40, Decimal(1000), Decimal(989),
    )  # fmt: skip
    assert pnl == 0


def test_adopting_moves_no_money_and_a_restart_forgets_nothing_of_it() -> None:
    world = running()
    bought(world)
    world.tick(1010.0, TCS)
    before = world.desk.view(world.now)
    judge(world, ADOPT)
    after = world.desk.view(world.now)
    assert (after.equity, after.pnl) == (before.equity, before.pnl)
    world.restart(clean=True)
    world.tick(1010.0, TCS)
    again = world.desk.view(world.now)
    assert (again.equity, again.pnl) == (before.equity, before.pnl)
    assert world.held(TCS, MANUAL) == 40
    assert world.working(Purpose.STOP)
    assert not world.state.locks
    world.clock(65)
    assert len(asked(world)) == 1


def test_a_position_carried_over_night_keeps_its_mark_when_adopted() -> None:
    world = running()
    world.broker.elsewhere(TCS, Side.BUY, 40, "1000", product=Product.CNC)
    world._drain()
    world.tick(1050.0, TCS)
    world.now = world.now.replace(day=25, hour=9, minute=30)
    world.broker.new_day()
    world.restart(clean=True)
    world.tick(1050.0, TCS)
    world.tick(1060.0, TCS)
    assert world.desk.view(world.now).pnl.unrealised == 400, "today's part of it"
    assert judge(world, ADOPT).ok
    assert world.desk.view(world.now).pnl.unrealised == 400
    world.restart(clean=True)
    world.tick(1060.0, TCS)
    assert world.desk.view(world.now).pnl.unrealised == 400
    assert (world.held(TCS, MANUAL, Product.CNC), world.account()) == (40, world.broker.net())


def test_nothing_is_adopted_into_a_position_that_is_on_its_way_out() -> None:
    """The desk would sell it with the rest."""
    world = running()
    bought(world)
    world.broker.replies.extend([Reply.REFUSED] * 7)  # its stops, and then the exits
    judge(world, ADOPT)
    world.clock(6)
    bought(world, quantity=20)
    leaving = world.desk._exits.leaving(Slot(MANUAL, TCS, Product.MIS))
    answer = judge(world, ADOPT)
    assert (leaving, answer.ok) == (True, False)
    assert "on its way out" in answer.text
    world.clock(60)
    assert world.held(TCS, MANUAL) == 0
    assert world.held(TCS, EXTERNAL) == 20
    assert judge(world, ADOPT).ok
    assert world.held(TCS, MANUAL) == 20


def test_what_is_bought_on_top_of_an_adopted_position_is_asked_about_and_joins_it() -> None:
    world = running()
    bought(world)
    judge(world, ADOPT)
    world.tick(1010.0, TCS)
    world.broker.elsewhere(TCS, Side.BUY, 20, "1030")
    world._drain()
    assert (world.held(TCS, MANUAL), world.held(TCS, EXTERNAL)) == (40, 20)
    assert len(asked(world)) == 2
    judge(world, ADOPT)
    world.clock(2)
    assert world.held(TCS, MANUAL) == 60
    (position,) = world.state.portfolio.open_positions(MANUAL)
    assert position.average_price == Decimal(1010)
    assert world.stop_of(TCS).quantity == 60


def test_closing_an_adopted_position_in_the_app_takes_its_stop_away() -> None:
    world = running()
    bought(world)
    assert enters(world) is False
    judge(world, ADOPT)
    assert enters(world)
    ours = world.held(TCS, KEEPER)
    bought(world, Side.SELL)
    assert (world.held(TCS, MANUAL), world.held(TCS, KEEPER)) == (0, ours)
    assert world.stop_of(TCS).owner == "keeper"


def test_what_could_be_closed_twice_is_not_adopted() -> None:
    world = running()
    bought(world)
    bought(world, Side.SELL, filled=False)
    answer = judge(world, ADOPT)
    assert not answer.ok
    assert "could be closed twice" in answer.text
    assert world.held(TCS, EXTERNAL) == 40


def test_a_position_in_an_instrument_nobody_here_knows_can_only_be_ignored() -> None:
    world = running()
    strange = InstrumentKey("NFO:TCS26DEC3000PE")
    world.broker.elsewhere(strange, Side.BUY, 10, "5", product=Product.NRML)
    world._drain()
    for verdict in (ADOPT, FLATTEN):
        answer = judge(world, verdict, "tcs26dec3000pe")
        assert not answer.ok
        assert "not in the list of instruments" in answer.text
    assert judge(world, IGNORE, strange).ok


def test_kill_closes_what_was_adopted_and_what_was_not() -> None:
    world = running()
    bought(world)
    judge(world, ADOPT)
    world.broker.elsewhere(REL, Side.BUY, 10, "1000")
    world._drain()
    world.kill()
    world.clock(10)
    assert world.account() == world.broker.net() == {}
    assert not world.state.locks
    assert len(asked(world)) == 2, "its own selling is nothing to ask about"


# -- ignore -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarts", [False, True])
def test_an_ignored_position_is_asked_about_again_only_when_it_changes(restarts: bool) -> None:
    world = running()
    bought(world)
    assert judge(world, IGNORE).ok
    assert not world.state.locks
    assert world.held(TCS, EXTERNAL) == 40
    if restarts:
        world.restart(clean=True)
    world.clock(130)
    assert enters(world)
    assert len(asked(world)) == 1
    assert not judge(world, IGNORE).ok
    world.broker.elsewhere(TCS, Side.SELL, 10, "1000")
    world._drain()
    assert world.held(TCS, EXTERNAL) == 30
    assert len(asked(world)) == 2
    assert TCS in world.state.locks


def test_an_ignored_position_can_still_be_adopted_or_flattened() -> None:
    for verdict in (ADOPT, FLATTEN):
        world = running()
        bought(world)
        judge(world, IGNORE)
        assert judge(world, verdict).ok
        world.clock(2)
        assert world.held(TCS, EXTERNAL) == 0
        assert not world.state.locks


def test_a_lock_ends_by_itself_and_quietly_when_the_owner_closes_the_position() -> None:
    world = running()
    bought(world)
    bought(world, Side.SELL)
    assert not world.state.locks
    (alert,) = seen(world)
    assert (alert.title, alert.priority) == ("Unlocked: TCS", Priority.INFO)
    assert "-40 to external, net -₹" in alert.body
    assert enters(world)


# -- flatten ------------------------------------------------------------------------------------------


def test_flatten_leaves_at_the_market_and_unlocks_when_flat() -> None:
    world = running()
    bought(world)
    world.broker.fills = False
    answer = judge(world, FLATTEN)
    assert answer.ok
    (exit_,) = world.submits(Purpose.EXIT)
    assert (exit_.owner, exit_.side, exit_.quantity, exit_.order_type) == (
        EXTERNAL, Side.SELL, 40, OrderType.MARKET,
    )  # fmt: skip
    assert TCS in world.state.locks
    assert not judge(world, IGNORE).ok
    world.broker.slice = 15
    world.broker.fills = True
    for _ in range(4):
        world.tick(1000.0, TCS)
    assert world.account() == world.broker.net() == {}
    assert not world.state.locks
    assert len(asked(world)) == 1
    assert world.told("Unlocked: TCS")


@pytest.mark.parametrize("lost", [Reply.OK, Reply.GONE, Reply.LOST])
def test_a_flatten_is_seen_through_over_a_restart(lost: Reply) -> None:
    world = running()
    bought(world)
    world.broker.fills = False
    world.broker.replies.append(lost)
    judge(world, FLATTEN)
    world.restart(clean=True)
    world.broker.fills = True
    world.tick(1000.0, TCS)
    world.clock(200)
    assert world.account() == world.broker.net() == {}
    assert not world.state.locks


def test_flatten_first_cancels_the_order_that_would_close_it_a_second_time() -> None:
    world = running()
    bought(world)
    world.broker.fills = False
    theirs = bought(world, Side.SELL, filled=False)
    world.broker.change_replies.append(Reply.REFUSED)
    judge(world, FLATTEN)
    assert not world.submits(Purpose.EXIT)
    world.clock(3)
    world.broker.fills = True
    world.clock(3)
    assert world.broker.rows[theirs].status is BrokerStatus.CANCELLED
    assert world.account() == world.broker.net() == {}


def test_a_flatten_at_night_waits_for_the_opening() -> None:
    world = running()
    world.broker.elsewhere(TCS, Side.BUY, 40, "1000", product=Product.CNC)
    world._drain()
    world.jump(world.now.replace(hour=17, minute=0))
    answer = judge(world, FLATTEN)
    assert answer.text == "Flattening TCS: +40 CNC is left when its market opens."
    world.clock(5)
    assert not world.submits(Purpose.EXIT)
    world.broker.new_day()
    world.jump(world.now.replace(day=25, hour=9, minute=20))
    world.tick(1000.0, TCS)
    world.clock(3)
    assert world.account() == world.broker.net() == {}


# -- verdicts on nothing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("RELIANCE", "RELIANCE is not locked and holds nothing from elsewhere. Waiting for a verdict: TCS."),
        ("RELIANC", "RELIANCE"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_on_nothing_is_a_sentence(verdict: Verdict, symbol: str, words: str) -> None:
    world = running()
    bought(world)
    answer = judge(world, verdict, symbol)
    assert not answer.ok
    assert words in answer.text
    assert TCS in world.state.locks


def test_no_verdict_before_the_book_was_read() -> None:
    world = running()
    bought(world)
    world.broker.readable = False
    world.restart(clean=True)
    answer = judge(world, IGNORE)
    assert not answer.ok
    assert "has not been read" in answer.text


def test_a_symbol_held_at_two_exchanges_is_asked_back_about() -> None:
    world = running()
    bought(world)
    world.broker.elsewhere(InstrumentKey("BSE:TCS"), Side.BUY, 5, "1000")
    world._drain()
    answer = judge(world, IGNORE)
    assert answer.text == "Which of them: BSE:TCS, NSE:TCS?"
    assert judge(world, IGNORE, "nse:tcs").ok
    assert list(world.state.locks) == ["BSE:TCS"]


# -- the record -----------------------------------------------------------------------------------------


def test_a_lock_is_written_with_what_caused_it_and_survives_a_restart() -> None:
    world = running()
    bought(world)
    (effects,) = [e for _, e in world.history if any(r in _records(e) for r in asked(world))]
    assert [r.key for r in _records(effects) if isinstance(r, Setting)] == ["locks"]
    before = world.desk.view(world.now).locks
    world.restart(clean=True)
    (lock,) = world.desk.view(world.now).locks
    assert [lock] == before
    assert (lock.key, lock.product, lock.quantity, lock.kind) == (TCS, Product.MIS, 40, "manual order")
    assert not enters(world)
    assert len(asked(world)) == 1


def _records(effects: list[Effect]) -> list[Record]:
    return [e.record for e in effects if isinstance(e, Write)]


def test_an_external_position_of_an_older_ledger_is_asked_about_at_the_first_reading() -> None:
    world = running()
    bought(world)
    world.ledger._kept[Setting].clear()  # a ledger from before there were locks
    world.restart(clean=True)
    assert TCS in world.state.locks
    assert asked(world)[-1].title == "Not this desk's: TCS MIS +40"


def test_a_strategy_cannot_be_named_as_the_owner_of_what_was_adopted() -> None:
    world = running()
    answer = world.command(StartStrategy("manual", ("RELIANCE",), "1m"))
    assert answer.ok
    assert "manual_2" in answer.text


# -- /reconcile -----------------------------------------------------------------------------------------


def test_reconcile_reads_the_book_and_says_that_it_is_in_order() -> None:
    world = running()
    world.enter(1000.0)
    reads = world.effects().count(ReadBook(BookPurpose.RECONCILE))
    answer = world.command(Reconcile(), "tg:9")
    assert (answer.ok, answer.text) == (True, "Reading the broker's book; the result follows.")
    assert world.effects().count(ReadBook(BookPurpose.RECONCILE)) == reads + 1
    (alert,) = world.alerts("reconcile")
    assert (alert.alert_id, alert.title) == ("reconcile:tg:9", "In order: 2 orders, 1 position")


def test_reconcile_tells_a_difference_first_as_one_to_be_sure_of() -> None:
    world = running()
    world.enter(1000.0)
    world.broker.opening[TCS, Product.MIS] = 40
    world.command(Reconcile())
    (first,) = world.alerts("reconcile")
    assert first.title == "1 difference in 2 orders, 2 positions"
    assert first.body == "TCS MIS: +40, not ours so far; read again to be sure."
    world.clock(2)
    assert len(asked(world)) == 1
    world.command(Reconcile())
    assert world.alerts("reconcile")[-1].title == "In order: 2 orders, 2 positions"
    assert world.alerts("reconcile")[-1].body == "Locked until your verdict: TCS."


def test_reconcile_says_so_when_the_broker_cannot_be_read() -> None:
    world = running()
    world.broker.readable = False
    world.command(Reconcile())
    assert world.alerts("reconcile")[-1].title == "NOT reconciled: the broker cannot be read"
    world.broker.readable = True
    world.command(Reconcile())
    assert world.alerts("reconcile")[-1].title == "In order: 0 orders, 0 positions"


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("readable", [True, False])
def test_who_asked_to_reconcile_is_answered_after_a_restart_too(clean: bool, readable: bool) -> None:
    world = DeskWorld()
    before = world.broker.readable
    world.broker.readable = False
    world.desk.handle(CommandGiven(world.now, "tg:7", "owner 1", Reconcile()))  # and the process dies
    effects = world.desk.handle(CommandGiven(world.now, "tg:8", "owner 1", Reconcile()))
    at_once(world.ledger.commit([e.record for e in effects if isinstance(e, Write)]))
    world.broker.readable = before and readable
    world.restart(clean=clean)
    world.clock(3)
    told = world.alerts("reconcile")
    assert {a.alert_id for a in told} == {"reconcile:tg:7", "reconcile:tg:8"}
    assert {a.title for a in told} == {
        "In order: 0 orders, 0 positions" if readable else "NOT reconciled: the broker cannot be read"
    }
    world.restart(clean=clean)
    world.clock(3)
    assert len(world.alerts("reconcile")) == 2, "told once"


def test_a_reading_begun_before_it_was_asked_for_answers_nothing() -> None:
    world = running()
    asked_at = world.now
    world.now += SECOND
    world.broker.readable = False
    world.desk.handle(_command(world))
    world.handle(BookRead(world.now, asked_at, BookPurpose.RECONCILE, [], []))
    assert not world.alerts("reconcile")
    world.handle(BookRead(world.now, world.now, BookPurpose.RECONCILE, [], []))
    assert [a.title for a in world.alerts("reconcile")] == ["In order: 0 orders, 0 positions"]


def _command(world: DeskWorld) -> CommandGiven:
    return CommandGiven(world.now, "tg:1", "owner 1", Reconcile())


def test_a_reading_behind_what_was_heard_is_not_called_in_order() -> None:
    world = running()
    world.enter(1000.0)
    old = world.broker.orders()
    world.tick(980.0)
    world.clock(1)
    assert world.held() == 0
    world.now += timedelta(seconds=1)
    world.desk.handle(_command(world))
    held = [BrokerPosition(REL, Product.MIS, 100, Decimal(1000))]
    world.handle(BookRead(world.now, world.now, BookPurpose.RECONCILE, old, held))
    assert [a.title for a in world.alerts("reconcile")] == ["NOT reconciled: the book is behind"]
    assert not world.state.locks


@pytest.mark.parametrize("key", [CALL, InstrumentKey("NSE:M&M FIN|X")])
def test_keys_with_spaces_and_signs_survive_the_record(key: InstrumentKey) -> None:
    world = running()
    world.broker.elsewhere(key, Side.BUY, 65, "100", product=Product.NRML)
    world._drain()
    world.restart(clean=True)
    assert [lock.key for lock in world.desk.view(world.now).locks] == [key]


# -- what a reading must show to be believed ------------------------------------------------------------


def test_a_reading_without_what_was_filled_takes_no_position_away() -> None:
    """On 6 Nov 2023 the reads stood still for two hours while orders went through (faults.md 27): an entry
    made since then is in neither the orders nor the positions they show, and is held all the same."""
    world = running()
    frozen = (world.broker.orders(), world.broker.positions())
    world.enter(1000.0)
    for _ in range(4):
        world.now += timedelta(seconds=20)
        world.handle(BookRead(world.now, world.now, BookPurpose.RECONCILE, *frozen))
    assert world.held() == 100
    assert world.stop().state is not OrderState.PENDING_CANCEL
    assert world.told("looks stale")
    assert world.state.latch.mode is DeskMode.REDUCING
    assert not world.state.locks


def test_what_only_positions_told_of_is_not_missed_in_the_next_reading() -> None:
    world = running()
    world.enter(1000.0)
    drift(world, REL, -100)
    world.clock(130)
    assert not world.told("looks stale")
    assert world.state.latch.mode is DeskMode.ACTIVE


@pytest.mark.parametrize("live", [False, True])
def test_a_live_account_is_looked_into_also_when_the_desk_did_nothing(live: bool) -> None:
    world = running()
    world.state.config = replace(world.state.config, live=live)
    world.broker.elsewhere(TCS, Side.BUY, 40, "1000", told=False)
    world.clock(125)
    assert bool(asked(world)) is live


def test_an_order_from_elsewhere_that_filled_unheard_is_told_once() -> None:
    world = running()
    order_id = bought(world, filled=False)
    world.deliver = False
    world.broker.fill(order_id, 40, Decimal(1000))
    world.deliver = True
    world.clock(125)
    assert len(asked(world)) == 1
    assert [a.title for a in seen(world)] == ["Order from elsewhere: BUY 40 TCS MIS"]


def test_what_joins_an_adopted_position_leaves_what_was_closed_of_it_in_its_trade() -> None:
    """Sold 40 and bought 10 back dearer; 20 more are adopted; all of it is in the one trade at the end."""
    world = running()
    bought(world, Side.SELL, 40)
    judge(world, ADOPT)
    world.broker.elsewhere(TCS, Side.BUY, 10, "1005")
    world._drain()
    bought(world, Side.SELL, 20)
    judge(world, ADOPT)
    world.broker.elsewhere(TCS, Side.BUY, 50, "1000")
    world._drain()
    (trade,) = world.trades()
    result = world.state.portfolio.day_result(MANUAL, world.state.counters.day)
    assert trade.quantity == 60
    assert trade.pnl == result.realised == -50
    assert trade.charges == result.charges
