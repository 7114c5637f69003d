"""Fills or trades as CSV, for a spreadsheet or an accountant."""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from trader.domain.position import Fill, Trade
from trader.domain.records import SessionRecord
from trader.domain.times import ist

R = TypeVar("R", Fill, Trade)
_RAN = ("market", "trading")  # of the run that made it: paper and money are in one ledger


def fills_csv(fills: Sequence[Fill], sessions: Sequence[SessionRecord]) -> str:
    """One line a fill, the header the record's own field names; ``value`` is price times quantity, ``market``
    and ``trading`` are those of the run that made it, of ``sessions``."""
    return _csv(Fill, fills, "value", sessions, lambda fill: fill.at)


def trades_csv(trades: Sequence[Trade], sessions: Sequence[SessionRecord]) -> str:
    """One line a round trip; ``net`` is ``pnl`` less ``charges``; the rest as in ``fills_csv``."""
    return _csv(Trade, trades, "net", sessions, lambda trade: trade.exit_at)


def _csv(
    kind: type[R],
    records: Sequence[R],
    derived: str,
    sessions: Sequence[SessionRecord],
    at: Callable[[R], datetime],
) -> str:
    names: list[str] = [*(field.name for field in fields(kind)), derived]
    runs = sorted(sessions, key=lambda session: session.started_at)
    begun = [session.started_at for session in runs]
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow((*names, *_RAN))
    for record in records:
        run = bisect_right(begun, at(record)) - 1
        ran = [getattr(runs[run], name) if run >= 0 else "" for name in _RAN]
        lines.writerow([_cell(getattr(record, name)) for name in names] + ran)
    return out.getvalue()


def _cell(value: object) -> str:
    """Plain digits for money (no exponent), IST without the zone for times: what spreadsheets read."""
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:f}"
        case datetime():
            return ist(value).strftime("%Y-%m-%d %H:%M:%S")
        case Enum():
            return str(value.value)
    return str(value)
