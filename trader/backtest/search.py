"""The search for settings: propose a point, try it, write it down, until enough or stopped.

Every worker runs this same loop on the same named study, in this process, in another or on another machine;
what one has tried the others learn within a second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trader.backtest.result import Result
from trader.backtest.space import MOST_POINTS, Point, Space
from trader.backtest.trials.evaluate import EVERYTHING, Evaluate, Span
from trader.backtest.trials.goal import Facts, Goal
from trader.backtest.trials.samplers import Sampler, sampler_of
from trader.backtest.trials.study import Record, digest, identity, storage_at
from trader.backtest.trials.tried import Tried
from trader.domain.errors import InvalidInput, MunimError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

TRIALS = 200  # of a search by tpe, unless told
_COUNTED = 20_000  # spaces up to here are counted point by point
_LOOK_SECONDS = 0.5  # between two looks at what other workers found
_FAILURES = 10  # in a row: the fault is not in the settings
_WORKER_SEEDS = 1_000_003


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    total: int
    best: Tried | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How to search. ``trials`` counts points ever tried under this name, by all workers; None is the whole
    grid, or the usual number by tpe. ``seconds`` limits this call. ``name`` is made from what is searched
    unless given, so that the same question finds its earlier trials."""

    sampler: str = "tpe"
    trials: int | None = None
    seed: int = 1
    seconds: float | None = None
    name: str | None = None
    worker: int = 0


USUAL = Plan()


@dataclass(frozen=True, slots=True)
class Found:
    """``tried``: every point once, in the order they became known here. ``best`` is within the constraints;
    None when nothing is. ``stopped``: "", "cancelled" or "time"."""

    name: str
    space: Space
    goal: Goal
    span: Span
    tried: tuple[Tried, ...]
    best: Tried | None
    total: int
    stopped: str = ""
    seconds: float = 0.0

    @property
    def nearest(self) -> Tried | None:
        """The one that breaks the constraints least, to show when none keeps them."""
        defined = [one for one in self.tried if one.defined]
        return min(defined, key=lambda one: one.excess, default=None)

    def settings(self) -> dict[str, str]:
        """Of the best, with what was fixed; InvalidInput when nothing kept the constraints."""
        if self.best is not None:
            return self.space.settings(self.best.point)
        near = self.nearest
        if near is None:
            reason = self.tried[0].why if self.tried else "none was tried"
            raise InvalidInput(f"None of the settings tried has a {self.goal.objective}: {reason}")
        broken = ", ".join(name for name, breach in near.breaches.items() if breach > 0)
        raise InvalidInput(
            f"None of the {len(self.tried)} settings tried kept the bounds; the nearest broke {broken}. "
            "where= sets bounds, as in where=trades>=10."
        )


def search(
    evaluate: Evaluate,
    space: Space,
    goal: Goal,
    *,
    span: Span = EVERYTHING,
    plan: Plan = USUAL,
    storage: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Found:
    """``storage`` as ``study.storage_at`` has it. Ctrl-C and ``cancel`` end it between two trials and what
    was found is returned; the same call continues. InvalidInput when the name belongs to another search, or
    when everything fails."""
    start = time.monotonic()
    with storage_at(storage) as opened:
        begun = _begin(evaluate, space, goal, span, plan, opened)
        try:
            stopped = begun.run(evaluate, start, progress, cancel)
        except KeyboardInterrupt:
            stopped = "cancelled"
    tried = tuple(begun.known.values())
    seconds = time.monotonic() - start
    return Found(begun.name, space, goal, span, tried, begun.best, begun.total, stopped, seconds)


@dataclass(slots=True)
class _Search:
    name: str
    space: Space
    goal: Goal
    span: Span
    plan: Plan
    record: Record
    sampler: Sampler
    total: int
    known: dict[Point, Tried]
    best: Tried | None = None
    looked: float = -math.inf
    failures: int = 0

    def run(
        self,
        evaluate: Evaluate,
        start: float,
        progress: Callable[[Progress], None] | None,
        cancel: Callable[[], bool] | None,
    ) -> str:
        while True:
            self.look()
            if progress is not None:
                progress(Progress(len(self.known), self.total, self.best, time.monotonic() - start))
            if len(self.known) >= self.total:
                return ""
            if cancel is not None and cancel():
                return "cancelled"
            if self.plan.seconds is not None and time.monotonic() - start >= self.plan.seconds:
                return "time"
            point = self.sampler.propose(self.known)
            if point is None:
                self.total = len(self.known)
                continue
            self.take(point, evaluate)

    def take(self, point: Point, evaluate: Evaluate) -> None:
        try:
            result = evaluate(self.space.settings(point), self.span)
        except MunimError as e:
            self.failures += 1
            if self.failures >= _FAILURES:
                raise InvalidInput(f"{_FAILURES} trials in a row failed; the last: {e}") from e
            tried = Tried.failed(self.space, point, str(e))
        else:
            self.failures = 0
            tried = Tried.of(self.space, point, self.goal, Facts.of(result))
        self.record.add(tried)
        self.note(tried)

    def look(self) -> None:
        """What other workers, or an earlier run, have written."""
        now = time.monotonic()
        if now - self.looked < _LOOK_SECONDS:
            return
        for tried in self.record.fresh():
            self.note(tried)
        self.looked = now

    def note(self, tried: Tried) -> None:
        if tried.point in self.known:
            return
        self.known[tried.point] = tried
        self.sampler.learn(tried)
        if tried.allowed and (self.best is None or self.goal.better(tried.value, self.best.value)):
            self.best = tried


def _begin(
    evaluate: Evaluate, space: Space, goal: Goal, span: Span, plan: Plan, storage: BaseStorage
) -> _Search:
    if plan.trials is not None and plan.trials < 1:
        raise InvalidInput(f"Expected at least one trial, was {plan.trials}")
    # Workers must differ, or they would all propose the same.
    sampler_seed = plan.seed + _WORKER_SEEDS * plan.worker
    points = sum(1 for _ in space.points()) if space.size <= _COUNTED else space.size
    wanted = plan.trials or (points if plan.sampler.strip().casefold() == "grid" else TRIALS)
    sampler = sampler_of(plan.sampler, space, goal, sampler_seed)
    same = identity(space, goal, span, _probe(evaluate, space, span))
    name = plan.name or f"{space.strategy.name}-{digest(same)[:8]}"
    record = Record(storage, name, space, goal)
    record.claim(same)
    total = min(wanted, points, MOST_POINTS)
    return _Search(name, space, goal, span, plan, record, sampler, total, {})


def _probe(evaluate: Evaluate, space: Space, span: Span) -> Result:
    """One run before anything is written: what cannot be tested at all is said at once."""
    return evaluate(space.settings(next(space.points())), span)
