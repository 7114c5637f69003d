"""Recorded ticks as Parquet: segments while the day runs, one file when it is over.

Columns: ``timestamp`` (the exchange's, or when it was received where Kite sent none), ``symbol``,
``last_price``, ``volume`` (of the day so far), ``bid``, ``ask``, and ``received``, which a replay leaves
alone.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from trader.feed.cleaning import moment
from trader.feed.zerodha.columns import label
from trader.feed.zerodha.disk import sync_folder, write_whole
from trader.feed.zerodha.ticks import TickColumns

log = logging.getLogger(__name__)

_MARK = b"munim"
_ROW_GROUP = 250_000  # ticks


def write_segment(folder: Path, columns: TickColumns) -> Path:
    """Durable when it returns. Named by when its first tick was received."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    def of(values: Any, kind: Any) -> Any:
        return pa.array(np.frombuffer(values, kind))

    def times(values: Any) -> Any:
        return of(values, np.int64).cast(pa.timestamp("us", "+05:30"))

    symbols = pa.array([label(key) for key in columns.code_of], pa.string())
    table = pa.table(
        {
            "timestamp": times(columns.at),
            "symbol": pa.DictionaryArray.from_arrays(of(columns.codes, np.int32), symbols),
            "last_price": of(columns.last, np.float64),
            "volume": of(columns.volume, np.int64),
            "bid": of(columns.bid, np.float64),
            "ask": of(columns.ask, np.float64),
            "received": times(columns.received),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    received = columns.received[0]
    while (path := folder / f"{moment(received):%H%M%S_%f}.parquet").exists():
        received += 1
    write_whole(path, memoryview(sink.getvalue()))
    return path


def compact_before(folder: Path, today: date) -> None:
    """One file each for the days before ``today``. Broken off anywhere, it is finished by the next call."""
    for part in folder.glob("*.part"):
        part.unlink(missing_ok=True)
    for day in sorted(folder.iterdir()) if folder.is_dir() else ():
        with suppress(ValueError):
            if day.is_dir() and date.fromisoformat(day.name) < today:
                _compact(day)


def _compact(folder: Path) -> None:
    """Segments into ``<day>.parquet``, which tells those it holds: they may still lie here after a power cut,
    and others may have come since it was made."""
    target = folder.with_suffix(".parquet")
    held = _held(target)
    new = [path for path in _segments(folder) if path.name not in held]
    if new:
        part = folder.with_suffix(".part")
        _join([target, *new] if held else new, part, [*held, *(path.name for path in new)])
        part.replace(target)
        sync_folder(target.parent)
    for path in [*_segments(folder), *folder.glob("*.part")]:
        path.unlink()
    with suppress(OSError):  # something of the owner's lies in it
        folder.rmdir()


def _join(sources: list[Path], target: Path, names: list[str]) -> None:
    """One after the other, some in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(sources[-1]).with_metadata({_MARK: json.dumps(names)})
    waiting: list[Any] = []
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for source in sources:
            for group in _groups(source):
                waiting.append(group.replace_schema_metadata(schema.metadata))
                if sum(map(len, waiting)) >= _ROW_GROUP:
                    writer.write_table(pa.concat_tables(waiting).unify_dictionaries())
                    waiting.clear()
        if waiting:
            writer.write_table(pa.concat_tables(waiting).unify_dictionaries())
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def _groups(source: Path) -> Any:
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number)


def _held(target: Path) -> list[str]:
    """The segments a day's file was made of."""
    import pyarrow.parquet as pq

    if not target.exists():
        return []
    metadata = pq.read_schema(target).metadata or {}
    names: list[str] = json.loads(metadata.get(_MARK, b"[]"))
    return names


def _segments(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.parquet") if path.stem.replace("_", "").isdigit())
