"""``bot.py walkforward``: search some days, trade the next with what was found, move on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from trader.domain.errors import InvalidInput
from trader.service.settings import Settings
from trader.service.shell import (
    FINE,
    STOPPED,
    asked_and_spec,
    console,
    disbelieved,
    goes_on,
    going_on,
    shelf_of,
    show,
    source_of,
    table,
    told,
    typed,
)
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from rich.console import Console

    from trader.backtest.asked import Asked
    from trader.backtest.outcome import Outcome, Tell
    from trader.backtest.search import Progress
    from trader.backtest.spec import Spec
    from trader.backtest.trials.goal import Goal
    from trader.backtest.walkforward import Step, Walk

USAGE: Final = (
    "bot.py walkforward NAME SYMBOLS INTERVAL 1y fast=5:20:3 … [train=120 test=20 anchored=yes] "
    "[goal=sharpe] [data=FOLDER]"
)
TRAIN, TEST = 120, 20  # trading days: half a year and a month
_HEAD = ("", "Traded", "Settings", "Searched", "Then", "Net", "Trades")
_YES, _NO = ("yes", "on", "true", "1"), ("no", "off", "false", "0")


def run(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    from trader.backtest.asked import RULES, SEARCHING

    own = (*RULES, *SEARCHING, "train", "test", "anchored")
    wanted, spec = asked_and_spec(settings, catalogue, words, USAGE, own, ranged=True)
    line = typed("walkforward", words, wanted)
    with going_on(line, wanted), told() as tell:
        walk, goal, outcome = _walked(settings, catalogue, wanted, spec, line, tell)
    if outcome is not None:
        disbelieved(console(), outcome.notes)
    _show(console(), walk, goal)
    if outcome is not None:
        show(outcome, line, wanted.counted)
    elif not walk.stopped:
        raise InvalidInput("In no window did any settings keep the bounds, so nothing was traded.")
    else:
        goes_on(console(), "Stopped in the first window", line)
    return STOPPED if walk.stopped else FINE


def _walked(
    settings: Settings, catalogue: Catalogue, wanted: Asked, spec: Spec, line: str, tell: Tell
) -> tuple[Walk, Goal, Outcome | None]:
    from dataclasses import replace

    from trader.backtest.bench import Wanted, begin, keep
    from trader.backtest.trials.evaluate import Span, trading_days
    from trader.backtest.trials.goal import Goal
    from trader.backtest.walkforward import walk_forward, windows
    from trader.backtest.work import evaluator, hunt_of, plan_of, space_of, storage_of

    train, test, anchored = _windows(wanted)
    hunt, kind = hunt_of(wanted), catalogue.get(spec.legs[0].strategy)
    space, goal = space_of(spec, kind, hunt.ranges), Goal.parse(hunt.goal, hunt.bounds)
    source = source_of(settings, wanted.own.get("data"))
    bench = begin(Wanted.of(spec, source, catalogue), catalogue, tell)
    evaluate = evaluator(bench, spec)
    days = trading_days(evaluate(space.settings(next(space.points())), Span(spec.first, spec.last)))

    def told_of(number: int, count: int, now: Progress) -> None:
        tell(now.done, now.total, f"window {number} of {count}")

    shelf = shelf_of(settings)
    walk = walk_forward(
        evaluate, space, goal, windows(days, train, test, anchored=anchored),
        plan=plan_of(hunt, space), storage=storage_of(hunt, shelf), progress=told_of,
    )  # fmt: skip
    if walk.joined is None:
        return walk, goal, None
    note = "Walked forward: every window traded the settings found on the days before it."
    joined = replace(walk.joined, warnings=(note, *walk.joined.warnings))
    outcome = keep(bench, joined, shelf, tell, line, joined=True)
    return walk, goal, replace(outcome, title=f"{kind.name}, walked forward", stopped=walk.stopped)


def _windows(wanted: Asked) -> tuple[int, int, bool]:
    from trader.backtest.work import number

    own = wanted.own
    anchored = own.get("anchored", "no").casefold()
    if anchored not in (*_YES, *_NO):
        raise InvalidInput(f"Expected anchored=yes or anchored=no, was {own['anchored']!r}")
    train = int(number("train", own.get("train", str(TRAIN)), 1, 5000))
    test = int(number("test", own.get("test", str(TEST)), 1, 5000))
    return train, test, anchored in _YES


def _show(screen: Console, walk: Walk, goal: Goal) -> None:
    if not walk.steps:
        return
    screen.print(f"Searched for {goal}, then traded on the days after", style="bold")
    rows = [_row(number, step, goal) for number, step in enumerate(walk.steps, start=1)]
    table(screen, _HEAD, rows, "><<>>>>")
    if not math.isnan(walk.won):
        screen.print(f"{walk.won:.0%} of the windows traded gained. {_efficient(walk.efficiency)}")
    screen.print()


def _row(number: int, step: Step, goal: Goal) -> tuple[str, ...]:
    from trader.backtest.report.words import money

    days = _days(step.window.test.first, step.window.test.last)
    if step.unseen is None:
        return str(number), days, f"none: {step.why}", "", "", "", ""
    chosen = " ".join(f"{name}={value}" for name, value in step.settings.items())
    figures = goal.text(step.value_seen), goal.text(step.value_unseen)
    return str(number), days, chosen, *figures, money(step.unseen.net), f"{len(step.unseen.trades):,}"


def _days(first: date | None, last: date | None) -> str:
    if first is None or last is None:
        return ""
    return f"{first:%-d %b} – {last:%-d %b %y}"


def _efficient(efficiency: float) -> str:
    if math.isnan(efficiency):
        return "The searches promised no gain, so there is no efficiency to tell."
    verdict = "half and more is asked" if efficiency < 0.5 else "that is half and more, as asked"
    return f"Efficiency {efficiency:.2f} of what the searches promised: {verdict}."
