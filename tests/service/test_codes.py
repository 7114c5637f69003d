"""One-time codes: right ones once, wrong ones a few times."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyotp
import pytest

from trader.domain.errors import InvalidInput
from trader.domain.times import IST
from trader.service.codes import LOCKED_FOR, MOST_WRONG, OneTimeCodes

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - of nobody
NOON = datetime(2026, 11, 23, 12, 0, 10, tzinfo=IST)


class World:
    def __init__(self) -> None:
        self.at = NOON
        self.codes = OneTimeCodes(SECRET, lambda: self.at)

    def shown(self, steps: int = 0) -> str:
        return pyotp.TOTP(SECRET).at(self.at + timedelta(seconds=30 * steps))

    def wrong(self) -> str:
        good = {self.shown(steps) for steps in (-1, 0, 1)}
        return next(f"{n:06d}" for n in range(10) if f"{n:06d}" not in good)


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_is_good_for_a_step_around_its_own(steps: int) -> None:
    World().codes.check(World().shown(steps))


@pytest.mark.parametrize("steps", [-3, -2, 2, 3])
def test_an_old_code_is_none(steps: int) -> None:
    with pytest.raises(InvalidInput, match="wrong"):
        World().codes.check(World().shown(steps))


def test_a_code_is_good_once_and_so_is_every_earlier_one() -> None:
    world = World()
    world.codes.check(world.shown())
    for steps in (0, -1):
        with pytest.raises(InvalidInput, match="used already"):
            world.codes.check(world.shown(steps))
    world.at += timedelta(seconds=30)
    world.codes.check(f"{world.shown()[:3]} {world.shown()[3:]}")


@pytest.mark.parametrize("text", ["", "12345", "abcdef", "٠١٢٣٤٥", "1234567", "%s"])
def test_what_is_no_code_is_wrong(text: str) -> None:
    with pytest.raises(InvalidInput):
        World().codes.check(text)


def test_guessing_is_locked_out_for_a_while() -> None:
    world = World()
    for _ in range(MOST_WRONG):
        with pytest.raises(InvalidInput, match="wrong"):
            world.codes.check(world.wrong())
    with pytest.raises(InvalidInput, match="none is taken before 12:10"):
        world.codes.check(world.shown())
    world.at += LOCKED_FOR
    world.codes.check(world.shown())
