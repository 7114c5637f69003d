"""A /kill under way, and the process dies at any moment of it: the next one ends FLAT, and tells so once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from broker_book import Reply
from world import BUY, SECOND, DeskWorld, at_once

from trader.desk.effects import Cancel, Change, Effect, Submit, Write
from trader.desk.events import Event


class Died(Exception):
    pass


class DyingWorld(DeskWorld):
    """The process dies with the ``step``-th decision from now: before it is recorded, before anything of it
    is sent, with its first request on its way, or before the answers are heard."""

    step = 0
    how = ""

    def _carry_out(self, event: Event | None, effects: list[Effect]) -> None:
        self.step -= bool(effects)
        if self.step or not effects:
            super()._carry_out(event, effects)
            return
        if self.how != "unrecorded":
            at_once(self.ledger.commit([e.record for e in effects if isinstance(e, Write)]))
            self.history.append((event, effects))
        for effect in effects if self.how in ("first sent", "unheard") else ():
            self._send(effect)
            if self.how == "first sent" and isinstance(effect, Submit | Change | Cancel):
                break
        raise Died

    def dies(self, step: int, how: str) -> bool:
        """Whether it came to that within a kill and the seconds after it."""
        self.step, self.how = step, how
        try:
            self.kill(source_id="tg:1")
            self.clock(15)
        except Died:
            self.step = 0
            self.inbox.clear()
            return True
        return False


def protected(world: DeskWorld) -> None:
    world.enter(1000.0)
    world.broker.slice = 30


def bare(world: DeskWorld) -> None:
    world.broker.replies.extend([Reply.OK] + [Reply.UNSENT] * 3)
    world.enter(1000.0)


def entering(world: DeskWorld) -> None:
    world.broker.slice = 30
    world.start()
    world.tick(1000.0)
    world.bar(BUY)
    world.broker.change_replies.append(Reply.REFUSED)


@pytest.mark.parametrize("how", ["unrecorded", "unsent", "first sent", "unheard"])
@pytest.mark.parametrize("prepare", [protected, bare, entering], ids=lambda one: one.__name__)
def test_it_ends_flat_wherever_the_process_died(prepare: Callable[[DeskWorld], None], how: str) -> None:
    for step in count(1):
        world = DyingWorld()
        prepare(world)
        if not world.dies(step, how):
            assert step > 2
            return
        world.now += 20 * SECOND
        world.broker.price("NSE:RELIANCE", 1000.0)  # type: ignore[arg-type]  # its key
        world.inbox.clear()
        world.restart()
        world.clock(150)
        world.kill(source_id="tg:1")  # Telegram repeats what nobody answered; done once, it is done
        world.clock(30)
        assert world.account() == world.broker.net() == {}
        assert not [row for row in world.broker.orders() if not row.status.final]
        assert world.state.halted
        told = [a.alert_id for a in world.alerts("kill")]
        assert told[-1] == "kill:tg:1:flat", "perhaps NOT FLAT first, while nobody could know of an order"
        assert told.count("kill:tg:1:flat") == 1
