"""Results kept on disk, one folder each, so that they can be listed, compared and made again."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from trader.backtest.metrics import Metrics
from trader.backtest.report import stored
from trader.backtest.report.entry import Comparison, Entry, comparison, entry_of
from trader.backtest.result import Result
from trader.backtest.summary import about, title
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.times import ist

TRADES_CSV, TRADES_PARQUET, PAGE, PICTURE = "trades.csv", "trades.parquet", "page.html", "picture.png"
_ID: Final = re.compile(r"\d{8}-\d{6}-[a-z0-9_]+(-\d+)?")
_NUMBER: Final = re.compile(r"[0-9]{1,3}")  # ids begin with a year
_PART: Final = ".part"
_ABANDONED: Final = timedelta(hours=1)  # writing takes a second; what is older was killed


@dataclass(frozen=True, slots=True)
class Listing:
    """``entries`` the newest first; ``damaged`` are sentences on folders that cannot be read."""

    entries: Sequence[Entry]
    damaged: Sequence[str]


class Shelf:
    """``folder`` is ``backtests`` under DATA_DIR; it is made when the first result is saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(
        self,
        result: Result,
        metrics: Metrics,
        made_at: datetime,
        *,
        page: str | None = None,
        picture: bytes | None = None,
        how: Mapping[str, Any] | None = None,
    ) -> str:
        """The id it has from now on. All of it is there, or nothing: it is written aside and renamed.
        ``how`` is JSON on how it was made, for ``how`` to give back."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(suffix=_PART, prefix=".", dir=self.folder))
        self._sweep(part.stat().st_mtime)
        try:
            part.chmod(0o755)
            self._write(part, result, metrics, made_at, page, picture, how or {})
            return self._shelve(part, f"{ist(made_at):%Y%m%d-%H%M%S}-{_slug(result)}")
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def list(self) -> Listing:
        entries, damaged = [], []
        for folder in self._folders():
            try:
                entries.append(entry_of(folder))
            except InvalidInput as e:
                damaged.append(str(e))
        entries.sort(key=lambda entry: (entry.made_at, entry.id), reverse=True)
        return Listing(entries, damaged)

    def entry(self, id: str) -> Entry:
        return entry_of(self.path(id))

    def load(self, id: str) -> Result:
        """Equal to what was saved, or InvalidInput."""
        return stored.read(self.path(id))

    def how(self, id: str) -> Mapping[str, Any]:
        """What was given to ``save``; empty for results that nobody said it of."""
        found = stored.read_meta(self.path(id)).get("how")
        return found if isinstance(found, dict) else {}

    def path(self, id: str, name: str = "") -> Path:
        """The result's folder, or a file of it, which may not exist. UnknownName when there is no such
        result; whatever is typed, nothing outside the shelf is reached."""
        if not _ID.fullmatch(id) or not (self.folder / id).is_dir():
            raise _unknown(id, [folder.name for folder in self._folders()])
        return self.folder / id / name

    def find(self, word: str) -> str:
        """The id meant by ``3`` (the third newest), or by the id or the only beginning or end of one.
        UnknownName, InvalidInput."""
        if _NUMBER.fullmatch(word):
            entries = self.list().entries
            if not 0 < int(word) <= len(entries):
                there = f"1 to {len(entries)}, 1 the newest" if entries else "none was kept yet"
                raise InvalidInput(f"There is no result {word}: {there}.")
            return entries[int(word) - 1].id
        ids = [folder.name for folder in self._folders() if _ID.fullmatch(folder.name)]
        found = [id for id in ids if id == word] or [
            id for id in ids if word and (id.startswith(word) or id.endswith(word))
        ]
        if len(found) > 1:
            newest = ", ".join(found[:-4:-1])
            raise InvalidInput(f"{word!r} can be {newest}{' …' if len(found) > 3 else ''}.")
        if not found:
            raise _unknown(word, ids)
        return found[0]

    def compare(self, ids: Sequence[str]) -> Comparison:
        return comparison([self.entry(id) for id in ids])

    def remove(self, id: str) -> None:
        """Out of the list at once, whatever happens while it is deleted."""
        aside = self.folder / f".{id}{_PART}"
        self.path(id).rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def _folders(self) -> Sequence[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(one for one in self.folder.iterdir() if one.is_dir() and not one.name.startswith("."))

    def _write(
        self,
        part: Path,
        result: Result,
        metrics: Metrics,
        made_at: datetime,
        page: str | None,
        picture: bytes | None,
        how: Mapping[str, Any],
    ) -> None:
        told = {
            "how": dict(how),
            "made_at": ist(made_at).isoformat(),
            "title": title(result),
            "about": about(result),
            "numbers": {name: stored.number_to(value) for name, value in metrics.numbers().items()},
        }
        stored.write(part, result, told)
        trades = result.frame()
        trades.to_csv(part / TRADES_CSV, index=False)
        trades.to_parquet(part / TRADES_PARQUET, index=False)
        if page is not None:
            (part / PAGE).write_text(page, encoding="utf-8")
        if picture is not None:
            (part / PICTURE).write_bytes(picture)

    def _shelve(self, part: Path, wanted: str) -> str:
        """Two results of one second, of two workers perhaps, get two names."""
        for n in range(1, 1000):
            id = wanted if n == 1 else f"{wanted}-{n}"
            try:
                part.rename(self.folder / id)
            except OSError:
                if not (self.folder / id).exists():
                    raise
            else:
                return id
        raise InvalidInput(f"Expected fewer than 1,000 results named {wanted} in {self.folder}")

    def _sweep(self, now: float) -> None:
        """What a killed worker left half written. ``now`` is the disk's time: the desk's may be another."""
        for part in self.folder.glob(f".*{_PART}"):
            with contextlib.suppress(OSError):  # another worker sweeps too
                if now - part.stat().st_mtime > _ABANDONED.total_seconds():
                    shutil.rmtree(part, ignore_errors=True)


def _unknown(word: str, ids: Sequence[str]) -> UnknownName:
    """Listed are the newest."""
    return UnknownName("backtest", word, ids[::-1], ordered=True)


def _slug(result: Result) -> str:
    name = title(result) if len({leg.strategy for leg in result.spec.legs}) == 1 else "several"
    return re.sub(r"[^a-z0-9_]+", "_", name.lower())[:40]
