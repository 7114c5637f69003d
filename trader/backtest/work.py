"""A backtest or a search from beginning to end: candles read, run, judged, drawn, put on the shelf.

``Work`` and ``Outcome`` are plain enough to travel to a worker process and back as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trader.backtest.asked import OWN, Asked
from trader.backtest.bench import Bench, Wanted, begin, keep, warm_from
from trader.backtest.candles import Source
from trader.backtest.outcome import Outcome, Tell
from trader.backtest.report.spec_text import spec_from, spec_to
from trader.backtest.spec import Leg, Spec
from trader.desk.limits import RiskLimits
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.money import rupees
from trader.strategy.catalogue import Catalogue
from trader.strategy.options import parse_settings

if TYPE_CHECKING:
    from trader.backtest.luck import Luck
    from trader.backtest.optimise import Optimised
    from trader.backtest.search import Plan, Progress
    from trader.backtest.space import Space
    from trader.backtest.trials.evaluate import Evaluate, Span
    from trader.backtest.walking import Windows
    from trader.strategy.strategy import Strategy

__all__ = [
    "Hunt",
    "Outcome",
    "Searched",
    "Tell",
    "Work",
    "do",
    "evaluator",
    "hunt_of",
    "number",
    "plan_of",
    "space_of",
    "spec_of",
    "storage_of",
    "warm_from",
    "work_for",
]

HOLD_OUT_PCT: Final = 25.0
_GRID_AT_MOST: Final = 200  # points that are all tried unless told otherwise
_MOST_WORKERS: Final = 64
_COMPARED: Final = 3  # figures shown on both parts of the days


@dataclass(frozen=True, slots=True)
class Hunt:
    """What a search adds. ``ranges`` as typed (``5:30:1``); ``storage``: an Optuna address, "" for a file
    beside the shelf."""

    ranges: Mapping[str, str]
    goal: str = "sharpe"
    bounds: tuple[str, ...] = ()
    trials: int | None = None
    sampler: str = ""
    hold_out: float = HOLD_OUT_PCT  # percent of the days
    name: str | None = None
    seed: int = 1
    storage: str = field(default="", repr=False)  # it may carry a password
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Work:
    """``spec`` as ``report.spec_text`` writes it; ``source`` as ``candles.Source`` takes it; folders as
    text. ``line`` is what was typed, without passwords: it is kept with the result."""

    spec: Mapping[str, Any]
    source: Mapping[str, Any]
    strategies: str
    shelf: str
    hunt: Hunt | None = None
    line: str = ""
    windows: Windows | None = None  # with a hunt: walk forward
    luck: Luck | None = None  # of the result called ``line``; nothing else is needed for it

    def written(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Work:
        hunt = written.get("hunt")
        made = Hunt(**{**hunt, "bounds": tuple(hunt["bounds"])}) if hunt else None
        walk, luck = written.get("windows"), written.get("luck")
        if walk:
            from trader.backtest.walking import Windows

            walk = Windows(**walk)
        if luck:
            from trader.backtest.luck import Luck

            luck = Luck(**luck)
        return cls(**{**written, "hunt": made, "windows": walk, "luck": luck})


# -- from what was typed ---------------------------------------------------------------------------------


def spec_of(
    asked: Asked,
    catalogue: Catalogue,
    key_of: Callable[[str], InstrumentKey],
    limits: RiskLimits,
    slippage_bps: float,
    defaults: Mapping[str, str],
    *,
    ranged: bool = False,
) -> Spec:
    """Raises InvalidInput, UnknownName with the sentence that helps. ``ranged``: the settings are ranges, to
    be searched; the spec takes the defaults in their place."""
    kind = catalogue.get(asked.strategy)
    settings = {} if ranged else asked.settings
    configured = parse_settings(kind, settings, defaults)
    # RELIANCE and NSE:RELIANCE are one instrument, to be traded once.
    keys = tuple(dict.fromkeys(key_of(symbol) for symbol in asked.symbols))
    if kind.together not in (0, len(keys)):
        raise InvalidInput(f"{kind.name} needs {kind.together} symbols, was given {len(keys)}")
    leg = Leg(kind.name, kind.name, keys, asked.interval, configured.settings)
    own = asked.own
    if "capital" in own:
        limits = _with_capital(limits, own["capital"])
    if "drawdown" in own:
        limits = replace(limits, max_drawdown_pct=Decimal(str(number("drawdown", own["drawdown"], 0.1, 99))))
    if "daily_loss" in own:
        percent = Decimal(str(number("daily_loss", own["daily_loss"], 0.1, 99)))
        limits = replace(limits, max_daily_loss_pct=percent, max_daily_loss=limits.capital * percent / 100)
    if "slippage" in own:
        slippage_bps = 100 * number("slippage", own["slippage"], 0, 10)
    charges = own.get("charges", "on").casefold()
    if charges not in ("on", "off"):
        raise InvalidInput(f"Expected charges=on or charges=off, was {own['charges']!r}")
    return Spec((leg,), asked.first, asked.last, limits, slippage_bps, charges == "on")


def hunt_of(asked: Asked) -> Hunt:
    """Raises InvalidInput."""
    own = asked.own
    trials = own.get("trials")
    return Hunt(
        ranges=dict(asked.settings),
        goal=own.get("goal", "sharpe"),
        bounds=tuple(part for part in own.get("where", "").split(";") if part.strip()),
        trials=whole("trials", trials, 1, 1_000_000) if trials else None,
        sampler=own.get("sampler", ""),
        hold_out=number("holdout", own.get("holdout", str(HOLD_OUT_PCT)), 0, 90),
        name=own.get("name"),
        seed=whole("seed", own.get("seed", "1"), 0, 2**31),
        storage=own.get("storage", ""),
        workers=whole("workers", own.get("workers", "1"), 1, _MOST_WORKERS),
    )


def _with_capital(limits: RiskLimits, text: str) -> RiskLimits:
    """The rupee limits grow and shrink with the capital, or a larger one could never be used."""
    capital = Decimal(int(number("capital", text.replace(",", ""), 1000, 1e12)))
    factor = capital / limits.capital
    return replace(
        limits,
        capital=capital,
        max_daily_loss=limits.max_daily_loss * factor,
        max_order_value=limits.max_order_value * factor,
    )


def number(name: str, text: str, low: float, high: float) -> float:
    """Of an option of ``OWN``; those in per cent may carry their sign."""
    percent = OWN.get(name, "").startswith("%")
    bare = text.strip().removesuffix("%").rstrip() if percent else text
    try:
        value = float(bare) if bare.isascii() and "_" not in bare else math.nan
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        sign = "%" if percent else ""
        raise InvalidInput(f"Expected {name} from {_plain(low)} to {_plain(high)}{sign}, was {text[:40]!r}")
    return value


def whole(name: str, text: str, low: float, high: float) -> int:
    value = number(name, text, low, high)
    if value != int(value):
        raise InvalidInput(f"Expected {name} as a whole number, was {text[:40]!r}")
    return int(value)


def _plain(value: float) -> str:
    """Grouped as rupees are: 10,00,000."""
    return f"{value:g}" if value < 1000 else rupees(value, paise=False).removeprefix("₹")


# -- the work --------------------------------------------------------------------------------------------


def do(work: Work, tell: Tell, cancel: Callable[[], bool] = lambda: False) -> Outcome:
    """Raises InvalidInput, FeedError and StrategyFault with sentences to show."""
    if work.luck is not None:
        from trader.backtest.luck import try_luck
        from trader.backtest.shelf import Shelf

        catalogue = Catalogue.discover(Path(work.strategies))
        return try_luck(Shelf(Path(work.shelf)), work.line, work.luck, catalogue, tell)
    bench = _begin(work, tell)
    if work.hunt is not None and work.windows is not None:
        return _walk(bench, work, work.hunt, work.windows, tell)
    if work.hunt is not None:
        return _search(bench, work, work.hunt, tell, cancel)
    result = bench.backtester.run(spec_from(work.spec))
    return keep(bench, result, Path(work.shelf), tell, work.line)


def _begin(work: Work, tell: Tell) -> Bench:
    catalogue = Catalogue.discover(Path(work.strategies))
    return begin(Wanted.of(spec_from(work.spec), Source.read(work.source), catalogue), catalogue, tell)


@dataclass(slots=True)
class Searched:
    """Makes a search's evaluator in whichever process it is called; pickled without the one it has."""

    work: Work
    made: Evaluate | None = None

    def __call__(self) -> Evaluate:
        if self.made is None:
            self.made = evaluator(
                _begin(self.work, lambda done, total, text: None), spec_from(self.work.spec)
            )
        return self.made

    def __reduce__(self) -> tuple[type[Searched], tuple[Work]]:
        return Searched, (self.work,)


def evaluator(bench: Bench, spec: Spec) -> Evaluate:
    """Trials of the first leg's strategy."""
    from trader.backtest.trials.evaluate import on_spec

    kind = bench.backtester.world.catalogue.get(spec.legs[0].strategy)
    return on_spec(bench.backtester.run, spec, kind)


def space_of(spec: Spec, kind: type[Strategy], ranges: Mapping[str, str]) -> Space:
    from trader.backtest.space import Space

    options = {name: text for name, text in spec.legs[0].settings if name not in kind.params()}
    return Space.parse(kind, ranges, options)


def plan_of(hunt: Hunt, space: Space) -> Plan:
    from trader.backtest.search import Plan

    return Plan(
        sampler=hunt.sampler or ("grid" if space.size <= _GRID_AT_MOST else "tpe"),
        trials=hunt.trials,
        seed=hunt.seed,
        name=hunt.name,
    )


def storage_of(hunt: Hunt, shelf: Path) -> str | Path:
    from trader.backtest.trials.study import FILE

    return hunt.storage or shelf.parent / FILE


def _search(bench: Bench, work: Work, hunt: Hunt, tell: Tell, cancel: Callable[[], bool]) -> Outcome:
    from trader.backtest.heatmap import heatmap
    from trader.backtest.optimise import conclude, parts
    from trader.backtest.trials.evaluate import Span
    from trader.backtest.trials.goal import Goal
    from trader.backtest.verdict import disbelief
    from trader.backtest.workers import search_together

    spec, shelf = spec_from(work.spec), Path(work.shelf)
    kind = bench.backtester.world.catalogue.get(spec.legs[0].strategy)
    space = space_of(spec, kind, hunt.ranges)
    goal = Goal.parse(hunt.goal, hunt.bounds)
    evaluate = evaluator(bench, spec)
    whole = Span(spec.first, spec.last)
    seen, unseen = parts(evaluate, space, whole, hunt.hold_out / 100)
    found = search_together(
        Searched(work, evaluate),
        space,
        goal,
        storage=storage_of(hunt, shelf),
        workers=hunt.workers,
        span=seen,
        plan=plan_of(hunt, space),
        progress=lambda told: tell(told.done, told.total, _so_far(told, goal.text)),
        cancel=cancel,
    )
    tell(0, 0, "judging what was found")
    done = conclude(evaluate, found, unseen)
    result = evaluate(found.settings(), whole)
    warned = (_chosen(done, seen, unseen), *done.warnings, *result.warnings)
    outcome = keep(bench, replace(result, warnings=warned), shelf, tell, work.line)
    drawn = Path(outcome.folder) / "heatmap.png"
    drawn.write_bytes(heatmap(done.found, doubts=[*disbelief(outcome.notes), *done.warnings]))
    return replace(
        outcome,
        title=f"{kind.name}: {goal.objective}",
        best=_best(done),
        pictures=[str(drawn), *outcome.pictures],
        stopped=done.found.stopped,
    )


def _walk(bench: Bench, work: Work, hunt: Hunt, windows: Windows, tell: Tell) -> Outcome:
    from trader.backtest.walking import NOTHING_TRADED, efficient, rows, walked

    walk, goal, outcome = walked(
        bench, spec_from(work.spec), hunt, windows, Path(work.shelf), tell, work.line
    )
    if outcome is None:
        raise InvalidInput(NOTHING_TRADED)
    notes = (efficient(walk.efficiency), *outcome.notes)
    return replace(outcome, best=rows(walk, goal), notes=notes)


def _so_far(told: Progress, text: Callable[[float], str]) -> str:
    return f"best {text(told.best.value)}" if told.best is not None else "nothing kept the bounds yet"


def _chosen(done: Optimised, seen: Span, unseen: Span | None) -> str:
    """What must stand beside figures of all days: most of them are those the settings were chosen by."""
    best = f"The best of {len(done.found.tried):,} settings on {seen}"
    if unseen is None or done.held is None:
        return f"{best}, of which none were held out: every figure is one it was chosen by."
    figures = ", ".join(f"{name} {text}" for name, _, text in done.rows()[:_COMPARED])
    return f"{best}. On the days held out, {unseen}: {figures}."


def _best(done: Optimised) -> list[tuple[str, str]]:
    """The best settings, and what they came to on the days they were chosen by and on the others."""
    found = done.found
    rows = list(found.space.searched(found.best.point).items()) if found.best is not None else []
    rows.append(("Tried", f"{len(found.tried):,} of {found.total:,}"))
    for name, seen, unseen in done.rows()[:_COMPARED]:
        rows += [(f"{name}, searched", seen), (f"{name}, held out", unseen)]
    return rows


def work_for(
    spec: Spec,
    source: Mapping[str, Any],
    strategies: Path,
    shelf: Path,
    hunt: Hunt | None,
    line: str = "",
) -> Work:
    return Work(spec_to(spec), source, str(strategies), str(shelf), hunt, line)
