"""The Parquet files that Kite's candles are kept in.

``<interval>/<SYMBOL>_<interval>_<year>.parquet``: MARKET=replay plays a folder of one interval. Each file
carries in its metadata which days of its year are complete: that cannot be read off the candles, since a
minute without a trade has none. A file is replaced as a whole, so days and candles always agree.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trader.domain.errors import FeedError
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.feed.zerodha.columns import Candles, label
from trader.feed.zerodha.disk import write_whole

log = logging.getLogger(__name__)

_MARK = b"munim"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Known:
    """What the cache has of an instrument and interval. ``complete``: every candle of these days that Kite
    has is there. ``empty``: the day on which Kite was first asked and had nothing of it."""

    complete: frozenset[date] = frozenset()
    empty: Mapping[date, date] = field(default_factory=dict)


class CandleCache:
    """Every method reads or writes files: call it off the event loop. Writers of one instrument and interval
    must take turns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def known(self, key: InstrumentKey, interval: Interval) -> Known:
        """Damaged files count for nothing and are fetched again. FeedError: somebody else's file is in the
        way."""
        files = [self._load(path) for path in self._paths(key, interval)]
        return Known(
            frozenset().union(*(one.known.complete for one in files)),
            {day: asked for one in files for day, asked in one.known.empty.items()},
        )

    def read(self, key: InstrumentKey, interval: Interval, first: date, last: date) -> Candles:
        """Those of the days ``first`` to ``last``, complete or not."""
        found = Candles.none()
        for year in range(first.year, last.year + 1):
            found = found.joined(self._load(self._path(key, interval, year)).candles)
        return found.between(first, last)

    def keep(
        self,
        key: InstrumentKey,
        interval: Interval,
        candles: Candles,
        complete: Collection[date],
        empty: Mapping[date, date],
    ) -> None:
        """Add candles and what is now known of their days. A day that was complete already stays as it is;
        candles of any other replace what was there of it."""
        traded = candles.traded_days()
        for year in sorted({day.year for day in (*traded, *complete, *empty)}):
            path = self._path(key, interval, year)
            known, old = self._load(path)
            new = candles.where(candles.on({d for d in traded if d.year == year and d not in known.complete}))
            merged = old.where(~old.on(new.traded_days())).joined(new)
            done = known.complete | {day for day in complete if day.year == year}
            still_empty = dict(known.empty) | {d: asked for d, asked in empty.items() if d.year == year}
            still_empty = {day: asked for day, asked in still_empty.items() if day not in done}
            write_whole(path, _file_of(key, interval, merged, Known(done, still_empty)))

    def forget(self, key: InstrumentKey, interval: Interval) -> None:
        """All years: its prices were adjusted since."""
        for path in self._paths(key, interval):
            path.unlink(missing_ok=True)

    # -- files ----------------------------------------------------------------------------------------

    def _path(self, key: InstrumentKey, interval: Interval, year: int) -> Path:
        return self.folder / interval / f"{_stem(key)}_{interval}_{year}.parquet"

    def _paths(self, key: InstrumentKey, interval: Interval) -> Sequence[Path]:
        folder = self.folder / interval
        if not folder.is_dir():
            return []
        name = re.compile(re.escape(f"{_stem(key)}_{interval}_") + r"\d{4}\.parquet")
        return sorted(path for path in folder.iterdir() if name.fullmatch(path.name))

    def _load(self, path: Path) -> _File:
        """Read whole, for only then are checksums looked at: a damaged file must not pass for complete."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not path.exists():
            return _NOTHING
        try:
            table = pq.read_table(path, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as e:
            log.warning("%s cannot be read and is fetched again: %s", path.name, str(e).split("\n")[0])
            path.unlink(missing_ok=True)
            return _NOTHING
        try:
            known = _known_in(json.loads(table.schema.metadata[_MARK]))
        except (KeyError, TypeError, ValueError):
            raise FeedError(
                f"{path} is not one of Munim's own candle files, or of a newer Munim. Move it elsewhere; "
                "this folder is written over."
            ) from None
        at = table["date"].cast(pa.int64()).to_numpy()
        return _File(known, Candles(at, *(table[name].to_numpy() for name in _COLUMNS)))


class _File(NamedTuple):
    known: Known
    candles: Candles


_COLUMNS = ("open", "high", "low", "close", "volume", "oi")
_NOTHING = _File(Known(), Candles.none())


def _known_in(marks: dict[str, Any]) -> Known:
    """KeyError or ValueError: they are not ours."""
    if marks["version"] != _VERSION:
        raise ValueError(marks["version"])
    day = date.fromisoformat
    return Known(
        frozenset(map(day, marks["complete"])), {day(k): day(asked) for k, asked in marks["empty"].items()}
    )


def _stem(key: InstrumentKey) -> str:
    """Fit for a file's name: NIFTY_50, BSE_RELIANCE. No dot: what follows one is taken for the suffix."""
    return re.sub(r"[^A-Z0-9&-]", "_", label(key).upper())


def _file_of(key: InstrumentKey, interval: Interval, candles: Candles, known: Known) -> memoryview:
    import pyarrow as pa
    import pyarrow.parquet as pq

    marks = {
        "version": _VERSION,
        "key": key,
        "interval": interval.value,
        "complete": sorted(day.isoformat() for day in known.complete),
        "empty": {day.isoformat(): asked.isoformat() for day, asked in sorted(known.empty.items())},
    }
    symbols = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(candles), np.int32)), [label(key)])
    columns = dict(zip(_COLUMNS, candles.columns[1:], strict=True))
    table = pa.table(
        {"date": pa.array(candles.at).cast(pa.timestamp("us", "+05:30")), "symbol": symbols} | columns
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({_MARK: json.dumps(marks)}),
        sink,
        compression="zstd",
        write_page_checksum=True,
    )
    return memoryview(sink.getvalue())
