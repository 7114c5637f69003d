"""From a frame to the ticks the desk trades on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import repeat
from typing import cast

from trader.broker.zerodha.stream.few import few_ticks
from trader.broker.zerodha.stream.frames import Columns, Frame, Group
from trader.broker.zerodha.stream.making import ReceivedTick, Tally, exact, moment, received_tick
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.domain.times import ist

__all__ = ["ReceivedTick", "Tally", "column_ticks", "ticks_of"]


def ticks_of(frame: Frame, keys: Mapping[int, InstrumentKey], received: datetime, tally: Tally) -> list[Tick]:
    """The frame's ticks in its order, counted into ``tally``. ``keys`` are the instruments by token; packets
    of others are left out, and so are those without a price that can be meant. Times are IST."""
    if frame.heartbeat or frame.fault:
        tally.heartbeats += frame.heartbeat
        tally.damaged += bool(frame.fault)
        return []
    make = few_ticks if frame.few else column_ticks
    ticks = make(frame, keys, ist(received), tally)
    tally.frames += 1
    tally.packets += frame.packets
    tally.skipped += len(frame.skipped)
    tally.ticks += len(ticks)
    return ticks


def column_ticks(
    frame: Frame, keys: Mapping[int, InstrumentKey], received: datetime, tally: Tally
) -> list[Tick]:
    """The frame's ticks by way of its groups; what was left out is counted. ``received`` is in IST."""
    groups = frame.groups
    found: list[Tick | None]
    if len(groups) == 1 and groups[0].places is None:
        found = _row_ticks(groups[0], keys, received, tally)
    else:
        found = [None] * frame.packets
        for group in groups:
            for place, tick in zip(group.places or (), _row_ticks(group, keys, received, tally), strict=True):
                found[place] = tick
    return [tick for tick in found if tick is not None]


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
        return list(map(received_tick, zip(names, repeat(received), *rest, strict=False)))
    seconds = columns.at.tolist()
    made = list(map(exact, zip(names, map(moment, seconds), *rest, strict=True)))
    if 0 not in seconds:
        return cast("list[Tick | None]", made)
    return [
        tick if second else ReceivedTick(*tick._replace(at=received))
        for tick, second in zip(made, seconds, strict=True)
    ]
