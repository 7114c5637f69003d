"""A stop of the desk's that its owner changes in the broker's app is told and put back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from broker_book import Reply
from world import DeskWorld

from trader.domain.order import OrderUpdate, Purpose
from trader.domain.records import Alert, Priority


def held(stop: float = 1.0) -> DeskWorld:
    """100 at ₹1,000.00, the stop ₹990.00."""
    world = DeskWorld()
    world.enter(1000.0, quantity="100", stop=str(stop), target="0")
    world.clock(3)
    return world


def row(world: DeskWorld) -> OrderUpdate:
    order_id = world.stop().order_id
    assert order_id is not None
    return world.broker.rows[order_id]


def change(world: DeskWorld, *, told: bool = True, **terms: Any) -> None:
    """In the app; the stream tells of it or not."""
    changed = replace(row(world), at=world.now, **terms)
    world.broker.rows[changed.order_id] = changed
    if told:
        world.broker.tell(changed)
        world._drain()


def alerts(world: DeskWorld) -> list[Alert]:
    return [alert for alert in world.alerts() if alert.title.startswith("Stop changed elsewhere")]


def terms_at_broker(world: DeskWorld) -> tuple[int, Decimal | None]:
    return row(world).quantity, row(world).trigger_price


@pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
@pytest.mark.parametrize(
    "terms",
    [{"quantity": 50}, {"quantity": 300}, {"trigger_price": Decimal(950)}, {"trigger_price": Decimal(998)}],
    ids=["half", "thrice", "lower", "higher"],
)
def test_it_is_the_plans_again_within_the_next_readings(terms: dict[str, Any], told: bool) -> None:
    world = held()
    assert terms_at_broker(world) == (100, Decimal("990.00"))
    change(world, told=told, **terms)
    world.clock(75)
    assert terms_at_broker(world) == (100, Decimal("990.00"))
    assert world.held() == 100
    (alert,) = alerts(world)
    assert alert.priority is Priority.CRITICAL


def test_the_owner_hears_what_was_expected_what_rested_and_what_was_done() -> None:
    world = held()
    change(world, quantity=50, trigger_price=Decimal("970.00"))
    world.clock(75)
    (alert,) = alerts(world)
    assert alert.title == "Stop changed elsewhere: RELIANCE (scripted)"
    assert alert.body.splitlines() == [
        "Expected: SELL 100 RELIANCE MIS, trigger ₹990.00.",
        "Broker: SELL 50, trigger ₹970.00.",
        "Done: it is put back; a stop follows its strategy's plan alone.",
    ]


def test_where_the_price_is_past_the_plans_stop_meanwhile_the_position_is_closed() -> None:
    world = held()
    change(world, trigger_price=Decimal(900))
    world.tick(985.0)
    world.clock(75)
    assert world.held() == 0
    assert "the price is past ₹990.00, so it is closed" in alerts(world)[0].body
    assert not world.working()


def test_a_stop_changed_while_the_desk_was_down_is_put_back() -> None:
    world = held()
    world.clock(3)
    change(world, told=False, quantity=50)
    world.clock()
    world.restart(clean=True)
    world.clock(5)
    assert terms_at_broker(world) == (100, Decimal("990.00"))
    assert len(alerts(world)) == 1


def test_a_reading_of_before_the_desks_own_change_is_no_change_of_the_owners() -> None:
    world = held()
    before = row(world)
    world.broker.elsewhere(before.key, before.side, 40, "1000")  # closes a part, so the stop becomes smaller
    world._drain()
    world.clock(2)
    assert terms_at_broker(world)[0] == 60
    world.broker.rows[before.order_id] = before  # the book is behind
    world.clock(130)
    assert not alerts(world)
    assert world.stop().quantity == 60


def test_a_change_of_the_desks_own_whose_answer_was_lost_is_not_the_owners() -> None:
    world = held()
    world.broker.change_replies.append(Reply.TAKEN)
    world.broker.elsewhere(row(world).key, row(world).side, 40, "1000")
    world._drain()
    world.clock(130)
    assert terms_at_broker(world)[0] == 60
    assert not alerts(world)
    assert [order.purpose for order in world.working()] == [Purpose.STOP]
