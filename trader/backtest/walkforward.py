"""What a search's answers are worth on days it did not see: a part held out, and walking forward."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from trader.backtest.result import Result
from trader.backtest.search import USUAL, Found, Plan, Progress, search
from trader.backtest.space import Space
from trader.backtest.trials.evaluate import Evaluate, Span
from trader.backtest.trials.goal import Facts, Goal
from trader.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The best settings where they were found, and on the days after, which the search never saw."""

    settings: dict[str, str]
    seen: Result
    unseen: Result
    value_seen: float
    value_unseen: float  # NaN where it is not defined there


def held_out(evaluate: Evaluate, found: Found, unseen: Span) -> HeldOut:
    """InvalidInput when the search found nothing, or saw any of the days."""
    if found.span.last is None or unseen.first is None or unseen.first <= found.span.last:
        raise InvalidInput(f"Expected days after the search's {found.span} to be held out, were {unseen}")
    settings = found.settings()
    inside, outside = evaluate(settings, found.span), evaluate(settings, unseen)
    goal = found.goal
    return HeldOut(
        settings,
        inside,
        outside,
        goal.value(Facts.of(inside).figures),
        goal.value(Facts.of(outside).figures),
    )


@dataclass(frozen=True, slots=True)
class Window:
    train: Span
    test: Span


def windows(days: Sequence[date], train: int, test: int, *, anchored: bool = False) -> list[Window]:
    """``train`` and ``test`` count trading days; the test parts follow one another without a gap, and the
    last may be shorter. ``anchored``: training always begins on the first day."""
    if train < 1 or test < 1:
        raise InvalidInput(f"Expected at least one day to search and one to test, were {train} and {test}")
    if len(days) <= train:
        raise InvalidInput(
            f"Expected more than {train} days to walk forward, were {len(days)}: take a longer span, or "
            "fewer days in train="
        )
    made = []
    for cut in range(train, len(days), test):
        begin = 0 if anchored else cut - train
        last = min(cut + test, len(days)) - 1
        made.append(Window(Span(days[begin], days[cut - 1]), Span(days[cut], days[last])))
    return made


@dataclass(frozen=True, slots=True)
class Step:
    """One window. ``settings`` is empty, and ``unseen`` None, where no settings kept the bounds: nothing was
    traded then."""

    window: Window
    settings: dict[str, str]
    seen: Result | None
    unseen: Result | None
    value_seen: float
    value_unseen: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Walk:
    """``joined``: all trades out of sample as one Result, every window beginning with what the ones before
    left; None when no window traded. ``efficiency``: rupees a day out of sample over rupees a day in sample
    (Pardo 1992; half and more is his rule for robust, below zero it lost what it had promised); NaN when the
    searches promised nothing. ``stopped`` as in ``search.Found``."""

    steps: tuple[Step, ...]
    joined: Result | None
    efficiency: float
    stopped: str = ""

    @property
    def won(self) -> float:
        """Share of the traded windows that gained out of sample."""
        gained = [step.unseen.net > 0 for step in self.steps if step.unseen is not None]
        return sum(gained) / len(gained) if gained else math.nan


def walk_forward(
    evaluate: Evaluate,
    space: Space,
    goal: Goal,
    walk: Sequence[Window],
    *,
    plan: Plan = USUAL,
    storage: str | Path | None = None,
    progress: Callable[[int, int, Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Walk:
    """Searches every window's training days and trades what it found on the days after them. ``progress``
    gets the window's number, their count and the search's own. With ``storage`` each window's search is kept
    under its own name and continued."""
    steps: list[Step] = []
    stopped = ""
    for number, window in enumerate(walk):
        named = plan if plan.name is None else replace(plan, name=f"{plan.name}-{number + 1:02}")
        shown = None if progress is None else _numbered(progress, number + 1, len(walk))
        found = search(
            evaluate,
            space,
            goal,
            span=window.train,
            plan=named,
            storage=storage,
            progress=shown,
            cancel=cancel,
        )
        if found.stopped == "cancelled":
            stopped = found.stopped
            break
        steps.append(_step(evaluate, found, window))
    return Walk(tuple(steps), join([s.unseen for s in steps if s.unseen]), efficiency(steps), stopped)


def _numbered(
    progress: Callable[[int, int, Progress], None], number: int, count: int
) -> Callable[[Progress], None]:
    return lambda now: progress(number, count, now)


def _step(evaluate: Evaluate, found: Found, window: Window) -> Step:
    try:
        held = held_out(evaluate, found, window.test)
    except InvalidInput as e:
        return Step(window, {}, None, None, math.nan, math.nan, str(e))
    return Step(window, held.settings, held.seen, held.unseen, held.value_seen, held.value_unseen)


def efficiency(steps: Sequence[Step]) -> float:
    seen = [step.seen for step in steps if step.seen is not None]
    unseen = [step.unseen for step in steps if step.unseen is not None]
    promised = sum(r.net for r in seen) / max(1, sum(r.days for r in seen))
    kept = sum(r.net for r in unseen) / max(1, sum(r.days for r in unseen))
    return kept / promised if promised > 0 else math.nan


def join(results: Sequence[Result]) -> Result | None:
    """Results of spans that follow one another, as one. The desk sizes by its capital, not by its equity, so
    rupees add up and are not compounded."""
    if not results:
        return None
    first, last = results[0], results[-1]
    capital = float(first.spec.limits.capital)
    carried, equities = 0.0, []
    for result in results:
        equities.append(result.equity + carried)
        if len(result.equity):
            carried += float(result.equity[-1]) - capital
    denied: dict[str, int] = {}
    for result in results:
        for code, count in result.denied.items():
            denied[code] = denied.get(code, 0) + count
    return replace(
        first,
        spec=replace(first.spec, last=last.spec.last),
        trades=np.concatenate([result.trades for result in results]),
        at=np.concatenate([result.at for result in results]),
        equity=np.concatenate(equities),
        exposure=np.concatenate([result.exposure for result in results]),
        close=np.concatenate([result.close for result in results]),
        bars=sum(result.bars for result in results),
        days=sum(result.days for result in results),
        denied=denied,
        warnings=tuple(dict.fromkeys(text for result in results for text in result.warnings)),
        seconds=sum(result.seconds for result in results),
    )
