"""Which files, and which days of them, a replay is asked for."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import parse_qsl

from trader.domain.errors import FeedError

_SUFFIXES = (".parquet", ".csv", ".csv.gz")
_QUERY = re.compile(r"\?(?=\w+=)")  # a question mark alone is a wildcard


@dataclass(frozen=True, slots=True)
class Selection:
    """``first`` and ``last`` are the days to replay, inclusive; None means as far as the recording goes."""

    files: tuple[Path, ...]
    first: date | None
    last: date | None


def select(spec: str | Path) -> Selection:
    """Understand ``REPLAY_PATH``.

    A file, a folder (searched to the bottom), a wildcard or several of these with commas between; then
    optionally ``?day=2023-05-02`` or ``?from=2023-05-02&to=2023-05-05``. FeedError says what is wrong.
    """
    paths, _, query = _split(str(spec))
    files = [file for part in paths.split(",") if part.strip() for file in _files(part.strip())]
    if not files:
        raise FeedError("Expected a Parquet or CSV file, a folder or a wildcard to replay, found nothing")
    first, last = _days(query)
    return Selection(tuple(dict.fromkeys(files)), first, last)


def absolute(spec: str) -> str:
    """The same files from whatever folder they are asked for, by a worker or another day's command."""
    paths, mark, query = _split(spec)
    parts = [os.path.abspath(Path(part.strip()).expanduser()) for part in paths.split(",") if part.strip()]  # noqa: PTH100 - resolve() would follow links
    return ",".join(parts) + mark + query


def _split(text: str) -> tuple[str, str, str]:
    match = _QUERY.search(text)
    return (text[: match.start()], "?", text[match.end() :]) if match else (text, "", "")


def _files(part: str) -> list[Path]:
    path = Path(part).expanduser()
    if path.is_dir():
        found = sorted(f for f in path.rglob("*") if f.is_file() and f.name.lower().endswith(_SUFFIXES))
        if not found:
            raise FeedError(f"Expected {', '.join(_SUFFIXES)} files in the folder {path}, found none")
        return found
    if path.is_file():
        if not path.name.lower().endswith(_SUFFIXES):
            raise FeedError(f"Expected a {', '.join(_SUFFIXES)} file, found {path.name}")
        return [path]
    if any(sign in part for sign in "*?["):
        root = Path(path.anchor) if path.is_absolute() else Path()
        found = sorted(root.glob(str(path.relative_to(path.anchor) if path.is_absolute() else path)))
        if found:
            return [file for match in found for file in _files(str(match))]
    raise FeedError(f"Expected recorded candles or ticks at {path}, but there is no such file or folder")


def _days(query: str) -> tuple[date | None, date | None]:
    days: dict[str, date] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in ("day", "from", "to"):
            raise FeedError(f"Expected day, from or to after the replay path, found {name!r}")
        try:
            days[name] = date.fromisoformat(value)
        except ValueError:
            raise FeedError(f"Expected a day like 2023-05-02 for {name}, found {value!r}") from None
    if "day" in days:
        return days["day"], days["day"]
    first, last = days.get("from"), days.get("to")
    if first and last and first > last:
        raise FeedError(f"Expected from to be no later than to, found {first} and {last}")
    return first, last
