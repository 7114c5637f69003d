"""A day's fills or trades as CSV, for a spreadsheet or an accountant."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from enum import Enum

from trader.domain.position import Fill, Trade
from trader.domain.times import ist


def fills_csv(fills: Iterable[Fill]) -> str:
    """One line a fill, the header the record's own field names; ``value`` is price times quantity."""
    return _csv(Fill, fills, ("value",))


def trades_csv(trades: Iterable[Trade]) -> str:
    """One line a round trip; ``net`` is ``pnl`` less ``charges``."""
    return _csv(Trade, trades, ("net",))


def _csv(kind: type[Fill | Trade], records: Iterable[Fill | Trade], derived: tuple[str, ...]) -> str:
    names = (*(field.name for field in fields(kind)), *derived)
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(names)
    lines.writerows([_cell(getattr(record, name)) for name in names] for record in records)
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
