"""Longer days than hypothesis plays, from a seed: a failing one is replayed by its number."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from broker_book import Reply
from checked_world import ANSWERED, CheckedWorld
from test_desk_machine import LIMITS
from world import BUY, COVER, LEAVE, OURS, REL, SHORT, TCS

from trader.desk.commands import Pause, Resume, StartStrategy
from trader.domain.order import Side
from trader.domain.records import InstanceStatus


class RandomDay:
    def __init__(self, seed: int, *, dark: bool, outside: bool = False) -> None:
        self.random = Random(seed)
        self.replies = tuple(Reply) if dark else ANSWERED
        self.world = world = CheckedWorld(LIMITS)
        world.may_flip = dark or outside
        world.broker.announces = self.random.random() < 0.5
        trail = self.random.choice(["0", "0.4"])
        target = self.random.choice(["0", "0.6"])
        world.start("scripted", "RELIANCE", "TCS", trail=trail, target=target)
        world.tick(1000.0)
        world.tick(1000.0, TCS)
        moves: list[tuple[int, Callable[[], None]]] = [
            (30, self.trades),
            (14, self.wants_in),
            (10, self.wants_out),
            (8, lambda: world.clock(self.random.choice([1, 2, 5, 12, 40]))),
            (6, self.troubles_placements),
            (6, self.troubles_changes),
            (6, self.finds_takers),
            (6, self.stream),
            (2, lambda: setattr(world.broker, "readable", self.random.random() < 0.6)),
            (3, self.ends_an_order),
            (2, lambda: world.restart(clean=self.random.random() < 0.7) and None),
            (1, lambda: world.kill() and None),
            (1, lambda: world.command(Pause()) and None),
        ]
        if dark:
            moves.append((3, self.hides))
        if outside:
            moves.append((3, self.meddles))
        self.weights, self.moves = zip(*moves, strict=True)

    def play(self, steps: int) -> CheckedWorld:
        for move in self.random.choices(self.moves, self.weights, k=steps):
            move()
        return self.world

    def key(self):
        return self.random.choice([REL, REL, TCS])

    def trades(self) -> None:
        key = self.key()
        move = self.random.choice([0.0005, 0.003, 0.01]) * self.random.uniform(-1, 1)
        self.world.tick(round(self.world.prices[key] * (1 + move), 1), key)

    def wants_in(self) -> None:
        world, key = self.world, self.key()
        world.command(Resume())
        running = world.state.instances.get(OURS)
        if running is None or not running.instance.status.alive:
            world.command(StartStrategy("scripted", ("RELIANCE", "TCS"), "1m", {"trail": "0.4"}))
        elif running.instance.status is InstanceStatus.PAUSED:
            world.command(Resume(OURS))
        world.tick(world.prices[key], key)
        world.bar(self.random.choice([BUY, BUY, SHORT]), key)

    def wants_out(self) -> None:
        self.world.bar(self.random.choice([LEAVE, COVER, SHORT, BUY]), self.key())

    def troubles_placements(self) -> None:
        self.world.broker.replies.extend(self.random.choices((Reply.OK, *self.replies), k=2))

    def troubles_changes(self) -> None:
        self.world.broker.change_replies.extend(self.random.choices(tuple(Reply), k=2))

    def finds_takers(self) -> None:
        self.world.broker.fills = self.random.random() < 0.7
        self.world.broker.slice = self.random.choice([None, None, 7, 40])

    def stream(self) -> None:
        world = self.world
        if world.deliver:
            world.deliver = False
            return
        count = len(world.mail)
        numbers = self.random.sample(range(count), count)
        kept = numbers[: len(numbers) - self.random.choice([0, 0, 1, 3])] + numbers[:1]
        if kept:
            world.post(*kept)
        world.mail.clear()
        world.deliver = True

    def ends_an_order(self) -> None:
        broker = self.world.broker
        resting = [r.order_id for r in broker.orders() if not r.status.final]
        if resting and self.random.random() < 0.5:
            broker.reject(self.random.choice(resting), "RMS: margin")
        elif resting:
            broker.change_replies.appendleft(Reply.OK)
            broker.cancel(self.random.choice(resting))
        self.world._drain()

    def hides(self) -> None:
        """Orders nobody has an id for stay out of the book for a while (faults.md 3)."""
        broker = self.world.broker
        known = {o.order_id for o in self.world.state.orders.values()}
        broker.hidden = set() if broker.hidden else {i for i in broker.rows if i not in known}

    def meddles(self) -> None:
        """The broker's risk desk, or the owner's thumb, trades in the same account."""
        key, side = self.key(), self.random.choice(list(Side))
        quantity = self.random.choice([10, 50, 100])
        price = str(self.world.prices[key])
        self.world.broker.elsewhere(key, side, quantity, price, told=self.random.random() < 0.5)
        self.world._drain()


@pytest.mark.parametrize("seed", range(15))
def test_a_day_with_an_honest_but_unreliable_broker(seed: int) -> None:
    RandomDay(seed, dark=False).play(70).comes_to_rest()


@pytest.mark.parametrize("seed", range(15))
def test_a_day_on_which_the_broker_hides_what_it_took(seed: int) -> None:
    RandomDay(seed, dark=True).play(70).comes_to_rest()


@pytest.mark.parametrize("seed", range(15))
def test_a_day_on_which_somebody_else_trades_in_the_account(seed: int) -> None:
    day = RandomDay(seed, dark=False, outside=True).play(70)
    day.comes_to_rest()
