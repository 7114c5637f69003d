"""A position is judged by the price known last: a quote older than its own fill says nothing of the market
after it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from broker_book import Reply
from world import BUY, REL, SHORT, DeskWorld

from trader.desk.events import TicksArrived
from trader.domain.market import Tick
from trader.domain.order import OrderState, Purpose
from trader.domain.records import DeskMode


def leapt(
    to: float, code: int = BUY, replies: tuple[Reply, ...] = (), slice: int | None = None, **settings: str
) -> DeskWorld:
    """The last quote is 1,000; the entry decided on it is filled at ``to``, and no quote has come since."""
    world = DeskWorld()
    world.broker.slice = slice
    world.start(**settings)
    world.tick(1000.0)
    world.broker.prices[REL] = to
    world.broker.replies.extend(replies)
    world.bar(code)
    return world


def tick(world: DeskWorld, last: float, seconds_ago: int = 0) -> None:
    if not seconds_ago:
        world.broker.prices[REL] = last
    world.handle(TicksArrived(world.now, [Tick(REL, world.now - timedelta(seconds=seconds_ago), last, 0)]))


@pytest.mark.parametrize(("code", "to", "stop"), [(BUY, 1100.0, 1089), (SHORT, 900.0, 909)])
def test_an_entry_whose_fill_leaps_further_than_its_stop_is_kept_and_protected(
    code: int, to: float, stop: int
) -> None:
    world = leapt(to, code)
    assert abs(world.held()) == 100
    assert world.stop().state is OrderState.TRIGGER_PENDING
    assert world.stop().trigger_price == stop
    world.prices[REL] = to
    world.clock(5)
    assert abs(world.held()) == 100
    assert len(world.submits()) == 2, "an entry and a stop"


def test_a_fill_that_is_told_late_is_judged_by_the_quotes_that_came_after_it() -> None:
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    world.deliver = False
    world.bar(BUY)
    world.clock()
    tick(world, 985.0)
    world.deliver = True
    world.broker.prices[REL] = 985.0
    world.post()
    assert world.held() == 0
    assert not world.submits(Purpose.STOP)


def test_a_fill_in_the_moment_of_the_last_quote_is_newer_and_a_quote_behind_it_newer_still() -> None:
    world = DeskWorld()
    world.start()
    world.tick(1000.0)
    world.broker.prices[REL] = 1100.0
    world.now -= timedelta(seconds=1)  # the bar's close is as late as the quote
    world.bar(BUY)
    assert world.stop().trigger_price == 1089
    (seen,) = world.desk.view(world.now).positions
    assert (seen.last_price, seen.unrealised) == (1100, 0)
    tick(world, 1098.0)
    (seen,) = world.desk.view(world.now).positions
    assert (seen.last_price, seen.unrealised) == (1098, -200)


def test_a_loss_that_only_an_older_quote_shows_halts_nothing() -> None:
    world = leapt(1100.0)
    assert world.state.latch.mode is DeskMode.ACTIVE, world.state.latch.reason
    assert world.state.portfolio.unrealised(world.state.quotes) == 0
    assert world.state.portfolio.gross_exposure(world.state.quotes) == 110_000
    tick(world, 1060.0)
    assert world.state.latch.code == "daily_loss"


def test_a_gain_that_only_an_older_quote_shows_is_no_peak() -> None:
    world = leapt(900.0)
    assert world.state.counters.peak_equity == world.limits.capital


def test_a_target_is_not_taken_at_a_price_from_before_the_fill() -> None:
    world = leapt(900.0, stop="5", target="2", quantity="10")
    tick(world, 1000.0, seconds_ago=1)
    assert world.held() == 10
    assert world.stop().trigger_price == 855
    world.broker.fills = False
    tick(world, 918.0)
    assert world.stop().purpose is Purpose.TARGET


def test_a_trail_does_not_follow_a_price_from_before_the_fill() -> None:
    world = leapt(900.0, stop="5", target="0", trail="1")
    tick(world, 1000.0, seconds_ago=1)
    assert world.stop().trigger_price == 855
    tick(world, 930.0)
    assert world.stop().trigger_price == 921


def test_of_several_fills_the_last_one_s_price_counts_and_not_their_average() -> None:
    world = leapt(1000.0, slice=60)
    assert world.held() == 60
    world.broker.price(REL, 992.0)
    world._drain()
    assert world.held() == 100
    (seen,) = world.desk.view(world.now).positions
    assert (float(seen.average_price), seen.last_price, seen.unrealised) == (996.8, 992, -480)


def test_a_stop_of_unknown_outcome_is_not_made_good_for_a_price_from_before_the_fill() -> None:
    world = leapt(1100.0, replies=(Reply.OK, Reply.LOST))
    assert world.working(Purpose.STOP)[0].state is OrderState.UNKNOWN
    world.prices.clear()
    world.clock(15)
    assert world.held() == 100
    assert not world.submits(Purpose.EXIT)


def test_the_price_of_a_fill_is_forgotten_with_the_position() -> None:
    world = leapt(1100.0)
    assert world.state.portfolio.unquoted()
    world.broker.price(REL, 1080.0)
    world._drain()
    assert world.held() == 0
    assert not world.state.portfolio.unquoted()
