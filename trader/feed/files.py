"""Parquet and CSV files of candles or ticks, as columns.

What is understood, by column names (any case):

* candles: ``date`` (opening time), ``open``, ``high``, ``low``, ``close``, ``volume``
* ticks: ``timestamp``, ``last_price`` (or ``ltp``), the day's cumulative ``volume``, ``bid``, ``ask``

Either may have ``symbol`` or ``tradingsymbol``; without it the file's name tells, as in
``RELIANCE_5minute_2023.parquet``. The candles' interval stands in the name too, or follows from their
spacing. Times without a zone are the exchange's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trader.domain.errors import FeedError, UnknownName
from trader.domain.market import Interval
from trader.domain.times import IST

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TIME = ("date", "timestamp", "datetime", "exchange_timestamp", "time")
_SYMBOL = ("symbol", "tradingsymbol")
_LAST = ("last_price", "ltp", "price", "last")
_VOLUME = ("volume", "volume_traded")
_BID, _ASK = ("bid", "bid_price"), ("ask", "ask_price")
_OHLC = ("open", "high", "low", "close")
_IST_OFFSET = 19_800_000_000  # microseconds
_NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Rows:
    """One symbol's rows as they stand in the files: ``at`` in microseconds since 1970 UTC, prices in rupees
    with NaN where there was none. ``prices`` is open, high, low, close or last, bid, ask."""

    symbol: str
    at: Ints
    prices: Sequence[Floats]
    volume: Floats

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """The rows of several files, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return Rows(
            parts[0].symbol,
            np.concatenate([part.at for part in parts]),
            [np.concatenate(column) for column in zip(*(part.prices for part in parts), strict=True)],
            np.concatenate([part.volume for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds; ``interval`` is None for ticks."""

    interval: Interval | None
    rows: Sequence[Rows]


def read(path: Path, flaws: Counter[str]) -> Contents:
    """The file's rows by symbol, in file order; FeedError when it holds no candles or ticks.

    Rows without a readable time are left out and counted in ``flaws``.
    """
    table = _table(path)
    names = {name.strip().lower(): name for name in table.column_names}
    layout = _Layout(path, names)
    at = _times(table[layout.time], path)
    keep = at != _NO_TIME
    if not keep.all():
        flaws["unreadable_time"] += int(len(at) - keep.sum())
    columns = [_floats(table[name]) if name else np.zeros(len(at)) for name in layout.prices]
    volume = _floats(table[layout.volume]) if layout.volume else np.zeros(len(at))
    rows = [
        Rows(symbol, at[where], [column[where] for column in columns], volume[where])
        for symbol, where in _by_symbol(table, layout.symbol, path, keep)
    ]
    return Contents(_interval(path, rows) if layout.candles else None, rows)


def named(path: Path) -> tuple[str, Interval | None]:
    """The symbol and candle interval that a file's name tells; "" and None where it does not."""
    return _name_parts(path)


class _Layout:
    """Which column is what."""

    def __init__(self, path: Path, names: dict[str, str]) -> None:
        def first(options: Sequence[str]) -> str | None:
            return next((names[o] for o in options if o in names), None)

        time, last = first(_TIME), first(_LAST)
        self.candles = all(name in names for name in _OHLC)
        if time is None or not (self.candles or last):
            raise FeedError(
                f"Expected candles (date, open, high, low, close, volume) or ticks (timestamp, last_price, "
                f"volume) in {path.name}, found the columns {', '.join(names.values()) or 'none'}"
            )
        if "strike" in names or "option_type" in names:
            raise FeedError(
                f"Expected rows of single instruments in {path.name}, found an option chain (it has "
                "strikes); give each contract its own symbol"
            )
        if time == names.get("date") and "time" in names:
            raise FeedError(f"Expected date and time in one column in {path.name}, found two; join them")
        self.time = time
        self.symbol = first(_SYMBOL)
        self.volume = first(_VOLUME)
        self.prices = [names[n] for n in _OHLC] if self.candles else [last, first(_BID), first(_ASK)]


def _table(path: Path) -> Any:
    import pyarrow  # late: only a replay needs it
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if path.name.lower().endswith(".parquet"):
            return pyarrow.parquet.read_table(path)
        return pyarrow.csv.read_csv(path)  # unpacks .gz by its name
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FeedError(
            f"Expected a readable Parquet or CSV file, could not read {path.name}: {reason}"
        ) from error


def _times(column: Any, path: Path) -> Ints:
    """Microseconds since 1970 UTC; ``_NO_TIME`` where a row has no readable one."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_date(kind):
        column, kind = column.cast(pa.timestamp("us")), pa.timestamp("us")
    if pa.types.is_timestamp(kind):
        raw = column.cast(pa.timestamp("us", tz=kind.tz), safe=False).cast(pa.int64())
        at: Ints = raw.fill_null(_NO_TIME).to_numpy()
        return at if kind.tz else np.where(at == _NO_TIME, at, at - _IST_OFFSET)
    texts = column.to_pylist() if pa.types.is_string(kind) or pa.types.is_large_string(kind) else []
    at = np.array([_microseconds(text) for text in texts], dtype=np.int64)
    if len(column) and not (at != _NO_TIME).any():
        found = texts[0] if texts else f"the type {kind}"
        raise FeedError(f"Expected times like 2023-05-02 09:15:00+05:30 in {path.name}, found {found}")
    return at


def _microseconds(text: str | None) -> int:
    try:
        at = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return int(_NO_TIME)
    at = at if at.tzinfo else at.replace(tzinfo=IST)
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def _floats(column: Any) -> Floats:
    """The column as numbers, NaN where it has none."""
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array([_number(text) for text in column.to_pylist()], dtype=np.float64)
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    numbers: Floats = column.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy()
    return numbers


def _number(text: str | None) -> float:
    try:
        return float((text or "").replace(",", ""))
    except ValueError:
        return float("nan")


def _by_symbol(
    table: Any, column: str | None, path: Path, keep: NDArray[np.bool_]
) -> list[tuple[str, NDArray[np.intp]]]:
    """Each symbol with the positions of its rows, in file order."""
    import pyarrow as pa

    if column is None:
        return [(_symbol_in(path), np.flatnonzero(keep))]
    coded = table[column].cast(pa.string()).fill_null("").combine_chunks().dictionary_encode()
    codes: Ints = coded.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(coded.dictionary) + 1))
    found = []
    for i, symbol in enumerate(coded.dictionary.to_pylist()):
        where = order[bounds[i] : bounds[i + 1]]
        if symbol.strip():
            found.append((symbol, where[keep[where]]))
    return found


def _name_parts(path: Path) -> tuple[str, Interval | None]:
    """Symbol and interval in names such as ``NIFTY_50_minute_2015-2021.parquet``; "" where there is none."""
    words = path.name.split(".")[0].split("_")
    for i, word in enumerate(words):
        try:
            return "_".join(words[:i]), Interval.parse(word)
        except UnknownName:
            if word in ("1s", "tick", "ticks"):
                return "_".join(words[:i]), None
    return "_".join(words), None


def _symbol_in(path: Path) -> str:
    symbol, _ = _name_parts(path)
    if not symbol:
        raise FeedError(
            f"Expected a symbol column or a name like RELIANCE_minute.parquet, found neither in {path.name}"
        )
    return symbol


def _interval(path: Path, rows: Sequence[Rows]) -> Interval:
    """The candles' interval by the file's name, or by the commonest distance of two."""
    _, named = _name_parts(path)
    if named is not None:
        return named
    gaps = np.concatenate([np.diff(r.at) for r in rows]) // 1_000_000 if rows else np.zeros(0, np.int64)
    gaps = gaps[gaps > 0]
    if not len(gaps):
        raise FeedError(
            f"Expected the candle interval in the name, as in RELIANCE_minute.csv, found {path.name}"
        )
    values, counts = np.unique(gaps, return_counts=True)
    seconds = int(values[np.argmax(counts)])
    for interval in Interval:
        if interval.seconds == seconds:
            return interval
    raise FeedError(
        f"Expected candles {', '.join(Interval)} apart, found {seconds} seconds between most of {path.name}"
    )
