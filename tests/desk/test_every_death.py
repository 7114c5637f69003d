"""The process dies at every step of a day: around each commit and each request (faults.md 31 and 32)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest
from world import LEAVE, SHORT, DeskWorld

from trader.desk.effects import Effect, Write
from trader.desk.events import Event
from trader.desk.portfolio import slot_of
from trader.domain.order import OrderState
from trader.domain.records import DeskMode


class Died(Exception):
    """``kill -9``: nothing is tidied up."""


class Mortal(DeskWorld):
    """Dies when ``left`` steps are taken. The ledger and the broker live on."""

    left = 0

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Died

    def _carry_out(self, event: Event | None, effects: list[Effect]) -> None:
        if any(isinstance(effect, Write) for effect in effects):
            self._step()
        writes = [effect for effect in effects if isinstance(effect, Write)]
        super()._carry_out(event, [*writes])
        for effect in effects:
            if not isinstance(effect, Write):
                self._step()
                self._send(effect)
                self._step()


def day(world: DeskWorld) -> None:
    """In, a trail, out; short, and a kill."""
    world.enter(1000.0, quantity="10", trail="1", target="0")
    for price in (1010.0, 1020.0, 1015.0):
        world.tick(price)
    world.bar(LEAVE)
    world.tick(1015.0)
    world.bar(SHORT)
    world.tick(1014.0)
    world.kill()
    world.clock(3)


def checked(world: DeskWorld) -> None:
    """I1 to I3 and I7 of faults.md, once everything is still."""
    tags = Counter(row.tag for row in world.broker.orders() if row.tag)
    assert max(tags.values(), default=0) <= 1, "at most one order for each intent"
    assert set(tags) <= set(world.state.orders), "none that the log does not know"
    booked = Counter[str | None]()
    for fill in world.fills():
        booked[fill.tag] += fill.quantity
    assert booked == Counter(
        {row.tag: row.filled_quantity for row in world.broker.orders() if row.filled_quantity}
    )
    assert world.account() == {at: n for at, n in world.broker.net().items() if n}


def bare(world: DeskWorld, *, unless_unknown: bool = False) -> None:
    """Nothing held is: a stop rests, or it is on its way out; the price of a stop of unknown outcome is
    watched."""
    unknown = {slot_of(order) for order in world.working() if order.state is OrderState.UNKNOWN}
    for slot in world.state.portfolio.open_slots():
        watched = unless_unknown and slot in unknown
        assert watched or world.desk._exits.protected(slot) or world.desk._exits.leaving(slot)


def dies(world: Mortal, step: int, work: Callable[[], object]) -> bool:
    """Whether it got so far."""
    world.left = step
    try:
        work()
    except Died:
        return True
    finally:
        world.left = 0
    return False


def recovers(world: DeskWorld) -> None:
    world.restart()
    world.clock(5)


@pytest.mark.parametrize("again", [0, 1, 2, 4, 7])
def test_whenever_it_dies_nothing_is_lost_doubled_or_left_bare(again: int) -> None:
    """``again``: the step at which the recovery dies, too."""
    for last in count(1):
        world = Mortal()
        if not dies(world, last, lambda: day(world)):  # noqa: B023 - at once
            assert last > 40, "that many steps has the day"
            return
        dies(world, again, lambda: recovers(world))  # noqa: B023 - the same
        recovers(world)
        checked(world)
        assert world.state.latch.mode is DeskMode.HALTED
        bare(world, unless_unknown=True)
        world.clock(140)  # what never arrived is proven absent
        bare(world)
        world.kill()
        world.clock(10)
        checked(world)
        assert not world.account()
        assert not [row for row in world.broker.orders() if not row.status.final]
        assert world.told("FLAT verified")
