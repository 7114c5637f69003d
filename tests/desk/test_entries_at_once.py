"""Entries of one moment that fit each alone and not together (faults.md 52)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from broker_book import Reply
from world import BUY, LOT, REL, TCS, DeskWorld

from trader.desk.exposure import exposure, margin_used
from trader.desk.limits import RiskLimits
from trader.domain.order import Purpose

KEYS = (REL, TCS, LOT)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (RiskLimits(max_exposure_pct=Decimal(50)), "exposure"),
        (RiskLimits(max_open_positions=1), "open_positions"),
        (RiskLimits(max_trades_per_day=1), "trades_per_day"),
    ],
)
@pytest.mark.parametrize("reply", [Reply.OK, Reply.TAKEN, Reply.SILENT])
def test_the_second_one_is_denied_before_the_first_is_heard_of(
    limits: RiskLimits, code: str, reply: Reply
) -> None:
    world = DeskWorld(limits)
    world.broker.fills = False
    for number, name in enumerate(("RELIANCE", "TCS", "LOTS")):
        world.start("scripted", name, quantity="75" if number else "40")
    for key in KEYS:
        world.tick(400.0 if key != REL else 700.0, key)
    world.broker.replies.extend([reply] * 3)
    for key in KEYS:
        world.bar(BUY, key)
    assert len(world.submits(Purpose.ENTRY)) == 1
    assert world.denied(code)
    assert exposure(world.state) <= world.state.limits.max_exposure


def test_the_margin_of_an_entry_under_way_is_not_there_for_the_next() -> None:
    world = DeskWorld(RiskLimits(max_order_value=Decimal(200_000), max_exposure_pct=Decimal(1000)))
    world.broker.fills = False
    for name in ("RELIANCE", "TCS"):
        world.start("scripted", name, product="CNC", side="long", quantity="90", stop="1")
    for key in (REL, TCS):
        world.tick(700.0, key)
    for key in (REL, TCS):
        world.bar(BUY, key)
    assert len(world.submits(Purpose.ENTRY)) == 1
    assert world.denied("capital")
    assert margin_used(world.state, world.now.date()) <= world.state.limits.capital
