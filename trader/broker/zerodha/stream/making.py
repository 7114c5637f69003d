"""What both ways from packets to ticks share: how a tick is made, and the tally of what came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import cast

from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.domain.times import IST

Row = tuple[InstrumentKey, datetime, float, int, float, float]


class ReceivedTick(Tick):
    """A tick whose packet carried no time: ``at`` is when it was received. Of ltp and quote packets all are,
    of full ones those without an exchange time."""

    __slots__ = ()


# Through the tuple itself a tick costs a third of what the NamedTuple's own constructor takes.
exact = cast("Callable[[Row], Tick]", partial(tuple.__new__, Tick))
received_tick = cast("Callable[[Row], ReceivedTick]", partial(tuple.__new__, ReceivedTick))


@dataclass(slots=True)
class Tally:
    """What came, and what was left out and why."""

    frames: int = 0  # with packets
    heartbeats: int = 0
    packets: int = 0
    ticks: int = 0
    damaged: int = 0  # frames not believed
    skipped: int = 0  # packets of unknown length
    strangers: int = 0  # packets of instruments nobody asked for
    unpriced: int = 0  # packets whose price was zero or cannot be meant


@lru_cache(maxsize=4096)
def moment(second: int) -> datetime:
    """Thousands of packets share a second."""
    return datetime.fromtimestamp(second, IST)
