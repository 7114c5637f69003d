"""A strategy that decides on several symbols at once, at the live desk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from broker_book import Reply
from world import CATALOGUE, LOT, REL, SECOND, TCS, DeskWorld, market
from world import instruments as listed

from trader.desk.commands import StartStrategy, StopStrategy
from trader.desk.desk import Desk
from trader.desk.effects import Effect, LoadHistory
from trader.desk.events import BarClosed, HistoryLoaded, HouseFault
from trader.desk.limits import RiskLimits
from trader.desk.orders import describe
from trader.desk.state import DeskConfig
from trader.domain.market import Bar, Interval
from trader.domain.order import BrokerStatus, Order, Owner, Product, Purpose, Side
from trader.domain.records import InstanceStatus
from trader.market.calendar import Calendar
from trader.strategy import Bars, Signals, Strategy
from trader.strategy.catalogue import Catalogue

BUY, LEAVE, RAISE = 1, 2, 9
PAIR = Owner("couple")


class Couple(Strategy):
    """Buys the first and shorts the second when the first's volume says so."""

    together = 2
    warmup = 5  # type: ignore[assignment]  # a constant will do here

    def joint_signals(self, bars: Sequence[Bars]) -> Sequence[Signals]:
        first, second = bars
        assert first.start.tolist() == second.start.tolist()
        if (first.volume == RAISE).any():
            raise RuntimeError("asked to")
        go, leave = first.volume == BUY, first.volume == LEAVE
        return Signals(enter_long=go, exit_long=leave), Signals(enter_short=go, exit_short=leave)


class Basket(Couple):
    """Buys both."""

    def joint_signals(self, bars: Sequence[Bars]) -> Sequence[Signals]:
        go, leave = bars[0].volume == BUY, bars[0].volume == LEAVE
        return Signals(enter_long=go, exit_long=leave), Signals(enter_long=go, exit_long=leave)


class PairWorld(DeskWorld):
    """``held_back`` keeps the history until it is handed over."""

    held_back: list[LoadHistory] | None = None

    def decides(self) -> None:
        """One bar of both asks for both."""
        minute = (self.now - self.calendar.session(self.now.date()).opens_at) // Interval.M1.length
        self.closes(REL, minute, BUY)
        self.closes(TCS, minute)

    def moves_on(self) -> None:
        self.tick(self.prices[REL], REL)
        self.tick(self.prices[TCS], TCS)

    def _desk(self) -> Desk:
        charges, margins = market()
        self.calendar = Calendar.load()
        catalogue = Catalogue({**CATALOGUE.strategies, "couple": Couple, "basket": Basket}, {})
        config = DeskConfig(self.limits, "TST")
        return Desk(config, listed(), self.calendar, charges, catalogue, margins, at=self.now)

    def _send(self, effect: Effect) -> None:
        if isinstance(effect, LoadHistory) and self.held_back is not None:
            self.held_back.append(effect)
        else:
            super()._send(effect)

    def closes(self, key: str, minute: int, code: int = 0) -> None:
        """The bar of this minute closes, as late as it likes."""
        self.now += SECOND
        self.handle(BarClosed(self.now, candle(self, key, minute, code)))


def candle(world: DeskWorld, key: str, minute: int, code: int = 0) -> Bar:
    last = world.prices[key]
    start = world.calendar.session(world.now.date()).opens_at + minute * Interval.M1.length
    return Bar(key, Interval.M1, start, last, last, last, last, code)


@pytest.fixture
def world() -> PairWorld:
    world = PairWorld()
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    return world


def held(world: DeskWorld) -> tuple[int, int]:
    return world.held(REL, PAIR), world.held(TCS, PAIR)


def test_both_legs_are_entered_once_both_bars_are_closed_and_left_together(world):
    world.start("couple", "RELIANCE", "TCS")
    world.closes(REL, 1, BUY)
    assert world.submits(Purpose.ENTRY) == []  # TCS's minute is not over
    world.closes(TCS, 1)
    assert [(r.key, r.side) for r in world.submits(Purpose.ENTRY)] == [(REL, Side.BUY), (TCS, Side.SELL)]
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    assert held(world)[0] > 0 > held(world)[1]
    rupees = held(world)[0] * 1000, -held(world)[1] * 2000
    assert rupees[0] == pytest.approx(rupees[1], rel=0.03)  # one risk and one stop: equal rupees of both
    world.closes(TCS, 2)
    world.closes(REL, 2, LEAVE)
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    assert held(world) == (0, 0)


def test_the_order_of_the_symbols_is_the_order_they_were_given_in(world):
    world.start("couple", "TCS", "RELIANCE")
    world.closes(REL, 1)
    world.closes(TCS, 1, BUY)
    assert [(r.key, r.side) for r in world.submits(Purpose.ENTRY)] == [(TCS, Side.BUY), (REL, Side.SELL)]


def test_a_minute_that_one_of_them_did_not_trade_in_decides_nothing(world):
    world.start("couple", "RELIANCE", "TCS")
    world.closes(REL, 1, BUY)
    world.closes(REL, 2)
    world.closes(TCS, 2)
    world.closes(TCS, 1)  # too late: the next has been decided
    assert world.submits(Purpose.ENTRY) == []


def test_history_is_shown_where_both_have_it_and_early_bars_are_not_lost(world):
    world.held_back = []
    world.start("couple", "RELIANCE", "TCS")
    asked = {effect.key: effect for effect in world.held_back}
    assert set(asked) == {REL, TCS}
    world.closes(TCS, 4)
    for key, minutes in ((REL, (0, 1, 3)), (TCS, (1, 2, 3))):
        bars = [candle(world, key, minute) for minute in minutes]
        world.handle(HistoryLoaded(world.now, PAIR, key, Interval.M1, bars))
        if key == REL:
            world.closes(REL, 3)  # known from its history already
    running = world.state.instances[PAIR]
    assert running.instance.status is InstanceStatus.RUNNING
    assert [len(one) for one in running.joint.bars] == [2, 2]
    assert world.submits(Purpose.ENTRY) == []
    world.closes(REL, 4, BUY)
    assert len(world.submits(Purpose.ENTRY)) == 2


def test_bars_that_only_one_of_them_has_do_not_shorten_the_history(world):
    world.held_back = []
    world.start("couple", "RELIANCE", "TCS")
    for effect in world.held_back:  # TCS trades in two minutes of three
        traded = [minute for minute in range(60) if effect.key == REL or minute % 3]
        bars = [candle(world, effect.key, minute) for minute in traded[-effect.count :]]
        world.handle(HistoryLoaded(world.now, PAIR, effect.key, Interval.M1, bars))
    assert len(world.state.instances[PAIR].joint) == Couple.warmup


def test_a_desk_that_is_halted_does_not_ask_it_but_keeps_its_bars(world):
    world.start("couple", "RELIANCE", "TCS")
    world.kill(flatten=False)
    world.closes(REL, 1, BUY)
    world.closes(TCS, 1)
    assert world.submits(Purpose.ENTRY) == []
    assert len(world.state.instances[PAIR].joint) == 1


def test_a_pair_that_raises_is_stopped_and_both_its_legs_are_closed(world):
    world.start("couple", "RELIANCE", "TCS")
    world.closes(REL, 1, BUY)
    world.closes(TCS, 1)
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    world.closes(REL, 2, RAISE)
    world.closes(TCS, 2)
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    assert world.state.instances[PAIR].instance.status is InstanceStatus.FAILED
    assert world.told("couple raised RuntimeError: asked to")
    assert held(world) == (0, 0)


@pytest.mark.parametrize("symbols", [("RELIANCE",), ("RELIANCE", "TCS", "LOTS")])
def test_too_few_or_too_many_symbols_are_refused(world, symbols):
    answer = world.command(StartStrategy("couple", symbols, "1m"))
    assert not answer.ok
    assert answer.text == f"couple needs 2 symbols, was given {len(symbols)}"
    assert PAIR not in world.state.instances
    assert LOT not in world.prices


def test_a_pair_goes_on_after_a_restart(world):
    world.start("couple", "RELIANCE", "TCS")
    world.restart(clean=True)
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    world.closes(REL, 6, BUY)
    world.closes(TCS, 6)
    assert len(world.submits(Purpose.ENTRY)) == 2


# -- both or neither --------------------------------------------------------------------------


def test_when_the_gate_denies_one_leg_no_order_leaves_and_one_alert_says_why():
    world = PairWorld(RiskLimits(max_open_positions=1))
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    world.start("couple", "RELIANCE", "TCS")
    world.clock()
    before = world.state.counters
    world.decides()
    assert world.submits() == []
    assert world.working() == []
    assert world.broker.orders() == []
    assert world.state.counters == before
    (told,) = world.alerts("denied")
    assert told.title == "Denied: SELL 50 TCS MARKET (entry, couple)"
    assert "Positions open: 1; the limit is 1." in told.body
    assert "RELIANCE is not entered either: one decision, all or none." in told.body
    assert world.denied("open_positions")


def test_after_a_denied_decision_the_desk_goes_on_as_if_nothing_had_been_asked():
    world = PairWorld(RiskLimits(max_open_positions=1))
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    world.start("couple", "RELIANCE", "TCS")
    for key, code in ((REL, BUY), (TCS, 0)):
        world.handle(BarClosed(world.now, candle(world, key, 45, code)))
    assert world.submits() == []
    world.start("scripted", "RELIANCE")
    world.bar(1, REL)  # the one that is alone enters what the pair could not
    world.moves_on()
    assert world.held(REL) > 0
    tags = [order.tag for order in world.written(Order)]
    assert len({(o.tag, o.key, o.owner) for o in world.written(Order)}) == len(set(tags))  # none given twice
    world.restart(clean=True)
    world.moves_on()
    assert world.held(REL) > 0
    assert held(world) == (0, 0)


def test_a_pair_waits_as_a_pair_for_a_second_with_room_for_both():
    world = PairWorld(RiskLimits(orders_per_second=4))
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    world.start("couple", "RELIANCE", "TCS")
    world.clock()
    world.now += SECOND
    world.state.pace.count(world.now)  # somebody else's, in the second in which the pair decides
    minute = 50
    world.handle(BarClosed(world.now, candle(world, REL, minute, BUY)))
    world.handle(BarClosed(world.now, candle(world, TCS, minute)))
    assert world.submits() == []
    world.moves_on()
    assert [(r.key, r.side) for r in world.submits(Purpose.ENTRY)] == [(REL, Side.BUY), (TCS, Side.SELL)]
    assert world.alerts("denied") == []


def test_a_leg_the_broker_refuses_takes_the_other_out_again_and_one_alert_says_both(world):
    world.start("couple", "RELIANCE", "TCS")
    world.broker.replies.extend([Reply.OK, Reply.REFUSED])
    world.decides()
    world.moves_on()
    world.moves_on()
    assert held(world) == (0, 0)
    assert world.working() == []
    (told,) = [a for a in world.alerts("order") if "TCS" in a.title]
    assert "Rejected by the broker" in told.title
    assert "RELIANCE is taken out again: one decision, all or none." in told.body


def test_a_leg_that_filled_before_the_other_was_refused_is_left(world):
    world.start("couple", "RELIANCE", "TCS")
    world.broker.replies.extend([Reply.OK, Reply.LOST])  # nobody knows of the second, and it never was there
    world.decides()
    world.moves_on()
    assert held(world)[0] > 0
    world.clock(130)
    assert world.told("Not placed: SELL")
    assert world.told("RELIANCE is taken out again")
    world.moves_on()
    assert held(world) == (0, 0)


def waiting(world: PairWorld) -> tuple[Order, Order]:
    """The pair's entries, both at the broker and not filled."""
    world.start("couple", "RELIANCE", "TCS")
    world.broker.fills = False
    world.decides()
    first, second = world.working(Purpose.ENTRY)
    return first, second


def test_a_leg_cancelled_elsewhere_before_it_filled_takes_the_other_out_again(world):
    first, second = waiting(world)
    world.broker.fill(first.order_id, first.quantity, Decimal(1000))
    world.broker.cancel(second.order_id)
    world._drain()
    (told,) = [a for a in world.alerts("order") if a.title.startswith("Not entered: SELL")]
    assert "RELIANCE is taken out again" in told.body
    world.broker.fills = True
    world.moves_on()
    assert held(world) == (0, 0)
    assert world.working() == []


def test_a_leg_taken_back_because_its_symbol_was_locked_takes_the_other_out_again(world):
    first, _ = waiting(world)
    world.broker.fill(first.order_id, first.quantity, Decimal(1000))
    world.broker.elsewhere(TCS, Side.BUY, 40, "2000")
    world._drain()
    assert world.told("Order from elsewhere: BUY 40 TCS")
    assert world.told("RELIANCE is taken out again")
    world.broker.fills = True
    world.moves_on()
    assert held(world) == (0, 0)


def test_so_does_one_that_was_never_placed(world):
    world.start("couple", "RELIANCE", "TCS")
    world.broker.replies.extend([Reply.OK, Reply.LOST])
    world.decides()
    world.moves_on()
    world.broker.elsewhere(TCS, Side.BUY, 40, "2000")
    world._drain()
    world.clock(130)
    assert world.told("Not placed: SELL")
    world.moves_on()
    assert held(world) == (0, 0)


def test_a_leg_still_on_its_way_is_cancelled_with_the_other(world):
    first, second = waiting(world)
    world.broker.reject(first.order_id, "RMS: margin")
    world._drain()
    assert world.broker.rows[second.order_id].status is BrokerStatus.CANCELLED
    assert [a.title for a in world.alerts("order")] == [f"Rejected by the broker: {describe(first)}"]
    assert world.working() == []


def test_a_leg_that_filled_in_part_leaves_the_pair_as_it_is(world):
    first, second = waiting(world)
    world.broker.fill(first.order_id, first.quantity, Decimal(1000))
    world.broker.fill(second.order_id, 1, Decimal(2000))
    world.broker.cancel(second.order_id)
    world._drain()
    assert held(world) == (first.quantity, -1)


def test_legs_taken_back_because_the_signal_changed_break_nothing_up(world):
    first, second = waiting(world)
    world.closes(REL, 50, LEAVE)
    world.closes(TCS, 50)
    assert world.broker.rows[first.order_id].status is BrokerStatus.CANCELLED
    assert world.broker.rows[second.order_id].status is BrokerStatus.CANCELLED
    assert world.alerts("order") == []


def test_a_leg_that_was_being_taken_out_is_after_a_restart_too(world):
    first, second = waiting(world)
    world.broker.fill(first.order_id, first.quantity, Decimal(1000))
    world._drain()
    world.broker.change_replies.extend([Reply.REFUSED] * 3)
    world.broker.reject(second.order_id, "RMS: MIS is blocked for this scrip")
    world._drain()
    assert held(world) == (first.quantity, 0)
    world.restart()
    world.broker.fills = True
    world.broker.change_replies.clear()
    world.moves_on()
    world.clock(3)
    assert held(world) == (0, 0)
    assert world.trades()[-1].reason is Purpose.EXIT


def test_a_restart_leaves_whole_pairs_alone(world):
    world.start("couple", "RELIANCE", "TCS")
    world.broker.replies.extend([Reply.OK, Reply.REFUSED])
    world.decides()
    world.clock(10)
    assert held(world) == (0, 0)
    world.closes(REL, 60, BUY)
    world.closes(TCS, 60)
    world.moves_on()
    whole = held(world)
    assert whole[0] > 0 > whole[1]
    world.restart()
    world.moves_on()
    world.clock(5)
    assert held(world) == whole


@pytest.mark.parametrize("ends", ["halted", "stopped"])
def test_a_leg_left_alone_when_desk_or_strategy_ended_stays_after_a_restart_too(world, ends):
    world.start("couple", "RELIANCE", "TCS")
    world.broker.replies.extend([Reply.OK, Reply.LOST])  # nobody knows of the second, and it never was there
    world.decides()
    world.moves_on()
    if ends == "halted":
        world.handle(HouseFault(world.now, "exchange_failed", "the disk is full"))
    else:
        world.command(StopStrategy(PAIR, close=False))
    world.clock(130)
    assert world.told("Not placed: SELL")
    alone = held(world)
    assert alone[0] > 0 == alone[1]
    world.restart()
    world.moves_on()
    world.clock(5)
    assert held(world) == alone
    assert not world.told("taken out again")


def leaves_one_leg_behind(world: PairWorld) -> tuple[int, int]:
    """Both are asked to leave; the exit of the second is refused for a while."""
    world.start("couple", "RELIANCE", "TCS")
    world.decides()
    world.moves_on()
    entered = held(world)
    world.broker.change_replies.extend([Reply.OK] + [Reply.REFUSED] * 3)
    world.closes(REL, 50, LEAVE)
    world.closes(TCS, 50)
    world.moves_on()
    assert held(world) == (0, entered[1])
    return entered


def test_a_leg_still_on_its_way_out_is_waited_for_and_both_enter_anew(world):
    entered = leaves_one_leg_behind(world)
    world.closes(REL, 51, BUY)
    world.closes(TCS, 51)
    assert held(world) == (0, entered[1])
    assert world.working(Purpose.ENTRY) == []
    for _ in range(10):
        world.moves_on()
    assert [r.key for r in world.submits(Purpose.ENTRY)] == [REL, TCS, REL, TCS]
    assert [t.key for t in world.trades()] == [REL, TCS]
    assert held(world) == pytest.approx(entered, rel=0.02)


def test_a_leg_that_is_not_out_within_a_bar_leaves_the_decision_undone(world):
    leaves_one_leg_behind(world)
    world.broker.change_replies.extend([Reply.REFUSED] * 100)
    world.closes(REL, 51, BUY)
    world.closes(TCS, 51)
    world.now = world.calendar.session(world.now.date()).opens_at + 53 * Interval.M1.length
    world.moves_on()
    world.broker.change_replies.clear()
    for _ in range(60):
        world.moves_on()
    assert held(world) == (0, 0)
    assert [r.key for r in world.submits(Purpose.ENTRY)] == [REL, TCS]


def test_a_leg_whose_withdrawn_entry_may_be_at_the_broker_keeps_the_other_out_too(world):
    world.start("couple", "RELIANCE", "TCS")
    world.broker.replies.extend([Reply.OK, Reply.LOST])
    world.decides()
    world.moves_on()
    world.closes(REL, 50, LEAVE)
    world.closes(TCS, 50)
    world.moves_on()
    assert held(world) == (0, 0)
    assert [o.key for o in world.working(Purpose.ENTRY)] == [TCS]  # its answer was lost: it may fill yet
    world.closes(REL, 51, BUY)
    world.closes(TCS, 51)
    world.now = world.calendar.session(world.now.date()).opens_at + 53 * Interval.M1.length
    world.clock(150)
    assert world.told("Not placed: SELL")
    assert held(world) == (0, 0)
    assert [r.key for r in world.submits(Purpose.ENTRY)] == [REL, TCS]


def withdrawn(world: PairWorld) -> Order:
    """Both entries are taken back, and the cancel of the second is refused for now."""
    _, second = waiting(world)
    world.broker.change_replies.extend([Reply.OK, Reply.REFUSED, Reply.REFUSED])
    world.closes(REL, 50, LEAVE)
    world.closes(TCS, 50)
    assert [o.tag for o in world.working(Purpose.ENTRY)] == [second.tag]
    return second


def test_a_withdrawn_entry_that_ends_within_a_bar_lets_both_enter_anew(world):
    second = withdrawn(world)
    world.closes(REL, 51, BUY)
    world.closes(TCS, 51)
    assert [o.tag for o in world.working(Purpose.ENTRY)] == [second.tag]
    world.broker.fills = True
    world.broker.cancel(second.order_id)
    world._drain()
    world.moves_on()
    assert [r.key for r in world.submits(Purpose.ENTRY)] == [REL, TCS, REL, TCS]
    assert held(world)[0] > 0 > held(world)[1]


def test_a_withdrawn_entry_that_fills_all_the_same_is_left_before_both_enter_anew(world):
    withdrawn(world)
    world.closes(REL, 51, BUY)
    world.closes(TCS, 51)
    world.broker.fills = True
    for _ in range(10):
        world.moves_on()
    assert [r.key for r in world.submits(Purpose.ENTRY)] == [REL, TCS, REL, TCS]
    assert [t.key for t in world.trades()] == [TCS]
    assert held(world)[0] > 0 > held(world)[1]


def stopped_beside_the_unknown(world: PairWorld, reply: Reply) -> None:
    """The first is stopped while nobody can say whether the second was ever entered."""
    world.start("couple", "RELIANCE", "TCS")
    world.broker.replies.extend([Reply.OK, reply])
    world.broker.readable = world.deliver = False
    world.decides()
    world.moves_on()
    world.post(*[i for i, update in enumerate(world.mail) if update.key == REL])
    world.deliver = True
    world.tick(985.0, REL)
    world.clock(15)
    assert held(world) == (0, 0)
    world.closes(REL, 50, BUY)
    world.closes(TCS, 50)
    world.broker.readable = True


def test_a_stopped_leg_is_not_entered_alone_while_the_others_entry_has_no_answer(world):
    stopped_beside_the_unknown(world, Reply.LOST)
    world.now = world.calendar.session(world.now.date()).opens_at + 52 * Interval.M1.length
    world.clock(150)
    assert world.told("Not placed: SELL")
    assert held(world) == (0, 0)


def test_once_the_unknown_is_found_filled_the_stopped_leg_is_entered_beside_it(world):
    """No later decision may ask for it: until then the other would be alone."""
    stopped_beside_the_unknown(world, Reply.TAKEN)
    world.clock(30)
    assert held(world)[0] > 0 > held(world)[1]
    world.closes(REL, 51, BUY)
    world.closes(TCS, 51)
    world.moves_on()
    assert [r.key for r in world.submits(Purpose.ENTRY)] == [REL, TCS, REL]
    assert not world.state.instances[PAIR].reversals


# -- a leg without a stop ---------------------------------------------------------------------


def test_a_leg_that_is_closed_because_its_stop_was_refused_takes_the_other_out_with_it(world):
    world.start("couple", "RELIANCE", "TCS")
    world.broker.replies.extend([Reply.OK, Reply.OK, Reply.REFUSED, Reply.OK, Reply.REFUSED, Reply.REFUSED])
    world.decides()
    world.moves_on()
    world.clock(5)
    (told,) = [a for a in world.alerts("order") if a.title.startswith("Unprotected: ")]
    assert told.title == "Unprotected: RELIANCE (couple)"
    assert told.body.endswith("TCS is taken out again: one decision, all or none.")
    assert held(world) == (0, 0)
    assert world.working() == []


def test_a_leg_still_on_its_way_in_is_taken_back_with_one_whose_stop_was_refused(world):
    first, second = waiting(world)
    world.broker.replies.extend([Reply.REFUSED] * 3)
    world.broker.fill(first.order_id, first.quantity, Decimal(1000))
    world._drain()
    world.clock(3)
    assert world.broker.rows[second.order_id].status is BrokerStatus.CANCELLED
    world.broker.fills = True
    world.moves_on()
    assert held(world) == (0, 0)
    assert world.working() == []


@pytest.mark.parametrize("restarted", [True, False])
def test_so_does_a_leg_of_an_earlier_day(world, restarted):
    world.start("basket", "RELIANCE", "TCS", product="CNC", side="long", quantity="10")
    world.decides()
    world.moves_on()
    both = Owner("basket")
    assert world.held(REL, both, Product.CNC) > 0 < world.held(TCS, both, Product.CNC)
    world.prices.clear()
    world.jump(world.now.replace(hour=16, minute=0))
    world.broker.new_day()
    world.jump((world.now + timedelta(days=2)).replace(hour=9, minute=14))  # the 24th is a holiday
    if restarted:
        world.restart(clean=True)
    world.broker.replies.extend([Reply.REFUSED, Reply.OK, Reply.REFUSED, Reply.REFUSED])
    world.jump(world.now.replace(minute=15))
    world.tick(1000.0, REL)
    world.tick(2000.0, TCS)
    world.clock(5)
    assert world.told("TCS is taken out again")
    assert world.held(REL, both, Product.CNC) == 0 == world.held(TCS, both, Product.CNC)


def test_a_position_of_another_decision_stays_when_a_stop_is_refused(world):
    world.start("couple", "RELIANCE", "TCS")
    world.decides()
    world.moves_on()
    world.start("scripted", "RELIANCE")
    world.broker.replies.extend([Reply.OK] + [Reply.REFUSED] * 3)
    world.bar(1, REL)
    world.moves_on()
    world.clock(5)
    assert world.told("Unprotected: RELIANCE (scripted)")
    assert world.held(REL) == 0
    assert held(world)[0] > 0 > held(world)[1]
