"""The progress of a search in the shell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trader.backtest.search import Progress

if TYPE_CHECKING:
    from rich.console import Console

    from trader.backtest.trials.goal import Goal


@contextmanager
def progress_bar(
    goal: Goal, title: str = "Searching", console: Console | None = None
) -> Iterator[Callable[[Progress], None]]:
    """A bar while the block runs; give what it yields to ``search`` as ``progress``."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    with Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[best]}"),
        console=console,
    ) as bar:
        task = bar.add_task(title, total=None, best="")

        def show(now: Progress) -> None:
            bar.update(task, completed=now.done, total=now.total, best=best_text(goal, now))

        yield show


def best_text(goal: Goal, now: Progress) -> str:
    """``sharpe 1.42 at fast=12 slow=40``; empty before anything kept the bounds."""
    if now.best is None:
        return ""
    at = " ".join(f"{name}={text}" for name, text in now.best.settings.items())
    return f"{goal.objective} {goal.text(now.best.value)} at {at}"
