"""The same events, the same effects: in two fresh desks, and in one that was restarted on the way."""

from __future__ import annotations

from random import Random

from world import BUY, COVER, LEAVE, OURS, REL, SHORT, TCS, DeskWorld

from trader.desk.commands import Kill, Pause, Resume
from trader.desk.effects import Effect, ReadBook, Write
from trader.domain.order import Order
from trader.domain.position import Fill, Trade
from trader.domain.records import RiskCounters


def played(world: DeskWorld, seed: int, steps: int = 120) -> DeskWorld:
    random = Random(seed)
    if OURS not in world.state.instances:
        world.start("scripted", "RELIANCE", "TCS", trail="0.5")
        world.start("ticker", "RELIANCE")
    prices = {REL: 1000.0, TCS: 500.0}
    for _ in range(steps):
        key = random.choice([REL, TCS])
        prices[key] = round(prices[key] * (1 + random.uniform(-0.004, 0.004)), 1)
        world.tick(prices[key], key, code=random.choice([0, 0, 0, BUY, LEAVE]))
        if random.random() < 0.4:
            world.bar(random.choice([0, BUY, LEAVE, SHORT, COVER]), key)
        if random.random() < 0.02:
            world.command(random.choice([Pause(), Resume(), Pause(OURS), Resume(OURS)]))
    return world


def test_two_fresh_desks_given_the_same_events_answer_alike() -> None:
    for seed in range(4):
        one, two = played(DeskWorld(), seed), played(DeskWorld(), seed)
        assert one.history == two.history
        assert len(one.fills()) > 5


def test_a_recorded_day_replays_to_the_same_effects_without_its_broker() -> None:
    world = played(DeskWorld(), 7)
    desk = DeskWorld()._desk()
    for event, effects in world.history:
        assert event is not None
        assert desk.handle(event) == effects


def _of_money(effects: list[Effect]) -> list[Effect]:
    """Everything but what a restart asks again."""
    return [e for e in effects if not isinstance(e, ReadBook)]


def test_a_desk_restored_in_the_middle_goes_on_as_if_nothing_had_happened() -> None:
    """At a quiet moment: same sends, same money, same counters, to the last digit."""
    whole, cut = DeskWorld(), DeskWorld()
    for world in (whole, cut):
        world.start(trail="0.5")
        for price in (1000.0, 1001.0):
            world.tick(price)
        world.bar(BUY)
        for price in (1002.0, 1006.0, 1008.0):
            world.tick(price)
    cut.restart(clean=True)
    marks = len(whole.history), len(cut.history)
    for world in (whole, cut):
        for step in range(40):
            world.tick(1008.0 + (step % 7) * 1.3 - step * 0.2)
            if step % 9 == 0:
                world.bar((BUY, LEAVE, SHORT, COVER)[step // 9 % 4])
        world.command(Kill())
        world.clock(5)
    after = [
        [_of_money(fx) for ev, fx in world.history[mark:] if ev is not None]
        for world, mark in zip((whole, cut), marks, strict=True)
    ]
    assert [fx for fx in after[0] if fx] == [fx for fx in after[1] if fx]
    for kind in (Fill, Trade, Order):
        assert whole.written(kind)[-1] == cut.written(kind)[-1]
    assert _last_counters(whole) == _last_counters(cut)


def _last_counters(world: DeskWorld) -> RiskCounters:
    return [e.record for e in world.effects() if isinstance(e, Write) and isinstance(e.record, RiskCounters)][
        -1
    ]
