"""A strategy walked forward, for the shell and for a worker: what the windows are, what is kept, and what
came of each in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from trader.backtest.asked import Asked
from trader.backtest.bench import Bench, keep
from trader.backtest.outcome import Outcome, Tell
from trader.backtest.report.words import money
from trader.backtest.spec import Spec
from trader.backtest.walkforward import Step, Walk, walk_forward, windows
from trader.backtest.work import Hunt, evaluator, plan_of, space_of, storage_of, whole
from trader.domain.errors import InvalidInput

if TYPE_CHECKING:
    from trader.backtest.search import Progress
    from trader.backtest.trials.goal import Goal

TRAIN, TEST = 120, 20  # trading days: half a year and a month
NOTHING_TRADED: Final = "In no window did any settings keep the bounds, so nothing was traded."
_YES, _NO = ("yes", "on", "true", "1"), ("no", "off", "false", "0")
_WIDE: Final = 33  # columns of settings, indented


@dataclass(frozen=True, slots=True)
class Windows:
    """Trading days that are searched, and that are traded then."""

    train: int = TRAIN
    test: int = TEST
    anchored: bool = False


def windows_of(asked: Asked) -> Windows:
    """Raises InvalidInput."""
    own = asked.own
    anchored = own.get("anchored", "no").casefold()
    if anchored not in (*_YES, *_NO):
        raise InvalidInput(f"Expected anchored=yes or anchored=no, was {own['anchored']!r}")
    train = whole("train", own.get("train", str(TRAIN)), 1, 5000)
    test = whole("test", own.get("test", str(TEST)), 1, 5000)
    return Windows(train, test, anchored in _YES)


def walked(
    bench: Bench, spec: Spec, hunt: Hunt, wanted: Windows, shelf: Path, tell: Tell, line: str
) -> tuple[Walk, Goal, Outcome | None]:
    """The outcome is None where nothing was traded."""
    from trader.backtest.trials.evaluate import Span, trading_days
    from trader.backtest.trials.goal import Goal

    kind = bench.backtester.world.catalogue.get(spec.legs[0].strategy)
    space, goal = space_of(spec, kind, hunt.ranges), Goal.parse(hunt.goal, hunt.bounds)
    evaluate = evaluator(bench, spec)
    days = trading_days(evaluate(space.settings(next(space.points())), Span(spec.first, spec.last)))

    def told_of(number: int, count: int, now: Progress) -> None:
        tell(now.done, now.total, f"window {number} of {count}")

    walk = walk_forward(
        evaluate, space, goal, windows(days, wanted.train, wanted.test, anchored=wanted.anchored),
        plan=plan_of(hunt, space), storage=storage_of(hunt, shelf), progress=told_of,
    )  # fmt: skip
    if walk.joined is None:
        return walk, goal, None
    note = "Walked forward: every window traded the settings found on the days before it."
    joined = replace(walk.joined, warnings=(note, *walk.joined.warnings))
    outcome = keep(bench, joined, shelf, tell, line, joined=True)
    return walk, goal, replace(outcome, title=f"{kind.name}, walked forward", stopped=walk.stopped)


def rows(walk: Walk, goal: Goal) -> list[tuple[str, str]]:
    """For a phone: of each window its days and net, the goal searched and traded, and the settings."""
    told: list[tuple[str, str]] = []
    for n, step in enumerate(walk.steps, 1):
        if step.unseen is None:
            told.append((f"{n} {days_of(step)}", "none"))
            continue
        told.append((f"{n} {days_of(step)}", money(step.unseen.net)))
        told.append((f" {goal.objective} {goal.text(step.value_seen)}, then", goal.text(step.value_unseen)))
        chosen = " ".join(f"{name}={value}" for name, value in step.settings.items())
        told += [(f" {part}", "") for part in wrap(chosen, _WIDE)]
    if not math.isnan(walk.won):
        told.append(("Windows that gained", f"{walk.won:.0%}"))
    told.append(("Efficiency", "–" if math.isnan(walk.efficiency) else f"{walk.efficiency:.2f}"))
    return told


def days_of(step: Step) -> str:
    first, last = step.window.test.first, step.window.test.last
    if first is None or last is None:
        return ""
    return f"{first:%-d %b} – {last:%-d %b %y}"


def efficient(efficiency: float) -> str:
    if math.isnan(efficiency):
        return "The searches promised no gain, so there is no efficiency to tell."
    verdict = "half and more is asked" if efficiency < 0.5 else "that is half and more, as asked"
    return f"Efficiency {efficiency:.2f} of what the searches promised: {verdict}."
