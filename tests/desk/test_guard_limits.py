"""The limits that act by themselves: loss, drawdown, streaks, counts, and the day's two ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from broker_book import Reply
from world import BUY, LEAVE, MORNING, REL, SHORT, TCS, DeskWorld

from trader.desk.commands import Pause, Resume, StartStrategy
from trader.desk.effects import Submit
from trader.desk.events import HouseFault
from trader.desk.limits import RiskLimits
from trader.domain.order import Order, Owner, Product, Purpose
from trader.domain.records import DeskMode, Latch

BIG = RiskLimits(
    max_daily_loss=Decimal(2000), max_daily_loss_pct=Decimal(3), max_order_value=Decimal(200_000),
    max_position_pct=Decimal(200),
)  # fmt: skip
WIDE = {"stop": "5", "target": "0", "quantity": "19"}


def losing(limits: RiskLimits, *, to: float, quantity: str = "19") -> DeskWorld:
    """A position of ``quantity`` bought at 1,000 that the market takes to ``to``; its stop is far away."""
    world = DeskWorld(limits)
    world.enter(1000.0, **{**WIDE, "quantity": quantity})
    world.tick(to)
    return world


@pytest.mark.parametrize(
    ("absolute", "percent", "survives", "breaks"),
    [("500", "3", 975.5, 974.0), ("3000", "0.5", 975.5, 974.0)],
    ids=["rupees", "percent"],
)
def test_the_tighter_of_the_loss_limits_counts_with_the_unrealised_and_the_charges(
    absolute: str, percent: str, survives: float, breaks: float
) -> None:
    limits = RiskLimits(max_daily_loss=Decimal(absolute), max_daily_loss_pct=Decimal(percent))
    world = losing(limits, to=survives)
    assert world.state.latch.mode is DeskMode.ACTIVE
    world.tick(breaks)
    assert (world.state.latch.mode, world.state.latch.code) == (DeskMode.HALTED, "daily_loss")
    assert world.told("HALTED: daily loss limit")
    world.clock(3)
    assert world.account() == world.broker.net() == {}


def test_charges_alone_reach_the_limit() -> None:
    world = DeskWorld(RiskLimits(max_daily_loss=Decimal(5)))
    world.enter(1000.0)
    assert world.state.latch.code == "daily_loss"


def test_a_halt_for_loss_refuses_resume_and_survives_a_restart() -> None:
    world = losing(replace(BIG, max_daily_loss=Decimal(500)), to=970.0)
    world.clock(3)
    world.restart(clean=True)
    assert world.state.latch.code == "daily_loss"
    answer = world.command(Resume())
    assert world.desk.view(world.now).not_resumed == answer.text
    assert not answer.ok
    assert "ends with the trading day" in answer.text


def test_a_restart_in_the_middle_of_the_closing_goes_on_closing() -> None:
    world = losing(replace(BIG, max_daily_loss=Decimal(500)), to=975.5)
    world.broker.fills = False
    world.tick(970.0)
    assert world.state.halted
    world.broker.change_replies.clear()
    world.restart()
    world.prices[REL] = 999.0
    world.broker.fills = True
    world.clock(5)
    assert world.account() == world.broker.net() == {}


def test_an_entry_that_fills_after_the_breach_is_closed_too() -> None:
    world = DeskWorld(replace(BIG, max_daily_loss=Decimal(500)))
    world.start("scripted", "RELIANCE", "TCS", **WIDE)
    world.tick(1000.0)
    world.bar(BUY)
    world.tick(1000.0, TCS)
    world.broker.replies.append(Reply.SILENT)
    world.broker.announces, world.deliver = False, False
    world.bar(BUY, TCS)
    world.tick(970.0)
    assert world.state.halted
    world.deliver = True
    world.post()
    world.clock(15)
    assert world.account() == world.broker.net() == {}


@pytest.mark.parametrize("code", ["unclean_exit", "killed"])
def test_the_loss_limit_holds_while_halted_for_another_reason(code: str) -> None:
    world = DeskWorld(replace(BIG, max_daily_loss=Decimal(500)))
    world.enter(1000.0, **WIDE)
    if code == "killed":
        world.kill(flatten=False)
    else:
        world.restart()
    assert world.state.latch.code == code
    world.tick(970.0)
    world.clock(3)
    assert world.state.latch.code == code, "the first reason stays"
    assert world.told("HALTED: daily loss limit")
    assert world.account() == world.broker.net() == {}


def test_drawdown_is_measured_from_the_peak_and_says_so_at_resume() -> None:
    world = DeskWorld(replace(BIG, max_drawdown_pct=Decimal(1), max_daily_loss=Decimal(90_000)))
    world.enter(1000.0, **WIDE)
    world.tick(1049.0)
    world.tick(997.0)
    assert world.state.latch.mode is DeskMode.ACTIVE
    world.tick(994.0)
    assert world.state.latch.code == "drawdown"
    world.clock(3)
    assert world.account() == {}
    answer = world.command(Resume())
    assert not answer.ok
    assert "below its peak" in answer.text


NEXT = MORNING.replace(day=25, hour=9, minute=15)  # the 24th is a holiday


@pytest.mark.parametrize(
    ("code", "mode"),
    [
        ("daily_loss", DeskMode.ACTIVE),
        ("daily_loss_paused", DeskMode.HALTED),
        ("drawdown", DeskMode.HALTED),
        ("killed", DeskMode.HALTED),
        ("unclean_exit", DeskMode.HALTED),
        ("paused", DeskMode.REDUCING),
    ],
)
def test_only_the_latch_of_a_day_ends_with_it(code: str, mode: DeskMode) -> None:
    world = DeskWorld()
    before = DeskMode.REDUCING if code == "paused" else DeskMode.HALTED
    world.state.latch = Latch(before, code, "a reason", world.now, "test")
    world.jump(NEXT - timedelta(days=1))
    assert world.state.latch.code == code, "a holiday is not a trading day"
    world.jump(NEXT)
    assert world.state.latch.mode is mode


def test_what_a_latch_is_said_to_end_with_is_what_it_ends_with() -> None:
    world = losing(replace(BIG, max_daily_loss=Decimal(500)), to=970.0)
    world.clock(3)
    (halt,) = world.alerts("breach")
    limit, ends = halt.body.splitlines()
    assert limit.endswith("the limit ₹500.00. All positions are being closed.")
    assert ends == "No entries today; trading resumes by itself on the next trading day."
    flat = world.alerts("kill")[-1].body.splitlines()
    assert flat[0].startswith("1/1 positions closed, ")
    assert flat[1].startswith("Net today -₹")
    assert flat[2:] == [f"The desk stays HALTED. {ends}"]
    assert world.state.latch.reason.endswith("the limit ₹500.00."), "not for ever being closed"
    started = world.command(StartStrategy("scripted", ("TCS",), "1m"))
    assert "The desk is HALTED: it will not enter today." in started.text
    world.kill()
    world.clock(3)
    (stays,) = world.alerts("kill")[-1].body.splitlines()[2:]
    assert stays.startswith("The desk stays HALTED, and /resume would halt it again: Today's loss is ₹")
    assert stays.endswith("It ends with the trading day.")


def test_a_kill_after_the_loss_limit_is_not_undone_by_the_next_morning() -> None:
    world = losing(replace(BIG, max_daily_loss=Decimal(500)), to=970.0)
    world.clock(3)
    world.kill()
    world.clock(3)
    world.jump(NEXT)
    assert world.state.latch.mode is DeskMode.HALTED
    assert world.state.latch.code == "killed"


def test_a_fault_behind_the_loss_limit_is_not_forgotten_by_the_next_morning() -> None:
    world = losing(replace(BIG, max_daily_loss=Decimal(500)), to=970.0)
    world.clock(3)
    assert world.state.latch.code == "daily_loss"
    world.handle(HouseFault(world.now, "task_died", "The feed task died."))
    world.jump(NEXT)
    assert (world.state.latch.mode, world.state.latch.code) == (DeskMode.HALTED, "task_died")


def test_a_pause_is_not_undone_by_a_loss_and_the_next_morning() -> None:
    world = DeskWorld(replace(BIG, max_daily_loss=Decimal(500)))
    world.enter(1000.0, **WIDE)
    world.command(Pause())
    world.tick(970.0)
    assert world.state.halted
    world.clock(3)
    world.jump(NEXT)
    assert world.state.latch.mode is DeskMode.HALTED
    assert world.command(Resume()).ok


def test_every_reason_to_halt_is_told_once_even_while_halted() -> None:
    world = DeskWorld()
    world.kill(flatten=False)
    for _ in range(3):
        world.clock()
        world.handle(HouseFault(world.now, "ledger_failed", "The disk is full."))
    assert len([a for a in world.alerts() if "The disk is full." in a.body]) == 1
    assert world.state.latch.code == "killed"


def test_entries_on_their_way_are_withdrawn_when_the_desk_halts() -> None:
    world = DeskWorld()
    world.start()
    world.broker.fills = False
    world.tick(1000.0)
    world.bar(BUY)
    world.handle(HouseFault(world.now, "task_died", "The feed task died."))
    assert not world.working(Purpose.ENTRY)
    assert [row.status.final for row in world.broker.orders()] == [True]


# -- counts -------------------------------------------------------------------------------------------


def lose_once(world: DeskWorld) -> None:
    world.enter(1000.0)
    world.tick(989.0)
    world.clock(6)
    assert world.held() == 0


def test_a_streak_of_losses_makes_entries_wait() -> None:
    world = DeskWorld(replace(BIG, loss_streak=2, max_daily_loss=Decimal(90_000)))
    lose_once(world)
    lose_once(world)
    assert world.told("2 losing trades in a row")
    world.restart(clean=True)
    world.tick(1000.0)
    world.bar(BUY)
    assert world.held() == 0
    assert world.denied("cooldown")
    world.clock(int(timedelta(minutes=30).total_seconds()))
    world.bar(BUY)
    assert world.held() == 100


def test_a_trade_that_only_its_charges_made_a_loss_is_a_losing_one() -> None:
    world = DeskWorld(replace(BIG, loss_streak=1))
    world.enter(1000.0)
    world.bar(LEAVE)
    world.clock(2)
    (trade,) = world.trades()
    assert trade.pnl == 0
    assert world.told("1 losing trade in a row")


def test_losses_in_a_row_are_counted_by_the_day_and_the_wait_ends_with_it() -> None:
    world = DeskWorld(replace(BIG, loss_streak=2, max_daily_loss=Decimal(90_000)))
    lose_once(world)
    world.jump(NEXT)
    lose_once(world)
    assert not world.told("losing trades in a row"), "yesterday's loss is yesterday's"
    lose_once(world)
    assert world.told("2 losing trades in a row")
    world.jump(NEXT + timedelta(days=1))
    assert world.state.counters.cooldown_until is None


def test_trades_are_counted_by_the_day_across_restarts() -> None:
    world = DeskWorld(RiskLimits(max_trades_per_day=1))
    lose_once(world)
    world.restart(clean=True)
    world.tick(1000.0)
    world.bar(BUY)
    assert world.held() == 0
    assert world.denied("trades_per_day")


def test_a_strategy_that_loops_is_held_to_the_rate() -> None:
    world = DeskWorld(RiskLimits(orders_per_minute=6, duplicate_window=timedelta(0)))
    world.start("ticker", target="0")
    for _ in range(40):
        world.tick(1000.0, code=BUY)
        world.tick(1000.0, code=LEAVE)
    entries = [r for r in world.submits(Purpose.ENTRY) if r.at.minute == entries_minute(world)]
    assert 1 <= len(entries) <= 6
    assert world.denied("rate_minute")


def entries_minute(world: DeskWorld) -> int:
    return world.submits(Purpose.ENTRY)[-1].at.minute


def test_placements_of_the_day_are_the_same_before_and_after_a_restart() -> None:
    world = DeskWorld()
    world.enter(1000.0, trail="0.1", target="0")
    for step in range(10):
        world.tick(1002.0 + step)
    assert world.state.pace.in_day == world.state.counters.orders == len(world.submits())
    world.restart(clean=True)
    assert world.state.pace.in_day == len(world.submits())


# -- the day's ends -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [BUY, SHORT])
def test_intraday_positions_are_squared_off_at_the_deadline_and_not_through_zero(code: int) -> None:
    world = DeskWorld()
    world.enter(1000.0, code)
    world.jump(MORNING.replace(hour=15, minute=19, second=58))
    world.tick(1000.0)
    assert world.held() != 0
    world.tick(1000.0)
    world.clock(5)
    assert world.account() == world.broker.net() == {}
    assert world.trades()[0].reason is Purpose.SQUAREOFF
    assert [a.title.split(":")[0] for a in world.alerts("squareoff")] == ["Square-off", "Squared off 15"]


def test_delivery_is_not_squared_off() -> None:
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long")
    world.jump(MORNING.replace(hour=15, minute=25))
    world.tick(1000.0)
    assert world.held(product=Product.CNC) == 100


def test_intraday_entries_end_before_the_square_off() -> None:
    world = DeskWorld()
    world.start()
    world.jump(MORNING.replace(hour=15, minute=5))
    world.tick(1000.0)
    world.bar(BUY)
    assert not [e for e in world.effects() if isinstance(e, Submit)]
    assert world.denied("entries_over")


def test_what_was_lost_before_today_is_not_todays_loss() -> None:
    """A delivery position 4 % down from earlier days, whose process starts anew every morning."""
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long", stop="10", target="0", quantity="10")
    world.tick(960.0)
    world.clock(310)
    world.limits = RiskLimits(max_daily_loss=Decimal(100))
    world.broker.new_day()
    world.now = NEXT
    world.restart(clean=True)
    world.tick(960.0)
    assert world.state.latch.mode is DeskMode.ACTIVE
    world.tick(955.0)
    assert world.desk.view(world.now).pnl.unrealised == Decimal(-50)
    world.restart(clean=True)
    world.tick(955.0)
    assert world.desk.view(world.now).pnl.unrealised == Decimal(-50), "a restart does not move the mark"
    world.tick(948.0)
    world.clock(3)
    assert world.state.latch.code == "daily_loss"


def test_the_gap_of_the_night_is_todays_loss_also_after_a_restart() -> None:
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long", stop="10", target="0", quantity="10")
    world.clock(310)
    world.limits = RiskLimits(max_daily_loss=Decimal(100))
    world.broker.new_day()
    world.now = NEXT
    world.restart(clean=True)
    world.tick(989.0)
    world.clock(2)
    assert world.state.latch.code == "daily_loss"
    assert world.told("Today's loss is ₹110.00")


def test_what_is_bought_again_on_the_day_it_was_sold_counts_from_its_own_price() -> None:
    """The night's mark was of the position that is gone."""
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long", stop="10", target="0", quantity="10")
    world.clock(310)
    world.broker.new_day()
    world.now = NEXT
    world.restart(clean=True)
    world.tick(990.0)
    world.clock(2)
    assert world.desk.view(world.now).pnl.unrealised == Decimal(-100)
    world.bar(LEAVE)
    world.clock(2)
    assert world.held(product=Product.CNC) == 0
    world.enter(990.0)
    assert world.held(product=Product.CNC) == 10
    assert world.desk.view(world.now).pnl.unrealised == 0
    world.restart(clean=True)
    world.tick(990.0)
    assert world.desk.view(world.now).pnl.unrealised == 0


def test_orders_of_yesterday_expire_in_the_records() -> None:
    world = DeskWorld()
    world.enter(1000.0, product="CNC", side="long")
    world.broker.new_day()
    world.jump(NEXT)
    assert [o.state.value for o in world.written(Order)][-1] in ("EXPIRED", "INTENT", "TRIGGER_PENDING")
    assert any(o.state.value == "EXPIRED" for o in world.written(Order))


def test_a_reversal_waits_like_any_entry_when_its_own_loss_completes_the_streak() -> None:
    world = DeskWorld(replace(BIG, loss_streak=1))
    world.enter(1000.0)
    world.tick(997.0)
    world.bar(SHORT)
    world.clock(3)
    assert world.told("1 losing trade in a row")
    assert world.held() == 0
    assert world.denied("cooldown")


def test_a_reversal_whose_exit_reached_the_loss_limit_does_not_enter() -> None:
    world = DeskWorld(replace(BIG, max_daily_loss=Decimal(350)))
    world.enter(1000.0)
    world.tick(997.2)
    assert world.state.latch.mode is DeskMode.ACTIVE
    world.bar(SHORT)
    world.clock(3)
    assert world.state.latch.code == "daily_loss"
    assert len(world.submits(Purpose.ENTRY)) == 1


def test_a_breach_is_proven_flat_from_the_brokers_book_like_a_kill() -> None:
    world = losing(replace(BIG, max_daily_loss=Decimal(500)), to=970.0)
    world.clock(5)
    assert world.account() == {}
    assert world.told("FLAT verified")


def test_a_halted_desk_that_holds_nothing_repeats_no_alarm_at_a_restart() -> None:
    world = losing(replace(BIG, max_daily_loss=Decimal(500)), to=970.0)
    world.clock(5)
    before = len([a for a in world.alerts() if "daily loss limit" in a.title])
    for _ in range(2):
        world.restart(clean=False)
        world.tick(970.0)
        world.clock(3)
    assert len([a for a in world.alerts() if "daily loss limit" in a.title]) == before == 1


def test_a_kill_names_itself_as_the_reason_also_on_a_desk_that_start_up_halted() -> None:
    world = DeskWorld()
    world.enter(1000.0)
    world.restart(clean=False)
    world.clock(2)
    assert world.state.latch.code == "unclean_exit"
    why = world.state.latch.reason
    world.kill()
    assert world.state.latch.code == "killed"
    assert why in world.state.latch.reason  # whoever resumes hears of both


def test_a_waiting_cooldown_shows_among_the_limits() -> None:
    world = DeskWorld()
    world.state.counters = replace(
        world.state.counters, cooldown_until=world.now + timedelta(minutes=12), loss_streak=0
    )
    row = next(limit for limit in world.desk.view(world.now).limits if limit.code == "cooldown")
    assert (row.used, row.unit) == (12, " min")
    assert not any(
        limit.code == "cooldown" for limit in world.desk.view(world.now + timedelta(minutes=12)).limits
    )


@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_breach_could_not_close_the_day_before_takes_nothing_of_the_new_day_with_it(
    restarted: bool,
) -> None:
    """Shares whose sale the broker refuses, for want of the owner's authorisation."""
    world = DeskWorld(replace(BIG, max_daily_loss=Decimal(500)))
    world.enter(1000.0, **{**WIDE, "product": "CNC", "side": "long"})
    world.broker.change_replies.extend([Reply.REFUSED] * 999)
    world.tick(970.0)
    world.clock(90)
    assert world.told("NOT FLAT")
    world.broker.change_replies.clear()
    world.prices.clear()
    world.broker.new_day()
    world.broker.replies.extend([Reply.REFUSED] * 9)
    world.jump(world.now.replace(day=25, hour=9, minute=30))
    if restarted:
        world.restart(clean=True)
    assert world.state.latch.mode is DeskMode.ACTIVE
    world.tick(1000.0)
    world.clock(16)
    assert world.held(product=Product.CNC) == 19
    world.broker.replies.clear()
    world.start("keeper", "TCS", quantity="5")
    world.tick(1000.0, TCS)
    world.bar(BUY, TCS)
    world.clock(5)
    assert world.held(TCS, Owner("keeper")) == 5
    world.clock(310)
    assert world.held(product=Product.CNC) == 0, "it is closed, as the day before was told"
    assert not world.told("FLAT verified")


def test_a_breach_whose_closing_the_night_cut_short_closes_nothing_of_the_new_day() -> None:
    world = DeskWorld(replace(BIG, max_daily_loss=Decimal(500)))
    world.enter(1000.0, **{**WIDE, "product": "CNC", "side": "long"})
    world.broker.change_replies.extend([Reply.REFUSED] * 9)
    world.tick(970.0)
    assert world.desk.busy
    world.prices.clear()
    world.broker.new_day()
    world.broker.change_replies.clear()
    world.broker.replies.extend([Reply.REFUSED] * 9)
    world.now = world.now.replace(day=25, hour=9, minute=30)
    world.restart(clean=True)
    world.start("keeper", "TCS", quantity="5")
    world.tick(1000.0)
    world.tick(1000.0, TCS)
    world.clock(2)
    world.broker.replies.clear()
    world.bar(BUY, TCS)
    world.clock(100)
    assert world.held(product=Product.CNC) == 0, "what was told is done"
    assert world.held(TCS, Owner("keeper")) == 5
    assert world.state.latch.mode is DeskMode.ACTIVE
    assert not world.told("stays HALTED")
