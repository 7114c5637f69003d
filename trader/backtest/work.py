"""A backtest or a search from beginning to end: candles read, run, judged, drawn, put on the shelf.

``Work`` and ``Outcome`` are plain enough to travel to a worker process and back as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trader.backtest.asked import Asked
from trader.backtest.report.spec_text import spec_from, spec_to
from trader.backtest.spec import Leg, Spec
from trader.desk.limits import RiskLimits
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.times import IST
from trader.strategy.catalogue import Catalogue
from trader.strategy.options import parse_settings

if TYPE_CHECKING:
    from trader.backtest.candles import Source
    from trader.backtest.optimise import Optimised
    from trader.backtest.result import Result
    from trader.backtest.run import Backtester
    from trader.backtest.search import Progress

# (done, total, what is being done); total 0 where nobody knows.
Tell = Callable[[int, int, str], None]
HOLD_OUT_PCT: Final = 25.0
_GRID_AT_MOST: Final = 200  # points that are all tried unless told otherwise
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
    storage: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """``spec`` as ``report.spec_text`` writes it; ``source`` as ``candles.Source`` takes it; folders as
    text."""

    spec: Mapping[str, Any]
    source: Mapping[str, Any]
    strategies: str
    shelf: str
    hunt: Hunt | None = None

    def written(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Work:
        hunt = written.get("hunt")
        made = Hunt(**{**hunt, "bounds": tuple(hunt["bounds"])}) if hunt else None
        return cls(**{**written, "hunt": made})


@dataclass(frozen=True, slots=True)
class Outcome:
    """``rows`` and ``best`` are names and values of at most 34 columns together; ``pictures`` are PNG files,
    the one for chat first."""

    id: str
    title: str
    about: str
    rows: Sequence[tuple[str, str]]
    notes: Sequence[str]
    folder: str
    pictures: Sequence[str]
    best: Sequence[tuple[str, str]] = ()
    trades: int = 0
    bars: int = 0
    seconds: float = 0.0
    stopped: str = ""

    def written(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Outcome:
        rows = {name: [tuple(row) for row in written[name]] for name in ("rows", "best")}
        return cls(**{**written, **rows})


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
    leg = Leg(
        kind.name, kind.name, tuple(key_of(s) for s in asked.symbols), asked.interval, configured.settings
    )
    own = asked.own
    if "capital" in own:
        limits = _with_capital(limits, own["capital"])
    if "drawdown" in own:
        limits = replace(limits, max_drawdown_pct=Decimal(str(_number("drawdown", own["drawdown"], 0.1, 99))))
    if "daily_loss" in own:
        percent = Decimal(str(_number("daily_loss", own["daily_loss"], 0.1, 99)))
        limits = replace(limits, max_daily_loss_pct=percent, max_daily_loss=limits.capital * percent / 100)
    if "slippage" in own:
        slippage_bps = 100 * _number("slippage", own["slippage"], 0, 10)
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
        trials=int(_number("trials", trials, 1, 1_000_000)) if trials else None,
        sampler=own.get("sampler", ""),
        hold_out=_number("holdout", own.get("holdout", str(HOLD_OUT_PCT)), 0, 90),
        name=own.get("name"),
        seed=int(_number("seed", own.get("seed", "1"), 0, 2**31)),
    )


def _with_capital(limits: RiskLimits, text: str) -> RiskLimits:
    """The rupee limits grow and shrink with the capital, or a larger one could never be used."""
    capital = Decimal(int(_number("capital", text.replace(",", ""), 1000, 1e12)))
    factor = capital / limits.capital
    return replace(
        limits,
        capital=capital,
        max_daily_loss=limits.max_daily_loss * factor,
        max_order_value=limits.max_order_value * factor,
    )


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise InvalidInput(f"Expected {name} from {low:g} to {high:g}, was {text!r}")
    return value


# -- the work --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Bench:
    """What both kinds of work begin with."""

    work: Work
    tell: Tell
    spec: Spec
    backtester: Backtester
    source: Source
    warnings: list[str] = field(default_factory=list)


def do(work: Work, tell: Tell, cancel: Callable[[], bool] = lambda: False) -> Outcome:
    """Raises InvalidInput, FeedError and StrategyFault with sentences to show."""
    bench = _begin(work, tell)
    return _search(bench, work.hunt, cancel) if work.hunt is not None else _backtest(bench)


def _begin(work: Work, tell: Tell) -> _Bench:
    from trader.backtest.candles import Source
    from trader.backtest.run import Backtester
    from trader.backtest.world import World
    from trader.market.charges import Charges
    from trader.market.instruments import Instruments
    from trader.market.margins import Margins

    tell(0, 0, "reading candles")
    spec = spec_from(work.spec)
    catalogue = Catalogue.discover(Path(work.strategies))
    source = Source.read(work.source)
    keys = tuple(dict.fromkeys(key for leg in spec.legs for key in leg.symbols))
    found = source.candles(keys, spec.legs[0].interval, warm_from(spec, catalogue), spec.last)
    world = World(catalogue, Instruments(found.instruments), found.calendar, Charges.load(), Margins.load())
    tell(0, 0, "compiling" if not _compiled() else "running")
    return _Bench(work, tell, spec, Backtester(world, found.data), source, list(found.warnings))


def warm_from(spec: Spec, catalogue: Catalogue) -> date | None:
    """Where candles are needed from, so that indicators are settled on the first day: a session of 375
    minutes, and calendar days for the weekends and holidays among them."""
    if spec.first is None:
        return None
    most = 0
    for leg in spec.legs:
        strategy = parse_settings(catalogue.get(leg.strategy), dict(leg.settings)).strategy
        most = max(most, math.ceil(strategy.warmup * leg.interval.seconds / (375 * 60)))
    return spec.first - timedelta(days=2 * most + 7)


def _compiled() -> bool:
    """Whether the loop was compiled before; the first time takes some seconds."""
    folder = Path(__file__).parent / "__pycache__"
    return any(folder.glob("kernel.*.nbi"))


def _backtest(bench: _Bench) -> Outcome:
    result = bench.backtester.run(bench.spec)
    return _kept(bench, result)


def _kept(bench: _Bench, result: Result) -> Outcome:
    from trader.backtest.metrics import metrics
    from trader.backtest.page import page
    from trader.backtest.picture import picture
    from trader.backtest.shelf import PICTURE, Shelf
    from trader.backtest.summary import about, summary, title

    bench.tell(0, 0, "drawing the report")
    result = replace(result, warnings=(*bench.warnings, *result.warnings))
    found = metrics(result)
    shelf = Shelf(Path(bench.work.shelf))
    html = page(result, found, bench.backtester.panel.bars)
    number = shelf.save(result, found, datetime.now(IST), page=html, picture=picture(result, found))
    return Outcome(
        id=number,
        title=title(result),
        about=about(result),
        rows=summary(found),
        notes=[*bench.source.notes, *result.warnings, *found.notes],
        folder=str(shelf.path(number)),
        pictures=[str(shelf.path(number, PICTURE))],
        trades=len(result.trades),
        bars=result.bars,
        seconds=result.seconds,
    )


def _search(bench: _Bench, hunt: Hunt, cancel: Callable[[], bool]) -> Outcome:
    from trader.backtest.heatmap import heatmap
    from trader.backtest.optimise import optimise
    from trader.backtest.search import Plan
    from trader.backtest.space import Space
    from trader.backtest.trials.evaluate import Span, on_spec
    from trader.backtest.trials.goal import Goal
    from trader.backtest.trials.study import FILE

    spec = bench.spec
    kind = bench.backtester.world.catalogue.get(spec.legs[0].strategy)
    options = {name: text for name, text in spec.legs[0].settings if name not in kind.params()}
    space = Space.parse(kind, hunt.ranges, options)
    goal = Goal.parse(hunt.goal, hunt.bounds)
    evaluate = on_spec(bench.backtester.run, spec, kind)
    done = optimise(
        evaluate,
        space,
        goal,
        span=Span(spec.first, spec.last),
        holdout=hunt.hold_out / 100,
        plan=Plan(
            sampler=hunt.sampler or ("grid" if space.size <= _GRID_AT_MOST else "tpe"),
            trials=hunt.trials,
            seed=hunt.seed,
            name=hunt.name,
        ),
        storage=hunt.storage or Path(bench.work.shelf).parent / FILE,
        progress=lambda told: bench.tell(told.done, told.total, _so_far(told, goal.text)),
        cancel=cancel,
    )
    bench.tell(0, 0, "drawing the report")
    outcome = _kept(bench, evaluate(done.found.settings(), Span(spec.first, spec.last)))
    drawn = Path(outcome.folder) / "heatmap.png"
    drawn.write_bytes(heatmap(done.found))
    return replace(
        outcome,
        title=f"{kind.name}: {goal.objective}",
        best=_best(done),
        notes=[*done.warnings, *outcome.notes],
        pictures=[str(drawn), *outcome.pictures],
        stopped=done.found.stopped,
    )


def _so_far(told: Progress, text: Callable[[float], str]) -> str:
    return f"best {text(told.best.value)}" if told.best is not None else "nothing kept the bounds yet"


def _best(done: Optimised) -> list[tuple[str, str]]:
    """The best settings, and what they came to on the days they were chosen by and on the others."""
    found = done.found
    rows = list(found.space.searched(found.best.point).items()) if found.best is not None else []
    rows.append(("Tried", f"{len(found.tried):,} of {found.total:,}"))
    for name, seen, unseen in done.rows()[:_COMPARED]:
        rows += [(f"{name}, searched", seen), (f"{name}, held out", unseen)]
    return rows


def work_for(spec: Spec, source: Mapping[str, Any], strategies: Path, shelf: Path, hunt: Hunt | None) -> Work:
    return Work(spec_to(spec), source, str(strategies), str(shelf), hunt)
