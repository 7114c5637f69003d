"""A denial is told in words; its code is for the record."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from world import BUY, DeskWorld

from trader.desk.commands import Pause
from trader.desk.limits import RiskLimits

CODES = [
    ("mode", RiskLimits()),
    ("paused", RiskLimits()),
    ("cooldown", RiskLimits(loss_streak=1)),
    ("trades_per_day", RiskLimits(max_trades_per_day=1)),
    ("open_positions", RiskLimits(max_open_positions=0)),
    ("order_value", RiskLimits(max_order_value=Decimal(500))),
]


@pytest.mark.parametrize(("code", "limits"), CODES, ids=[code for code, _ in CODES])
def test_a_denial_is_told_in_words_and_recorded_with_its_code(code: str, limits: RiskLimits) -> None:
    world = DeskWorld(limits)
    if code in ("cooldown", "trades_per_day"):
        world.enter(1000.0)
        world.tick(980.0)
        world.clock(3)
    else:
        world.start(quantity="10")
    if code == "mode":
        world.command(Pause())
    if code == "paused":
        world.command(Pause("scripted"))
    world.tick(1000.0)
    world.bar(BUY)
    world.clock(2)
    assert world.denied(code)
    bodies = [alert.body for alert in world.alerts("denied")]
    assert bodies
    for body in bodies:
        assert " " in body
        assert not re.search(r"[\[\]_]", body), body
