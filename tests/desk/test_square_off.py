"""Every position is left before its own deadline, whoever restarts when, and nobody's twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from world import BUY, CALL, NIFTY, OURS, REL, SBIN, SHORT, DeskWorld, instruments

from trader.desk.commands import CloseDay, Judge, Kill, Resume, Verdict
from trader.desk.desk import Desk
from trader.desk.limits import RiskLimits
from trader.desk.portfolio import Slot
from trader.domain.instrument import InstrumentKey
from trader.domain.order import EXTERNAL, OrderState, OrderType, Product, Purpose, Side
from trader.domain.records import InstanceStatus, Priority
from trader.domain.times import IST
from trader.market.instruments import Instruments

LIMITS = RiskLimits(
    capital=Decimal(1_000_000), max_daily_loss=Decimal(30_000), max_order_value=Decimal(500_000)
)
SYMBOLS = {REL: "RELIANCE", SBIN: "SBIN", CALL: "NIFTY26DEC26000CE"}
PRICES = {REL: 1000.0, SBIN: 800.0, CALL: 100.0}
# Monday 23 Nov 2026: when each kind is left, when the broker would do it.
OUT = {SBIN: (15, 7), REL: (15, 20), CALL: (15, 20)}
BROKER = {SBIN: (15, 12), REL: (15, 25), CALL: (15, 26)}


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, 23, hour, minute, second, tzinfo=IST)


def holding(*keys: InstrumentKey, code: int = BUY, product: str = "MIS") -> DeskWorld:
    """A desk that holds these since shortly before the first deadline."""
    world = DeskWorld(LIMITS, at=at(14, 50))
    side = {"side": "long"} if product == "CNC" else {}
    world.start("scripted", *(SYMBOLS[key] for key in keys), product=product, **side)
    world.tick(26_000.0, NIFTY)
    for key in keys:
        world.tick(PRICES[key], key)
        world.bar(code, key)
        world.tick(PRICES[key], key)
        assert world.held(key, product=Product(product)), [a.title for a in world.alerts()]
    return world


def run_to(world: DeskWorld, moment: datetime) -> None:
    """Second by second, prices standing still."""
    world.clock(int((moment - world.now).total_seconds()))
    assert world.now == moment


def test_each_kind_of_instrument_is_left_at_its_own_time() -> None:
    world = holding(REL, SBIN, CALL)
    for moment in sorted(set(OUT.values())):
        due = [key for key in OUT if OUT[key] == moment]
        run_to(world, at(*moment) - timedelta(seconds=1))
        assert all(world.held(key) for key in due)
        assert all(world.stop_of(key).purpose is Purpose.STOP for key in due)
        run_to(world, at(*moment, 2))
        assert not any(world.held(key) for key in due)
    assert world.account() == world.broker.net() == {}
    left = {trade.key: trade for trade in world.trades()}
    assert all(trade.reason is Purpose.SQUAREOFF for trade in left.values())
    for key, trade in left.items():
        assert trade.exit_at < at(*BROKER[key])
    titles = sorted(a.title[:17] for a in world.alerts("squareoff"))
    assert titles == [
        "Square-off: closi",
        "Square-off: closi",
        "Square-off: closi",
        "Squared off 15:07",
        "Squared off 15:20",
        "Squared off 15:20",
    ]


@pytest.mark.parametrize("clean", [True, False])
def test_a_restart_after_the_deadline_still_does_it(clean: bool) -> None:
    world = holding(SBIN)
    run_to(world, at(15, 6))
    world.now = at(15, 11)  # nobody was there at 15:07
    world.restart(clean=clean)
    world.tick(801.0, SBIN)
    world.clock(3)
    assert world.account() == world.broker.net() == {}
    assert world.now < at(*BROKER[SBIN])
    assert world.trades()[-1].reason is Purpose.SQUAREOFF


def test_what_the_broker_is_closing_already_is_left_to_it() -> None:
    """Started after the broker's own deadline, its order at work: ours would turn the position round."""
    world = holding(REL)
    run_to(world, at(15, 19))
    world.now = at(15, 25, 30)
    theirs = world.broker.elsewhere(REL, Side.SELL, world.held(REL), filled=False)
    cancelled = world.stop().order_id
    assert cancelled is not None
    world.broker.cancel(cancelled)  # as the broker does first
    world.restart(clean=True)
    world.clock(20)
    assert not world.submits(Purpose.SQUAREOFF)
    world.broker.fill(theirs, world.held(REL), Decimal(999))
    world._drain()
    world.clock(70)
    assert world.account() == world.broker.net() == {}
    assert world.held(REL, owner=EXTERNAL) == 0


def test_the_brokers_own_square_off_costs_its_fee() -> None:
    charges = []
    for minute in (24, 26):
        world = holding(REL)
        world.broker.fills = False
        run_to(world, at(15, minute))
        world.broker.elsewhere(REL, Side.SELL, world.held(REL), "1000")
        world._drain()
        charges.append(world.fills()[-1].charges)
    assert charges[1] - charges[0] == Decimal("59.00")  # Rs 50 and 18 % GST (india.md 3.2)


def test_entries_end_by_venue() -> None:
    world = DeskWorld(LIMITS, at=at(14, 54, 50))
    world.start("scripted", "RELIANCE", "SBIN")
    for key in (REL, SBIN):
        world.tick(PRICES[key], key)
    run_to(world, at(14, 55))
    for key in (SBIN, REL):
        world.bar(BUY, key)
    world.clock(2)
    assert world.held(REL)
    assert not world.held(SBIN)
    assert world.told("Intraday entries end at 14:55")


def test_a_pending_entry_is_withdrawn_at_the_deadline() -> None:
    world = DeskWorld(LIMITS, at=at(14, 50))
    world.start("scripted", "SBIN")
    world.tick(800.0, SBIN)
    world.broker.fills = False
    world.bar(BUY, SBIN)
    run_to(world, at(15, 7, 2))
    (order,) = [o for o in world.state.orders.values() if o.purpose is Purpose.ENTRY]
    assert order.state is OrderState.CANCELLED
    assert world.held(SBIN) == 0


def test_a_position_still_open_at_the_brokers_deadline_is_shouted_about() -> None:
    world = holding(SBIN)
    world.broker.fills = False
    run_to(world, at(15, 12, 1))
    assert [a.title for a in world.alerts("squareoff")][-1] == "NOT squared off: 1 position open"
    run_to(world, at(15, 14))
    assert sum("NOT squared off" in a.title for a in world.alerts()) == 1


def test_delivery_stays_and_the_owner_hears_that_its_stop_is_gone() -> None:
    world = holding(SBIN, product="CNC")
    run_to(world, at(15, 14, 59))
    stop = world.stop()
    assert stop.state is OrderState.TRIGGER_PENDING
    assert stop.order_id is not None
    world.broker.cancel(stop.order_id)  # the exchange does, at 15:15
    run_to(world, at(15, 15, 5))
    assert world.told("No stops until Wed 09:15: 1 position")  # Tuesday is a holiday
    before = len(world.submits())
    run_to(world, at(15, 31))
    world.tick(600.0, SBIN)  # the auction's print is no price to stop at
    assert len(world.submits()) == before
    assert world.held(SBIN, product=Product.CNC)


def test_a_stop_is_placed_again_at_the_next_opening() -> None:
    world = holding(SBIN, product="CNC")
    world.broker.new_day()
    world.prices.clear()
    world.jump(datetime(2026, 11, 25, 9, 15, tzinfo=IST))
    world.clock(70)
    world.tick(799.0, SBIN)
    world.clock(2)
    (stop,) = world.working(Purpose.STOP)
    assert stop.trigger_price is not None
    assert stop.quantity == world.held(SBIN, product=Product.CNC)


def test_a_contract_is_left_on_its_last_day_whatever_its_product() -> None:
    world = DeskWorld(LIMITS, at=datetime(2026, 12, 28, 14, 0, tzinfo=IST))
    world.start("scripted", "NIFTY26DEC26000CE", product="NRML")
    world.tick(26_000.0, NIFTY)
    world.tick(100.0, CALL)
    world.bar(BUY, CALL)
    world.tick(100.0, CALL)
    slot = Slot(OURS, CALL, Product.NRML)
    assert world.state.portfolio.position(slot).quantity
    world.clock(60)
    world.broker.opening = dict(world.broker.net())
    world.broker.rows.clear()
    world.prices.clear()
    world.jump(datetime(2026, 12, 29, 15, 19, 50, tzinfo=IST))  # Tuesday, the expiry
    world.clock(70)
    world.tick(100.0, CALL)
    world.clock(3)
    assert not world.state.portfolio.position(slot).quantity


def test_the_stop_of_an_option_is_a_stop_limit() -> None:
    world = holding(CALL)
    stop = world.stop()
    assert stop.order_type is OrderType.SL
    assert stop.price is not None
    assert stop.trigger_price is not None
    assert stop.price < stop.trigger_price
    world.tick(98.0, CALL)  # through the trigger, inside the limit
    world.clock(2)
    assert world.held(CALL) == 0


def test_a_stop_limit_the_market_fell_through_is_sold_at_the_market() -> None:
    world = holding(CALL)
    world.broker.fills = False
    world.tick(20.0, CALL)
    world.clock(2)
    world.broker.fills = True
    world.tick(20.0, CALL)
    world.clock(4)
    assert world.held(CALL) == 0
    assert world.account() == world.broker.net() == {}


def test_more_than_the_freeze_quantity_is_left_in_slices() -> None:
    world = DeskWorld(LIMITS, at=at(14, 0))
    world.broker.opening = {(CALL, Product.MIS): 1820 * 3}
    world.tick(100.0, CALL)
    world.command(Kill())
    world.clock(70)
    slices = [r.quantity for r in world.submits(Purpose.KILL)]
    assert sum(slices) == 1820 * 3
    assert max(slices) <= 1800
    assert all(q % 65 == 0 for q in slices)
    assert world.account() == world.broker.net() == {}


@pytest.mark.parametrize(("clock", "sent"), [((15, 17), False), ((15, 22), True), ((15, 27), False)])
def test_kill_uses_the_closing_auction_while_it_takes_market_orders(
    clock: tuple[int, int], sent: bool
) -> None:
    world = holding(SBIN, product="CNC")
    stop = world.stop()
    assert stop.order_id is not None
    world.broker.cancel(stop.order_id)
    world.broker.fills = False
    world.prices.clear()
    world.jump(at(*clock))
    world.command(Kill())
    world.clock(2)
    assert bool(world.submits(Purpose.KILL)) is sent
    world.clock(80)
    assert world.told("NOT FLAT")
    assert not world.told("FLAT verified")


def test_a_short_in_the_auction_stock_is_bought_back_in_time() -> None:
    world = holding(SBIN, code=SHORT)
    assert world.held(SBIN) < 0
    run_to(world, at(15, 7, 2))
    assert world.account() == {}


def test_a_day_the_owner_closed_is_no_trading_day() -> None:
    world = holding(REL)
    answer = world.command(CloseDay(datetime(2026, 11, 25, tzinfo=IST).date(), "a cyclone"))
    assert answer.ok
    assert "Wed 25 Nov 2026 is closed: a cyclone" in answer.text
    world.restart(clean=True)
    assert not world.command(CloseDay(datetime(2026, 11, 24, tzinfo=IST).date(), "again")).ok
    assert not world.command(CloseDay(at(15, 0).date(), "today")).ok
    assert not world.command(CloseDay(datetime(2026, 11, 20, tzinfo=IST).date(), "past")).ok


@pytest.mark.parametrize("restarted", [True, False])
def test_a_kill_that_had_to_wait_for_the_market_goes_on_at_its_opening(restarted: bool) -> None:
    world = holding(SBIN, product="CNC")
    world.prices.clear()
    world.jump(at(15, 17))
    world.command(Kill())
    world.clock(5)
    assert world.told("NOT FLAT")
    world.broker.new_day()
    world.now = datetime(2026, 11, 25, 9, 14, tzinfo=IST)
    if restarted:
        world.restart(clean=False)
    world.clock(62)
    world.tick(805.0, SBIN)
    world.clock(30)
    assert world.account() == world.broker.net() == {}
    assert world.told("FLAT verified")


@pytest.mark.parametrize("restarted", [True, False])
def test_a_resumed_owner_keeps_what_the_kill_could_not_close(restarted: bool) -> None:
    world = holding(SBIN, product="CNC")
    world.prices.clear()
    world.jump(at(15, 17))
    world.command(Kill())
    world.clock(5)
    assert world.command(Resume()).ok
    world.broker.new_day()
    world.now = datetime(2026, 11, 25, 9, 15, tzinfo=IST)
    if restarted:
        world.restart(clean=True)
    world.tick(805.0, SBIN)
    world.clock(5)
    assert world.held(SBIN, product=Product.CNC)
    assert world.working(Purpose.STOP)


def test_an_expiry_the_exchange_closes_is_left_the_day_before() -> None:
    world = DeskWorld(LIMITS, at=datetime(2026, 12, 28, 14, 0, tzinfo=IST))  # the day before its expiry
    world.start("scripted", "NIFTY26DEC26000CE", product="NRML")
    world.tick(26_000.0, NIFTY)
    world.tick(100.0, CALL)
    world.bar(BUY, CALL)
    world.tick(100.0, CALL)
    assert world.held(CALL, product=Product.NRML)
    assert world.command(CloseDay(datetime(2026, 12, 29, tzinfo=IST).date(), "elections")).ok
    world.prices.clear()
    world.jump(datetime(2026, 12, 28, 15, 19, 55, tzinfo=IST))
    world.tick(100.0, CALL)
    world.clock(8)
    world.tick(100.0, CALL)
    world.clock(2)
    assert not world.held(CALL, product=Product.NRML)


def test_every_venue_says_when_its_stops_are_gone() -> None:
    world = holding(REL, product="CNC")
    run_to(world, at(15, 30, 2))
    assert world.told("No stops until Wed 09:15: 1 position")


def without_the_call(world: DeskWorld) -> None:
    """From the next restart on."""
    listed = Instruments([i for i in instruments() if i.key != CALL])
    desk = world._desk

    def without() -> Desk:
        made = desk()
        made._state.instruments = listed
        return made

    world._desk = without  # type: ignore[method-assign] # the next day's list


def test_a_contract_that_is_not_listed_any_more_takes_no_other_symbol_along() -> None:
    world = DeskWorld(LIMITS, at=at(10, 0))
    world.start("scripted", "RELIANCE", "NIFTY26DEC26000CE")
    without_the_call(world)
    world.restart(clean=True)
    assert world.state.instances[OURS].instance.symbols == (REL,)
    assert world.told("NIFTY26DEC26000CE not listed")


def test_a_strategy_none_of_whose_contracts_is_listed_any_more_fails_and_says_so() -> None:
    world = DeskWorld(LIMITS, at=at(10, 0))
    world.start("scripted", "NIFTY26DEC26000CE")
    without_the_call(world)
    world.restart(clean=True)
    assert world.state.instances[OURS].instance.status is InstanceStatus.FAILED
    assert world.told("No longer listed: NIFTY26DEC26000CE. Expired, renamed or delisted.")


def nobodys(product: Product = Product.MIS) -> DeskWorld:
    """Shares bought in the broker's app, which the owner was asked about."""
    world = DeskWorld(LIMITS, at=at(14, 50))
    world.tick(1000.0)
    world.broker.elsewhere(REL, Side.BUY, 5, "1000", product=product)
    world.clock(2)
    assert REL in world.state.locks
    return world


def warnings(world: DeskWorld) -> list[str]:
    return [a.title for a in world.alerts("difference") if "unless you say" in a.title]


@pytest.mark.parametrize("restarts", [False, True])
def test_what_nobody_has_judged_is_warned_about_before_the_broker_closes_it(restarts: bool) -> None:
    world = nobodys()
    run_to(world, at(15, 9, 59))
    assert not warnings(world)
    run_to(world, at(15, 10))
    assert warnings(world) == ["Closed at 15:25 unless you say: +5 RELIANCE"]
    (alert,) = [a for a in world.alerts("difference") if "unless you say" in a.title]
    assert alert.priority is Priority.CRITICAL
    assert alert.alert_id.startswith("difference:NSE:RELIANCE:MIS:"), "so that chat puts buttons under it"
    if restarts:
        world.restart()
    run_to(world, at(15, 24))
    assert len({a.alert_id for a in world.alerts("difference") if "unless you say" in a.title}) == 1
    assert not world.submits(), "it is not the desk's to close"


@pytest.mark.parametrize("verdict", [Verdict.ADOPT, Verdict.IGNORE, Verdict.FLATTEN])
def test_what_was_judged_is_not_warned_about(verdict: Verdict) -> None:
    world = nobodys()
    world.broker.fills = verdict is not Verdict.FLATTEN
    assert world.command(Judge("RELIANCE", verdict)).ok
    run_to(world, at(15, 24))
    assert not warnings(world)
    if verdict is Verdict.ADOPT:
        assert not world.account()


def test_delivery_from_elsewhere_is_no_business_of_the_square_off() -> None:
    world = nobodys(Product.CNC)
    run_to(world, at(15, 24))
    assert not warnings(world)
