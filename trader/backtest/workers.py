"""One search by several processes of this machine. Others join it by the same call on the same storage."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

from trader.backtest.search import USUAL, Found, Plan, Progress, search
from trader.backtest.space import Space
from trader.backtest.trials.evaluate import EVERYTHING, Evaluate, Span
from trader.backtest.trials.goal import Goal
from trader.domain.errors import InvalidInput, MunimError

_PATIENCE_SECONDS = 30  # for workers to end their last trial


def search_together(
    make: Callable[[], Evaluate],
    space: Space,
    goal: Goal,
    *,
    storage: str | Path,
    workers: int = 2,
    span: Span = EVERYTHING,
    plan: Plan = USUAL,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Found:
    """As ``search``; ``make`` builds an evaluator and is called in every process, so it must be picklable: a
    function of a module, or a ``functools.partial`` of one. This process searches too, as worker 0."""
    if workers < 1:
        raise InvalidInput(f"Expected at least one worker, was {workers}")
    context = multiprocessing.get_context("spawn")  # fork would copy open databases and running threads
    stop = context.Event()
    others: list[BaseProcess] = [
        context.Process(
            target=_work,
            args=(make, space, goal, storage, span, replace(plan, worker=number), stop),
            name=f"search-{number}",
            daemon=True,
        )
        for number in range(1, workers)
    ]
    for process in others:
        process.start()
    try:
        return search(
            make(),
            space,
            goal,
            span=span,
            plan=plan,
            storage=storage,
            progress=progress,
            cancel=cancel,
        )
    finally:
        stop.set()
        _end(others)


def _work(
    make: Callable[[], Evaluate],
    space: Space,
    goal: Goal,
    storage: str | Path,
    span: Span,
    plan: Plan,
    stop: Event,
) -> None:
    import signal

    # Ctrl-C reaches every process of the terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first = multiprocessing.parent_process()

    def over() -> bool:
        """Asked to end, or left behind by a first process that was killed and could not ask."""
        return stop.is_set() or first is None or not first.is_alive()

    # What stops this one (a database that is gone, settings that all fail) stops the first, and that says so.
    with contextlib.suppress(MunimError):
        search(make(), space, goal, span=span, plan=plan, storage=storage, cancel=over)


def _end(processes: list[BaseProcess]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
        if process.is_alive():
            process.terminate()
            process.join()
