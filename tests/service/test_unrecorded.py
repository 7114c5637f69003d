"""A planner gone mad: what it sends is not what it recorded (faults.md 50)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.service.whole_house import MINUTE, running
from trader.desk.commands import StartStrategy, StopStrategy
from trader.desk.desk import Desk
from trader.desk.effects import Change, Effect, Submit, Write
from trader.desk.events import Event
from trader.domain.order import Order

START = StartStrategy("ema_crossover", ("TCS", "SBIN"), "1m")
Twist = Callable[[Effect], list[Effect]]


class Mad:
    """The desk, but for what ``twist`` makes of its effects."""

    def __init__(self, desk: Desk, twist: Twist) -> None:
        self._desk, self._twist = desk, twist

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, name)

    def handle(self, event: Event) -> list[Effect]:
        return [made for effect in self._desk.handle(event) for made in self._twist(effect)]


def hundredfold(effect: Effect) -> list[Effect]:
    if isinstance(effect, Submit):
        approved = effect.approved
        return [Submit(replace(approved, request=replace(approved.request, quantity=100)))]
    return [effect]


def twice(effect: Effect) -> list[Effect]:
    """The second under a tag that nobody recorded."""
    if not isinstance(effect, Submit):
        return [effect]
    request = effect.approved.request
    return [effect, Submit(replace(effect.approved, request=replace(request, tag=f"{request.tag}X")))]


def unwritten(effect: Effect) -> list[Effect]:
    return [] if isinstance(effect, Write) and isinstance(effect.record, Order) else [effect]


def grown(effect: Effect) -> list[Effect]:
    if isinstance(effect, Change):
        approved = effect.approved
        return [Change(replace(approved, change=replace(approved.change, quantity=9_999)))]
    return [effect]


@pytest.mark.parametrize("twist", [hundredfold, twice, unwritten])
async def test_what_is_not_what_was_recorded_is_not_sent_and_the_desk_halts(twist: Twist) -> None:
    async with running() as desk:
        await desk.ask(START, "1")
        desk.house.service._desk = Mad(desk.house.desk, twist)  # type: ignore[assignment] # all of a Desk
        for _ in range(40):
            await desk.wait(MINUTE)
            if desk.house.front.view().latch.code == "strange_order":
                break
        assert desk.house.front.view().latch.code == "strange_order"
        placed = (await desk.journal.load()).orders
        assert bool(placed) is (twist is twice)
        assert not [row for row in placed if str(row.update.tag).endswith("X")]


async def test_a_change_to_more_than_was_recorded_is_not_sent_either() -> None:
    async with running() as desk:
        await desk.ask(START, "1")
        while not desk.house.front.view().positions:
            await desk.wait(MINUTE)
        before = [p.quantity for p in desk.house.front.view().positions]
        desk.house.service._desk = Mad(desk.house.desk, grown)  # type: ignore[assignment] # all of a Desk
        await desk.ask(StopStrategy("ema_crossover", close=True), "2")
        await desk.wait(MINUTE)
        assert desk.house.front.view().latch.code == "strange_order"
        assert [p.quantity for p in desk.house.front.view().positions] == before
