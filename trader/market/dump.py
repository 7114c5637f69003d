"""Kite's daily list of instruments ("dump"): read from its CSV, kept as a day's Arrow file.

About 90,000 rows, made anew at about 08:30 IST (kite.trade/docs/connect/v3/market-quotes). The file in the
cache is an Arrow IPC file followed by a BLAKE2b digest of it, so that a damaged one is never half believed.
"""

from __future__ import annotations

import gzip
import os
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Any

from trader.domain.errors import FeedError
from trader.market.dump_rows import DumpRows

COLUMNS = (
    "instrument_token",
    "exchange_token",
    "tradingsymbol",
    "name",
    "last_price",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)
FEWEST_ROWS = 5_000  # the NSE's stocks alone are about 10,000: less is a broken answer, not a list
KEPT_FILES = 10
_VERSION = b"1"
_DIGEST_BYTES = 32


class DumpTable:
    """One dump, column by column. ``table`` has Kite's columns: tokens and lots as integers, prices as floats
    in rupees, ``expiry`` as a date or null, the rest as text. ``as_of`` is the day it was made."""

    def __init__(self, table: Any, as_of: date) -> None:
        self.table, self.as_of = table, as_of
        self._rows: DumpRows | None = None

    # -- reading the CSV ----------------------------------------------------------------------------------

    @classmethod
    def read(cls, source: Path | bytes, as_of: date, *, fewest: int = FEWEST_ROWS) -> DumpTable:
        """From the CSV, gzipped or plain. FeedError, and nothing is changed, when it cannot be a whole dump:
        columns missing, a row that does not parse, fewer rows than ``fewest``."""
        where = source.name if isinstance(source, Path) else "Kite's instruments"
        text = _plain(_bytes(source, where), where)
        _expect_header(text, where)
        table = _parsed(text, where)
        if len(table) < fewest:
            raise FeedError(
                f"{where}: expected at least {fewest:,} instruments, were {len(table):,}. Fetch them again."
            )
        return cls(table, as_of)

    # -- the cache ----------------------------------------------------------------------------------------

    def save(self, folder: Path) -> Path:
        """Write the day's file, whole or not at all, and drop all but the newest ``KEPT_FILES``."""
        import pyarrow as pa

        metadata = {"version": _VERSION, "as_of": self.as_of.isoformat(), "rows": str(len(self))}
        sink = pa.BufferOutputStream()
        stamped = self.table.replace_schema_metadata(metadata)
        with pa.ipc.new_file(
            sink, stamped.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
        ) as writer:
            writer.write_table(stamped)
        body = sink.getvalue().to_pybytes()
        folder.mkdir(parents=True, exist_ok=True)
        path = cached(folder, self.as_of)
        _write(path, body + blake2b(body, digest_size=_DIGEST_BYTES).digest())
        for day in cached_days(folder)[:-KEPT_FILES]:
            cached(folder, day).unlink(missing_ok=True)
        return path

    @classmethod
    def load(cls, folder: Path, as_of: date) -> DumpTable | None:
        """The cached dump of a day, or None when there is none. FeedError for a damaged file."""
        import pyarrow as pa

        path = cached(folder, as_of)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise FeedError(f"{path.name} cannot be read: {e.strerror}.") from e
        body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
        if blake2b(body, digest_size=_DIGEST_BYTES).digest() != digest:
            raise FeedError(
                f"{path.name} is damaged: its digest does not fit. Delete it; it is fetched again."
            )
        try:
            table = pa.ipc.open_file(body).read_all()
        except pa.ArrowException as e:
            raise FeedError(f"{path.name} is no Arrow file: {e}") from e
        metadata = table.schema.metadata or {}
        expected = {b"version": _VERSION, b"as_of": as_of.isoformat().encode(), b"rows": b"%d" % len(table)}
        if metadata != expected or table.schema.names != list(COLUMNS):
            raise FeedError(
                f"{path.name} is not the dump of {as_of}: says {metadata}. Delete it; it is fetched again."
            )
        return cls(table.replace_schema_metadata(None), as_of)

    # -- looking in ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.table)

    def rows(self) -> Iterator[dict[str, Any]]:
        """As the SDK's dictionaries: ``expiry`` a date or an empty string."""
        for row in self.table.to_pylist():
            row["expiry"] = row["expiry"] or ""
            yield row

    def indexed(self) -> DumpRows:
        """Its rows by key, token and underlying."""
        if self._rows is None:
            self._rows = DumpRows(self.table, self.as_of)
        return self._rows


def cached(folder: Path, as_of: date) -> Path:
    return folder / f"instruments-{as_of.isoformat()}.arrow"


def cached_days(folder: Path) -> Sequence[date]:
    """The days with a file, ascending."""
    days = []
    for path in folder.glob("instruments-????-??-??.arrow"):
        with suppress(ValueError):
            days.append(date.fromisoformat(path.stem.removeprefix("instruments-")))
    return sorted(days)


def _bytes(source: Path | bytes, where: str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as e:
        raise FeedError(f"{where} cannot be read: {e.strerror}.") from e


def _plain(content: bytes, where: str) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as e:
        raise FeedError(f"{where}: the gzip is damaged or cut short ({e}). Fetch it again.") from e


def _expect_header(text: bytes, where: str) -> None:
    first = text[:2000].lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    names = [name.strip('"') for name in first.split(",")]
    missing = [c for c in COLUMNS if c not in names]
    if missing:
        what = (
            f"columns missing: {', '.join(missing)}" if len(missing) < len(COLUMNS) else f"was {first[:60]!r}"
        )
        raise FeedError(f"{where}: expected Kite's instruments as CSV, {what}. Fetch it again.")


def _parsed(text: bytes, where: str) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    label = pa.dictionary(pa.int32(), pa.string())
    types = dict.fromkeys(COLUMNS, label)
    types |= {"instrument_token": pa.int64(), "exchange_token": pa.int64(), "lot_size": pa.int64()}
    types |= {"last_price": pa.float64(), "strike": pa.float64(), "tick_size": pa.float64()}
    types |= {"tradingsymbol": pa.string(), "name": pa.string()}
    try:
        table = csv.read_csv(
            pa.BufferReader(text),
            # one thread: a pool saves no CPU, and the trading loop's other threads want theirs
            read_options=csv.ReadOptions(use_threads=False, block_size=max(len(text), 1) + 1),
            convert_options=csv.ConvertOptions(column_types=types, include_columns=list(COLUMNS)),
        )
        table = table.combine_chunks().unify_dictionaries()
        table = table.set_column(COLUMNS.index("expiry"), "expiry", _dates(table["expiry"]))
    except (pa.ArrowException, ValueError) as e:
        raise FeedError(f"{where} does not parse as Kite's instruments: {e}") from e
    for name in ("instrument_token", "tradingsymbol", "tick_size", "lot_size", "exchange"):
        if table[name].null_count:
            raise FeedError(f"{where}: {table[name].null_count} rows have no {name}. Fetch it again.")
    for name in ("last_price", "strike"):
        if table[name].null_count:
            table = table.set_column(COLUMNS.index(name), name, table[name].fill_null(0.0))
    return table


def _dates(column: Any) -> Any:
    """A column of dates from one of labels: few different days, so each is read once."""
    import pyarrow as pa

    chunk = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    days = pa.array([_date(text) for text in chunk.dictionary.to_pylist()], pa.date32())
    return days.take(chunk.indices)


def _date(text: str) -> date | None:
    """Kite writes 2026-12-29; spreadsheets that dumps pass through write 29-12-2026."""
    if not text:
        return None
    if len(text) == 10 and text[2] == "-" == text[5]:
        return date(int(text[6:]), int(text[3:5]), int(text[:2]))
    return date.fromisoformat(text)


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
