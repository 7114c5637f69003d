"""A stored result as lists and comparisons show it, from its meta.json alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from trader.backtest.report.spec_text import spec_from
from trader.backtest.report.stored import META, number_from, read_meta
from trader.backtest.report.words import money, percent, plain
from trader.backtest.spec import Spec
from trader.backtest.verdict import NOT_BELIEVED, disbelief
from trader.domain.errors import InvalidInput
from trader.domain.times import ist

# What its settings are, by the command that found them: chosen on the very days shown, most of them;
# or others in every window.
_FOUND: Final = {"optimize": " · searched", "walkforward": " · walked forward"}
_NOT_BELIEVED: Final = f" · {NOT_BELIEVED.lower()}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One result as lists show it; ``about`` says so of settings found by a search, and of a strategy that
    the desk refuses. ``numbers`` are ``Metrics.numbers()``."""

    id: str
    made_at: datetime
    title: str
    about: str
    numbers: Mapping[str, float]
    spec: Spec
    code_hash: str
    data_hash: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """``rows``: a name and a value for each result, in the order asked. ``notes`` say why the results cannot
    be compared like with like."""

    rows: Sequence[tuple[str, ...]]
    notes: Sequence[str]


def entry_of(folder: Path) -> Entry:
    """InvalidInput says what is wrong with the folder."""
    meta = read_meta(folder)
    try:
        numbers: dict[str, Any] = meta["numbers"]
        return Entry(
            id=folder.name,
            made_at=ist(datetime.fromisoformat(meta["made_at"])),
            title=str(meta["title"]),
            about=_about(meta),
            numbers={name: number_from(value) for name, value in numbers.items()},
            spec=spec_from(meta["spec"]),
            code_hash=str(meta["code_hash"]),
            data_hash=str(meta["data_hash"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise InvalidInput(f"{folder.name}: {META} is damaged, {type(e).__name__}: {e}") from None


def _about(meta: Mapping[str, Any]) -> str:
    return f"{meta['about']}{_found(meta)}{_NOT_BELIEVED if disbelief(meta.get('warnings', ())) else ''}"


def _found(meta: Mapping[str, Any]) -> str:
    how = meta.get("how")
    line = str(how.get("line", "")) if isinstance(how, dict) else ""
    return _FOUND.get(line.partition(" ")[0], "")


def comparison(entries: Sequence[Entry]) -> Comparison:
    rows = [
        ("Result", *(entry.id for entry in entries)),
        ("Strategy", *(entry.title for entry in entries)),
        ("On", *(entry.about for entry in entries)),
        *_settings(entries),
    ]
    for name, label, write in _COMPARED:
        rows.append((label, *(write(entry.numbers.get(name, float("nan"))) for entry in entries)))
    return Comparison(rows, _unlike(entries))


_COMPARED: Final[tuple[tuple[str, str, Callable[[float], str]], ...]] = (
    ("net", "Net", money),
    ("return", "Return", lambda share: percent(share, 2, signed=True)),
    ("buy_and_hold", "Buy & hold", lambda share: percent(share, 2, signed=True)),
    ("cagr", "A year", lambda share: percent(share, 2, signed=True)),
    ("sharpe", "Sharpe", plain),
    ("sortino", "Sortino", plain),
    ("calmar", "Calmar", plain),
    ("max_drawdown", "Drawdown", lambda share: percent(-share, 2)),
    ("trades", "Trades", lambda number: plain(number, 0)),
    ("win_rate", "Won", percent),
    ("profit_factor", "Profit factor", plain),
    ("expectancy", "A trade", money),
    ("sqn", "SQN", plain),
    ("charges", "Charges", lambda rupees: money(rupees, signed=False)),
    ("in_market", "In market", percent),
)


def _settings(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Those in which the results differ, where each is of one leg."""
    if any(len(entry.spec.legs) != 1 for entry in entries):
        return []
    each = [dict(entry.spec.legs[0].settings) for entry in entries]
    names = dict.fromkeys(name for settings in each for name in settings)
    rows = [(name, *(settings.get(name, "–") for settings in each)) for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]


def _unlike(entries: Sequence[Entry]) -> list[str]:
    checks: tuple[tuple[str, Callable[[Entry], object]], ...] = (
        ("candles", lambda entry: entry.data_hash),
        ("code", lambda entry: entry.code_hash),
        ("capital", lambda entry: entry.spec.limits.capital),
        ("limits", lambda entry: entry.spec.limits),
        ("charges", lambda entry: entry.spec.charges),
        ("slippage", lambda entry: entry.spec.slippage_bps),
    )
    unlike = [name for name, key in checks if len({key(entry) for entry in entries}) > 1]
    if "capital" in unlike:
        unlike.remove("limits")
    return [f"Not like with like: they differ in {', '.join(unlike)}."] if unlike else []
