"""``bot.py walkforward``: search some days, trade the next with what was found, move on."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    from trader.backtest.spec import Spec
    from trader.backtest.trials.goal import Goal
    from trader.backtest.walkforward import Step, Walk

USAGE: Final = (
    "bot.py walkforward NAME SYMBOLS INTERVAL 1y fast=5:20:3 … [train=120 test=20 anchored=yes] "
    "[goal=sharpe] [data=FOLDER]"
)
_HEAD = ("", "Traded", "Settings", "Searched", "Then", "Net", "Trades")


def run(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    from trader.backtest.asked import WALKING
    from trader.backtest.walking import NOTHING_TRADED

    wanted, spec = asked_and_spec(settings, catalogue, words, USAGE, WALKING, ranged=True)
    line = typed("walkforward", words, wanted)
    with going_on(line, wanted), told() as tell:
        walk, goal, outcome = _walked(settings, catalogue, wanted, spec, line, tell)
    if outcome is not None:
        disbelieved(console(), outcome.notes)
    _show(console(), walk, goal)
    if outcome is not None:
        show(outcome, line, wanted.counted and f"of {wanted.counted}")
    elif not walk.stopped:
        raise InvalidInput(NOTHING_TRADED)
    else:
        goes_on(console(), "Stopped in the first window", line)
    return STOPPED if walk.stopped else FINE


def _walked(
    settings: Settings, catalogue: Catalogue, wanted: Asked, spec: Spec, line: str, tell: Tell
) -> tuple[Walk, Goal, Outcome | None]:
    from trader.backtest.bench import Wanted, begin
    from trader.backtest.walking import walked, windows_of
    from trader.backtest.work import hunt_of

    windows, hunt = windows_of(wanted), hunt_of(wanted)
    source = source_of(settings, wanted.own.get("data"))
    bench = begin(Wanted.of(spec, source, catalogue), catalogue, tell)
    return walked(bench, spec, hunt, windows, shelf_of(settings), tell, line)


def _show(screen: Console, walk: Walk, goal: Goal) -> None:
    from trader.backtest.walking import efficient

    if not walk.steps:
        return
    screen.print(f"Searched for {goal}, then traded on the days after", style="bold")
    rows = [_row(number, step, goal) for number, step in enumerate(walk.steps, start=1)]
    table(screen, _HEAD, rows, "><<>>>>")
    if not math.isnan(walk.won):
        screen.print(f"{walk.won:.0%} of the windows traded gained. {efficient(walk.efficiency)}")
    screen.print()


def _row(number: int, step: Step, goal: Goal) -> tuple[str, ...]:
    from trader.backtest.report.words import money
    from trader.backtest.walking import days_of

    days = days_of(step)
    if step.unseen is None:
        return str(number), days, f"none: {step.why}", "", "", "", ""
    chosen = " ".join(f"{name}={value}" for name, value in step.settings.items())
    figures = goal.text(step.value_seen), goal.text(step.value_unseen)
    return str(number), days, chosen, *figures, money(step.unseen.net), f"{len(step.unseen.trades):,}"
