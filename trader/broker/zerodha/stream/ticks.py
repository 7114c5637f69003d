"""From a frame to the ticks the desk trades on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from itertools import repeat
from typing import cast

from trader.broker.zerodha.stream.frames import Columns, Frame, Group
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.domain.times import IST, ist

Row = tuple[InstrumentKey, datetime, float, int, float, float]


class ReceivedTick(Tick):
    """A tick whose packet carried no time: ``at`` is when it was received. Of ltp and quote packets all are,
    of full ones those without an exchange time."""

    __slots__ = ()


# Through the tuple itself a tick costs a third of what the NamedTuple's own constructor takes.
_EXACT = cast("Callable[[Row], Tick]", partial(tuple.__new__, Tick))
_RECEIVED = cast("Callable[[Row], Tick]", partial(tuple.__new__, ReceivedTick))


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


def ticks_of(frame: Frame, keys: Mapping[int, InstrumentKey], received: datetime, tally: Tally) -> list[Tick]:
    """The frame's ticks in its order, counted into ``tally``. ``keys`` are the instruments by token; packets
    of others are left out, and so are those without a price that can be meant. Times are IST."""
    if frame.heartbeat or frame.fault:
        tally.heartbeats += frame.heartbeat
        tally.damaged += bool(frame.fault)
        return []
    received = ist(received)
    if len(frame.groups) == 1 and frame.groups[0].places is None:
        found = _row_ticks(frame.groups[0], keys, received, tally)
    else:
        found = [None] * frame.packets
        for group in frame.groups:
            for place, tick in zip(group.places or (), _row_ticks(group, keys, received, tally), strict=True):
                found[place] = tick
    ticks = [tick for tick in found if tick is not None]
    tally.frames += 1
    tally.packets += frame.packets
    tally.skipped += len(frame.skipped)
    tally.ticks += len(ticks)
    return ticks


def _row_ticks(
    group: Group, keys: Mapping[int, InstrumentKey], received: datetime, tally: Tally
) -> list[Tick | None]:
    """One for each row, None where it is left out."""
    columns = group.columns()
    names = list(map(keys.get, columns.token.tolist()))
    ticks = _made(group, columns, cast("list[InstrumentKey]", names), received)
    strange = None in names
    if strange or not columns.priced.all():
        for row, (name, priced) in enumerate(zip(names, columns.priced.tolist(), strict=True)):
            if name is None:
                tally.strangers += 1
            elif not priced:
                tally.unpriced += 1
            if name is None or not priced:
                ticks[row] = None
    return ticks


def _made(
    group: Group, columns: Columns, names: list[InstrumentKey], received: datetime
) -> list[Tick | None]:
    rest = (columns.last.tolist(), columns.volume.tolist(), columns.bid.tolist(), columns.ask.tolist())
    if not group.layout.timed:
        return list(map(_RECEIVED, zip(names, repeat(received), *rest, strict=False)))
    seconds = columns.at.tolist()
    made = list(map(_EXACT, zip(names, map(_moment, seconds), *rest, strict=True)))
    if 0 not in seconds:
        return cast("list[Tick | None]", made)
    return [
        tick if second else ReceivedTick(*tick._replace(at=received))
        for tick, second in zip(made, seconds, strict=True)
    ]


@lru_cache(maxsize=4096)
def _moment(second: int) -> datetime:
    """Thousands of packets share a second."""
    return datetime.fromtimestamp(second, IST)
