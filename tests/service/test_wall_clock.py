"""The live desk's clock: the machine's, except where that one is set back."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from trader.domain.times import IST
from trader.service.clock import WallClock

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=IST)


class Machine:
    """Its clock can be set; its seconds since the start cannot."""

    def __init__(self) -> None:
        self.wall, self.seconds = NOON, 100.0
        self.clock = WallClock(wall=lambda: self.wall, seconds=lambda: self.seconds)

    def passes(self, seconds: float) -> datetime:
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds
        return self.clock.now()


def test_it_is_the_machines_time() -> None:
    machine = Machine()
    for seconds in (0.0, 0.001, 1.0, 3600.0):
        assert machine.passes(seconds) == machine.wall


def test_a_clock_set_forward_is_followed() -> None:
    machine = Machine()
    machine.wall += timedelta(hours=1)
    assert machine.passes(1) == NOON + timedelta(hours=1, seconds=1)


def test_a_suspended_machine_wakes_up_to_the_right_time() -> None:
    machine = Machine()
    machine.wall += timedelta(hours=9)  # its seconds stood still
    assert machine.clock.now() == machine.wall


def test_a_clock_set_back_is_waited_for_and_what_is_due_comes_due() -> None:
    machine = Machine()
    machine.passes(60)
    machine.wall -= timedelta(seconds=90)
    moments = [machine.passes(1) for _ in range(180)]
    assert moments[0] == NOON + timedelta(seconds=60.5)
    assert all(later > earlier for earlier, later in pairwise(moments))
    assert moments[19] == NOON + timedelta(seconds=70)
    assert moments[-1] == machine.wall
    assert machine.passes(5) == machine.wall


def test_a_clock_that_was_hours_ahead_is_believed_once_it_is_right(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.passes(60)
    machine.wall -= timedelta(hours=5, minutes=30)
    assert machine.clock.now() == machine.wall
    assert machine.passes(1) == machine.wall
    assert "set back" in caplog.text
    assert len(caplog.records) == 1


def test_who_sleeps_until_a_moment_wakes_when_it_has_come() -> None:
    """Not at half the way, when the machine's clock is being waited for."""
    back = timedelta()
    clock = WallClock(wall=lambda: NOON + timedelta(seconds=time.monotonic()) - back)
    back = timedelta(minutes=4)
    at = clock.now() + timedelta(milliseconds=20)
    asyncio.run(clock.sleep_until(at))
    assert clock.now() >= at
