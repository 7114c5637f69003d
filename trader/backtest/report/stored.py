"""A Result as two files, ``meta.json`` and ``result.npz``, and back, equal to the bit."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from trader.backtest.report.spec_text import spec_from, spec_to
from trader.backtest.result import TRADE, Result
from trader.domain.errors import InvalidInput

META, ARRAYS = "meta.json", "result.npz"
FORMAT: Final = 1
_ARRAYS = ("trades", "at", "equity", "exposure", "close")


def write(folder: Path, result: Result, more: Mapping[str, Any]) -> None:
    """``more`` goes into meta.json beside what makes the Result."""
    with (folder / ARRAYS).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{name: getattr(result, name) for name in _ARRAYS})
    meta = {
        "format": FORMAT,
        **more,
        "spec": spec_to(result.spec),
        "symbols": list(result.symbols),
        "bars": result.bars,
        "days": result.days,
        "denied": dict(result.denied),
        "halted": result.halted,
        "halted_on": result.halted_on.isoformat() if result.halted_on else None,
        "warnings": list(result.warnings),
        "code_hash": result.code_hash,
        "data_hash": result.data_hash,
        "seconds": result.seconds,
        "arrays": digest(folder / ARRAYS),
    }
    text = json.dumps(meta, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / META).write_text(text, encoding="utf-8")


def read_meta(folder: Path) -> dict[str, Any]:
    """InvalidInput says what is wrong with the folder."""
    try:
        meta = json.loads((folder / META).read_text("utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"{folder.name} has no {META}") from None
    except (OSError, ValueError) as e:
        raise InvalidInput(f"{folder.name}: {META} cannot be read, {e}") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        found = meta.get("format") if isinstance(meta, dict) else type(meta).__name__
        raise InvalidInput(f"{folder.name}: expected format {FORMAT} in {META}, was {found}")
    return meta


def read(folder: Path) -> Result:
    meta = read_meta(folder)
    try:
        if digest(folder / ARRAYS) != meta["arrays"]:
            raise InvalidInput(f"{folder.name}: {ARRAYS} is not the file that was written")
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            held = {name: arrays[name] for name in _ARRAYS}
        if held["trades"].dtype != TRADE:
            raise InvalidInput(f"{folder.name}: its trades are of another version of this program")
        return Result(
            spec=spec_from(meta["spec"]),
            symbols=tuple(meta["symbols"]),
            **held,
            bars=int(meta["bars"]),
            days=int(meta["days"]),
            denied=dict(meta["denied"]),
            halted=meta["halted"],
            halted_on=date.fromisoformat(meta["halted_on"]) if meta["halted_on"] else None,
            warnings=tuple(meta["warnings"]),
            code_hash=meta["code_hash"],
            data_hash=meta["data_hash"],
            seconds=meta["seconds"],
        )
    except (OSError, KeyError, TypeError, ValueError) as e:
        raise InvalidInput(f"{folder.name} cannot be read, {type(e).__name__}: {e}") from None


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def number_to(value: float) -> float | str | None:
    """JSON has neither NaN (here null) nor infinity."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def number_from(value: float | str | None) -> float:
    return math.nan if value is None else float(value)


def differences(before: Result, again: Result) -> tuple[str, ...]:
    """Sentences on what a repeated test has otherwise; none when every trade and every moment is equal."""
    found = []
    if before.spec != again.spec:
        found.append("What was tested differs.")
    if tuple(before.symbols) != tuple(again.symbols):
        found.append(f"Symbols were {', '.join(before.symbols)}, are {', '.join(again.symbols)}.")
    if len(before.trades) != len(again.trades):
        found.append(f"There were {len(before.trades)} trades, are {len(again.trades)}.")
    else:
        unlike = np.flatnonzero(before.trades != again.trades)
        if len(unlike):
            row = int(unlike[0])
            found.append(f"Trade {row + 1} was {before.trades[row]}, is {again.trades[row]}.")
    for name in _ARRAYS[1:]:
        if not np.array_equal(getattr(before, name), getattr(again, name), equal_nan=True):
            found.append(f"The curve of {name} differs.")
    for name in ("bars", "days", "halted", "halted_on", "code_hash", "data_hash"):
        was, now = getattr(before, name), getattr(again, name)
        if was != now:
            found.append(f"{name.replace('_', ' ').capitalize()} was {was}, is {now}.")
    return tuple(found)
